//! Device certificates.

use serde_json::{Value, json};

use super::{Api, Outcome, done, ok, optional, required};
use crate::{
    error::AwsError,
    registry::{Certificate, CertificateStatus, Registry, invalid},
};

impl Api<'_> {
    pub(super) fn certificate(&self, operation: &str) -> Outcome {
        let now_s = self.world.clock.now_s();
        let id = self.name;
        let mut registry = self.region.registry.lock();
        match operation {
            "CreateCertificateFromCsr" => {
                let body = self.call.json()?;
                let csr = required(&body, "certificateSigningRequest")?;
                let pem = self
                    .world
                    .pki
                    .issue(csr, now_s)
                    .map_err(|e| invalid(format!("CSR is not valid: {e}")))?;
                let made =
                    registry.register_certificate(&pem, self.initial_status(), "DEFAULT", None, now_s)?;
                let mut reply = reference(&registry, &made);
                reply["certificatePem"] = json!(pem);
                ok(&reply)
            }
            "RegisterCertificateWithoutCA" => {
                let body = self.call.json()?;
                let pem = required(&body, "certificatePem")?;
                let status = status(&body)?.unwrap_or(CertificateStatus::Inactive);
                let made = registry.register_certificate(pem, status, "SNI_ONLY", None, now_s)?;
                ok(&reference(&registry, &made))
            }
            "RegisterCertificate" => {
                let body = self.call.json()?;
                let status = status(&body)?.unwrap_or_else(|| self.initial_status());
                let (pem, ca) = (required(&body, "certificatePem")?, optional(&body, "caCertificatePem"));
                let made = registry.register_certificate_with_ca(pem, ca.as_deref(), status, now_s)?;
                ok(&reference(&registry, &made))
            }
            "DescribeCertificate" => {
                let found = registry.certificate(id)?;
                ok(&json!({"certificateDescription": description(&registry, found, &self.world.account)}))
            }
            "UpdateCertificate" => {
                let status = self.call.query("newStatus").ok_or_else(|| invalid("newStatus is missing"))?;
                registry.set_certificate_status(id, CertificateStatus::parse(status)?, now_s)?;
                done()
            }
            "DeleteCertificate" => {
                registry.delete_certificate(id, self.flag("forceDelete") == Some(true))?;
                done()
            }
            "ListCertificatesByCA" => {
                let found = registry.certificates_by_ca(id);
                let (found, next) = self.marker_paging()?.take(found, |c| c.id.as_str());
                let list: Vec<Value> = found.iter().map(|c| summary(&registry, c)).collect();
                ok(&json!({"certificates": list, "nextMarker": next}))
            }
            _ => {
                let paging = self.marker_paging()?;
                let (found, next) = paging.take(registry.certificates(paging.after()), |c| c.id.as_str());
                let list: Vec<Value> = found.iter().map(|c| summary(&registry, c)).collect();
                ok(&json!({"certificates": list, "nextMarker": next}))
            }
        }
    }

    pub(super) async fn create_keys_and_certificate(&self) -> Outcome {
        let world = self.world.clone();
        // RSA keys take tens of milliseconds of one core: not on a thread that serves connections.
        let (status, now_s) = (self.initial_status(), self.world.clock.now_s());
        let made = tokio::task::spawn_blocking(move || world.pki.issue_with_keys(now_s)).await;
        let Ok(Ok(issued)) = made else {
            return Err(AwsError::new(500, "InternalFailureException", "a key pair could not be made"));
        };
        let mut registry = self.region.registry.lock();
        let pem = &issued.certificate_pem;
        let certificate = registry.register_certificate(pem, status, "DEFAULT", None, now_s)?;
        let mut reply = reference(&registry, &certificate);
        reply["certificatePem"] = json!(pem);
        reply["keyPair"] = json!({"PublicKey": issued.public_key_pem, "PrivateKey": issued.private_key_pem});
        ok(&reply)
    }

    fn initial_status(&self) -> CertificateStatus {
        if self.flag("setAsActive") == Some(true) {
            CertificateStatus::Active
        } else {
            CertificateStatus::Inactive
        }
    }
}

fn status(body: &Value) -> Result<Option<CertificateStatus>, AwsError> {
    body["status"].as_str().map(CertificateStatus::parse).transpose()
}

fn reference(registry: &Registry, certificate: &Certificate) -> Value {
    let arn = registry.arn(&format!("cert/{}", certificate.id));
    json!({"certificateArn": arn, "certificateId": certificate.id})
}

fn summary(registry: &Registry, certificate: &Certificate) -> Value {
    let mut body = reference(registry, certificate);
    body["status"] = json!(certificate.status.as_str());
    body["certificateMode"] = json!(certificate.mode);
    body["creationDate"] = json!(certificate.created_s);
    body
}

fn description(registry: &Registry, certificate: &Certificate, account: &str) -> Value {
    let mut body = summary(registry, certificate);
    body["certificatePem"] = json!(certificate.pem);
    body["lastModifiedDate"] = json!(certificate.modified_s);
    body["ownedBy"] = json!(account);
    body["customerVersion"] = json!(certificate.version);
    body["generationId"] = json!(certificate.generation);
    body["validity"] = json!({"notBefore": certificate.valid_s.0, "notAfter": certificate.valid_s.1});
    if let Some(ca) = &certificate.ca {
        body["caCertificateId"] = json!(ca);
    }
    body
}
