//! Where a deployment is: arguments that its commands share.

use anyhow::anyhow;
use clap::Args;
use gameday_twin::Endpoints;

use super::usage;
use crate::{
    aws::Aws,
    deploy::{Place, Replica},
    target,
};

/// Characters of a postfix, so that all names that have it in them are short enough.
const POSTFIX_CHARS_MAX: usize = 20;

/// The twin, or AWS.
#[derive(Debug, Args)]
pub(super) struct TargetArgs {
    /// The address of a twin, as `gameday twin` printed it, or `aws`; otherwise `AWS_ENDPOINT_URL` says which twin.
    #[arg(long, value_name = "URL|aws")]
    target: Option<String>,
    /// AWS only: the Region in which devices live.
    #[arg(long, value_name = "REGION")]
    primary: Option<String>,
    /// AWS only: the Region that is kept ready.
    #[arg(long, value_name = "REGION")]
    secondary: Option<String>,
}

/// Which deployment.
#[derive(Debug, Args)]
pub(super) struct At {
    #[command(flatten)]
    target: TargetArgs,
    /// What tells this deployment from others of the account: small letters and digits.
    #[arg(long, default_value = "main", value_parser = postfix)]
    pub(super) postfix: String,
}

/// The target, reached.
#[derive(Debug)]
pub(super) struct Reached {
    pub(super) aws: Aws,
    /// None: it is AWS.
    twin: Option<Endpoints>,
}

impl At {
    pub(super) async fn reach(&self) -> anyhow::Result<Reached> {
        self.target.reach().await
    }
}

impl TargetArgs {
    /// What a command that is to be at the same place is given.
    pub(super) fn arguments(&self) -> String {
        let given = [
            ("target", self.target.clone().or_else(|| std::env::var("AWS_ENDPOINT_URL").ok())),
            ("primary", self.primary.clone()),
            ("secondary", self.secondary.clone()),
        ];
        let given = given.into_iter().filter_map(|(name, value)| Some(format!(" --{name} {}", value?)));
        given.collect()
    }

    pub(super) fn is_given(&self) -> bool {
        self.target.is_some()
    }

    /// Whether anything says where: an argument, or the environment.
    pub(super) fn is_anywhere(&self) -> bool {
        self.target.is_some() || std::env::var("AWS_ENDPOINT_URL").is_ok()
    }

    /// Both Regions, if they are given.
    pub(super) fn regions(&self) -> anyhow::Result<Option<(&str, &str)>> {
        match (&self.primary, &self.secondary) {
            (Some(primary), Some(secondary)) if primary == secondary => {
                Err(usage("--primary and --secondary are the same Region").into())
            }
            (Some(primary), Some(secondary)) => Ok(Some((primary, secondary))),
            (None, None) => Ok(None),
            _ => Err(usage("give --primary and --secondary, or neither").into()),
        }
    }

    pub(super) async fn reach(&self) -> anyhow::Result<Reached> {
        let target = self.target.clone().or_else(|| std::env::var("AWS_ENDPOINT_URL").ok());
        let target = target.ok_or_else(|| {
            usage("where? Give --target, as http://127.0.0.1:PORT of a twin, or aws; or set AWS_ENDPOINT_URL")
        })?;
        if target == "aws" {
            let (Some(primary), Some(secondary)) = (&self.primary, &self.secondary) else {
                return Err(usage("AWS needs --primary REGION and --secondary REGION").into());
            };
            if primary == secondary {
                return Err(usage("--primary and --secondary are the same Region").into());
            }
            return Ok(Reached { aws: Aws::connect_to_aws(primary, secondary).await, twin: None });
        }
        if self.primary.is_some() || self.secondary.is_some() {
            return Err(
                usage("--primary and --secondary are for AWS: a twin says itself which it has").into()
            );
        }
        if !target.starts_with("http://") {
            return Err(
                usage(format!("--target {target}: give aws, or a twin as http://127.0.0.1:PORT")).into()
            );
        }
        let twin = target::endpoints(&target).await?;
        Ok(Reached { aws: Aws::connect(&twin).await, twin: Some(twin) })
    }
}

impl At {
    /// That there is no such deployment.
    pub(super) fn nothing(&self) -> anyhow::Error {
        anyhow!("nothing of gameday-{} is deployed there; --postfix says which deployment", self.postfix)
    }

    /// The replicator that is deployed there.
    pub(super) async fn replica(&self) -> anyhow::Result<Replica> {
        let reached = self.reach().await?;
        Replica::find(&reached.aws, &self.postfix).await?.ok_or_else(|| self.nothing())
    }
}

impl Reached {
    /// None: it is AWS.
    pub(super) fn twin(&self) -> Option<&Endpoints> {
        self.twin.as_ref()
    }

    /// The account. On AWS it costs a call.
    pub(super) async fn account(&self) -> anyhow::Result<String> {
        match &self.twin {
            Some(endpoints) => Ok(endpoints.account.clone()),
            None => self.aws.account().await,
        }
    }

    pub(super) async fn place(&self) -> anyhow::Result<Place> {
        match &self.twin {
            Some(endpoints) => Place::of_twin(endpoints),
            None => Place::of_aws(&self.aws).await,
        }
    }
}

fn postfix(text: &str) -> Result<String, String> {
    let is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if text.is_empty() || text.len() > POSTFIX_CHARS_MAX || !text.chars().all(is_fine) {
        return Err(format!("1 to {POSTFIX_CHARS_MAX} small letters and digits"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_at_the_same_place_is_given_the_same() {
        let [target, primary, secondary] =
            ["aws", "eu-west-1", "eu-central-1"].map(|text| Some(text.to_owned()));
        let arguments = TargetArgs { target, primary, secondary }.arguments();
        assert_eq!(arguments, " --target aws --primary eu-west-1 --secondary eu-central-1");
    }

    #[test]
    fn a_postfix_fits_into_every_name() {
        assert_eq!(postfix("blue2"), Ok("blue2".to_owned()));
        for wrong in ["", "Blue", "a-b", "a_b", "abcdefghijabcdefghijk"] {
            assert!(postfix(wrong).is_err(), "{wrong}");
        }
    }
}
