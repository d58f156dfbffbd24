//! `replicator failback`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, Subcommand};

use super::{Common, Error, Told, answer, needed, of_file, tell};
use crate::aws::StateTable;
use crate::failback::{self, Ending, Journal, Options, Plan, Subject};
use crate::signals;

/// First the plan, which changes nothing; then that plan is carried out.
#[derive(Debug, Subcommand)]
pub(super) enum Failback {
    /// Says what would be done, and what not
    Plan(PlanArgs),
    /// Carries a plan out
    Apply(ApplyArgs),
}

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// The state table of the secondary: what was replicated last [env: `STATE_TABLE`]
    #[arg(long)]
    state_table: Option<String>,
    /// Brings back what was deleted in the primary and is in the secondary still
    #[arg(long)]
    resurrect: bool,
    /// Deletes in the primary what was deleted in the secondary
    #[arg(long)]
    deletions: bool,
    /// The file for the plan, to carry it out
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    /// The file with the plan
    plan: PathBuf,
}

impl Failback {
    pub(super) async fn run(self, common: &Common) -> Result<bool, Error> {
        match self {
            Self::Plan(args) => Box::pin(args.run(common)).await,
            Self::Apply(args) => Box::pin(args.run(common)).await,
        }
    }
}

impl PlanArgs {
    async fn run(self, common: &Common) -> Result<bool, Error> {
        let Self { state_table, resurrect, deletions, out } = self;
        let table = needed(state_table.as_ref(), "STATE_TABLE", "--state-table")?;
        let (workers, identities) = (common.workers()?, common.identities()?);
        if let Some(out) = &out
            && !journal(out)?.is_empty()
        {
            let out = out.display();
            return Err(format!(
                "{out} was begun and ended halfway: carry it out again before it is replaced"
            )
            .into());
        }
        let both = common.connect().await?;
        let state = StateTable::new(both.secondary.clients().dynamodb(), table);
        let options = Options { resurrect, deletions, identities, workers };
        let told = Told::default();
        let on_progress = |count: usize| told.tell(&format!("compared: {count}"));
        let plan = Box::pin(failback::plan(&both.regions(), &state, &options, &on_progress)).await?;
        if let Some(out) = out {
            tokio::fs::write(&out, serde_json::to_vec_pretty(&plan)?).await.map_err(of_file(&out))?;
        }
        answer(common.json, &plan)?;
        Ok(plan.gaps.is_empty())
    }
}

impl ApplyArgs {
    async fn run(self, common: &Common) -> Result<bool, Error> {
        let bytes = tokio::fs::read(&self.plan).await.map_err(of_file(&self.plan))?;
        let plan: Plan = serde_json::from_slice(&bytes)
            .map_err(|why| format!("{}: no plan: {why}", self.plan.display()))?;
        let both = common.connect().await?;
        let journal = journal(&self.plan)?;
        let on_progress = |subject: &Subject, ending: &Ending| tell(&format!("{subject}: {ending:?}"));
        let over = over_on_signal()?;
        let is_over = || over.load(Ordering::Relaxed);
        let applied =
            Box::pin(failback::apply(&both.regions(), &plan, &journal, &on_progress, &is_over)).await?;
        answer(common.json, &applied)?;
        Ok(applied.is_clean())
    }
}

fn journal(plan: &Path) -> Result<Journal, Error> {
    Journal::beside(plan).map_err(|why| format!("the journal beside {}: {why}", plan.display()).into())
}

/// Set by the first signal. From here on none ends the process: what is worked on comes to its end.
fn over_on_signal() -> Result<Arc<AtomicBool>, Error> {
    let over = Arc::new(AtomicBool::new(false));
    let set = over.clone();
    signals::watch(move |_| {
        tell("it ends after what is worked on; carry the same plan out again");
        set.store(true, Ordering::Relaxed);
    })?;
    Ok(over)
}
