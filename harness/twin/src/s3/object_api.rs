//! Operations on objects: put, get, head, copy, delete.

use bytes::Bytes;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use super::{
    api::{Request, empty, not_implemented},
    bucket_api::invalid,
    checksum::{self, Checksums},
    chunked,
    object::{Object, Properties, STORED_HEADERS},
    range,
    xml::{CopyResult, Tagging, reply, time},
};
use crate::{
    call::{Call, Reply},
    error::AwsError,
};

const METADATA_PREFIX: &str = "x-amz-meta-";
/// As on AWS: names and values.
const METADATA_BYTES_MAX: usize = 2_048;
/// Parameters of a GET that replace what is told of the object.
const OVERRIDES: [(&str, &str); 6] = [
    ("response-content-type", "content-type"),
    ("response-content-encoding", "content-encoding"),
    ("response-content-disposition", "content-disposition"),
    ("response-content-language", "content-language"),
    ("response-cache-control", "cache-control"),
    ("response-expires", "expires"),
];

/// The content of an upload, out of the form that it came in, and the checksums that are true of it.
pub(super) fn content(call: &Call) -> Result<(Bytes, Checksums), AwsError> {
    let streamed = call.header("x-amz-content-sha256").is_some_and(|hash| hash.starts_with("STREAMING-"))
        || call.header("content-encoding").is_some_and(|e| e.contains("aws-chunked"));
    let (data, trailers) = if streamed {
        let decoded = chunked::decode(&call.body)?;
        let length = call.header("x-amz-decoded-content-length").and_then(|l| l.parse::<usize>().ok());
        if length.is_some_and(|length| length != decoded.data.len()) {
            let message = "You did not provide the number of bytes specified by x-amz-decoded-content-length";
            return Err(AwsError::new(400, "IncompleteBody", message));
        }
        (decoded.data, decoded.trailers)
    } else {
        (call.body.clone(), Vec::new())
    };
    let given = |name: &'static str| {
        let trailer = trailers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        trailer.or_else(|| call.header(name))
    };
    let checksums = checksum::check(&data, given)?;
    Ok((data, checksums))
}

/// What the headers of an upload tell of the object.
pub(super) fn properties(call: &Call) -> Result<Properties, AwsError> {
    for refused in ["x-amz-tagging", "x-amz-object-lock-mode", "x-amz-website-redirect-location"] {
        if call.header(refused).is_some() {
            return Err(not_implemented(refused));
        }
    }
    let mut properties = Properties::default();
    for name in STORED_HEADERS {
        if let Some(value) = call.header(name) {
            properties.headers.insert(name, value.to_owned());
        }
    }
    // `aws-chunked` is of the transfer and not of the object.
    if let Some(encoding) = properties.headers.remove("content-encoding") {
        let rest: Vec<&str> = encoding.split(',').map(str::trim).filter(|e| *e != "aws-chunked").collect();
        if !rest.concat().is_empty() {
            properties.headers.insert("content-encoding", rest.join(","));
        }
    }
    for (name, value) in &call.headers {
        if let (Some(name), Ok(value)) = (name.as_str().strip_prefix(METADATA_PREFIX), value.to_str()) {
            properties.metadata.insert(name.to_owned(), value.to_owned());
        }
    }
    if properties.metadata.iter().map(|(n, v)| n.len() + v.len()).sum::<usize>() > METADATA_BYTES_MAX {
        let message = "Your metadata headers exceed the maximum allowed metadata size";
        return Err(AwsError::new(400, "MetadataTooLarge", message));
    }
    Ok(properties)
}

pub(super) fn put(request: &Request<'_>) -> Result<Reply, AwsError> {
    request.only(&[])?;
    request.check_bucket()?;
    let (data, checksums) = content(request.call)?;
    let properties = Properties { checksums, ..properties(request.call)? };
    let object = Object::new(data, properties, request.world.clock.now());
    let mut store = request.world.s3.store.lock();
    let there = store.bucket(request.bucket)?.objects.get(request.key);
    check_write(request.call, there)?;
    let (etag, checksums) = (object.etag.clone(), object.properties.checksums.clone());
    store.put(request.bucket, request.key, object)?;
    let mut reply = empty(200);
    reply.headers.push(("etag", etag));
    reply.headers.extend(checksums);
    Ok(reply)
}

/// `If-Match` and `If-None-Match: *` of a write.
fn check_write(call: &Call, there: Option<&Object>) -> Result<(), AwsError> {
    let fits = match (call.header("if-match"), call.header("if-none-match")) {
        (Some(etag), _) => there.is_some_and(|object| same_etag(etag, &object.etag)),
        (None, Some("*")) => there.is_none(),
        _ => true,
    };
    if fits { Ok(()) } else { Err(precondition_failed()) }
}

