//! A shard: the devices of a fleet by the thousand, in one folder.
//!
//! | File | |
//! |---|---|
//! | `keys.pem` | their private keys, one behind the other |
//! | `csrs.pem` | their CSRs, in the same order |
//! | `states.ndjson` | what became of each, see [`super::states`] |
//!
//! Keys and CSRs come into being with their folder, by a rename, and never change: a shard is there whole or not at all, and no
//! certificate is asked for before its key is on disk.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use rustls_pki_types::{CertificateSigningRequestDer, PrivatePkcs8KeyDer, pem::PemObject};

use super::keys::Fresh;

/// Devices of a shard at the most.
pub(crate) const SHARD_DEVICES: u32 = 1_000;
/// Whoever may list a folder of keys: its owner.
const FOLDER_MODE: u32 = 0o700;
/// Whoever may read a key, or anything beside it: its owner.
const FILE_MODE: u32 = 0o600;
const KEYS: &str = "keys.pem";
const CSRS: &str = "csrs.pem";
const STATES: &str = "states.ndjson";
/// The last line of a CSR.
const CSR_END: &str = "-----END CERTIFICATE REQUEST-----";
/// What a folder is called until it is whole.
const UNFINISHED: &str = ".unfinished";

/// A shard on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shard {
    path: PathBuf,
    /// The number of its first device; numbers count from 1, as in names.
    pub(crate) first: u32,
}

impl Shard {
    /// Writes keys and CSRs of the devices from `first` on into a new shard below `shards`.
    pub(crate) fn write(shards: &Path, first: u32, fresh: &[Fresh]) -> anyhow::Result<Self> {
        let path = shards.join(format!("{first:06}"));
        if path.exists() {
            bail!("{} is there already", path.display());
        }
        let unfinished = path.with_extension(&UNFINISHED[1..]);
        remove(&unfinished)?;
        create_folder(&unfinished)?;
        let pems = |pem: fn(&Fresh) -> &str| fresh.iter().map(pem).collect::<String>();
        write_file(&unfinished.join(KEYS), pems(|fresh| &fresh.key_pem).as_bytes())?;
        write_file(&unfinished.join(CSRS), pems(|fresh| &fresh.csr_pem).as_bytes())?;
        sync_folder(&unfinished)?;
        fs::rename(&unfinished, &path).with_context(|| format!("{} cannot be made", path.display()))?;
        sync_folder(shards)?;
        Ok(Self { path, first })
    }

    /// All shards below `shards`, by their first device. What was not finished is left aside.
    pub(crate) fn list(shards: &Path) -> anyhow::Result<Vec<Self>> {
        let mut all = Vec::new();
        let entries = match fs::read_dir(shards) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(all),
            entries => entries.with_context(|| format!("{} cannot be read", shards.display()))?,
        };
        for entry in entries {
            let path = entry?.path();
            let first = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
            all.extend(first.map(|first| Self { path, first }));
        }
        all.sort_by_key(|shard| shard.first);
        Ok(all)
    }

    /// The private keys, PKCS #8 DER, in the order of the devices.
    pub(crate) fn keys(&self) -> anyhow::Result<Vec<Vec<u8>>> {
        let pem = self.read(KEYS)?;
        let keys = PrivatePkcs8KeyDer::pem_slice_iter(&pem).map(|key| Ok(key?.secret_pkcs8_der().to_vec()));
        keys.collect::<anyhow::Result<_>>()
            .with_context(|| format!("the keys in {} do not read", self.path.display()))
    }

    /// The CSRs, DER, in the order of the devices.
    pub(crate) fn csrs(&self) -> anyhow::Result<Vec<Vec<u8>>> {
        let pem = self.read(CSRS)?;
        let csrs = CertificateSigningRequestDer::pem_slice_iter(&pem).map(|csr| Ok(csr?.to_vec()));
        csrs.collect::<anyhow::Result<_>>()
            .with_context(|| format!("the CSRs in {} do not read", self.path.display()))
    }

    /// The CSRs as they were written, PEM, in the order of the devices.
    pub(crate) fn csr_pems(&self) -> anyhow::Result<Vec<String>> {
        let pem = String::from_utf8(self.read(CSRS)?).context("a CSR is not text")?;
        let parts = pem.split_inclusive(CSR_END).map(str::trim).filter(|part| part.ends_with(CSR_END));
        Ok(parts.map(|part| format!("{part}\n")).collect())
    }

    /// How many devices it has.
    pub(crate) fn devices(&self) -> anyhow::Result<u32> {
        Ok(u32::try_from(self.csr_pems()?.len())?)
    }

    /// Where the states of its devices are.
    pub(crate) fn states(&self) -> PathBuf {
        self.path.join(STATES)
    }

    fn read(&self, file: &str) -> anyhow::Result<Vec<u8>> {
        let path = self.path.join(file);
        fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))
    }
}

