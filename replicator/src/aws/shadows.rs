//! Shadows.

use aws_sdk_iotdataplane::primitives::Blob;
use serde_json::{Value, json};

use super::AwsRegion;
use super::errors::failure;
use super::listing::{empty_if_absent, if_there, within};
use crate::model::{Shadow, Written};
use crate::outcome::{Failure, Outcome};
use crate::ports::Shadows;

/// The largest page of a list of shadows.
const PAGE_SIZE: i32 = 100;

/// The classic shadow is the one without a name.
fn name(shadow: &str) -> Option<String> {
    (!shadow.is_empty()).then(|| shadow.to_owned())
}

impl AwsRegion {
    async fn listed_shadows(&self, thing: &str) -> Outcome<Vec<String>> {
        const STEP: &str = "list named shadows";
        let (mut names, mut next) = (Vec::new(), None);
        loop {
            let list = self.data().await?.list_named_shadows_for_thing().thing_name(thing);
            let page = list.page_size(PAGE_SIZE).set_next_token(next).send().await.map_err(failure(STEP))?;
            names.extend(page.results.unwrap_or_default());
            within(names.len(), STEP)?;
            next = page.next_token;
            if next.is_none() {
                return Ok(names);
            }
        }
    }
}

impl Shadows for AwsRegion {
    async fn shadow(&self, thing: &str, shadow: &str) -> Outcome<Option<Shadow>> {
        const STEP: &str = "get shadow";
        let get = self.data().await?.get_thing_shadow().thing_name(thing).set_shadow_name(name(shadow));
        let Some(answer) = if_there(get.send().await.map_err(failure(STEP)))? else { return Ok(None) };
        document(payload(STEP, answer.payload)?).map(Some)
    }

    async fn named_shadows(&self, thing: &str) -> Outcome<Vec<String>> {
        empty_if_absent(self.listed_shadows(thing).await)
    }

    async fn update_shadow(
        &self,
        thing: &str,
        shadow: &str,
        state: &Value,
        expected: Option<u64>,
    ) -> Outcome<Written> {
        const STEP: &str = "update shadow";
        let mut request = json!({ "state": state });
        if let Some(version) = expected {
            request["version"] = json!(version);
        }
        let update = self.data().await?.update_thing_shadow().thing_name(thing).set_shadow_name(name(shadow));
        let update = update.payload(Blob::new(request.to_string()));
        let answer = payload(STEP, update.send().await.map_err(failure(STEP))?.payload)?;
        match (answer["version"].as_u64(), answer["timestamp"].as_u64()) {
            (Some(version), Some(timestamp_s)) => Ok(Written { version, timestamp_s }),
            _ => Err(Failure::transient(STEP, "the answer has no version or time")),
        }
    }

    async fn delete_shadow(&self, thing: &str, shadow: &str) -> Outcome<()> {
        let delete = self.data().await?.delete_thing_shadow().thing_name(thing).set_shadow_name(name(shadow));
        delete.send().await.map(drop).map_err(failure("delete shadow"))
    }
}

fn payload(step: &'static str, payload: Option<Blob>) -> Outcome<Value> {
    let payload = payload.map(Blob::into_inner).unwrap_or_default();
    serde_json::from_slice(&payload).map_err(|_| Failure::transient(step, "the answer is not JSON"))
}

/// What a reader of the shadow gets, without the difference that AWS adds to it.
fn document(mut answer: Value) -> Outcome<Shadow> {
    let version = answer["version"].as_u64();
    let version = version.ok_or_else(|| Failure::transient("get shadow", "the answer has no version"))?;
    let mut part = |name: &str| {
        let mut part = answer[name].take();
        if let Value::Object(sections) = &mut part {
            sections.retain(|section, _| section != "delta");
        }
        part
    };
    Ok(Shadow { state: part("state"), metadata: part("metadata"), version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_between_the_sections_is_no_part_of_the_state() {
        let answer = json!({"state": {"desired": {"a": 1}, "delta": {"a": 1}}, "version": 4,
            "metadata": {"desired": {"a": {"timestamp": 9}}, "delta": {"a": {"timestamp": 9}}}, "timestamp": 10});
        let document = document(answer).unwrap();
        assert_eq!(document.state, json!({"desired": {"a": 1}}));
        assert_eq!(document.metadata, json!({"desired": {"a": {"timestamp": 9}}}));
        assert_eq!(document.version, 4);
    }
}
