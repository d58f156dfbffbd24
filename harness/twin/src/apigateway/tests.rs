//! An API as the archived solution builds its health check, and requests to it over TLS.

use std::sync::Arc;

use axum::http::{HeaderMap, Method};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value as Json, json};

use super::*;
use crate::{
    Twin, TwinConfig,
    call::{Call, Reply},
    error::AwsError,
    lambda::{self, zip_of},
    world::World,
};

const REGION: &str = "us-east-1";
const BOOTSTRAP: &[u8] = br#"#!/usr/bin/env python3
import http.client, json, os, time
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
base = "/2018-06-01/runtime/invocation/"
while True:
    api.request("GET", base + "next")
    reply = api.getresponse()
    event = json.loads(reply.read())
    id = reply.headers["Lambda-Runtime-Aws-Request-Id"]
    do = (event["queryStringParameters"] or {}).get("hashme")
    if do == "slow":
        time.sleep(1)
    if do == "fail":
        api.request("POST", base + id + "/error", b'{"errorType":"Mine","errorMessage":"no"}')
    elif do == "odd":
        api.request("POST", base + id + "/response", b'{"ok":true}')
    else:
        answer = {"statusCode": 201, "headers": {"Cache-Control": "no-store"}, "body": json.dumps(event)}
        api.request("POST", base + id + "/response", json.dumps(answer))
    api.getresponse().read()
"#;

async fn ask(
    world: &Arc<World>,
    service: &str,
    method: Method,
    path: &str,
    body: Json,
) -> Result<Json, AwsError> {
    let call = Call {
        method,
        raw_path: path.to_owned(),
        query: Vec::new(),
        headers: HeaderMap::new(),
        body: body.to_string().into(),
        region: REGION.to_owned(),
        service: service.to_owned(),
    };
    let reply = match service {
        "lambda" => lambda::handle(world, &call).await?,
        _ => handle(world, &call)?,
    };
    Ok(serde_json::from_slice(&reply.body).unwrap_or_default())
}

/// An API with `GET /r53/health-check` at the stage `v1`. Its id, its root and the method's path.
async fn build(world: &Arc<World>, key_required: bool) -> (String, String) {
    let zip = STANDARD.encode(zip_of("bootstrap", BOOTSTRAP, 0o755));
    let function = json!({"FunctionName": "f", "Runtime": "provided.al2023", "Handler": "x", "Role": "r",
                          "Timeout": 20, "Code": {"ZipFile": zip}});
    let function = ask(world, "lambda", Method::POST, "/2015-03-31/functions", function).await.unwrap();
    let post = |path: String, body| async move { ask(world, "", Method::POST, &path, body).await.unwrap() };
    let put = |path: String, body| async move { ask(world, "", Method::PUT, &path, body).await.unwrap() };
    let api = post("/restapis".to_owned(), json!({"name": "health"})).await;
    let id = api["id"].as_str().unwrap().to_owned();
    let base = format!("/restapis/{id}");
    let part = json!({"pathPart": "r53"});
    let above = post(format!("{base}/resources/{}", api["rootResourceId"].as_str().unwrap()), part).await;
    let part = json!({"pathPart": "health-check"});
    let resource = post(format!("{base}/resources/{}", above["id"].as_str().unwrap()), part).await;
    assert_eq!(resource["path"], "/r53/health-check");
    let validator = json!({"name": "v", "validateRequestParameters": true});
    let validator = post(format!("{base}/requestvalidators"), validator).await;
    let method = format!("{base}/resources/{}/methods/GET", resource["id"].as_str().unwrap());
    let request = json!({
        "authorizationType": "NONE", "apiKeyRequired": key_required, "requestValidatorId": validator["id"],
        "requestParameters": {"method.request.querystring.hashme": true},
    });
    put(method.clone(), request).await;
    let early = ask(world, "", Method::POST, &format!("{base}/deployments"), json!({})).await.unwrap_err();
    assert_eq!((early.code, early.status), ("BadRequestException", 400));
    let arn = function["FunctionArn"].as_str().unwrap();
    let uri = format!("arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations");
    let integration = json!({"type": "AWS_PROXY", "httpMethod": "POST", "uri": uri, "timeoutInMillis": 5000});
    put(format!("{method}/integration"), integration).await;
    post(format!("{base}/deployments"), json!({"stageName": "v1"})).await;
    (id, method)
}

