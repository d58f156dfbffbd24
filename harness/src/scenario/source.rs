//! The text of a scenario: one file, or one that includes others. Whatever is read from it knows where it stands, in whichever
//! file that is.
//!
//! `include = ["base.toml"]` names files relative to the one that says it. Of two files that say the same key the later one holds,
//! and the including one is the last. Tables are joined key by key; what stands in such a key is replaced as a whole, and so is the
//! list of steps: a step of one file and a step of another would be a run sheet that nobody has written.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{ScenarioError, hint::helped, locate};

/// Files that a scenario is made of, at the most.
pub(super) const INCLUDES_MAX: usize = 8;
/// How deep files may include each other.
const DEPTH_MAX: usize = 3;
/// A longer file is none that a person wrote.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
const KEY: &str = "include";

/// The files, those that are included before those that include them.
#[derive(Debug)]
pub(super) struct Source {
    files: Vec<File>,
}

/// A file, behind as many spaces as the files before it have bytes: a place in one of them is a place in no other.
#[derive(Debug)]
struct File {
    name: String,
    padded: String,
    at: usize,
}

impl Source {
    /// A text that includes nothing.
    pub(super) fn text(text: &str, name: &str) -> Self {
        let mut source = Self { files: Vec::new() };
        source.push(text, name);
        source
    }

    /// A file, and what it includes.
    pub(super) fn read(path: &Path) -> Result<Self, ScenarioError> {
        let mut source = Self { files: Vec::new() };
        source.gather(path, &mut Vec::new())?;
        Ok(source)
    }

    fn push(&mut self, text: &str, name: &str) {
        let at = self.files.last().map_or(0, |file| file.padded.len() + 1);
        self.files.push(File { name: name.to_owned(), padded: " ".repeat(at) + text, at });
    }

    /// `above`: the files that include this one, the outermost first.
    fn gather(&mut self, path: &Path, above: &mut Vec<PathBuf>) -> Result<(), ScenarioError> {
        let text = text_of(path).map_err(|source| ScenarioError::Read { path: path.to_owned(), source })?;
        let name = path.display().to_string();
        let alone = Self::text(&text, &name);
        let table = alone.table_of(alone.files.first())?;
        above.push(path.canonicalize().unwrap_or_else(|_| path.to_owned()));
        for (span, included) in alone.includes(&table)? {
            let wrong = |why: String| alone.wrong(&span, Some(KEY), &why);
            let inner = path.parent().unwrap_or_else(|| Path::new("")).join(&included);
            if above.len() > DEPTH_MAX {
                return Err(wrong(format!("files include each other {DEPTH_MAX} deep at the most")));
            }
            if above.contains(&inner.canonicalize().unwrap_or_else(|_| inner.clone())) {
                return Err(wrong(format!("{included} includes itself")));
            }
            self.gather(&inner, above).map_err(|error| match error {
                ScenarioError::Read { path, source } if path == inner => {
                    wrong(format!("cannot read {}: {source}", path.display()))
                }
                other => other,
            })?;
            if self.files.len() >= INCLUDES_MAX {
                return Err(wrong(format!("a scenario is made of {INCLUDES_MAX} files at the most")));
            }
        }
        above.pop();
        self.push(&text, &name);
        Ok(())
    }

