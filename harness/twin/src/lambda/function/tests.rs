//! Functions that really run: a small `bootstrap` that speaks the Runtime API.

use super::*;
use crate::{
    lambda::{
        account::{Account, CONCURRENCY},
        code::tests::zip_of,
        package::{Package, Source},
        runtime::Runtime,
    },
    quota::Quotas,
};

/// Echoes its event, and does as it says: fail, exit, hang, start a grandchild.
const BOOTSTRAP: &[u8] = br#"#!/usr/bin/env python3
import http.client, json, os, subprocess, sys, time
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
base = "/2018-06-01/runtime"
if os.environ.get("FAIL_INIT"):
    api.request("POST", base + "/init/error", b'{"errorType":"Mine","errorMessage":"no"}')
    api.getresponse().read()
    time.sleep(60)
count = 0
while True:
    api.request("GET", base + "/invocation/next")
    reply = api.getresponse()
    event = json.loads(reply.read())
    path = base + "/invocation/" + reply.headers["Lambda-Runtime-Aws-Request-Id"]
    count += 1
    if event.get("do") == "exit":
        sys.exit(7)
    if event.get("do") == "hang":
        time.sleep(60)
    if event.get("do") == "say":
        print("something", flush=True)
    if event.get("do") == "sleep":
        time.sleep(0.5)
    if event.get("do") == "fail":
        api.request("POST", path + "/error", b'{"errorType":"Mine","errorMessage":"failed"}')
    else:
        grandchild = subprocess.Popen(["sleep", "300"]).pid if event.get("do") == "fork" else None
        answer = {"event": event, "count": count, "pid": os.getpid(), "grandchild": grandchild,
                  "region": os.environ["AWS_REGION"], "mine": os.environ.get("MINE"),
                  "deadline": int(reply.headers["Lambda-Runtime-Deadline-Ms"]), "cargo": os.environ.get("CARGO")}
        api.request("POST", path + "/response", json.dumps(answer))
    api.getresponse().read()
"#;

struct Deployed {
    function: Function,
    shutdown: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Deployed {
    fn new(environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let package =
            Package::open(Source::Zip(zip_of("bootstrap", BOOTSTRAP, 0o755)), folder.path()).unwrap();
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let spec = Spec {
            name: "echo".to_owned(),
            arn: "arn:aws:lambda:us-east-1:123456789012:function:echo".to_owned(),
            region: "us-east-1".to_owned(),
            runtime_name: "provided.al2023".to_owned(),
            runtime: Runtime::Bootstrap,
            handler: "bootstrap".to_owned(),
            memory_mb: 128,
            timeout: Duration::from_secs(2),
            package: Arc::new(package),
            api_url: "http://127.0.0.1:1".to_owned(),
            environment,
            faults: std::sync::Arc::default(),
        };
        let settings = Settings {
            role: String::new(),
            description: String::new(),
            dead_letters: None,
            modified: Timestamp::UNIX_EPOCH,
            revision: String::new(),
        };
        let account = Account::new(Quotas::new(1.0, true, &[]).limit("us-east-1", CONCURRENCY));
        let function = Function::new(super::Deployed { spec, settings }, Arc::new(account));
        Self { function, shutdown: CancellationToken::new(), _folder: folder }
    }

    async fn invoke(&self, what: &str) -> Result<(Json, bool), AwsError> {
        let output = self.invoke_with(what, Wish::default()).await?.output;
        Ok((serde_json::from_slice(&output.payload).unwrap(), output.function_error.is_some()))
    }

    async fn invoke_with(&self, what: &str, wish: Wish) -> Result<Invoked, AwsError> {
        let payload = Bytes::from(json!({"do": what}).to_string());
        self.function.invoke(Clock, &self.shutdown, payload, wish).await
    }
}

fn is_running(pid: &Json) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A killed grandchild may stay as a zombie where nobody collects it.
    !status.is_empty() && !status.contains(") Z ")
}