/// Of GET and of HEAD, whose body the server leaves out.
pub(super) fn get(request: &Request<'_>) -> Result<Reply, AwsError> {
    request.only(&OVERRIDES.map(|(parameter, _)| parameter))?;
    request.check_bucket()?;
    let store = request.world.s3.store.lock();
    let object = store.bucket(request.bucket)?.object(request.key)?.clone();
    drop(store);
    let call = request.call;
    if call.header("if-match").is_some_and(|etag| !same_etag(etag, &object.etag)) {
        return Err(precondition_failed());
    }
    let mut reply = if call.header("if-none-match").is_some_and(|etag| same_etag(etag, &object.etag)) {
        empty(304)
    } else {
        match range::parse(call.header("range"), object.size())? {
            Some(range) => {
                let mut reply = empty(206);
                let (from, to) = (to_usize(range.start), to_usize(range.end));
                reply.body = object.data.slice(from..to);
                let content = format!("bytes {}-{}/{}", range.start, range.end - 1, object.size());
                reply.headers.push(("content-range", content));
                reply
            }
            None => Reply { body: object.data.clone(), ..empty(200) },
        }
    };
    let mut told = object.properties.headers;
    for (parameter, header) in OVERRIDES {
        if let Some(value) = request.query(parameter) {
            told.insert(header, value.to_owned());
        }
    }
    reply.headers.extend(told);
    reply.headers.push(("etag", object.etag));
    reply.headers.push(("last-modified", http_date(object.modified)));
    reply.headers.push(("accept-ranges", "bytes".to_owned()));
    if call.header("x-amz-checksum-mode") == Some("ENABLED") && reply.status == 200 {
        reply.headers.extend(object.properties.checksums);
    }
    reply.metadata =
        object.properties.metadata.into_iter().map(|(n, v)| (format!("{METADATA_PREFIX}{n}"), v)).collect();
    Ok(reply)
}

pub(super) fn copy(request: &Request<'_>) -> Result<Reply, AwsError> {
    request.only(&[])?;
    request.check_bucket()?;
    let source = source(request)?;
    let properties = if request.call.header("x-amz-metadata-directive") == Some("REPLACE") {
        let checksums = source.properties.checksums;
        Properties { checksums, ..properties(request.call)? }
    } else {
        source.properties
    };
    let object = Object::new(source.data, properties, request.world.clock.now());
    let result = CopyResult { last_modified: time(object.modified), etag: object.etag.clone() };
    request.world.s3.store.lock().put(request.bucket, request.key, object)?;
    reply("CopyObjectResult", &result)
}

/// The object that `x-amz-copy-source` names. It may be in the other Region.
pub(super) fn source(request: &Request<'_>) -> Result<Object, AwsError> {
    let header = request.call.header("x-amz-copy-source").unwrap_or_default();
    let path = percent_decode_str(header).decode_utf8_lossy().into_owned();
    if header.contains("?versionId=") {
        return Err(not_implemented("a version of the copy source"));
    }
    let (bucket, key) = path
        .trim_start_matches('/')
        .split_once('/')
        .filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
        .ok_or_else(|| {
            invalid("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
        })?;
    let store = request.world.s3.store.lock();
    let bucket = store.bucket(bucket)?;
    if bucket.of_service {
        return Err(AwsError::new(403, "AccessDenied", "Access Denied"));
    }
    let object = bucket.object(key)?;
    let wanted = request.call.header("x-amz-copy-source-if-match");
    if wanted.is_some_and(|etag| !same_etag(etag, &object.etag)) {
        return Err(precondition_failed());
    }
    Ok(object.clone())
}

/// Objects have no tags: an upload with some is refused. Clients ask before they copy in parts.
pub(super) fn tags(request: &Request<'_>) -> Result<Reply, AwsError> {
    request.only(&["tagging"])?;
    request.check_bucket()?;
    request.world.s3.store.lock().bucket(request.bucket)?.object(request.key)?;
    reply("Tagging", &Tagging::default())
}

pub(super) fn delete(request: &Request<'_>) -> Result<Reply, AwsError> {
    request.only(&[])?;
    request.check_bucket()?;
    request.world.s3.store.lock().delete(request.bucket, request.key);
    Ok(empty(204))
}

fn same_etag(wanted: &str, etag: &str) -> bool {
    wanted == "*" || wanted.trim_matches('"') == etag.trim_matches('"')
}

fn precondition_failed() -> AwsError {
    let message = "At least one of the pre-conditions you specified did not hold";
    AwsError::new(412, "PreconditionFailed", message)
}

/// Objects fit into memory, and so do their lengths.
pub(super) fn to_usize(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// As HTTP writes times in headers.
fn http_date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
