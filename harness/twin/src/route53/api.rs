//! The Route 53 API: which operation a call is, and the errors as Route 53 words them. Operations on zones are in
//! [`zone_api`](super::zone_api), those on health checks in [`check_api`](super::check_api), on traffic policies
//! in [`traffic_api`](super::traffic_api).

use std::{collections::BTreeMap, sync::Arc};

use axum::http::Method;
use jiff::Timestamp;
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::{
    call::{Call, Reply},
    error::AwsError,
    route53::{Route53, check_api, checker, traffic_api, xml, zone_api},
    world::World,
};

const VERSION: &str = "2013-04-01";
/// Items in one page of a list of zones or health checks.
pub(crate) const PAGE_MAX: usize = 100;
/// Tags in one call.
const TAGS_MAX: usize = 10;
const ID_ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/// Characters of an id behind its letter.
const ID_CHARS: usize = 20;

/// What a call led to.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) reply: Reply,
    /// A health check that is new: its checkers are to be started.
    pub(crate) started: Option<String>,
}

impl From<Reply> for Response {
    fn from(reply: Reply) -> Self {
        Self { reply, started: None }
    }
}

/// Answers a call.
pub(crate) async fn handle(world: &Arc<World>, call: &Call) -> Result<Reply, AwsError> {
    let response = respond(&world.route53, world.health_checkers, world.clock.now(), call)?;
    if let Some(id) = &response.started {
        checker::start(world, id);
    }
    Ok(response.reply)
}

/// Answers a call on this state at this time.
fn respond(route53: &Route53, checkers: u32, now: Timestamp, call: &Call) -> Result<Response, AwsError> {
    let segments = call.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let [VERSION, path @ ..] = path.as_slice() else { return Err(unknown(call)) };
    let (get, post, delete) =
        (call.method == Method::GET, call.method == Method::POST, call.method == Method::DELETE);
    let reply = match path {
        ["hostedzone"] if post => zone_api::create(route53, now, call),
        ["hostedzone"] if get => zone_api::list(route53, call),
        ["hostedzonesbyname"] if get => zone_api::list_by_name(route53, call),
        ["hostedzone", id] if get => zone_api::get(route53, bare(id)),
        ["hostedzone", id] if delete => zone_api::delete(route53, now, bare(id)),
        ["hostedzone", id, "rrset"] if post => zone_api::change(route53, now, bare(id), call),
        ["hostedzone", id, "rrset"] if get => zone_api::list_records(route53, bare(id), call),
        ["change", id] if get => zone_api::get_change(route53, bare(id)),
        ["healthcheck"] if post => return check_api::create(route53, checkers, now, call),
        ["healthcheck"] if get => check_api::list(route53, call),
        ["healthcheck", id] if get => check_api::get(route53, id),
        ["healthcheck", id] if post => check_api::update(route53, now, id, call),
        ["healthcheck", id] if delete => check_api::delete(route53, id),
        ["healthcheck", id, "status"] if get => check_api::status(route53, id),
        ["healthcheck", id, "lastfailurereason"] if get => check_api::last_failure_reason(route53, id),
        ["trafficpolicy"] if post => traffic_api::create_policy(route53, call),
        ["trafficpolicy", id] if post => traffic_api::create_version(route53, id, call),
        ["trafficpolicy", id, version] if get => traffic_api::get_policy(route53, id, version),
        ["trafficpolicy", id, version] if post => traffic_api::update_comment(route53, id, version, call),
        ["trafficpolicy", id, version] if delete => traffic_api::delete_policy(route53, id, version),
        ["trafficpolicies"] if get => traffic_api::list_policies(route53, call),
        ["trafficpolicies", id, "versions"] if get => traffic_api::list_versions(route53, id, call),
        ["trafficpolicyinstance"] if post => traffic_api::create_instance(route53, call),
        ["trafficpolicyinstance", id] if get => traffic_api::get_instance(route53, id),
        ["trafficpolicyinstance", id] if post => traffic_api::update_instance(route53, id, call),
        ["trafficpolicyinstance", id] if delete => traffic_api::delete_instance(route53, id),
        ["trafficpolicyinstances"] if get => traffic_api::list_instances(route53, call),
        ["trafficpolicyinstances", "hostedzone"] if get => traffic_api::list_instances_by_zone(route53, call),
        ["trafficpolicyinstances", "trafficpolicy"] if get => {
            traffic_api::list_instances_by_policy(route53, call)
        }
        ["trafficpolicyinstancecount"] if get => traffic_api::count_instances(route53),
        ["tags", kind, id] if post => change_tags(route53, kind, bare(id), call),
        ["tags", kind, id] if get => list_tags(route53, kind, bare(id)),
        _ => Err(unknown(call)),
    };
    reply.map(Response::from)
}

