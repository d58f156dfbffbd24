//! The types of `AWS::ApiGateway`: REST APIs.

use axum::http::Method;
use serde_json::{Value as Json, json};

use super::{Failure, Job, Made, camel, document, own_tags, picked, required, segment, text, typed};
use crate::cloudformation::change_set::changed;

const TYPED: &[&str] = &[
    "ApiKeyRequired",
    "BurstLimit",
    "DisableExecuteApiEndpoint",
    "Enabled",
    "GenerateDistinctId",
    "Limit",
    "Offset",
    "RateLimit",
    "TimeoutInMillis",
    "TracingEnabled",
    "ValidateRequestBody",
    "ValidateRequestParameters",
];
/// Maps whose keys are not names of members.
const MAPS: &[&str] = &[
    "RequestModels",
    "RequestParameters",
    "RequestTemplates",
    "ResponseModels",
    "ResponseParameters",
    "ResponseTemplates",
    "Variables",
];

async fn call(job: &Job<'_>, method: Method, path: &str, body: &Json) -> Result<Json, Failure> {
    job.client().rest("apigateway", method, path, body).await
}

/// Members of these names as the API has them.
fn members(properties: &Json, names: &[&str]) -> Json {
    camel(&typed(picked(properties, names), TYPED), MAPS)
}

/// Under which path the resources of an API are, by the property that names the API.
fn api(properties: &Json) -> Result<String, Failure> {
    Ok(format!("/restapis/{}", segment(&required(properties, "RestApiId")?)))
}

fn id(answer: &Json) -> String {
    text(&answer["id"]).unwrap_or_default()
}

pub(super) async fn create(job: &Job<'_>, properties: &Json) -> Result<Made, Failure> {
    match job.kind {
        "AWS::ApiGateway::RestApi" => {
            let names = [
                "ApiKeySourceType",
                "BinaryMediaTypes",
                "Description",
                "DisableExecuteApiEndpoint",
                "EndpointConfiguration",
                "MinimumCompressionSize",
                "Name",
            ];
            let mut body = members(properties, &names);
            // The one member that the two name differently.
            if let Some(source) = body.as_object_mut().and_then(|map| map.remove("apiKeySourceType")) {
                body["apiKeySource"] = source;
            }
            if let Some(policy) = properties.get("Policy") {
                body["policy"] = json!(document(policy));
            }
            body["tags"] = json!(own_tags(&properties["Tags"]));
            let id = id(&call(job, Method::POST, "/restapis", &body).await?);
            rest_api(job, &id).await.map_err(|failure| failure.leaving(&id))
        }
        "AWS::ApiGateway::Resource" => {
            let path =
                format!("{}/resources/{}", api(properties)?, segment(&required(properties, "ParentId")?));
            let made = call(job, Method::POST, &path, &members(properties, &["PathPart"])).await?;
            Ok(Made::new(id(&made), [("ResourceId", made["id"].clone())]))
        }
        "AWS::ApiGateway::Method" => {
            let name = format!("{}-{}-{}", job.stack_name, job.logical, super::suffix());
            put_method(job, properties).await.map_err(|failure| failure.leaving(&name))?;
            Ok(Made::new(name, []))
        }
        "AWS::ApiGateway::Deployment" => {
            let path = format!("{}/deployments", api(properties)?);
            let body = members(properties, &["Description", "StageName"]);
            let made = call(job, Method::POST, &path, &body).await?;
            Ok(Made::new(id(&made), [("DeploymentId", made["id"].clone())]))
        }
        "AWS::ApiGateway::Stage" => {
            let mut body =
                members(properties, &["DeploymentId", "Description", "TracingEnabled", "Variables"]);
            let name = text(&properties["StageName"]).unwrap_or_else(|| "default".to_owned());
            body["stageName"] = json!(name);
            call(job, Method::POST, &format!("{}/stages", api(properties)?), &body).await?;
            Ok(Made::new(name, []))
        }
        "AWS::ApiGateway::ApiKey" => {
            let names = ["Description", "Enabled", "GenerateDistinctId", "Value", "StageKeys", "CustomerId"];
            let mut body = members(properties, &names);
            body["name"] = json!(job.name(properties, "Name", 128));
            let made = call(job, Method::POST, "/apikeys", &body).await?;
            Ok(Made::new(id(&made), [("APIKeyId", made["id"].clone())]))
        }
        "AWS::ApiGateway::UsagePlan" => {
            let mut body = members(properties, &["ApiStages", "Description", "Quota", "Throttle"]);
            body["name"] = json!(job.name(properties, "UsagePlanName", 128));
            let made = call(job, Method::POST, "/usageplans", &body).await?;
            Ok(Made::new(id(&made), [("Id", made["id"].clone())]))
        }
        "AWS::ApiGateway::UsagePlanKey" => {
            let plan = required(properties, "UsagePlanId")?;
            let body = members(properties, &["KeyId", "KeyType"]);
            let made =
                call(job, Method::POST, &format!("/usageplans/{}/keys", segment(&plan)), &body).await?;
            let name = format!("{}:{plan}", id(&made));
            Ok(Made::new(name.clone(), [("Id", json!(name))]))
        }
        "AWS::ApiGateway::RequestValidator" => {
            let names = ["Name", "ValidateRequestBody", "ValidateRequestParameters"];
            let path = format!("{}/requestvalidators", api(properties)?);
            let made = call(job, Method::POST, &path, &members(properties, &names)).await?;
            Ok(Made::new(id(&made), [("RequestValidatorId", made["id"].clone())]))
        }
        other => Err(Failure::new(format!("The twin does not make resources of type {other}"))),
    }
}

