//! Calls as clients make them, in a twin that runs.

use std::time::Duration;

use axum::http::Method;
use jiff::SignedDuration;
use serde_json::{Value as Json, json};

use crate::{
    Twin, TwinConfig, api,
    call::{Call, Reply},
};

const REGION: &str = "us-west-2";
const ROLE: &str = "arn:aws:iam::123456789012:role/scheduler";
const UPDATE: &str = "arn:aws:scheduler:::aws-sdk:route53:updateHealthCheck";

async fn call(twin: &Twin, service: &str, method: Method, path: &str, body: &str) -> (u16, String) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut call = Call::json_rpc(REGION, service, "x", &Json::Null);
    (call.method, call.raw_path, call.body) = (method, path.to_owned(), body.to_owned().into());
    call.query = api::query(query);
    let Reply { status, body, .. } = api::dispatch(twin.world(), &call).await;
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn schedule(twin: &Twin, method: Method, name: &str, request: &Json) -> (u16, Json) {
    let path = format!("/schedules/{name}");
    let (status, body) = call(twin, "scheduler", method, &path, &request.to_string()).await;
    (status, serde_json::from_str(&body).unwrap())
}

/// A health check that is disabled, so that it probes nothing.
async fn health_check(twin: &Twin) -> String {
    let body = "<CreateHealthCheckRequest><CallerReference>r</CallerReference><HealthCheckConfig><Type>HTTPS</Type>\
                <FullyQualifiedDomainName>a.example.com</FullyQualifiedDomainName><ResourcePath>/broken</ResourcePath>\
                <Disabled>true</Disabled></HealthCheckConfig></CreateHealthCheckRequest>";
    let (status, made) = call(twin, "route53", Method::POST, "/2013-04-01/healthcheck", body).await;
    assert_eq!(status, 201, "{made}");
    crate::route53::element(&made, "Id").to_owned()
}

