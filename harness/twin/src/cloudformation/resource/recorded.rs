//! Types that exist in CloudFormation only: IAM, which the twin does not enforce, log groups, alarms and topics. They have
//! names, ARNs and attributes, and their names are taken once in a Region, but no API lists them and nothing acts on them.

use serde_json::{Value as Json, json};

use super::{Failure, Job, Made};

/// Reserves the name.
pub(super) fn create(job: &Job<'_>, properties: &Json) -> Result<Made, Failure> {
    let id = match job.kind {
        "AWS::IAM::Role" => job.name(properties, "RoleName", 64),
        "AWS::IAM::Policy" => {
            let mut id: String = format!("{}-{}", job.stack_name, job.logical).chars().take(16).collect();
            id.push('-');
            id + &super::suffix()
        }
        "AWS::IAM::ManagedPolicy" => {
            let name = job.name(properties, "ManagedPolicyName", 128);
            format!("arn:aws:iam::{}:policy{}{name}", job.account(), path(properties))
        }
        "AWS::Logs::LogGroup" => job.name(properties, "LogGroupName", 512),
        "AWS::CloudWatch::Alarm" => job.name(properties, "AlarmName", 255),
        "AWS::SNS::Topic" => job.arn("sns", &job.name(properties, "TopicName", 256)),
        // A URL on AWS too: something to refer to that does nothing by itself.
        "AWS::CloudFormation::WaitConditionHandle" => {
            format!("{}/_twin/cloudformation/{}", job.world.api_url, uuid::Uuid::new_v4())
        }
        other => return Err(Failure::new(format!("The twin does not make resources of type {other}"))),
    };
    let is_new = job.world.cloudformation.store.lock().recorded.insert(key(job, &id));
    if !is_new {
        let name = id.rsplit(['/', ':']).next().unwrap_or_default();
        return Err(Failure::new(format!(
            "Resource handler returned message: \"{name} already exists\" (HandlerErrorCode: AlreadyExists)"
        )));
    }
    Ok(made(job, &id, properties))
}

pub(super) fn made(job: &Job<'_>, id: &str, properties: &Json) -> Made {
    match job.kind {
        "AWS::IAM::Role" => {
            let arn = format!("arn:aws:iam::{}:role{}{id}", job.account(), path(properties));
            Made::new(id, [("Arn", json!(arn)), ("RoleId", json!(role_id(&arn)))])
        }
        "AWS::IAM::Policy" => Made::new(id, [("Id", json!(id))]),
        "AWS::IAM::ManagedPolicy" => Made::new(id, [("PolicyArn", json!(id))]),
        "AWS::Logs::LogGroup" => {
            Made::new(id, [("Arn", json!(job.arn("logs", &format!("log-group:{id}:*"))))])
        }
        "AWS::CloudWatch::Alarm" => {
            Made::new(id, [("Arn", json!(job.arn("cloudwatch", &format!("alarm:{id}"))))])
        }
        "AWS::SNS::Topic" => {
            let name = id.rsplit(':').next().unwrap_or_default();
            Made::new(id, [("TopicArn", json!(id)), ("TopicName", json!(name))])
        }
        _ => Made::new(id, []),
    }
}

pub(super) fn delete(job: &Job<'_>, id: &str) {
    job.world.cloudformation.store.lock().recorded.remove(&key(job, id));
}

fn path(properties: &Json) -> &str {
    properties["Path"].as_str().unwrap_or("/")
}

/// IAM is global: its names are taken in every Region.
fn key(job: &Job<'_>, id: &str) -> (String, String, String) {
    let region = if job.kind.starts_with("AWS::IAM::") { "" } else { job.region };
    (region.to_owned(), job.kind.to_owned(), id.to_owned())
}

/// A role's id: always the same for an ARN, so that an update in place does not change it.
fn role_id(arn: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, arn.as_bytes());
    let chars =
        digest.as_ref().iter().take(17).map(|b| char::from(super::SUFFIX_ALPHABET[usize::from(*b) % 36]));
    std::iter::once("AROA".to_owned()).chain(chars.map(String::from)).collect()
}
