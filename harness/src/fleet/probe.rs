//! Probing the primary from the secondary: would it let this device in again?
//!
//! A probe is a whole connection: address, TCP, TLS with the device's own certificate, CONNECT with its own client id, CONNACK,
//! and goodbye. Less would say less: a Region may take TCP and answer nothing, and may have lost the policy of this device. Its
//! own client id is what its policy lets it use, and does it no harm: a client id is unique in an account *and Region*, so a
//! CONNECT in the primary takes over no session in the secondary. The sessions of the fleet are clean, so a probe eats no
//! message that waits for the device either. What it does leave are the lifecycle events of a connection in the primary.

use std::time::Duration;

use rumqttc::{AsyncClient, Event, Incoming};

use super::{Dialer, connection::leave};

/// AWS takes one CONNECT a second of a client id in a Region: who has probed waits this long before it connects there again.
pub(super) const CLIENT_ID_PAUSE: Duration = Duration::from_millis(1_100);

/// Knocks at an endpoint as a device.
#[derive(Debug)]
pub(super) struct Prober {
    /// Its own: the stages of a probe are none of the device's attempt.
    pub(super) dialer: Dialer,
    pub(super) client_id: String,
    pub(super) keep_alive: Duration,
    /// A probe that has no answer by then has failed.
    pub(super) patience: Duration,
}

impl Prober {
    /// Whether the endpoint lets the device in.
    pub(super) async fn is_let_in(&self, host: &str) -> bool {
        let options = self.dialer.options(&self.client_id, host, self.keep_alive);
        let (client, mut events) = AsyncClient::builder(options).capacity(1).build();
        let mut network = events.network_options();
        network.set_connection_timeout(self.patience.as_secs().max(1));
        events.set_network_options(network);
        // The first event of a connection is its CONNACK, and a refusal is an error.
        let is_let_in = matches!(events.poll().await, Ok(Event::Incoming(Incoming::ConnAck(_))));
        if is_let_in {
            leave(&client, &mut events).await;
        }
        is_let_in
    }
}
