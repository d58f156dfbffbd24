//! The secondary Region's registry and shadows.

use aws_sdk_iot::Client;
use aws_sdk_iot::types::{AttributePayload, CertificateStatus};
use aws_sdk_iotdataplane::primitives::Blob;
use serde_json::{Value, json};

use super::errors::failure;
use super::primary::{none_if_absent, principal_things, thing_principals};
use crate::event::Thing;
use crate::outcome::{Class, Failure, Outcome};
use crate::ports::{Document, Secondary, Status, Written};

/// The secondary Region.
#[derive(Debug, Clone)]
pub struct SecondaryRegion {
    iot: Client,
    data: aws_sdk_iotdataplane::Client,
}

impl SecondaryRegion {
    /// Over clients of that Region.
    pub fn new(iot: Client, data: aws_sdk_iotdataplane::Client) -> Self {
        Self { iot, data }
    }
}

/// All attributes, to replace those that are there.
fn attributes(thing: &Thing) -> AttributePayload {
    let payload = AttributePayload::builder().merge(false).set_attributes(Some(std::iter::empty().collect()));
    thing.attributes.iter().fold(payload, |payload, (name, value)| payload.attributes(name, value)).build()
}

/// The classic shadow is the one without a name.
fn name(shadow: &str) -> Option<String> {
    (!shadow.is_empty()).then(|| shadow.to_owned())
}

impl Secondary for SecondaryRegion {
    async fn create_thing(&self, thing: &Thing) -> Outcome<()> {
        self.iot
            .create_thing()
            .thing_name(&thing.name)
            .set_thing_type_name(thing.thing_type.clone())
            .attribute_payload(attributes(thing))
            .send()
            .await
            .map_err(failure("create thing"))?;
        Ok(())
    }

    async fn update_thing(&self, thing: &Thing) -> Outcome<()> {
        let update = self.iot.update_thing().thing_name(&thing.name).attribute_payload(attributes(thing));
        let update = match &thing.thing_type {
            Some(thing_type) => update.thing_type_name(thing_type),
            None => update.remove_thing_type(true),
        };
        update.send().await.map_err(failure("update thing"))?;
        Ok(())
    }

    async fn delete_thing(&self, thing: &str) -> Outcome<()> {
        let deleted = self.iot.delete_thing().thing_name(thing).send().await;
        deleted.map(drop).map_err(failure("delete thing")).map_err(|failure| {
            // Detaching is asynchronous: right after it the thing may count as attached still.
            let unsettled = failure.class == Class::Permanent && failure.why.contains("attached");
            if unsettled { Failure { class: Class::Conflict, ..failure } } else { failure }
        })
    }

    async fn thing_principals(&self, thing: &str) -> Outcome<Vec<String>> {
        none_if_absent(thing_principals(&self.iot, thing).await)
    }

    async fn principal_things(&self, principal: &str) -> Outcome<Vec<String>> {
        none_if_absent(principal_things(&self.iot, principal).await)
    }

    async fn attach_principal(&self, thing: &str, principal: &str) -> Outcome<()> {
        let attach = self.iot.attach_thing_principal().thing_name(thing).principal(principal);
        attach.send().await.map_err(failure("attach thing principal"))?;
        Ok(())
    }

    async fn detach_principal(&self, thing: &str, principal: &str) -> Outcome<()> {
        let detach = self.iot.detach_thing_principal().thing_name(thing).principal(principal);
        detach.send().await.map_err(failure("detach thing principal"))?;
        Ok(())
    }

    async fn register_certificate(&self, pem: &str, active: bool) -> Outcome<()> {
        let status = if active { CertificateStatus::Active } else { CertificateStatus::Inactive };
        let register = self.iot.register_certificate_without_ca().certificate_pem(pem).status(status);
        register.send().await.map_err(failure("register certificate"))?;
        Ok(())
    }

    async fn set_status(&self, id: &str, status: Status) -> Outcome<()> {
        let status = match status {
            Status::Active => CertificateStatus::Active,
            Status::Inactive => CertificateStatus::Inactive,
            Status::Revoked => CertificateStatus::Revoked,
        };
        let update = self.iot.update_certificate().certificate_id(id).new_status(status);
        update.send().await.map_err(failure("update certificate"))?;
        Ok(())
    }

    async fn delete_certificate(&self, id: &str) -> Outcome<()> {
        // By force: its attachments to policies go with it.
        let delete = self.iot.delete_certificate().certificate_id(id).force_delete(true);
        delete.send().await.map_err(failure("delete certificate"))?;
        Ok(())
    }

    async fn create_policy(&self, name: &str, document: &str) -> Outcome<()> {
        let create = self.iot.create_policy().policy_name(name).policy_document(document);
        create.send().await.map_err(failure("create policy"))?;
        Ok(())
    }

    async fn attach_policy(&self, name: &str, principal: &str) -> Outcome<()> {
        let attach = self.iot.attach_policy().policy_name(name).target(principal);
        attach.send().await.map_err(failure("attach policy"))?;
        Ok(())
    }

    async fn shadow(&self, thing: &str, shadow: &str) -> Outcome<Option<Document>> {
        const STEP: &str = "get shadow";
        let get = self.data.get_thing_shadow().thing_name(thing).set_shadow_name(name(shadow));
        match get.send().await.map_err(failure(STEP)) {
            Ok(answer) => document(payload(STEP, answer.payload)?).map(Some),
            Err(failure) if failure.class == Class::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
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
        let answer = self
            .data
            .update_thing_shadow()
            .thing_name(thing)
            .set_shadow_name(name(shadow))
            .payload(Blob::new(request.to_string()))
            .send()
            .await
            .map_err(failure(STEP))?;
        let answer = payload(STEP, answer.payload)?;
        match (answer["version"].as_u64(), answer["timestamp"].as_u64()) {
            (Some(version), Some(timestamp_s)) => Ok(Written { version, timestamp_s }),
            _ => Err(Failure::transient(STEP, "the answer has no version or time")),
        }
    }

    async fn delete_shadow(&self, thing: &str, shadow: &str) -> Outcome<()> {
        let delete = self.data.delete_thing_shadow().thing_name(thing).set_shadow_name(name(shadow));
        delete.send().await.map_err(failure("delete shadow"))?;
        Ok(())
    }
}

fn payload(step: &'static str, payload: Option<Blob>) -> Outcome<Value> {
    let payload = payload.map(Blob::into_inner).unwrap_or_default();
    serde_json::from_slice(&payload).map_err(|_| Failure::transient(step, "the answer is not JSON"))
}

/// What a reader of the shadow gets, without the difference that AWS adds to it.
fn document(mut answer: Value) -> Outcome<Document> {
    let version = answer["version"].as_u64();
    let version = version.ok_or_else(|| Failure::transient("get shadow", "the answer has no version"))?;
    let mut part = |name: &str| {
        let mut part = answer[name].take();
        if let Value::Object(sections) = &mut part {
            sections.retain(|section, _| section != "delta");
        }
        part
    };
    Ok(Document { state: part("state"), metadata: part("metadata"), version })
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

    #[test]
    fn no_attributes_is_an_empty_map_that_replaces() {
        let thing = Thing { name: "t".into(), thing_type: None, attributes: [].into() };
        let payload = attributes(&thing);
        assert!(!payload.merge());
        let sent = payload.attributes().unwrap();
        assert!(sent.is_empty());
    }
}
