//! Asking an address whether the run may go on.

use anyhow::{Context, anyhow};
use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};
use http_body_util::{BodyExt, Limited};
use tokio::time::timeout;

use crate::scenario::Http;

/// A longer body is a failure: it is no answer to such a question.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Asks once. The error is why the answer counts as a failure.
pub(super) async fn ask(http: &Http) -> Result<(), String> {
    let limit = *http.at_most;
    let got = timeout(limit, get(&http.url))
        .await
        .unwrap_or_else(|_| Err(anyhow!("no answer within {}", http.at_most)));
    let (status, body) = got.map_err(|error| format!("{error:#}"))?;
    if !(200..300).contains(&status) {
        return Err(format!("the answer was {status}"));
    }
    match &http.word {
        Some(word) if body.contains(word.as_str()) => Err(format!("the answer says {word:?}")),
        _ => Ok(()),
    }
}

/// Asks until it is answered well, as often as failures are let pass.
pub(super) async fn ask_often(http: &Http) -> Result<(), String> {
    let mut failures = 1;
    loop {
        match ask(http).await {
            Err(_) if failures < http.failures => failures += 1,
            asked => return asked,
        }
        // Each wait is bounded by what it took to fail, and by this.
        tokio::time::sleep((*http.every).min(PAUSE_MAX)).await;
    }
}

/// Nobody waits longer for a run to begin.
const PAUSE_MAX: std::time::Duration = std::time::Duration::from_secs(1);

async fn get(url: &str) -> anyhow::Result<(u16, String)> {
    // A connection of its own each time: one that is kept may outlive what it led to.
    let connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build();
    let response = connector.call(HttpRequest::get(url)?).await.context("no answer")?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect().await;
    let body = body.map_err(|error| anyhow!("the answer cannot be read: {error}"))?.to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::scenario::Span;

    /// Answers each connection with the next of these, and the last for ever.
    async fn answering(answers: Vec<&'static str>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/go", listener.local_addr().unwrap());
        let answers = Arc::new(answers);
        tokio::spawn(async move {
            let mut n = 0;
            while let Ok((mut stream, _)) = listener.accept().await {
                let answer = answers[n.min(answers.len() - 1)];
                n += 1;
                tokio::spawn(async move {
                    let mut request = [0; 1024];
                    let _ = stream.read(&mut request).await;
                    if answer.is_empty() {
                        std::future::pending::<()>().await;
                    }
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        url
    }

    fn http(url: String) -> Http {
        let [every, at_most] = [Span::milliseconds(10), Span::milliseconds(300)];
        Http { url, word: Some("degraded".to_owned()), every, at_most, failures: 3 }
    }

    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine";
    const BAD: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
    const WORD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\ndegraded";
    const MOVED: &str = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";

    #[tokio::test]
    async fn all_but_a_good_answer_within_its_time_is_a_failure() {
        let asked = async |answer| ask(&http(answering(vec![answer]).await)).await;
        assert_eq!(asked(OK).await, Ok(()));
        assert_eq!(asked(BAD).await.unwrap_err(), "the answer was 503");
        assert_eq!(asked(MOVED).await.unwrap_err(), "the answer was 302");
        assert_eq!(asked(WORD).await.unwrap_err(), "the answer says \"degraded\"");
        assert_eq!(asked("").await.unwrap_err(), "no answer within 300ms");
        let long = format!("HTTP/1.1 200 OK\r\ncontent-length: 70000\r\n\r\n{}", "x".repeat(70_000)).leak();
        assert!(asked(long).await.unwrap_err().contains("cannot be read"));
        let closed = ask(&http("http://127.0.0.1:1/".to_owned())).await.unwrap_err();
        assert!(closed.starts_with("no answer"), "{closed}");
    }

    #[tokio::test]
    async fn a_run_begins_when_one_of_a_few_is_good() {
        assert_eq!(ask_often(&http(answering(vec![BAD, BAD, OK]).await)).await, Ok(()));
        assert!(ask_often(&http(answering(vec![BAD, BAD, BAD, OK]).await)).await.is_err());
    }
}
