//! The command line of the replicator: `replicator sync`, `replicator failback`, `replicator ready`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    replicator::command::main().await
}
