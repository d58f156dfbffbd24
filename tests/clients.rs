//! The twin by clients that nobody here wrote: the AWS CLI, mosquitto and curl, by the variables that `gameday twin` prints.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, path::Path, process::Stdio};

use gameday_tests::{TwinProcess, skipped, tool};
use serde_json::json;

const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}"#;

/// A device with key and certificate, made with the AWS CLI: its files are `key.pem` and `cert.pem`.
fn device(twin: &TwinProcess, aws: &Path, name: &str) {
    let made = twin
        .aws(
            aws,
            &[
                "iot",
                "create-keys-and-certificate",
                "--set-as-active",
                "--certificate-pem-outfile",
                "cert.pem",
                "--private-key-outfile",
                "key.pem",
            ],
        )
        .unwrap();
    let arn = made["certificateArn"].as_str().unwrap();
    twin.aws(
        aws,
        &["iot", "create-thing", "--thing-name", name, "--attribute-payload", "attributes={site=berlin}"],
    )
    .unwrap();
    twin.aws(aws, &["iot", "create-policy", "--policy-name", "all", "--policy-document", POLICY]).unwrap();
    twin.aws(aws, &["iot", "attach-policy", "--policy-name", "all", "--target", arn]).unwrap();
    twin.aws(aws, &["iot", "attach-thing-principal", "--thing-name", name, "--principal", arn]).unwrap();
}

fn mosquitto(twin: &TwinProcess, program: &Path, region: &str) -> std::process::Command {
    let mut command = twin.command(program);
    command
        .args(["-h", twin.variable(&format!("GAMEDAY_{region}_ADDRESS"))])
        .args(["-p", twin.variable(&format!("GAMEDAY_{region}_MQTT_PORT"))])
        .args(["--cafile", twin.variable("GAMEDAY_CA"), "--cert", "cert.pem", "--key", "key.pem"]);
    command
}

#[test]
fn the_aws_cli_and_mosquitto_work_on_a_device() {
    let (Some(aws), Some(mosquitto_pub)) = (tool("aws"), tool("mosquitto_pub")) else {
        return skipped(
            "the_aws_cli_and_mosquitto_work_on_a_device",
            "needs the AWS CLI and mosquitto_pub; see .ci/tools",
        );
    };
    let twin = TwinProcess::start().unwrap();
    device(&twin, &aws, "lamp-1");
    let things = twin.aws(&aws, &["iot", "list-things"]).unwrap();
    assert_eq!(things["things"][0]["thingName"], "lamp-1");
    let thing = twin.aws(&aws, &["iot", "describe-thing", "--thing-name", "lamp-1"]).unwrap();
    assert_eq!((&thing["attributes"], &thing["version"]), (&json!({"site": "berlin"}), &json!(1)));
    let elsewhere = twin.aws(&aws, &["iot", "list-things", "--region", "us-west-2"]).unwrap();
    assert_eq!(elsewhere["things"], json!([]), "a Region has its own things");

    let update = r#"{"state":{"reported":{"lumen":800}}}"#;
    let published = mosquitto(&twin, &mosquitto_pub, "PRIMARY")
        .args(["-i", "lamp-1", "-q", "1", "-t", "$aws/things/lamp-1/shadow/update", "-m", update])
        .status()
        .unwrap();
    assert!(published.success());
    twin.aws(&aws, &["iot-data", "get-thing-shadow", "--thing-name", "lamp-1", "shadow.json"]).unwrap();
    let shadow: serde_json::Value =
        serde_json::from_slice(&fs::read(twin.folder.path().join("shadow.json")).unwrap()).unwrap();
    assert_eq!(shadow["state"]["reported"]["lumen"], 800);
    assert_eq!(shadow["version"], 1);

    let refused = mosquitto(&twin, &mosquitto_pub, "SECONDARY")
        .args(["-i", "lamp-1", "-q", "1", "-t", "dt/x", "-m", "y"])
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(!refused.success(), "the certificate is not registered in the secondary");
}

