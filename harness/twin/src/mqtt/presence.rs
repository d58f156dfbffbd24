//! Lifecycle events: who connected, disconnected, subscribed and unsubscribed, on the Region's reserved topics, so that
//! topic rules and subscribers see them. Client ids that hold a wildcard get none, as on AWS.

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use rmqtt_codec::types::QoS;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{end::End, service, topic};
use crate::{region::Region, world::World};

/// What every event of one connection says.
#[derive(Debug)]
pub(super) struct Presence {
    client_id: String,
    session: Uuid,
    certificate: String,
    version: u64,
}

impl Presence {
    pub(super) fn new(client_id: &str, certificate: &str, version: u64) -> Self {
        Self {
            client_id: client_id.to_owned(),
            session: Uuid::new_v4(),
            certificate: certificate.to_owned(),
            version,
        }
    }

    pub(super) fn connected(&self, world: &Arc<World>, region: &Region, address: Option<IpAddr>) {
        let mut event = self.event(world, "connected");
        event["ipAddress"] = json!(address);
        event["versionNumber"] = json!(self.version);
        self.send(world, region, "presence", &event);
    }

    pub(super) fn disconnected(&self, world: &Arc<World>, region: &Region, end: End) {
        let mut event = self.event(world, "disconnected");
        event["clientInitiatedDisconnect"] = json!(end.is_client_initiated());
        event["disconnectReason"] = json!(end.reason());
        event["versionNumber"] = json!(self.version);
        self.send(world, region, "presence", &event);
    }

    /// `kind` is `subscribed` or `unsubscribed`.
    pub(super) fn subscription(&self, world: &Arc<World>, region: &Region, kind: &str, filters: &[&str]) {
        let mut event = self.event(world, kind);
        event["topics"] = json!(filters);
        self.send(world, region, "subscriptions", &event);
    }

    fn event(&self, world: &World, kind: &str) -> Value {
        json!({
            "clientId": self.client_id,
            "timestamp": world.clock.now_ms(),
            "eventType": kind,
            "sessionIdentifier": self.session.to_string(),
            "principalIdentifier": self.certificate,
        })
    }

    fn send(&self, world: &Arc<World>, region: &Region, family: &str, event: &Value) {
        if topic::has_wildcard(&self.client_id) {
            return;
        }
        let kind = event["eventType"].as_str().unwrap_or_default();
        let to = format!("$aws/events/{family}/{kind}/{}", self.client_id);
        service::publish(world, region, &to, &Bytes::from(event.to_string()), QoS::AtLeastOnce);
    }
}
