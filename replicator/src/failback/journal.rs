//! What deletions have cut and not given back, kept beside the plan for as long as that is so.
//!
//! No version tells that a certificate was taken from a thing, or out of use, and a process may end right after
//! that. So whatever is cut is written down first. The same plan, carried out again, knows by that what is its
//! own work and what is somebody's change: it finishes the one, and gives back before it refuses the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::{Plan, Subject};
use crate::model::Status;
use crate::outcome::{Failure, Outcome};

/// What a deletion has cut so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cut {
    pub(super) ties: BTreeSet<CutTie>,
    /// The certificate that was taken out of use, and its status before.
    pub(super) status: Option<(String, Status)>,
}

impl Cut {
    fn is_empty(&self) -> bool {
        self.ties.is_empty() && self.status.is_none()
    }
}

/// A thing and a principal that it had.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct CutTie {
    pub(super) thing: String,
    /// The incarnation: one that is made later under its name does not get the principal.
    pub(super) thing_id: Option<String>,
    pub(super) principal: String,
}

/// What is written down.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Pages {
    /// The plan by whose run it was cut.
    made_ms: u64,
    cuts: Vec<(Subject, Cut)>,
}

/// What is cut and not given back.
#[derive(Debug, Default)]
pub struct Journal {
    /// Its file, which is there only while something is cut; none: it lasts as long as the process.
    path: Option<PathBuf>,
    made_ms: Mutex<u64>,
    cuts: Mutex<BTreeMap<Subject, Cut>>,
}

impl Journal {
    /// The journal of a plan: a file beside the plan's own, with `.cut` after its name.
    pub fn beside(plan: &Path) -> io::Result<Self> {
        let mut path = plan.as_os_str().to_owned();
        path.push(".cut");
        let path = PathBuf::from(path);
        let pages = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other)?,
            Err(why) if why.kind() == io::ErrorKind::NotFound => Pages::default(),
            Err(why) => return Err(why),
        };
        let cuts = Mutex::new(pages.cuts.into_iter().collect());
        Ok(Self { path: Some(path), made_ms: Mutex::new(pages.made_ms), cuts })
    }

    /// Whether nothing is cut.
    pub fn is_empty(&self) -> bool {
        self.cuts().is_empty()
    }

    fn cuts(&self) -> MutexGuard<'_, BTreeMap<Subject, Cut>> {
        self.cuts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins with a plan. Refused as long as something is cut that is another plan's to finish.
    pub(super) fn begin(&self, plan: &Plan) -> Outcome<()> {
        let mut made_ms = self.made_ms.lock().unwrap_or_else(PoisonError::into_inner);
        if *made_ms != plan.made_ms && !self.is_empty() {
            let cuts = self.cuts();
            let subjects: Vec<_> = cuts.keys().map(ToString::to_string).collect();
            let why = format!(
                "{} names what a run of another plan has cut and not given back ({}): carry that one out again",
                self.path.as_deref().unwrap_or(Path::new("the journal")).display(),
                subjects.join(", ")
            );
            return Err(Failure::permanent("apply plan", why));
        }
        *made_ms = plan.made_ms;
        Ok(())
    }

    /// What is cut of an item.
    pub(super) fn cut(&self, subject: &Subject) -> Option<Cut> {
        self.cuts().get(subject).cloned()
    }

    /// Writes down what is cut of an item.
    pub(super) fn keep(&self, subject: &Subject, cut: &Cut) -> Outcome<()> {
        let made_ms = *self.made_ms.lock().unwrap_or_else(PoisonError::into_inner);
        let mut cuts = self.cuts();
        let before =
            if cut.is_empty() { cuts.remove(subject) } else { cuts.insert(subject.clone(), cut.clone()) };
        let is_new = before.map_or(!cut.is_empty(), |before| before != *cut);
        let Some(path) = self.path.as_deref().filter(|_| is_new) else { return Ok(()) };
        let cuts = cuts.iter().map(|(subject, cut)| (subject.clone(), cut.clone())).collect();
        write(path, &Pages { made_ms, cuts })
            .map_err(|why| Failure::permanent("keep what is cut", format!("{}: {why}", path.display())))
    }
}

/// Replaces the file as a whole, and takes it away with the last cut.
fn write(path: &Path, pages: &Pages) -> io::Result<()> {
    if pages.cuts.is_empty() {
        return fs::remove_file(path);
    }
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let mut file = File::create(&fresh)?;
    file.write_all(&serde_json::to_vec_pretty(pages)?)?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_outlives_the_process_until_it_is_given_back() {
        let folder = std::env::temp_dir().join(format!("replicator-journal-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("home.json");
        let (plan, subject) = (Plan { made_ms: 7, ..Plan::default() }, Subject::Thing("t".into()));
        let tie = CutTie { thing: "t".into(), thing_id: Some("id".into()), principal: "arn".into() };
        let cut = Cut { ties: BTreeSet::from([tie]), status: Some(("c".into(), Status::Active)) };
        let journal = Journal::beside(&path).unwrap();
        journal.begin(&plan).unwrap();
        journal.keep(&subject, &cut).unwrap();

        let journal = Journal::beside(&path).unwrap();
        assert_eq!(journal.cut(&subject), Some(cut));
        let other = journal.begin(&Plan { made_ms: 8, ..Plan::default() }).unwrap_err();
        assert!(other.why.contains("home.json.cut names what") && other.why.contains("(thing t)"), "{other}");
        journal.begin(&plan).unwrap();
        journal.keep(&subject, &Cut::default()).unwrap();
        journal.keep(&subject, &Cut::default()).unwrap();
        assert!(journal.is_empty() && Journal::beside(&path).unwrap().is_empty());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "no file is left");
        fs::write(folder.join("home.json.cut"), "?").unwrap();
        assert!(Journal::beside(&path).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_cannot_be_written_down_is_a_failure() {
        let journal = Journal::beside(Path::new("/no/such/folder/home.json")).unwrap();
        let cut = Cut { status: Some(("c".into(), Status::Active)), ..Cut::default() };
        let failure = journal.keep(&Subject::Certificate("c".into()), &cut).unwrap_err();
        assert!(failure.why.contains("/no/such/folder/home.json.cut"), "{failure}");
    }
}
