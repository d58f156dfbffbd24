//! Executions of the state machine, one an event.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_sfn::Client;
use serde_json::Value;

use super::Clients;
use super::columns::unavailable;
use super::errors::failure;
use crate::outcome::{Class, Outcome, Settled};
use crate::workflow::Executions;

/// A state machine.
#[derive(Debug, Clone)]
pub struct StateMachine {
    client: Client,
    arn: String,
}

impl StateMachine {
    /// Over the clients of its Region.
    pub fn new(clients: &Clients, arn: String) -> Self {
        Self { client: clients.states(), arn }
    }
}

/// A name of an execution has 80 characters at the most, not all of which occur in devices' names.
fn name(identity: &str) -> String {
    let hash = digest(&SHA256, identity.as_bytes());
    hash.as_ref().iter().fold(String::with_capacity(64), |mut name, byte| {
        // Writing to a String cannot fail.
        write!(name, "{byte:02x}").ok();
        name
    })
}

impl Executions for StateMachine {
    async fn start(&self, identity: &str, input: &Value) -> Outcome<bool> {
        let start = self.client.start_execution().state_machine_arn(&self.arn);
        let start = start.name(name(identity)).input(input.to_string());
        let started = start.send().await.map(drop).map_err(failure("start execution"));
        let started = started.map_err(|failure| {
            // What cannot be taken because of the event itself; all else is the machine's or the caller's.
            let for_ever = ["ValidationException", "InvalidExecutionInput"];
            let permanent = for_ever.iter().any(|code| failure.why.starts_with(code));
            if permanent || failure.class == Class::Exists { failure } else { unavailable(failure) }
        });
        started.settled(Class::Exists)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_has_one_name_that_step_functions_takes() {
        let one = name("a:b\u{0}thing#1\u{0}");
        assert_eq!(one, name("a:b\u{0}thing#1\u{0}"));
        assert_ne!(one, name("a:b\u{0}thing#2\u{0}"));
        assert!(one.len() <= 80 && one.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
