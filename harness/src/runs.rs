//! Finding a run that was: by its folder, its id, or as the latest.

use std::path::{Path, PathBuf};

use anyhow::Context;
use gameday_report::record::{Folder, RecordError};

/// What stands for the run that began last.
pub(crate) const LATEST: &str = "latest";

/// The folder of a run. `out` is where run folders are: `<out>/<scenario>/<time>-<id>`.
///
/// # Errors
/// When there is no such run: the text says what can be given.
pub(crate) fn find(out: &Path, run: &str) -> anyhow::Result<Folder> {
    match Folder::open(Path::new(run)) {
        Ok(folder) => return Ok(folder),
        // A folder of that name that is no run's may still be an id's, or the word.
        Err(RecordError::NoRunFolder { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let folders = folders(out).with_context(|| format!("{} cannot be looked into", out.display()))?;
    let found = match run {
        // Names begin with the time.
        LATEST => folders.into_iter().max_by_key(|path| path.file_name().map(ToOwned::to_owned)),
        id => folders.into_iter().find(|path| is_named(path, id)),
    };
    let path = found.with_context(|| {
        format!("no run {run:?} in {}: give a run folder, an id, or `{LATEST}`, and --out", out.display())
    })?;
    Ok(Folder::open(&path)?)
}

fn is_named(path: &Path, id: &str) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.rsplit_once('-').is_some_and(|(_, last)| last == id)
}

/// Every run folder; the links that point to one are not counted twice.
fn folders(out: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for scenario in std::fs::read_dir(out)? {
        let scenario = scenario?.path();
        if !scenario.is_dir() {
            continue;
        }
        for run in std::fs::read_dir(&scenario)? {
            let run = run?;
            if run.file_type()?.is_dir() && Folder::open(&run.path()).is_ok() {
                found.push(run.path());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_found_by_folder_by_id_and_as_the_latest() {
        let out = tempfile::tempdir().unwrap();
        for name in
            ["a/20260102T000000Z-aaaaaaaa", "b/20260103T000000Z-bbbbbbbb", "a/20260101T000000Z-cccccccc"]
        {
            let folder = Folder::create(&out.path().join(name)).unwrap();
            std::fs::write(folder.events(), "").unwrap();
        }
        std::os::unix::fs::symlink("20260101T000000Z-cccccccc", out.path().join("a/latest")).unwrap();
        std::fs::create_dir_all(out.path().join("b/20260104T000000Z-nothing0")).unwrap();
        let id = |run: &str| {
            let folder = find(out.path(), run).map(|folder| folder.path().to_string_lossy().into_owned());
            folder.map(|path| path[path.len() - 8..].to_owned()).map_err(|error| format!("{error:#}"))
        };
        assert_eq!(id("latest").unwrap(), "bbbbbbbb");
        assert_eq!(id("cccccccc").unwrap(), "cccccccc");
        let path = out.path().join("a/20260102T000000Z-aaaaaaaa");
        assert_eq!(id(path.to_str().unwrap()).unwrap(), "aaaaaaaa");
        assert!(id("dddddddd").unwrap_err().contains("give a run folder, an id, or `latest`"));
        assert!(id("nothing0").is_err(), "no run was there");
        assert!(find(&out.path().join("none"), "latest").is_err());
    }
}