fn unknown(call: &Call) -> AwsError {
    let what = format!("The twin does not have the operation {} {}", call.method, call.raw_path);
    AwsError::new(404, "InvalidAction", what)
}

/// An id without the prefix that ids carry in replies.
pub(crate) fn bare(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

/// An id as Route 53 makes them: a letter for the kind, then capitals and digits.
pub(crate) fn id(letter: char) -> String {
    let mut rng = rand::rng();
    let rest = (0..ID_CHARS).map(|_| char::from(ID_ALPHABET[rng.random_range(0..ID_ALPHABET.len())]));
    std::iter::once(letter).chain(rest).collect()
}

/// A random id in the form of a UUID, as health checks and requests have.
pub(crate) fn uuid() -> String {
    let hex = format!("{:032x}", rand::rng().random::<u128>());
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// One page of a list.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<T>,
    /// As asked for, or the default.
    pub(crate) count_max: usize,
}

/// The page that `marker` starts: it names the first item, by its id.
pub(crate) fn page<T>(
    call: &Call,
    items: impl Iterator<Item = T>,
    id: impl Fn(&T) -> &str,
) -> Result<Page<T>, AwsError> {
    let count_max = count_max(call, PAGE_MAX)?;
    let marker = call.query("marker").map(bare);
    let mut rest = items.skip_while(|item| marker.is_some_and(|m| id(item) != m)).peekable();
    if let (Some(marker), None) = (marker, rest.peek()) {
        return Err(AwsError::new(400, "InvalidInput", format!("Invalid marker: {marker}")));
    }
    Ok(Page { items: rest.by_ref().take(count_max).collect(), next: rest.next(), count_max })
}

/// `maxitems`, at most `limit`.
pub(crate) fn count_max(call: &Call, limit: usize) -> Result<usize, AwsError> {
    let Some(asked) = call.query("maxitems") else { return Ok(limit) };
    let count: Option<usize> = asked.parse().ok().filter(|c| *c > 0);
    let bad = || AwsError::new(400, "InvalidInput", format!("Invalid maxitems: {asked}"));
    count.map(|c| c.min(limit)).ok_or_else(bad)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ChangeTagsRequest {
    add_tags: Option<Tags>,
    remove_tag_keys: Option<TagKeys>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Tags {
    #[serde(rename = "Tag", default)]
    tag: Vec<Tag>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

#[derive(Debug, Deserialize)]
struct TagKeys {
    #[serde(rename = "Key", default)]
    key: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListTagsResponse<'a> {
    resource_tag_set: TagSet<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TagSet<'a> {
    resource_type: &'a str,
    resource_id: &'a str,
    tags: Tags,
}

fn with_tags<T>(
    route53: &Route53,
    kind: &str,
    id: &str,
    act: impl FnOnce(&mut BTreeMap<String, String>) -> T,
) -> Result<T, AwsError> {
    match kind {
        "hostedzone" => Ok(act(&mut route53.zones.lock().get_mut(id)?.tags)),
        "healthcheck" => Ok(act(&mut route53.checks.lock().get_mut(id)?.tags)),
        _ => Err(AwsError::new(400, "InvalidInput", format!("Invalid resource type: {kind}"))),
    }
}

fn change_tags(route53: &Route53, kind: &str, id: &str, call: &Call) -> Result<Reply, AwsError> {
    let request: ChangeTagsRequest = xml::read(&call.body)?;
    let add = request.add_tags.map(|t| t.tag).unwrap_or_default();
    let remove = request.remove_tag_keys.map(|k| k.key).unwrap_or_default();
    if add.len() > TAGS_MAX || remove.len() > TAGS_MAX || add.is_empty() && remove.is_empty() {
        return Err(AwsError::new(
            400,
            "InvalidInput",
            format!("Between 1 and {TAGS_MAX} tags are required"),
        ));
    }
    with_tags(route53, kind, id, |tags| {
        tags.retain(|key, _| !remove.contains(key));
        tags.extend(add.into_iter().map(|t| (t.key, t.value)));
    })?;
    xml::reply(200, "ChangeTagsForResourceResponse", &())
}

fn list_tags(route53: &Route53, kind: &str, id: &str) -> Result<Reply, AwsError> {
    let tag = with_tags(route53, kind, id, |tags| {
        tags.iter().map(|(k, v)| Tag { key: k.clone(), value: v.clone() }).collect()
    })?;
    let set = TagSet { resource_type: kind, resource_id: id, tags: Tags { tag } };
    xml::reply(200, "ListTagsForResourceResponse", &ListTagsResponse { resource_tag_set: set })
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorResponse<'a> {
    error: ErrorBody<'a>,
    request_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorBody<'a> {
    #[serde(rename = "Type")]
    side: &'static str,
    code: &'a str,
    message: &'a str,
}

/// An error as Route 53 puts it. An `InvalidChangeBatch` too comes in this form, its messages in brackets: the form
/// with a root element of its own is one that the SDK for Rust cannot read.
pub(crate) fn error_reply(error: &AwsError) -> Reply {
    let side = if error.status < 500 { "Sender" } else { "Receiver" };
    let body = ErrorBody { side, code: error.code, message: &error.message };
    let response = ErrorResponse { error: body, request_id: uuid() };
    Reply::xml(error.status, xml::write("ErrorResponse", &response).unwrap_or_default())
}

#[cfg(test)]
impl Route53 {
    /// One call, as tests of any module make it: `"POST /hostedzone"` and the body.
    pub(crate) fn call(&self, line: &str, body: &str) -> Result<Response, AwsError> {
        let (method, target) = line.split_once(' ').unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let call = Call {
            method: method.parse().unwrap(),
            raw_path: format!("/{VERSION}{path}"),
            query: query
                .split('&')
                .filter_map(|p| p.split_once('='))
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .collect(),
            headers: axum::http::HeaderMap::new(),
            body: bytes::Bytes::from(body.to_owned()),
            region: "us-east-1".to_owned(),
            service: "route53".to_owned(),
        };
        respond(self, 16, Timestamp::UNIX_EPOCH, &call)
    }

    /// The text of the reply to a call that succeeds.
    pub(crate) fn text(&self, line: &str, body: &str) -> String {
        let response = self.call(line, body).unwrap_or_else(|e| panic!("{line}: {e}"));
        String::from_utf8(response.reply.body.to_vec()).unwrap()
    }
}

/// The text of the first element of this name.
#[cfg(test)]
pub(crate) fn element<'a>(text: &'a str, name: &str) -> &'a str {
    let start = text.find(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name} in {text}"));
    let rest = &text[start + name.len() + 2..];
    &rest[..rest.find(&format!("</{name}>")).unwrap()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_operations_are_refused_as_route_53_words_errors() {
        let route53 = Route53::new();
        let error = route53.call("GET /delegationset", "").unwrap_err();
        assert_eq!((error.status, error.code), (404, "InvalidAction"));
        assert_eq!(route53.call("PUT /hostedzone", "").unwrap_err().code, "InvalidAction");
        let reply = error_reply(&error);
        let text = std::str::from_utf8(&reply.body).unwrap();
        assert!(
            text.contains("<ErrorResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Error>")
        );
        assert_eq!((element(text, "Type"), element(text, "Code")), ("Sender", "InvalidAction"));
    }

    #[test]
    fn ids_look_like_those_of_route_53() {
        let zone = id('Z');
        assert!(zone.len() == 21 && zone.starts_with('Z') && zone.is_ascii());
        assert_eq!(uuid().split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert_eq!(bare("/hostedzone/Z1"), "Z1");
        assert_eq!(bare("Z1"), "Z1");
    }

    #[test]
    fn tags_are_added_replaced_and_removed() {
        let route53 = Route53::new();
        let made = route53.text(
            "POST /hostedzone",
            "<CreateHostedZoneRequest><Name>example.com</Name><CallerReference>r</CallerReference>\
             </CreateHostedZoneRequest>",
        );
        let line = format!("/tags/hostedzone/{}", bare(element(&made, "Id")));
        let post = |body: &str| {
            let body = format!("<ChangeTagsForResourceRequest>{body}</ChangeTagsForResourceRequest>");
            route53.call(&format!("POST {line}"), &body).map(|_| ())
        };
        post("<AddTags><Tag><Key>run</Key><Value>1</Value></Tag><Tag><Key>b</Key></Tag></AddTags>").unwrap();
        post("<AddTags><Tag><Key>run</Key><Value>2</Value></Tag></AddTags><RemoveTagKeys><Key>b</Key></RemoveTagKeys>")
            .unwrap();
        let listed = route53.text(&format!("GET {line}"), "");
        assert_eq!(element(&listed, "Tags"), "<Tag><Key>run</Key><Value>2</Value></Tag>");
        assert_eq!(post("").unwrap_err().code, "InvalidInput");
        assert_eq!(route53.call("GET /tags/hostedzone/Z0", "").unwrap_err().code, "NoSuchHostedZone");
        assert_eq!(route53.call("GET /tags/other/Z0", "").unwrap_err().code, "InvalidInput");
    }
}
