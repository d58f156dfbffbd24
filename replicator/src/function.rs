//! The functions that AWS Lambda (or the twin) runs. Each is a thin handler over the library.

mod capture;
mod dispatch;
mod health;
mod jitr;
mod reconcile;
mod repair;
mod replica;
mod replicate;
mod task;

use std::io::Write as _;

use lambda_runtime::Diagnostic;

use crate::outcome::{Class, Failure};
use crate::ports::TAKE_KEY;
use crate::workflow::{AGAIN_ERROR, TURN_ERROR};

/// What a function ends with when it cannot go on.
pub type Error = lambda_runtime::Error;

/// Applies the records of both streams, the event table's and the documents', to the secondary Region.
///
/// Environment: `PRIMARY_REGION`, `SECONDARY_REGION` (else `AWS_REGION`), `STATE_TABLE`,
/// `ERROR_TABLE`, `MODE` (`complete`, the default, or `just-in-time`).
pub const REPLICATE: &str = "replicate";

/// Starts an execution of the state machine for each record of the same streams.
///
/// Environment: `STATE_MACHINE_ARN`, `SECONDARY_REGION` (else `AWS_REGION`), `ERROR_TABLE`.
pub const DISPATCH: &str = "dispatch";

/// The state machine's task: applies one record. Environment as [`REPLICATE`].
pub const APPLY: &str = "apply";

/// The state machine's end: writes the error row. Environment as [`REPLICATE`].
pub const GIVE_UP: &str = "give-up";

/// Applies the events of the error table again, on a schedule. Environment as [`REPLICATE`].
pub const REPAIR: &str = "repair";

/// Looks at the primary for what no event carries, and writes documents.
///
/// Environment: `PRIMARY_REGION` (else `AWS_REGION`), `EVENTS_TABLE`, `DOCUMENTS_TABLE`, `QUEUE_URL`, `MODE`.
pub const CAPTURE: &str = "capture";

/// Compares both Regions on a schedule and mends what events missed.
///
/// Environment: `PRIMARY_REGION`, `SECONDARY_REGION`, `EVENTS_TABLE`, `DOCUMENTS_TABLE`, `PROGRESS_TABLE`,
/// `STATE_TABLE`, `MODE`.
pub const RECONCILE: &str = "reconcile";

/// Answers a Route 53 health check by sending messages through the Region's MQTT endpoint.
///
/// Environment: `ENDPOINT`, `ENDPOINT_PORT`, `ENDPOINT_ADDRESS`, `CA`, `CERT`, `KEY`,
/// `QUERY_STRING`, `COUNT`.
pub const HEALTH: &str = "health";

/// Makes what belongs to a certificate that a device brings itself.
///
/// Environment: `IOT_POLICY_NAME`, `REGION` (else `AWS_REGION`), `SHARES_THINGS` (`true` or not).
pub const JITR: &str = "jitr";

/// The names that [`run`] knows. Those that call AWS IoT take [`QUOTA_SHARE`](crate::aws::QUOTA_SHARE) of its quotas.
pub const NAMES: [&str; 9] = [REPLICATE, DISPATCH, APPLY, GIVE_UP, REPAIR, CAPTURE, RECONCILE, HEALTH, JITR];

/// Runs the function of that name until the runtime ends it.
pub async fn run(name: &str) -> Result<(), Error> {
    if !NAMES.contains(&name) {
        return Err(format!("no function is called {name:?}; there are {NAMES:?}").into());
    }
    start_log();
    crate::aws::quota_share()?;
    match name {
        REPLICATE => replicate::run().await,
        DISPATCH => dispatch::run().await,
        APPLY => task::run_apply().await,
        GIVE_UP => task::run_give_up().await,
        REPAIR => repair::run().await,
        CAPTURE => capture::run().await,
        RECONCILE => reconcile::run().await,
        JITR => jitr::run().await,
        _ => health::run().await,
    }
}

/// JSON lines on standard error, which Lambda collects. Whoever embeds this may have a log already.
fn start_log() {
    let level = std::env::var("LOG_LEVEL").unwrap_or_else(|_| "info".to_owned());
    let filter = tracing_subscriber::EnvFilter::new(format!("warn,replicator={level}"));
    let log = tracing_subscriber::fmt().json().with_writer(std::io::stderr).with_env_filter(filter);
    // An error means that there is a log already, which is as good.
    log.try_init().ok();
}

/// What a function is called in metrics: as its deployment named it, so that two are not counted together.
fn called(handler: &str) -> String {
    variable("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|_| handler.to_owned())
}

/// A line on standard output, from which `CloudWatch` reads metrics ([`crate::metrics`]).
fn tell(line: &str) {
    // Metrics that cannot be told are no reason to fail.
    writeln!(std::io::stdout().lock(), "{line}").ok();
}

/// An environment variable that must be there.
fn variable(name: &str) -> Result<String, Error> {
    std::env::var(name).map_err(|_| format!("environment variable {name} is not set").into())
}

/// The Region that a variable names, else the one in which this runs.
fn region(name: &str) -> Result<String, Error> {
    variable(name).or_else(|_| variable("AWS_REGION"))
}

/// A failure under the name by which a state machine knows that it may be tried again.
#[derive(Debug)]
struct Again(Failure);

impl From<Again> for Diagnostic {
    fn from(Again(failure): Again) -> Self {
        let waits_its_turn = failure.class == Class::Conflict && failure.step == TAKE_KEY;
        let name = if waits_its_turn { TURN_ERROR } else { AGAIN_ERROR };
        Self { error_type: name.to_owned(), error_message: failure.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_unknown_name_is_refused_with_the_known_ones() {
        let why = run("nothing").await.unwrap_err().to_string();
        assert!(why.contains("nothing") && NAMES.iter().all(|name| why.contains(name)), "{why}");
    }

    #[test]
    fn a_failure_has_the_name_that_the_state_machine_retries() {
        for (class, step, name) in [
            (Class::Transient, TAKE_KEY, AGAIN_ERROR),
            (Class::Conflict, TAKE_KEY, TURN_ERROR),
            (Class::Conflict, "delete certificate", AGAIN_ERROR),
        ] {
            let told = Diagnostic::from(Again(Failure::new(class, step, "not now")));
            assert_eq!(told.error_message, format!("{step}: not now"));
            assert_eq!(told.error_type, name);
            assert!(crate::workflow::DEFINITION.contains(&format!("\"{name}\"")));
        }
    }
}
