//! The functions that AWS Lambda (or the twin) runs. Each is a thin handler over the library.

mod health;
mod replicate;

/// What a function ends with when it cannot go on.
pub type Error = lambda_runtime::Error;

/// Applies the records of the event table's stream to the secondary Region.
///
/// Environment: `PRIMARY_REGION`, `SECONDARY_REGION` (else `AWS_REGION`), `STATE_TABLE`,
/// `ERROR_TABLE`.
pub const REPLICATE: &str = "replicate";

/// Answers a Route 53 health check by sending messages through the Region's MQTT endpoint.
///
/// Environment: `ENDPOINT`, `ENDPOINT_PORT`, `ENDPOINT_ADDRESS`, `CA`, `CERT`, `KEY`,
/// `QUERY_STRING`, `COUNT`.
pub const HEALTH: &str = "health";

/// The names that [`run`] knows.
pub const NAMES: [&str; 2] = [REPLICATE, HEALTH];

/// Runs the function of that name until the runtime ends it.
pub async fn run(name: &str) -> Result<(), Error> {
    if !NAMES.contains(&name) {
        return Err(format!("no function is called {name:?}; there are {NAMES:?}").into());
    }
    start_log();
    match name {
        HEALTH => health::run().await,
        _ => replicate::run().await,
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

/// An environment variable that must be there.
fn variable(name: &str) -> Result<String, Error> {
    std::env::var(name).map_err(|_| format!("environment variable {name} is not set").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_unknown_name_is_refused_with_the_known_ones() {
        let why = run("nothing").await.unwrap_err().to_string();
        assert!(why.contains("nothing") && why.contains("replicate"), "{why}");
    }
}
