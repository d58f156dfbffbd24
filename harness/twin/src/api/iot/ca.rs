//! CA certificates.

use serde_json::{Value, json};

use super::{Api, Outcome, done, ok, optional, required};
use crate::{
    error::AwsError,
    registry::{CaCertificate, CaChange, CaRegistration, Registry, invalid, tags_of},
};

impl Api<'_> {
    pub(super) fn ca(&self, operation: &str) -> Outcome {
        let now_s = self.world.clock.now_s();
        let id = self.name;
        let mut registry = self.region.registry.lock();
        match operation {
            "GetRegistrationCode" => ok(&json!({"registrationCode": registry.registration_code()})),
            "RegisterCACertificate" => {
                let body = self.call.json()?;
                let (ask, tags) = (self.ca_registration(&body)?, tags_of(&body["tags"])?);
                let ca = registry.register_ca(ask, now_s)?;
                let arn = registry.arn(&format!("cacert/{}", ca.id));
                registry.tag(&arn, tags)?;
                ok(&json!({"certificateArn": arn, "certificateId": ca.id}))
            }
            "DescribeCACertificate" => {
                let ca = registry.ca(id)?;
                let mut body =
                    json!({"certificateDescription": description(&registry, ca, &self.world.account)});
                if let Some(config) = &ca.registration_config {
                    body["registrationConfig"] = config.clone();
                }
                ok(&body)
            }
            "UpdateCACertificate" => {
                let body = self.call.json()?;
                let change = CaChange {
                    active: self.choice("newStatus", "ACTIVE", "INACTIVE")?,
                    auto_registration: self.choice("newAutoRegistrationStatus", "ENABLE", "DISABLE")?,
                    registration_config: body.get("registrationConfig").cloned(),
                    remove_auto_registration: body["removeAutoRegistration"].as_bool().unwrap_or(false),
                };
                registry.update_ca(id, change, now_s)?;
                done()
            }
            "DeleteCACertificate" => registry.delete_ca(id).and_then(|()| done()),
            _ => {
                let (found, next) = self.marker_paging()?.take(registry.cas().values(), |ca| ca.id.as_str());
                let list: Vec<Value> = found.iter().map(|ca| summary(&registry, ca)).collect();
                ok(&json!({"certificates": list, "nextMarker": next}))
            }
        }
    }

    fn ca_registration(&self, body: &Value) -> Result<CaRegistration, AwsError> {
        let sni_only = match body["certificateMode"].as_str() {
            None | Some("DEFAULT") => false,
            Some("SNI_ONLY") => true,
            Some(other) => return Err(invalid(format!("Invalid certificateMode {other}"))),
        };
        Ok(CaRegistration {
            pem: required(body, "caCertificate")?.to_owned(),
            verification_pem: optional(body, "verificationCertificate"),
            sni_only,
            active: self.flag("setAsActive") == Some(true),
            auto_registration: self.flag("allowAutoRegistration") == Some(true),
            registration_config: body.get("registrationConfig").cloned(),
        })
    }

    /// A parameter of the query that is one of two words.
    fn choice(&self, name: &str, yes: &str, no: &str) -> Result<Option<bool>, AwsError> {
        match self.call.query(name) {
            None => Ok(None),
            Some(value) if value == yes => Ok(Some(true)),
            Some(value) if value == no => Ok(Some(false)),
            Some(value) => Err(invalid(format!("{name} must be {yes} or {no}, got {value}"))),
        }
    }
}

fn summary(registry: &Registry, ca: &CaCertificate) -> Value {
    json!({
        "certificateArn": registry.arn(&format!("cacert/{}", ca.id)),
        "certificateId": ca.id,
        "status": if ca.active { "ACTIVE" } else { "INACTIVE" },
        "creationDate": ca.created_s,
    })
}

fn description(registry: &Registry, ca: &CaCertificate, account: &str) -> Value {
    let mut body = summary(registry, ca);
    body["certificatePem"] = json!(ca.pem);
    body["ownedBy"] = json!(account);
    body["autoRegistrationStatus"] = json!(if ca.auto_registration { "ENABLE" } else { "DISABLE" });
    body["lastModifiedDate"] = json!(ca.modified_s);
    body["customerVersion"] = json!(ca.version);
    body["generationId"] = json!(ca.generation);
    body["validity"] = json!({"notBefore": ca.valid_s.0, "notAfter": ca.valid_s.1});
    body["certificateMode"] = json!(ca.mode);
    body
}