    /// What a file includes, and where it says so.
    fn includes(&self, table: &Spanned<DeTable<'_>>) -> Result<Vec<(Range<usize>, String)>, ScenarioError> {
        let Some(value) = table.get_ref().get(KEY) else { return Ok(Vec::new()) };
        let wrong = || self.wrong(&value.span(), Some(KEY), "must be a list of files, as [\"base.toml\"]");
        let DeValue::Array(list) = value.get_ref() else { return Err(wrong()) };
        let name = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
            DeValue::String(name) if !name.is_empty() => Ok((item.span(), name.to_string())),
            _ => Err(wrong()),
        };
        list.iter().map(name).collect()
    }

    /// All files as one table.
    pub(super) fn table(&self) -> Result<Spanned<DeTable<'_>>, ScenarioError> {
        // A text without a folder includes nothing: there it is an unknown key.
        let is_alone = self.files.len() == 1;
        let mut all = DeTable::new();
        for file in &self.files {
            let table = self.table_of(Some(file))?.into_inner();
            for (key, value) in table.into_iter().filter(|(key, _)| is_alone || key.get_ref() != KEY) {
                join(&mut all, key, value);
            }
        }
        // What is missing altogether is missing in the last one.
        let at = self.files.last().map_or(0, |file| file.at);
        Ok(Spanned::new(at..at, all))
    }

    fn table_of<'a>(&'a self, file: Option<&'a File>) -> Result<Spanned<DeTable<'a>>, ScenarioError> {
        DeTable::parse(file.map_or("", |file| &file.padded)).map_err(|error| self.parse_error(&error))
    }

    /// An error of the TOML parser or of a type.
    pub(super) fn parse_error(&self, error: &toml::de::Error) -> ScenarioError {
        let span = error.span().unwrap_or(0..0);
        let path = self.file(span.start).and_then(|file| {
            let table = DeTable::parse(&file.padded).ok()?;
            locate::path_at(table.get_ref(), span.start)
        });
        self.wrong(&span, path.as_deref(), &helped(error.message()))
    }

    /// An error of a value that fits its type and still makes no sense; `path` names its key.
    pub(super) fn check_error(&self, path: &str, message: &str) -> ScenarioError {
        let at = self.files.last().map_or(0, |file| file.at);
        let span =
            self.table().ok().and_then(|table| locate::span_of(table.get_ref(), path)).unwrap_or(at..at);
        self.wrong(&span, Some(path), message)
    }

    fn file(&self, offset: usize) -> Option<&File> {
        self.files.iter().rev().find(|file| file.at <= offset)
    }

    fn wrong(&self, span: &Range<usize>, path: Option<&str>, message: &str) -> ScenarioError {
        let (name, text, at) = match self.file(span.start) {
            Some(file) => (file.name.as_str(), file.padded.get(file.at..).unwrap_or_default(), file.at),
            None => ("", "", 0),
        };
        let span = span.start - at..span.end.saturating_sub(at);
        ScenarioError::Invalid(locate::render(text, name, &span, path, message))
    }
}

fn text_of(path: &Path) -> std::io::Result<String> {
    if std::fs::metadata(path)?.len() > FILE_BYTES_MAX {
        return Err(std::io::Error::other(format!("it is larger than {FILE_BYTES_MAX} bytes")));
    }
    std::fs::read_to_string(path)
}

/// Puts a key of a later file into the table of the ones before.
fn join<'a>(all: &mut DeTable<'a>, key: Spanned<std::borrow::Cow<'a, str>>, value: Spanned<DeValue<'a>>) {
    let before = all.remove(key.get_ref().as_ref());
    let (span, value) = (value.span(), value.into_inner());
    let value = match (before.map(Spanned::into_inner), value) {
        (Some(DeValue::Table(mut table)), DeValue::Table(later)) => {
            for (key, value) in later {
                // Removed first: what is said of the key is said of its last place.
                table.remove(key.get_ref().as_ref());
                table.insert(key, value);
            }
            DeValue::Table(table)
        }
        (_, value) => value,
    };
    all.insert(key, Spanned::new(span, value));
}

#[cfg(test)]
mod tests {
    use super::{super::Scenario, *};

    const BASE: &str = r#"
title = "base"
proves = "p"
[fleet]
devices = 5
strategy = { cname = { every = "5s" } }
[[step]]
provision = { via = "api" }
[[step]]
connect = { rate_per_s = 200 }
[objectives]
"writes.lost" = "== 0"
"#;

