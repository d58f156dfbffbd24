//! Operations of multipart uploads.

use super::{
    api::{Request, empty},
    bucket_api::invalid,
    object_api::{content, properties, source, to_usize},
    range,
    xml::{
        CompleteMultipartUpload, CompleteMultipartUploadResult, CopyResult, InitiateMultipartUploadResult,
        ListMultipartUploadsResult, ListPartsResult, PartEntry, UploadEntry, read, reply, time,
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
    let etag = request.world.s3.store.lock().put_part(upload(request), number, data, now)?;
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
        Some(range) => source.data.slice(to_usize(range.start)..to_usize(range.end)),
        None => source.data,
    };
    let etag = request.world.s3.store.lock().put_part(upload(request), number, data, now)?;
    reply("CopyPartResult", &CopyResult { last_modified: time(now), etag })
}

pub(super) fn complete(request: &Request<'_>) -> Result<Reply, AwsError> {
    request.only(&["uploadId"])?;
    request.check_bucket()?;
    let asked: CompleteMultipartUpload = read(&request.call.body)?;
    let parts: Vec<(u16, String)> = asked.part.into_iter().map(|p| (p.part_number, p.etag)).collect();
    let now = request.world.clock.now();
    let etag = request.world.s3.store.lock().complete_upload(upload(request), &parts, now)?;
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

/// All uploads of the bucket: there are no more than fit on one page.
pub(super) fn list_uploads(request: &Request<'_>) -> Result<Reply, AwsError> {
    request.only(&["uploads", "max-uploads", "prefix", "encoding-type"])?;
    request.check_bucket()?;
    let prefix = request.query("prefix").unwrap_or_default();
    let store = request.world.s3.store.lock();
    let uploads = store.bucket(request.bucket)?.uploads.iter();
    let mut upload: Vec<UploadEntry> = uploads
        .filter(|(_, upload)| upload.key.starts_with(prefix))
        .map(|(id, upload)| UploadEntry {
            key: upload.key.clone(),
            upload_id: id.clone(),
            initiated: time(upload.started),
            storage_class: "STANDARD",
        })
        .collect();
    upload.sort_by(|a, b| (&a.key, &a.initiated).cmp(&(&b.key, &b.initiated)));
    let bucket = request.bucket.to_owned();
    let result = ListMultipartUploadsResult { bucket, max_uploads: PAGE_MAX, is_truncated: false, upload };
    reply("ListMultipartUploadsResult", &result)
}

fn upload<'a>(request: &'a Request<'_>) -> (&'a str, &'a str, &'a str) {
    (request.bucket, request.key, request.query("uploadId").unwrap_or_default())
}

fn part_number(request: &Request<'_>) -> Result<u16, AwsError> {
    let number = request.query("partNumber").and_then(|n| n.parse().ok());
    number.ok_or_else(|| invalid("Part number must be an integer between 1 and 10000, inclusive"))
}
