//! CONNECT: who it is, whether it may, and what it is granted.

use std::{sync::Arc, time::Duration};

use bytestring::ByteString;
use rmqtt_codec::types::QoS;
use uuid::Uuid;

use crate::{
    authorize::Variables,
    mqtt::{
        codec::Codec,
        grants::Grants,
        limits::{
            CLIENT_ID_BYTES_MAX, CLIENT_PACKET_BYTES_MIN, KEEP_ALIVE_S_MAX, KEEP_ALIVE_S_MIN,
            SESSION_EXPIRY_MAX,
        },
        message::Will,
        packet::{Accept, Connect, Incoming, Outgoing, Refusal},
        session::Seat,
        wire::Wire,
    },
    region::Region,
    world::World,
};

/// AWS begins the client ids that it makes up with this.
const GENERATED_PREFIX: &str = "$GEN/";

/// The certificate that the peer proved to hold.
#[derive(Debug)]
pub(super) struct Identity {
    /// Its id.
    pub(super) certificate: String,
    /// Its ARN.
    principal: String,
}

/// A connection that was accepted.
#[derive(Debug)]
pub(super) struct Greeting {
    pub(super) codec: Codec,
    pub(super) grants: Grants,
    pub(super) seat: Seat,
    pub(super) keep_alive: Duration,
    pub(super) expiry: Duration,
    pub(super) will: Option<Will>,
}

impl Identity {
    /// A certificate that is registered and ACTIVE here. One that was registered without a CA needs SNI.
    pub(super) fn admit(region: &Region, certificate: String, sni: Option<&str>) -> Option<Self> {
        let registry = region.registry.lock();
        let found = registry.certificate(&certificate).ok()?;
        let principal = registry.arn(&format!("cert/{certificate}"));
        found.admits(&region.endpoint, sni).then_some(Self { certificate, principal })
    }
}

/// Reads CONNECT and queues its answer. `None`: refused, and answered.
pub(super) async fn greet(
    world: &Arc<World>,
    region: &Arc<Region>,
    wire: &mut Wire,
    identity: &Identity,
) -> Option<Greeting> {
    let mut codec = loop {
        match Codec::detect(&mut wire.input) {
            Ok(Some(codec)) => break codec,
            Ok(None) if wire.read().await > 0 => {}
            _ => return None,
        }
    };
    let connect = loop {
        match codec.decode(&mut wire.input) {
            Ok(Some(Incoming::Connect(connect))) => break connect,
            Ok(None) if wire.read().await > 0 => {}
            _ => return None,
        }
    };
    if world.faults.cut_off(&region.name, &connect.client_id) {
        return None;
    }
    // Nothing waits from here on: a seat that was taken is never lost.
    match accept(world, region, identity, codec, *connect, wire) {
        Ok(greeting) => Some(greeting),
        Err((refusal, mut codec)) => {
            tracing::debug!(certificate = identity.certificate, ?refusal, "a connection was refused");
            let _ = codec.encode(Outgoing::Refuse(refusal), &mut wire.output);
            if wire.flush().await {
                wire.close().await;
            }
            None
        }
    }
}

fn accept(
    world: &Arc<World>,
    region: &Arc<Region>,
    identity: &Identity,
    mut codec: Codec,
    connect: Connect,
    wire: &mut Wire,
) -> Result<Greeting, (Refusal, Codec)> {
    let mut answer = Accept::default();
    let mut checked = || {
        check(&connect, codec.is_v5())?;
        let client_id = if connect.client_id.is_empty() {
            let generated = ByteString::from(format!("{GENERATED_PREFIX}{}", Uuid::new_v4()));
            answer.assigned_client_id = Some(generated.clone());
            generated
        } else {
            connect.client_id.clone()
        };
        let mut grants = permissions(world, region, identity, &client_id);
        if !grants.allows_now(region, "iot:Connect", "client", &client_id) {
            return Err(Refusal::NotAuthorized);
        }
        let seat = region.broker.connect(&client_id, connect.clean_start, connect.receive_max)?;
        Ok((grants, seat))
    };
    let (grants, seat) = match checked() {
        Ok(accepted) => accepted,
        Err(refusal) => return Err((refusal, codec)),
    };
    let keep_alive_s = match connect.keep_alive_s {
        0 => KEEP_ALIVE_S_MAX,
        asked => asked.clamp(KEEP_ALIVE_S_MIN, KEEP_ALIVE_S_MAX),
    };
    let expiry = connect.expiry.min(SESSION_EXPIRY_MAX);
    answer.session_present = seat.session_present;
    answer.keep_alive_s = (keep_alive_s != connect.keep_alive_s).then_some(keep_alive_s);
    answer.expiry = (expiry != connect.expiry).then_some(expiry);
    if let Some(bytes) = connect.packet_bytes_max {
        codec.set_client_packet_max(bytes);
    }
    if let Err(error) = codec.encode(Outgoing::Accept(Box::new(answer)), &mut wire.output) {
        tracing::debug!(%error, "CONNACK could not be encoded");
    }
    // The half more is what MQTT grants.
    let keep_alive = Duration::from_millis(u64::from(keep_alive_s) * 1_500);
    Ok(Greeting { codec, grants, seat, keep_alive, expiry, will: connect.will })
}

/// What is wrong with a CONNECT whoever sends it.
fn check(connect: &Connect, is_v5: bool) -> Result<(), Refusal> {
    let client_id = &connect.client_id;
    if client_id.is_empty() && !is_v5 {
        return Err(Refusal::NotAuthorized);
    }
    if client_id.len() > CLIENT_ID_BYTES_MAX {
        return Err(Refusal::BadClientId);
    }
    if connect.will.as_ref().is_some_and(|will| will.message.qos == QoS::ExactlyOnce) {
        return Err(Refusal::BadWill);
    }
    if connect.packet_bytes_max.is_some_and(|bytes| bytes < CLIENT_PACKET_BYTES_MIN) {
        return Err(Refusal::Protocol);
    }
    Ok(())
}

fn permissions(world: &World, region: &Region, identity: &Identity, client_id: &str) -> Grants {
    let attached = region.registry.lock().is_attached(client_id, &identity.principal);
    let variables =
        Variables { client_id: client_id.to_owned(), thing_name: attached.then(|| client_id.to_owned()) };
    let arn_prefix = format!("arn:aws:iot:{}:{}:", region.name, world.account);
    Grants::new(identity.principal.clone(), arn_prefix, variables)
}
