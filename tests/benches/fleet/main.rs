//! What making a fleet costs, through the binary: keys and CSRs on disk beside what the crypto library does on all cores and
//! beside openssl, device by device as the archived solution called it; and a bulk registered fleet beside the pace of the task.
//!
//! `cargo bench --workspace --bench fleet [-- --p256 30000 --rsa 400 --bulk 30000]`; 0 leaves a part out.

#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

mod bulk;
mod keys;

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use gameday_tests::gameday;
use serde_json::Value;

fn main() -> Result<()> {
    let (mut p256, mut rsa, mut bulk) = (30_000, 400, 30_000);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let field = match word.as_str() {
            "--bench" => continue,
            "--p256" => &mut p256,
            "--rsa" => &mut rsa,
            "--bulk" => &mut bulk,
            other => bail!("{other}: not an option; there are --p256, --rsa and --bulk"),
        };
        *field = words.next().unwrap_or_default().parse()?;
    }
    if p256 > 0 {
        keys::p256(p256)?;
    }
    if rsa > 0 {
        keys::rsa2048(rsa)?;
    }
    if bulk > 0 {
        bulk::register(bulk)?;
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
