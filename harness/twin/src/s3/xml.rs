//! Bodies of the S3 API: XML in one namespace, which stands on the root element.

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{call::Reply, error::AwsError};

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
/// What `encoding-type=url` leaves as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/');

/// Reads a request.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, AwsError> {
    let malformed = || {
        let message =
            "The XML you provided was not well-formed or did not validate against our published schema";
        AwsError::new(400, "MalformedXML", message)
    };
    let text = std::str::from_utf8(body).map_err(|_| malformed())?;
    quick_xml::de::from_str(text).map_err(|_| malformed())
}

/// A reply whose root element is `root`.
pub(super) fn reply<T: Serialize + ?Sized>(root: &str, body: &T) -> Result<Reply, AwsError> {
    let text = quick_xml::se::to_string_with_root(root, body)
        .map_err(|e| AwsError::new(500, "InternalError", format!("{root} could not be written: {e}")))?;
    let named = text.replacen(&format!("<{root}"), &format!("<{root} xmlns=\"{NAMESPACE}\""), 1);
    Ok(Reply::raw(200, "application/xml", format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{named}")))
}

/// As S3 writes times in bodies.
pub(super) fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// As `encoding-type=url` asks for keys.
pub(super) fn url_encoded(key: &str) -> String {
    utf8_percent_encode(key, PLAIN).to_string()
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Owner {
    #[serde(rename = "ID")]
    pub(super) id: String,
    pub(super) display_name: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListAllMyBucketsResult {
    pub(super) owner: Owner,
    pub(super) buckets: Buckets,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) continuation_token: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Buckets {
    #[serde(rename = "Bucket")]
    pub(super) list: Vec<BucketEntry>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BucketEntry {
    pub(super) name: String,
    pub(super) creation_date: String,
    pub(super) bucket_region: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateBucketConfiguration {
    pub(super) location_constraint: Option<String>,
}

/// The answer to both versions of `ListObjects`.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListBucketResult {
    pub(super) name: String,
    pub(super) prefix: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) marker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_marker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) start_after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) continuation_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_continuation_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key_count: Option<usize>,
    pub(super) max_keys: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delimiter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) encoding_type: Option<&'static str>,
    pub(super) is_truncated: bool,
    pub(super) contents: Vec<ObjectEntry>,
    pub(super) common_prefixes: Vec<CommonPrefix>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ObjectEntry {
    pub(super) key: String,
    pub(super) last_modified: String,
    #[serde(rename = "ETag")]
    pub(super) etag: String,
    pub(super) size: usize,
    pub(super) storage_class: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CommonPrefix {
    pub(super) prefix: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Delete {
    #[serde(default)]
    pub(super) object: Vec<ObjectName>,
    #[serde(default)]
    pub(super) quiet: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ObjectName {
    pub(super) key: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteResult {
    pub(super) deleted: Vec<ObjectName>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CopyResult {
    pub(super) last_modified: String,
    #[serde(rename = "ETag")]
    pub(super) etag: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct InitiateMultipartUploadResult {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) upload_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CompleteMultipartUpload {
    #[serde(default)]
    pub(super) part: Vec<CompletedPart>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CompletedPart {
    pub(super) part_number: u16,
    #[serde(rename = "ETag")]
    pub(super) etag: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CompleteMultipartUploadResult {
    pub(super) location: String,
    pub(super) bucket: String,
    pub(super) key: String,
    #[serde(rename = "ETag")]
    pub(super) etag: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListPartsResult {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) upload_id: String,
    pub(super) part_number_marker: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_part_number_marker: Option<u16>,
    pub(super) max_parts: usize,
    pub(super) is_truncated: bool,
    pub(super) part: Vec<PartEntry>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PartEntry {
    pub(super) part_number: u16,
    pub(super) last_modified: String,
    #[serde(rename = "ETag")]
    pub(super) etag: String,
    pub(super) size: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListMultipartUploadsResult {
    pub(super) bucket: String,
    pub(super) key_marker: String,
    pub(super) upload_id_marker: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_key_marker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_upload_id_marker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) encoding_type: Option<&'static str>,
    pub(super) max_uploads: usize,
    pub(super) is_truncated: bool,
    pub(super) upload: Vec<UploadEntry>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UploadEntry {
    pub(super) key: String,
    pub(super) upload_id: String,
    pub(super) initiated: String,
    pub(super) storage_class: &'static str,
}

/// The tags of an object, which has none.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tagging {
    pub(super) tag_set: String,
}
