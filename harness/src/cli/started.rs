//! What a run is made of: arguments that `run` and `doctor` share.

use std::path::{Path, PathBuf};

use clap::{Args, builder::PossibleValuesParser};

use crate::{
    plan::{Aim, Plan},
    preflight,
    run::RunOptions,
    scenario::Scenario,
    target::TargetFile,
};

/// A scenario, where it is to be run, and what may be overlooked.
#[derive(Debug, Args)]
pub(super) struct Started {
    /// The scenario file.
    pub(super) scenario: PathBuf,
    /// `twin` for one in this process, the address of one that `gameday twin` started, or a TOML file with `target` and the
    /// `accounts` in which a run may go on there. A run works on the twin only for now; `deploy`, `outputs` and `destroy` also
    /// on AWS.
    #[arg(long, default_value = "twin", value_parser = Aimed::parse)]
    target: Aimed,
    /// Where run folders go: <out>/<scenario>/<time>-<id>.
    #[arg(long, default_value = "runs")]
    out: PathBuf,
    /// The folder of fleets that stay, for a scenario with fleet.pool.
    #[arg(long, value_name = "FOLDER", default_value = "fleets")]
    fleets: PathBuf,
    /// Change a value of the scenario, as path=value. May be given more than once.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Go on whatever this check of pre-flight finds; it is in the record. May be given more than once.
    #[arg(long, value_name = "CHECK", value_parser = PossibleValuesParser::new(preflight::ignorable()))]
    ignore: Vec<String>,
    #[command(flatten)]
    limits: super::limits::Limits,
}

/// Where a run goes, as it was said and as it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Aimed {
    said: String,
    pub(super) target: String,
    accounts: Option<Vec<String>>,
}

impl Aimed {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if TargetFile::is_meant(text) {
            let file = TargetFile::read(Path::new(text)).map_err(|error| format!("{error:#}"))?;
            let target = target(&file.target)?;
            return Ok(Self { said: text.to_owned(), target, accounts: Some(file.accounts) });
        }
        Ok(Self { said: text.to_owned(), target: target(text)?, accounts: None })
    }
}

fn target(text: &str) -> Result<String, String> {
    match text {
        "aws" => {
            Err("`gameday run` works on the twin only for now; `deploy`, `outputs` and `destroy` also on AWS"
                .to_owned())
        }
        _ if text == "twin" || text.starts_with("http://") => Ok(text.to_owned()),
        _ => {
            Err("give `twin`, or the address that `gameday twin` printed, as http://127.0.0.1:PORT"
                .to_owned())
        }
    }
}

impl Started {
    /// What a run works with; or why it is beyond its limits.
    pub(super) fn options(self, seed: Option<u64>) -> anyhow::Result<Result<RunOptions, String>> {
        let scenario = Scenario::load(&self.scenario, &self.set)?;
        let plan = Plan::of(&scenario, Aim::twin(&scenario.twin))?;
        if let Err(why) = self.limits.check(&plan) {
            return Ok(Err(why));
        }
        // Small enough to be read and typed.
        let seed = seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
        Ok(Ok(RunOptions {
            replay: self.replay(seed),
            scenario_path: self.scenario,
            scenario,
            plan,
            target: self.target.target,
            accounts: self.target.accounts,
            ignored: self.ignore,
            out: self.out,
            fleets: self.fleets,
            seed,
            json: false,
            progress: None,
            page: None,
            is_spoilt: false,
            results: None,
        }))
    }

    fn replay(&self, seed: u64) -> String {
        let mut command = format!("gameday run {} --seed {seed}", self.scenario.display());
        if self.target.said != "twin" {
            command += " --target ";
            command += &self.target.said;
        }
        if self.fleets != Path::new("fleets") {
            command += " --fleets '";
            command += &self.fleets.to_string_lossy();
            command.push('\'');
        }
        command += &self.limits.arguments();
        for ignored in &self.ignore {
            command += " --ignore ";
            command += ignored;
        }
        for set in &self.set {
            command += " --set '";
            command += set;
            command.push('\'');
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_aimed_at_a_twin() {
        assert!(Aimed::parse("twin").is_ok() && Aimed::parse("http://127.0.0.1:4566").is_ok());
        assert!(Aimed::parse("aws").unwrap_err().contains("on the twin only for now"));
        assert!(Aimed::parse("mars").unwrap_err().contains("http://127.0.0.1:PORT"));
        assert!(Aimed::parse("no/such.toml").unwrap_err().contains("cannot read no/such.toml"));
    }
}
