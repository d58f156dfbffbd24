//! Operations of multipart uploads.

use bytes::Bytes;

use super::{
    api::{Request, empty},
    bucket_api::invalid,
    object_api::{content, properties, source, to_usize},
    range,
    upload::Part,
    xml::{
        CompleteMultipartUpload, CompleteMultipartUploadResult, CopyResult, InitiateMultipartUploadResult,
        ListMultipartUploadsResult, ListPartsResult, PartEntry, UploadEntry, read, reply, time, url_encoded,
    },
};
use crate::{call::Reply, error::AwsError};

/// AWS's largest page of parts and of uploads.
const PAGE_MAX: usize = 1_000;

pub(super) fn start(request: &Request<'_>) -> Result<Reply, AwsError> {
    request.only(&["uploads"])?;
    request.check_bucket()?;
    let (properties, now) = (properties(request.call)?, request.world.clock.now());
    let id = request.world.s3.store.lock().start_upload(request.bucket, request.key, properties, now)?;
    let (bucket, key) = (request.bucket.to_owned(), request.key.to_owned());
    reply("InitiateMultipartUploadResult", &InitiateMultipartUploadResult { bucket, key, upload_id: id })
}

pub(super) fn put_part(request: &Request<'_>) -> Result<Reply, AwsError> {
    request.only(&["uploadId", "partNumber"])?;
    request.check_bucket()?;
    let (data, checksums) = content(request.call)?;
    let (number, now) = (part_number(request)?, request.world.clock.now());
    let part = Part::new(data, now);
    let etag = request.world.s3.store.lock().put_part(upload(request), number, part)?;
    let mut reply = empty(200);
    reply.headers.push(("etag", etag));
    reply.headers.extend(checksums);
    Ok(reply)
}

pub(super) fn copy_part(request: &Request<'_>) -> Result<Reply, AwsError> {
    request.only(&["uploadId", "partNumber"])?;
    request.check_bucket()?;
    let (number, now) = (part_number(request)?, request.world.clock.now());
    let source = source(request)?;
    let data = match range::parse(request.call.header("x-amz-copy-source-range"), source.size())? {
        // A copy: a slice would keep the whole source.
        Some(range) => Bytes::copy_from_slice(&source.data[to_usize(range.start)..to_usize(range.end)]),
        None => source.data,
    };
    let part = Part::new(data, now);
    let etag = request.world.s3.store.lock().put_part(upload(request), number, part)?;
    reply("CopyPartResult", &CopyResult { last_modified: time(now), etag })
}

pub(super) fn complete(request: &Request<'_>) -> Result<Reply, AwsError> {
    request.only(&["uploadId"])?;
    request.check_bucket()?;
    let asked: CompleteMultipartUpload = read(&request.call.body)?;
    let parts: Vec<(u16, String)> = asked.part.into_iter().map(|p| (p.part_number, p.etag)).collect();
    let now = request.world.clock.now();
    let (bucket, key, id) = upload(request);
    let there = request.world.s3.store.lock().upload(bucket, key, id)?.clone();
    let object = there.join(&parts, now)?;
    let etag = object.etag.clone();
    request.world.s3.store.lock().complete_upload((bucket, key, id), object)?;
    let (bucket, key) = (request.bucket.to_owned(), request.key.to_owned());
    let location = format!("{}/{bucket}/{key}", request.world.api_url);
    reply("CompleteMultipartUploadResult", &CompleteMultipartUploadResult { location, bucket, key, etag })
}

pub(super) fn abort(request: &Request<'_>) -> Result<Reply, AwsError> {
    request.only(&["uploadId"])?;
    request.check_bucket()?;
    let (bucket, key, id) = upload(request);
    request.world.s3.store.lock().abort_upload(bucket, key, id)?;
    Ok(empty(204))
}

pub(super) fn list_parts(request: &Request<'_>) -> Result<Reply, AwsError> {
    request.only(&["uploadId", "max-parts", "part-number-marker"])?;
    request.check_bucket()?;
    let number = |name: &str, default: u16| match request.query(name) {
        Some(text) => text.parse::<u16>().map_err(|_| invalid(format!("Provided {name} not an integer"))),
        None => Ok(default),
    };
    let marker = number("part-number-marker", 0)?;
    let max = usize::from(number("max-parts", u16::MAX)?).min(PAGE_MAX);
    let (bucket, key, id) = upload(request);
    let store = request.world.s3.store.lock();
    let mut rest = store.upload(bucket, key, id)?.parts.range(marker.saturating_add(1)..);
    let part: Vec<PartEntry> = rest
        .by_ref()
        .take(max)
        .map(|(number, part)| PartEntry {
            part_number: *number,
            last_modified: time(part.modified),
            etag: part.etag.clone(),
            size: part.data.len(),
        })
        .collect();
    let is_truncated = rest.next().is_some();
    let result = ListPartsResult {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        upload_id: id.to_owned(),
        part_number_marker: marker,
        next_part_number_marker: part.last().map(|p| p.part_number).filter(|_| is_truncated),
        max_parts: max,
        is_truncated,
        part,
    };
    reply("ListPartsResult", &result)
}

/// The uploads of a bucket, in pages.
pub(super) fn list_uploads(request: &Request<'_>) -> Result<Reply, AwsError> {
    request.only(&["uploads", "max-uploads", "prefix", "encoding-type", "key-marker", "upload-id-marker"])?;
    request.check_bucket()?;
    let max = match request.query("max-uploads") {
        Some(text) => text.parse::<usize>().map_err(|_| invalid("Provided max-uploads not an integer"))?,
        None => PAGE_MAX,
    };
    let max = max.min(PAGE_MAX);
    let given = |name: &str| request.query(name).unwrap_or_default();
    let url = given("encoding-type") == "url";
    let written = |text: &str| if url { url_encoded(text) } else { text.to_owned() };
    let (prefix, key) = (given("prefix"), given("key-marker"));
    // Without a key it says nothing.
    let id = request.query("upload-id-marker").filter(|id| !key.is_empty() && !id.is_empty());
    let store = request.world.s3.store.lock();
    let found = store.uploads_behind(request.bucket, prefix, (key, id))?;
    let is_truncated = max > 0 && found.len() > max;
    let last = found.iter().take(max).next_back().filter(|_| is_truncated);
    let result = ListMultipartUploadsResult {
        bucket: request.bucket.to_owned(),
        key_marker: written(key),
        upload_id_marker: id.unwrap_or_default().to_owned(),
        next_key_marker: last.map(|(_, upload)| written(&upload.key)),
        next_upload_id_marker: last.map(|(id, _)| (*id).to_owned()),
        prefix: request.query("prefix").map(written),
        encoding_type: url.then_some("url"),
        max_uploads: max,
        is_truncated,
        upload: found
            .iter()
            .take(max)
            .map(|(id, upload)| UploadEntry {
                key: written(&upload.key),
                upload_id: (*id).to_owned(),
                initiated: time(upload.started),
                storage_class: "STANDARD",
            })
            .collect(),
    };
    reply("ListMultipartUploadsResult", &result)
}

fn upload<'a>(request: &'a Request<'_>) -> (&'a str, &'a str, &'a str) {
    (request.bucket, request.key, request.query("uploadId").unwrap_or_default())
}

fn part_number(request: &Request<'_>) -> Result<u16, AwsError> {
    let number = request.query("partNumber").and_then(|n| n.parse().ok());
    number.ok_or_else(|| invalid("Part number must be an integer between 1 and 10000, inclusive"))
}
