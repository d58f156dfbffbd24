//! Deploys into the target what a game day needs: the replicator with its tables, rules and functions, the health checks
//! that really connect, the fleet's name, and the policies. Every name carries the run's id; every change is journalled
//! before it is made.

mod dns;
mod function;
mod health;
mod identity;
mod table;

use anyhow::Context;
use aws_sdk_iot::types::{
    Action, Configuration, DynamoDBv2Action, EventType, PutItemInput, TopicRulePayload,
};

use crate::{
    aws::{Aws, describe},
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
    /// The identity of the observer in the secondary.
    pub(crate) observer: Identity,
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
        output.status("deploy: tables");
        let events_table = self.tables().await?;
        output.status("deploy: replicator");
        self.replicator(&events_table).await?;
        self.registry_events().await?;
        self.topic_rules(&events_table).await?;
        output.status("deploy: health checks and the fleet's name");
        let primary_check = self.health(&self.aws.primary).await?;
        let secondary_check = self.health(&self.aws.secondary).await?;
        let fleet_name = self.zone(&primary_check, &secondary_check).await?;
        let device_policy = self.device_policy().await?;
        let observer = self.observer().await?;
        Ok(Deployment { fleet_name, events_table, device_policy, primary_check, secondary_check, observer })
    }

    async fn registry_events(&self) -> anyhow::Result<()> {
        let iot = &self.aws.primary.iot;
        let now =
            iot.describe_event_configurations().send().await.map_err(|e| anyhow::anyhow!(describe(&e)))?;
        let enabled = now
            .event_configurations()
            .and_then(|kinds| kinds.get(&EventType::Thing))
            .is_some_and(Configuration::enabled);
        if enabled {
            return Ok(());
        }
        self.journal.intend(Change::RegistryEvents {
            region: self.aws.primary.region.clone(),
            before: [("THING".to_owned(), false)].into(),
        })?;
        iot.update_event_configurations()
            .event_configurations(EventType::Thing, Configuration::builder().enabled(true).build())
            .send()
            .await
            .map_err(|e| anyhow::anyhow!(describe(&e)))
            .context("registry events could not be switched on in the primary")?;
        Ok(())
    }

    async fn topic_rules(&self, table: &str) -> anyhow::Result<()> {
        let region = &self.aws.primary.region;
        for rule in replicator::rules::all(region) {
            let name = format!("gd_{}_{}", self.run, rule.name);
            self.journal.intend(Change::TopicRule { region: region.clone(), name: name.clone() })?;
            let put = PutItemInput::builder().table_name(table).build()?;
            let role = format!("arn:aws:iam::{}:role/gameday-rule", self.target.endpoints.account);
            let action = DynamoDBv2Action::builder().role_arn(role).put_item(put).build()?;
            let payload = TopicRulePayload::builder()
                .sql(rule.sql)
                .aws_iot_sql_version(rule.sql_version)
                .actions(Action::builder().dynamo_dbv2(action).build())
                .build()?;
            self.aws
                .primary
                .iot
                .create_topic_rule()
                .rule_name(&name)
                .topic_rule_payload(payload)
                .send()
                .await
                .map_err(|e| anyhow::anyhow!(describe(&e)))
                .with_context(|| format!("topic rule {name} could not be created"))?;
        }
        Ok(())
    }

    /// Devices may connect as themselves, publish their telemetry, and use their own shadow.
    async fn device_policy(&self) -> anyhow::Result<String> {
        let region = &self.aws.primary.region;
        let arn = self.iot_arn(region);
        let thing = "${iot:Connection.Thing.ThingName}";
        let document = serde_json::json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "iot:Connect", "Resource": format!("{arn}:client/{thing}")},
            {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"], "Resource": [
                format!("{arn}:topic/dt/gameday/{thing}"), format!("{arn}:topic/$aws/things/{thing}/shadow/*")]},
            {"Effect": "Allow", "Action": "iot:Subscribe",
             "Resource": format!("{arn}:topicfilter/$aws/things/{thing}/shadow/*")},
        ]});
        let name = self.name("device");
        self.create_policy(&self.aws.primary, &name, &document).await?;
        // The replicator copies it to the secondary, where it has to go, too.
        self.journal
            .intend(Change::Policy { region: self.aws.secondary.region.clone(), name: name.clone() })?;
        Ok(name)
    }

    /// The observer may see the shadow documents of every device in the secondary.
    async fn observer(&self) -> anyhow::Result<Identity> {
        let name = self.name("observer");
        let arn = self.iot_arn(&self.aws.secondary.region);
        let document = serde_json::json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "iot:Connect", "Resource": format!("{arn}:client/{name}")},
            {"Effect": "Allow", "Action": "iot:Subscribe",
             "Resource": format!("{arn}:topicfilter/$aws/things/+/shadow/update/documents")},
            {"Effect": "Allow", "Action": "iot:Receive",
             "Resource": format!("{arn}:topic/$aws/things/*/shadow/update/documents")},
        ]});
        self.create_policy(&self.aws.secondary, &name, &document).await?;
        self.issue(&self.aws.secondary, &name).await
    }
}