#[tokio::test]
async fn a_dead_mans_switch_restores_a_health_check_and_goes() {
    let twin = Twin::start(TwinConfig::default()).await.unwrap();
    let id = health_check(&twin).await;
    let at = twin.world().clock.now().checked_add(SignedDuration::from_secs(1)).unwrap();
    let request = json!({
        "ScheduleExpression": at.strftime("at(%Y-%m-%dT%H:%M:%S)").to_string(),
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ActionAfterCompletion": "DELETE",
        "Target": {
            "Arn": UPDATE, "RoleArn": ROLE,
            "Input": json!({"HealthCheckId": id, "ResourcePath": "/whole", "HealthCheckVersion": 1}).to_string(),
        },
    });
    let (status, made) = schedule(&twin, Method::POST, "restore", &request).await;
    let arn = "arn:aws:scheduler:us-west-2:123456789012:schedule/default/restore";
    assert_eq!((status, &made["ScheduleArn"]), (200, &json!(arn)));
    for _ in 0..500 {
        if schedule(&twin, Method::GET, "restore", &Json::Null).await.0 == 404 {
            let path = format!("/2013-04-01/healthcheck/{id}");
            let (_, check) = call(&twin, "route53", Method::GET, &path, "").await;
            assert_eq!(crate::route53::element(&check, "ResourcePath"), "/whole");
            assert_eq!(crate::route53::element(&check, "HealthCheckVersion"), "2");
            twin.stop().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the schedule did not fire");
}

#[tokio::test]
async fn schedules_are_made_told_changed_listed_and_deleted() {
    let twin = Twin::start(TwinConfig::default()).await.unwrap();
    let request = |expression: &str| {
        json!({
            "ScheduleExpression": expression,
            "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5},
            "State": "DISABLED", "StartDate": 1_800_000_000.5,
            "Target": {"Arn": "arn:aws:lambda:us-west-2:123456789012:function:f", "RoleArn": ROLE},
        })
    };
    assert_eq!(schedule(&twin, Method::POST, "a", &request("cron(0 10 * * ? *)")).await.0, 200);
    assert_eq!(schedule(&twin, Method::POST, "a", &request("rate(1 day)")).await.0, 409);
    assert_eq!(schedule(&twin, Method::PUT, "b", &request("rate(1 day)")).await.0, 404);
    assert_eq!(schedule(&twin, Method::POST, "b", &request("rate(1 day)")).await.0, 200);
    assert_eq!(schedule(&twin, Method::PUT, "a", &request("rate(2 days)")).await.0, 200);
    let (_, told) = schedule(&twin, Method::GET, "a", &Json::Null).await;
    assert_eq!((&told["ScheduleExpression"], &told["State"]), (&json!("rate(2 days)"), &json!("DISABLED")));
    assert_eq!((&told["StartDate"], &told["GroupName"]), (&json!(1_800_000_000.5), &json!("default")));
    assert_eq!(told["Target"]["RetryPolicy"]["MaximumRetryAttempts"], 185);
    let list = async |query: &str| -> Json {
        let (status, body) = call(&twin, "scheduler", Method::GET, &format!("/schedules{query}"), "").await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    };
    let first = list("?MaxResults=1").await;
    assert_eq!((&first["Schedules"][0]["Name"], &first["NextToken"]), (&json!("a"), &json!("a")));
    assert_eq!(list("?NextToken=a").await["Schedules"][0]["Name"], "b");
    assert_eq!(list("?State=ENABLED").await["Schedules"], json!([]));
    assert_eq!(schedule(&twin, Method::DELETE, "a", &Json::Null).await.0, 200);
    assert_eq!(schedule(&twin, Method::DELETE, "a", &Json::Null).await.0, 404);
    twin.stop().await;
}

#[tokio::test]
async fn what_scheduler_refuses_is_refused() {
    let twin = Twin::start(TwinConfig::default()).await.unwrap();
    let good = json!({
        "ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": UPDATE, "RoleArn": ROLE, "Input": "{}"},
    });
    for (path, value, expected) in [
        ("/ScheduleExpression", json!("rate(1 days)"), 400),
        ("/ScheduleExpressionTimezone", json!("Europe/Berlin"), 400),
        ("/FlexibleTimeWindow", json!({"Mode": "FLEXIBLE"}), 400),
        ("/State", json!("ON"), 400),
        ("/GroupName", json!("mine"), 404),
        ("/ActionAfterCompletion", json!("KEEP"), 400),
        ("/Target", json!({"Arn": UPDATE, "RoleArn": "me", "Input": "{}"}), 400),
        ("/Target", json!({"Arn": UPDATE, "RoleArn": ROLE}), 400),
        (
            "/Target",
            json!({"Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "RoleArn": ROLE, "Input": "{}"}),
            400,
        ),
        (
            "/Target",
            json!({"Arn": "arn:aws:scheduler:::aws-sdk:iot:listThings", "RoleArn": ROLE, "Input": "{}"}),
            400,
        ),
        ("/Target", json!({"Arn": "arn:aws:sns:us-west-2:123456789012:t", "RoleArn": ROLE}), 400),
        ("/Target", json!({"Arn": UPDATE, "RoleArn": ROLE, "Input": "{}", "SqsParameters": {}}), 400),
    ] {
        let mut bad = good.clone();
        bad[&path[1..]] = value;
        let (status, body) = schedule(&twin, Method::POST, "s", &bad).await;
        assert_eq!(status, expected, "{bad}: {body}");
        assert!(body["Message"].is_string(), "{body}");
    }
    assert_eq!(schedule(&twin, Method::POST, "a%20b", &good).await.0, 400);
    assert_eq!(schedule(&twin, Method::POST, "s", &good).await.0, 200);
    twin.stop().await;
}

#[tokio::test]
async fn an_expression_has_a_length() {
    let twin = Twin::start(TwinConfig::default()).await.unwrap();
    let request = json!({
        "ScheduleExpression": format!("rate({}1 day)", " ".repeat(246)),
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": UPDATE, "RoleArn": ROLE, "Input": "{}"},
    });
    let (status, refused) = schedule(&twin, Method::POST, "long", &request).await;
    assert!(status == 400 && refused.to_string().contains("256 characters"), "{refused}");
    twin.stop().await;
}
