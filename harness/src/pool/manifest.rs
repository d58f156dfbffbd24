//! What a fleet is: how many devices, what keys, how they are made and where.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use aws_lc_rs::digest;
use gameday_twin::Endpoints;
use jiff::Timestamp;
use rand::{Rng, distr::Alphanumeric};
use serde::{Deserialize, Serialize};

use super::bulk::Task;
use crate::{aws::Aws, fleet::Recipe, identity::KeyKind};

/// What is written is understood by programs that know this format.
const FORMAT: u32 = 1;
/// Characters of a fleet's name, so that devices' names and policies' are short enough everywhere.
const NAME_CHARS_MAX: usize = 40;
/// Characters by which twins are told apart.
const TWIN_CHARS: usize = 12;
/// Characters of an id.
const ID_CHARS: usize = 12;

/// A fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    format: u32,
    /// Its name, which those of its devices begin with.
    pub(crate) name: String,
    /// What it is told by from fleets of the same name, of another folder or of somebody else.
    id: String,
    /// How many devices it is to have.
    pub(crate) devices: u32,
    pub(crate) key: KeyKind,
    pub(crate) begun: Timestamp,
    /// How it is made, once that is known.
    pub(crate) making: Option<Making>,
}

/// How a fleet is made, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Making {
    pub(crate) by: Method,
    pub(crate) recipe: Recipe,
    /// Whether the policy is made with the fleet, and goes with it.
    pub(crate) policy_is_ours: bool,
    /// Whether that was seen to be done. Before, one of its name may be somebody else's.
    #[serde(default)]
    pub(crate) policy_is_made: bool,
    pub(crate) home: Home,
    /// Of just-in-time registration: what the fleet's CA is called in each Region; none: it may be registered there, and may
    /// not be.
    #[serde(default)]
    pub(crate) authorities: BTreeMap<String, Option<String>>,
    /// The bulk registration under way.
    #[serde(default)]
    pub(crate) task: Option<Task>,
}

/// How devices come into being.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Method {
    /// Call by call through the IoT API.
    Api,
    /// By a bulk registration of AWS IoT, with a file in S3.
    Bulk,
    /// By themselves, with their first connection and a certificate of the fleet's own CA.
    JustInTime,
}

/// Where a fleet lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Home {
    /// `aws`, or which twin: each has a root certificate of its own.
    pub(crate) site: String,
    pub(crate) account: String,
    pub(crate) primary: String,
    pub(crate) secondary: String,
}

impl Manifest {
    pub(super) fn new(name: &str, key: KeyKind) -> Self {
        let begun = Timestamp::now();
        Self { format: FORMAT, name: name.to_owned(), id: random_id(), devices: 0, key, begun, making: None }
    }

    pub(super) fn parse(text: &[u8]) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } = serde_json::from_slice(text).context("it is no fleet")?;
        if format != FORMAT {
            bail!("it has format {format}, and this gameday knows {FORMAT}");
        }
        serde_json::from_slice(text).context("it is not understood")
    }

    /// What the fleet's things carry, and those of no other fleet.
    pub(crate) fn mark(&self) -> String {
        format!("{}-{}", self.name, self.id)
    }

    /// A device's name; numbers count from 1.
    pub(crate) fn device(&self, number: u32) -> String {
        format!("{}-{number:05}", self.name)
    }

    /// The number of the device that has this name.
    pub(crate) fn number(&self, device: &str) -> Option<u32> {
        let number = device.strip_prefix(&self.name)?.strip_prefix('-')?.parse().ok()?;
        (self.device(number) == device && (1..=self.devices).contains(&number)).then_some(number)
    }
}

impl Method {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Bulk => "bulk",
            Self::JustInTime => "just-in-time",
        }
    }
}

