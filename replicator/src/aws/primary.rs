//! The primary Region's registry, read only.

use aws_sdk_iot::Client;
use aws_sdk_iot::types::CertificateStatus;

use super::LISTED_MAX;
use super::errors::failure;
use crate::outcome::{Class, Failure, Outcome};
use crate::ports::{Certificate, Primary, Status};

/// The primary Region.
#[derive(Debug, Clone)]
pub struct PrimaryRegion {
    iot: Client,
}

impl PrimaryRegion {
    /// Over a client of that Region.
    pub fn new(iot: Client) -> Self {
        Self { iot }
    }
}

/// What is not there has nothing in its list.
pub(super) fn none_if_absent(listed: Outcome<Vec<String>>) -> Outcome<Vec<String>> {
    match listed {
        Err(failure) if failure.class == Class::NotFound => Ok(Vec::new()),
        other => other,
    }
}

pub(super) async fn thing_principals(iot: &Client, thing: &str) -> Outcome<Vec<String>> {
    let mut pages = iot.list_thing_principals().thing_name(thing).into_paginator().items().send();
    let mut listed = Vec::new();
    while let Some(item) = pages.next().await {
        listed.push(item.map_err(failure("list thing principals"))?);
        within(&listed, "list thing principals")?;
    }
    Ok(listed)
}

pub(super) async fn principal_things(iot: &Client, principal: &str) -> Outcome<Vec<String>> {
    let mut pages = iot.list_principal_things().principal(principal).into_paginator().items().send();
    let mut listed = Vec::new();
    while let Some(item) = pages.next().await {
        listed.push(item.map_err(failure("list principal things"))?);
        within(&listed, "list principal things")?;
    }
    Ok(listed)
}

fn within(listed: &[String], step: &'static str) -> Outcome<()> {
    if listed.len() > LISTED_MAX {
        return Err(Failure::permanent(step, format!("more than {LISTED_MAX} entries")));
    }
    Ok(())
}

impl Primary for PrimaryRegion {
    async fn thing_principals(&self, thing: &str) -> Outcome<Vec<String>> {
        none_if_absent(thing_principals(&self.iot, thing).await)
    }

    async fn principal_things(&self, principal: &str) -> Outcome<Vec<String>> {
        none_if_absent(principal_things(&self.iot, principal).await)
    }

    async fn certificate(&self, id: &str) -> Outcome<Certificate> {
        const STEP: &str = "describe certificate";
        let answer =
            self.iot.describe_certificate().certificate_id(id).send().await.map_err(failure(STEP))?;
        let described = answer.certificate_description;
        let described = described.ok_or_else(|| Failure::transient(STEP, "the answer is empty"))?;
        let pem = described.certificate_pem.ok_or_else(|| Failure::permanent(STEP, "it has no PEM"))?;
        let status = match described.status {
            Some(CertificateStatus::Active) => Status::Active,
            Some(CertificateStatus::Revoked) => Status::Revoked,
            // Whatever else there is or will be: not usable.
            _ => Status::Inactive,
        };
        Ok(Certificate { pem, status })
    }

    async fn attached_policies(&self, principal: &str) -> Outcome<Vec<String>> {
        let mut pages = self.iot.list_attached_policies().target(principal).into_paginator().items().send();
        let mut names = Vec::new();
        while let Some(policy) = pages.next().await {
            names.extend(policy.map_err(failure("list attached policies"))?.policy_name);
            within(&names, "list attached policies")?;
        }
        Ok(names)
    }

    async fn policy(&self, name: &str) -> Outcome<String> {
        const STEP: &str = "get policy";
        let answer = self.iot.get_policy().policy_name(name).send().await.map_err(failure(STEP))?;
        answer.policy_document.ok_or_else(|| Failure::transient(STEP, "the answer has no document"))
    }
}
