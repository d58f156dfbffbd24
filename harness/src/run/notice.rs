//! Tells others how a run ended: one small JSON object, posted to an address and published to a topic, as the scenario's `[notify]`
//! says. An address out of the environment is a secret: it is in no record, no log and no error.
//!
//! Nobody who is not told changes a verdict: that is said, and the run ends as it ended.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use aws_config::{BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};
use aws_smithy_types::body::SdkBody;
use gameday_report::{ExitCode, Summary, Verdict, record::Folder};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::RunOptions;
use crate::{aws::describe, output::Output, scenario::Notify};

/// The version of what is told.
const FORMAT: u32 = 1;
/// An address is asked so often.
const TRIES_MAX: u32 = 3;
/// Each time it has so long to answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// After a failure, times the number of failures.
const PAUSE: Duration = Duration::from_secs(1);
/// AWS's limit of a subject.
const SUBJECT_CHARS_MAX: usize = 100;

/// That whoever is to be told can be found. The error says what to do.
pub(super) fn ready(notify: &Notify) -> anyhow::Result<()> {
    webhook(notify).map(drop)
}

/// The address that is told. No error has it in it.
fn webhook(notify: &Notify) -> anyhow::Result<Option<String>> {
    let Some(name) = &notify.webhook_env else { return Ok(notify.webhook.clone()) };
    let url = std::env::var(name).ok().filter(|url| !url.is_empty()).with_context(|| {
        format!("[notify] webhook_env names {name}, and the environment has no such variable")
    })?;
    let is_address = url.starts_with("https://") || url.starts_with("http://");
    if !is_address || url.parse::<hyper::Uri>().is_err() {
        bail!("[notify] webhook_env names {name}, and its value is no address, as https://chat.example/hook");
    }
    Ok(Some(url))
}

/// Tells that a run was refused: whoever runs it on a timer would not learn it otherwise.
pub(super) async fn refused(options: &RunOptions, scenario: &str, why: &anyhow::Error, output: &Output) {
    let said = json!({
        "format": FORMAT,
        "text": format!("REFUSED {scenario}: {why:#}"),
        "scenario": scenario,
        "title": options.scenario.title,
        "target": options.target,
        "verdict": "refused",
        "reason": format!("{why:#}"),
        "exit_code": ExitCode::Refused.code(),
    });
    tell(&options.scenario.notify, &said, output).await;
}

/// Tells how a run ended; `kept` is where its folder is kept.
pub(super) async fn ended(
    notify: &Notify,
    summary: &Summary,
    folder: &Folder,
    kept: Option<&str>,
    output: &Output,
) {
    tell(notify, &document(summary, folder, kept), output).await;
}

/// What is told. Keys are stable; README has them.
fn document(summary: &Summary, folder: &Folder, kept: Option<&str>) -> Value {
    let word = match summary.verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Unknown => "UNKNOWN",
    };
    let rows = summary.objectives.iter().map(|row| {
        json!({
            "metric": row.metric, "condition": row.condition, "measured": row.measured, "verdict": row.verdict,
        })
    });
    let report = match kept {
        Some(kept) => format!("{kept}/report.html"),
        None => folder.report().display().to_string(),
    };
    json!({
        "format": FORMAT,
        "text": format!("{word} {}: {}", summary.run.scenario, summary.reason),
        "run": summary.run.run,
        "scenario": summary.run.scenario,
        "title": summary.run.title,
        "target": summary.run.target,
        "verdict": summary.verdict,
        "reason": summary.reason,
        "exit_code": summary.exit_code,
        "began": summary.began,
        "duration_ms": summary.duration_ms,
        "objectives": rows.collect::<Vec<_>>(),
        "report": report,
    })
}

async fn tell(notify: &Notify, said: &Value, output: &Output) {
    let body = said.to_string();
    let posted = async {
        match webhook(notify) {
            Ok(None) => {}
            Ok(Some(url)) => {
                if let Err(error) = post_often(&url, &body).await {
                    failed(output, "the webhook", &error);
                }
            }
            // A run that was refused for that has said so.
            Err(error) => tracing::warn!(error = %format!("{error:#}"), "nobody is told"),
        }
    };
    let published = async {
        if let (Some(arn), Some(region)) = (&notify.sns, notify.sns_region())
            && let Err(error) = publish(arn, region, said, &body).await
        {
            failed(output, arn, &error);
        }
    };
    tokio::join!(posted, published);
}

fn failed(output: &Output, whom: &str, error: &anyhow::Error) {
    output.line(&format!("      {whom} was not told how the run ended: {error:#}"));
}

