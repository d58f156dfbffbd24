//! New connections to a Region's data endpoint, and open ones.

use std::{io, time::Duration};

use rmqtt_codec::v5::Packet;
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use super::{
    lab::EAST,
    site::{ALLOW_ALL, SOON, Site, hello},
};

fn mqtt(how: &Value) -> Value {
    json!({"fault": "connections", "region": EAST, "port": "mqtt", "how": how})
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_reset_and_work_again() {
    let site = Site::start().await;
    let device = site.device("d", ALLOW_ALL).await;
    let id = site.set(&mqtt(&json!("reset"))).await;
    let error = device.dial().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(site.clear(id).await, 1);
    device.bare(hello("c")).await.accepted().await;
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_listener_refuses_and_comes_back() {
    let site = Site::start().await;
    let device = site.device("d", ALLOW_ALL).await;
    let mut open = device.bare(hello("open")).await;
    open.accepted().await;
    let id = site.set(&mqtt(&json!("refuse"))).await;
    let refused = async {
        loop {
            // Until the listener is closed, what it had accepted is reset.
            match device.dial().await.map_err(|e| e.kind()) {
                Err(io::ErrorKind::ConnectionRefused) => return,
                Err(io::ErrorKind::ConnectionReset) => sleep(Duration::from_millis(5)).await,
                other => panic!("{other:?}"),
            }
        }
    };
    timeout(SOON, refused).await.unwrap();
    open.send(Packet::PingRequest).await;
    assert_eq!(open.next().await, Some(Packet::PingResponse), "open connections go on");
    site.clear(id).await;
    let connected = async {
        while device.dial().await.is_err() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, connected).await.unwrap();
    device.bare(hello("new")).await.accepted().await;
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_black_hole_accepts_and_says_nothing_until_it_is_gone() {
    let site = Site::start().await;
    let device = site.device("d", ALLOW_ALL).await;
    let id = site.set(&mqtt(&json!("black-hole"))).await;
    let mut dial = std::pin::pin!(device.dial());
    assert!(timeout(Duration::from_millis(100), &mut dial).await.is_err());
    assert_eq!(site.clear(id).await, 1);
    assert!(timeout(SOON, dial).await.unwrap().is_err(), "closed");
    device.bare(hello("c")).await.accepted().await;
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_connection_works_slowly() {
    let site = Site::start().await;
    let device = site.device("d", ALLOW_ALL).await;
    let id = site.set(&mqtt(&json!({"slow": {"delay_ms": 60, "bytes_per_s": 200_000}}))).await;
    let mut client = device.bare(hello("c")).await;
    client.accepted().await;
    let start = Instant::now();
    client.send(Packet::PingRequest).await;
    assert_eq!(client.next().await, Some(Packet::PingResponse));
    assert!(start.elapsed() >= Duration::from_millis(60), "{:?}", start.elapsed());
    assert_eq!(site.clear(id).await, 1);
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_port_is_cut_and_the_other_is_not() {
    let site = Site::start().await;
    let device = site.device("d", ALLOW_ALL).await;
    let fault = json!({"fault": "connections", "region": EAST, "port": "https", "how": "reset"});
    let id = site.set(&fault).await;
    device.bare(hello("c")).await.accepted().await;
    let region = &site.endpoints.regions[0];
    let seen = async {
        // The reset may come as early as with the connection.
        let stream = TcpStream::connect((region.address, region.https_port)).await?;
        stream.readable().await?;
        stream.try_read(&mut [0; 8])
    };
    let seen = timeout(SOON, seen).await.unwrap();
    assert_eq!(seen.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    site.clear(id).await;
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_dark_region_greets_nobody_and_closes_what_it_silenced() {
    let site = Site::start().await;
    let device = site.device("d", ALLOW_ALL).await;
    let mut client = device.bare(hello("c")).await;
    client.accepted().await;
    let id = site.set(&json!({"fault": "region-half-dark", "region": EAST})).await;
    client.send(Packet::PingRequest).await;
    assert!(timeout(Duration::from_millis(100), client.next()).await.is_err());
    let mut dial = std::pin::pin!(device.dial());
    assert!(timeout(Duration::from_millis(100), &mut dial).await.is_err());
    assert_eq!(site.clear(id).await, 2);
    assert!(timeout(SOON, dial).await.unwrap().is_err());
    assert_eq!(client.next().await, None);
    device.bare(hello("new")).await.accepted().await;
    site.twin.stop().await;
}
