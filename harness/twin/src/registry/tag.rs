//! Tags of the IoT resources that can have them. Things and certificates cannot, as on AWS.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Registry, invalid, limit_exceeded, not_found};
use crate::error::AwsError;

const TAGS_MAX: usize = 50;
const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;

impl Registry {
    /// Adds tags, or changes those with the same keys. The caller has checked that the resource exists.
    pub(crate) fn tag(&mut self, arn: &str, tags: BTreeMap<String, String>) -> Result<(), AwsError> {
        if tags.is_empty() {
            return Ok(());
        }
        let mut after = self.tags.get(arn).cloned().unwrap_or_default();
        after.extend(tags);
        if after.len() > TAGS_MAX {
            return Err(limit_exceeded(format!("A resource can have at most {TAGS_MAX} tags")));
        }
        self.tags.insert(arn.to_owned(), after);
        Ok(())
    }

    pub(crate) fn untag<'a>(&mut self, arn: &str, keys: impl Iterator<Item = &'a str>) {
        if let Some(tags) = self.tags.get_mut(arn) {
            for key in keys {
                tags.remove(key);
            }
            if tags.is_empty() {
                self.tags.remove(arn);
            }
        }
    }

    /// The tags of a resource by key.
    pub(crate) fn tags(&self, arn: &str) -> impl Iterator<Item = (&String, &String)> {
        self.tags.get(arn).into_iter().flatten()
    }

    /// A resource that is deleted has no tags any more.
    pub(crate) fn forget_tags(&mut self, arn: &str) {
        self.tags.remove(arn);
    }

    /// Refuses an ARN that is not of a resource that exists and can have tags. `rule` says whether a topic rule exists,
    /// since the registry does not know them.
    pub(crate) fn check_taggable(&self, arn: &str, rule: impl Fn(&str) -> bool) -> Result<(), AwsError> {
        let resource = arn.strip_prefix(self.arn("").as_str()).and_then(|r| r.split_once('/'));
        let exists = match resource {
            Some(("thinggroup", name)) => self.groups.contains_key(name),
            Some(("thingtype", name)) => self.types.contains_key(name),
            Some(("policy", name)) => self.policies.contains_key(name),
            Some(("cacert", id)) => self.cas.contains_key(id),
            Some(("rule", name)) => rule(name),
            _ => return Err(invalid(format!("Invalid resource ARN for tags: {arn}"))),
        };
        if exists { Ok(()) } else { Err(not_found(format!("Resource {arn} does not exist"))) }
    }
}

/// `[{"Key": ..., "Value": ...}]` of a request; null is none.
pub(crate) fn tags_of(list: &Value) -> Result<BTreeMap<String, String>, AwsError> {
    let Some(list) = list.as_array() else {
        return if list.is_null() { Ok(BTreeMap::new()) } else { Err(invalid("tags must be a list")) };
    };
    let mut tags = BTreeMap::new();
    for tag in list {
        let key = tag["Key"].as_str().unwrap_or_default();
        let value = tag["Value"].as_str().unwrap_or_default();
        let fits = !key.is_empty() && key.chars().count() <= KEY_CHARS_MAX && !key.starts_with("aws:");
        if !fits || value.chars().count() > VALUE_CHARS_MAX {
            return Err(invalid(format!(
                "Tag key {key:?} must have 1 to {KEY_CHARS_MAX} characters and not begin with aws:, its value at most \
                 {VALUE_CHARS_MAX}"
            )));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(invalid(format!("Tag key {key} is given twice")));
        }
    }
    // Here and not only when they are put on: what is created with tags is created with all of them or not at all.
    if tags.len() > TAGS_MAX {
        return Err(limit_exceeded(format!("A resource can have at most {TAGS_MAX} tags")));
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::registry::TypeProperties;

    #[test]
    fn tags_come_and_go_with_their_resource() {
        let mut r = Registry::new("us-east-1", "123456789012");
        let arn = r.arn("thingtype/k");
        assert_eq!(r.check_taggable(&arn, |_| false).unwrap_err().code, "ResourceNotFoundException");
        assert_eq!(
            r.check_taggable(&r.arn("thing/t"), |_| true).unwrap_err().code,
            "InvalidRequestException"
        );
        r.create_thing_type("k", TypeProperties::default(), 0).unwrap();
        r.check_taggable(&arn, |_| false).unwrap();
        r.tag(&arn, tags_of(&json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])).unwrap())
            .unwrap();
        r.untag(&arn, ["b", "c"].into_iter());
        assert_eq!(r.tags(&arn).collect::<Vec<_>>(), [(&"a".to_owned(), &"1".to_owned())]);
        r.deprecate_thing_type("k", false, 0).unwrap();
        r.delete_thing_type("k", i64::MAX).unwrap();
        assert_eq!(r.tags(&arn).count(), 0);
    }

    #[test]
    fn tags_are_checked() {
        let many: Vec<Value> = (0..=TAGS_MAX).map(|n| json!({"Key": format!("k{n}"), "Value": ""})).collect();
        let mut r = Registry::new("us-east-1", "123456789012");
        let all = tags_of(&many[1..].into()).unwrap();
        r.tag("x", all).unwrap();
        let one_more = tags_of(&many[..1].into()).unwrap();
        assert_eq!(r.tag("x", one_more).unwrap_err().code, "LimitExceededException");
        assert_eq!(tags_of(&many.into()).unwrap_err().code, "LimitExceededException");
        for bad in [json!([{"Key": "aws:x"}]), json!([{}]), json!("x"), json!([{"Key": "a"}, {"Key": "a"}])] {
            assert!(tags_of(&bad).is_err(), "{bad}");
        }
    }
}
