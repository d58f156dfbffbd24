//! Policies: the same name in the secondary, the same document but for the Region of its ARNs.
//!
//! A policy is made if there is none; one that exists is left as it is. What is known to exist is
//! remembered for a while, so that a fleet that shares a policy costs one read of it.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::sync::Mutex;

use crate::outcome::{Class, Failure, Outcome, Settled};
use crate::ports::{Clock, Primary, Secondary, World};

/// How long a policy is taken to exist in the secondary without looking.
pub const KNOWN_MS_MAX: u64 = 15 * 60 * 1000;

/// How many policies are remembered. AWS accounts have few; beyond this they are looked up again.
pub const KNOWN_MAX: usize = 1_000;

/// The policies known to exist in the secondary, and until when that is believed.
///
/// The lock is held while a policy is made, so that many devices with one policy make it once.
#[derive(Debug, Default)]
pub struct Policies {
    known_until_ms: Mutex<BTreeMap<String, u64>>,
}

impl Policies {
    /// Attaches a policy to a certificate of the secondary, making the policy if need be.
    pub async fn attach<W: World>(&self, world: &W, name: &str, principal: &str) -> Outcome<()> {
        self.ensure(world, name).await?;
        match world.secondary().attach_policy(name, principal).await {
            // Believed to exist and does not, or the certificate is gone: look once.
            Err(failure) if failure.class == Class::NotFound => {
                self.known_until_ms.lock().await.remove(name);
                self.ensure(world, name).await?;
                world.secondary().attach_policy(name, principal).await
            }
            other => other,
        }
    }

    async fn ensure<W: World>(&self, world: &W, name: &str) -> Outcome<()> {
        let mut known = self.known_until_ms.lock().await;
        let now_ms = world.clock().now_ms();
        if known.get(name).is_some_and(|until_ms| *until_ms > now_ms) {
            return Ok(());
        }
        let document = world.primary().policy(name).await?;
        let document = in_region(&document, world.primary_region(), world.secondary_region())?;
        world.secondary().create_policy(name, &document).await.settled(Class::Exists)?;
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(name.to_owned(), now_ms + KNOWN_MS_MAX);
        Ok(())
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

/// The identity of the certificate that a principal's ARN names; `None` if it is no certificate.
pub fn certificate_id(principal: &str) -> Option<&str> {
    let resource = principal.splitn(6, ':').nth(5)?;
    resource.strip_prefix("cert/")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
    }
}
