//! `gameday shadow-compare`: are the shadows of both Regions the same, and how long does one take to the secondary?

use std::sync::Arc;

use clap::Args;
use gameday_report::{ExitCode, units};
use serde::Serialize;
use tokio::time::Instant;

use super::{
    at::{Reached, TargetArgs},
    block_on,
};
use crate::{
    descriptors, log,
    names::{ID_CHARS, new_id},
    output::{Output, data, to_stderr},
    pool::{Progress, Which},
    scenario::Span,
    shadows::{self, Compared, Comparing, Paced, Percentiles, Round, Tally, Writing, Written},
    stop::stop_on_signal,
};

/// Shadows that are written by one call at the most.
const WRITE_MAX: i64 = 1_000_000;
/// Shadows that are under way at once at the most.
const WORKERS_MAX: u16 = 1_000;
/// What an interrupt is answered with.
const STOPPING: &str = "stopping: what was written is deleted in both Regions";
const STOPPING_UNDO: &str = "stopping: the same command goes on later";
const STOPPING_COMPARISON: &str = "stopping: nothing was changed";

/// Arguments of `gameday shadow-compare`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday shadow-compare
  gameday shadow-compare --query 'thingName:lamps-*' --within 10s
  gameday shadow-compare --write 20000 --workers 400 --json

Without --write the shadows that are there are compared, classic and named, whole documents, and
nothing is changed. No Region lists shadows of names that are no things: name them with --thing.

With --write so many shadows of names without things are written in the primary and looked for in
the secondary; then they are deleted in the primary, and that is looked for. Nothing is left,
after an interrupt either. Looking again and again sees a shadow a while after it came: the
output says how long at the most.

Exits with 0 if every shadow is the same, with 10 if one is not, or a deletion did not arrive,
with 11 if it cannot be said (some could not be looked at, or there was none), with 13 if it was
stopped, and with 20 if something is left, which is named.")]
pub(super) struct ShadowCompare {
    #[command(flatten)]
    target: TargetArgs,
    /// Write so many shadows in the primary, and compare these.
    #[arg(long, value_name = "SHADOWS", value_parser = clap::value_parser!(u32).range(1..=WRITE_MAX))]
    write: Option<u32>,
    /// Write shadows of this name; without it classic ones.
    #[arg(long, value_name = "NAME", requires = "write", value_parser = shadow_name)]
    shadow: Option<String>,
    /// Write nothing: delete what --write has left with this id, which it said, when it was killed.
    #[arg(long, value_name = "ID", requires = "write", value_parser = id)]
    undo: Option<String>,
    /// Compare the shadows of this thing. May be given more than once.
    #[arg(long, value_name = "THING", conflicts_with_all = ["write", "query"])]
    thing: Vec<String>,
    /// Compare the shadows of things that a query of the fleet index finds in either Region; without it of all.
    #[arg(long, conflicts_with = "write")]
    query: Option<String>,
    /// Shadows that are under way at once.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=i64::from(WORKERS_MAX)))]
    workers: u16,
    /// How long a shadow may take to the secondary.
    #[arg(long, value_name = "TIME", default_value = "30s")]
    within: Span,
    /// What was not begun by then is not known.
    #[arg(long, value_name = "TIME", default_value = "1h")]
    at_most: Span,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Told<'a, T> {
    primary: &'a str,
    secondary: &'a str,
    within_ms: u128,
    #[serde(flatten)]
    found: &'a T,
}

fn shadow_name(text: &str) -> Result<String, String> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || "$:_-".contains(c);
    let fits = (1..=64).contains(&text.len()) && text.chars().all(is_fine);
    if fits { Ok(text.to_owned()) } else { Err("1 to 64 of a-z, A-Z, 0-9, $, :, _ and -".to_owned()) }
}

fn id(text: &str) -> Result<String, String> {
    let fits = text.len() == ID_CHARS && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if fits { Ok(text.to_owned()) } else { Err(format!("{ID_CHARS} small letters and digits")) }
}

