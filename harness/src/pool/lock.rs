//! One gameday at a time changes a fleet: a lock on a file in its folder, which ends with the process, however that ends.

use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::MetadataExt,
    path::Path,
};

use anyhow::{Context, bail};

use super::shard::open_to_append;

const LOCK: &str = "lock";

/// While it is held nobody else changes the fleet.
#[derive(Debug)]
pub(crate) struct Lock {
    #[cfg_attr(not(test), expect(dead_code, reason = "it is held, not used"))]
    file: File,
}

impl Lock {
    /// Of the fleet in this folder. What is known of the fleet is read after that, and not before.
    pub(super) fn hold(fleet: &Path) -> anyhow::Result<Self> {
        let path = fleet.join(LOCK);
        let name = fleet.file_name().unwrap_or_default().to_string_lossy();
        let file = open_to_append(&path).with_context(|| format!("{} cannot be opened", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("another gameday is working on fleet {name}"),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("{} cannot be locked", path.display()));
            }
        }
        if !is_at(&file, &path) {
            bail!("another gameday has just deleted fleet {name}");
        }
        Ok(Self { file })
    }
}

/// Whether it is this file that is there: whoever held the lock before may have taken the folder away, and somebody else may have
/// made another one.
fn is_at(file: &File, path: &Path) -> bool {
    let both = fs::metadata(path).and_then(|there| Ok((there, file.metadata()?)));
    both.is_ok_and(|(there, held)| (there.dev(), there.ino()) == (held.dev(), held.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_of_a_folder_that_is_gone_holds_nothing() {
        let fleets = tempfile::tempdir().unwrap();
        let [fleet, aside] = ["lamps", "aside"].map(|name| fleets.path().join(name));
        fs::create_dir(&fleet).unwrap();
        let held = Lock::hold(&fleet).unwrap();
        assert!(is_at(&held.file, &fleet.join(LOCK)));
        fs::rename(&fleet, &aside).unwrap();
        assert!(!is_at(&held.file, &fleet.join(LOCK)));
        assert!(Lock::hold(&fleet).is_err(), "no folder is made");
        // Another fleet of that name has a lock of its own.
        fs::create_dir(&fleet).unwrap();
        let _other = Lock::hold(&fleet).unwrap();
        assert!(!is_at(&held.file, &fleet.join(LOCK)));
        assert!(Lock::hold(&aside).is_err(), "it is held");
    }
}
