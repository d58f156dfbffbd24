//! A plan: what a template makes with certain parameters. Resolving it touches nothing.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    failure,
    intrinsic::Scope,
    template::{Kind, Resource, Template},
};
use crate::{
    error::AwsError,
    registry::{CertificateStatus, certificate_id},
};

/// As AWS's API has it.
const PARAMETER_CHARS_MAX: usize = 4_096;

/// What is to be made.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Plan {
    pub(super) thing: Option<ThingPlan>,
    pub(super) certificate: Option<CertificatePlan>,
    pub(super) policies: Vec<PolicyPlan>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct ThingPlan {
    pub(super) logical: String,
    pub(super) name: String,
    pub(super) attributes: Option<BTreeMap<String, String>>,
    pub(super) type_name: Option<String>,
    pub(super) groups: Option<Vec<String>>,
    pub(super) attributes_override: Override,
    pub(super) type_override: Override,
    pub(super) groups_override: Override,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct CertificatePlan {
    pub(super) logical: String,
    pub(super) source: Source,
    pub(super) status: CertificateStatus,
    pub(super) status_override: Override,
}

/// Where a certificate comes from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Source {
    /// It is issued for this CSR.
    Request(String),
    /// It is registered already.
    Id(String),
    /// The device's own, and its CA's if that is given.
    Pem { certificate: String, ca: Option<String> },
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct PolicyPlan {
    pub(super) logical: String,
    pub(super) name: String,
    /// `None`: it has to be there.
    pub(super) document: Option<String>,
}

/// What happens to something that is there already. Without a setting, it stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Override {
    #[default]
    DoNothing,
    Replace,
    Fail,
    Merge,
}

impl Plan {
    /// The CSR that a certificate is to be issued for.
    pub(super) fn request(&self) -> Option<&str> {
        match self.certificate.as_ref().map(|c| &c.source) {
            Some(Source::Request(csr)) => Some(csr),
            _ => None,
        }
    }

    /// The calls of the control plane that this comes to, which count against their quotas.
    pub(super) fn operations(&self) -> Vec<&'static str> {
        let mut operations = Vec::new();
        if let Some(thing) = &self.thing {
            operations.push("CreateThing");
            operations.extend(thing.groups.iter().flatten().map(|_| "AddThingToThingGroup"));
        }
        match self.certificate.as_ref().map(|c| &c.source) {
            Some(Source::Request(_)) => operations.push("CreateCertificateFromCsr"),
            Some(Source::Id(_)) => operations.push("DescribeCertificate"),
            Some(Source::Pem { .. }) => operations.push("RegisterCertificate"),
            None => {}
        }
        for policy in &self.policies {
            operations.push(if policy.document.is_some() { "CreatePolicy" } else { "GetPolicy" });
        }
        if self.certificate.is_some() {
            operations.extend(self.policies.iter().map(|_| "AttachPolicy"));
            operations.extend(self.thing.iter().map(|_| "AttachThingPrincipal"));
        }
        operations
    }
}

impl Template {
    /// What this template makes with these parameters; those that it does not declare are left aside.
    pub(crate) fn plan(&self, given: &BTreeMap<String, String>) -> Result<Plan, AwsError> {
        let mut parameters = BTreeMap::new();
        for (name, default) in &self.parameters {
            let value = given.get(name).or(default.as_ref());
            let value = value
                .ok_or_else(|| failure(format!("The parameter {name} is not given and has no default")))?;
            if value.chars().count() > PARAMETER_CHARS_MAX {
                return Err(failure(format!(
                    "The parameter {name} has more than {PARAMETER_CHARS_MAX} characters"
                )));
            }
            parameters.insert(name.clone(), value.clone());
        }
        let scope = Scope { parameters: &parameters, mappings: &self.mappings };
        let mut plan = Plan::default();
        for (logical, resource) in &self.resources {
            let reader = Reader { logical, resource, scope };
            match resource.r#type {
                Kind::Thing => plan.thing = Some(reader.thing()?),
                Kind::Certificate => plan.certificate = Some(reader.certificate()?),
                Kind::Policy => plan.policies.push(reader.policy()?),
            }
        }
        Ok(plan)
    }
}