/// Makes a folder that only its owner may enter, and those above it.
pub(crate) fn create_folder(path: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path);
    made.with_context(|| format!("{} cannot be made", path.display()))?;
    // One that was there before may let others in.
    let closed = fs::set_permissions(path, Permissions::from_mode(FOLDER_MODE));
    closed.with_context(|| format!("{} cannot be closed to others", path.display()))
}

/// Writes a new file that only its owner may read, down to the disk.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().with_context(|| format!("{} cannot be written", path.display()))
}

/// Puts a file in the place of another, whole or not at all.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let unfinished = path.with_extension(&UNFINISHED[1..]);
    remove(&unfinished)?;
    write_file(&unfinished, bytes)?;
    fs::rename(&unfinished, path).with_context(|| format!("{} cannot be written", path.display()))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// A file that is only appended to.
pub(super) fn open_to_append(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(FILE_MODE).open(path)
}

fn remove(path: &Path) -> anyhow::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", path.display()))
        }
        _ => Ok(()),
    }
}

fn sync_folder(path: &Path) -> anyhow::Result<()> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("{} cannot be synced", path.display()))
}

#[cfg(test)]
mod tests {
    use rcgen::KeyPair;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{identity::KeyKind, pool::keys};

    fn fresh(count: usize) -> Vec<Fresh> {
        let names: Vec<String> = (1..=count).map(|n| format!("lamp-{n:05}")).collect();
        keys::make(&names, KeyKind::P256, &CancellationToken::new()).unwrap().unwrap()
    }

    #[test]
    fn what_was_written_reads_back_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let shards = folder.path().join("shards");
        create_folder(&shards).unwrap();
        let fresh = fresh(3);
        let shard = Shard::write(&shards, 1, &fresh).unwrap();
        assert_eq!(Shard::list(&shards).unwrap(), std::slice::from_ref(&shard));
        assert_eq!(shard.devices().unwrap(), 3);
        let pems: Vec<&String> = fresh.iter().map(|fresh| &fresh.csr_pem).collect();
        let same =
            |read: &[String]| read.iter().zip(&pems).all(|(a, b)| a.trim() == b.replace("\r\n", "\n").trim());
        assert!(same(&shard.csr_pems().unwrap()), "{:?}", shard.csr_pems().unwrap());
        assert_eq!(shard.csrs().unwrap().len(), 3);
        for (key, fresh) in shard.keys().unwrap().iter().zip(&fresh) {
            assert_eq!(KeyPair::try_from(key.as_slice()).unwrap().serialize_pem(), fresh.key_pem);
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&shards), mode(&shard.path)), (0o700, 0o700));
        assert_eq!((mode(&shard.path.join(KEYS)), mode(&shard.path.join(CSRS))), (0o600, 0o600));
    }

    #[test]
    fn a_shard_that_was_not_finished_is_none_and_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let unfinished = folder.path().join("000001.unfinished");
        fs::create_dir(&unfinished).unwrap();
        fs::write(unfinished.join(KEYS), "half of a k").unwrap();
        assert_eq!(Shard::list(folder.path()).unwrap(), []);
        let shard = Shard::write(folder.path(), 1, &fresh(1)).unwrap();
        assert_eq!(shard.keys().unwrap().len(), 1);
        assert!(Shard::write(folder.path(), 1, &fresh(1)).is_err(), "keys are never written over");
        assert!(!unfinished.exists());
    }

    #[test]
    fn a_folder_that_others_could_enter_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let open = folder.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o755)).unwrap();
        create_folder(&open).unwrap();
        assert_eq!(fs::metadata(&open).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fleet.json");
        replace_file(&path, b"one").unwrap();
        replace_file(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
