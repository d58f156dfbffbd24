//! Deploys into the target what a game day needs. The replicator with its tables, rules and functions, and the health checks
//! that really connect, are installed by CloudFormation as `gameday deploy` does it; beside them come the fleet's name and
//! the policies of the run. Every name carries the run's id; every change is journalled before it is made.

mod destroy;
mod dns;
mod events;
mod health;
mod identity;
mod install;
mod package;
mod place;
mod replica;
mod stack;

use serde_json::Value;
use tempfile::TempDir;

pub(crate) use destroy::Destruction;
pub(crate) use events::{off as events_off, rule_prefix, switch_off};
pub(crate) use health::health_policy;
pub(crate) use identity::{create_policy, device_document, issue};
pub(crate) use install::{Concurrency, Installation, STACK_PREFIX, Settings, TAG, stack_name, stack_prefix};
pub(crate) use package::{
    Package, deployed as deployed_package, is_current as is_current_package,
    remove_all_of as remove_packages_of, write as write_package,
};
pub(crate) use place::{AMAZON_ROOT_CA, MQTT_PORT, Place, RegionSite};
pub(crate) use replica::Replica;
pub(crate) use stack::{Stacks, output_of, tag_of};

use crate::{
    aws::{Aws, RegionClients},
    identity::Identity,
    journal::{Change, Journal},
    output::Output,
    scenario::Scenario,
    target::Target,
};

/// What was deployed, as far as the run needs to know it.
#[derive(Debug)]
pub(crate) struct Deployment {
    /// The name that devices ask for.
    pub(crate) fleet_name: String,
    /// The global table of events.
    pub(crate) events_table: String,
    /// The policy of the devices.
    pub(crate) device_policy: String,
    /// The primary's health check.
    pub(crate) primary_check: String,
    /// The secondary's health check.
    pub(crate) secondary_check: String,
    /// The identity of the observers in the secondary.
    pub(crate) observer: Identity,
    /// The functions' package; it goes with the run.
    _package: TempDir,
}

/// What deploying works with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) run: &'a str,
    pub(crate) aws: &'a Aws,
    pub(crate) target: &'a Target,
    pub(crate) journal: &'a Journal,
    pub(crate) scenario: &'a Scenario,
}

impl Site<'_> {
    /// A name of this run: `gd-<run>-<what>`.
    pub(crate) fn name(&self, what: &str) -> String {
        format!("gd-{}-{what}", self.run)
    }

    /// `arn:aws:iot:<region>:<account>`, what policies of this run start their resources with.
    fn iot_arn(&self, region: &str) -> String {
        format!("arn:aws:iot:{region}:{}", self.target.endpoints.account)
    }

    /// Deploys everything, in the order in which nothing is lost: consumers before producers.
    pub(crate) async fn deploy(&self, output: &Output) -> anyhow::Result<Deployment> {
        let folder = package::write(&self.target.endpoints.folder, self.run)?;
        let health_check = &self.scenario.dns.health_check;
        let settings = Settings {
            interval_s: health_check.interval.as_secs(),
            failures: health_check.failures,
            ..Settings::default()
        };
        let installation = Installation {
            postfix: self.run,
            aws: self.aws,
            place: &Place::of_twin(&self.target.endpoints)?,
            package: &Package::in_folder(folder.path())?,
            settings: &settings,
            output,
            journal: Some(self.journal),
        };
        let installed = Box::pin(installation.put_all()).await?;
        output.status("deploy: the fleet's name");
        let fleet_name = self.zone(&installed.primary_check, &installed.secondary_check).await?;
        Ok(Deployment {
            fleet_name,
            events_table: installed.events_table,
            device_policy: self.device_policy().await?,
            primary_check: installed.primary_check,
            secondary_check: installed.secondary_check,
            observer: self.observer().await?,
            _package: folder,
        })
    }

    async fn create_policy(
        &self,
        clients: &RegionClients,
        name: &str,
        document: &Value,
    ) -> anyhow::Result<()> {
        self.journal.intend(Change::Policy { region: clients.region.clone(), name: name.to_owned() })?;
        identity::create_policy(clients, name, document).await
    }

    async fn device_policy(&self) -> anyhow::Result<String> {
        let document = device_document(&self.iot_arn(&self.aws.primary.region));
        let name = self.name("device");
        self.create_policy(&self.aws.primary, &name, &document).await?;
        // The replicator copies it to the secondary, where it has to go, too.
        self.journal
            .intend(Change::Policy { region: self.aws.secondary.region.clone(), name: name.clone() })?;
        Ok(name)
    }

    /// Observers may see the shadow documents of every device in the secondary.
    async fn observer(&self) -> anyhow::Result<Identity> {
        let name = self.name("observer");
        let arn = self.iot_arn(&self.aws.secondary.region);
        let document = serde_json::json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "iot:Connect", "Resource": format!("{arn}:client/{name}-*")},
            {"Effect": "Allow", "Action": "iot:Subscribe",
             "Resource": format!("{arn}:topicfilter/$aws/things/*/shadow/*")},
            {"Effect": "Allow", "Action": "iot:Receive",
             "Resource": format!("{arn}:topic/$aws/things/*/shadow/*")},
        ]});
        self.create_policy(&self.aws.secondary, &name, &document).await?;
        Ok(identity::issue(&self.aws.secondary, &name, Some(self.journal)).await?.0)
    }
}