#[test]
fn a_device_uses_its_shadow_over_https() {
    let (Some(aws), Some(curl)) = (tool("aws"), tool("curl")) else {
        return skipped("a_device_uses_its_shadow_over_https", "needs the AWS CLI and curl");
    };
    let twin = TwinProcess::start().unwrap();
    device(&twin, &aws, "lamp-2");
    let (host, port) = (twin.variable("GAMEDAY_PRIMARY_HOST"), twin.variable("GAMEDAY_PRIMARY_HTTPS_PORT"));
    let resolve = format!("{host}:{port}:{}", twin.variable("GAMEDAY_PRIMARY_ADDRESS"));
    let url = format!("https://{host}:{port}/things/lamp-2/shadow");
    let curl_with = |more: &[&str]| {
        let output = twin
            .command(&curl)
            .args(["-sS", "--cacert", twin.variable("GAMEDAY_CA"), "--resolve", &resolve])
            .args(more)
            .arg(&url)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let own = ["--cert", "cert.pem", "--key", "key.pem"];
    let body = r#"{"state":{"desired":{"on":true}}}"#;
    let updated = curl_with(&[&own[..], &["-d", body]].concat());
    assert!(updated.contains(r#""version":1"#), "{updated}");
    let got = curl_with(&own);
    assert!(got.contains(r#""delta":{"on":true}"#), "{got}");
    let without = curl_with(&[]);
    assert!(without.contains("Forbidden"), "{without}");
}

#[test]
fn what_the_twin_does_not_have_is_refused_in_awss_own_shape() {
    let Some(aws) = tool("aws") else {
        return skipped(
            "what_the_twin_does_not_have_is_refused_in_awss_own_shape",
            "needs the AWS CLI; see .ci/tools",
        );
    };
    let twin = TwinProcess::start().unwrap();
    let unknown = twin.aws(&aws, &["iot", "list-jobs"]).unwrap_err().to_string();
    assert!(unknown.contains("UnknownOperationException"), "{unknown}");
    let absent =
        twin.aws(&aws, &["iot", "describe-thing", "--thing-name", "nobody"]).unwrap_err().to_string();
    assert!(absent.contains("ResourceNotFoundException"), "{absent}");
    let elsewhere = twin.aws(&aws, &["iot", "list-things", "--region", "eu-west-1"]).unwrap_err().to_string();
    assert!(elsewhere.contains("us-east-1 and us-west-2"), "{elsewhere}");
}

#[test]
fn service_quotas_say_what_applies() {
    let Some(aws) = tool("aws") else {
        return skipped("service_quotas_say_what_applies", "needs the AWS CLI; see .ci/tools");
    };
    let twin = TwinProcess::start().unwrap();
    let quota = ["--service-code", "iotcore", "--quota-code", "L-64CBACAC"];
    let ask = |call: &str| {
        let answer = twin.aws(&aws, &[&["service-quotas", call], &quota[..]].concat()).unwrap();
        answer["Quota"]["Value"].as_f64().unwrap()
    };
    // The twin of the tests runs at twenty times AWS's defaults.
    assert!((ask("get-service-quota") - 2_000.0).abs() < 1e-9);
    assert!((ask("get-aws-default-service-quota") - 100.0).abs() < 1e-9);
    let all =
        twin.aws(&aws, &["service-quotas", "list-service-quotas", "--service-code", "iotcore"]).unwrap();
    assert!(all["Quotas"].as_array().unwrap().len() > 200, "every page is read");
}

#[test]
fn a_state_machine_runs_and_tells_its_history() {
    let Some(aws) = tool("aws") else {
        return skipped("a_state_machine_runs_and_tells_its_history", "needs the AWS CLI; see .ci/tools");
    };
    let twin = TwinProcess::start().unwrap();
    let states = |arguments: &[&str]| twin.aws(&aws, &[&["stepfunctions"], arguments].concat());
    let definition = json!({"StartAt": "Kind", "States": {
        "Kind": {"Type": "Choice", "Default": "Unknown",
                 "Choices": [{"Variable": "$.kind", "StringEquals": "lamp", "Next": "Lamp"}]},
        "Lamp": {"Type": "Pass", "Result": {"on": true}, "ResultPath": "$.state", "End": true},
        "Unknown": {"Type": "Fail", "Error": "DefaultStateError", "Cause": "No Matches!"},
    }});
    let role = "arn:aws:iam::123456789012:role/any";
    let made = states(&[
        "create-state-machine",
        "--name",
        "kinds",
        "--role-arn",
        role,
        "--definition",
        &definition.to_string(),
    ]);
    let machine = made.unwrap()["stateMachineArn"].as_str().unwrap().to_owned();
    let run = |input: &str| {
        let started =
            states(&["start-execution", "--state-machine-arn", &machine, "--input", input]).unwrap();
        let execution = started["executionArn"].as_str().unwrap().to_owned();
        for _ in 0..100 {
            let described = states(&["describe-execution", "--execution-arn", &execution]).unwrap();
            if described["status"] != "RUNNING" {
                return described;
            }
        }
        json!({"status": "RUNNING, after a hundred looks"})
    };
    let lamp = run(r#"{"kind":"lamp"}"#);
    assert_eq!(lamp["status"], "SUCCEEDED");
    assert!(lamp["output"].as_str().unwrap().contains(r#""state":{"on":true}"#), "{lamp}");
    let other = run(r#"{"kind":"door"}"#);
    assert_eq!((&other["status"], &other["error"]), (&json!("FAILED"), &json!("DefaultStateError")));
    let arn = lamp["executionArn"].as_str().unwrap();
    let history = states(&["get-execution-history", "--execution-arn", arn]).unwrap();
    let events: Vec<&str> =
        history["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        events,
        [
            "ExecutionStarted",
            "ChoiceStateEntered",
            "ChoiceStateExited",
            "PassStateEntered",
            "PassStateExited",
            "ExecutionSucceeded"
        ]
    );
}

/// What the twin has beyond things: types, groups, search, and MQTT 5, by clients that are not ours.
#[test]
fn groups_types_search_and_mqtt_5_work() {
    let (Some(aws), Some(publish), Some(subscribe)) =
        (tool("aws"), tool("mosquitto_pub"), tool("mosquitto_sub"))
    else {
        return skipped(
            "groups_types_search_and_mqtt_5_work",
            "needs the AWS CLI and the mosquitto clients; see .ci/tools",
        );
    };
    let twin = TwinProcess::start().unwrap();
    device(&twin, &aws, "lamp-3");
    let iot = |arguments: &[&str]| twin.aws(&aws, &[&["iot"], arguments].concat()).unwrap();
    iot(&["create-thing-type", "--thing-type-name", "lamp"]);
    iot(&["update-thing", "--thing-name", "lamp-3", "--thing-type-name", "lamp"]);
    iot(&["create-thing-group", "--thing-group-name", "house"]);
    iot(&["create-thing-group", "--thing-group-name", "kitchen", "--parent-group-name", "house"]);
    iot(&["add-thing-to-thing-group", "--thing-group-name", "kitchen", "--thing-name", "lamp-3"]);
    let inside = iot(&["list-things-in-thing-group", "--thing-group-name", "house", "--recursive"]);
    assert_eq!(inside["things"], json!(["lamp-3"]));
    iot(&["update-indexing-configuration", "--thing-indexing-configuration", "thingIndexingMode=REGISTRY"]);
    let found = iot(&["search-index", "--query-string", "thingTypeName:lamp AND thingName:lamp-*"]);
    assert_eq!(found["things"][0]["thingName"], "lamp-3");

    let mut waiting = mosquitto(&twin, &subscribe, "PRIMARY")
        .args(["-V", "5", "-i", "listener", "-q", "1", "-t", "dt/lamps/#", "-C", "1", "-W", "20"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The subscriber may not be there at the first message: it is said until it was heard.
    let mut heard = None;
    for attempt in 0..15 {
        let id = format!("speaker-{attempt}");
        let sent = mosquitto(&twin, &publish, "PRIMARY")
            .args(["-V", "5", "-i", &id, "-q", "1", "-t", "dt/lamps/3", "-m", "on"])
            .status()
            .unwrap();
        assert!(sent.success());
        heard = waiting.try_wait().unwrap();
        if heard.is_some() {
            break;
        }
    }
    let heard = heard.map_or_else(|| waiting.wait(), Ok).unwrap();
    assert!(heard.success(), "the message was heard");
    let mut said = String::new();
    std::io::Read::read_to_string(&mut waiting.stdout.take().unwrap(), &mut said).unwrap();
    assert_eq!(said.trim(), "on");
}
