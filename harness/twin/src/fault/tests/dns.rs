//! The DNS server, and what the truth says of its answers.

use std::{net::Ipv4Addr, time::Duration};

use hickory_proto::{
    op::{Message, Query, ResponseCode},
    rr::{Name, RData, RecordType},
};
use serde_json::{Value, json};
use tokio::{net::UdpSocket, time::timeout};

use super::{
    lab::EAST,
    site::{SOON, Site},
};

/// Asks for a name's address: the code, and the address at the end.
async fn ask(site: &Site, name: &str) -> Option<(ResponseCode, Option<Ipv4Addr>)> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut message = Message::query();
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
    socket.send_to(&message.to_vec().unwrap(), site.endpoints.dns).await.unwrap();
    let mut reply = [0; 1_232];
    let read = timeout(Duration::from_millis(300), socket.recv(&mut reply)).await.ok()?.unwrap();
    let reply = Message::from_vec(&reply[..read]).unwrap();
    let address = reply.answers.last().and_then(|record| match &record.data {
        RData::A(a) => Some(a.0),
        _ => None,
    });
    Some((reply.metadata.response_code, address))
}

/// Points `fleet.example.com` at a Region's data endpoint.
async fn point(site: &Site, zone: &str, host: &str) {
    let body = format!(
        "<ChangeResourceRecordSetsRequest><ChangeBatch><Changes><Change><Action>UPSERT</Action><ResourceRecordSet>\
         <Name>fleet.example.com</Name><Type>CNAME</Type><TTL>10</TTL><ResourceRecords><ResourceRecord><Value>{host}\
         </Value></ResourceRecord></ResourceRecords></ResourceRecordSet></Change></Changes></ChangeBatch>\
         </ChangeResourceRecordSetsRequest>"
    );
    let line = format!("POST /2013-04-01/hostedzone/{zone}/rrset/");
    let answer = site.send((EAST, "route53"), &line, &[], &body).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
}

async fn zone(site: &Site) -> String {
    let body = "<CreateHostedZoneRequest><Name>example.com</Name><CallerReference>r</CallerReference>\
                </CreateHostedZoneRequest>";
    let made = site.send((EAST, "route53"), "POST /2013-04-01/hostedzone", &[], body).await.unwrap();
    made.text.split("<Id>/hostedzone/").nth(1).and_then(|s| s.split('<').next()).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_stale_silent_or_failures_for_the_names_that_are_meant() {
    let site = Site::start().await;
    let zone = zone(&site).await;
    let [east, west] = [0, 1].map(|n| site.endpoints.regions[n].clone());
    let fleet = "Fleet.example.com.";
    let found = |address| Some((ResponseCode::NoError, Some(address)));
    point(&site, &zone, &east.host).await;
    // Nobody has asked before: stale is what would have been answered.
    let stale = json!({"fault": "dns", "name": "fleet.example.com", "how": "stale"});
    let id = site.set(&stale).await;
    point(&site, &zone, &west.host).await;
    assert_eq!(ask(&site, fleet).await, found(east.address));
    assert_eq!(site.clear(id).await, 1);
    assert_eq!(ask(&site, fleet).await, found(west.address));

    let id = site.set(&json!({"fault": "dns", "name": "fleet.*", "how": "servfail"})).await;
    assert_eq!(ask(&site, fleet).await, Some((ResponseCode::ServFail, None)));
    assert_eq!(ask(&site, &west.host).await, found(west.address), "another name");
    site.clear(id).await;
    let id = site.set(&json!({"fault": "dns", "how": "silent"})).await;
    assert_eq!(ask(&site, fleet).await, None);
    site.clear(id).await;
    let id = site.set(&json!({"fault": "dns", "how": {"delay-ms": 50}})).await;
    let start = tokio::time::Instant::now();
    assert_eq!(ask(&site, fleet).await, found(west.address));
    assert!(start.elapsed() >= Duration::from_millis(50));
    site.clear(id).await;
    site.twin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_truth_tells_when_an_answer_is_due_and_when_it_is_given() {
    let site = Site::start().await;
    site.control("PUT /_twin/truth", &json!({"on": true})).await;
    let zone = zone(&site).await;
    let [east, west] = [0, 1].map(|n| site.endpoints.regions[n].clone());
    point(&site, &zone, &east.host).await;
    ask(&site, "fleet.example.com.").await.unwrap();
    let id = site.set(&json!({"fault": "dns", "how": "stale"})).await;
    point(&site, &zone, &west.host).await;
    ask(&site, "fleet.example.com.").await.unwrap();
    site.clear(id).await;
    ask(&site, "fleet.example.com.").await.unwrap();
    ask(&site, "fleet.example.com.").await.unwrap();
    let truth = timeout(SOON, site.control("GET /_twin/truth", &Value::Null)).await.unwrap().text;
    let entries: Vec<Value> = truth.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = entries.iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "dns-answer",
            "dns-reply",
            "fault",
            "dns-due",
            "dns-reply",
            "fault",
            "dns-answer",
            "dns-reply",
            "dns-reply"
        ]
    );
    let at = |host: &str, address: Ipv4Addr| json!(format!("{host} {address}"));
    let (due, given) = (&entries[3], &entries[6]);
    assert_eq!(due["name"], "fleet.example.com.");
    assert_eq!((&due["from"], &due["to"]), (&at(&east.host, east.address), &at(&west.host, west.address)));
    assert_eq!((&given["from"], &given["to"]), (&due["from"], &due["to"]));
    assert!(given["mono_ns"].as_u64() > due["mono_ns"].as_u64());
    let replies = entries.iter().filter(|e| e["kind"] == "dns-reply");
    let told: Vec<&Value> = replies.clone().map(|e| &e["answer"]).collect();
    assert_eq!(told, [&due["from"], &due["from"], &due["to"], &due["to"]], "what was said, stale or not");
    assert!(replies.clone().all(|e| e["asker"].as_str().unwrap().starts_with("127.0.0.1:")), "{entries:?}");
    site.twin.stop().await;
}
