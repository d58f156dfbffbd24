//! A change to the world that has to be undone, and how a person would undo it.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{fault::Cure, lease::NAME as LEASE};

/// A change. Names are derived from the run's id before anything is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Change {
    /// A CloudFormation stack with all its resources; `replicates` if it brings further things into being.
    Stack { region: String, name: String, replicates: bool },
    /// A policy, and every certificate that it is attached to.
    Policy { region: String, name: String },
    /// A certificate, with whatever it is attached to.
    Certificate { region: String, id: String },
    /// Certificates that were asked for since then for these keys, of which the SHA-256 is written down. Who is killed before
    /// it has the answer knows no more of a certificate: AWS IoT takes neither its name nor its subject from the request.
    Certificates { region: String, since: Timestamp, keys: Vec<String> },
    /// The devices of the run in one Region: things by their attribute, with their certificates and shadows.
    Fleet { region: String, run: String, policy: String },
    /// Registry events; `kinds` are those that were switched on for the deployment and that no other one needs.
    RegistryEvents { region: String, deployment: String, kinds: Vec<String> },
    /// The lease that keeps other game days out.
    Lease { region: String, run: String },
    /// A hosted zone with all its records.
    HostedZone { name: String },
    /// The process that restores what this one cannot any more, on that machine, for that run folder. Until then it has ended.
    Switch { machine: String, folder: PathBuf, until: Timestamp },
    /// A fault of the catalogue, with what its cure needs.
    Fault { fault: String, region: String, cure: Cure },
}

impl Change {
    /// Whether this brings further things into being while it stands: what replicates.
    pub(crate) fn makes_more(&self) -> bool {
        matches!(self, Self::Stack { replicates: true, .. })
    }

    /// Whether this comes when all else is undone: most of it has gone with that, or it is there for the undo.
    pub(crate) fn is_remainder(&self) -> bool {
        matches!(self, Self::Certificates { .. } | Self::Switch { .. } | Self::Lease { .. })
    }

    /// What is changed, in a word.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Stack { .. } => "stack",
            Self::Policy { .. } => "policy",
            Self::Certificate { .. } => "certificate",
            Self::Certificates { .. } => "certificates",
            Self::Switch { .. } => "dead-man's switch",
            Self::Fleet { .. } => "devices",
            Self::RegistryEvents { .. } => "registry events",
            Self::HostedZone { .. } => "hosted zone",
            Self::Lease { .. } => "lease",
            Self::Fault { .. } => "fault",
        }
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Self::Stack { name, .. } | Self::Policy { name, .. } | Self::HostedZone { name } => name.clone(),
            Self::Certificate { id, .. } => id.clone(),
            Self::Certificates { keys, .. } => format!("of {} keys", keys.len()),
            Self::Switch { machine, .. } => format!("on machine {machine}"),
            Self::Fleet { run, .. } | Self::Lease { run, .. } => format!("of run {run}"),
            Self::RegistryEvents { .. } => "configuration".to_owned(),
            Self::Fault { fault, .. } => fault.clone(),
        }
    }

    pub(crate) fn region(&self) -> &str {
        match self {
            Self::Stack { region, .. }
            | Self::Policy { region, .. }
            | Self::Certificate { region, .. }
            | Self::Certificates { region, .. }
            | Self::Fleet { region, .. }
            | Self::RegistryEvents { region, .. }
            | Self::Lease { region, .. }
            | Self::Fault { region, .. } => region,
            Self::HostedZone { .. } => "global",
            Self::Switch { .. } => "no Region",
        }
    }

    /// That it is not undone, why, and what to do by hand.
    pub(crate) fn left(&self, why: &str) -> String {
        let (kind, name, region) = (self.kind(), self.name(), self.region());
        format!("{kind} {name} in {region}: {why}\n      by hand: {}", self.manual())
    }

    /// The undo as a command for a person.
    pub(crate) fn manual(&self) -> String {
        let region = self.region();
        match self {
            Self::Stack { name, .. } => {
                format!("aws cloudformation delete-stack --region {region} --stack-name {name}")
            }
            Self::Policy { name, .. } => format!(
                "aws iot list-targets-for-policy --region {region} --policy-name {name}; detach each; \
                 aws iot delete-policy --region {region} --policy-name {name}"
            ),
            Self::Certificate { id, .. } => format!(
                "aws iot update-certificate --region {region} --certificate-id {id} --new-status INACTIVE; detach it from its \
                 things; aws iot delete-certificate --region {region} --certificate-id {id} --force-delete"
            ),
            Self::Certificates { since, .. } => format!(
                "aws iot list-certificates --region {region}; of those that were created since {since} and have no policy and no \
                 thing, look whether their public key is one of these (aws iot describe-certificate; openssl x509 -pubkey \
                 -noout | openssl pkey -pubin -outform der | sha256sum), and delete them"
            ),
            Self::Switch { folder, until, .. } => {
                format!("on that machine: gameday restore {}; at {until} it ends by itself", folder.display())
            }
            Self::Fleet { run, policy, .. } => format!(
                "aws iot list-things --region {region} --attribute-name gameday-run --attribute-value {run}; \
                 delete each with the certificates that policy {policy} is attached to"
            ),
            Self::RegistryEvents { kinds, .. } => {
                let kinds: Vec<String> =
                    kinds.iter().map(|kind| format!("{kind}={{Enabled=false}}")).collect();
                format!(
                    "aws iot update-event-configurations --region {region} --event-configurations {}, unless another \
                     deployment has topic rules there",
                    kinds.join(",")
                )
            }
            Self::HostedZone { name } => format!(
                "aws route53 list-hosted-zones-by-name --dns-name {name}; delete its records and then the zone"
            ),
            Self::Lease { run, .. } => format!(
                "aws iot describe-thing-group --region {region} --thing-group-name {LEASE}; if it is of run {run}, aws iot \
                 delete-thing-group --region {region} --thing-group-name {LEASE}; it also ends by itself"
            ),
            Self::Fault { cure, .. } => cure.manual(region),
        }
    }
}
