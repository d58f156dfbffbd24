//! Service Quotas in JSON 1.1: what applies and what AWS's defaults are. A request for an increase is taken and
//! stays pending, as it does on AWS until somebody decides.

use serde_json::{Value, json};

use crate::{
    call::{Call, Reply},
    error::AwsError,
    quota::{Increase, NotTaken, Quota},
    world::World,
};

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
/// The services whose quotas the twin has, by code.
const SERVICES: [(&str, &str); 7] = [
    ("apigateway", "Amazon API Gateway (APIGateway)"),
    ("dynamodb", "Amazon DynamoDB"),
    ("iot", "AWS IoT Device Management"),
    ("iotcore", "AWS IoT Core"),
    ("lambda", "AWS Lambda"),
    ("route53", "Amazon Route 53"),
    ("states", "AWS Step Functions"),
];
/// Nobody decides on a request.
const PENDING: &str = "PENDING";
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
            page(&request, "Services", &SERVICES, |(code, _)| code, service)
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
            quotas(world, &request, |quota| shown(quota, world.quotas.applied(quota, region)))
        }
        "ListAWSDefaultServiceQuotas" => {
            quotas(world, &request, |quota| shown(quota, quota.default_in(region)))
        }
        "RequestServiceQuotaIncrease" => {
            Ok(json!({"RequestedQuota": requested(world, &request_increase(world, region, &request)?)}))
        }
        "ListRequestedServiceQuotaChangeHistory" => {
            // All of them are pending.
            let is_wanted = request["Status"].as_str().is_none_or(|status| status == PENDING);
            let mut all = world.quotas.increases.of(region, request["ServiceCode"].as_str());
            all.retain(|_| is_wanted);
            let show = |increase: &Increase| requested(world, increase);
            page(&request, "RequestedQuotas", &all, |increase| increase.id.as_str(), show)
        }
        other => Err(AwsError::new(
            400,
            "UnknownOperationException",
            format!("The twin does not have the operation {other} of Service Quotas"),
        )),
    }
}

/// Takes a request for more than what applies.
fn request_increase(world: &World, region: &str, request: &Value) -> Result<Increase, AwsError> {
    let quota = find(world, request)?;
    if !quota.adjustable {
        return Err(illegal(format!("{} is not adjustable", quota.name)));
    }
    let applied = world.quotas.applied(quota, region);
    let Some(desired) = request["DesiredValue"].as_f64().filter(|desired| *desired > applied) else {
        return Err(illegal("You must provide a quota value greater than the current quota value"));
    };
    let increase = Increase {
        id: uuid::Uuid::new_v4().simple().to_string(),
        region: region.to_owned(),
        service: quota.service,
        code: quota.code,
        desired,
        created_s: world.clock.now_s(),
    };
    world.quotas.increases.take(increase.clone()).map_err(|why| match why {
        NotTaken::Open => AwsError::new(
            400,
            "ResourceAlreadyExistsException",
            "Only one open service quota increase request is allowed per quota.",
        ),
        NotTaken::Full => {
            AwsError::new(400, "QuotaExceededException", "You have exceeded your service quota")
        }
    })?;
    Ok(increase)
}

/// A request as AWS tells of it.
fn requested(world: &World, increase: &Increase) -> Value {
    let quota = world.quotas.list().iter().find(|quota| quota.code == increase.code);
    let mut body = json!({
        "Id": increase.id,
        "Status": PENDING,
        "ServiceCode": increase.service,
        "ServiceName": service_name(increase.service),
        "QuotaCode": increase.code,
        "QuotaArn": arn(world, &increase.region, increase.service, increase.code),
        "DesiredValue": increase.desired,
        "Created": increase.created_s,
        "LastUpdated": increase.created_s,
        "Requester": json!({"accountId": world.account}).to_string(),
        "GlobalQuota": false,
        "QuotaRequestedAtLevel": "ACCOUNT",
    });
    if let Some(quota) = quota {
        body["QuotaName"] = json!(quota.name);
        body["Unit"] = json!(quota.unit.unwrap_or("None"));
    }
    body
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

fn illegal(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "IllegalArgumentException", message)
}

/// A page of a service's quotas.
fn quotas(world: &World, request: &Value, show: impl Fn(&Quota) -> Value) -> Result<Value, AwsError> {
    let service = request["ServiceCode"].as_str();
    let quotas: Vec<&Quota> =
        world.quotas.list().iter().filter(|q| q.is_listed() && Some(q.service) == service).collect();
    if quotas.is_empty() {
        return Err(AwsError::new(
            400,
            "NoSuchResourceException",
            "The twin has the quotas of apigateway, dynamodb, iot, iotcore, lambda, route53 and states only",
        ));
    }
    page(request, "Quotas", &quotas, |quota| quota.code, |quota| show(quota))
}

