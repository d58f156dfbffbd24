//! The clients of one Region, and what they find in it.

use std::collections::BTreeSet;

use anyhow::Result;
use aws_config::SdkConfig;
use aws_sdk_cloudformation::types::StackStatus;

/// The clients of one Region.
#[derive(Debug, Clone)]
pub struct Region {
    /// The control plane of IoT.
    pub iot: aws_sdk_iot::Client,
    /// Its data plane.
    pub data: aws_sdk_iotdataplane::Client,
    /// Tables.
    pub tables: aws_sdk_dynamodb::Client,
    /// Functions.
    pub functions: aws_sdk_lambda::Client,
    /// Stacks.
    pub stacks: aws_sdk_cloudformation::Client,
    queues: aws_sdk_sqs::Client,
    schedules: aws_sdk_eventbridge::Client,
    apis: aws_sdk_apigateway::Client,
    machines: aws_sdk_sfn::Client,
}

impl Region {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self {
            iot: aws_sdk_iot::Client::new(config),
            data: aws_sdk_iotdataplane::Client::new(config),
            tables: aws_sdk_dynamodb::Client::new(config),
            functions: aws_sdk_lambda::Client::new(config),
            stacks: aws_sdk_cloudformation::Client::new(config),
            queues: aws_sdk_sqs::Client::new(config),
            schedules: aws_sdk_eventbridge::Client::new(config),
            apis: aws_sdk_apigateway::Client::new(config),
            machines: aws_sdk_sfn::Client::new(config),
        }
    }

    /// The kinds of registry events that are on.
    pub async fn events_on(&self) -> Result<BTreeSet<String>> {
        let now = self.iot.describe_event_configurations().send().await?;
        let kinds = now.event_configurations.unwrap_or_default();
        let on = kinds.into_iter().filter(|(_, kind)| kind.enabled());
        Ok(on.map(|(name, _)| name.as_str().to_owned()).collect())
    }

    /// Names of the functions.
    pub async fn function_names(&self) -> Result<BTreeSet<String>> {
        let pages = self.functions.list_functions().into_paginator().items().send();
        let listed = pages.collect::<Result<Vec<_>, _>>().await?;
        Ok(listed.into_iter().filter_map(|function| function.function_name).collect())
    }

    /// Names of the stacks.
    pub async fn stack_names(&self) -> Result<BTreeSet<String>> {
        let list = self.stacks.list_stacks().send().await?.stack_summaries.unwrap_or_default();
        let left =
            list.into_iter().filter(|stack| stack.stack_status() != Some(&StackStatus::DeleteComplete));
        Ok(left.filter_map(|stack| stack.stack_name).collect())
    }

    /// Identities of all certificates.
    pub async fn certificate_ids(&self) -> Result<BTreeSet<String>> {
        let (mut ids, mut marker) = (BTreeSet::new(), None);
        loop {
            let page = self.iot.list_certificates().page_size(250).set_marker(marker).send().await?;
            ids.extend(page.certificates().iter().filter_map(|found| found.certificate_id.clone()));
            marker = page.next_marker;
            if marker.is_none() {
                return Ok(ids);
            }
        }
    }

    /// Whether there is a thing of that name.
    pub async fn has_thing(&self, name: &str) -> bool {
        self.iot.describe_thing().thing_name(name).send().await.is_ok()
    }

    /// What there is of the kinds that a deployment or a run makes, each as `<kind> <name>`.
    pub async fn leftovers(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let mut add = |kind: &str, names: Vec<Option<String>>| {
            found.extend(names.into_iter().map(|name| format!("{kind} {}", name.unwrap_or_default())));
        };
        add("stack", self.stack_names().await?.into_iter().map(Some).collect());
        add("function", self.function_names().await?.into_iter().map(Some).collect());
        add("certificate", self.certificate_ids().await?.into_iter().map(Some).collect());
        let things = self.iot.list_things().send().await?.things.unwrap_or_default();
        add("thing", things.into_iter().map(|thing| thing.thing_name).collect());
        let policies = self.iot.list_policies().send().await?.policies.unwrap_or_default();
        add("policy", policies.into_iter().map(|policy| policy.policy_name).collect());
        let rules = self.iot.list_topic_rules().send().await?.rules.unwrap_or_default();
        add("topic rule", rules.into_iter().map(|rule| rule.rule_name).collect());
        let tables = self.tables.list_tables().send().await?.table_names.unwrap_or_default();
        add("table", tables.into_iter().map(Some).collect());
        let mappings = self.functions.list_event_source_mappings().send().await?;
        let mappings = mappings.event_source_mappings.unwrap_or_default();
        add("mapping", mappings.into_iter().map(|mapping| mapping.uuid).collect());
        let queues = self.queues.list_queues().send().await?.queue_urls.unwrap_or_default();
        add("queue", queues.into_iter().map(Some).collect());
        let schedules = self.schedules.list_rules().send().await?.rules.unwrap_or_default();
        add("rule", schedules.into_iter().map(|rule| rule.name).collect());
        let apis = self.apis.get_rest_apis().send().await?.items.unwrap_or_default();
        add("API", apis.into_iter().map(|api| api.name).collect());
        let machines = self.machines.list_state_machines().send().await?.state_machines;
        add("state machine", machines.into_iter().map(|machine| Some(machine.name)).collect());
        Ok(found)
    }
}