impl Home {
    /// A twin, with its Regions.
    pub(crate) fn of_twin(twin: &Endpoints) -> Self {
        // What tells it from every other twin.
        let mut root = hex::encode(digest::digest(&digest::SHA256, twin.ca_pem.as_bytes()));
        root.truncate(TWIN_CHARS);
        let region = |n: usize| twin.regions.get(n).map(|region| region.region.clone()).unwrap_or_default();
        Self {
            site: format!("twin {root}"),
            account: twin.account.clone(),
            primary: region(0),
            secondary: region(1),
        }
    }

    /// AWS, with the account of the credentials.
    pub(crate) async fn of_aws(aws: &Aws) -> anyhow::Result<Self> {
        let (primary, secondary) = (aws.primary.region.clone(), aws.secondary.region.clone());
        Ok(Self { site: "aws".to_owned(), account: aws.account().await?, primary, secondary })
    }

    /// Whether it is AWS.
    pub(crate) fn is_aws(&self) -> bool {
        self.site == "aws"
    }
}

impl std::fmt::Display for Home {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { site, account, primary, secondary } = self;
        write!(f, "{site}, account {account}, {primary} and {secondary}")
    }
}

/// An id that nothing else has: small letters and digits.
pub(super) fn random_id() -> String {
    let letters = rand::rng().sample_iter(Alphanumeric).take(ID_CHARS);
    letters.map(|letter| char::from(letter).to_ascii_lowercase()).collect()
}

/// A name that things, policies and files can have.
pub(crate) fn valid_name(text: &str) -> Result<String, String> {
    let is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !starts || text.len() > NAME_CHARS_MAX || !text.chars().all(is_fine) {
        return Err(format!(
            "1 to {NAME_CHARS_MAX} small letters, digits and hyphens, a letter or a digit first"
        ));
    }
    // Equipment of the replicator: it is not replicated.
    if replicator::rules::is_own(text) {
        return Err(format!(
            "the replicator keeps names that begin with {}",
            replicator::rules::EXCLUDED_PREFIX
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_go_together() {
        let mut manifest = Manifest::new("lamps-2", KeyKind::P256);
        manifest.devices = 120_000;
        for number in [1, 42, 99_999, 120_000] {
            assert_eq!(manifest.number(&manifest.device(number)), Some(number));
        }
        for other in
            ["lamps-2-00000", "lamps-2-1", "lamps-2-120001", "lamps-00001", "lamps-2-x", "lamps-2-+0001"]
        {
            assert_eq!(manifest.number(other), None, "{other}");
        }
    }

    #[test]
    fn two_fleets_of_one_name_have_marks_of_their_own() {
        let [one, other] = [(); 2].map(|()| Manifest::new("lamps", KeyKind::P256));
        assert_ne!(one.mark(), other.mark());
        let again = Manifest::parse(&serde_json::to_vec(&one).unwrap()).unwrap();
        assert_eq!(again.mark(), one.mark(), "it stays");
        assert!(one.mark().starts_with("lamps-") && one.mark().len() == "lamps-".len() + ID_CHARS);
    }

    #[test]
    fn what_is_written_reads_back_and_another_format_is_refused() {
        let manifest = Manifest::new("lamps", KeyKind::Rsa2048);
        let text = serde_json::to_string(&manifest).unwrap();
        assert_eq!(Manifest::parse(text.as_bytes()).unwrap(), manifest);
        let later = text.replace("\"format\":1", "\"format\":2");
        assert!(format!("{:#}", Manifest::parse(later.as_bytes()).unwrap_err()).contains("format 2"));
        assert!(Manifest::parse(b"{}").is_err());
    }

    #[test]
    fn names_fit_everywhere() {
        assert_eq!(valid_name("lamps-2"), Ok("lamps-2".to_owned()));
        for wrong in ["", "-a", "Lamps", "a_b", "a/b", "..", "gameday-health-x", &"a".repeat(41)] {
            assert!(valid_name(wrong).is_err(), "{wrong}");
        }
    }
}
