//! Thing types.

use aws_sdk_iot::types::{ThingTypeMetadata, ThingTypeProperties};

use super::AwsRegion;
use super::errors::{failure, held, unread};
use super::listing::{PAGE_SIZE, if_there, millis};
use crate::model::{Incarnation, Page, ThingType};
use crate::outcome::Outcome;
use crate::ports::Types;

fn thing_type(
    name: String,
    properties: Option<ThingTypeProperties>,
    metadata: Option<ThingTypeMetadata>,
) -> ThingType {
    let (description, searchable) = match properties {
        Some(properties) => (properties.thing_type_description, properties.searchable_attributes),
        None => (None, None),
    };
    ThingType {
        name,
        description: description.filter(|text| !text.is_empty()),
        searchable_attributes: searchable.unwrap_or_default(),
        deprecated: metadata.is_some_and(|metadata| metadata.deprecated),
    }
}

/// Nothing at all if it has nothing: AWS tells an absent description from an empty one.
fn properties(thing_type: &ThingType) -> Option<ThingTypeProperties> {
    let searchable = &thing_type.searchable_attributes;
    if thing_type.description.is_none() && searchable.is_empty() {
        return None;
    }
    let properties =
        ThingTypeProperties::builder().set_thing_type_description(thing_type.description.clone());
    let searchable = (!searchable.is_empty()).then(|| searchable.clone());
    Some(properties.set_searchable_attributes(searchable).build())
}

impl Types for AwsRegion {
    async fn thing_type(&self, name: &str) -> Outcome<Option<ThingType>> {
        let describe = self.iot("DescribeThingType").await.describe_thing_type().thing_type_name(name);
        let found = if_there(describe.send().await.map_err(failure("describe thing type")))?;
        Ok(found
            .map(|found| thing_type(name.to_owned(), found.thing_type_properties, found.thing_type_metadata)))
    }

    async fn thing_types(&self, from: Option<&str>) -> Outcome<Page<ThingType>> {
        const STEP: &str = "list thing types";
        let list = self
            .iot("ListThingTypes")
            .await
            .list_thing_types()
            .max_results(PAGE_SIZE)
            .set_next_token(from.map(str::to_owned));
        let page = list.send().await.map_err(failure(STEP))?;
        let types = page.thing_types.unwrap_or_default().into_iter().map(|listed| {
            let name = listed.thing_type_name.ok_or_else(|| unread(STEP))?;
            Ok(thing_type(name, listed.thing_type_properties, listed.thing_type_metadata))
        });
        Ok(Page { items: types.collect::<Outcome<_>>()?, next: page.next_token })
    }

    async fn type_incarnation(&self, name: &str) -> Outcome<Option<Incarnation>> {
        let describe = self.iot("DescribeThingType").await.describe_thing_type().thing_type_name(name);
        let found = if_there(describe.send().await.map_err(failure("describe thing type")))?;
        Ok(found.map(|found| Incarnation {
            id: found.thing_type_id.unwrap_or_default(),
            version: 0,
            begun_ms: millis(found.thing_type_metadata.and_then(|metadata| metadata.creation_date)),
        }))
    }

    async fn create_thing_type(&self, thing_type: &ThingType) -> Outcome<()> {
        let create = self.iot("CreateThingType").await.create_thing_type().thing_type_name(&thing_type.name);
        let create = create.set_thing_type_properties(properties(thing_type));
        create.send().await.map(drop).map_err(failure("create thing type"))
    }

    async fn deprecate_thing_type(&self, name: &str, deprecated: bool) -> Outcome<()> {
        let deprecate = self
            .iot("DeprecateThingType")
            .await
            .deprecate_thing_type()
            .thing_type_name(name)
            .undo_deprecate(!deprecated);
        deprecate.send().await.map(drop).map_err(failure("deprecate thing type"))
    }

    async fn delete_thing_type(&self, name: &str) -> Outcome<()> {
        let delete = self.iot("DeleteThingType").await.delete_thing_type().thing_type_name(name);
        // Not deprecated for five minutes yet, or things have it.
        delete.send().await.map(drop).map_err(failure("delete thing type")).map_err(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_without_properties_sends_none_and_comes_back_the_same() {
        let plain = ThingType { name: "t".into(), ..ThingType::default() };
        assert!(properties(&plain).is_none());
        let full = ThingType {
            name: "t".into(),
            description: Some("d".into()),
            searchable_attributes: vec!["b".into(), "a".into()],
            deprecated: false,
        };
        assert_eq!(thing_type("t".into(), properties(&full), None), full);
    }
}
