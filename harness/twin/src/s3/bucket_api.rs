//! Operations on buckets, and lists of what is in them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    api::{Request, empty},
    checksum,
    listing::{KEYS_MAX, Listing},
    xml::{
        BucketEntry, Buckets, CommonPrefix, CreateBucketConfiguration, Delete, DeleteResult,
        ListAllMyBucketsResult, ListBucketResult, ObjectEntry, Owner, read, reply, time, url_encoded,
    },
};
use crate::{call::Reply, error::AwsError};

/// Objects of one `DeleteObjects`, as on AWS.
const DELETE_KEYS_MAX: usize = 1_000;
/// AWS's largest page of buckets, and the one when none is asked for.
const BUCKETS_PAGE_MAX: usize = 10_000;
/// Parameters of the lists of objects that narrow or page them.
const LIST_PARAMETERS: [&str; 9] = [
    "list-type",
    "prefix",
    "delimiter",
    "max-keys",
    "encoding-type",
    "marker",
    "start-after",
    "continuation-token",
    "fetch-owner",
];

/// The callers' buckets of all Regions, in pages if that is asked for.
pub(super) fn list(request: &Request<'_>) -> Result<Reply, AwsError> {
    request.only(&["max-buckets", "continuation-token", "prefix", "bucket-region"])?;
    let max = match request.query("max-buckets").map(str::parse::<usize>) {
        None => BUCKETS_PAGE_MAX,
        Some(Ok(max)) if (1..=BUCKETS_PAGE_MAX).contains(&max) => max,
        Some(_) => {
            let message = format!("Argument max-buckets must be an integer between 1 and {BUCKETS_PAGE_MAX}");
            return Err(invalid(message));
        }
    };
    let after = request.query("continuation-token").filter(|token| !token.is_empty());
    let after = after.map(from_token).transpose()?.unwrap_or_default();
    let prefix = request.query("prefix");
    let region = request.query("bucket-region");
    let id =
        hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, request.world.account.as_bytes()));
    let store = request.world.s3.store.lock();
    let mut rest = store.buckets().filter(|(name, bucket)| {
        **name > after
            && name.starts_with(prefix.unwrap_or_default())
            && region.is_none_or(|region| bucket.region == region)
    });
    let page = rest.by_ref().take(max).map(|(name, bucket)| BucketEntry {
        name: name.clone(),
        creation_date: time(bucket.created),
        bucket_region: bucket.region.clone(),
    });
    let list: Vec<BucketEntry> = page.collect();
    let next = rest.next().and_then(|_| list.last()).map(|last| to_token(&last.name));
    let result = ListAllMyBucketsResult {
        owner: Owner { id, display_name: request.world.account.clone() },
        buckets: Buckets { list },
        prefix: prefix.map(str::to_owned),
        continuation_token: next,
    };
    reply("ListAllMyBucketsResult", &result)
}

pub(super) fn create(request: &Request<'_>) -> Result<Reply, AwsError> {
    request.only(&[])?;
    let region = request.call.region.as_str();
    let asked: CreateBucketConfiguration = if request.call.body.is_empty() {
        CreateBucketConfiguration::default()
    } else {
        read(&request.call.body)?
    };
    // us-east-1 is the one Region that is not named.
    let fits = match asked.location_constraint.as_deref() {
        None => region == "us-east-1",
        Some(named) => named == region && region != "us-east-1",
    };
    if !fits {
        let named = asked.location_constraint.unwrap_or_else(|| "unspecified".to_owned());
        return Err(AwsError::new(
            400,
            "IllegalLocationConstraintException",
            format!(
                "The {named} location constraint is incompatible for the region specific endpoint this request was \
                 sent to."
            ),
        ));
    }
    let now = request.world.clock.now();
    request.world.s3.store.lock().create_bucket(request.bucket, region, now)?;
    let mut reply = empty(200);
    reply.headers.push(("location", format!("/{}", request.bucket)));
    Ok(reply)
}

pub(super) fn head(request: &Request<'_>) -> Result<Reply, AwsError> {
    request.only(&[])?;
    request.check_bucket()?;
    let mut reply = empty(200);
    reply.headers.push(("x-amz-bucket-region", request.call.region.clone()));
    Ok(reply)
}

