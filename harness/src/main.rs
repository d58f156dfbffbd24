//! The `gameday` program: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    gameday::cli::main()
}
