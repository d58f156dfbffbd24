//! The types of `AWS::IoT`.

use std::time::Duration;

use axum::http::Method;
use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::{Failure, Job, Made, camel, document, own_tags, required, segment, text, typed};
use crate::cloudformation::client::Rest;

/// AWS keeps this many versions of a policy.
const VERSIONS_MAX: usize = 5;
/// A thing type is deleted five minutes after it was deprecated, and CloudFormation waits for it.
const TYPE_TRIES_MAX: u32 = 70;
const TYPE_WAIT: Duration = Duration::from_secs(5);
const TYPED: &[&str] = &["RuleDisabled", "UseBase64", "Qos", "BatchMode", "DeprecateThingType"];

async fn call(job: &Job<'_>, method: Method, path: &str, body: &Json) -> Result<Json, Failure> {
    job.client().rest("iot", method, path, body).await
}

async fn send(job: &Job<'_>, method: Method, path: &str, rest: Rest<'_>) -> Result<(), Failure> {
    job.client().send("iot", method, path, rest).await.map(drop)
}

pub(super) async fn create(job: &Job<'_>, properties: &Json) -> Result<Made, Failure> {
    match job.kind {
        "AWS::IoT::Thing" => {
            let name = job.name(properties, "ThingName", 128);
            let body = attributes(properties);
            call(job, Method::POST, &format!("/things/{}", segment(&name)), &body).await?;
            thing(job, &name).await
        }
        "AWS::IoT::ThingType" => {
            let name = job.name(properties, "ThingTypeName", 128);
            let mut body = json!({"thingTypeProperties": camel(&properties["ThingTypeProperties"], &[])});
            body["tags"] = tags(properties);
            call(job, Method::POST, &format!("/thing-types/{}", segment(&name)), &body).await?;
            deprecate(job, &name, &json!({}), properties).await.map_err(|f| f.leaving(&name))?;
            thing_type(job, &name).await
        }
        "AWS::IoT::Policy" => {
            let name = job.name(properties, "PolicyName", 128);
            let body =
                json!({"policyDocument": document(&properties["PolicyDocument"]), "tags": tags(properties)});
            let made = call(job, Method::POST, &format!("/policies/{}", segment(&name)), &body).await?;
            Ok(Made::new(name.clone(), [("Arn", made["policyArn"].clone()), ("Id", json!(name))]))
        }
        "AWS::IoT::TopicRule" => {
            // Names of rules have no dashes.
            let name = job.name(properties, "RuleName", 128);
            let name = if properties["RuleName"].is_null() { name.replace('-', "_") } else { name };
            let tags: Vec<String> = own_tags(&properties["Tags"])
                .iter()
                .map(|(key, value)| format!("{}={}", segment(key), segment(value)))
                .collect();
            let tags = tags.join("&");
            let headers = [("x-amz-tagging", tags.as_str())];
            let headers = if tags.is_empty() { &headers[..0] } else { &headers[..] };
            let rest =
                Rest { headers, body: Bytes::from(payload(properties).to_string()), ..Rest::default() };
            send(job, Method::POST, &format!("/rules/{}", segment(&name)), rest).await?;
            Ok(rule(job, &name))
        }
        "AWS::IoT::Certificate" => certificate(job, properties).await,
        "AWS::IoT::ThingPrincipalAttachment" => {
            let (thing, principal) = (required(properties, "ThingName")?, required(properties, "Principal")?);
            attach_thing(job, Method::PUT, &thing, &principal).await?;
            Ok(Made::new(format!("{}-{}-{}", job.stack_name, job.logical, super::suffix()), []))
        }
        "AWS::IoT::PolicyPrincipalAttachment" => {
            let (policy, principal) =
                (required(properties, "PolicyName")?, required(properties, "Principal")?);
            let path = format!("/target-policies/{}", segment(&policy));
            call(job, Method::PUT, &path, &json!({"target": principal})).await?;
            Ok(Made::new(format!("{}-{}-{}", job.stack_name, job.logical, super::suffix()), []))
        }
        other => Err(Failure::new(format!("The twin does not make resources of type {other}"))),
    }
}

fn attributes(properties: &Json) -> Json {
    let attributes = &properties["AttributePayload"]["Attributes"];
    if attributes.is_null() { json!({}) } else { json!({"attributePayload": {"attributes": attributes}}) }
}