async fn rest_api(job: &Job<'_>, id: &str) -> Result<Made, Failure> {
    let found = call(job, Method::GET, &format!("/restapis/{id}/resources"), &Json::Null).await?;
    // botocore reads the list as `item`; the API's own word for it.
    let items = found["item"].as_array().or_else(|| found["items"].as_array());
    let root = items.into_iter().flatten().find(|resource| resource["path"] == "/");
    let root = root.map(|resource| resource["id"].clone()).unwrap_or_default();
    Ok(Made::new(id, [("RestApiId", json!(id)), ("RootResourceId", root)]))
}

fn method_path(properties: &Json) -> Result<String, Failure> {
    let (resource, method) = (required(properties, "ResourceId")?, required(properties, "HttpMethod")?);
    Ok(format!("{}/resources/{}/methods/{}", api(properties)?, segment(&resource), segment(&method)))
}

/// A method with its integration and responses.
async fn put_method(job: &Job<'_>, properties: &Json) -> Result<(), Failure> {
    let path = method_path(properties)?;
    let names = [
        "ApiKeyRequired",
        "AuthorizationScopes",
        "AuthorizationType",
        "AuthorizerId",
        "OperationName",
        "RequestModels",
        "RequestParameters",
        "RequestValidatorId",
    ];
    let mut body = members(properties, &names);
    if body.get("authorizationType").is_none() {
        body["authorizationType"] = json!("NONE");
    }
    call(job, Method::PUT, &path, &body).await?;
    for response in properties["MethodResponses"].as_array().into_iter().flatten() {
        let status = required(response, "StatusCode")?;
        let body = members(response, &["ResponseModels", "ResponseParameters"]);
        call(job, Method::PUT, &format!("{path}/responses/{status}"), &body).await?;
    }
    let integration = &properties["Integration"];
    if integration.is_null() {
        return Ok(());
    }
    let names = [
        "CacheKeyParameters",
        "CacheNamespace",
        "ConnectionId",
        "ConnectionType",
        "ContentHandling",
        "Credentials",
        "PassthroughBehavior",
        "RequestParameters",
        "RequestTemplates",
        "TimeoutInMillis",
        "Type",
        "Uri",
    ];
    let mut body = members(integration, &names);
    if let Some(method) = integration.get("IntegrationHttpMethod") {
        body["httpMethod"] = method.clone();
    }
    call(job, Method::PUT, &format!("{path}/integration"), &body).await?;
    for response in integration["IntegrationResponses"].as_array().into_iter().flatten() {
        let status = required(response, "StatusCode")?;
        let names = ["ContentHandling", "ResponseParameters", "ResponseTemplates", "SelectionPattern"];
        let path = format!("{path}/integration/responses/{status}");
        call(job, Method::PUT, &path, &members(response, &names)).await?;
    }
    Ok(())
}