async fn ends(pid: &Json) -> bool {
    for _ in 0..100 {
        if !is_running(pid) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

#[tokio::test]
async fn an_instance_answers_and_stays_warm() {
    let deployed = Deployed::new(&[("MINE", "yes")]);
    let (first, failed) = deployed.invoke("echo").await.unwrap();
    assert!(!failed);
    assert_eq!(first["event"], json!({"do": "echo"}));
    assert_eq!((&first["region"], &first["mine"]), (&json!("us-east-1"), &json!("yes")));
    assert_eq!(first["cargo"], Json::Null, "our environment is not the function's");
    assert!(first["deadline"].as_i64().unwrap() > Clock.now_ms());
    let (second, _) = deployed.invoke("echo").await.unwrap();
    assert_eq!((&second["count"], &second["pid"]), (&json!(2), &first["pid"]));
    deployed.function.pool.reap(Instant::now() + Duration::from_secs(61));
    assert!(ends(&first["pid"]).await, "an instance that is idle for long ends");
}

#[tokio::test]
async fn failures_are_told_as_lambda_tells_them() {
    let deployed = Deployed::new(&[]);
    let (answer, failed) = deployed.invoke("fail").await.unwrap();
    assert!(failed);
    assert_eq!(answer["errorType"], "Mine");
    let (answer, failed) = deployed.invoke("exit").await.unwrap();
    assert!(failed);
    assert_eq!(answer["errorType"], "Runtime.ExitError");
    let message = answer["errorMessage"].as_str().unwrap();
    assert!(message.ends_with(" Error: Runtime exited with error: exit status 7"), "{message}");
    let (answer, failed) = deployed.invoke("hang").await.unwrap();
    assert!(failed);
    assert_eq!(answer["errorType"], "Sandbox.Timedout");
    let message = answer["errorMessage"].as_str().unwrap();
    assert!(message.ends_with(" Error: Task timed out after 2.00 seconds"), "{message}");
    assert!(!deployed.invoke("echo").await.unwrap().1, "the next one has a new instance");
    let broken = Deployed::new(&[("FAIL_INIT", "1")]);
    assert_eq!(broken.invoke("echo").await.unwrap().0["errorType"], "Mine");
}

#[tokio::test]
async fn a_package_without_bootstrap_fails_each_invocation() {
    let deployed = Deployed::new(&[]);
    std::fs::remove_file(deployed.function.deployed().spec.package.root.join("bootstrap")).unwrap();
    let (answer, failed) = deployed.invoke("echo").await.unwrap();
    assert!(failed);
    assert_eq!(answer["errorType"], "Runtime.InvalidEntrypoint");
}

#[tokio::test]
async fn reserved_concurrency_throttles_and_the_default_does_not() {
    let deployed = Deployed::new(&[]);
    let (a, b) = tokio::join!(deployed.invoke("sleep"), deployed.invoke("sleep"));
    assert_ne!(a.unwrap().0["pid"], b.unwrap().0["pid"]);
    deployed.function.pool.reserve(Some(1));
    let (a, b) = tokio::join!(deployed.invoke("sleep"), deployed.invoke("sleep"));
    assert_eq!((a.is_ok(), b.unwrap_err().code), (true, "TooManyRequestsException"));
    deployed.function.pool.reserve(Some(0));
    assert_eq!(deployed.invoke("echo").await.unwrap_err().status, 429);
}

#[tokio::test]
async fn a_new_deployment_replaces_instances_after_what_they_do() {
    let deployed = Deployed::new(&[("MINE", "before")]);
    let (before, _) = deployed.invoke("echo").await.unwrap();
    let change = |deployed: &Deployed| {
        let (mut spec, settings) = {
            let now = deployed.function.deployed();
            (now.spec.clone(), now.settings.clone())
        };
        spec.environment.insert("MINE".to_owned(), "after".to_owned());
        let before = deployed.function.deployed();
        deployed.function.deploy(&before, super::Deployed { spec, settings }).unwrap();
    };
    let (running, ()) = tokio::join!(deployed.invoke("sleep"), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        change(&deployed);
    });
    assert_eq!(running.unwrap().0["mine"], "before");
    assert_eq!(deployed.invoke("echo").await.unwrap().0["mine"], "after");
    assert!(ends(&before["pid"]).await);
}

#[tokio::test]
async fn a_caller_may_have_the_end_of_the_log() {
    let deployed = Deployed::new(&[]);
    assert_eq!(deployed.invoke_with("say", Wish::default()).await.unwrap().log, None);
    let invoked = deployed.invoke_with("say", Wish { log: true, ..Wish::default() }).await.unwrap();
    let log = String::from_utf8(invoked.log.unwrap()).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines[0], format!("START RequestId: {} Version: $LATEST", invoked.request_id));
    assert_eq!(lines[1..3], ["something", &format!("END RequestId: {}", invoked.request_id)]);
    assert!(lines[3].starts_with("REPORT RequestId: "));
}

