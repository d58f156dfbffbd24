//! IoT policies: whether a certificate's policies allow an action on a resource. Default deny, explicit deny wins.
//!
//! Understood: `Effect`, `Action`, `Resource` with `*` and `?`, the variables below. A statement with anything else
//! (`Condition`, `NotAction`, `NotResource`) never allows, and denies as if it always matched: safe, never generous.

use serde_json::Value;

use crate::error::AwsError;

/// A parsed policy document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PolicyDocument {
    statements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq)]
struct Statement {
    allow: bool,
    actions: Vec<String>,
    resources: Vec<String>,
    /// It has a part that this evaluator does not understand.
    partial: bool,
}

/// What policy variables stand for on one connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables {
    /// `${iot:ClientId}`; empty where there is no client, as over HTTPS: then it has no value.
    pub(crate) client_id: String,
    /// `${iot:Connection.Thing.ThingName}`: the client id, when it is a thing that the certificate is attached to.
    pub(crate) thing_name: Option<String>,
}

impl PolicyDocument {
    pub(crate) fn parse(text: &str) -> Result<Self, AwsError> {
        let malformed = |what: &str| AwsError::new(400, "MalformedPolicyException", what.to_owned());
        let document: Value = serde_json::from_str(text)
            .map_err(|e| malformed(&format!("Policy document is not JSON: {e}")))?;
        let statements = match &document["Statement"] {
            Value::Array(list) => list.iter().collect(),
            single @ Value::Object(_) => vec![single],
            _ => return Err(malformed("Policy document has no Statement")),
        };
        let statements = statements
            .into_iter()
            .map(|s| {
                let allow = match s["Effect"].as_str() {
                    Some("Allow") => true,
                    Some("Deny") => false,
                    _ => return Err(malformed("Effect must be Allow or Deny")),
                };
                let partial = ["Condition", "NotAction", "NotResource"].iter().any(|k| s.get(k).is_some());
                Ok(Statement { allow, actions: list(&s["Action"]), resources: list(&s["Resource"]), partial })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { statements })
    }
}

fn list(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

/// Whether these policies allow `action` (for example `iot:Publish`) on the ARN `resource`.
pub(crate) fn allowed<'a>(
    policies: impl IntoIterator<Item = &'a PolicyDocument>,
    action: &str,
    resource: &str,
    variables: &Variables,
) -> bool {
    let mut allowed = false;
    for statement in policies.into_iter().flat_map(|p| &p.statements) {
        let hit =
            statement.actions.iter().any(|a| matches(&a.to_ascii_lowercase(), &action.to_ascii_lowercase()))
                && statement
                    .resources
                    .iter()
                    .any(|r| substitute(r, variables).is_some_and(|pattern| matches(&pattern, resource)));
        match (statement.allow, statement.partial) {
            (false, true) => return false,
            (false, false) if hit => return false,
            (true, false) if hit => allowed = true,
            _ => {}
        }
    }
    allowed
}

/// The pattern with its variables filled in; `None` if one has no value: AWS ignores such a statement.
fn substitute(pattern: &str, variables: &Variables) -> Option<String> {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(start) = rest.find("${") {
        let end = rest[start..].find('}')? + start;
        out.push_str(&rest[..start]);
        match &rest[start + 2..end] {
            "iot:ClientId" | "iot:ClientID" if !variables.client_id.is_empty() => {
                out.push_str(&variables.client_id);
            }
            "iot:Connection.Thing.ThingName" => out.push_str(variables.thing_name.as_deref()?),
            _ => return None,
        }
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    Some(out)
}

/// Glob match: `*` is any run of characters, `?` any one, of however many bytes.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    // What a character that begins at `t` is followed by.
    let after =
        |t: usize| t + 1 + text[t + 1..].iter().take_while(|b| **b & 0b1100_0000 == 0b1000_0000).count();
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && pattern[p] == b'?' {
            p += 1;
            t = after(t);
        } else if p < pattern.len() && pattern[p] == text[t] {
            p += 1;
            t += 1;
        } else if let Some((star_p, star_t)) = star {
            p = star_p + 1;
            t = after(star_t);
            star = Some((star_p, t));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests;
