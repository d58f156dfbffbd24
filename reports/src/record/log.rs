//! The append side of a run folder: what the harness writes to while a run goes.
//!
//! - [`EventLog`]: a line is in the file (not only in this process) when `append` returns. It is locked as long as the log
//!   is open, so that others see that the run goes on; the kernel unlocks it when the process ends, however it does.
//! - [`UndoLog`]: a line is on the *disk* when `append` returns, because the change that it describes comes next. It is locked
//!   in the same way, so that nobody undoes what a run still makes.
//! - [`LedgerLog`]: buffered, because there may be hundreds of thousands of writes; `finish` says that all is written.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde::{Serialize, de::DeserializeOwned};

use super::{Entry, Folder, RecordError, UndoEntry, Write};

/// Appends to `events.ndjson`.
#[derive(Debug)]
pub struct EventLog {
    lines: Lines,
}

impl EventLog {
    /// A new, empty log in `folder`.
    pub fn create(folder: &Folder) -> Result<Self, RecordError> {
        let lines = Lines::create(folder.events())?;
        // A file system without locks goes without.
        let _ = lines.file.get_ref().try_lock();
        Ok(Self { lines })
    }

    /// The log that is there, to append to it: for what is done about a run that was killed. A torn last line is cut off.
    pub fn open(folder: &Folder) -> Result<Self, RecordError> {
        let lines = Lines::open(folder.events())?;
        let _ = lines.file.get_ref().try_lock();
        lines.mend::<Entry>().map(|lines| Self { lines })
    }

    /// Appends one line and flushes it.
    pub fn append(&mut self, entry: &Entry) -> Result<(), RecordError> {
        self.lines.append(entry)?;
        self.lines.flush()
    }
}

/// Appends to `undo.ndjson`.
#[derive(Debug)]
pub struct UndoLog {
    lines: Lines,
}

impl UndoLog {
    /// A new, empty journal in `folder`. Its name is on the disk when this returns.
    pub fn create(folder: &Folder) -> Result<Self, RecordError> {
        let log = Self { lines: Lines::create(folder.undo())? };
        // A file system without locks goes without.
        let _ = log.lines.file.get_ref().try_lock();
        log.sync()?;
        let directory = File::open(folder.path()).map_err(|e| RecordError::io("open", folder.path(), e))?;
        directory.sync_all().map_err(|e| RecordError::io("sync", folder.path(), e))?;
        Ok(log)
    }

    /// The journal that is there, to append to it: for the cure of a run that was killed. None: somebody else has it open,
    /// for the run goes on, or is undone already.
    ///
    /// A torn last line is ended first, so that it cannot swallow the next one. It described a change that was not yet
    /// made: `append` had not returned.
    pub fn take(folder: &Folder) -> Result<Option<Self>, RecordError> {
        let lines = Lines::open(folder.undo())?;
        // A file system without locks goes without.
        if matches!(lines.file.get_ref().try_lock(), Err(TryLockError::WouldBlock)) {
            return Ok(None);
        }
        // What is in it is looked at when nobody else writes to it any more.
        Ok(Some(Self { lines: lines.mend::<UndoEntry>()? }))
    }

    /// Appends one line and waits until it is on the disk.
    pub fn append(&mut self, entry: &UndoEntry) -> Result<(), RecordError> {
        self.lines.append(entry)?;
        self.lines.flush()?;
        self.sync()
    }

    fn sync(&self) -> Result<(), RecordError> {
        self.lines.file.get_ref().sync_data().map_err(|e| RecordError::io("sync", &self.lines.path, e))
    }
}

/// Appends to `ledger.ndjson`.
#[derive(Debug)]
pub struct LedgerLog {
    lines: Lines,
}

impl LedgerLog {
    /// A new, empty ledger in `folder`.
    pub fn create(folder: &Folder) -> Result<Self, RecordError> {
        Ok(Self { lines: Lines::create(folder.ledger())? })
    }

    /// Appends one write, buffered.
    pub fn append(&mut self, write: &Write) -> Result<(), RecordError> {
        self.lines.append(write)
    }

    /// Writes what is buffered.
    pub fn flush(&mut self) -> Result<(), RecordError> {
        self.lines.flush()
    }

    /// Writes what is buffered and ends the log.
    pub fn finish(mut self) -> Result<(), RecordError> {
        self.lines.flush()
    }
}

