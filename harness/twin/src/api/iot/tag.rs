//! Tags of IoT resources.

use serde_json::{Value, json};

use super::{Api, Outcome, done, ok, required};
use crate::{
    error::AwsError,
    registry::{invalid, tags_of},
};

impl Api<'_> {
    pub(super) fn tag(&self, operation: &str) -> Outcome {
        match operation {
            "TagResource" => {
                let body = self.call.json()?;
                let (arn, tags) = (required(&body, "resourceArn")?, tags_of(&body["tags"])?);
                self.taggable(arn)?;
                self.region.registry.lock().tag(arn, tags).and_then(|()| done())
            }
            "UntagResource" => {
                let body = self.call.json()?;
                let arn = required(&body, "resourceArn")?;
                self.taggable(arn)?;
                let keys = body["tagKeys"].as_array().ok_or_else(|| invalid("tagKeys is missing"))?;
                self.region.registry.lock().untag(arn, keys.iter().filter_map(Value::as_str));
                done()
            }
            _ => {
                let arn = self.call.query("resourceArn").ok_or_else(|| invalid("resourceArn is missing"))?;
                self.taggable(arn)?;
                let registry = self.region.registry.lock();
                let tags: Vec<Value> =
                    registry.tags(arn).map(|(key, value)| json!({"Key": key, "Value": value})).collect();
                ok(&json!({"tags": tags}))
            }
        }
    }

    fn taggable(&self, arn: &str) -> Result<(), AwsError> {
        let rule = |name: &str| self.region.rules.get(name).is_ok();
        self.region.registry.lock().check_taggable(arn, rule)
    }
}
