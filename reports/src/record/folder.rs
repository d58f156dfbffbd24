//! The run folder: where each file of a record is, and how all of it is read back.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{
    Act, Entry, Event, HistogramSeries, QuotaReport, RecordError, RunInfo, UndoEntry, Write, ndjson,
};

/// The folder of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
}

/// All that a run wrote down.
#[derive(Debug, Clone)]
pub struct Record {
    /// Who ran what, against what: the first line of the events.
    pub info: RunInfo,
    /// What happened, in the order written.
    pub events: Vec<Entry>,
    /// What people did, in the order of their times.
    pub acts: Vec<Act>,
    /// Every shadow write.
    pub ledger: Vec<Write>,
    /// Every change to the world, and its undo.
    pub undo: Vec<UndoEntry>,
    /// Latencies by metric, for example `replication.shadow`.
    pub histograms: BTreeMap<String, HistogramSeries>,
    /// What was going to be done; `Null` when there is no plan.
    pub plan: serde_json::Value,
    /// What it was going to ask of the quotas; absent when the run could not read them, or is one of old.
    pub quotas: Option<QuotaReport>,
    /// The scenario's text; empty when there is none.
    pub scenario: String,
    /// What the reader of the folder noticed, for example a last line that was cut off.
    pub notes: Vec<String>,
}

impl Folder {
    /// Makes the folder, and the one for histograms in it. It may be there already.
    pub fn create(path: &Path) -> Result<Self, RecordError> {
        let folder = Self { path: path.to_path_buf() };
        let inner = folder.histograms();
        std::fs::create_dir_all(&inner).map_err(|e| RecordError::io("create", &inner, e))?;
        Ok(folder)
    }

    /// A folder, whatever is in it: that of a run that was killed at once, or of something else that has an undo journal.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_path_buf() }
    }

    /// A folder that is there.
    pub fn open(path: &Path) -> Result<Self, RecordError> {
        let folder = Self { path: path.to_path_buf() };
        let events = folder.events();
        match std::fs::metadata(&events) {
            Ok(_) => Ok(folder),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Err(RecordError::NoRunFolder { path: path.to_path_buf() })
            }
            Err(error) => Err(RecordError::io("read", &events, error)),
        }
    }

    /// Whether somebody still writes into it: the run, or whoever undoes what a run has left.
    pub fn is_open(&self) -> Result<bool, RecordError> {
        for path in [self.events(), self.undo()] {
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(RecordError::io("open", &path, error)),
            };
            if matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The scenario with every default filled in.
    pub fn scenario(&self) -> PathBuf {
        self.path.join("scenario.toml")
    }

    /// What was going to be created, called, broken and undone.
    pub fn plan(&self) -> PathBuf {
        self.path.join("plan.json")
    }

    /// What the plan asks of the quotas.
    pub fn quotas(&self) -> PathBuf {
        self.path.join("quota.json")
    }

    /// The same as a table.
    pub fn quotas_csv(&self) -> PathBuf {
        self.path.join("quota.csv")
    }

    /// The undo journal.
    pub fn undo(&self) -> PathBuf {
        self.path.join("undo.ndjson")
    }

    /// What happened.
    pub fn events(&self) -> PathBuf {
        self.path.join("events.ndjson")
    }

    /// What people did.
    pub fn acts(&self) -> PathBuf {
        self.path.join("acts.ndjson")
    }

    /// Every shadow write.
    pub fn ledger(&self) -> PathBuf {
        self.path.join("ledger.ndjson")
    }

    /// The folder of the histogram logs.
    pub fn histograms(&self) -> PathBuf {
        self.path.join("histograms")
    }

    /// The histogram log of one metric, for example `replication.shadow`.
    pub fn histogram(&self, metric: &str) -> PathBuf {
        self.histograms().join(format!("{metric}.hlog"))
    }

    /// The verdict.
    pub fn summary(&self) -> PathBuf {
        self.path.join("summary.json")
    }

    /// The verdict for CI.
    pub fn junit(&self) -> PathBuf {
        self.path.join("junit.xml")
    }

    /// The verdict for people.
    pub fn report(&self) -> PathBuf {
        self.path.join("report.html")
    }

    /// The program's own log.
    pub fn log(&self) -> PathBuf {
        self.path.join("log.txt")
    }

    /// The undo journal alone: what there is to undo hangs on nothing else.
    pub fn read_undo(&self) -> Result<Vec<UndoEntry>, RecordError> {
        Ok(ndjson::read(&self.undo())?.0)
    }

    /// The events alone.
    pub fn read_events(&self) -> Result<Vec<Entry>, RecordError> {
        Ok(ndjson::read(&self.events())?.0)
    }

    /// Reads all that the run wrote down.
    pub fn read(&self) -> Result<Record, RecordError> {
        let mut notes = Vec::new();
        let (events, torn) = ndjson::read::<Entry>(&self.events())?;
        notes.extend(torn);
        let (mut acts, torn) = ndjson::read::<Act>(&self.acts())?;
        notes.extend(torn);
        acts.sort_by_key(|act| act.wall);
        let (ledger, torn) = ndjson::read::<Write>(&self.ledger())?;
        notes.extend(torn);
        let (undo, torn) = ndjson::read::<UndoEntry>(&self.undo())?;
        notes.extend(torn);
        let info = match events.first() {
            Some(Entry { event: Event::RunBegan(info), .. }) => info.clone(),
            _ => return Err(RecordError::NoBeginning { path: self.events() }),
        };
        Ok(Record {
            info,
            events,
            acts,
            ledger,
            undo,
            histograms: self.read_histograms(&mut notes)?,
            plan: self.read_plan()?,
            quotas: self.read_quotas()?,
            scenario: read_optional(&self.scenario())?.unwrap_or_default(),
            notes,
        })
    }

    fn read_quotas(&self) -> Result<Option<QuotaReport>, RecordError> {
        let path = self.quotas();
        let text = read_optional(&path)?;
        let parsed = text.map(|text| serde_json::from_str(&text)).transpose();
        parsed.map_err(|source| RecordError::Json { path, source })
    }

    fn read_plan(&self) -> Result<serde_json::Value, RecordError> {
        let path = self.plan();
        match read_optional(&path)? {
            None => Ok(serde_json::Value::Null),
            Some(text) => serde_json::from_str(&text).map_err(|source| RecordError::Json { path, source }),
        }
    }

    fn read_histograms(
        &self,
        notes: &mut Vec<String>,
    ) -> Result<BTreeMap<String, HistogramSeries>, RecordError> {
        let path = self.histograms();
        let mut series = BTreeMap::new();
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(series),
            Err(error) => return Err(RecordError::io("list", &path, error)),
        };
        for entry in entries {
            let file = entry.map_err(|e| RecordError::io("list", &path, e))?.path();
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let Some(metric) = name.strip_suffix(".hlog") else { continue };
            let (read, torn) = HistogramSeries::read(&file)?;
            notes.extend(torn);
            series.insert(metric.to_owned(), read);
        }
        notes.sort();
        Ok(series)
    }
}

fn read_optional(path: &Path) -> Result<Option<String>, RecordError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(RecordError::io("read", path, error)),
    }
}
