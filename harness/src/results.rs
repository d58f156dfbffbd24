//! Where run folders are kept beyond the machine that they were made on: a bucket of S3, for `gameday run --results`.
//!
//! They go there with the credentials of the environment, whatever the target of the run is. What is not kept is said, stays where
//! it was written, and changes no verdict and no exit code. The report goes last: a folder in the bucket that has one is whole.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use anyhow::{Context, bail};
use aws_config::{BehaviorVersion, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_s3::{Client, primitives::ByteStream};
use gameday_report::record::Folder;

use crate::aws::describe;

/// All files of a folder together get this long.
const UPLOAD_MAX: Duration = Duration::from_mins(5);
/// One attempt of one file.
const FILE_MAX: Duration = Duration::from_mins(2);
const ATTEMPTS_MAX: u32 = 3;
/// A run folder has a score of files; more is another folder.
const FILES_MAX: usize = 200;

/// A bucket and what keys in it begin with: `s3://bucket/prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(crate) name: String,
    /// Without a slash at its ends; may be empty.
    pub(crate) prefix: String,
}

impl FromStr for Bucket {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let help = "is written s3://bucket/prefix";
        let rest = text.strip_prefix("s3://").ok_or(help)?;
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
        if !(3..=63).contains(&name.len()) || !name.chars().all(is_name) {
            return Err(format!("{name:?} is no name of a bucket; it {help}"));
        }
        let prefix = prefix.trim_matches('/');
        // What needs no escapes, neither in a key nor in an ARN.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if prefix.len() > 512 || !prefix.chars().all(is_plain) || prefix.split('/').any(|part| part == "..") {
            return Err(format!("{prefix:?} is no prefix: letters, digits, '-', '_', '.' and '/'"));
        }
        Ok(Self { name: name.to_owned(), prefix: prefix.to_owned() })
    }
}

impl Bucket {
    /// The key of a file.
    fn key(&self, folder: &str, file: &str) -> String {
        let parts = [self.prefix.as_str(), folder, file];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
    }

    /// Where a run folder is kept: below the prefix as it is below `--out`.
    fn place(&self, folder: &str) -> String {
        format!("s3://{}/{}", self.name, self.key(folder, ""))
    }

    /// Keeps a run folder. The answer is where it is kept.
    pub(crate) async fn keep(&self, folder: &Folder) -> anyhow::Result<String> {
        let name = below_out(folder.path());
        let upload = async {
            let client = client().await;
            for file in files(folder.path())? {
                self.put(&client, folder.path(), &name, &file).await?;
            }
            anyhow::Ok(())
        };
        let limit = UPLOAD_MAX;
        tokio::time::timeout(limit, upload)
            .await
            .with_context(|| format!("not within {} s", limit.as_secs()))??;
        Ok(self.place(&name))
    }

    async fn put(&self, client: &Client, root: &Path, name: &str, file: &Path) -> anyhow::Result<()> {
        let relative = file.strip_prefix(root)?.to_string_lossy().into_owned();
        let body = ByteStream::from_path(file).await.with_context(|| format!("{relative} cannot be read"))?;
        let put = client.put_object().bucket(&self.name).key(self.key(name, &relative));
        let put = put.content_type(content_type(file)).body(body).send().await;
        put.map_err(|error| anyhow::anyhow!(describe(&error))).with_context(|| relative)?;
        Ok(())
    }
}

/// `<scenario>/<time>-<id>`.
fn below_out(path: &Path) -> String {
    let mut parts: Vec<_> = path.iter().rev().take(2).map(|part| part.to_string_lossy()).collect();
    parts.reverse();
    parts.join("/")
}

/// Every file of a folder, the report as the last one.
fn files(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
            if files.len() + folders.len() > FILES_MAX {
                bail!("{} has more than {FILES_MAX} files: it is no run folder", root.display());
            }
        }
    }
    files.sort_by_key(|file| (file.file_name().is_some_and(|name| name == "report.html"), file.clone()));
    Ok(files)
}

fn content_type(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        Some("ndjson") => "application/x-ndjson",
        Some("xml") => "application/xml",
        _ => "text/plain; charset=utf-8",
    }
}

async fn client() -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(FILE_MAX)
        .build();
    let config = aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX))
        .load()
        .await;
    // A bucket's own name leads nowhere on what stands in for AWS.
    let is_elsewhere =
        ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"].iter().any(|name| std::env::var_os(name).is_some());
    Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(is_elsewhere).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_bucket_and_a_prefix() {
        let bucket: Bucket = "s3://game-days/weekly/".parse().unwrap();
        assert_eq!(
            bucket.place("smoke/20260101T000000Z-ab"),
            "s3://game-days/weekly/smoke/20260101T000000Z-ab"
        );
        let bare: Bucket = "s3://game-days".parse().unwrap();
        assert_eq!(bare.key("smoke/x", "histograms/a.hlog"), "smoke/x/histograms/a.hlog");
        for wrong in
            ["game-days", "s3://", "s3://A/b", "s3://ab", "s3://game-days/a b", "s3://game-days/../x"]
        {
            assert!(wrong.parse::<Bucket>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_report_goes_last() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("histograms")).unwrap();
        for name in ["report.html", "summary.json", "histograms/a.hlog", "undo.ndjson"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let files = files(folder.path()).unwrap();
        assert_eq!(files.len(), 4);
        assert!(files.last().unwrap().ends_with("report.html"));
        assert_eq!(below_out(Path::new("/runs/smoke/20260101T000000Z-ab")), "smoke/20260101T000000Z-ab");
    }
}
