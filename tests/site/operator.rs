//! What an operator and devices do in the primary, by the SDKs.

use anyhow::{Context, Result};
use aws_sdk_iot::types::{AttributePayload, CertificateStatus, ThingGroupProperties, ThingTypeProperties};
use aws_smithy_types::Blob;
use serde_json::Value;

use super::Region;

/// A policy whose resource names a Region where it is one and where it is a topic.
pub const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*",
"Resource":["arn:aws:iot:us-east-1:123456789012:topic/us-east-1/x","*"]}]}"#;

impl Region {
    /// Makes a type with a description and searchable attributes.
    pub async fn thing_type(&self, name: &str) -> Result<()> {
        let properties = ThingTypeProperties::builder()
            .thing_type_description("what it is")
            .searchable_attributes("serial")
            .searchable_attributes("site")
            .build();
        self.iot.create_thing_type().thing_type_name(name).thing_type_properties(properties).send().await?;
        Ok(())
    }

    /// Makes a group.
    pub async fn group(&self, name: &str, parent: Option<&str>) -> Result<()> {
        let attributes = AttributePayload::builder().attributes("site", name).build();
        let properties = ThingGroupProperties::builder()
            .thing_group_description(format!("group {name}"))
            .attribute_payload(attributes)
            .build();
        let make = self.iot.create_thing_group().thing_group_name(name).thing_group_properties(properties);
        make.set_parent_group_name(parent.map(str::to_owned)).send().await?;
        Ok(())
    }

    /// Makes a policy.
    pub async fn policy(&self, name: &str) -> Result<()> {
        self.iot.create_policy().policy_name(name).policy_document(POLICY).send().await?;
        Ok(())
    }

    /// A thing with a certificate of its own and a policy; answers with the certificate's ARN.
    pub async fn device(&self, thing: &str, thing_type: Option<&str>, policy: &str) -> Result<String> {
        let attributes = AttributePayload::builder().attributes("serial", thing).build();
        let make = self.iot.create_thing().thing_name(thing).attribute_payload(attributes);
        make.set_thing_type_name(thing_type.map(str::to_owned)).send().await?;
        let arn = self.certificate().await?;
        self.iot.attach_policy().policy_name(policy).target(&arn).send().await?;
        self.iot.attach_thing_principal().thing_name(thing).principal(&arn).send().await?;
        Ok(arn)
    }

    /// Registers a certificate of its own, active; answers with its ARN.
    pub async fn certificate(&self) -> Result<String> {
        let key = rcgen::KeyPair::generate()?;
        let pem = rcgen::CertificateParams::new(Vec::new())?.self_signed(&key)?.pem();
        let register = self.iot.register_certificate_without_ca().certificate_pem(pem);
        let made = register.status(CertificateStatus::Active).send().await?;
        made.certificate_arn.context("an ARN")
    }

    /// Sets the status of a certificate.
    pub async fn status(&self, arn: &str, status: CertificateStatus) -> Result<()> {
        let id = arn.rsplit('/').next().unwrap_or_default();
        self.iot.update_certificate().certificate_id(id).new_status(status).send().await?;
        Ok(())
    }

    /// Detaches what a thing has and deletes it; its certificate stays.
    pub async fn delete_thing(&self, thing: &str) -> Result<()> {
        let principals = self.iot.list_thing_principals().thing_name(thing).send().await?;
        for principal in principals.principals() {
            self.iot.detach_thing_principal().thing_name(thing).principal(principal).send().await?;
        }
        self.iot.delete_thing().thing_name(thing).send().await?;
        Ok(())
    }

    /// Updates a shadow.
    pub async fn shadow(&self, thing: &str, name: Option<&str>, state: &Value) -> Result<()> {
        let payload = Blob::new(serde_json::to_vec(&serde_json::json!({ "state": state }))?);
        let update = self.data.update_thing_shadow().thing_name(thing).payload(payload);
        update.set_shadow_name(name.map(str::to_owned)).send().await?;
        Ok(())
    }

    /// Deletes a shadow.
    pub async fn delete_shadow(&self, thing: &str, name: Option<&str>) -> Result<()> {
        let delete = self.data.delete_thing_shadow().thing_name(thing);
        delete.set_shadow_name(name.map(str::to_owned)).send().await?;
        Ok(())
    }
}
