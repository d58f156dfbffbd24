//! The big red button: a file that ends the run by being there.

use std::{io, path::Path};

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Button {
    Pressed,
    Released,
}

impl Button {
    /// Looks whether something is at the path. A folder that is missing, or may not be read, is an error: nobody could press.
    pub(super) fn look(path: &Path) -> io::Result<Self> {
        // A link that leads nowhere is there, too.
        match std::fs::symlink_metadata(path) {
            Ok(_) => Ok(Self::Pressed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                std::fs::metadata(folder.unwrap_or_else(|| Path::new("."))).map(|_| Self::Released)
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_pressed_by_whatever_is_there_and_missing_folders_are_told() {
        let keep = tempfile::tempdir().unwrap();
        let path = keep.path().join("STOP");
        assert_eq!(Button::look(&path).unwrap(), Button::Released);
        std::os::unix::fs::symlink("nowhere", &path).unwrap();
        assert_eq!(Button::look(&path).unwrap(), Button::Pressed);
        assert_eq!(Button::look(Path::new("no-such-file")).unwrap(), Button::Released);
        let error = Button::look(&keep.path().join("missing/STOP")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(Button::look(&path.join("below-a-file")).is_err());
    }
}
