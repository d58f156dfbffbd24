//! The files of a function: a zip archive that was unpacked for it, or a folder of this machine that is used in place.
//!
//! An unpacked archive goes with the last that uses it, so that an invocation under way keeps its files when the code is
//! replaced. A folder is never written to or removed.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{Context, SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::code::{FILES_MAX, UNZIPPED_BYTES_MAX, unpack};
use crate::error::AwsError;

/// As the bucket of a function's code: the key is a folder of this machine. AWS has no bucket of this name.
pub(crate) const FOLDER_BUCKET: &str = "__folder__";

/// Where a function's code comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Zip(Vec<u8>),
    Folder(PathBuf),
}

/// A function's files.
#[derive(Debug)]
pub(crate) struct Package {
    /// The functions' working folder.
    pub(crate) root: PathBuf,
    /// Of the archive, or of the folder's files.
    pub(crate) size_bytes: u64,
    /// As AWS writes it, in base64.
    pub(crate) sha256: String,
    /// Whether the files are ours to remove.
    unpacked: bool,
}

impl Package {
    /// Makes the files ready. Blocks.
    pub(crate) fn open(source: Source, functions: &Path) -> Result<Self, AwsError> {
        match source {
            Source::Zip(zip) => {
                let root = functions.join(uuid::Uuid::new_v4().to_string());
                let package = Self {
                    root,
                    size_bytes: u64::try_from(zip.len()).unwrap_or(u64::MAX),
                    sha256: STANDARD.encode(digest(&SHA256, &zip)),
                    unpacked: true,
                };
                // What is there when this fails goes with the package.
                unpack(&zip, &package.root)?;
                Ok(package)
            }
            Source::Folder(root) => {
                if !root.is_absolute() || !root.is_dir() {
                    let message = format!("{} is not the absolute path of a folder", root.display());
                    return Err(AwsError::new(400, "InvalidParameterValueException", message));
                }
                let (size_bytes, sha256) = measure(&root).map_err(|e| {
                    let message = format!("The folder {} cannot be used: {e}", root.display());
                    AwsError::new(400, "InvalidParameterValueException", message)
                })?;
                Ok(Self { root, size_bytes, sha256, unpacked: false })
            }
        }
    }

    /// Whether the files are a user's folder, which is not to be written to.
    pub(crate) fn is_folder(&self) -> bool {
        !self.unpacked
    }
}

impl Drop for Package {
    fn drop(&mut self) {
        if self.unpacked
            && let Err(error) = fs::remove_dir_all(&self.root)
        {
            tracing::debug!(%error, "a function's folder stays until the twin ends");
        }
    }
}

/// Bytes of a folder's files and a hash of their names and contents, within the limits of a package.
fn measure(root: &Path) -> io::Result<(u64, String)> {
    let (mut folders, mut files) = (vec![root.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
            if files.len() + folders.len() > FILES_MAX {
                return Err(io::Error::other(format!("it has more than {FILES_MAX} files")));
            }
        }
    }
    files.sort();
    let (mut bytes, mut hash) = (0_u64, Context::new(&SHA256));
    for file in files {
        // A pipe would never end, nor would a device; links lead to what they are of.
        if !fs::metadata(&file)?.is_file() {
            return Err(io::Error::other(format!("{} is not a regular file", file.display())));
        }
        let mut content = Vec::new();
        // What is read counts, and not what the file's size said before.
        fs::File::open(&file)?.take(UNZIPPED_BYTES_MAX - bytes + 1).read_to_end(&mut content)?;
        let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
        bytes = bytes.saturating_add(length);
        if bytes > UNZIPPED_BYTES_MAX {
            return Err(io::Error::other(format!("it is larger than {UNZIPPED_BYTES_MAX} bytes")));
        }
        hash.update(file.strip_prefix(root).unwrap_or(&file).as_os_str().as_encoded_bytes());
        hash.update(&length.to_be_bytes());
        hash.update(&content);
    }
    Ok((bytes, STANDARD.encode(hash.finish())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lambda::code::tests::zip_of;

    #[test]
    fn an_archives_files_go_with_it() {
        let functions = tempfile::tempdir().unwrap();
        let zip = zip_of("bootstrap", b"x", 0o755);
        let package = Package::open(Source::Zip(zip.clone()), functions.path()).unwrap();
        assert_eq!(package.size_bytes, u64::try_from(zip.len()).unwrap());
        assert!(package.root.join("bootstrap").exists());
        drop(package);
        assert_eq!(fs::read_dir(functions.path()).unwrap().count(), 0);
        assert!(Package::open(Source::Zip(b"no zip".to_vec()), functions.path()).is_err());
    }

    #[test]
    fn a_folder_is_used_in_place_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("inner")).unwrap();
        fs::write(folder.path().join("inner/a"), b"abc").unwrap();
        let open = || Package::open(Source::Folder(folder.path().to_owned()), Path::new("/nowhere")).unwrap();
        let first = open();
        assert_eq!((first.root.as_path(), first.size_bytes), (folder.path(), 3));
        assert_eq!(first.sha256, open().sha256);
        fs::write(folder.path().join("inner/a"), b"abd").unwrap();
        assert_ne!(first.sha256, open().sha256, "the hash is that of the contents");
        drop(first);
        assert!(folder.path().join("inner/a").exists());
        std::os::unix::fs::symlink("/dev/zero", folder.path().join("endless")).unwrap();
        let endless = Package::open(Source::Folder(folder.path().to_owned()), Path::new("/nowhere"));
        assert!(endless.unwrap_err().message.contains("is not a regular file"));
        for bad in ["relative", "/does/not/exist"] {
            assert!(Package::open(Source::Folder(bad.into()), Path::new("/")).is_err(), "{bad}");
        }
    }
}
