//! `gameday fleet show`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use gameday_report::ExitCode;
use serde::Serialize;

use super::{Named, elsewhere, home, list::Brief};
use crate::{
    cli::{at::TargetArgs, usage},
    fleet::Recipe,
    output::{data, to_stderr},
    pool::{self, Known, Pool, create_folder, write_file},
};

/// Arguments of `gameday fleet show`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday fleet show lamps
  gameday fleet show lamps --device 7
  gameday fleet show lamps --device lamps-00007 --export identity

With --device it is looked at in both Regions: thing, groups, certificates with status and dates, policies. With --export its key
and certificate are written to files that only you may read, for any MQTT client. Exits with 10 if the device is not in both
Regions.")]
pub(super) struct Show {
    #[command(flatten)]
    named: Named,
    /// A device, by its number or its name.
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// The folder for <device>.pem and <device>.key.pem.
    #[arg(long, value_name = "FOLDER", requires = "device")]
    export: Option<PathBuf>,
    #[command(flatten)]
    target: TargetArgs,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    brief: Brief,
    begun: String,
    folder: &'a Path,
    recipe: Option<&'a Recipe>,
}

impl Show {
    pub(super) async fn run(&self) -> anyhow::Result<ExitCode> {
        let pool = self.named.open()?;
        let Some(device) = &self.device else {
            self.fleet(&pool)?;
            return Ok(ExitCode::Pass);
        };
        let number = device.parse().ok().filter(|number| (1..=pool.manifest.devices).contains(number));
        let number = number.or_else(|| pool.manifest.number(device));
        let number =
            number.ok_or_else(|| usage(format!("fleet {} has no device {device}", self.named.name)))?;
        if let Some(folder) = &self.export {
            export(&pool, number, folder)?;
            return Ok(ExitCode::Pass);
        }
        self.look(&pool, &pool.device(number)).await
    }

    fn fleet(&self, pool: &Pool) -> anyhow::Result<()> {
        let brief = Brief::of(pool)?;
        let recipe = pool.manifest.making.as_ref().map(|making| &making.recipe);
        let whole = Whole { brief, begun: pool.manifest.begun.to_string(), folder: pool.path(), recipe };
        if self.json {
            data(&serde_json::to_string_pretty(&whole)?);
            return Ok(());
        }
        let line = |name: &str, value: &str| data(&format!("{name:<13} {value}"));
        // What is nested in JSON has a line each here.
        let value = serde_json::to_value(&whole)?;
        for (name, value) in value.as_object().into_iter().flatten() {
            match value {
                serde_json::Value::Null => {}
                serde_json::Value::String(text) => line(name, text),
                serde_json::Value::Object(inner) => {
                    inner.iter().for_each(|(name, value)| line(name, value.to_string().trim_matches('"')));
                }
                other => line(name, &other.to_string()),
            }
        }
        Ok(())
    }

    async fn look(&self, pool: &Pool, device: &str) -> anyhow::Result<ExitCode> {
        let reached = self.target.reach().await?;
        if let Some(error) = elsewhere(pool, &home(&reached).await?) {
            return Err(error);
        }
        let aws = &reached.aws;
        let (here, there) = (&aws.primary, &aws.secondary);
        let (here, there) = futures::join!(pool::look(aws, here, device), pool::look(aws, there, device));
        let known = [here?, there?];
        if self.json {
            data(&serde_json::to_string_pretty(&known)?);
        } else {
            for (region, known) in [&aws.primary.region, &aws.secondary.region].iter().zip(&known) {
                data(&format!("{device} in {region}"));
                known.as_ref().map_or_else(|| data("  no such thing"), print);
            }
        }
        Ok(if known.iter().all(Option::is_some) { ExitCode::Pass } else { ExitCode::Missed })
    }
}

fn export(pool: &Pool, number: u32, folder: &Path) -> anyhow::Result<()> {
    let device = pool.device(number);
    let identity = pool.identity(number)?.with_context(|| format!("{device} has no certificate yet"))?;
    if !folder.exists() {
        create_folder(folder)?;
    }
    let (certificate, key) = (folder.join(format!("{device}.pem")), folder.join(format!("{device}.key.pem")));
    write_file(&key, identity.key_pem()?.as_bytes())?;
    write_file(&certificate, identity.certificate_pem.as_bytes())?;
    to_stderr(&format!("{} and {}", certificate.display(), key.display()));
    Ok(())
}

fn print(known: &Known) {
    let line = |name: &str, value: &str| data(&format!("  {name:<12} {value}"));
    line("version", &known.version.to_string());
    if let Some(thing_type) = &known.thing_type {
        line("type", thing_type);
    }
    for (name, value) in &known.attributes {
        line("attribute", &format!("{name}={value}"));
    }
    known.groups.iter().for_each(|group| line("group", group));
    for certificate in &known.certificates {
        let dates = [certificate.created, certificate.not_before, certificate.not_after];
        let [created, not_before, not_after] =
            dates.map(|at| at.map_or_else(|| "?".to_owned(), |at| at.to_string()));
        let status = certificate.status.as_deref().unwrap_or("?");
        let mode = certificate.mode.as_deref().unwrap_or("?");
        line("certificate", &certificate.id);
        line(
            "",
            &format!("{status}, mode {mode}, created {created}, valid from {not_before} to {not_after}"),
        );
        certificate.policies.iter().for_each(|policy| line("policy", policy));
    }
    known.other_principals.iter().for_each(|principal| line("principal", principal));
}
