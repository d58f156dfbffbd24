//! Registering things by template: one, and in bulk.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Api, Outcome, done, ok, required, time};
use crate::{
    error::AwsError,
    provisioning::{self, ReportKind, Task, TaskInput, TaskStatus, Template},
    registry::invalid,
    s3,
};

/// How long links to reports work. AWS does not say.
const LINK_S: u32 = 3_600;
const ROLE_CHARS_MIN: usize = 20;

impl Api<'_> {
    pub(super) fn registration(&self, operation: &str) -> Outcome {
        let now_ms = self.world.clock.now_ms();
        match operation {
            "RegisterThing" => self.register_thing(),
            "StartThingRegistrationTask" => {
                let input = task_input(&self.call.json()?)?;
                let id = provisioning::start(self.world, self.region, input)?;
                ok(&json!({"taskId": id}))
            }
            "DescribeThingRegistrationTask" => {
                let tasks = self.region.registrations.lock();
                ok(&description(self.name, tasks.get(self.name)?))
            }
            "StopThingRegistrationTask" => {
                self.region.registrations.lock().cancel(self.name, now_ms).and_then(|()| done())
            }
            "ListThingRegistrationTaskReports" => self.reports(),
            _ => {
                let status = self.call.query("status").map(TaskStatus::parse).transpose()?;
                let tasks = self.region.registrations.lock();
                let fitting = tasks.list().filter(|(_, task)| status.is_none_or(|s| s == task.status));
                let (ids, next) = self.next_token_paging()?.take(fitting.map(|(id, _)| id), |id| id.as_str());
                ok(&json!({"taskIds": ids, "nextToken": next}))
            }
        }
    }

    fn register_thing(&self) -> Outcome {
        let body = self.call.json()?;
        let template = Template::parse(required(&body, "templateBody")?)?;
        let parameters: BTreeMap<String, String> = match &body["parameters"] {
            Value::Null => BTreeMap::new(),
            given => serde_json::from_value(given.clone())
                .map_err(|_| invalid("parameters must be a map of strings"))?,
        };
        let made = provisioning::register(self.world, self.region, &template, &parameters)?;
        ok(&json!({"certificatePem": made.certificate_pem, "resourceArns": made.arns}))
    }

    /// A task that has ended has its reports; one without lines of a kind has none of that kind.
    fn reports(&self) -> Outcome {
        let kind = match self.call.query("reportType") {
            Some("RESULTS") => ReportKind::Results,
            Some("ERRORS") => ReportKind::Errors,
            _ => return Err(invalid("reportType must be ERRORS or RESULTS")),
        };
        let tasks = self.region.registrations.lock();
        let task = tasks.get(self.name).map_err(|e| invalid(e.message))?;
        let keys = task.reports.iter().filter(|(k, _)| *k == kind).map(|(_, key)| key);
        let (keys, next) = self.next_token_paging()?.take(keys, |key| key.as_str());
        let bucket = provisioning::reports_bucket(&self.region.name);
        let links: Vec<String> =
            keys.iter().map(|key| s3::link(self.world, &self.region.name, &bucket, key, LINK_S)).collect();
        ok(&json!({"resourceLinks": links, "reportType": kind.as_str(), "nextToken": next}))
    }
}

fn task_input(body: &Value) -> Result<TaskInput, AwsError> {
    let text = |key| required(body, key).map(str::to_owned);
    let input = TaskInput {
        template_body: text("templateBody")?,
        bucket: text("inputFileBucket")?,
        key: text("inputFileKey")?,
        role_arn: text("roleArn")?,
    };
    if input.role_arn.len() < ROLE_CHARS_MIN || !input.role_arn.starts_with("arn:") {
        return Err(invalid(format!("roleArn is not the ARN of a role: {}", input.role_arn)));
    }
    Ok(input)
}

fn description(id: &str, task: &Task) -> Value {
    let mut body = json!({
        "taskId": id,
        "creationDate": time(task.created_ms),
        "lastModifiedDate": time(task.modified_ms),
        "templateBody": task.input.template_body,
        "inputFileBucket": task.input.bucket,
        "inputFileKey": task.input.key,
        "roleArn": task.input.role_arn,
        "status": task.status.as_str(),
        "successCount": task.succeeded,
        "failureCount": task.failed,
        "percentageProgress": task.percent(),
    });
    if let Some(message) = &task.message {
        body["message"] = json!(message);
    }
    body
}