fn tags(properties: &Json) -> Json {
    own_tags(&properties["Tags"]).iter().map(|(k, v)| json!({"Key": k, "Value": v})).collect()
}

/// A rule as the API takes it. Headers of a republish are the only maps in it, and their keys are AWS's.
fn payload(properties: &Json) -> Json {
    camel(&typed(properties["TopicRulePayload"].clone(), TYPED), &[])
}

fn rule(job: &Job<'_>, name: &str) -> Made {
    Made::new(name, [("Arn", json!(job.arn("iot", &format!("rule/{name}"))))])
}

async fn thing(job: &Job<'_>, name: &str) -> Result<Made, Failure> {
    let thing = call(job, Method::GET, &format!("/things/{}", segment(name)), &Json::Null).await?;
    Ok(Made::new(name, [("Arn", thing["thingArn"].clone()), ("Id", thing["thingId"].clone())]))
}

async fn thing_type(job: &Job<'_>, name: &str) -> Result<Made, Failure> {
    let found = call(job, Method::GET, &format!("/thing-types/{}", segment(name)), &Json::Null).await?;
    Ok(Made::new(name, [("Arn", found["thingTypeArn"].clone()), ("Id", found["thingTypeId"].clone())]))
}

async fn deprecate(job: &Job<'_>, name: &str, old: &Json, new: &Json) -> Result<(), Failure> {
    let flag = |properties: &Json| text(&properties["DeprecateThingType"]).is_some_and(|flag| flag == "true");
    if flag(old) == flag(new) {
        return Ok(());
    }
    let body = json!({"undoDeprecate": !flag(new)});
    call(job, Method::POST, &format!("/thing-types/{}/deprecate", segment(name)), &body).await.map(drop)
}

async fn attach_thing(job: &Job<'_>, method: Method, thing: &str, principal: &str) -> Result<(), Failure> {
    let rest = Rest { headers: &[("x-amzn-principal", principal)], ..Rest::default() };
    send(job, method, &format!("/things/{}/principals", segment(thing)), rest).await
}

async fn certificate(job: &Job<'_>, properties: &Json) -> Result<Made, Failure> {
    let status = required(properties, "Status")?;
    let pem = text(&properties["CertificatePem"]);
    let (path, body) = match (text(&properties["CertificateSigningRequest"]), pem) {
        (Some(csr), _) => ("/certificates", json!({"certificateSigningRequest": csr})),
        (None, Some(pem)) if properties["CertificateMode"] == "SNI_ONLY" => {
            ("/certificate/register-no-ca", json!({"certificatePem": pem, "status": status}))
        }
        (None, Some(pem)) => {
            let mut body = json!({"certificatePem": pem, "status": status});
            if let Some(ca) = text(&properties["CACertificatePem"]) {
                body["caCertificatePem"] = json!(ca);
            }
            ("/certificate/register", body)
        }
        (None, None) => {
            return Err(Failure::new("Either CertificateSigningRequest or CertificatePem must be given"));
        }
    };
    let made = call(job, Method::POST, path, &body).await?;
    let id = text(&made["certificateId"]).unwrap_or_default();
    set_status(job, &id, &status).await.map_err(|failure| failure.leaving(&id))?;
    Ok(Made::new(id.clone(), [("Arn", made["certificateArn"].clone()), ("Id", json!(id))]))
}

async fn set_status(job: &Job<'_>, id: &str, status: &str) -> Result<(), Failure> {
    let rest = Rest { query: &[("newStatus", status)], ..Rest::default() };
    send(job, Method::PUT, &format!("/certificates/{id}"), rest).await
}

pub(super) async fn update(job: &Job<'_>, id: &str, old: &Json, new: &Json) -> Result<Made, Failure> {
    match job.kind {
        "AWS::IoT::Thing" => {
            let attributes = &new["AttributePayload"]["Attributes"];
            let attributes = if attributes.is_null() { json!({}) } else { attributes.clone() };
            let body = json!({"attributePayload": {"attributes": attributes, "merge": false}});
            call(job, Method::PATCH, &format!("/things/{}", segment(id)), &body).await?;
            thing(job, id).await
        }
        "AWS::IoT::ThingType" => {
            deprecate(job, id, old, new).await?;
            thing_type(job, id).await
        }
        "AWS::IoT::Policy" => {
            set_policy(job, id, old, new).await?;
            let arn = job.arn("iot", &format!("policy/{id}"));
            Ok(Made::new(id, [("Arn", json!(arn)), ("Id", json!(id))]))
        }
        "AWS::IoT::TopicRule" => {
            call(job, Method::PATCH, &format!("/rules/{}", segment(id)), &payload(new)).await?;
            Ok(rule(job, id))
        }
        _ => {
            set_status(job, id, &required(new, "Status")?).await?;
            let arn = job.arn("iot", &format!("cert/{id}"));
            Ok(Made::new(id, [("Arn", json!(arn)), ("Id", json!(id))]))
        }
    }
}

