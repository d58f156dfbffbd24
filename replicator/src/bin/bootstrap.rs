//! The executable of every function: AWS Lambda says in `_HANDLER` which one it is to be.

use replicator::function;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), function::Error> {
    function::run(&std::env::var("_HANDLER").unwrap_or_default()).await
}