/// A page of a list, as the member `member`; the token is the code that the page before ended with.
fn page<T>(
    request: &Value,
    member: &str,
    list: &[T],
    code: impl Fn(&T) -> &str,
    show: impl Fn(&T) -> Value,
) -> Result<Value, AwsError> {
    let size = request["MaxResults"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(PAGE_MAX);
    let size = size.clamp(1, PAGE_MAX);
    let begin = match request["NextToken"].as_str() {
        None => 0,
        Some(token) => list.iter().position(|item| code(item) == token).map(|n| n + 1).ok_or_else(|| {
            AwsError::new(400, "InvalidPaginationTokenException", "The pagination token is not valid")
        })?,
    };
    let end = list.len().min(begin + size);
    let mut body = json!({member: list[begin..end].iter().map(show).collect::<Vec<_>>()});
    if end < list.len() {
        body["NextToken"] = json!(list[begin..end].last().map(code));
    }
    Ok(body)
}

fn service_name(service: &str) -> Option<&'static str> {
    SERVICES.iter().find(|(code, _)| *code == service).map(|(_, name)| *name)
}

fn arn(world: &World, region: &str, service: &str, code: &str) -> String {
    format!("arn:aws:servicequotas:{region}:{}:{service}/{code}", world.account)
}

fn describe(world: &World, quota: &Quota, region: &str, value: f64) -> Value {
    let mut body = json!({
        "ServiceCode": quota.service,
        "ServiceName": service_name(quota.service),
        "QuotaArn": arn(world, region, quota.service, quota.code),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twin::{Twin, TwinConfig};

    async fn ask(operation: &'static str, request: Value) -> Result<Value, AwsError> {
        let twin = Twin::start(TwinConfig { health_checkers: 1, ..TwinConfig::default() }).await.unwrap();
        answer(twin.world(), &Call::json_rpc("us-west-2", "servicequotas", operation, &request))
    }

    #[test]
    fn pages_join_to_the_whole() {
        for size in 1..=SERVICES.len() + 1 {
            let (mut seen, mut request) = (Vec::new(), json!({"MaxResults": size}));
            loop {
                let body = page(&request, "Services", &SERVICES, |(code, _)| code, |(code, _)| json!(code));
                let body = body.unwrap();
                let codes = body["Services"].as_array().unwrap();
                assert!((1..=size).contains(&codes.len()));
                seen.extend(codes.clone());
                match body.get("NextToken") {
                    Some(token) => request["NextToken"] = token.clone(),
                    None => break,
                }
            }
            assert_eq!(seen, SERVICES.map(|(code, _)| json!(code)));
        }
        let request = json!({"NextToken": "none"});
        let refused = page(&request, "Services", &SERVICES, |(code, _)| code, |_| json!(0)).unwrap_err();
        assert_eq!(refused.code, "InvalidPaginationTokenException");
    }

    #[tokio::test]
    async fn only_more_than_there_is_may_be_asked_for() {
        let increase = |value: Value| {
            let request = json!({"ServiceCode": "iotcore", "QuotaCode": "L-64CBACAC", "DesiredValue": value});
            ask("ServiceQuotasV20190624.RequestServiceQuotaIncrease", request)
        };
        assert_eq!(increase(json!(101)).await.unwrap()["RequestedQuota"]["Status"], "PENDING");
        for value in [json!(100), json!(1), Value::Null] {
            assert_eq!(increase(value).await.unwrap_err().code, "IllegalArgumentException");
        }
    }

    #[tokio::test]
    async fn a_request_is_listed_where_it_was_made_and_not_taken_twice() {
        let twin = Twin::start(TwinConfig { health_checkers: 1, ..TwinConfig::default() }).await.unwrap();
        let ask = |region: &'static str, operation: &'static str, request: Value| {
            answer(twin.world(), &Call::json_rpc(region, "servicequotas", operation, &request))
        };
        let more = json!({"ServiceCode": "iotcore", "QuotaCode": "L-AEA1E176", "DesiredValue": 750.0});
        let request = "ServiceQuotasV20190624.RequestServiceQuotaIncrease";
        let taken = ask("us-west-2", request, more.clone()).unwrap();
        let again = ask("us-west-2", request, more).unwrap_err();
        assert_eq!(again.code, "ResourceAlreadyExistsException");
        let listed = |region, of: Value| {
            ask(region, "ServiceQuotasV20190624.ListRequestedServiceQuotaChangeHistory", of).unwrap()
        };
        let all = json!([taken["RequestedQuota"]]);
        assert_eq!(
            listed("us-west-2", json!({"ServiceCode": "iotcore", "Status": "PENDING"}))["RequestedQuotas"],
            all
        );
        for (region, of) in [
            ("us-east-1", json!({})),
            ("us-west-2", json!({"ServiceCode": "iot"})),
            ("us-west-2", json!({"Status": "APPROVED"})),
        ] {
            assert_eq!(listed(region, of)["RequestedQuotas"], json!([]));
        }
    }
}
