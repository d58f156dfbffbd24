//! One object: its bytes and what is told about them.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use md5::{Digest, Md5};

use super::checksum::Checksums;

/// Headers that are stored with an object and given back as they came.
pub(super) const STORED_HEADERS: [&str; 6] = [
    "content-type",
    "content-encoding",
    "content-disposition",
    "content-language",
    "cache-control",
    "expires",
];
/// What S3 says of an object that came without a type.
const CONTENT_TYPE_DEFAULT: &str = "binary/octet-stream";

/// One object.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) data: Bytes,
    /// With its quotes.
    pub(super) etag: String,
    pub(super) modified: Timestamp,
    pub(super) properties: Properties,
}

/// What is told about an object.
#[derive(Debug, Clone, Default)]
pub(super) struct Properties {
    /// Of [`STORED_HEADERS`].
    pub(super) headers: BTreeMap<&'static str, String>,
    /// User metadata without its prefix.
    pub(super) metadata: BTreeMap<String, String>,
    /// Checksum headers that the uploader gave and that fit.
    pub(super) checksums: Checksums,
}

impl Object {
    pub(super) fn new(data: Bytes, properties: Properties, now: Timestamp) -> Self {
        let etag = quoted(&md5_hex(&data));
        Self::with_etag(data, etag, properties, now)
    }

    pub(super) fn with_etag(data: Bytes, etag: String, mut properties: Properties, now: Timestamp) -> Self {
        properties.headers.entry("content-type").or_insert_with(|| CONTENT_TYPE_DEFAULT.to_owned());
        Self { data, etag, modified: now, properties }
    }

    /// The object's bytes, as the store counts them.
    pub(super) fn size(&self) -> u64 {
        self.data.len() as u64
    }
}

/// The `ETag` of content that came in one piece.
pub(super) fn md5_hex(data: &[u8]) -> String {
    hex::encode(Md5::digest(data))
}

pub(super) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}
