//! `gameday fleet`: fleets that stay, for many game days.

mod compare;
mod create;
mod delete;
mod list;
mod search;
mod show;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use gameday_report::ExitCode;

use super::{at::Reached, block_on, usage};
use crate::{
    log,
    pool::{Home, Pool, valid_name},
};

/// Arguments of `gameday fleet`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday fleet create lamps --devices 1000
  gameday fleet create lamps --devices 30000 --by bulk --role arn:aws:iam::123456789012:role/bulk
  gameday fleet compare lamps
  gameday fleet delete lamps --yes

Everything that is known of a fleet is in fleets/<name>, with mode 0700: its private keys, too. Whoever has the folder can be
any of its devices.")]
pub(super) struct FleetCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a fleet, go on with one, or let one grow.
    Create(create::Create),
    /// Print the fleets of the folder.
    List(list::List),
    /// Print what a fleet is and how far it is, or one of its devices; write a device's key and certificate to files.
    Show(show::Show),
    /// Print the things that a query of the fleet index finds.
    Search(search::Search),
    /// Say whether things, certificates, policies and groups are the same in both Regions.
    Compare(compare::Compare),
    /// Delete a fleet from both Regions, and its folder. Without --yes it says what it would delete.
    Delete(delete::Delete),
}

/// Where fleets are.
#[derive(Debug, Args)]
struct Folder {
    /// The folder of all fleets.
    #[arg(long, value_name = "FOLDER", default_value = "fleets")]
    fleets: PathBuf,
}

/// Which fleet.
#[derive(Debug, Args)]
struct Named {
    /// The fleet's name.
    #[arg(value_parser = valid_name)]
    name: String,
    #[command(flatten)]
    folder: Folder,
}

impl Named {
    /// The fleet; that there is none is the caller's mistake.
    fn open(&self) -> anyhow::Result<Pool> {
        Pool::open(&self.folder.fleets, &self.name)?.ok_or_else(|| self.nothing())
    }

    fn nothing(&self) -> anyhow::Error {
        let (name, fleets) = (&self.name, self.folder.fleets.display());
        usage(format!("there is no fleet {name} in {fleets}; gameday fleet create {name} makes one")).into()
    }
}

impl FleetCommand {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            log::to_stderr();
            match self.what {
                What::Create(create) => Box::pin(create.run()).await,
                What::List(list) => list.run(),
                What::Show(show) => Box::pin(show.run()).await,
                What::Search(search) => Box::pin(search.run()).await,
                What::Compare(compare) => Box::pin(compare.run()).await,
                What::Delete(delete) => Box::pin(delete.run()).await,
            }
        })
    }
}

/// What an interrupt is answered with.
const STOPPING: &str = "stopping: what is under way is finished; the same command goes on later";

/// What a fleet has to remember of where it is.
async fn home(reached: &Reached) -> anyhow::Result<Home> {
    match reached.twin() {
        Some(twin) => Ok(Home::of_twin(twin)),
        None => Home::of_aws(&reached.aws).await,
    }
}

/// That the fleet is not where the command looks.
fn elsewhere(pool: &Pool, home: &Home) -> Option<anyhow::Error> {
    let (name, there) = (&pool.manifest.name, &pool.manifest.making.as_ref()?.home);
    let why = format!(
        "fleet {name} is in {there}, and this is {home}. If that twin is gone: gameday fleet delete {name} --forget"
    );
    (there != home).then(|| usage(why).into())
}
