//! Calls: how many a new device, a shadow update and a repetition cost, counted until nothing more comes.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use gameday_tests::site::Site;
use serde::Deserialize;

use crate::{archived, http::Http, quiet};

/// Longer than the visibility timeout of the queue of API calls, 360 s, after which a message comes again.
const QUIET_MAX: Duration = Duration::from_mins(8);

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

/// Begins to count anew, or stops.
pub(crate) async fn switch(http: &mut Http, on: bool) -> Result<()> {
    http.call("twin", "PUT", "/_twin/calls", format!(r#"{{"on":{on}}}"#)).await.map(drop)
}

pub(crate) async fn list(http: &mut Http) -> Result<Vec<Counted>> {
    let body = http.call("twin", "GET", "/_twin/calls", String::new()).await?;
    serde_json::from_slice(&body).context("the twin's counts")
}

/// The replicator's calls of AWS IoT, all that were answered: without what this bench called itself.
async fn counted(site: &Site, http: &mut Http, own: &[&str]) -> Result<BTreeMap<(String, String), u64>> {
    let quiet = quiet::equal(site, http, QUIET_MAX).await?;
    let of_iot = quiet.counts.into_iter().filter(|c| c.service.starts_with("iot"));
    let mut counts: BTreeMap<_, _> = of_iot.map(|c| ((c.region, c.operation), c.answered)).collect();
    for operation in own {
        let count = counts.get_mut(&("us-east-1".to_owned(), (*operation).to_owned()));
        *count.with_context(|| format!("the twin did not count this bench's own {operation}"))? -= 1;
    }
    counts.retain(|_, count| *count > 0);
    Ok(counts)
}

fn print(what: &str, counts: &BTreeMap<(String, String), u64>, goal: u64) {
    let all: u64 = counts.values().sum();
    let reached = if all <= goal { "reached" } else { "MISSED" };
    println!("{what}: {all} calls of AWS IoT (goal: at most {goal}: {reached})");
    for ((region, operation), count) in counts {
        println!("    {region}  {operation:<32}{count:>4}");
    }
}

/// One device in steady state: its policy is known. Then one update of its shadow, then the same update once more.
pub(crate) async fn of_a_device() -> Result<()> {
    let site = Site::deploy(20, &[]).await?;
    let mut http = Http::connect(&site.url()).await?;
    site.primary.policy("device").await?;
    site.primary.device("warm", None, "device").await?;
    site.primary.shadow("warm", None, &serde_json::json!({"reported": {"n": 0}})).await?;
    quiet::equal(&site, &mut http, QUIET_MAX).await?;

    switch(&mut http, true).await?;
    site.primary.device("new", None, "device").await?;
    let own = ["CreateThing", "RegisterCertificateWithoutCA", "AttachPolicy", "AttachThingPrincipal"];
    print("a new device", &counted(&site, &mut http, &own).await?, 7);
    println!("    the archived solution, as read from its source ({}):", archived::SOURCE);
    println!(
        "    {} with a known policy, {} with a new one, and {} s of sleep",
        archived::calls_of_a_device(),
        archived::CALLS_WITH_NEW_POLICY,
        archived::SLEEP_S
    );
    switch(&mut http, true).await?;
    let state = serde_json::json!({"reported": {"n": 1}});
    site.primary.shadow("warm", None, &state).await?;
    print("a shadow update", &counted(&site, &mut http, &["UpdateThingShadow"]).await?, 1);

    switch(&mut http, true).await?;
    let events = told_again(&site, "warm").await?;
    let what = format!("{events} events of a device that the secondary has, told again");
    print(&what, &counted(&site, &mut http, &[]).await?, 0);

    // Not what the secondary has: the primary's value is newer from now on, which a device there may have changed meanwhile.
    switch(&mut http, true).await?;
    site.primary.shadow("warm", None, &state).await?;
    print(
        "a shadow update that says the same once more",
        &counted(&site, &mut http, &["UpdateThingShadow"]).await?,
        1,
    );
    site.destroy()
}

/// Writes every event of a device again, as rules and retries may: another expiry makes each a record of the stream.
async fn told_again(site: &Site, device: &str) -> Result<usize> {
    let (tables, mut count) = (&site.primary.tables, 0);
    for table in ["gameday-main-events", "gameday-main-documents"] {
        let of = AttributeValue::S(device.to_owned());
        let query = tables.query().table_name(table).key_condition_expression("device = :device");
        let rows = query.expression_attribute_values(":device", of).send().await?.items.unwrap_or_default();
        for mut row in rows {
            let expires: u64 =
                row.get("expires").and_then(|it| it.as_n().ok()).context("an expiry")?.parse()?;
            row.insert("expires".to_owned(), AttributeValue::N((expires + 1).to_string()));
            tables.put_item().table_name(table).set_item(Some(row)).send().await?;
            count += 1;
        }
    }
    ensure!(count >= 3, "a device has events: the thing, its identity, its shadow; not {count}");
    Ok(count)
}
