//! Presigned links: the credential scope and the end of a link stand in its query. Signatures are not checked, as nowhere
//! in the twin; that a link has ended is.

use axum::http::Uri;
use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::{call::Call, error::AwsError, world::World};

/// The longest that a link lives, as on AWS.
const EXPIRES_S_MAX: i64 = 604_800;
const DATE_FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// Region and service of a request that is signed in its query.
pub(crate) fn scope(world: &World, uri: &Uri) -> Option<(String, String)> {
    let query = crate::api::query(uri.query()?);
    let given = |name: &str| query.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    if let Some(credential) = given("X-Amz-Credential") {
        let mut parts = credential.split('/').skip(2);
        let (region, service) = (parts.next()?, parts.next()?);
        // A link is a simple request that any web page can make a browser send: only S3 has links.
        return (service == "s3").then(|| (region.to_owned(), service.to_owned()));
    }
    // The signature of version 2, of S3 alone, names no Region: the bucket's is meant.
    given("Signature").and(given("AWSAccessKeyId"))?;
    let bucket = uri.path().trim_start_matches('/').split('/').next()?;
    let bucket = percent_decode_str(bucket).decode_utf8_lossy().into_owned();
    let region = world.s3.region_of(&bucket).or_else(|| world.regions.first().map(|r| r.name.clone()))?;
    Some((region, "s3".to_owned()))
}

/// Whether the call is signed in its query.
pub(super) fn is_presigned(call: &Call) -> bool {
    call.query("X-Amz-Signature").or(call.query("Signature")).is_some()
}

/// Refuses a link whose time is over.
pub(super) fn check_expiry(call: &Call, now: Timestamp) -> Result<(), AwsError> {
    if !is_presigned(call) {
        return Ok(());
    }
    match end(call) {
        Some(end) if now <= end => Ok(()),
        Some(_) => Err(AwsError::new(403, "AccessDenied", "Request has expired")),
        None => {
            let message = "Query-string authentication requires a date and an expiry of at most seven days";
            Err(AwsError::new(400, "AuthorizationQueryParametersError", message))
        }
    }
}

fn end(call: &Call) -> Option<Timestamp> {
    let Some(date) = call.query("X-Amz-Date") else {
        return Timestamp::from_second(call.query("Expires")?.parse().ok()?).ok();
    };
    let from = DateTime::strptime(DATE_FORMAT, date).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
    let lives_s = call.query("X-Amz-Expires")?.parse().ok()?;
    (0..=EXPIRES_S_MAX).contains(&lives_s).then_some(())?;
    from.checked_add(SignedDuration::from_secs(lives_s)).ok()
}

/// A link to an object that works for so long. Its signature is made up, since nobody checks it.
pub(crate) fn link(world: &World, region: &str, bucket: &str, key: &str, lives_s: u32) -> String {
    let date = world.clock.now().strftime(DATE_FORMAT).to_string();
    let day = date.get(..8).unwrap_or_default();
    let credential = format!("AKIAGAMEDAYTWIN00000/{day}/{region}/s3/aws4_request");
    let credential = utf8_percent_encode(&credential, NON_ALPHANUMERIC);
    let signature = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    format!(
        "{}/{bucket}/{key}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={date}\
         &X-Amz-Expires={lives_s}&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}",
        world.api_url
    )
}
