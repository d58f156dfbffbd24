//! The bucket of an input, and the download of reports.

use std::{path::Path, time::Duration};

use anyhow::{Context, anyhow, bail};
use aws_sdk_s3::{
    config::timeout::TimeoutConfig,
    operation::create_bucket::CreateBucketError,
    primitives::ByteStream,
    types::{BucketLocationConstraint, CreateBucketConfiguration},
};
use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};
use http_body_util::{BodyExt, Limited};

use crate::aws::{Missing, RegionClients, describe};

/// An upload or a download is given up after this long.
const TRANSFER_MAX: Duration = Duration::from_mins(5);
/// A file of a report is no larger.
const REPORT_BYTES_MAX: usize = 256 * 1024 * 1024;
/// The Region whose buckets name no Region.
const UNNAMED_REGION: &str = "us-east-1";

/// Makes a bucket that others cannot see, or finds that it is there.
pub(super) async fn make_bucket(clients: &RegionClients, bucket: &str) -> anyhow::Result<()> {
    let mut make = clients.s3.create_bucket().bucket(bucket);
    if clients.region != UNNAMED_REGION {
        let place = BucketLocationConstraint::from(clients.region.as_str());
        let place = CreateBucketConfiguration::builder().location_constraint(place).build();
        make = make.create_bucket_configuration(place);
    }
    match make.send().await {
        Ok(_) => Ok(()),
        Err(error)
            if error.as_service_error().is_some_and(CreateBucketError::is_bucket_already_owned_by_you) =>
        {
            Ok(())
        }
        Err(error) => {
            Err(anyhow!(describe(&error))).with_context(|| format!("bucket {bucket} could not be made"))
        }
    }
}

pub(super) async fn upload(
    clients: &RegionClients,
    bucket: &str,
    key: &str,
    path: &Path,
) -> anyhow::Result<()> {
    let body = tokio::fs::read(path).await.with_context(|| format!("{} cannot be read", path.display()))?;
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(TRANSFER_MAX).build();
    let put = clients.s3.put_object().bucket(bucket).key(key).body(ByteStream::from(body)).customize();
    let put = put.config_override(aws_sdk_s3::config::Builder::default().timeout_config(timeouts));
    let put = put.send().await;
    put.map_err(|e| anyhow!(describe(&e)))
        .with_context(|| format!("s3://{bucket}/{key} could not be written"))?;
    Ok(())
}

/// Takes an input away, and its bucket if that was made for it.
pub(super) async fn remove(
    clients: &RegionClients,
    bucket: &str,
    key: &str,
    with_bucket: bool,
) -> anyhow::Result<()> {
    clients.s3.delete_object().bucket(bucket).key(key).send().await.missing_ok()?;
    if with_bucket {
        clients.s3.delete_bucket().bucket(bucket).send().await.missing_ok()?;
    }
    Ok(())
}

/// What a link of AWS leads to.
pub(super) async fn download(link: &str) -> anyhow::Result<Vec<u8>> {
    let connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build();
    let get = async {
        let response = connector.call(HttpRequest::get(link)?).await?;
        let status = response.status();
        if !status.is_success() {
            bail!("the answer is {status}");
        }
        let body = Limited::new(response.into_body(), REPORT_BYTES_MAX).collect().await;
        Ok(body.map_err(|error| anyhow!("{error}"))?.to_bytes().to_vec())
    };
    let got = tokio::time::timeout(TRANSFER_MAX, get).await.context("it takes too long")?;
    // The link is a key to the report: its signature is not told.
    got.with_context(|| format!("{} cannot be read", link.split('?').next().unwrap_or_default()))
}
