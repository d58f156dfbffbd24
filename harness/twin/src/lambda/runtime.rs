//! Runtimes: what a function's process is started with.
//!
//! OS-only runtimes run the package's `bootstrap`. Python's run AWS's own interface client, `awslambdaric`, with a Python
//! of this machine, whatever its version: `GAMEDAY_PYTHON`, else `python3`.

use std::{path::PathBuf, process::Stdio, time::Duration};

use tokio::{process::Command, time::timeout};

use crate::error::AwsError;

/// Names the Python that runs functions.
const PYTHON_VARIABLE: &str = "GAMEDAY_PYTHON";
const PYTHON_DEFAULT: &str = "python3";
/// How long a Python may take to say whether it can run functions.
const PROBE_MAX: Duration = Duration::from_secs(20);

/// What a function's process is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Runtime {
    /// The package's `bootstrap`.
    Bootstrap,
    /// This Python, with `awslambdaric`.
    Python(PathBuf),
}

impl Runtime {
    /// What runs the runtime of this name on this machine.
    pub(crate) async fn find(name: &str) -> Result<Self, AwsError> {
        match name {
            "provided.al2023" | "provided.al2" => Ok(Self::Bootstrap),
            name if is_python(name) => {
                let python = std::env::var_os(PYTHON_VARIABLE).unwrap_or_else(|| PYTHON_DEFAULT.into());
                Self::python(name, PathBuf::from(python)).await
            }
            name => Err(invalid(format!(
                "The twin has the runtimes provided.al2023, provided.al2 and python3.x, not {name}"
            ))),
        }
    }

    async fn python(name: &str, python: PathBuf) -> Result<Self, AwsError> {
        let probe = Command::new(&python)
            .args(["-c", "import awslambdaric"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .status();
        match timeout(PROBE_MAX, probe).await {
            Ok(Ok(status)) if status.success() => Ok(Self::Python(python)),
            _ => Err(invalid(format!(
                "The runtime {name} needs a Python with the package awslambdaric (pip install awslambdaric). {} has \
                 none: set {PYTHON_VARIABLE} to one that has",
                python.display()
            ))),
        }
    }
}

/// Whether this is the name of a Python runtime: `python3.` and a number.
fn is_python(name: &str) -> bool {
    name.strip_prefix("python3.")
        .is_some_and(|v| (1..=2).contains(&v.len()) && v.bytes().all(|b| b.is_ascii_digit()))
}

fn invalid(message: String) -> AwsError {
    AwsError::new(400, "InvalidParameterValueException", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_runtime_is_found_or_refused() {
        assert_eq!(Runtime::find("provided.al2023").await, Ok(Runtime::Bootstrap));
        for name in ["nodejs22.x", "python2.7", "python3.", "python3.x"] {
            assert!(Runtime::find(name).await.unwrap_err().message.contains(name), "{name}");
        }
        let missing = Runtime::python("python3.12", PathBuf::from("/does/not/exist")).await.unwrap_err();
        assert_eq!(missing.code, "InvalidParameterValueException");
        assert!(missing.message.contains("GAMEDAY_PYTHON"));
    }
}
