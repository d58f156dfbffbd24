//! The verdict is published to a topic, on moto, which nobody here wrote: a queue that is subscribed to the topic has what was told.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use aws_config::{BehaviorVersion, Region};
use gameday_tests::{gameday, skipped, tool};
use serde_json::Value;

const START_MAX: Duration = Duration::from_secs(30);

/// moto, which ends with this value.
struct Moto {
    child: Child,
    url: String,
}

impl Moto {
    fn start(server: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(server)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let moto = Self { child, url: format!("http://127.0.0.1:{port}") };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < START_MAX, "moto did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        moto
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_run_that_is_refused_is_told_to_a_topic() {
    let Some(server) = tool("moto_server") else {
        return skipped("a_run_that_is_refused_is_told_to_a_topic", "no moto; see .ci/tools");
    };
    let moto = Moto::start(&server);
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(&moto.url)
        .credentials_provider(aws_sdk_sns::config::Credentials::new("id", "secret", None, None, "test"))
        .load()
        .await;
    let (topics, queues) = (aws_sdk_sns::Client::new(&config), aws_sdk_sqs::Client::new(&config));
    let topic = topics.create_topic().name("gameday").send().await.unwrap().topic_arn.unwrap();
    let queue = queues.create_queue().queue_name("told").send().await.unwrap().queue_url.unwrap();
    let arn = topic.replace(":sns:", ":sqs:").replace(":gameday", ":told");
    topics.subscribe().topic_arn(&topic).protocol("sqs").endpoint(arn).send().await.unwrap();

    // The big red button is pressed: nothing is begun.
    let folder = tempfile::tempdir().unwrap();
    let smoke = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/smoke.toml");
    let button = folder.path().join("STOP");
    fs::write(&button, "").unwrap();
    let more = format!("\n[stop]\nfile = \"{}\"\n[notify]\nsns = \"{topic}\"\n", button.display());
    fs::write(folder.path().join("smoke.toml"), fs::read_to_string(smoke).unwrap() + &more).unwrap();
    let output = Command::new(gameday().unwrap())
        .args(["run", "smoke.toml"])
        .current_dir(folder.path())
        .env("AWS_ENDPOINT_URL_SNS", &moto.url)
        .env("AWS_ACCESS_KEY_ID", "id")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(14), "{said}");
    assert!(!said.contains("not told"), "{said}");

    let received = queues.receive_message().queue_url(queue).wait_time_seconds(5).send().await.unwrap();
    let envelope: Value = serde_json::from_str(received.messages()[0].body().unwrap()).unwrap();
    assert_eq!(envelope["Subject"], "gameday: REFUSED smoke");
    let told: Value = serde_json::from_str(envelope["Message"].as_str().unwrap()).unwrap();
    assert_eq!((&told["verdict"], &told["exit_code"]), (&"refused".into(), &14.into()), "{told}");
    assert!(told["reason"].as_str().unwrap().contains("STOP is there"), "{told}");
}