impl ShadowCompare {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            log::to_stderr();
            descriptors::raise();
            let output = Arc::new(Output::new());
            let done = match self.write {
                Some(count) => Box::pin(self.round(count, &output)).await,
                None => Box::pin(self.compare(&output)).await,
            };
            output.finish();
            done
        })
    }

    async fn regions(&self, reached: &Reached) -> anyhow::Result<Paced> {
        let aws = &reached.aws;
        let lists_per_s = aws.pace.rate_per_s("ListNamedShadowsForThing").unwrap_or(f64::MAX);
        let calls_per_s =
            [&aws.primary, &aws.secondary].map(|clients| aws.pace.shadows_per_s(&clients.region));
        let both = aws.both(&reached.account().await?);
        Ok(Paced::new(both, calls_per_s, lists_per_s))
    }

    async fn compare(&self, output: &Arc<Output>) -> anyhow::Result<ExitCode> {
        let comparing = Comparing {
            which: match self.thing.as_slice() {
                [] => Which::Found(self.query.clone()),
                named => Which::Named(named.to_vec()),
            },
            workers: usize::from(self.workers),
            within: *self.within,
            limit: Instant::now() + *self.at_most,
        };
        let reached = self.target.reach().await?;
        let progress = Progress::new(output.clone());
        let stop = stop_on_signal(output, STOPPING_COMPARISON)?;
        let compare = shadows::compare(self.regions(&reached).await?, comparing, progress);
        let compared = tokio::select! {
            () = stop.cancelled() => return Ok(ExitCode::Operator),
            compared = compare => compared?,
        };
        output.finish();
        let Compared { things, tally, settled, look, seconds, unlisted } = &compared;
        if self.json {
            self.print_json(&reached, &compared)?;
        } else {
            print_tally(tally);
            data(&format!(
                "of {things} things; {settled} were on their way when they were looked at first; took {}",
                units::duration(seconds * 1e6)
            ));
            print_times(&[("look", look)]);
        }
        if let Some(why) = unlisted {
            to_stderr(&format!("it cannot be said: {why}"));
            return Ok(ExitCode::Inconclusive);
        }
        Ok(exit(tally))
    }

    async fn round(&self, count: u32, output: &Arc<Output>) -> anyhow::Result<ExitCode> {
        let reached = self.target.reach().await?;
        let writing = Writing {
            id: self.undo.clone().unwrap_or_else(new_id),
            count,
            shadow: self.shadow.clone().unwrap_or_default(),
            workers: usize::from(self.workers),
            within: *self.within,
            limit: Instant::now() + *self.at_most,
        };
        let stop = stop_on_signal(output, if self.undo.is_some() { STOPPING_UNDO } else { STOPPING })?;
        let (first, last) = (writing.name(1), writing.name(count));
        // A name may have a $ in it.
        let shadow = self.shadow.as_ref().map(|name| format!(" --shadow '{name}'")).unwrap_or_default();
        let there = self.target.arguments();
        let undo = format!("gameday shadow-compare{there} --write {count}{shadow} --undo {}", writing.id);
        let regions = self.regions(&reached).await?;
        let round = Round::new(regions, writing, stop.clone(), Progress::new(output.clone()))?;
        if self.undo.is_some() {
            let left = named(&round.undo().await);
            output.finish();
            if left == ExitCode::Pass && stop.is_cancelled() {
                return Ok(ExitCode::Operator);
            }
            if left == ExitCode::Pass {
                to_stderr(&format!("deleted: {first} to {last}"));
            }
            return Ok(left);
        }
        // No Region lists them, so that whoever is killed here has to be told how to find them again.
        output.line(&format!("shadows {first} to {last}; should this be killed: {undo}"));
        let written = round.run().await;
        output.finish();
        if self.json {
            self.print_json(&reached, &written)?;
        } else {
            print_written(&written);
        }
        let left = named(&written.left);
        Ok(match left {
            ExitCode::Pass if stop.is_cancelled() => ExitCode::Operator,
            ExitCode::Pass => exit_of_round(&written),
            left => left,
        })
    }

    fn print_json<T: Serialize>(&self, reached: &Reached, found: &T) -> anyhow::Result<()> {
        let (primary, secondary) = (&reached.aws.primary.region, &reached.aws.secondary.region);
        let told = Told { primary, secondary, within_ms: self.within.as_millis(), found };
        data(&serde_json::to_string_pretty(&told)?);
        Ok(())
    }
}

/// Says what is left; the exit code if that is all that there is to say.
fn named(left: &[String]) -> ExitCode {
    for left in left {
        to_stderr(&format!("NOT DELETED: {left}"));
    }
    if left.is_empty() { ExitCode::Pass } else { ExitCode::UndoIncomplete }
}