/// Makes the document the default version, and room for it first.
async fn set_policy(job: &Job<'_>, name: &str, old: &Json, new: &Json) -> Result<(), Failure> {
    if old["PolicyDocument"] == new["PolicyDocument"] {
        return Ok(());
    }
    let path = format!("/policies/{}/version", segment(name));
    let versions = policy_versions(job, name).await?;
    if versions.len() >= VERSIONS_MAX
        && let Some(oldest) = versions.iter().rev().find(|v| v["isDefaultVersion"] != true)
    {
        let id = text(&oldest["versionId"]).unwrap_or_default();
        call(job, Method::DELETE, &format!("{path}/{id}"), &Json::Null).await?;
    }
    let rest = Rest {
        query: &[("setAsDefault", "true")],
        body: Bytes::from(json!({"policyDocument": document(&new["PolicyDocument"])}).to_string()),
        ..Rest::default()
    };
    send(job, Method::POST, &path, rest).await
}

/// The newest first.
async fn policy_versions(job: &Job<'_>, name: &str) -> Result<Vec<Json>, Failure> {
    let path = format!("/policies/{}/version", segment(name));
    let answer = call(job, Method::GET, &path, &Json::Null).await?;
    Ok(answer["policyVersions"].as_array().cloned().unwrap_or_default())
}

pub(super) async fn delete(job: &Job<'_>, id: &str, properties: &Json) -> Result<(), Failure> {
    match job.kind {
        "AWS::IoT::Thing" => {
            call(job, Method::DELETE, &format!("/things/{}", segment(id)), &Json::Null).await.map(drop)
        }
        "AWS::IoT::ThingType" => delete_type(job, id).await,
        "AWS::IoT::Policy" => {
            for version in policy_versions(job, id).await? {
                if version["isDefaultVersion"] != true {
                    let number = text(&version["versionId"]).unwrap_or_default();
                    let path = format!("/policies/{}/version/{number}", segment(id));
                    call(job, Method::DELETE, &path, &Json::Null).await?;
                }
            }
            call(job, Method::DELETE, &format!("/policies/{}", segment(id)), &Json::Null).await.map(drop)
        }
        "AWS::IoT::TopicRule" => {
            call(job, Method::DELETE, &format!("/rules/{}", segment(id)), &Json::Null).await.map(drop)
        }
        "AWS::IoT::ThingPrincipalAttachment" => {
            let (thing, principal) = (required(properties, "ThingName")?, required(properties, "Principal")?);
            attach_thing(job, Method::DELETE, &thing, &principal).await
        }
        "AWS::IoT::PolicyPrincipalAttachment" => {
            let (policy, principal) =
                (required(properties, "PolicyName")?, required(properties, "Principal")?);
            let path = format!("/target-policies/{}", segment(&policy));
            call(job, Method::POST, &path, &json!({"target": principal})).await.map(drop)
        }
        _ => {
            set_status(job, id, "INACTIVE").await?;
            call(job, Method::DELETE, &format!("/certificates/{id}"), &Json::Null).await.map(drop)
        }
    }
}

async fn delete_type(job: &Job<'_>, name: &str) -> Result<(), Failure> {
    let path = format!("/thing-types/{}", segment(name));
    call(job, Method::POST, &format!("{path}/deprecate"), &json!({})).await?;
    let mut failed = None;
    for _ in 0..TYPE_TRIES_MAX {
        match call(job, Method::DELETE, &path, &Json::Null).await {
            Err(failure) if failure.code == "InvalidRequestException" => failed = Some(failure),
            other => return other.map(drop),
        }
        tokio::time::sleep(TYPE_WAIT).await;
    }
    Err(failed.unwrap_or_else(|| Failure::new("The thing type could not be deleted")))
}
