//! The REST codec of S3: path-style requests, each to its operation. A parameter of the query that an operation does not
//! have makes it another operation, which is refused.

use std::sync::Arc;

use axum::http::Method;
use percent_encoding::percent_decode_str;

use super::{bucket_api, multipart_api, object_api, presign};
use crate::{
    call::{Call, Reply},
    error::AwsError,
    world::World,
};

/// Calls that read more than this are answered on a thread that may take its time: checksums of megabytes do.
const INLINE_BYTES_MAX: usize = 256 * 1024;
/// Parameters of the query that any request may have: the operation's name, and a signature's parts.
const COMMON: [&str; 4] = ["x-id", "awsaccesskeyid", "signature", "expires"];
const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// Answers a call.
pub(crate) async fn handle(world: &Arc<World>, call: &Call) -> Result<Reply, AwsError> {
    if !takes_long(call) {
        return answer(world, call);
    }
    let (world, call) = (Arc::clone(world), call.clone());
    tokio::task::spawn_blocking(move || answer(&world, &call))
        .await
        .map_err(|e| AwsError::new(500, "InternalError", e.to_string()))?
}

/// A large body is read, or objects and parts that may be as large.
fn takes_long(call: &Call) -> bool {
    let joins = call.method == Method::POST && call.query("uploadId").is_some();
    call.body.len() > INLINE_BYTES_MAX || joins || call.header("x-amz-copy-source").is_some()
}

fn answer(world: &Arc<World>, call: &Call) -> Result<Reply, AwsError> {
    presign::check_expiry(call, world.clock.now())?;
    let path = call.raw_path.strip_prefix('/').unwrap_or(&call.raw_path);
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (bucket, key) = (decode(bucket), decode(key));
    let request = Request { world, call, bucket: &bucket, key: &key };
    if bucket.is_empty() {
        return bucket_api::list(&request);
    }
    if key.is_empty() { on_bucket(&request) } else { on_object(&request) }
}

/// One call, taken apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) world: &'a Arc<World>,
    pub(super) call: &'a Call,
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
}

impl Request<'_> {
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.call.query(name)
    }

    fn has(&self, name: &str) -> bool {
        self.query(name).is_some()
    }

    /// Refuses parameters that this operation does not have.
    pub(super) fn only(&self, allowed: &[&str]) -> Result<(), AwsError> {
        let other = self.call.query.iter().map(|(name, _)| name.as_str()).find(|name| {
            let lower = name.to_ascii_lowercase();
            !(allowed.contains(name) || lower.starts_with("x-amz-") || COMMON.contains(&lower.as_str()))
        });
        match other {
            Some(name) => Err(not_implemented(&format!("{} with the parameter {name}", self.call.method))),
            None => Ok(()),
        }
    }

    /// Refuses a bucket of another Region, of a service, or that is not there.
    pub(super) fn check_bucket(&self) -> Result<(), AwsError> {
        self.check_bucket_named(self.bucket)
    }

    pub(super) fn check_bucket_named(&self, name: &str) -> Result<(), AwsError> {
        let store = self.world.s3.store.lock();
        let bucket = store.bucket(name)?;
        if bucket.of_service && !presign::is_presigned(self.call) {
            return Err(AwsError::new(403, "AccessDenied", "Access Denied"));
        }
        if bucket.region == self.call.region {
            return Ok(());
        }
        Err(AwsError::new(
            301,
            "PermanentRedirect",
            "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all \
             future requests to this endpoint.",
        )
        .with("Endpoint", format!("s3.{}.amazonaws.com", bucket.region))
        .with("Bucket", name)
        .with("Region", &bucket.region))
    }
}

fn on_bucket(request: &Request<'_>) -> Result<Reply, AwsError> {
    match request.call.method {
        Method::PUT => bucket_api::create(request),
        Method::HEAD => bucket_api::head(request),
        Method::DELETE => bucket_api::delete(request),
        Method::GET if request.has("location") => bucket_api::location(request),
        Method::GET if request.has("uploads") => multipart_api::list_uploads(request),
        Method::GET => bucket_api::list_objects(request),
        Method::POST if request.has("delete") => bucket_api::delete_objects(request),
        _ => Err(not_implemented(request.call.method.as_str())),
    }
}

fn on_object(request: &Request<'_>) -> Result<Reply, AwsError> {
    let is_copy = request.call.header("x-amz-copy-source").is_some();
    match request.call.method {
        Method::GET if request.has("uploadId") => multipart_api::list_parts(request),
        Method::GET if request.has("tagging") => object_api::tags(request),
        Method::GET | Method::HEAD => object_api::get(request),
        Method::PUT if request.has("uploadId") && is_copy => multipart_api::copy_part(request),
        Method::PUT if request.has("uploadId") => multipart_api::put_part(request),
        Method::PUT if is_copy => object_api::copy(request),
        Method::PUT => object_api::put(request),
        Method::POST if request.has("uploads") => multipart_api::start(request),
        Method::POST if request.has("uploadId") => multipart_api::complete(request),
        Method::DELETE if request.has("uploadId") => multipart_api::abort(request),
        Method::DELETE => object_api::delete(request),
        _ => Err(not_implemented(request.call.method.as_str())),
    }
}

pub(super) fn not_implemented(what: &str) -> AwsError {
    let message =
        format!("A header or parameter you provided implies functionality that is not implemented: {what}");
    AwsError::new(501, "NotImplemented", message)
}

/// An empty reply.
pub(super) fn empty(status: u16) -> Reply {
    Reply { headers: Vec::new(), ..Reply::raw(status, "", "") }
}

/// An error as S3 writes it.
pub(crate) fn error_reply(error: &AwsError) -> Reply {
    use quick_xml::escape::escape;
    use std::fmt::Write;
    let mut body = format!(
        "{DECLARATION}<Error><Code>{}</Code><Message>{}</Message>",
        error.code,
        escape(&error.message)
    );
    for (member, value) in &error.members {
        let _ = write!(body, "<{member}>{}</{member}>", escape(value));
    }
    let id = uuid::Uuid::new_v4().simple().to_string();
    let _ = write!(body, "<RequestId>{id}</RequestId></Error>");
    let mut reply = Reply::raw(error.status, "application/xml", body);
    reply.headers.push(("x-amz-request-id", id));
    if let Some((_, region)) = error.members.iter().find(|(member, _)| *member == "Region") {
        reply.headers.push(("x-amz-bucket-region", region.clone()));
    }
    reply
}

#[cfg(test)]
mod tests;
