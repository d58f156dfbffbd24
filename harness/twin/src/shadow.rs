//! Device shadows of one Region, classic and named. Pure state: an update comes in, the messages that AWS publishes
//! about it come out.

mod document;
mod rates;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use document::Document;
pub(crate) use rates::ThingRates;

use crate::nesting::depth;

/// AWS's limit of a shadow's state, in bytes of JSON.
const DOCUMENT_BYTES_MAX: usize = 8 * 1024;
/// Nesting that AWS allows, counted from `state`.
const DEPTH_MAX: usize = 6;
/// A request's `clientToken`.
const TOKEN_BYTES_MAX: usize = 64;

/// Deleted shadows whose versions are kept. AWS keeps each for 48 hours; here the oldest one makes room.
const DELETED_MAX: usize = 100_000;

/// A refusal: the code and message of `rejected`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShadowError {
    pub(crate) code: u16,
    pub(crate) message: String,
}

impl ShadowError {
    fn new(code: u16, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// More requests than the thing or the account may make.
    pub(crate) fn throttled() -> Self {
        Self::new(429, "Too many requests")
    }
}

/// What an accepted update gives rise to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Updated {
    pub(crate) accepted: Value,
    pub(crate) documents: Value,
    /// Only when desired and reported differ.
    pub(crate) delta: Option<Value>,
}

/// All shadows of a Region, by thing and shadow name ("" is the classic one).
#[derive(Debug, Default)]
pub(crate) struct Shadows {
    documents: BTreeMap<(String, String), Document>,
    deleted: Deleted,
}

/// Last versions of deleted shadows: a re-created one goes on from there.
#[derive(Debug, Default)]
struct Deleted {
    /// With the number of its deletion.
    versions: BTreeMap<(String, String), (u64, u64)>,
    /// By the number of their deletion.
    order: BTreeMap<u64, (String, String)>,
    deletions: u64,
}

impl Deleted {
    fn insert(&mut self, key: (String, String), version: u64, entries_max: usize) {
        self.remove(&key);
        self.deletions += 1;
        self.order.insert(self.deletions, key.clone());
        self.versions.insert(key, (version, self.deletions));
        if self.order.len() > entries_max
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.versions.remove(&oldest);
        }
    }

    fn version(&self, key: &(String, String)) -> Option<u64> {
        self.versions.get(key).map(|(version, _)| *version)
    }

    fn remove(&mut self, key: &(String, String)) {
        if let Some((_, deletion)) = self.versions.remove(key) {
            self.order.remove(&deletion);
        }
    }
}

impl Shadows {
    /// Applies an update request. On refusal nothing changes.
    pub(crate) fn update(
        &mut self,
        thing: &str,
        shadow: &str,
        payload: &[u8],
        now_s: i64,
    ) -> Result<Updated, ShadowError> {
        let request = Request::parse(payload)?;
        let key = (thing.to_owned(), shadow.to_owned());
        let before = self.documents.get(&key);
        let current = before.map_or(0, |d| d.version);
        if request.version.is_some_and(|v| v != current) {
            return Err(ShadowError::new(409, "Version conflict"));
        }
        let mut after = before.cloned().unwrap_or_else(|| Document::new(self.deleted.version(&key)));
        let metadata = after.merge(&request.state, now_s);
        if after.state_bytes() > DOCUMENT_BYTES_MAX {
            return Err(ShadowError::new(413, "The payload exceeds the maximum size allowed"));
        }
        after.version += 1;
        let (token, version) = (request.token.as_ref(), after.version);
        let told = |state, metadata| {
            let fields = [
                ("state", state),
                ("metadata", metadata),
                ("version", version.into()),
                ("timestamp", now_s.into()),
            ];
            with_token(composed(fields), token)
        };
        let accepted = told(Value::Object(request.state), metadata);
        let delta = after.delta().map(|(state, metadata)| told(state, metadata));
        let current = after.whole();
        self.deleted.remove(&key);
        let previous = self.documents.insert(key, after).map_or(Value::Null, Document::into_whole);
        let fields = [("previous", previous), ("current", current), ("timestamp", now_s.into())];
        Ok(Updated { accepted, documents: with_token(composed(fields), token), delta })
    }

    /// The document as `get/accepted` carries it, with the token of the request.
    pub(crate) fn get(
        &self,
        thing: &str,
        shadow: &str,
        payload: &[u8],
        now_s: i64,
    ) -> Result<Value, ShadowError> {
        let token = token_of_short(payload)?;
        let document = self
            .documents
            .get(&(thing.to_owned(), shadow.to_owned()))
            .ok_or_else(|| missing(thing, shadow))?;
        let mut whole = document.whole();
        if let Some((state, metadata)) = document.delta() {
            whole["state"]["delta"] = state;
            whole["metadata"]["delta"] = metadata;
        }
        whole["timestamp"] = json!(now_s);
        Ok(with_token(whole, token.as_ref()))
    }

