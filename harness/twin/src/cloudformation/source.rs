//! Where templates and definitions come from when they are not in the call: objects in S3.

use axum::http::Method;

use super::{
    client::{Client, Failure, Rest},
    error::invalid,
};
use crate::error::AwsError;

/// AWS's longest template in a call, and from S3.
pub(crate) const BODY_BYTES_MAX: usize = 51_200;
const OBJECT_BYTES_MAX: usize = 1_048_576;

/// The text of an object.
pub(crate) async fn object_text(client: &Client<'_>, bucket: &str, key: &str) -> Result<String, Failure> {
    let path = format!("/{bucket}/{key}");
    let reply = client.send("s3", Method::GET, &path, Rest::default()).await?;
    if reply.body.len() > OBJECT_BYTES_MAX {
        return Err(Failure::new(format!("{bucket}/{key} is longer than {OBJECT_BYTES_MAX} bytes")));
    }
    String::from_utf8(reply.body.to_vec()).map_err(|e| Failure::new(format!("{bucket}/{key}: {e}")))
}

/// The template at a `TemplateURL`.
pub(crate) async fn template(client: &Client<'_>, url: &str) -> Result<String, AwsError> {
    let (bucket, key) = location(url).ok_or_else(|| invalid("TemplateURL must be a supported URL."))?;
    object_text(client, &bucket, &key)
        .await
        .map_err(|failure| invalid(format!("S3 error: {} (bucket {bucket}, key {key})", failure.reason)))
}

/// Bucket and key of the URL of an object: the bucket in the path or in the host's name, the key still encoded.
fn location(url: &str) -> Option<(String, String)> {
    let (_, rest) = url.split_once("://")?;
    let (host, path) = rest.split_once('/')?;
    let path = path.split(['?', '#']).next()?;
    let (bucket, key) = match host.split_once(".s3").filter(|(_, rest)| rest.starts_with(['.', '-'])) {
        Some((bucket, _)) => (bucket, path),
        None => path.split_once('/')?,
    };
    (!bucket.is_empty() && !key.is_empty()).then(|| (bucket.to_owned(), key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_is_in_the_host_or_in_the_path() {
        let of = |url: &str| location(url).unwrap();
        let wanted = ("b".to_owned(), "k/t.yaml".to_owned());
        assert_eq!(of("https://b.s3.us-east-1.amazonaws.com/k/t.yaml"), wanted);
        assert_eq!(of("https://b.s3-us-west-2.amazonaws.com/k/t.yaml?versionId=1"), wanted);
        assert_eq!(of("https://s3.us-east-1.amazonaws.com/b/k/t.yaml"), wanted);
        assert_eq!(of("http://127.0.0.1:4566/b/k/t.yaml"), wanted);
        assert_eq!(location("https://s3.amazonaws.com/b"), None);
        assert_eq!(location("t.yaml"), None);
    }
}
