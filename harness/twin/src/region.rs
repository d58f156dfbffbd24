//! One Region: its address, its registry, shadows, broker and topic rules.

use std::net::Ipv4Addr;

use parking_lot::Mutex;

use crate::{
    fault::Switch,
    mqtt::Broker,
    quota::DataPlane,
    registry::Registry,
    rules::TopicRules,
    shadow::{Shadows, ThingRates},
};

/// One Region of the twin.
#[derive(Debug)]
pub(crate) struct Region {
    /// For example `us-east-1`.
    pub(crate) name: String,
    /// Its own loopback address.
    pub(crate) address: Ipv4Addr,
    /// Its data endpoint: `<prefix>-ats.iot.<region>.amazonaws.com`.
    pub(crate) endpoint: String,
    pub(crate) registry: Mutex<Registry>,
    pub(crate) shadows: Mutex<Shadows>,
    pub(crate) shadow_rates: Mutex<ThingRates>,
    pub(crate) rules: TopicRules,
    pub(crate) broker: Broker,
    /// The quotas of its data plane.
    pub(crate) limits: DataPlane,
    /// On: the Region is cut off.
    pub(crate) dark: Switch,
    /// On: global tables do not take this Region's writes elsewhere.
    pub(crate) replication_paused: Switch,
}