async fn get(world: &Arc<World>, api: &str, path: &str, query: &str, key: Option<&str>) -> (u16, Json) {
    let mut headers = HeaderMap::new();
    headers.insert("user-agent", "test".parse().unwrap());
    if let Some(key) = key {
        headers.insert("x-api-key", key.parse().unwrap());
    }
    let host = format!("{api}.execute-api.{REGION}.amazonaws.com");
    let ip = std::net::IpAddr::from([127, 0, 0, 1]);
    let reply: Option<Reply> =
        serve(world, REGION, &host, &Method::GET, path, query, &headers, &bytes::Bytes::new(), ip).await;
    let reply = reply.unwrap();
    (reply.status, serde_json::from_slice(&reply.body).unwrap())
}

#[tokio::test]
async fn a_request_reaches_the_function_by_the_stage() {
    let twin = Twin::start(TwinConfig::default()).await.unwrap();
    let world = twin.world();
    let (api, method) = build(world, false).await;
    assert!(world.names.get(&format!("{api}.execute-api.{REGION}.amazonaws.com")).is_some());
    let (status, event) = get(world, &api, "/v1/r53/health-check", "hashme=a&x=1&x=2", None).await;
    assert_eq!(status, 201);
    assert_eq!((&event["path"], &event["httpMethod"]), (&json!("/r53/health-check"), &json!("GET")));
    assert_eq!(event["queryStringParameters"], json!({"hashme": "a", "x": "2"}));
    assert_eq!(event["multiValueQueryStringParameters"]["x"], json!(["1", "2"]));
    assert_eq!(event["requestContext"]["identity"]["sourceIp"], "127.0.0.1");
    assert_eq!(event["requestContext"]["path"], "/v1/r53/health-check");
    assert_eq!((&event["pathParameters"], &event["body"]), (&Json::Null, &Json::Null));
    let said = |message: &str| json!({"message": message});
    for (path, query, expected) in [
        ("/v1/r53/health-check", "", (400, "Missing required request parameters: [hashme]")),
        ("/v1/nothing", "hashme=a", (403, "Missing Authentication Token")),
        ("/v2/r53/health-check", "hashme=a", (403, "Forbidden")),
        ("/v1/r53/health-check", "hashme=fail", (502, "Internal server error")),
        ("/v1/r53/health-check", "hashme=odd", (502, "Internal server error")),
    ] {
        assert_eq!(
            get(world, &api, path, query, None).await,
            (expected.0, said(expected.1)),
            "{path}?{query}"
        );
    }
    let integration = format!("{method}/integration");
    let mut told = ask(world, "", Method::GET, &integration, json!({})).await.unwrap();
    told["timeoutInMillis"] = json!(100);
    let short =
        json!({"type": told["type"], "httpMethod": "POST", "uri": told["uri"], "timeoutInMillis": 100});
    ask(world, "", Method::PUT, &integration, short).await.unwrap();
    let slow = get(world, &api, "/v1/r53/health-check", "hashme=slow", None).await;
    assert_eq!(slow.0, 201, "the stage answers from its deployment");
    ask(world, "", Method::POST, &format!("/restapis/{api}/deployments"), json!({"stageName": "v1"}))
        .await
        .unwrap();
    let slow = get(world, &api, "/v1/r53/health-check", "hashme=slow", None).await;
    assert_eq!(slow, (504, said("Endpoint request timed out")));
    ask(world, "", Method::DELETE, &format!("/restapis/{api}"), json!({})).await.unwrap();
    assert!(world.names.get(&format!("{api}.execute-api.{REGION}.amazonaws.com")).is_none());
}