    /// Deletes a shadow; the answer is `delete/accepted`, with the token of the request.
    pub(crate) fn delete(
        &mut self,
        thing: &str,
        shadow: &str,
        payload: &[u8],
        now_s: i64,
    ) -> Result<Value, ShadowError> {
        let token = token_of_short(payload)?;
        let key = (thing.to_owned(), shadow.to_owned());
        let document = self.documents.remove(&key).ok_or_else(|| missing(thing, shadow))?;
        let version = document.version;
        self.deleted.insert(key, version, DELETED_MAX);
        Ok(with_token(json!({"version": version, "timestamp": now_s}), token.as_ref()))
    }

    /// Names of a thing's named shadows.
    pub(crate) fn named(&self, thing: &str) -> Vec<String> {
        self.documents
            .range((thing.to_owned(), String::new())..)
            .take_while(|((t, _), _)| t == thing)
            .map(|((_, name), _)| name.clone())
            .filter(|name| !name.is_empty())
            .collect()
    }
}

fn missing(thing: &str, shadow: &str) -> ShadowError {
    let name = if shadow.is_empty() { thing.to_owned() } else { format!("{thing}~{shadow}") };
    ShadowError::new(404, format!("No shadow exists with name: '{name}'"))
}

/// An object of what is at hand already: `json!` would copy it all, by way of a serializer.
fn composed<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn with_token(mut message: Value, token: Option<&String>) -> Value {
    if let Some(token) = token {
        message["clientToken"] = json!(token);
    }
    message
}

/// A checked update request.
struct Request {
    state: Map<String, Value>,
    version: Option<u64>,
    token: Option<String>,
}

impl Request {
    fn parse(payload: &[u8]) -> Result<Self, ShadowError> {
        let bad = |message: &str| ShadowError::new(400, message);
        let mut body = object(payload)?;
        let state = match body.remove("state") {
            Some(Value::Object(state)) => state,
            Some(_) => return Err(bad("State node must be an object")),
            None => return Err(bad("Missing required node: state")),
        };
        for (section, value) in &state {
            match (section.as_str(), value) {
                ("desired" | "reported", Value::Object(_) | Value::Null) => {}
                ("desired", _) => return Err(bad("Desired node must be an object")),
                ("reported", _) => return Err(bad("Reported node must be an object")),
                _ => return Err(bad("State contains an invalid node")),
            }
            if null_in_array(value) {
                return Err(bad("State contains an invalid node"));
            }
            if depth(value, DEPTH_MAX) >= DEPTH_MAX {
                return Err(bad("JSON contains too many levels of nesting; maximum is 6"));
            }
        }
        let version = match body.remove("version") {
            None | Some(Value::Null) => None,
            Some(v) => Some(v.as_u64().ok_or_else(|| bad("Invalid version"))?),
        };
        let token = take_token(&mut body)?;
        Ok(Self { state, version, token })
    }
}

/// The token of a request to get or delete, whose payload may be empty.
fn token_of_short(payload: &[u8]) -> Result<Option<String>, ShadowError> {
    if payload.is_empty() { Ok(None) } else { take_token(&mut object(payload)?) }
}

fn object(payload: &[u8]) -> Result<Map<String, Value>, ShadowError> {
    match serde_json::from_slice(payload) {
        Ok(Value::Object(body)) => Ok(body),
        _ => Err(ShadowError::new(400, "Payload contains invalid json")),
    }
}

fn take_token(body: &mut Map<String, Value>) -> Result<Option<String>, ShadowError> {
    match body.remove("clientToken") {
        None => Ok(None),
        Some(Value::String(token)) if token.len() <= TOKEN_BYTES_MAX => Ok(Some(token)),
        Some(_) => Err(ShadowError::new(400, "Invalid clientToken")),
    }
}

