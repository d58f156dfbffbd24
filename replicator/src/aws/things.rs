//! Things and what is attached to them.

use aws_sdk_iot::types::AttributePayload;

use super::AwsRegion;
use super::errors::{failure, held, unread};
use super::listing::{PAGE_SIZE, collect, empty_if_absent, if_there};
use crate::model::{DescribedThing, Page, Thing};
use crate::outcome::Outcome;
use crate::ports::Things;

/// The largest page of a search.
const FOUND_MAX: i32 = 100;

/// All attributes, to replace those that are there.
pub(super) fn attributes<'a>(all: impl IntoIterator<Item = (&'a String, &'a String)>) -> AttributePayload {
    let payload = AttributePayload::builder().merge(false).set_attributes(Some(std::iter::empty().collect()));
    all.into_iter().fold(payload, |payload, (name, value)| payload.attributes(name, value)).build()
}

/// The version that a change names. One beyond AWS's numbers fits nothing.
pub(super) fn expected_version(expected: Option<u64>) -> Option<i64> {
    expected.map(|version| i64::try_from(version).unwrap_or(i64::MAX))
}

impl AwsRegion {
    async fn listed_things(&self, from: Option<&str>) -> Outcome<Page<DescribedThing>> {
        const STEP: &str = "list things";
        let list = self
            .iot("ListThings")
            .await
            .list_things()
            .max_results(PAGE_SIZE)
            .set_next_token(from.map(str::to_owned));
        let page = list.send().await.map_err(failure(STEP))?;
        let things = page.things.unwrap_or_default().into_iter().map(|listed| {
            let thing = Thing {
                name: listed.thing_name.ok_or_else(|| unread(STEP))?,
                thing_type: listed.thing_type_name,
                attributes: listed.attributes.into_iter().flatten().collect(),
            };
            let version = u64::try_from(listed.version).unwrap_or_default();
            Ok(DescribedThing { thing, thing_id: None, version })
        });
        Ok(Page { items: things.collect::<Outcome<_>>()?, next: page.next_token })
    }

    /// The fleet index knows no versions.
    async fn found_things(&self, query: &str, from: Option<&str>) -> Outcome<Page<DescribedThing>> {
        const STEP: &str = "search index";
        let search = self.iot("SearchIndex").await.search_index().query_string(query).max_results(FOUND_MAX);
        let page = search.set_next_token(from.map(str::to_owned)).send().await.map_err(failure(STEP))?;
        let things = page.things.unwrap_or_default().into_iter().map(|found| {
            let thing = Thing {
                name: found.thing_name.ok_or_else(|| unread(STEP))?,
                thing_type: found.thing_type_name,
                attributes: found.attributes.into_iter().flatten().collect(),
            };
            Ok(DescribedThing { thing, thing_id: found.thing_id, version: 0 })
        });
        Ok(Page { items: things.collect::<Outcome<_>>()?, next: page.next_token })
    }
}

impl Things for AwsRegion {
    async fn thing(&self, name: &str) -> Outcome<Option<DescribedThing>> {
        let describe = self.iot("DescribeThing").await.describe_thing().thing_name(name);
        let Some(found) = if_there(describe.send().await.map_err(failure("describe thing")))? else {
            return Ok(None);
        };
        let thing = Thing {
            name: name.to_owned(),
            thing_type: found.thing_type_name,
            attributes: found.attributes.into_iter().flatten().collect(),
        };
        let version = u64::try_from(found.version).unwrap_or_default();
        Ok(Some(DescribedThing { thing, thing_id: found.thing_id, version }))
    }

    async fn things(&self, query: Option<&str>, from: Option<&str>) -> Outcome<Page<DescribedThing>> {
        match query {
            Some(query) => self.found_things(query, from).await,
            None => self.listed_things(from).await,
        }
    }

    async fn create_thing(&self, thing: &Thing) -> Outcome<()> {
        let create = self.iot("CreateThing").await.create_thing().thing_name(&thing.name);
        let create = create.set_thing_type_name(thing.thing_type.clone());
        let create = create.attribute_payload(attributes(&thing.attributes));
        create.send().await.map(drop).map_err(failure("create thing"))
    }

    async fn update_thing(&self, thing: &Thing, expected: Option<u64>) -> Outcome<()> {
        let update = self.iot("UpdateThing").await.update_thing().thing_name(&thing.name);
        let update = update.set_expected_version(expected_version(expected));
        let update = update.attribute_payload(attributes(&thing.attributes));
        let update = match &thing.thing_type {
            Some(thing_type) => update.thing_type_name(thing_type),
            None => update.remove_thing_type(true),
        };
        update.send().await.map(drop).map_err(failure("update thing"))
    }

    async fn delete_thing(&self, name: &str, expected: Option<u64>) -> Outcome<()> {
        let delete = self.iot("DeleteThing").await.delete_thing().thing_name(name);
        let delete = delete.set_expected_version(expected_version(expected));
        // Of a name that exists the only invalid request is one too early: detaching is asynchronous,
        // and right after it the thing may count as attached still.
        delete.send().await.map(drop).map_err(failure("delete thing")).map_err(held)
    }

    async fn thing_principals(&self, thing: &str) -> Outcome<Vec<String>> {
        const STEP: &str = "list thing principals";
        let list = async {
            collect!(
                STEP,
                self.iot("ListThingPrincipals")
                    .await
                    .list_thing_principals()
                    .thing_name(thing)
                    .into_paginator()
                    .items()
                    .send(),
                Some
            )
        };
        empty_if_absent(list.await)
    }

    async fn principal_things(&self, principal: &str) -> Outcome<Vec<String>> {
        const STEP: &str = "list principal things";
        let list = async {
            collect!(
                STEP,
                self.iot("ListPrincipalThings")
                    .await
                    .list_principal_things()
                    .principal(principal)
                    .into_paginator()
                    .items()
                    .send(),
                Some
            )
        };
        empty_if_absent(list.await)
    }

    async fn attach_principal(&self, thing: &str, principal: &str) -> Outcome<()> {
        let attach = self
            .iot("AttachThingPrincipal")
            .await
            .attach_thing_principal()
            .thing_name(thing)
            .principal(principal);
        attach.send().await.map(drop).map_err(failure("attach thing principal"))
    }

    async fn detach_principal(&self, thing: &str, principal: &str) -> Outcome<()> {
        let detach = self
            .iot("DetachThingPrincipal")
            .await
            .detach_thing_principal()
            .thing_name(thing)
            .principal(principal);
        detach.send().await.map(drop).map_err(failure("detach thing principal"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn no_attributes_is_an_empty_map_that_replaces() {
        let payload = attributes(&BTreeMap::new());
        assert!(!payload.merge());
        let sent = payload.attributes().unwrap();
        assert!(sent.is_empty());
    }
}
