//! What a device gets, and the calls that give it: the one way in which devices are made through the API, whether for a run or
//! for a fleet that stays.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow};
use aws_sdk_iot::types::AttributePayload;
use serde::{Deserialize, Serialize};

use crate::aws::{Aws, describe};

/// What every device of a fleet gets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipe {
    /// The policy of its certificate.
    pub(crate) policy: String,
    /// The type of its thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) thing_type: Option<String>,
    /// The groups that its thing is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) groups: Vec<String>,
    /// The attributes of its thing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) attributes: BTreeMap<String, String>,
}

/// A certificate as it was issued.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    pub(crate) arn: String,
    pub(crate) id: String,
    pub(crate) pem: String,
}

impl Recipe {
    /// An ACTIVE certificate for a CSR, in the primary. Nothing is attached to it yet.
    pub(crate) async fn issue(&self, aws: &Aws, name: &str, csr_pem: String) -> anyhow::Result<Issued> {
        self.turn(aws).await;
        self.issue_in_turn(aws, name, csr_pem).await
    }

    /// Waits until a certificate may be issued.
    pub(crate) async fn turn(&self, aws: &Aws) {
        aws.pace.take(&aws.primary.region, "CreateCertificateFromCsr").await;
    }

    /// The certificate, when its turn has come.
    pub(crate) async fn issue_in_turn(
        &self,
        aws: &Aws,
        name: &str,
        csr_pem: String,
    ) -> anyhow::Result<Issued> {
        let clients = &aws.primary;
        let issue = clients.iot.create_certificate_from_csr().certificate_signing_request(csr_pem);
        let issued = issue.set_as_active(true).send().await;
        let issued = issued
            .map_err(|e| anyhow!(describe(&e)))
            .with_context(|| failed(aws, name, "CreateCertificateFromCsr"))?;
        Ok(Issued {
            arn: issued.certificate_arn().context("a certificate without its ARN")?.to_owned(),
            id: issued.certificate_id().context("a certificate without its id")?.to_owned(),
            pem: issued.certificate_pem().context("a certificate without its PEM")?.to_owned(),
        })
    }

    /// Makes the thing, and ties it to policy, certificate and groups. It may be done again: what is there stays.
    pub(crate) async fn equip(&self, aws: &Aws, name: &str, certificate_arn: &str) -> anyhow::Result<()> {
        let (iot, region) = (&aws.primary.iot, &aws.primary.region);
        // The policy first: from here on the certificate is found again by what it is attached to.
        aws.pace.take(region, "AttachPolicy").await;
        let attach = iot.attach_policy().policy_name(&self.policy).target(certificate_arn).send().await;
        attach.map_err(|e| anyhow!(describe(&e))).with_context(|| failed(aws, name, "AttachPolicy"))?;

        aws.pace.take(region, "CreateThing").await;
        let mut create = iot.create_thing().thing_name(name).set_thing_type_name(self.thing_type.clone());
        if !self.attributes.is_empty() {
            let attributes = self.attributes.clone().into_iter().collect();
            create = create
                .attribute_payload(AttributePayload::builder().set_attributes(Some(attributes)).build());
        }
        let created = create.send().await;
        created.map_err(|e| anyhow!(describe(&e))).with_context(|| failed(aws, name, "CreateThing"))?;

        aws.pace.take(region, "AttachThingPrincipal").await;
        let attach = iot.attach_thing_principal().thing_name(name).principal(certificate_arn).send().await;
        attach
            .map_err(|e| anyhow!(describe(&e)))
            .with_context(|| failed(aws, name, "AttachThingPrincipal"))?;

        for group in &self.groups {
            aws.pace.take(region, "AddThingToThingGroup").await;
            let add = iot.add_thing_to_thing_group().thing_group_name(group).thing_name(name).send().await;
            add.map_err(|e| anyhow!(describe(&e)))
                .with_context(|| failed(aws, name, "AddThingToThingGroup"))?;
        }
        Ok(())
    }
}

fn failed(aws: &Aws, name: &str, call: &str) -> String {
    format!("{name}: {call} in {} failed", aws.primary.region)
}
