//! `replicator ready`.

use clap::Args;

use super::{Common, Error, Told, answer, query};
use crate::readiness::{self, Options, Report, Which};

/// The whole fleet, or a sample of it.
#[derive(Debug, Args)]
pub(super) struct Ready {
    /// A query of the fleet index; without one all things are listed [env: `QUERY_STRING`]
    #[arg(long)]
    query_string: Option<String>,
    /// How many devices are drawn; without it all are looked at
    #[arg(long)]
    sample: Option<usize>,
    /// What the sample is drawn with: the same seed draws the same devices
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

impl Ready {
    pub(super) async fn run(self, common: &Common) -> Result<bool, Error> {
        let Self { query_string, sample, seed } = self;
        let (workers, identities) = (common.workers()?, common.identities()?);
        let which = query(query_string.as_ref()).map_or(Which::All, Which::Query);
        let options = Options { which, sample, seed, workers, identities, ..Options::default() };
        let both = common.connect().await?;
        let told = Told::default();
        let on_progress = |report: &Report| {
            let looked: u64 = report.totals.values().sum();
            told.tell(&format!("devices looked at: {looked} of {}", report.fleet));
        };
        let report = Box::pin(readiness::sweep(&both.regions(), &options, &on_progress)).await?;
        answer(common.json, &report)?;
        Ok(report.is_ready())
    }
}
