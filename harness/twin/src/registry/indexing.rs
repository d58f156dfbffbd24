//! Fleet indexing's configuration. The index is the registry itself, so it is ACTIVE as soon as it is on; AWS takes minutes
//! to build one, and seconds to see a change.

use serde_json::{Map, Value, json};

use super::{Registry, invalid, not_found, search::THINGS_INDEX};
use crate::error::AwsError;

/// The index of thing groups, which can be switched and described, and not searched.
const GROUPS_INDEX: &str = "AWS_ThingGroups";

/// What is indexed: `thingIndexingConfiguration` and `thingGroupIndexingConfiguration` as set.
#[derive(Debug, Default)]
pub(super) struct Indexing {
    things: Map<String, Value>,
    groups: Map<String, Value>,
}

impl Indexing {
    fn mode<'a>(settings: &'a Map<String, Value>, key: &str) -> &'a str {
        settings.get(key).and_then(Value::as_str).unwrap_or("OFF")
    }

    /// Whether things can be searched.
    pub(super) fn has_things(&self) -> bool {
        Self::mode(&self.things, "thingIndexingMode") != "OFF"
    }

    /// Whether things can be searched by their connection.
    pub(super) fn has_connectivity(&self) -> bool {
        self.has_things() && Self::mode(&self.things, "thingConnectivityIndexingMode") == "STATUS"
    }

    fn schema(&self) -> &'static str {
        let shadow = Self::mode(&self.things, "thingIndexingMode") == "REGISTRY_AND_SHADOW";
        match (shadow, self.has_connectivity()) {
            (false, false) => "REGISTRY",
            (true, false) => "REGISTRY_AND_SHADOW",
            (false, true) => "REGISTRY_AND_CONNECTIVITY_STATUS",
            (true, true) => "REGISTRY_AND_SHADOW_AND_CONNECTIVITY_STATUS",
        }
    }
}

impl Registry {
    /// `UpdateIndexingConfiguration`: what is given replaces what was set, as on AWS.
    pub(crate) fn set_indexing(&mut self, body: &Value) -> Result<(), AwsError> {
        let things = section(
            body,
            "thingIndexingConfiguration",
            "thingIndexingMode",
            &["OFF", "REGISTRY", "REGISTRY_AND_SHADOW"],
        )?;
        let groups =
            section(body, "thingGroupIndexingConfiguration", "thingGroupIndexingMode", &["OFF", "ON"])?;
        if let Some(things) = &things {
            for (key, values) in [
                ("thingConnectivityIndexingMode", ["OFF", "STATUS"]),
                ("deviceDefenderIndexingMode", ["OFF", "VIOLATIONS"]),
                ("namedShadowIndexingMode", ["OFF", "ON"]),
            ] {
                let mode = Indexing::mode(things, key);
                if !values.contains(&mode) {
                    return Err(invalid(format!("{key} must be one of {}, got {mode}", values.join(", "))));
                }
                if mode != "OFF" && Indexing::mode(things, "thingIndexingMode") == "OFF" {
                    return Err(invalid(format!("{key} needs a thingIndexingMode other than OFF")));
                }
            }
        }
        if let Some(things) = things {
            self.indexing.things = things;
        }
        if let Some(groups) = groups {
            self.indexing.groups = groups;
        }
        Ok(())
    }

    /// `GetIndexingConfiguration`.
    pub(crate) fn indexing(&self) -> Value {
        let mut things = json!({
            "thingIndexingMode": "OFF", "thingConnectivityIndexingMode": "OFF", "deviceDefenderIndexingMode": "OFF",
            "namedShadowIndexingMode": "OFF", "managedFields": [], "customFields": [],
        });
        let mut groups = json!({"thingGroupIndexingMode": "OFF", "managedFields": [], "customFields": []});
        for (target, settings) in [(&mut things, &self.indexing.things), (&mut groups, &self.indexing.groups)]
        {
            for (key, value) in settings {
                target[key] = value.clone();
            }
        }
        if self.indexing.has_things() {
            let names = ["thingName", "thingId", "thingTypeName", "thingGroupNames"];
            let mut fields: Vec<Value> = names.iter().map(|n| json!({"name": n, "type": "String"})).collect();
            if self.indexing.has_connectivity() {
                fields.push(json!({"name": "connectivity.connected", "type": "Boolean"}));
            }
            things["managedFields"] = fields.into();
        }
        json!({"thingIndexingConfiguration": things, "thingGroupIndexingConfiguration": groups})
    }

    /// `DescribeIndex`: an index that is off does not exist.
    pub(crate) fn index(&self, name: &str) -> Result<Value, AwsError> {
        let groups = Indexing::mode(&self.indexing.groups, "thingGroupIndexingMode") == "ON";
        let schema = match name {
            THINGS_INDEX if self.indexing.has_things() => self.indexing.schema(),
            GROUPS_INDEX if groups => "THING_GROUPS",
            _ => return Err(not_found(format!("Index {name} does not exist"))),
        };
        Ok(json!({"indexName": name, "indexStatus": "ACTIVE", "schema": schema}))
    }
}

/// One of the two sections, if it is given; its mode is required.
fn section(
    body: &Value,
    key: &str,
    mode: &str,
    modes: &[&str],
) -> Result<Option<Map<String, Value>>, AwsError> {
    let Some(settings) = body.get(key).and_then(Value::as_object) else {
        return Ok(None);
    };
    match settings.get(mode).and_then(Value::as_str) {
        Some(given) if modes.contains(&given) => Ok(Some(settings.clone())),
        other => Err(invalid(format!("{mode} must be one of {}, got {other:?}", modes.join(", ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_exists_while_it_is_on() {
        let mut r = Registry::new("us-east-1", "123456789012");
        assert_eq!(r.indexing()["thingIndexingConfiguration"]["thingIndexingMode"], "OFF");
        assert_eq!(r.index(THINGS_INDEX).unwrap_err().code, "ResourceNotFoundException");
        let on = json!({"thingIndexingConfiguration":
            {"thingIndexingMode": "REGISTRY", "thingConnectivityIndexingMode": "STATUS"}});
        r.set_indexing(&on).unwrap();
        assert_eq!(r.index(THINGS_INDEX).unwrap()["schema"], "REGISTRY_AND_CONNECTIVITY_STATUS");
        r.set_indexing(&json!({"thingGroupIndexingConfiguration": {"thingGroupIndexingMode": "ON"}}))
            .unwrap();
        assert_eq!(r.index(GROUPS_INDEX).unwrap()["indexStatus"], "ACTIVE");
        assert!(r.indexing.has_connectivity(), "what is not given stays");
    }

    #[test]
    fn modes_are_checked() {
        let mut r = Registry::new("us-east-1", "123456789012");
        for bad in [
            json!({"thingIndexingMode": "ON"}),
            json!({}),
            json!({"thingIndexingMode": "OFF", "thingConnectivityIndexingMode": "STATUS"}),
            json!({"thingIndexingMode": "REGISTRY", "namedShadowIndexingMode": "SOME"}),
        ] {
            let body = json!({"thingIndexingConfiguration": bad});
            assert_eq!(r.set_indexing(&body).unwrap_err().code, "InvalidRequestException", "{body}");
        }
    }
}