/// Properties, and the paths by which a patch changes them.
type Patches = &'static [(&'static str, &'static str)];

/// Where a resource is, and the properties that a patch can change with their paths.
fn patched(job: &Job<'_>, id: &str, properties: &Json) -> Result<(String, Patches), Failure> {
    let id = segment(id);
    Ok(match job.kind {
        "AWS::ApiGateway::RestApi" => {
            (format!("/restapis/{id}"), &[("Name", "/name"), ("Description", "/description")])
        }
        "AWS::ApiGateway::Deployment" => {
            (format!("{}/deployments/{id}", api(properties)?), &[("Description", "/description")])
        }
        "AWS::ApiGateway::Stage" => (
            format!("{}/stages/{id}", api(properties)?),
            &[("DeploymentId", "/deploymentId"), ("Description", "/description")],
        ),
        "AWS::ApiGateway::ApiKey" => {
            (format!("/apikeys/{id}"), &[("Description", "/description"), ("Enabled", "/enabled")])
        }
        "AWS::ApiGateway::UsagePlan" => {
            (format!("/usageplans/{id}"), &[("Description", "/description"), ("UsagePlanName", "/name")])
        }
        "AWS::ApiGateway::RequestValidator" => (
            format!("{}/requestvalidators/{id}", api(properties)?),
            &[
                ("ValidateRequestBody", "/validateRequestBody"),
                ("ValidateRequestParameters", "/validateRequestParameters"),
            ],
        ),
        "AWS::ApiGateway::Resource" => (format!("{}/resources/{id}", api(properties)?), &[]),
        _ => {
            let (plan, key) = (required(properties, "UsagePlanId")?, required(properties, "KeyId")?);
            (format!("/usageplans/{}/keys/{}", segment(&plan), segment(&key)), &[])
        }
    })
}

pub(super) async fn update(job: &Job<'_>, id: &str, old: &Json, new: &Json) -> Result<Made, Failure> {
    if job.kind == "AWS::ApiGateway::Method" {
        call(job, Method::DELETE, &method_path(old)?, &Json::Null).await?;
        put_method(job, new).await?;
        return Ok(Made::new(id, []));
    }
    let (path, table) = patched(job, id, new)?;
    let mut operations = Vec::new();
    for name in changed(old, new) {
        let Some((_, at)) = table.iter().find(|(property, _)| *property == name) else {
            return Err(Failure::new(format!("The twin cannot change {name} of {} in place", job.kind)));
        };
        let value = text(&new[name.as_str()]).unwrap_or_default();
        operations.push(json!({"op": "replace", "path": at, "value": value}));
    }
    call(job, Method::PATCH, &path, &json!({"patchOperations": operations})).await?;
    Ok(match job.kind {
        "AWS::ApiGateway::RestApi" => rest_api(job, id).await?,
        "AWS::ApiGateway::Deployment" => Made::new(id, [("DeploymentId", json!(id))]),
        "AWS::ApiGateway::ApiKey" => Made::new(id, [("APIKeyId", json!(id))]),
        "AWS::ApiGateway::UsagePlan" => Made::new(id, [("Id", json!(id))]),
        "AWS::ApiGateway::RequestValidator" => Made::new(id, [("RequestValidatorId", json!(id))]),
        _ => Made::new(id, []),
    })
}

pub(super) async fn delete(job: &Job<'_>, id: &str, properties: &Json) -> Result<(), Failure> {
    if job.kind == "AWS::ApiGateway::Method" {
        return call(job, Method::DELETE, &method_path(properties)?, &Json::Null).await.map(drop);
    }
    let (path, _) = patched(job, id, properties)?;
    if job.kind == "AWS::ApiGateway::UsagePlan" {
        // A plan that still has stages cannot be deleted.
        for stage in properties["ApiStages"].as_array().into_iter().flatten() {
            let value = format!("{}:{}", required(stage, "ApiId")?, required(stage, "Stage")?);
            let body = json!({"patchOperations": [{"op": "remove", "path": "/apiStages", "value": value}]});
            call(job, Method::PATCH, &path, &body).await?;
        }
    }
    call(job, Method::DELETE, &path, &Json::Null).await.map(drop)
}
