//! What the replicator costs and how fast it is, deployed into a twin by the binary as it is on AWS: calls a device, cold
//! start and memory of its functions, without quotas devices and shadow updates a second and shadow lag, direct and by the
//! workflow, and a bulk registered fleet under quotas beside the time that the tightest quota dictates.
//!
//! `cargo bench --workspace --bench replicator [-- [PART ...] --devices 30000 --scale 20 --fleet 2000 --seconds 20]`
//!
//! Parts are `calls`, `cold`, `fleet`, `lag` and `bulk`; all of them if none is named. A figure is printed only if the Regions
//! were equal at its end and no event was in the error table: else the bench fails.

#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

mod archived;
mod bulk;
mod calls;
mod cold;
mod fleet;
#[path = "../http.rs"]
mod http;
mod lag;
mod load;
mod memory;
mod quiet;
mod quota;
mod quotas;

use anyhow::{Result, bail};

const PARTS: [&str; 5] = ["calls", "cold", "fleet", "lag", "bulk"];

fn main() -> Result<()> {
    let (mut devices, mut scale, mut fleet, mut seconds) = (30_000, 20, 2_000, 20);
    let mut parts = Vec::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let field = match word.as_str() {
            "--bench" => continue,
            "--devices" => &mut devices,
            "--scale" => &mut scale,
            "--fleet" => &mut fleet,
            "--seconds" => &mut seconds,
            part if PARTS.contains(&part) => {
                parts.push(part.to_owned());
                continue;
            }
            other => bail!(
                "{other}: not an option; there are {}, --devices, --scale, --fleet and --seconds",
                PARTS.join(", ")
            ),
        };
        *field = words.next().unwrap_or_default().parse()?;
    }
    let wants = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        if wants("calls") {
            calls::of_a_device().await?;
        }
        if wants("cold") {
            cold::starts().await?;
        }
        for dispatch in ["direct", "workflow"] {
            if wants("fleet") {
                fleet::without_quotas(dispatch, fleet).await?;
            }
            if wants("lag") {
                lag::at_500_a_second(dispatch, seconds).await?;
            }
        }
        if wants("bulk") {
            quota::bulk_fleet(devices, u32::try_from(scale)?).await?;
        }
        Ok(())
    })
}
