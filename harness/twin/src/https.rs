//! HTTPS of one Region: the IoT data endpoint (client certificates) and function URLs, told apart by the host name. As on
//! port 443 of AWS, a client that asks for it by ALPN speaks MQTT here.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::body::Body;
use http_body_util::{BodyExt, Limited};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::{
    accept,
    api::{self, Device, device_call},
    apigateway,
    call::{Call, Reply},
    fault::{Kind, Port},
    lambda,
    mqtt::{self, black_hole},
    region::Region,
    registry::certificate_id,
    socket::{Doom, Socket},
    world::World,
};

/// A handshake may take this long.
const HANDSHAKE_S_MAX: u64 = 10;
/// What ALPN may ask for: MQTT, and HTTPS under AWS's name and under its own.
pub(crate) const ALPN: [&[u8]; 4] = [ALPN_MQTT[0], ALPN_MQTT[1], b"x-amzn-http-ca", b"http/1.1"];
const ALPN_MQTT: [&[u8]; 2] = [b"x-amzn-mqtt-ca", b"mqtt"];
/// Lambda's limit of a request.
const BODY_BYTES_MAX: usize = 6 * 1024 * 1024;

/// Accepts connections of one Region until the twin stops.
pub(crate) async fn serve(world: Arc<World>, region: Arc<Region>, listener: TcpListener, tls: TlsAcceptor) {
    let connected = |socket, peer: SocketAddr| {
        let (world, region, tls) = (world.clone(), region.clone(), tls.clone());
        async move { handle(&world, &region, socket, peer.ip(), tls).await }
    };
    accept::each(&world, &region, Port::Https, listener, connected).await;
}

async fn handle(
    world: &Arc<World>,
    region: &Arc<Region>,
    mut socket: Socket,
    peer: IpAddr,
    tls: TlsAcceptor,
) {
    if region.dark.is_on() {
        world.faults.count(Kind::RegionDark, &region.name);
        return black_hole(region, &mut socket).await;
    }
    socket.set_nodelay();
    let doom = socket.doom();
    let handshake = tokio::time::timeout(Duration::from_secs(HANDSHAKE_S_MAX), tls.accept(socket));
    let Ok(Ok(stream)) = handshake.await else {
        return;
    };
    if stream.get_ref().1.alpn_protocol().is_some_and(|asked| ALPN_MQTT.contains(&asked)) {
        if world.faults.broker_down(&region.name) {
            return stream.get_ref().0.reset_on_close();
        }
        return Box::pin(mqtt::serve_stream(world, region, Box::new(stream))).await;
    }
    let session = stream.get_ref().1;
    let device = Device {
        certificate: session.peer_certificates().and_then(|c| c.first()).map(|c| certificate_id(c)),
        sni: session.server_name().map(str::to_owned),
    };
    let device = &device;
    let service = service_fn(|request: Request<Incoming>| {
        let doom = doom.clone();
        async move {
            let answer = answer(world, region, device, peer, &doom, request).await;
            if region.half_dark.is_on() {
                // It was carried out, and nobody hears of it: the connection ends with the fault.
                world.faults.count(Kind::RegionHalfDark, &region.name);
                region.half_dark.wait(false).await;
                doom.reset();
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // What was under way when the Region went dark is never answered; the peer's own time-out ends it.
        () = region.dark.wait(true) => region.dark.wait(false).await,
        _ = connection => {}
    }
}

async fn answer(
    world: &Arc<World>,
    region: &Arc<Region>,
    device: &Device,
    peer: IpAddr,
    doom: &Doom,
    request: Request<Incoming>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let host = parts
        .headers
        .get("host")
        .and_then(|h| h.to_str().ok())
        .and_then(|h| h.split(':').next())
        .unwrap_or_default()
        .to_owned();
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
        return api::response(Reply::json(413, &serde_json::json!({"message": "request too large"})));
    };
    let body = body.to_bytes();
    let raw_query = parts.uri.query().unwrap_or_default();
    // A function's URL is its own Region's: it does not answer through the other's address.
    let here = world.names.get(&host) == Some(region.address);
    if here && host != region.endpoint {
        let function = lambda::serve_url(
            world,
            &host,
            &parts.method,
            parts.uri.path(),
            raw_query,
            &parts.headers,
            body.clone(),
            peer,
        );
        if let Some(reply) = function.await {
            return api::response(reply);
        }
        let rest_api = apigateway::serve(
            world,
            &region.name,
            &host,
            &parts.method,
            parts.uri.path(),
            raw_query,
            &parts.headers,
            &body,
            peer,
        );
        if let Some(reply) = rest_api.await {
            return api::response(reply);
        }
    }
    let call = Call {
        method: parts.method,
        raw_path: parts.uri.path().to_owned(),
        query: api::query(raw_query),
        headers: parts.headers,
        body,
        region: region.name.clone(),
        service: "iotdata".to_owned(),
    };
    let Some(rule) = world.faults.api(&call) else {
        return api::response(device_call(world, region, device, &call));
    };
    let carry_out = async { device_call(world, region, device, &call) };
    api::response_or_reset(Box::pin(rule.answer(&call, carry_out)).await, doom)
}