pub(super) fn delete(request: &Request<'_>) -> Result<Reply, AwsError> {
    request.only(&[])?;
    request.check_bucket()?;
    request.world.s3.store.lock().delete_bucket(request.bucket)?;
    Ok(empty(204))
}

/// Answered from any Region, as on AWS: it is how a caller finds the right one.
pub(super) fn location(request: &Request<'_>) -> Result<Reply, AwsError> {
    request.only(&["location"])?;
    let store = request.world.s3.store.lock();
    let region = store.bucket(request.bucket)?.region.as_str();
    reply("LocationConstraint", if region == "us-east-1" { "" } else { region })
}

pub(super) fn delete_objects(request: &Request<'_>) -> Result<Reply, AwsError> {
    request.only(&["delete"])?;
    request.check_bucket()?;
    checksum::check(&request.call.body, |header| request.call.header(header))?;
    let asked: Delete = read(&request.call.body)?;
    if asked.object.is_empty() || asked.object.len() > DELETE_KEYS_MAX {
        return Err(AwsError::new(
            400,
            "MalformedXML",
            format!("A request must name 1 to {DELETE_KEYS_MAX} objects"),
        ));
    }
    let mut store = request.world.s3.store.lock();
    for name in &asked.object {
        store.delete(request.bucket, &name.key);
    }
    let deleted = if asked.quiet { Vec::new() } else { asked.object };
    reply("DeleteResult", &DeleteResult { deleted })
}

/// Both versions of the list: they differ in how the next page is named.
pub(super) fn list_objects(request: &Request<'_>) -> Result<Reply, AwsError> {
    request.only(&LIST_PARAMETERS)?;
    request.check_bucket()?;
    let given = |name: &str| request.query(name).unwrap_or_default();
    let second = given("list-type") == "2";
    let token = request.query("continuation-token").filter(|_| second);
    let after = match token {
        Some(token) => from_token(token)?,
        None => given(if second { "start-after" } else { "marker" }).to_owned(),
    };
    let max = match request.query("max-keys") {
        Some(text) => text.parse::<usize>().map_err(|_| invalid("Provided max-keys not an integer"))?,
        None => KEYS_MAX,
    };
    let listing = Listing {
        prefix: given("prefix"),
        delimiter: given("delimiter"),
        after: &after,
        max: max.min(KEYS_MAX),
    };
    let url = given("encoding-type") == "url";
    let written = |text: &str| if url { url_encoded(text) } else { text.to_owned() };
    let store = request.world.s3.store.lock();
    let objects = &store.bucket(request.bucket)?.objects;
    let page = listing.page(objects);
    let contents = page.keys.iter().filter_map(|key| {
        let object = objects.get(*key)?;
        Some(ObjectEntry {
            key: written(key),
            last_modified: time(object.modified),
            etag: object.etag.clone(),
            size: object.data.len(),
            storage_class: "STANDARD",
        })
    });
    let mut result = ListBucketResult {
        name: request.bucket.to_owned(),
        prefix: written(listing.prefix),
        max_keys: listing.max,
        delimiter: request.query("delimiter").map(written),
        encoding_type: url.then_some("url"),
        is_truncated: page.next.is_some(),
        contents: contents.collect(),
        common_prefixes: page.prefixes.iter().map(|p| CommonPrefix { prefix: written(p) }).collect(),
        ..ListBucketResult::default()
    };
    if second {
        result.key_count = Some(page.keys.len() + page.prefixes.len());
        result.start_after = request.query("start-after").map(written);
        result.continuation_token = token.map(str::to_owned);
        result.next_continuation_token = page.next.map(to_token);
    } else {
        result.marker = Some(written(&after));
        // Without a delimiter the last key is the marker, and AWS does not repeat it.
        result.next_marker = page.next.filter(|_| !listing.delimiter.is_empty()).map(written);
    }
    reply("ListBucketResult", &result)
}

fn to_token(last: &str) -> String {
    URL_SAFE_NO_PAD.encode(last)
}

fn from_token(token: &str) -> Result<String, AwsError> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| invalid("The continuation token provided is incorrect"))
}

pub(super) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "InvalidArgument", message)
}