async fn post_often(url: &str, body: &str) -> anyhow::Result<()> {
    let mut failures = 0;
    loop {
        let posted = timeout(ANSWER_MAX, post(url, body)).await;
        let error =
            match posted.unwrap_or_else(|_| Err(anyhow!("no answer within {} s", ANSWER_MAX.as_secs()))) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
        failures += 1;
        if failures == TRIES_MAX {
            return Err(error.context(format!("{TRIES_MAX} times")));
        }
        sleep(PAUSE * failures).await;
    }
}

async fn post(url: &str, body: &str) -> anyhow::Result<()> {
    let mut request = HttpRequest::new(SdkBody::from(body));
    // What is wrong with it might have it in it.
    request.set_uri(url).map_err(|_| anyhow!("it is no address"))?;
    request.set_method("POST").map_err(|_| anyhow!("it takes no POST"))?;
    request.headers_mut().insert("content-type", "application/json");
    let connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build();
    let response = connector.call(request).await.map_err(|error| {
        let why = if error.is_timeout() { "a time-out" } else { "no connection" };
        anyhow!("{why}")
    })?;
    let status = response.status().as_u16();
    if !(200..300).contains(&status) {
        bail!("the answer was {status}");
    }
    Ok(())
}

async fn publish(arn: &str, region: &str, said: &Value, body: &str) -> anyhow::Result<()> {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ANSWER_MAX).build();
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(TRIES_MAX))
        .load()
        .await;
    let client = aws_sdk_sns::Client::new(&config);
    let publish = client.publish().topic_arn(arn).subject(subject(said)).message(body);
    publish.send().await.map_err(|error| anyhow!(describe(&error)))?;
    Ok(())
}

/// Printable ASCII, and short.
fn subject(said: &Value) -> String {
    let verdict = said["verdict"].as_str().unwrap_or_default().to_uppercase();
    let text = format!("gameday: {verdict} {}", said["scenario"].as_str().unwrap_or_default());
    text.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).take(SUBJECT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// Answers each connection with the next of these; what was asked comes out.
    async fn answering(answers: &'static [u16]) -> (String, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks/t0p-secret", listener.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let mut asked = Vec::new();
            for status in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4096];
                let mut read = 0;
                while !String::from_utf8_lossy(&request[..read]).ends_with('}') {
                    let more = stream.read(&mut request[read..]).await.unwrap();
                    assert!(more > 0, "the whole request comes");
                    read += more;
                }
                asked.push(String::from_utf8_lossy(&request[..read]).into_owned());
                let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        });
        (url, asked)
    }

    #[tokio::test]
    async fn an_address_is_asked_until_it_takes_it() {
        let (url, asked) = answering(&[500, 204]).await;
        post_often(&url, "{\"a\":1}").await.unwrap();
        let asked = asked.await.unwrap();
        assert_eq!(asked.len(), 2);
        assert!(asked[1].starts_with("POST /hooks/t0p-secret HTTP/1.1"), "{}", asked[1]);
        assert!(asked[1].to_lowercase().contains("content-type: application/json"), "{}", asked[1]);
    }

    #[tokio::test]
    async fn a_failure_is_told_without_the_address() {
        let (url, _asked) = answering(&[404, 404, 404]).await;
        let said = format!("{:#}", post_often(&url, "{}").await.unwrap_err());
        assert_eq!(said, "3 times: the answer was 404");
        let said = format!("{:#}", post("http://127.0.0.1:1/t0p-secret", "{}").await.unwrap_err());
        assert_eq!(said, "no connection");
        assert!(post("http://[t0p-secret", "{}").await.is_err_and(|e| !format!("{e:#}").contains("t0p")));
    }

    #[test]
    fn a_variable_that_is_not_there_is_told_before_the_run() {
        let webhook_env = Some("GAMEDAY_TEST_NO_SUCH_VARIABLE".to_owned());
        let error = ready(&Notify { webhook_env, ..Notify::default() }).unwrap_err();
        assert!(error.to_string().contains("GAMEDAY_TEST_NO_SUCH_VARIABLE, and the environment has no such"));
        assert!(ready(&Notify::default()).is_ok());
    }

    #[test]
    fn a_subject_is_what_sns_takes() {
        let said = json!({"verdict": "fail", "scenario": "Ausfall–".repeat(40)});
        let subject = subject(&said);
        assert!(subject.starts_with("gameday: FAIL Ausfall?") && subject.len() == SUBJECT_CHARS_MAX);
    }
}
