//! What the replicator costs and how fast it is, deployed into a twin by the binary as it is on AWS: calls a device, a bulk
//! registered fleet under quotas beside the time that the tightest quota dictates, and without quotas devices and shadow
//! updates a second, shadow lag, direct and by the workflow, and what a function takes.
//!
//! `cargo bench -p gameday-tests --bench replicator [-- --devices 30000 --fleet 2000 --seconds 20]`

#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

mod bulk;
mod calls;
mod fleet;
#[path = "../http.rs"]
mod http;
mod lag;
mod quota;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let (mut devices, mut fleet, mut seconds) = (30_000, 2_000, 20);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let field = match word.as_str() {
            "--bench" => continue,
            "--devices" => &mut devices,
            "--fleet" => &mut fleet,
            "--seconds" => &mut seconds,
            other => bail!("{other}: not an option; there are --devices, --fleet and --seconds"),
        };
        *field = words.next().unwrap_or_default().parse()?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        calls::of_a_device().await?;
        for dispatch in ["direct", "workflow"] {
            println!();
            fleet::without_quotas(dispatch, fleet).await?;
            lag::at_500_a_second(dispatch, seconds).await?;
        }
        println!();
        quota::bulk_fleet(devices).await
    })
}
