//! The limits of one Region's data plane, each under its name: of the account, of a connection, of a client id, of a thing.

use std::sync::Arc;

use super::{Quotas, limit::Limit};

/// What the broker, the shadows and the topic rules of one Region have to count. Rates are per second.
#[derive(Debug, Clone)]
pub(crate) struct DataPlane {
    pub(crate) connects: Arc<Limit>,
    /// CONNECT of one client id.
    pub(crate) client_connects: Arc<Limit>,
    /// Clients connected at a time.
    pub(crate) connections: Arc<Limit>,
    pub(crate) inbound_publishes: Arc<Limit>,
    /// One for each subscriber of a message.
    pub(crate) outbound_publishes: Arc<Limit>,
    /// Messages stored for sessions that are offline.
    pub(crate) queued_messages: Arc<Limit>,
    pub(crate) subscribes: Arc<Limit>,
    pub(crate) subscriptions: Arc<Limit>,
    pub(crate) retained_messages: Arc<Limit>,
    pub(crate) retains: Arc<Limit>,
    pub(crate) topic_retains: Arc<Limit>,
    /// Publishes of one connection, in and out together; what exceeds it is discarded.
    pub(crate) connection_publishes: Arc<Limit>,
    /// KiB of one connection, in and out together; what exceeds it waits.
    pub(crate) connection_kib: Arc<Limit>,
    pub(crate) connection_subscriptions: Arc<Limit>,
    /// Filters in one SUBSCRIBE; more end the connection.
    pub(crate) subscribe_filters: Arc<Limit>,
    pub(crate) shadow_requests: Arc<Limit>,
    /// Shadow requests of one thing, all its shadows together.
    pub(crate) thing_shadow_requests: Arc<Limit>,
    pub(crate) rule_evaluations: Arc<Limit>,
    pub(crate) rules: Arc<Limit>,
}

impl DataPlane {
    /// The limits of `region`. A quota that the data lacks is no limit, and a test sees to it that none does.
    pub(crate) fn of(quotas: &Quotas, region: &str) -> Self {
        let limit = |code| quotas.limit(region, code);
        Self {
            connects: limit("L-AEA1E176"),
            client_connects: limit("L-033DE216"),
            connections: limit("L-75CAB723"),
            inbound_publishes: limit("L-4B33E451"),
            outbound_publishes: limit("L-FE4EDCF9"),
            queued_messages: limit("L-35DA9240"),
            subscribes: limit("L-589D5E1D"),
            subscriptions: limit("L-52CBB99B"),
            retained_messages: limit("L-57BADEF0"),
            retains: limit("L-BAFC6221"),
            topic_retains: limit("L-771FD74A"),
            connection_publishes: limit("L-083F3861"),
            connection_kib: limit("L-D9C66F9D"),
            connection_subscriptions: limit("L-45957C13"),
            subscribe_filters: limit("L-A6574E9E"),
            shadow_requests: limit("L-6CC6395A"),
            thing_shadow_requests: limit("L-EFF4BE08"),
            rule_evaluations: limit("L-5E9B88DA"),
            rules: limit("L-954FA751"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_in_the_data() {
        let plane = DataPlane::of(&Quotas::new(1.0, true, &["us-east-1".to_owned()]), "us-east-1");
        for limit in [
            &plane.connects,
            &plane.client_connects,
            &plane.connections,
            &plane.inbound_publishes,
            &plane.outbound_publishes,
            &plane.queued_messages,
            &plane.subscribes,
            &plane.subscriptions,
            &plane.retained_messages,
            &plane.retains,
            &plane.topic_retains,
            &plane.connection_publishes,
            &plane.connection_kib,
            &plane.connection_subscriptions,
            &plane.subscribe_filters,
            &plane.shadow_requests,
            &plane.thing_shadow_requests,
            &plane.rule_evaluations,
            &plane.rules,
        ] {
            assert!(limit.value().is_finite());
        }
    }
}
