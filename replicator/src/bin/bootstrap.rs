//! The executable of every function: AWS Lambda says in `_HANDLER` which one it is to be.

use std::io::Write as _;

use replicator::function;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), function::Error> {
    // Lambda gives no arguments: whoever does is a person.
    if std::env::args_os().len() > 1 {
        writeln!(std::io::stdout(), "runs as AWS Lambda; see replicator")?;
        return Ok(());
    }
    function::run(&std::env::var("_HANDLER").unwrap_or_default()).await
}
