//! Service Quotas in JSON 1.1: what applies and what AWS's defaults are. A request for an increase is taken and
//! stays pending, as it does on AWS until somebody decides.

use serde_json::{Value, json};

use crate::{
    call::{Call, Reply},
    error::AwsError,
    quota::Quota,
    world::World,
};

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
/// The services whose quotas the twin has, by code.
const SERVICES: [(&str, &str); 5] = [
    ("iot", "AWS IoT Device Management"),
    ("iotcore", "AWS IoT Core"),
    ("lambda", "AWS Lambda"),
    ("route53", "Amazon Route 53"),
    ("states", "AWS Step Functions"),
];
/// AWS's largest page.
const PAGE_MAX: usize = 100;

pub(super) fn handle(world: &World, call: &Call) -> Reply {
    match answer(world, call) {
        Ok(body) => Reply::raw(200, CONTENT_TYPE, body.to_string()),
        Err(error) => error_reply(&error),
    }
}

/// An error as Service Quotas writes it.
pub(super) fn error_reply(error: &AwsError) -> Reply {
    let body = json!({"__type": error.code, "message": error.message});
    Reply::raw(error.status, CONTENT_TYPE, body.to_string())
}

fn answer(world: &World, call: &Call) -> Result<Value, AwsError> {
    let request = call.json()?;
    let operation = call.target().unwrap_or_default();
    let region = call.region.as_str();
    let shown = |quota: &Quota, value: f64| describe(world, quota, region, value);
    match operation {
        "ListServices" => {
            let service = |(code, name): &(&str, &str)| json!({"ServiceCode": code, "ServiceName": name});
            Ok(json!({"Services": SERVICES.iter().map(service).collect::<Vec<_>>()}))
        }
        "GetServiceQuota" => {
            let quota = find(world, &request)?;
            Ok(json!({"Quota": shown(quota, world.quotas.applied(quota, region))}))
        }
        "GetAWSDefaultServiceQuota" => {
            let quota = find(world, &request)?;
            Ok(json!({"Quota": shown(quota, quota.default_in(region))}))
        }
        "ListServiceQuotas" => {
            page(world, &request, |quota| shown(quota, world.quotas.applied(quota, region)))
        }
        "ListAWSDefaultServiceQuotas" => {
            page(world, &request, |quota| shown(quota, quota.default_in(region)))
        }
        "RequestServiceQuotaIncrease" => {
            let quota = find(world, &request)?;
            if !quota.adjustable {
                return Err(AwsError::new(
                    400,
                    "IllegalArgumentException",
                    format!("{} is not adjustable", quota.name),
                ));
            }
            Ok(json!({"RequestedQuota": {
                "Id": uuid::Uuid::new_v4().simple().to_string(), "Status": "PENDING",
                "ServiceCode": quota.service, "QuotaCode": quota.code, "QuotaName": quota.name,
                "DesiredValue": request["DesiredValue"], "Created": world.clock.now_s(),
            }}))
        }
        other => Err(AwsError::new(
            400,
            "UnknownOperationException",
            format!("The twin does not have the operation {other} of Service Quotas"),
        )),
    }
}

fn find<'a>(world: &'a World, request: &Value) -> Result<&'a Quota, AwsError> {
    let (service, code) = (request["ServiceCode"].as_str(), request["QuotaCode"].as_str());
    world
        .quotas
        .list()
        .iter()
        .find(|quota| quota.is_listed() && Some(quota.service) == service && Some(quota.code) == code)
        .ok_or_else(|| {
            AwsError::new(
                400,
                "NoSuchResourceException",
                "The request failed because the specified quota does not exist",
            )
        })
}

/// A page of a service's quotas; the token is the code that the page before ended with.
fn page(world: &World, request: &Value, show: impl Fn(&Quota) -> Value) -> Result<Value, AwsError> {
    let service = request["ServiceCode"].as_str();
    let quotas: Vec<&Quota> =
        world.quotas.list().iter().filter(|q| q.is_listed() && Some(q.service) == service).collect();
    if quotas.is_empty() {
        return Err(AwsError::new(
            400,
            "NoSuchResourceException",
            "The twin has the quotas of iot, iotcore, lambda, route53 and states only",
        ));
    }
    let size = request["MaxResults"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(PAGE_MAX);
    let size = size.clamp(1, PAGE_MAX);
    let begin = match request["NextToken"].as_str() {
        None => 0,
        Some(token) => quotas.iter().position(|q| q.code == token).map(|n| n + 1).ok_or_else(|| {
            AwsError::new(400, "InvalidPaginationTokenException", "The pagination token is not valid")
        })?,
    };
    let items: Vec<&&Quota> = quotas.iter().skip(begin).take(size).collect();
    let next = (begin + items.len() < quotas.len()).then(|| items.last().map(|q| q.code)).flatten();
    let mut body = json!({"Quotas": items.iter().map(|q| show(q)).collect::<Vec<_>>()});
    if let Some(next) = next {
        body["NextToken"] = json!(next);
    }
    Ok(body)
}

fn describe(world: &World, quota: &Quota, region: &str, value: f64) -> Value {
    let mut body = json!({
        "ServiceCode": quota.service,
        "ServiceName": SERVICES.iter().find(|(code, _)| *code == quota.service).map(|(_, name)| name),
        "QuotaArn": format!("arn:aws:servicequotas:{region}:{}:{}/{}", world.account, quota.service, quota.code),
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "Value": value,
        "Unit": quota.unit.unwrap_or("None"),
        "Adjustable": quota.adjustable,
        "GlobalQuota": false,
    });
    if quota.operation().is_some() {
        body["Period"] = json!({"PeriodValue": 1, "PeriodUnit": "SECOND"});
    }
    body
}
