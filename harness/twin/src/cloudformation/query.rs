//! The Query protocol: form-encoded requests, XML replies.

use quick_xml::escape::escape;
use serde_json::{Value as Json, json};

use super::{error::invalid, function::text};
use crate::{call::Reply, error::AwsError};

const NAMESPACE: &str = "http://cloudformation.amazonaws.com/doc/2010-05-15/";
/// Items of any list of a request. AWS's longest has 200.
const ITEMS_MAX: usize = 500;
/// Items in a page of a reply.
pub(super) const PAGE_SIZE: usize = 100;

/// The members of a request.
#[derive(Debug, Clone)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn new(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    /// A member that the request must have.
    pub(super) fn required(&self, name: &str) -> Result<&str, AwsError> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            let mut member = name.to_owned();
            if let Some(first) = member.get_mut(..1) {
                first.make_ascii_lowercase();
            }
            invalid(format!(
                "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be \
                 null"
            ))
        })
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    pub(super) fn has(&self, prefix: &str) -> bool {
        self.0.iter().any(|(k, v)| k.starts_with(prefix) && !v.is_empty())
    }

    /// A list of texts.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        (1..=ITEMS_MAX).map_while(|n| self.get(&format!("{name}.member.{n}"))).map(str::to_owned).collect()
    }

    /// A list of structures, each a form of its own.
    pub(super) fn items(&self, name: &str) -> Vec<Self> {
        let item = |n: usize| {
            let prefix = format!("{name}.member.{n}.");
            let members =
                self.0.iter().filter_map(|(k, v)| Some((k.strip_prefix(&prefix)?.to_owned(), v.clone())));
            let members: Vec<(String, String)> = members.collect();
            (!members.is_empty()).then_some(Self(members))
        };
        (1..=ITEMS_MAX).map_while(item).collect()
    }
}

/// One page of items, and the token of the next.
pub(super) fn page<T>(form: &Form, items: Vec<T>) -> Result<(Vec<T>, Json), AwsError> {
    let start = match form.get("NextToken").filter(|token| !token.is_empty()) {
        Some(token) => token.parse::<usize>().map_err(|_| invalid("Invalid NextToken"))?,
        None => 0,
    };
    let is_more = items.len() > start.saturating_add(PAGE_SIZE);
    let next = if is_more { json!((start + PAGE_SIZE).to_string()) } else { Json::Null };
    Ok((items.into_iter().skip(start).take(PAGE_SIZE).collect(), next))
}

/// A value as elements: members without value are left out, lists hold `member`.
fn write(out: &mut String, name: &str, value: &Json) {
    match value {
        Json::Null => return,
        _ => out.extend(["<", name, ">"]),
    }
    match value {
        Json::Object(map) => map.iter().for_each(|(name, value)| write(out, name, value)),
        Json::Array(list) => list.iter().for_each(|value| write(out, "member", value)),
        other => out.push_str(&escape(text(other).unwrap_or_default())),
    }
    out.extend(["</", name, ">"]);
}

/// The reply to an operation.
pub(super) fn reply(operation: &str, result: &Json) -> Reply {
    let mut inner = String::new();
    write(&mut inner, &format!("{operation}Result"), result);
    let id = uuid::Uuid::new_v4();
    Reply::xml(
        200,
        format!(
            "<{operation}Response xmlns=\"{NAMESPACE}\">{inner}<ResponseMetadata><RequestId>{id}</RequestId>\
             </ResponseMetadata></{operation}Response>"
        ),
    )
}

/// An error as CloudFormation writes it.
pub(crate) fn error_reply(error: &AwsError) -> Reply {
    let kind = if error.status >= 500 { "Receiver" } else { "Sender" };
    let (code, message) = (error.code, escape(error.message.as_str()));
    let id = uuid::Uuid::new_v4();
    Reply::xml(
        error.status,
        format!(
            "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{kind}</Type><Code>{code}</Code><Message>{message}\
             </Message></Error><RequestId>{id}</RequestId></ErrorResponse>"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(pairs: &[(&str, &str)]) -> Form {
        Form::new(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn lists_and_structures_are_numbered() {
        let form = form(&[
            ("Capabilities.member.1", "CAPABILITY_IAM"),
            ("Tags.member.1.Key", "a"),
            ("Tags.member.1.Value", "b"),
            ("Tags.member.2.Key", "c"),
        ]);
        assert_eq!(form.list("Capabilities"), ["CAPABILITY_IAM"]);
        let tags = form.items("Tags");
        assert_eq!((tags.len(), tags[0].get("Value"), tags[1].get("Key")), (2, Some("b"), Some("c")));
        assert!(form.has("Tags") && !form.has("Parameters"));
        let message = form.required("StackName").unwrap_err().message;
        assert!(message.contains("Value null at 'stackName'"), "{message}");
    }

    #[test]
    fn replies_are_escaped_and_without_what_is_null() {
        let reply = reply("ListX", &json!({"A": ["<&>", {"B": 1}], "C": null, "D": [], "E": true}));
        let body = String::from_utf8(reply.body.to_vec()).unwrap();
        let wanted = "<ListXResult><A><member>&lt;&amp;&gt;</member><member><B>1</B></member></A><D></D><E>true</E>\
                      </ListXResult>";
        assert!(body.contains(wanted), "{body}");
    }

    #[test]
    fn pages_have_a_token_while_there_is_more() {
        let (items, next) = page(&form(&[]), (0..150).collect()).unwrap();
        assert_eq!((items.len(), next), (100, json!("100")));
        let (items, next) = page(&form(&[("NextToken", "100")]), (0..150).collect()).unwrap();
        assert_eq!((items.len(), next), (50, Json::Null));
        assert!(page(&form(&[("NextToken", "x")]), vec![0]).is_err());
    }
}
