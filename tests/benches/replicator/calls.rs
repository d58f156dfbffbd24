//! Calls: how many a new device, a shadow update and a repetition cost.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};
use gameday_tests::site::{Site, WAIT_MAX};
use serde::Deserialize;

use crate::http::Http;

/// The counts stand still for this long when the replicator is done: longer than retries of a queue or a stream take.
const STILL: Duration = Duration::from_secs(4);

/// One line of `GET /_twin/calls`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Counted {
    pub(crate) region: String,
    pub(crate) service: String,
    pub(crate) operation: String,
    pub(crate) answered: u64,
    pub(crate) throttled: u64,
    pub(crate) refused: u64,
}

impl Counted {
    pub(crate) fn done(&self) -> u64 {
        self.answered - self.throttled - self.refused
    }
}

pub(crate) async fn switch_on(http: &mut Http) -> Result<()> {
    http.call("twin", "PUT", "/_twin/calls", r#"{"on":true}"#.to_owned()).await.map(drop)
}

pub(crate) async fn list(http: &mut Http) -> Result<Vec<Counted>> {
    let body = http.call("twin", "GET", "/_twin/calls", String::new()).await?;
    serde_json::from_slice(&body).context("the twin's counts")
}

/// The counts of IoT once they stand still, without what this bench called itself.
async fn settled(http: &mut Http, own: &[(&str, u64)]) -> Result<BTreeMap<(String, String), u64>> {
    let of_iot = |counts: Vec<Counted>| -> BTreeMap<(String, String), u64> {
        let iot = counts.into_iter().filter(|c| c.service.starts_with("iot"));
        iot.map(|c| ((c.region, c.operation), c.answered)).collect()
    };
    let mut before = of_iot(list(http).await?);
    loop {
        tokio::time::sleep(STILL).await;
        let now = of_iot(list(http).await?);
        if now == before {
            break;
        }
        before = now;
    }
    for (operation, count) in own {
        let key = ("us-east-1".to_owned(), (*operation).to_owned());
        if let Some(all) = before.get_mut(&key) {
            *all = all.saturating_sub(*count);
        }
    }
    before.retain(|_, count| *count > 0);
    Ok(before)
}

fn print(what: &str, counts: &BTreeMap<(String, String), u64>, goal: u64) {
    let all: u64 = counts.values().sum();
    let reached = if all <= goal { "reached" } else { "MISSED" };
    println!("{what}: {all} calls of AWS IoT (goal: at most {goal}: {reached})");
    for ((region, operation), count) in counts {
        println!("    {region}  {operation:<32}{count:>4}");
    }
}

/// One device in steady state: its policy is known. Then one update of its shadow, then the device once more, unchanged.
pub(crate) async fn of_a_device() -> Result<()> {
    let site = Site::deploy(20, &[]).await?;
    site.primary.policy("device").await?;
    site.primary.device("warm", None, "device").await?;
    site.primary.shadow("warm", None, &serde_json::json!({"reported": {"n": 0}})).await?;
    site.converge(WAIT_MAX).await?;
    let mut http = Http::connect(&site.url()).await?;

    switch_on(&mut http).await?;
    site.primary.device("new", None, "device").await?;
    let own = [
        ("CreateThing", 1),
        ("RegisterCertificateWithoutCA", 1),
        ("AttachPolicy", 1),
        ("AttachThingPrincipal", 1),
    ];
    let counts = settled(&mut http, &own).await?;
    print("a new device", &counts, 7);
    println!("    the archived solution: 14 with one new policy, 12 with a known one, and 8 s of sleep");

    switch_on(&mut http).await?;
    site.primary.shadow("warm", None, &serde_json::json!({"reported": {"n": 1}})).await?;
    let counts = settled(&mut http, &[("UpdateThingShadow", 1)]).await?;
    print("a shadow update", &counts, 1);

    switch_on(&mut http).await?;
    site.primary.shadow("warm", None, &serde_json::json!({"reported": {"n": 1}})).await?;
    let counts = settled(&mut http, &[("UpdateThingShadow", 1)]).await?;
    print("a shadow update that changes nothing", &counts, 0);
    site.converge(WAIT_MAX).await?;
    site.destroy()
}
