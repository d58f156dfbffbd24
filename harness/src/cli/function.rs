//! `gameday function`: what a deployed `bootstrap` hands over to.

use clap::Args;
use gameday_report::ExitCode;

/// Arguments of `gameday function`: none; Lambda names the function in `_HANDLER`.
#[derive(Debug, Args)]
pub(super) struct Function {}

impl Function {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let _ = self;
        let name = std::env::var("_HANDLER").unwrap_or_default();
        // One invocation at a time, as on Lambda: one thread is enough and smaller.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(replicator::function::run(&name)).map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok(ExitCode::Pass)
    }
}