#[tokio::test]
async fn nothing_is_left_when_the_world_ends() {
    let deployed = Deployed::new(&[]);
    let (answer, _) = deployed.invoke("fork").await.unwrap();
    assert!(is_running(&answer["grandchild"]));
    deployed.function.pool.close();
    assert!(ends(&answer["pid"]).await);
    assert!(ends(&answer["grandchild"]).await, "what the function started ends with it");
    deployed.shutdown.cancel();
    assert_eq!(deployed.invoke("echo").await.unwrap_err().code, "ServiceException");
}

#[test]
fn a_function_is_found_by_name_and_by_arn() {
    for name in [
        "echo",
        "echo:$LATEST",
        "function:echo",
        "123456789012:function:echo",
        "arn:aws:lambda:us-east-1:123456789012:function:echo",
        "arn:aws:lambda:us-east-1:123456789012:function:echo:$LATEST",
    ] {
        assert_eq!(bare_name(name), "echo", "{name}");
    }
    for (name, expected) in [
        ("arn:aws:lambda:us-east-1:123456789012:function:lambda:prod", Some("prod")),
        ("arn:aws:lambda:us-east-1:123456789012:function:lambda", None),
        ("echo:$LATEST", Some("$LATEST")),
    ] {
        assert_eq!(qualifier(name), expected, "{name}");
    }
}

#[tokio::test]
async fn a_killed_invocation_fails_as_on_aws_and_the_next_one_runs() {
    use crate::fault::{Fault, Share};
    let deployed = Deployed::new(&[]);
    let faults = deployed.function.deployed().spec.faults.clone();
    let rule = faults.put(Fault::FunctionKill {
        region: "us-east-1".to_owned(),
        function: "ec*".to_owned(),
        after_ms: 50,
        share: Share::ALL,
    });
    let (killed, failed) = deployed.invoke("hang").await.unwrap();
    assert!(failed);
    assert_eq!(killed["errorType"], "Runtime.ExitError");
    assert!(killed["errorMessage"].as_str().unwrap().contains("signal: killed"), "{killed}");
    assert_eq!(rule.hits(), 1);
    faults.take(rule.id);
    assert!(!deployed.invoke("sleep").await.unwrap().1);
}

#[test]
fn a_deployment_does_not_revert_one_that_it_does_not_know() {
    let deployed = Deployed::new(&[]);
    let before = deployed.function.deployed();
    let next = |handler: &str| {
        let mut spec = before.spec.clone();
        handler.clone_into(&mut spec.handler);
        super::Deployed { spec, settings: before.settings.clone() }
    };
    deployed.function.deploy(&before, next("first")).unwrap();
    let error = deployed.function.deploy(&before, next("second")).unwrap_err();
    assert_eq!((error.status, error.code), (409, "ResourceConflictException"));
    assert_eq!(deployed.function.deployed().spec.handler, "first");
}