/// A file of lines.
#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Lines {
    fn create(path: PathBuf) -> Result<Self, RecordError> {
        let file = create_new(&path)?;
        Ok(Self { path, file: BufWriter::new(file) })
    }

    /// A file that is there, to append to it.
    fn open(path: PathBuf) -> Result<Self, RecordError> {
        let file =
            OpenOptions::new().append(true).open(&path).map_err(|e| RecordError::io("open", &path, e))?;
        Ok(Self::of(path, file))
    }

    /// A file that was opened to be appended to.
    pub(super) fn of(path: PathBuf, file: File) -> Self {
        Self { path, file: BufWriter::new(file) }
    }

    /// Ends a last line that lacks only its end, and cuts off one that is torn.
    pub(super) fn mend<T: DeserializeOwned>(mut self) -> Result<Self, RecordError> {
        let bytes = std::fs::read(&self.path).map_err(|e| RecordError::io("read", &self.path, e))?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let tail = bytes.get(whole..).unwrap_or_default();
        if serde_json::from_slice::<T>(tail).is_ok() {
            self.raw(b"\n")?;
        } else if !tail.is_empty() {
            let keep = u64::try_from(whole).unwrap_or(u64::MAX);
            self.file.get_ref().set_len(keep).map_err(|e| RecordError::io("cut", &self.path, e))?;
        }
        self.flush()?;
        Ok(self)
    }

    pub(super) fn append<T: Serialize>(&mut self, value: &T) -> Result<(), RecordError> {
        let mut line = serde_json::to_vec(value)
            .map_err(|source| RecordError::Json { path: self.path.clone(), source })?;
        line.push(b'\n');
        self.raw(&line)
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        self.file.write_all(bytes).map_err(|e| RecordError::io("write", &self.path, e))
    }

    pub(super) fn flush(&mut self) -> Result<(), RecordError> {
        self.file.flush().map_err(|e| RecordError::io("write", &self.path, e))
    }
}

/// A file that was not there: a run folder is written once, and no run overwrites another's record.
pub(super) fn create_new(path: &Path) -> Result<File, RecordError> {
    OpenOptions::new()
        .append(true)
        .create_new(true)
        .open(path)
        .map_err(|e| RecordError::io("create", path, e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::UndoState;

    fn entry(id: u64) -> UndoEntry {
        UndoEntry {
            id,
            wall: jiff::Timestamp::UNIX_EPOCH,
            state: UndoState::Intended,
            region: "global".into(),
            kind: "table".into(),
            name: "t".into(),
            manual: "aws …".into(),
            before: None,
            error: None,
        }
    }

    #[test]
    fn a_reopened_journal_cuts_a_torn_line_and_goes_on() {
        let keep = tempfile::tempdir().unwrap();
        let folder = Folder::create(&keep.path().join("run")).unwrap();
        UndoLog::create(&folder).unwrap().append(&entry(1)).unwrap();
        let mut file = OpenOptions::new().append(true).open(folder.undo()).unwrap();
        file.write_all(b"{\"id\":2,\"wa").unwrap();
        UndoLog::take(&folder).unwrap().unwrap().append(&entry(3)).unwrap();
        let (read, note) = super::super::ndjson::read::<UndoEntry>(&folder.undo()).unwrap();
        assert_eq!(read.iter().map(|e| e.id).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(note, None);
    }

    #[test]
    fn a_journal_is_taken_by_one_at_a_time_and_torn_events_go_on() {
        let keep = tempfile::tempdir().unwrap();
        let folder = Folder::create(&keep.path().join("run")).unwrap();
        let run = UndoLog::create(&folder).unwrap();
        assert!(UndoLog::take(&folder).unwrap().is_none(), "the run goes on");
        drop(run);
        let taken = UndoLog::take(&folder).unwrap();
        assert!(taken.is_some() && UndoLog::take(&folder).unwrap().is_none());

        let note = |text: &str| Entry {
            at_us: 0,
            wall: jiff::Timestamp::UNIX_EPOCH,
            event: crate::record::Event::Note { text: text.to_owned() },
        };
        EventLog::create(&folder).unwrap().append(&note("1")).unwrap();
        let mut file = OpenOptions::new().append(true).open(folder.events()).unwrap();
        file.write_all(b"{\"at_us\":2,\"wa").unwrap();
        EventLog::open(&folder).unwrap().append(&note("2")).unwrap();
        let (read, torn) = super::super::ndjson::read::<Entry>(&folder.events()).unwrap();
        assert_eq!((read, torn), (vec![note("1"), note("2")], None));
    }

    #[test]
    fn a_folder_is_open_as_long_as_its_run_goes_on() {
        let keep = tempfile::tempdir().unwrap();
        let folder = Folder::create(&keep.path().join("run")).unwrap();
        let log = EventLog::create(&folder).unwrap();
        assert!(folder.is_open().unwrap());
        drop(log);
        assert!(!folder.is_open().unwrap());
    }

    #[test]
    fn a_record_is_never_overwritten() {
        let keep = tempfile::tempdir().unwrap();
        let folder = Folder::create(&keep.path().join("run")).unwrap();
        EventLog::create(&folder).unwrap();
        let error = EventLog::create(&folder).unwrap_err();
        assert!(error.to_string().contains("events.ndjson"));
    }
}
