//! The queue of the function that looks.

use aws_sdk_sqs::Client;

use super::Clients;
use super::columns::unavailable;
use super::errors::failure;
use crate::capture::Later;
use crate::outcome::{Failure, Outcome};
use crate::ports::Looks;

/// The longest that Amazon SQS keeps a message back.
const DELAY_S_MAX: u64 = 900;

/// A queue of Amazon SQS.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    /// Over the clients of its Region.
    pub fn new(clients: &Clients, url: String) -> Self {
        Self { client: clients.queues(), url }
    }
}

impl Looks for Queue {
    async fn later(&self, look: &Later, delay_s: u64) -> Outcome<()> {
        const STEP: &str = "send message";
        let body = serde_json::to_string(look).map_err(|why| Failure::permanent(STEP, why))?;
        let delay_s = i32::try_from(delay_s.min(DELAY_S_MAX)).unwrap_or(i32::MAX);
        let send = self.client.send_message().queue_url(&self.url).message_body(body).delay_seconds(delay_s);
        send.send().await.map(drop).map_err(failure(STEP)).map_err(unavailable)
    }
}