/// Resolves one resource.
struct Reader<'a> {
    logical: &'a str,
    resource: &'a Resource,
    scope: Scope<'a>,
}

impl Reader<'_> {
    fn thing(&self) -> Result<ThingPlan, AwsError> {
        self.only(&["ThingName", "AttributePayload", "ThingTypeName", "ThingGroups"])?;
        let attributes = match self.property("AttributePayload") {
            None => None,
            Some(value) => match self.scope.evaluate(value)? {
                Value::Object(attributes) => Some(self.attributes(&attributes)?),
                _ => return Err(failure("AttributePayload is not a map")),
            },
        };
        Ok(ThingPlan {
            logical: self.logical.to_owned(),
            name: self.text("ThingName")?.ok_or_else(|| self.missing("ThingName"))?,
            attributes,
            type_name: self.text("ThingTypeName")?,
            groups: self.property("ThingGroups").map(|groups| self.scope.texts(groups)).transpose()?,
            attributes_override: self.on_conflict("AttributePayload", "ATTRIBUTE_PAYLOAD", true)?,
            type_override: self.on_conflict("ThingTypeName", "THING_TYPE_NAME", false)?,
            groups_override: self.on_conflict("ThingGroups", "THING_GROUPS", true)?,
        })
    }

    fn attributes(&self, attributes: &Map<String, Value>) -> Result<BTreeMap<String, String>, AwsError> {
        attributes.iter().map(|(name, value)| Ok((name.clone(), self.scope.text(value)?))).collect()
    }

    fn certificate(&self) -> Result<CertificatePlan, AwsError> {
        self.only(&[
            "CertificateSigningRequest",
            "CertificateId",
            "CertificateID",
            "CertificatePem",
            "CACertificatePem",
            "Status",
        ])?;
        let id = self.text("CertificateId")?.or(self.text("CertificateID")?);
        let source = match (self.text("CertificateSigningRequest")?, id, self.text("CertificatePem")?) {
            (Some(csr), None, None) => Source::Request(csr),
            (None, Some(id), None) => Source::Id(id),
            (None, None, Some(certificate)) => {
                Source::Pem { certificate, ca: self.text("CACertificatePem")? }
            }
            _ => {
                return Err(failure(
                    "A certificate needs one of CertificateSigningRequest, CertificateId and CertificatePem",
                ));
            }
        };
        // AWS's own examples write `ACTIVE` and `Active`.
        let status = match self.text("Status")?.map(|status| status.to_uppercase()).as_deref() {
            None | Some("ACTIVE") => CertificateStatus::Active,
            Some("INACTIVE") => CertificateStatus::Inactive,
            Some(other) => return Err(failure(format!("Invalid certificate status {other}"))),
        };
        let status_override = self.on_conflict("Status", "STATUS", false)?;
        Ok(CertificatePlan { logical: self.logical.to_owned(), source, status, status_override })
    }

    fn policy(&self) -> Result<PolicyPlan, AwsError> {
        self.only(&["PolicyName", "PolicyDocument"])?;
        let document = match self.property("PolicyDocument") {
            None => None,
            Some(value) => Some(match self.scope.evaluate(value)? {
                Value::String(text) => text,
                object => object.to_string(),
            }),
        };
        let name = match (self.text("PolicyName")?, &document) {
            (Some(name), _) => name,
            // AWS names it by a hash of the document, and does not say which.
            (None, Some(document)) => certificate_id(document.as_bytes()),
            (None, None) => return Err(self.missing("PolicyName")),
        };
        Ok(PolicyPlan { logical: self.logical.to_owned(), name, document })
    }

    fn property(&self, name: &str) -> Option<&Value> {
        self.resource.properties.get(name)
    }

    fn text(&self, name: &str) -> Result<Option<String>, AwsError> {
        self.property(name).map(|value| self.scope.text(value)).transpose()
    }

    /// Refuses properties that are not modelled.
    fn only(&self, known: &[&str]) -> Result<(), AwsError> {
        match self.resource.properties.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => {
                Err(failure(format!("{} has the property {name}, which is not known", self.logical)))
            }
            None => Ok(()),
        }
    }

    /// AWS's documents spell the settings in two ways.
    fn on_conflict(&self, name: &str, other_name: &str, can_merge: bool) -> Result<Override, AwsError> {
        let settings = &self.resource.override_settings;
        match settings.get(name).or_else(|| settings.get(other_name)).map(String::as_str) {
            None => Ok(Override::default()),
            Some("DO_NOTHING") => Ok(Override::DoNothing),
            Some("REPLACE") => Ok(Override::Replace),
            Some("FAIL") => Ok(Override::Fail),
            Some("MERGE") if can_merge => Ok(Override::Merge),
            Some(other) => Err(failure(format!("{name} cannot be overridden by {other}"))),
        }
    }

    fn missing(&self, property: &str) -> AwsError {
        failure(format!("{} has no {property}", self.logical))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan(resources: &Value, parameters: &[(&str, &str)]) -> Result<Plan, AwsError> {
        let declared = json!({"Name": {"Type": "String"}, "Place": {"Type": "String", "Default": "WA"}});
        let body = json!({"Parameters": declared, "Resources": resources});
        let given = parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Template::parse(&body.to_string()).unwrap().plan(&given)
    }

    fn resources() -> Value {
        json!({
            "thing": {"Type": "AWS::IoT::Thing", "Properties": {
                "ThingName": {"Fn::Join": ["", ["t-", {"Ref": "Name"}]]},
                "AttributePayload": {"place": {"Ref": "Place"}}, "ThingGroups": ["g", {"Ref": "Place"}],
            }, "OverrideSettings": {"AttributePayload": "MERGE", "THING_GROUPS": "REPLACE"}},
            "certificate": {"Type": "AWS::IoT::Certificate", "Properties": {
                "CertificateSigningRequest": "csr", "Status": "Active",
            }},
            "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "p"}},
        })
    }

    #[test]
    fn a_template_resolves_to_what_is_to_be_made() {
        let plan = plan(&resources(), &[("Name", "1"), ("Extra", "x")]).unwrap();
        let thing = plan.thing.clone().unwrap();
        assert_eq!(
            (thing.name.as_str(), thing.groups.unwrap()),
            ("t-1", vec!["g".to_owned(), "WA".to_owned()])
        );
        assert_eq!(thing.attributes.unwrap()["place"], "WA");
        assert_eq!((thing.attributes_override, thing.type_override), (Override::Merge, Override::DoNothing));
        assert_eq!(thing.groups_override, Override::Replace);
        assert_eq!(plan.request(), Some("csr"));
        assert_eq!(
            plan.operations(),
            [
                "CreateThing",
                "AddThingToThingGroup",
                "AddThingToThingGroup",
                "CreateCertificateFromCsr",
                "GetPolicy",
                "AttachPolicy",
                "AttachThingPrincipal"
            ]
        );
    }

    #[test]
    fn a_policy_without_a_name_is_named_by_its_document() {
        let one = |document: Value| {
            let policy = json!({"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": document}});
            plan(&json!({"policy": policy}), &[("Name", "1")]).unwrap().policies.remove(0)
        };
        let (text, object) = (one(json!("{\"a\":1}")), one(json!({"a": 1})));
        assert_eq!(text, object);
        assert_ne!(text.name, one(json!({"a": 2})).name);
    }

    #[test]
    fn what_does_not_fill_the_template_fails() {
        assert!(plan(&resources(), &[]).unwrap_err().message.contains("Name"));
        let wrong = |pointer: &str, value: Value| {
            let mut resources = resources();
            *resources.pointer_mut(pointer).unwrap() = value;
            plan(&resources, &[("Name", "1")]).unwrap_err().code
        };
        for (pointer, value) in [
            ("/thing/Properties", json!({})),
            ("/thing/Properties", json!({"ThingName": "t", "BillingGroup": "b"})),
            ("/thing/Properties/AttributePayload", json!("x")),
            ("/thing/OverrideSettings", json!({"ThingTypeName": "MERGE"})),
            ("/certificate/Properties", json!({"CertificateId": "a", "CertificatePem": "b"})),
            ("/certificate/Properties/Status", json!("REVOKED")),
            ("/policy/Properties", json!({})),
        ] {
            assert_eq!(wrong(pointer, value), "ResourceRegistrationFailureException", "{pointer}");
        }
    }
}
