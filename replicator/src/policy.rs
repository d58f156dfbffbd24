//! Policies: the same name in the secondary, the same document but for the Region of its ARNs.
//!
//! A policy comes with whatever has it: one that is not there is made when it is first attached. Many
//! devices share one, so who makes it now is remembered for the others.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::sync::Mutex;

use crate::outcome::{Failure, Outcome};

/// How many policies are remembered. AWS accounts have few; beyond this all are forgotten.
pub const MADE_MAX: usize = 1_000;

/// The policies that this function made in the secondary, and when.
///
/// The lock is held while a policy is made, so that many devices with one policy make it once.
#[derive(Debug, Default)]
pub struct Policies {
    made_ms: Mutex<BTreeMap<String, u64>>,
}

impl Policies {
    /// Runs `make`, which says when the policy was made, unless it was made after it was missed at
    /// `missed_ms`. Says whether it is there; it is not if `make` found that it should not be.
    pub(crate) async fn once(
        &self,
        name: &str,
        missed_ms: u64,
        make: impl Future<Output = Outcome<Option<u64>>>,
    ) -> Outcome<bool> {
        let mut made_ms = self.made_ms.lock().await;
        if made_ms.get(name).is_some_and(|made_ms| *made_ms > missed_ms) {
            return Ok(true);
        }
        let Some(now_ms) = make.await? else { return Ok(false) };
        if made_ms.len() >= MADE_MAX {
            made_ms.clear();
        }
        made_ms.insert(name.to_owned(), now_ms);
        Ok(true)
    }
}

/// Rewrites a policy document for another Region: in every string that is an ARN of AWS IoT in the
/// primary Region, its Region. A Region's name anywhere else, in a topic say, stays.
pub fn in_region(document: &str, primary: &str, secondary: &str) -> Outcome<String> {
    let mut value: Value = serde_json::from_str(document)
        .map_err(|_| Failure::permanent("rewrite policy", "the document is not JSON"))?;
    if !rewrite(&mut value, primary, secondary) {
        return Ok(document.to_owned());
    }
    Ok(value.to_string())
}

fn rewrite(value: &mut Value, primary: &str, secondary: &str) -> bool {
    match value {
        Value::String(text) => match arn_in_region(text, primary, secondary) {
            Some(arn) => {
                *text = arn;
                true
            }
            None => false,
        },
        // No short circuit: every element is to be rewritten.
        Value::Array(list) => {
            list.iter_mut().fold(false, |any, value| rewrite(value, primary, secondary) | any)
        }
        Value::Object(map) => {
            map.values_mut().fold(false, |any, value| rewrite(value, primary, secondary) | any)
        }
        _ => false,
    }
}

/// The same ARN of AWS IoT in the secondary Region; `None` if it is not one of the primary Region.
pub fn arn_in_region(arn: &str, primary: &str, secondary: &str) -> Option<String> {
    let mut parts = arn.splitn(5, ':');
    let (scheme, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, rest) = (parts.next()?, parts.next()?);
    (scheme == "arn" && service == "iot" && region == primary)
        .then(|| format!("arn:{partition}:iot:{secondary}:{rest}"))
}

/// The ARN of a certificate.
pub fn certificate_arn(region: &str, account: &str, id: &str) -> String {
    arn(region, account, &format!("cert/{id}"))
}

/// The ARN of a group.
pub fn group_arn(region: &str, account: &str, name: &str) -> String {
    arn(region, account, &format!("thinggroup/{name}"))
}

fn arn(region: &str, account: &str, resource: &str) -> String {
    format!("arn:{}:iot:{region}:{account}:{resource}", partition(region))
}

/// The partition of a Region.
pub fn partition(region: &str) -> &'static str {
    match region {
        china if china.starts_with("cn-") => "aws-cn",
        government if government.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// What an ARN of AWS IoT names, by its kind and its name: `("cert", id)`.
pub fn resource(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.splitn(6, ':');
    (parts.next() == Some("arn") && parts.nth(1) == Some("iot")).then_some(())?;
    parts.nth(2)?.split_once('/')
}

/// The identity of the certificate that a principal's ARN names; `None` if it is no certificate.
pub fn certificate_id(principal: &str) -> Option<&str> {
    resource(principal).filter(|(kind, _)| *kind == "cert").map(|(_, id)| id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::outcome::Class;

    #[test]
    fn only_the_region_of_an_arn_is_rewritten() {
        let document = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:Publish",
            "Resource": ["arn:aws:iot:us-east-1:1:topic/us-east-1/x", "arn:aws:iot:eu-west-1:1:topic/a",
                "arn:aws:iot:*:1:topic/us-east-1", "arn:aws-cn:iot:us-east-1:1:client/${iot:ClientId}"],
            "Condition": {"StringEquals": {"home": "us-east-1"}}}]});
        let rewritten = in_region(&document.to_string(), "us-east-1", "us-west-2").unwrap();
        let rewritten: Value = serde_json::from_str(&rewritten).unwrap();
        assert_eq!(
            rewritten["Statement"][0]["Resource"],
            json!([
                "arn:aws:iot:us-west-2:1:topic/us-east-1/x",
                "arn:aws:iot:eu-west-1:1:topic/a",
                "arn:aws:iot:*:1:topic/us-east-1",
                "arn:aws-cn:iot:us-west-2:1:client/${iot:ClientId}"
            ])
        );
        assert_eq!(rewritten["Statement"][0]["Condition"], document["Statement"][0]["Condition"]);
    }

    #[test]
    fn a_document_without_such_an_arn_stays_as_it_was_written() {
        let document = "{ \"Statement\" : { \"Resource\":\"*\" } }";
        assert_eq!(in_region(document, "us-east-1", "us-west-2").unwrap(), document);
        assert_eq!(in_region("<xml>", "a", "b").unwrap_err().class, Class::Permanent);
    }

    #[test]
    fn a_certificate_is_told_from_other_principals() {
        assert_eq!(certificate_id("arn:aws:iot:us-east-1:1:cert/abc"), Some("abc"));
        assert_eq!(certificate_id("us-east-1:11111111-2222-3333-4444-555555555555"), None);
        assert_eq!(certificate_id("arn:aws:iot:us-east-1:1:thing/a:b"), None);
        assert_eq!(resource("arn:aws:iot:us-east-1:1:thing/a:b/c"), Some(("thing", "a:b/c")));
    }

    #[test]
    fn arns_are_of_the_partition_of_their_region() {
        assert_eq!(certificate_arn("us-east-1", "1", "c"), "arn:aws:iot:us-east-1:1:cert/c");
        assert_eq!(group_arn("cn-north-1", "1", "g"), "arn:aws-cn:iot:cn-north-1:1:thinggroup/g");
        assert_eq!(certificate_arn("us-gov-west-1", "1", "c"), "arn:aws-us-gov:iot:us-gov-west-1:1:cert/c");
    }
}