fn null_in_array(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.iter().any(|item| item.is_null() || null_in_array(item)),
        Value::Object(map) => map.values().any(null_in_array),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(shadows: &mut Shadows, body: &Value, now_s: i64) -> Result<Updated, ShadowError> {
        shadows.update("t", "", body.to_string().as_bytes(), now_s)
    }

    #[test]
    fn updates_merge_and_null_removes() {
        let mut s = Shadows::default();
        update(&mut s, &json!({"state": {"reported": {"a": {"x": 1, "y": 2}, "b": [1, 2]}}}), 10).unwrap();
        let second = update(
            &mut s,
            &json!({"state": {"reported": {"a": {"x": null, "z": 3}}}, "clientToken": "c"}),
            20,
        )
        .unwrap();
        assert_eq!(second.accepted["state"], json!({"reported": {"a": {"x": null, "z": 3}}}));
        assert_eq!((&second.accepted["version"], &second.accepted["clientToken"]), (&json!(2), &json!("c")));
        let got = s.get("t", "", b"", 30).unwrap();
        assert_eq!(got["state"], json!({"reported": {"a": {"y": 2, "z": 3}, "b": [1, 2]}}));
        assert_eq!(got["metadata"]["reported"]["a"]["y"], json!({"timestamp": 10}));
        assert_eq!(got["metadata"]["reported"]["a"]["z"], json!({"timestamp": 20}));
        assert_eq!(second.documents["previous"]["version"], 1);
        assert_eq!(second.documents["current"]["state"], got["state"]);
    }

    #[test]
    fn a_wrong_version_changes_nothing() {
        let mut s = Shadows::default();
        update(&mut s, &json!({"state": {"reported": {"a": 1}}}), 1).unwrap();
        let refused = update(&mut s, &json!({"state": {"reported": {"a": 2}}, "version": 7}), 2).unwrap_err();
        assert_eq!(refused.code, 409);
        assert_eq!(s.get("t", "", b"", 3).unwrap()["state"]["reported"]["a"], 1);
    }

    #[test]
    fn delta_is_what_desired_has_and_reported_has_not() {
        let mut s = Shadows::default();
        let out = update(
            &mut s,
            &json!({"state": {"desired": {"on": true, "n": {"a": 1, "b": 2}}, "reported": {"on": true, "n": {"a": 1}}}}),
            1,
        )
        .unwrap();
        assert_eq!(out.delta.unwrap()["state"], json!({"n": {"b": 2}}));
        let out = update(&mut s, &json!({"state": {"reported": {"n": {"b": 2}}}}), 2).unwrap();
        assert_eq!(out.delta, None);
    }

    #[test]
    fn a_shadow_created_again_goes_on_counting() {
        let mut s = Shadows::default();
        update(&mut s, &json!({"state": {"reported": {"a": 1}}}), 1).unwrap();
        s.delete("t", "", b"", 2).unwrap();
        assert_eq!(s.get("t", "", b"", 2).unwrap_err().code, 404);
        let again = update(&mut s, &json!({"state": {"reported": {"a": 1}}}), 3).unwrap();
        assert_eq!(again.accepted["version"], 2);
    }

    #[test]
    fn the_versions_of_the_newest_deleted_shadows_are_kept() {
        let key = |n: u64| ("t".to_owned(), n.to_string());
        let mut deleted = Deleted::default();
        for n in [1, 2, 1, 3, 4] {
            deleted.insert(key(n), n, 3);
        }
        let kept: Vec<Option<u64>> = (1..=4).map(|n| deleted.version(&key(n))).collect();
        assert_eq!(kept, [Some(1), None, Some(3), Some(4)], "1 was deleted again after 2");
        deleted.remove(&key(3));
        deleted.insert(key(5), 5, 3);
        assert_eq!((deleted.version(&key(1)), deleted.order.len()), (Some(1), 3));
    }

    #[test]
    fn get_and_delete_carry_the_token_of_their_request() {
        let mut s = Shadows::default();
        update(&mut s, &json!({"state": {"reported": {"a": 1}}}), 1).unwrap();
        let asked = br#"{"clientToken":"c"}"#;
        assert_eq!(s.get("t", "", asked, 2).unwrap()["clientToken"], "c");
        for tokenless in [&b""[..], b"{}"] {
            assert_eq!(s.get("t", "", tokenless, 2).unwrap().get("clientToken"), None);
        }
        for (payload, message) in [
            (&b"{"[..], "Payload contains invalid json"),
            (b"[]", "Payload contains invalid json"),
            (br#"{"clientToken":1}"#, "Invalid clientToken"),
        ] {
            let refused = ShadowError::new(400, message);
            assert_eq!(s.get("t", "", payload, 2), Err(refused.clone()));
            assert_eq!(s.delete("t", "", payload, 2), Err(refused));
        }
        let deleted = s.delete("t", "", asked, 3).unwrap();
        assert_eq!(deleted, json!({"version": 1, "timestamp": 3, "clientToken": "c"}));
    }

    #[test]
    fn bad_requests_say_what_is_wrong() {
        let mut s = Shadows::default();
        for (body, message) in [
            ("{", "Payload contains invalid json"),
            ("{}", "Missing required node: state"),
            (r#"{"state":1}"#, "State node must be an object"),
            (r#"{"state":{"reported":3}}"#, "Reported node must be an object"),
            (r#"{"state":{"other":{}}}"#, "State contains an invalid node"),
            (r#"{"state":{"desired":{"a":[1,null]}}}"#, "State contains an invalid node"),
            (
                r#"{"state":{"desired":{"a":{"b":{"c":{"d":{"e":{}}}}}}}}"#,
                "JSON contains too many levels of nesting; maximum is 6",
            ),
        ] {
            assert_eq!(s.update("t", "", body.as_bytes(), 0).unwrap_err().message, message);
        }
        let large = json!({"state": {"reported": {"a": "x".repeat(9_000)}}});
        assert_eq!(update(&mut s, &large, 0).unwrap_err().code, 413);
    }
}
