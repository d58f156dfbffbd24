//! What can go wrong with a run folder. Every error names the file; what lies beneath is the `source`, not the text.

use std::path::{Path, PathBuf};

/// A run folder could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, for example `read`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A line of an NDJSON file is not what it should be.
    #[error("{}, line {line}: not a record of this kind", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// A JSON file is not JSON, or a value could not be written as JSON.
    #[error("{}: not the JSON it should be", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// There are no events.
    #[error("{} is no run folder: there is no events.ndjson in it", path.display())]
    NoRunFolder {
        /// What was taken for one.
        path: PathBuf,
    },
    /// The events do not begin with the line that says whose they are.
    #[error("{}: the first line is not `run-began`", path.display())]
    NoBeginning {
        /// The events file.
        path: PathBuf,
    },
    /// An interval of a histogram log cannot be read.
    #[error("{}, interval {interval}: {why}", path.display())]
    Histogram {
        /// The file.
        path: PathBuf,
        /// The interval, from 1.
        interval: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A histogram could not be encoded.
    #[error("cannot encode a histogram for {}", path.display())]
    HistogramEncode {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: hdrhistogram::serialization::V2DeflateSerializeError,
    },
    /// A histogram could not be made.
    #[error("cannot make a histogram")]
    HistogramBounds {
        /// Why not.
        #[source]
        source: hdrhistogram::CreationError,
    },
}

impl RecordError {
    /// An error of the file system at `path`.
    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { action, path: path.to_path_buf(), source }
    }
}
