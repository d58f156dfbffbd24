//! What making a fleet costs, through the binary: keys and CSRs on disk beside what the crypto library does on all cores and
//! beside openssl, device by device as the archived solution called it; and a bulk registered fleet beside the pace of the task.
//!
//! Of the quotas: what share of them is used, and what is throttled, by the twin's own counts. And predictions beside days of
//! several sizes, which takes an hour.
//!
//! `cargo bench --workspace --bench fleet [-- [PART ...] --p256 30000 --rsa 400 --bulk 30000 --pace 900 --sizes 500,2000,10000]`;
//! 0 leaves a part out. Parts are `keys`, `bulk`, `pace` and `predict`; all but the last if none is named.

#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

mod bulk;
mod keys;
mod pace;
mod predict;

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use gameday_tests::gameday;
use serde_json::Value;

const PARTS: [&str; 4] = ["keys", "bulk", "pace", "predict"];

fn main() -> Result<()> {
    let (mut p256, mut rsa, mut bulk, mut pace) = (30_000, 400, 30_000, 900);
    let (mut parts, mut sizes) = (Vec::new(), vec![500, 2_000, 10_000]);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let field = match word.as_str() {
            "--bench" => continue,
            "--p256" => &mut p256,
            "--rsa" => &mut rsa,
            "--bulk" => &mut bulk,
            "--pace" => &mut pace,
            "--sizes" => {
                let said = words.next().unwrap_or_default();
                sizes = said.split(',').map(str::parse).collect::<std::result::Result<Vec<u32>, _>>()?;
                continue;
            }
            part if PARTS.contains(&part) => {
                parts.push(part.to_owned());
                continue;
            }
            other => bail!(
                "{other}: not an option; there are {}, --p256, --rsa, --bulk, --pace and --sizes",
                PARTS.join(", ")
            ),
        };
        *field = words.next().unwrap_or_default().parse()?;
    }
    let wants = |part: &str| {
        if parts.is_empty() { part != "predict" } else { parts.iter().any(|wanted| wanted == part) }
    };
    if wants("keys") && p256 > 0 {
        keys::p256(p256)?;
    }
    if wants("keys") && rsa > 0 {
        keys::rsa2048(rsa)?;
    }
    if wants("bulk") && bulk > 0 {
        bulk::register(bulk)?;
    }
    if wants("pace") && pace > 0 {
        pace::quotas(pace)?;
    }
    if wants("predict") {
        predict::days(&sizes)?;
    }
    Ok(())
}

/// Runs `gameday fleet create` with --json; the answer is what it printed.
fn create(fleets: &Path, name: &str, more: &[&str]) -> Result<Value> {
    let mut command = Command::new(gameday()?);
    command.args(["fleet", "create", name, "--json", "--fleets"]).arg(fleets).args(more);
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("gameday fleet create {name} ended with {:?}", output.status.code());
    }
    serde_json::from_slice(&output.stdout).context("it printed no JSON")
}
