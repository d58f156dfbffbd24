//! Carries a plan out on the registry. What can be known to fail is looked at before anything changes.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    failure,
    plan::{CertificatePlan, Override, Plan, Source, ThingPlan},
};
use crate::{
    error::AwsError,
    registry::{
        AttributeChange, Certificate, CertificateStatus, Registry, RegistryEvent, ThingChange, ThingSettings,
    },
};

/// What a registration made or found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Registered {
    pub(crate) certificate_pem: Option<String>,
    /// Logical name to ARN.
    pub(crate) arns: BTreeMap<String, String>,
}

impl Plan {
    /// Makes it so. `issued` is the certificate for the plan's CSR; `events` gets what happened, also if this fails.
    pub(super) fn apply(
        &self,
        issued: Option<String>,
        registry: &mut Registry,
        now_ms: i64,
        events: &mut Vec<RegistryEvent>,
    ) -> Result<Registered, AwsError> {
        self.check(registry).map_err(failed)?;
        let mut arns = BTreeMap::new();
        if let Some(thing) = &self.thing {
            thing.apply(registry, now_ms, events).map_err(failed)?;
            arns.insert(thing.logical.clone(), registry.arn(&format!("thing/{}", thing.name)));
        }
        for policy in &self.policies {
            if let Some(document) = &policy.document
                && registry.policy(&policy.name).is_err()
            {
                registry.create_policy(&policy.name, document, now_ms / 1_000).map_err(failed)?;
            }
            arns.insert(policy.logical.clone(), registry.arn(&format!("policy/{}", policy.name)));
        }
        let mut certificate_pem = None;
        if let Some(plan) = &self.certificate {
            let certificate = plan.apply(issued, registry, now_ms / 1_000).map_err(failed)?;
            let arn = registry.arn(&format!("cert/{}", certificate.id));
            for policy in &self.policies {
                registry.attach_policy(&policy.name, &arn).map_err(failed)?;
            }
            if let Some(thing) = &self.thing {
                registry.attach_principal(&thing.name, &arn).map_err(failed)?;
            }
            // Last, so that a device that waits for it finds the rest.
            plan.activate(&certificate, registry, now_ms / 1_000).map_err(failed)?;
            certificate_pem = Some(certificate.pem);
            arns.insert(plan.logical.clone(), arn);
        }
        Ok(Registered { certificate_pem, arns })
    }

    fn check(&self, registry: &Registry) -> Result<(), AwsError> {
        for policy in self.policies.iter().filter(|p| p.document.is_none()) {
            registry.policy(&policy.name)?;
        }
        if let Some(thing) = &self.thing {
            for group in thing.groups.iter().flatten() {
                registry.group(group)?;
            }
            thing.check(registry)?;
        }
        if let Some(CertificatePlan { source: Source::Id(id), status, status_override, .. }) =
            &self.certificate
        {
            let there = registry.certificate(id)?;
            if *status_override == Override::Fail && there.status != *status {
                return Err(conflict(&format!("The certificate {id} has another status")));
            }
        }
        Ok(())
    }
}

impl ThingPlan {
    /// Refuses a thing that is there and that must not be.
    fn check(&self, registry: &Registry) -> Result<(), AwsError> {
        let Ok(there) = registry.thing(&self.name) else {
            return Ok(());
        };
        let fails = [
            (self.attributes.is_some(), self.attributes_override, "AttributePayload"),
            (self.type_name.is_some(), self.type_override, "ThingTypeName"),
            (self.groups.is_some(), self.groups_override, "ThingGroups"),
        ];
        match fails.iter().find(|(given, on_conflict, _)| *given && *on_conflict == Override::Fail) {
            Some((_, _, what)) => Err(conflict(&format!("Thing {} already exists ({what})", there.name))),
            None => Ok(()),
        }
    }

    fn apply(
        &self,
        registry: &mut Registry,
        now_ms: i64,
        events: &mut Vec<RegistryEvent>,
    ) -> Result<(), AwsError> {
        let is_new = registry.thing(&self.name).is_err();
        if is_new {
            let settings = ThingSettings {
                attributes: self.attributes.clone().unwrap_or_default(),
                type_name: self.type_name.clone(),
            };
            events.extend(registry.create_thing(&self.name, settings, now_ms)?.1);
        } else {
            events.extend(self.update(registry, now_ms)?);
        }
        let wanted: BTreeSet<&String> = self.groups.iter().flatten().collect();
        let on_conflict = if is_new { Override::Merge } else { self.groups_override };
        if on_conflict == Override::Replace && self.groups.is_some() {
            let there: Vec<String> =
                registry.groups_of(&self.name).iter().map(|group| group.name.clone()).collect();
            for group in there.iter().filter(|group| !wanted.contains(group)) {
                events.extend(registry.remove_from_group(group, &self.name, now_ms)?);
            }
        }
        if on_conflict != Override::DoNothing {
            for group in wanted {
                events.extend(registry.add_to_group(group, &self.name, now_ms)?);
            }
        }
        Ok(())
    }

    /// Attributes and type of a thing that is there.
    fn update(&self, registry: &mut Registry, now_ms: i64) -> Result<Vec<RegistryEvent>, AwsError> {
        let attributes = match self.attributes_override {
            Override::Replace | Override::Merge => self.attributes.clone(),
            Override::DoNothing | Override::Fail => None,
        };
        let merge = self.attributes_override == Override::Merge;
        let change = ThingChange {
            attributes: attributes.map(|attributes| AttributeChange { attributes, merge }),
            type_name: self.type_name.clone().filter(|_| self.type_override == Override::Replace),
            ..ThingChange::default()
        };
        if change.attributes.is_none() && change.type_name.is_none() {
            return Ok(Vec::new());
        }
        registry.update_thing(&self.name, change, now_ms)
    }
}

impl CertificatePlan {
    fn apply(
        &self,
        issued: Option<String>,
        registry: &mut Registry,
        now_s: i64,
    ) -> Result<Certificate, AwsError> {
        match &self.source {
            Source::Request(_) => {
                let pem = issued.ok_or_else(|| failure("No certificate was issued"))?;
                registry.register_certificate(&pem, self.status, "DEFAULT", None, now_s)
            }
            Source::Id(id) => registry.certificate(id).cloned(),
            Source::Pem { certificate, ca } => {
                if let Ok(there) = registry.certificate_by_pem(certificate) {
                    return Ok(there.clone());
                }
                match registry.register_certificate_with_ca(certificate, ca.as_deref(), self.status, now_s) {
                    // No registered CA stands for it, and none is named.
                    Err(error) if ca.is_none() && error.code == "CertificateValidationException" => {
                        registry.register_certificate(certificate, self.status, "SNI_ONLY", None, now_s)
                    }
                    outcome => outcome,
                }
            }
        }
    }

    /// The status of a certificate that was there: one that waits for it gets it, another by the setting.
    fn activate(&self, there: &Certificate, registry: &mut Registry, now_s: i64) -> Result<(), AwsError> {
        let waits = there.status == CertificateStatus::PendingActivation;
        if there.status != self.status && (waits || self.status_override == Override::Replace) {
            registry.set_certificate_status(&there.id, self.status, now_s)?;
        }
        Ok(())
    }
}

/// The registry's refusal as a registration's.
fn failed(error: AwsError) -> AwsError {
    if error.code == "ConflictingResourceUpdateException" { error } else { failure(error.message) }
}

fn conflict(message: &str) -> AwsError {
    AwsError::new(409, "ConflictingResourceUpdateException", message)
}

#[cfg(test)]
mod tests;