#[tokio::test]
async fn a_method_that_needs_a_key_takes_one_of_a_plan() {
    let twin = Twin::start(TwinConfig::default()).await.unwrap();
    let world = twin.world();
    let (api, _) = build(world, true).await;
    let value = "a-key-that-is-long-enough";
    let key = json!({"name": "k", "enabled": true, "value": value});
    let key = ask(world, "", Method::POST, "/apikeys", key).await.unwrap();
    let path = "/v1/r53/health-check";
    assert_eq!(get(world, &api, path, "hashme=a", Some(value)).await.0, 403, "it is of no plan");
    let plan = json!({"name": "p", "apiStages": [{"apiId": api, "stage": "v1"}]});
    let plan = ask(world, "", Method::POST, "/usageplans", plan).await.unwrap();
    let keys = format!("/usageplans/{}/keys", plan["id"].as_str().unwrap());
    let request = json!({"keyId": key["id"], "keyType": "API_KEY"});
    ask(world, "", Method::POST, &keys, request).await.unwrap();
    assert_eq!(get(world, &api, path, "hashme=a", None).await.0, 403);
    let (status, event) = get(world, &api, path, "hashme=a", Some(value)).await;
    assert_eq!((status, &event["requestContext"]["identity"]["apiKeyId"]), (201, &key["id"]));
    let listed = ask(world, "", Method::GET, "/apikeys", json!({})).await.unwrap();
    assert_eq!((listed["item"].as_array().unwrap().len(), listed["item"][0].get("value")), (1, None));
    let plan = format!("/usageplans/{}", plan["id"].as_str().unwrap());
    let refused = ask(world, "", Method::DELETE, &plan, json!({})).await.unwrap_err();
    assert_eq!(refused.code, "BadRequestException");
    assert!(refused.message.ends_with(&format!("including {api}:v1")), "{}", refused.message);
    let remove =
        json!({"patchOperations": [{"op": "remove", "path": "/apiStages", "value": format!("{api}:v1")}]});
    ask(world, "", Method::PATCH, &plan, remove).await.unwrap();
    ask(world, "", Method::DELETE, &plan, json!({})).await.unwrap();
    assert_eq!(ask(world, "", Method::DELETE, &plan, json!({})).await.unwrap_err().code, "NotFoundException");
}

#[tokio::test]
async fn stages_and_tags_are_bounded() {
    let twin = Twin::start(TwinConfig { health_checkers: 1, ..TwinConfig::default() }).await.unwrap();
    let world = twin.world();
    let ask = async |method: Method, path: &str, body: Json| {
        ask(world, "apigateway", method, path, body).await.map_err(|e| e.code)
    };
    let many = |count: usize| (0..count).map(|n| (n.to_string(), "v".to_owned())).collect::<BTreeMap<_, _>>();
    let long = json!({"k": "v".repeat(600)});
    for tags in [json!(many(51)), long.clone()] {
        for (path, mut body) in [
            ("/restapis", json!({"name": "a"})),
            ("/apikeys", json!({})),
            ("/usageplans", json!({"name": "p"})),
        ] {
            body["tags"] = tags.clone();
            assert_eq!(ask(Method::POST, path, body).await, Err("BadRequestException"), "{path}");
        }
    }
    let api = ask(Method::POST, "/restapis", json!({"name": "a", "tags": many(50)})).await.unwrap();
    let base = format!("/restapis/{}", api["id"].as_str().unwrap());
    let root = api["rootResourceId"].as_str().unwrap();
    let method = format!("{base}/resources/{root}/methods/GET");
    ask(Method::PUT, &method, json!({"authorizationType": "NONE"})).await.unwrap();
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:f";
    let uri = format!("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations");
    let integration = json!({"type": "AWS_PROXY", "httpMethod": "POST", "uri": uri});
    ask(Method::PUT, &format!("{method}/integration"), integration).await.unwrap();
    let deploy = |variables: Json| json!({"stageName": "v1", "variables": variables});
    let deployments = format!("{base}/deployments");
    let refused = ask(Method::POST, &deployments, deploy(json!(many(101)))).await;
    assert_eq!(refused, Err("LimitExceededException"));
    assert_eq!(ask(Method::POST, &deployments, deploy(long)).await, Err("BadRequestException"));
    let listed = ask(Method::GET, &deployments, json!({})).await.unwrap();
    assert_eq!(listed["item"], json!([]), "what is refused deploys nothing");
    ask(Method::POST, &deployments, deploy(json!(many(100)))).await.unwrap();
    let patch = |name: &str| json!({"patchOperations": [{"op": "replace", "path": format!("/variables/{name}"), "value": "w"}]});
    let stage = format!("{base}/stages/v1");
    assert_eq!(ask(Method::PATCH, &stage, patch("x")).await, Err("LimitExceededException"));
    assert_eq!(ask(Method::PATCH, &stage, patch("7")).await.unwrap()["variables"]["7"], "w");
    let huge = json!({"name": "n".repeat(2 << 20)});
    assert_eq!(ask(Method::POST, "/restapis", huge).await, Err("RequestEntityTooLargeException"));
    twin.stop().await;
}
