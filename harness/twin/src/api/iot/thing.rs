//! Things and their principals.

use serde_json::{Value, json};

use super::{Api, Outcome, attributes, done, ok, optional};
use crate::registry::{Thing, ThingChange, ThingFilter, ThingSettings, not_found};

impl Api<'_> {
    pub(super) fn thing(&self, operation: &str) -> Outcome {
        match operation {
            "CreateThing" => self.create_thing(),
            "DescribeThing" => self.describe_thing(),
            "UpdateThing" => self.update_thing(),
            "DeleteThing" => {
                let expected = self.call.query("expectedVersion").and_then(|v| v.parse().ok());
                let now_ms = self.world.clock.now_ms();
                let events = self.region.registry.lock().delete_thing(self.name, expected, now_ms)?;
                self.publish(events);
                done()
            }
            "ListThings" => self.list_things(),
            "AttachThingPrincipal" => {
                let principal = self.header("x-amzn-principal")?;
                self.region.registry.lock().attach_principal(self.name, principal).and_then(|()| done())
            }
            "DetachThingPrincipal" => {
                let principal = self.header("x-amzn-principal")?;
                self.region.registry.lock().detach_principal(self.name, principal).and_then(|()| done())
            }
            "ListThingPrincipals" => {
                let found = self.region.registry.lock().principals(self.name)?;
                let (found, next) = self.next_token_paging()?.take(found.iter(), |p| p.as_str());
                ok(&json!({"principals": found, "nextToken": next}))
            }
            _ => {
                let found = self.region.registry.lock().principal_things(self.header("x-amzn-principal")?);
                let (found, next) = self.next_token_paging()?.take(found.iter(), |t| t.as_str());
                ok(&json!({"things": found, "nextToken": next}))
            }
        }
    }

    fn create_thing(&self) -> Outcome {
        let body = self.call.json()?;
        if let Some(group) = body["billingGroupName"].as_str() {
            return Err(not_found(format!("Billing group {group} cannot be found.")));
        }
        let settings = ThingSettings {
            attributes: attributes(&body)?.unwrap_or_default().attributes,
            type_name: optional(&body, "thingTypeName"),
        };
        let mut registry = self.region.registry.lock();
        let (thing, events) = registry.create_thing(self.name, settings, self.world.clock.now_ms())?;
        let arn = registry.arn(&format!("thing/{}", thing.name));
        drop(registry);
        self.publish(events);
        ok(&json!({"thingName": thing.name, "thingArn": arn, "thingId": thing.id}))
    }

    fn describe_thing(&self) -> Outcome {
        let registry = self.region.registry.lock();
        let thing = registry.thing(self.name)?;
        let arn = registry.arn(&format!("thing/{}", thing.name));
        let mut body = summary(thing, &arn);
        body["defaultClientId"] = json!(thing.name);
        body["thingId"] = json!(thing.id);
        ok(&body)
    }

    fn update_thing(&self) -> Outcome {
        let body = self.call.json()?;
        let change = ThingChange {
            attributes: attributes(&body)?,
            type_name: optional(&body, "thingTypeName"),
            remove_type: body["removeThingType"].as_bool().unwrap_or(false),
            expected_version: body["expectedVersion"].as_u64(),
        };
        let now_ms = self.world.clock.now_ms();
        let events = self.region.registry.lock().update_thing(self.name, change, now_ms)?;
        self.publish(events);
        done()
    }

    fn list_things(&self) -> Outcome {
        let filter = ThingFilter {
            type_name: self.call.query("thingTypeName"),
            attribute: self.call.query("attributeName").zip(self.call.query("attributeValue")),
            prefix: self.flag("usePrefixAttributeValue") == Some(true),
        };
        let paging = self.next_token_paging()?;
        let registry = self.region.registry.lock();
        let (things, next) = paging.take(registry.things(filter, paging.after()), |t| t.name.as_str());
        let things: Vec<Value> =
            things.iter().map(|t| summary(t, &registry.arn(&format!("thing/{}", t.name)))).collect();
        ok(&json!({"things": things, "nextToken": next}))
    }
}

fn summary(thing: &Thing, arn: &str) -> Value {
    let mut body = json!({
        "thingName": thing.name, "thingArn": arn, "attributes": thing.attributes, "version": thing.version,
    });
    if let Some(name) = &thing.type_name {
        body["thingTypeName"] = json!(name);
    }
    body
}
