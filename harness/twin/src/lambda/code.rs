//! A deployment package: the zip archive of a function, unpacked into a folder of its own.
//!
//! Guarantees: nothing is written outside the folder, links are refused, and the size is bounded by what is really
//! unpacked and not by what the archive says.

use std::{
    fs,
    io::{self, Cursor, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use zip::ZipArchive;

use crate::{error::AwsError, s3, world::World};

/// As AWS has it for a package sent with the call.
const ZIP_BYTES_MAX: usize = 50 * 1024 * 1024;
/// As AWS has it.
pub(crate) const UNZIPPED_BYTES_MAX: u64 = 250 * 1024 * 1024;
pub(crate) const FILES_MAX: usize = 10_000;
const FILE_TYPE_MASK: u32 = 0o170_000;
const SYMBOLIC_LINK: u32 = 0o120_000;
/// Mode of files that the archive has no mode for.
const DEFAULT_MODE: u32 = 0o644;

/// The package that lies in a bucket, which has to be in the function's Region.
pub(crate) fn from_s3(world: &Arc<World>, region: &str, bucket: &str, key: &str) -> Result<Bytes, AwsError> {
    if world.s3.region_of(bucket).is_some_and(|there| there != region) {
        return Err(invalid(format!(
            "Error occurred while GetObject. S3 Error Code: PermanentRedirect. S3 Error Message: The bucket is in this \
             region: {}. Please use this region to retry the request",
            world.s3.region_of(bucket).unwrap_or_default()
        )));
    }
    s3::get_object(world, bucket, key).map_err(|e| {
        invalid(format!(
            "Error occurred while GetObject. S3 Error Code: {}. S3 Error Message: {}",
            e.code, e.message
        ))
    })
}

/// Unpacks the archive. The folder is made, and is there also if this fails.
pub(crate) fn unpack(zip: &[u8], folder: &Path) -> Result<(), AwsError> {
    if zip.len() > ZIP_BYTES_MAX {
        let message = format!("Zipped size must be smaller than {ZIP_BYTES_MAX} bytes");
        return Err(AwsError::new(413, "RequestTooLargeException", message));
    }
    let mut archive = ZipArchive::new(Cursor::new(zip))
        .map_err(|e| invalid(format!("Could not unzip uploaded file: {e}")))?;
    if archive.len() > FILES_MAX {
        return Err(invalid(format!("The archive must have no more than {FILES_MAX} files")));
    }
    fs::create_dir_all(folder).map_err(|e| failed(&e))?;
    let mut left = UNZIPPED_BYTES_MAX;
    for index in 0..archive.len() {
        let mut file =
            archive.by_index(index).map_err(|e| invalid(format!("Could not unzip uploaded file: {e}")))?;
        let mode = file.unix_mode();
        let Some(name) = file.enclosed_name() else {
            return Err(invalid(format!("The archive has a path outside of it: file {index}")));
        };
        if mode.is_some_and(|m| m & FILE_TYPE_MASK == SYMBOLIC_LINK) {
            return Err(invalid(format!("The archive has a link: {}", name.display())));
        }
        let path = folder.join(name);
        if file.is_dir() {
            fs::create_dir_all(&path).map_err(|e| failed(&e))?;
            continue;
        }
        let permissions = fs::Permissions::from_mode(mode.unwrap_or(DEFAULT_MODE) & 0o777 | 0o400);
        left -= write_file(&mut file, &path, permissions, left)?;
    }
    Ok(())
}

fn write_file(
    from: &mut impl Read,
    path: &Path,
    permissions: fs::Permissions,
    left: u64,
) -> Result<u64, AwsError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|e| failed(&e))?;
    }
    let mut to = fs::File::create(path).map_err(|e| failed(&e))?;
    let bytes = io::copy(&mut from.take(left + 1), &mut to)
        .map_err(|e| invalid(format!("Could not unzip uploaded file: {e}")))?;
    if bytes > left {
        return Err(invalid(format!("Unzipped size must be smaller than {UNZIPPED_BYTES_MAX} bytes")));
    }
    to.set_permissions(permissions).map_err(|e| failed(&e))?;
    Ok(bytes)
}

fn invalid(message: String) -> AwsError {
    AwsError::new(400, "InvalidParameterValueException", message)
}

fn failed(error: &io::Error) -> AwsError {
    AwsError::new(500, "ServiceException", format!("the package cannot be unpacked: {error}"))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    /// An archive with one file.
    pub(crate) fn zip_of(name: &str, content: &[u8], mode: u32) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file(name, SimpleFileOptions::default().unix_permissions(mode)).unwrap();
        zip.write_all(content).unwrap();
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn a_package_keeps_its_modes() {
        let folder = tempfile::tempdir().unwrap();
        unpack(&zip_of("bin/bootstrap", b"#!/bin/sh\n", 0o755), folder.path()).unwrap();
        let mode = fs::metadata(folder.path().join("bin/bootstrap")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
    }

    #[test]
    fn a_package_cannot_write_outside_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        for name in ["../escaped", "a/../../escaped"] {
            assert!(unpack(&zip_of(name, b"x", 0o644), &inner).is_err(), "{name}");
        }
        assert!(!folder.path().join("escaped").exists());
        assert!(unpack(b"no zip", &inner).is_err());
    }

    #[tokio::test]
    async fn a_package_comes_from_a_bucket_of_its_region() {
        let twin = crate::Twin::start(crate::TwinConfig::default()).await.unwrap();
        let world = twin.world();
        world
            .s3
            .put_for_service(world, "us-east-1", "packages", "f.zip", Bytes::from_static(b"zip"))
            .unwrap();
        assert_eq!(from_s3(world, "us-east-1", "packages", "f.zip").unwrap(), "zip");
        for (region, bucket, key) in [
            ("us-west-2", "packages", "f.zip"),
            ("us-east-1", "packages", "absent"),
            ("us-east-1", "absent", "f.zip"),
        ] {
            let error = from_s3(world, region, bucket, key).unwrap_err();
            assert_eq!(error.code, "InvalidParameterValueException");
            assert!(error.message.starts_with("Error occurred while GetObject"), "{error}");
        }
        twin.stop().await;
    }

    #[test]
    fn a_link_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.add_symlink("bootstrap", "/bin/sh", SimpleFileOptions::default()).unwrap();
        let zip = zip.finish().unwrap().into_inner();
        assert!(unpack(&zip, folder.path()).is_err());
    }
}
