//! The twin's temporary folder. It goes with the twin; that of a twin that was killed goes when the next one starts.
//!
//! Whether its owner lives is told by a lock, which the kernel takes away from a process that ends: a process id may be
//! another's by now.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    path::Path,
};

const PREFIX: &str = "gameday-twin-";
/// Locked as long as the folder's owner lives.
const LOCK: &str = "lock";

/// A folder, and the lock that says that it is in use.
#[derive(Debug)]
pub(crate) struct Folder {
    folder: tempfile::TempDir,
    _lock: File,
}

impl Folder {
    /// Makes one in the system's temporary folder, and removes there what killed twins left.
    pub(crate) fn make() -> io::Result<Self> {
        Self::make_in(&std::env::temp_dir())
    }

    fn make_in(place: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(place)?;
        // Nobody who sweeps may find it before it is locked.
        let begun = folder.path().join("lock.new");
        let lock = File::create_new(&begun)?;
        lock.try_lock()?;
        fs::rename(begun, folder.path().join(LOCK))?;
        let owner = fs::metadata(folder.path())?.uid();
        if let Err(error) = sweep(place, owner) {
            tracing::debug!(%error, "folders of twins before were not looked for");
        }
        Ok(Self { folder, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes this user's folders whose lock nobody holds. One without a lock is about to get it.
fn sweep(place: &Path, owner: u32) -> io::Result<()> {
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        // Not of what a link points to.
        let Ok(found) = entry.metadata() else { continue };
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if !is_ours || !found.is_dir() || found.uid() != owner {
            continue;
        }
        let Ok(lock) = File::open(entry.path().join(LOCK)) else { continue };
        if lock.try_lock().is_ok()
            && let Err(error) = fs::remove_dir_all(entry.path())
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(folder = %entry.path().display(), %error, "what a twin left could not be removed");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_killed_twin_goes_and_that_of_a_living_one_stays() {
        let place = tempfile::tempdir().unwrap();
        let living = Folder::make_in(place.path()).unwrap();
        let killed = Folder::make_in(place.path()).unwrap();
        fs::write(killed.path().join("left"), "").unwrap();
        // As when its process is killed: the lock goes, the folder does not.
        let Folder { folder, _lock: lock } = killed;
        let left = folder.keep();
        drop(lock);
        let starting = place.path().join("gameday-twin-starting");
        fs::create_dir(&starting).unwrap();
        let next = Folder::make_in(place.path()).unwrap();
        assert!(living.path().is_dir() && next.path().is_dir() && starting.is_dir());
        assert!(!left.exists(), "what the killed one left");
        let path = living.path().to_owned();
        drop(living);
        assert!(!path.exists());
    }
}