    fn files(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn load(folder: &tempfile::TempDir, name: &str, sets: &[String]) -> Result<Scenario, String> {
        Scenario::load(&folder.path().join(name), sets).map_err(|error| error.to_string())
    }

    #[test]
    fn the_later_file_holds_key_by_key_and_lists_are_replaced() {
        let folder = files(&[
            ("base.toml", BASE),
            ("quotas.toml", "[twin]\nquota_scale = 3\n[fleet]\nkeep_alive = \"20s\"\n"),
            (
                "day.toml",
                "include = [\"base.toml\", \"quotas.toml\"]\ntitle = \"day\"\n[fleet]\ndevices = 7\n\
                 strategy = { sticky = { failures = 2 } }\n[[step]]\nprovision = { via = \"api\" }\n\
                 [objectives]\n\"writes.stale\" = \"== 0\"\n",
            ),
        ]);
        let day = load(&folder, "day.toml", &["fleet.devices=9".to_owned()]).unwrap();
        assert_eq!((day.title.as_str(), day.proves.as_str()), ("day", "p"));
        assert_eq!((day.fleet.devices, day.fleet.keep_alive.as_secs()), (9, 20));
        assert_eq!(day.fleet.strategy.to_string(), "sticky, switches after 2 failures, stays");
        assert!((day.twin.quota_scale - 3.0).abs() < f64::EPSILON);
        assert_eq!(day.step.len(), 1, "the list of steps is replaced");
        assert_eq!(day.objectives.len(), 2, "objectives are a table");
        let resolved = toml::to_string(&day).unwrap();
        assert_eq!(Scenario::parse(&resolved, "f.toml", &[]).unwrap(), day, "it stands by itself");
    }

    #[test]
    fn an_error_is_pointed_at_in_the_file_that_it_is_in() {
        let day = "include = [\"base.toml\"]\n[load]\ntelemetry = { every = \"0s\" }\n";
        let wrong = BASE.replace("devices = 5", "devcies = 5");
        let folder = files(&[("base.toml", &wrong), ("day.toml", day)]);
        let said = load(&folder, "day.toml", &[]).unwrap_err();
        assert!(said.contains("base.toml:5:1: fleet.devcies: "), "{said}");
        assert!(said.contains("  5 | devcies = 5\n"), "{said}");
        let folder = files(&[("base.toml", BASE), ("day.toml", day)]);
        let said = load(&folder, "day.toml", &[]).unwrap_err();
        assert!(said.contains("day.toml:3:23: load.telemetry.every: must be"), "{said}");
        let folder = files(&[("base.toml", "title = \n"), ("day.toml", day)]);
        assert!(load(&folder, "day.toml", &[]).unwrap_err().contains("base.toml:1:"));
        let folder = files(&[("base.toml", "title = \"x\"\n"), ("day.toml", day)]);
        let said = load(&folder, "day.toml", &[]).unwrap_err();
        assert!(said.contains("day.toml:1:1: ") && said.contains("missing field"), "{said}");
    }

    #[test]
    fn what_cannot_be_included_is_pointed_at() {
        let include = |name: &str| format!("include = [\"{name}\"]\n");
        for (day, said) in [
            (include("none.toml"), "day.toml:1:12: include: cannot read"),
            (include("day.toml"), "day.toml:1:12: include: day.toml includes itself"),
            (include("deep1.toml"), "deep3.toml:1:12: include: files include each other 3 deep at the most"),
            ("include = \"base.toml\"\n".to_owned(), "day.toml:1:11: include: must be a list of files"),
        ] {
            let deep = ["deep2.toml", "deep3.toml", "deep4.toml"].map(include);
            let folder = files(&[
                ("day.toml", &day),
                ("deep1.toml", &deep[0]),
                ("deep2.toml", &deep[1]),
                ("deep3.toml", &deep[2]),
                ("deep4.toml", ""),
            ]);
            let error = load(&folder, "day.toml", &[]).unwrap_err();
            assert!(error.contains(said), "{said}: {error}");
        }
        let many = format!("include = [{}]\n", ["\"base.toml\""; INCLUDES_MAX].join(", "));
        let folder = files(&[("base.toml", BASE), ("day.toml", &many)]);
        assert!(load(&folder, "day.toml", &[]).unwrap_err().contains("8 files at the most"));
    }
}
