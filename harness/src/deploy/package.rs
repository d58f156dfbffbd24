//! The functions' package. On AWS it is an object in a bucket; on the twin a folder of this machine with a `bootstrap` that
//! hands over to this very executable, whose hidden subcommand runs the replicator's functions.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context;
use replicator::templates::{HEALTH, JITR, PRIMARY, SECONDARY};

use super::{
    install::stack_name,
    stack::{Stacks, parameter_of},
};
use crate::aws::Aws;

/// The bucket that AWS cannot have: its keys are folders.
const FOLDER: &str = "__folder__";
/// What the folder's name begins with.
const PREFIX: &str = "gameday-code-";
const BOOTSTRAP: &str = "bootstrap";

/// Where the package is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    /// May say `{region}`: functions take their package from a bucket of their own Region.
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) architecture: &'static str,
}

impl Package {
    pub(crate) fn bucket_in(&self, region: &str) -> String {
        self.bucket.replace("{region}", region)
    }

    /// A folder with a package for the twin.
    pub(crate) fn in_folder(folder: &Path) -> anyhow::Result<Self> {
        let key = folder.to_str().context("the path of a temporary folder is not UTF-8")?.to_owned();
        // What this machine is does not matter to a script.
        Ok(Self { bucket: FOLDER.to_owned(), key, architecture: "x86_64" })
    }
}

/// Writes the package for the twin into a folder of its own in the twin's, which carries the postfix in its name: it goes with
/// the value, or if it is kept, with the twin.
pub(crate) fn write(twin: &Path, postfix: &str) -> anyhow::Result<tempfile::TempDir> {
    let folder = tempfile::Builder::new().prefix(&prefix(postfix)).tempdir_in(twin);
    let folder =
        folder.with_context(|| format!("no folder can be made in the twin's, {}", twin.display()))?;
    let path = folder.path().join(BOOTSTRAP);
    fs::write(&path, script()?)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}

/// Where the package of a deployment is, as any of its stacks says it: bucket and key.
pub(crate) async fn deployed(aws: &Aws, postfix: &str) -> anyhow::Result<Option<(String, String)>> {
    let (primary, secondary) = (&aws.primary, &aws.secondary);
    for (clients, template) in [
        (secondary, SECONDARY),
        (primary, PRIMARY),
        (secondary, HEALTH),
        (primary, HEALTH),
        (secondary, JITR),
        (primary, JITR),
    ] {
        let stack = Stacks::quiet(clients).find(&stack_name(postfix, template)).await?;
        let of = |key| stack.as_ref().and_then(|stack| parameter_of(stack, key)).map(str::to_owned);
        if let (Some(bucket), Some(key)) = (of("CodeBucket"), of("CodeKey")) {
            return Ok(Some((bucket, key)));
        }
    }
    Ok(None)
}

/// The folder that a deployment has already, if it is there and hands over to this executable.
pub(crate) fn is_current(bucket: &str, key: &str) -> bool {
    let found = ours(bucket, key).and_then(|folder| fs::read_to_string(folder.join(BOOTSTRAP)).ok());
    found.is_some_and(|found| script().is_ok_and(|script| script == found))
}

/// Removes the folder of a deployment that is gone; what is none of ours stays.
pub(crate) fn remove(bucket: &str, key: &str) -> anyhow::Result<()> {
    let Some(folder) = ours(bucket, key).filter(|folder| folder.is_dir()) else { return Ok(()) };
    let remove = || {
        fs::remove_file(folder.join(BOOTSTRAP))?;
        // Only if nothing else is in it.
        fs::remove_dir(&folder)
    };
    remove().with_context(|| format!("{} could not be removed", folder.display()))
}

/// Removes what a run that was killed has left of its package in the twin's folder, if that is on this machine.
pub(crate) fn remove_all_of(twin: &Path, run: &str) -> anyhow::Result<()> {
    let Ok(entries) = fs::read_dir(twin) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix(run)) {
            let path = entry.path();
            fs::remove_dir_all(&path).with_context(|| format!("{} could not be removed", path.display()))?;
        }
    }
    Ok(())
}

fn prefix(postfix: &str) -> String {
    format!("{PREFIX}{postfix}-")
}

fn ours(bucket: &str, key: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(key);
    let is_ours = folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
    (bucket == FOLDER && is_ours).then_some(folder)
}

fn script() -> anyhow::Result<String> {
    let executable = std::env::current_exe().context("where this executable is")?;
    let executable = executable.to_str().context("the path of this executable is not UTF-8")?;
    // In single quotes a shell takes everything as it is, but for the quote itself.
    Ok(format!("#!/bin/sh\nexec '{}' function\n", executable.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_found_again_and_removed_and_nothing_else_is() {
        let twin = tempfile::tempdir().unwrap();
        let folder = write(twin.path(), "main").unwrap();
        let package = Package::in_folder(folder.path()).unwrap();
        assert!(is_current(&package.bucket, &package.key));
        assert!(!is_current("a-bucket", &package.key));
        fs::write(folder.path().join("other"), "").unwrap();
        assert!(remove(&package.bucket, &package.key).is_err(), "something else is in it");
        fs::remove_file(folder.path().join("other")).unwrap();
        fs::write(folder.path().join(BOOTSTRAP), "").unwrap();
        assert!(!is_current(&package.bucket, &package.key), "it hands over to something else");
        remove(&package.bucket, &package.key).unwrap();
        assert!(!folder.path().exists());
        let (killed, other) = (write(twin.path(), "ab").unwrap(), write(twin.path(), "abc").unwrap());
        remove_all_of(twin.path(), "ab").unwrap();
        assert!(!killed.path().exists() && other.path().exists());
        let other = tempfile::tempdir().unwrap();
        remove(FOLDER, other.path().to_str().unwrap()).unwrap();
        assert!(other.path().exists());
    }

    #[test]
    fn each_region_has_its_bucket() {
        let package = Package { bucket: "b-{region}".into(), key: "k".into(), architecture: "arm64" };
        assert_eq!(package.bucket_in("eu-west-1"), "b-eu-west-1");
    }
}
