//! What people did while a run went on, and after it: notes, and what ended it. It has a file of its own because others than the
//! run write it: a line is written whole, under a lock, whether or not the run goes on.

use std::fs::OpenOptions;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::log::Lines;
use super::{Folder, RecordError};

/// The longest text of an act, in characters.
pub const TEXT_CHARS_MAX: usize = 1_000;

/// One line of `acts.ndjson`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// When, by the clock of the machine on which it was done.
    pub wall: Timestamp,
    /// What.
    pub act: ActKind,
    /// What was said with it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Who, if they said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What somebody did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActKind {
    /// Wrote something down.
    Note,
    /// Asked the run to end, with `gameday abort`.
    Abort,
    /// Sent it a signal, for example with Ctrl-C.
    Signal,
}

/// Appends to `acts.ndjson`.
#[derive(Debug)]
pub struct ActLog;

impl ActLog {
    /// Appends one line, whole. The file is made when it is not there.
    pub fn append(folder: &Folder, act: &Act) -> Result<(), RecordError> {
        let path = folder.acts();
        let file = OpenOptions::new().append(true).create(true).open(&path);
        let file = file.map_err(|e| RecordError::io("open", &path, e))?;
        // Released when the file is closed. A file system without locks goes without.
        let _ = file.lock();
        let mut lines = Lines::of(path, file).mend::<Act>()?;
        lines.append(act)?;
        lines.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::record::ndjson;

    fn note(text: &str) -> Act {
        Act { wall: Timestamp::UNIX_EPOCH, act: ActKind::Note, text: text.to_owned(), by: None }
    }

    #[test]
    fn many_write_at_once_and_every_line_is_whole() {
        let keep = tempfile::tempdir().unwrap();
        let folder = Folder::create(keep.path()).unwrap();
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let folder = &folder;
                scope.spawn(move || {
                    for line in 0..20 {
                        ActLog::append(folder, &note(&format!("{writer}.{line} {}", "x".repeat(900))))
                            .unwrap();
                    }
                });
            }
        });
        let (acts, torn) = ndjson::read::<Act>(&folder.acts()).unwrap();
        assert_eq!((acts.len(), torn), (160, None));
    }

    #[test]
    fn a_line_that_a_killed_writer_left_half_is_cut() {
        let keep = tempfile::tempdir().unwrap();
        let folder = Folder::create(keep.path()).unwrap();
        ActLog::append(&folder, &note("first")).unwrap();
        let mut file = OpenOptions::new().append(true).open(folder.acts()).unwrap();
        file.write_all(b"{\"wall\":\"2026").unwrap();
        ActLog::append(&folder, &note("second")).unwrap();
        let (acts, torn) = ndjson::read::<Act>(&folder.acts()).unwrap();
        assert_eq!(acts.iter().map(|act| act.text.as_str()).collect::<Vec<_>>(), ["first", "second"]);
        assert_eq!(torn, None);
    }
}