fn print_tally(tally: &Tally) {
    tally.told.iter().for_each(|told| data(&format!("{}: {}", told.name, told.finding)));
    let Tally { compared, synced, mismatched, missing, only_in_secondary, errors, .. } = tally;
    data(&format!(
        "{compared} shadows compared: {synced} in sync, {mismatched} mismatched, {missing} missing, {only_in_secondary} only in \
         the secondary, {errors} errors"
    ));
}

fn print_written(written: &Written) {
    print_tally(&written.tally);
    let Written { unfinished, deletions, write, lag, lag_too_long_by_at_most, deletion_lag, seconds, .. } =
        written;
    data(&format!(
        "{} of their deletions arrived, {} did not, {} errors; {unfinished} shadows not finished; took {}",
        deletions.arrived,
        deletions.missing,
        deletions.errors,
        units::duration(seconds * 1e6)
    ));
    print_times(&[
        ("write", write),
        ("lag", lag),
        ("  told too long by up to", lag_too_long_by_at_most),
        ("lag of deletions", deletion_lag),
    ]);
}

fn print_times(times: &[(&str, &Option<Percentiles>)]) {
    for (what, percentiles) in times {
        if let Some(percentiles) = percentiles {
            data(&format!("{what:<24} {percentiles}"));
        }
    }
}

/// That one differs outranks that it is not known of another; of nothing nothing is known.
fn exit(tally: &Tally) -> ExitCode {
    match tally {
        tally if tally.differ() > 0 => ExitCode::Missed,
        Tally { errors: 1.., .. } | Tally { compared: 0, .. } => ExitCode::Inconclusive,
        _ => ExitCode::Pass,
    }
}

fn exit_of_round(written: &Written) -> ExitCode {
    match (exit(&written.tally), written.deletions.missing, written.deletions.errors, written.unfinished) {
        (ExitCode::Missed, ..) | (_, 1.., ..) => ExitCode::Missed,
        (ExitCode::Pass, 0, 0, 0) => ExitCode::Pass,
        _ => ExitCode::Inconclusive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shadows::Deletions;

    fn tally(synced: u64, mismatched: u64, errors: u64) -> Tally {
        Tally { compared: synced + mismatched + errors, synced, mismatched, errors, ..Tally::default() }
    }

    #[test]
    fn d45_a_difference_outranks_an_error_and_nothing_is_not_the_same() {
        assert_eq!(exit(&tally(3, 0, 0)), ExitCode::Pass);
        assert_eq!(exit(&tally(3, 1, 1)), ExitCode::Missed);
        assert_eq!(exit(&tally(3, 0, 1)), ExitCode::Inconclusive);
        assert_eq!(exit(&tally(0, 0, 0)), ExitCode::Inconclusive);
    }

    #[test]
    fn a_deletion_that_does_not_arrive_is_as_bad_as_a_write() {
        let exit = |tally, missing, errors, unfinished| {
            exit_of_round(&Written {
                id: String::new(),
                asked: 3,
                tally,
                unfinished,
                deletions: Deletions { arrived: 3, missing, errors },
                write: None,
                lag: None,
                lag_too_long_by_at_most: None,
                deletion_lag: None,
                seconds: 1.0,
                left: Vec::new(),
            })
        };
        assert_eq!(exit(tally(3, 0, 0), 0, 0, 0), ExitCode::Pass);
        assert_eq!(exit(tally(3, 0, 0), 1, 0, 0), ExitCode::Missed);
        assert_eq!(exit(tally(3, 1, 0), 0, 1, 0), ExitCode::Missed);
        assert_eq!(exit(tally(3, 0, 0), 0, 1, 0), ExitCode::Inconclusive);
        assert_eq!(exit(tally(2, 0, 0), 0, 0, 1), ExitCode::Inconclusive);
    }

    #[test]
    fn names_of_shadows_are_those_of_aws() {
        assert!(shadow_name("config:a_b-1").is_ok() && shadow_name(&"a".repeat(64)).is_ok());
        for wrong in ["", "a b", "a/b", &"a".repeat(65)] {
            assert!(shadow_name(wrong).is_err(), "{wrong}");
        }
        assert!(id("abcd1234").is_ok() && id("abc").is_err() && id("ABCD1234").is_err());
    }
}
