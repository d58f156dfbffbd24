//! One Region: its address, its registry, shadows, broker and topic rules.

use std::{net::Ipv4Addr, sync::Arc};

use bytes::Bytes;
use parking_lot::Mutex;
use rmqtt_codec::types::QoS;

use crate::{
    fault::Switch,
    mqtt::{Broker, publish},
    provisioning::RegistrationTasks,
    quota::DataPlane,
    registry::{Registry, RegistryEvent},
    rules::TopicRules,
    shadow::{Shadows, ThingRates},
    world::World,
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
    /// Bulk registration.
    pub(crate) registrations: Mutex<RegistrationTasks>,
    pub(crate) shadows: Mutex<Shadows>,
    pub(crate) shadow_rates: Mutex<ThingRates>,
    pub(crate) rules: TopicRules,
    pub(crate) broker: Broker,
    /// The quotas of its data plane.
    pub(crate) limits: DataPlane,
    /// On: the Region is cut off.
    pub(crate) dark: Switch,
    /// On: nothing comes out of the Region.
    pub(crate) half_dark: Switch,
    /// On: global tables do not take this Region's writes elsewhere.
    pub(crate) replication_paused: Switch,
}

impl Region {
    /// Publishes what happened in the registry. Its lock must be free: a topic rule may call back.
    pub(crate) fn announce(&self, world: &Arc<World>, events: impl IntoIterator<Item = RegistryEvent>) {
        for event in events {
            let payload = Bytes::from(event.payload.to_string());
            publish(world, self, &event.topic, &payload, QoS::AtLeastOnce);
        }
    }
}
