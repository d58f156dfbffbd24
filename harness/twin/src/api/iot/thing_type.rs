//! Thing types.

use serde_json::{Value, json};

use super::{Api, Outcome, done, ok, optional, time};
use crate::{
    error::AwsError,
    registry::{ThingType, TypeProperties, invalid, tags_of},
};

impl Api<'_> {
    pub(super) fn thing_type(&self, operation: &str) -> Outcome {
        let now_ms = self.world.clock.now_ms();
        match operation {
            "CreateThingType" => self.create_thing_type(now_ms),
            "DescribeThingType" => {
                let registry = self.region.registry.lock();
                let kind = registry.thing_type(self.name)?;
                let mut body = describe(kind, &registry.arn(&format!("thingtype/{}", kind.name)));
                body["thingTypeId"] = json!(kind.id);
                ok(&body)
            }
            "ListThingTypes" => self.list_thing_types(),
            "UpdateThingType" => {
                let change = properties(&self.call.json()?)?;
                let event = self.region.registry.lock().update_thing_type(self.name, change, now_ms)?;
                self.publish(event);
                done()
            }
            "DeprecateThingType" => {
                let undo = self.call.json()?["undoDeprecate"].as_bool().unwrap_or(false);
                let event = self.region.registry.lock().deprecate_thing_type(self.name, undo, now_ms)?;
                self.publish(event);
                done()
            }
            _ => {
                let event = self.region.registry.lock().delete_thing_type(self.name, now_ms)?;
                self.publish(event);
                done()
            }
        }
    }

    fn create_thing_type(&self, now_ms: i64) -> Outcome {
        let body = self.call.json()?;
        let (given, tags) = (properties(&body)?, tags_of(&body["tags"])?);
        let mut registry = self.region.registry.lock();
        let (kind, event) = registry.create_thing_type(self.name, given, now_ms)?;
        let arn = registry.arn(&format!("thingtype/{}", kind.name));
        registry.tag(&arn, tags)?;
        drop(registry);
        self.publish(event);
        ok(&json!({"thingTypeName": kind.name, "thingTypeArn": arn, "thingTypeId": kind.id}))
    }

    fn list_thing_types(&self) -> Outcome {
        let only = self.call.query("thingTypeName");
        let registry = self.region.registry.lock();
        let found = registry.thing_types().values().filter(|t| only.is_none_or(|name| t.name == name));
        let (found, next) = self.next_token_paging()?.take(found, |t| t.name.as_str());
        let list: Vec<Value> =
            found.iter().map(|t| describe(t, &registry.arn(&format!("thingtype/{}", t.name)))).collect();
        ok(&json!({"thingTypes": list, "nextToken": next}))
    }
}

fn properties(body: &Value) -> Result<TypeProperties, AwsError> {
    let given = &body["thingTypeProperties"];
    let searchable = given
        .get("searchableAttributes")
        .map(|list| serde_json::from_value(list.clone()))
        .transpose()
        .map_err(|_| invalid("searchableAttributes must be a list of strings"))?;
    Ok(TypeProperties {
        description: optional(given, "thingTypeDescription"),
        searchable,
        propagating: given.pointer("/mqtt5Configuration/propagatingAttributes").cloned(),
    })
}

fn describe(kind: &ThingType, arn: &str) -> Value {
    let mut properties =
        json!({"searchableAttributes": kind.properties.searchable.clone().unwrap_or_default()});
    if let Some(description) = &kind.properties.description {
        properties["thingTypeDescription"] = json!(description);
    }
    if let Some(propagating) = &kind.properties.propagating {
        properties["mqtt5Configuration"] = json!({"propagatingAttributes": propagating});
    }
    let mut metadata =
        json!({"deprecated": kind.deprecated_ms.is_some(), "creationDate": time(kind.created_ms)});
    if let Some(deprecated_ms) = kind.deprecated_ms {
        metadata["deprecationDate"] = time(deprecated_ms);
    }
    json!({
        "thingTypeName": kind.name, "thingTypeArn": arn,
        "thingTypeProperties": properties, "thingTypeMetadata": metadata,
    })
}
