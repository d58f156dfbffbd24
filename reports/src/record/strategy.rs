//! The strategies of a fleet, as the record knows them: enough to compare them, and to know who is expected home.

use serde::{Deserialize, Serialize};

/// How some of the devices find their Region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strategy {
    /// Its name, `cname` for one; with a number behind it where there are several of a kind.
    pub name: String,
    /// It with its settings, for a reader.
    pub label: String,
    /// How many devices have it.
    pub devices: u32,
    /// What sends its devices elsewhere.
    pub guide: Guide,
    /// Whether its devices come home by themselves. One that does not is where it should be when it stays.
    pub fails_back: bool,
}

/// What sends a device elsewhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guide {
    /// The answer for the fleet's name.
    #[default]
    Name,
    /// Its own attempts: it knows the endpoints of both Regions.
    Endpoints,
}
