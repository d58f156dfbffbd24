//! A twin for a test, and calls to it as they are on the wire.

use std::{fmt::Write as _, io, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::site::{SOON, Site};

pub(super) const EAST: &str = "us-east-1";
pub(super) const WEST: &str = "us-west-2";

/// A reply: status, body, and the whole of it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }
}

impl Site {
    /// One call on a connection of its own; the service is `control` for the control API.
    pub(super) async fn send(
        &self,
        (region, service): (&str, &str),
        line: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> io::Result<Answer> {
        let mut head = format!(
            "{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=A/20261122/{region}/{service}/aws4_request, a=b\r\n",
            body.len()
        );
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        let mut socket = TcpStream::connect(self.endpoints.api_url.strip_prefix("http://").unwrap()).await?;
        socket.write_all(format!("{head}\r\n{body}").as_bytes()).await?;
        let mut reply = String::new();
        socket.read_to_string(&mut reply).await?;
        let (head, text) = reply.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok(Answer { status, head: head.to_owned(), text: text.to_owned() })
    }

    pub(super) async fn control(&self, line: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        timeout(SOON, self.send((EAST, "control"), line, &[], &body)).await.unwrap().unwrap()
    }

    /// Sets a fault and says its id.
    pub(super) async fn set(&self, fault: &Value) -> u64 {
        let set = self.control("PUT /_twin/faults", fault).await;
        assert_eq!(set.status, 201, "{}", set.text);
        set.json()["id"].as_u64().unwrap()
    }

    pub(super) async fn hits(&self, id: u64) -> u64 {
        self.control(&format!("GET /_twin/faults/{id}"), &Value::Null).await.json()["hits"].as_u64().unwrap()
    }

    /// Removes a fault; it has hit something before.
    pub(super) async fn clear(&self, id: u64) -> u64 {
        let hits = self.hits(id).await;
        assert!(hits > 0, "fault {id} has hit nothing");
        let removed = self.control(&format!("DELETE /_twin/faults/{id}"), &Value::Null).await;
        assert_eq!(removed.status, 204);
        hits
    }

    pub(super) async fn dynamodb(&self, region: &str, operation: &str, body: &Value) -> io::Result<Answer> {
        let service = if operation.starts_with("Streams_") { "DynamoDBStreams" } else { "DynamoDB" };
        let target = format!("{service}_20120810.{}", operation.trim_start_matches("Streams_"));
        let headers = [("x-amz-target", target.as_str()), ("content-type", "application/x-amz-json-1.0")];
        self.send((region, "dynamodb"), "POST /", &headers, &body.to_string()).await
    }

    /// A table `tab` with the key `k` and a stream, in both Regions if `global`.
    pub(super) async fn table(&self, global: bool) {
        let table = json!({
            "TableName": "tab", "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
            "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        });
        let made = self.dynamodb(EAST, "CreateTable", &table).await.unwrap();
        assert_eq!(made.status, 200, "{}", made.text);
        if global {
            let add = json!({"TableName": "tab", "ReplicaUpdates": [{"Create": {"RegionName": WEST}}]});
            let made = self.dynamodb(EAST, "UpdateTable", &add).await.unwrap();
            assert_eq!(made.status, 200, "{}", made.text);
        }
    }

    pub(super) async fn put(&self, key: &str) -> io::Result<Answer> {
        let item = json!({"TableName": "tab", "Item": {"k": {"S": key}, "n": {"N": "1"}}});
        self.dynamodb(EAST, "PutItem", &item).await
    }

    pub(super) async fn has(&self, region: &str, key: &str) -> bool {
        let key = json!({"TableName": "tab", "Key": {"k": {"S": key}}});
        let got = self.dynamodb(region, "GetItem", &key).await.unwrap();
        assert_eq!(got.status, 200, "{}", got.text);
        got.json().get("Item").is_some()
    }

    pub(super) async fn until_has(&self, region: &str, key: &str) {
        let reached = async {
            while !self.has(region, key).await {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, reached).await.expect("the item never came");
    }
}
