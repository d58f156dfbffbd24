//! Certificates: a registered X.509 certificate is known by the SHA-256 of its DER, which is the same in every Region.

use std::{
    collections::btree_map::Entry,
    ops::Bound::{Excluded, Unbounded},
};

use aws_lc_rs::digest::{SHA256, digest};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

use super::{Registry, already_exists, delete_conflict, invalid, not_found};
use crate::error::AwsError;

/// What a certificate may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CertificateStatus {
    Active,
    Inactive,
    Revoked,
    PendingActivation,
}

impl CertificateStatus {
    pub(crate) fn parse(text: &str) -> Result<Self, AwsError> {
        match text {
            "ACTIVE" => Ok(Self::Active),
            "INACTIVE" => Ok(Self::Inactive),
            "REVOKED" => Ok(Self::Revoked),
            "PENDING_ACTIVATION" => Ok(Self::PendingActivation),
            other => Err(invalid(format!("Invalid certificate status {other}"))),
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
            Self::Revoked => "REVOKED",
            Self::PendingActivation => "PENDING_ACTIVATION",
        }
    }
}

/// One certificate.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    /// Lower-case hex SHA-256 of the DER.
    pub(crate) id: String,
    pub(crate) pem: String,
    pub(crate) status: CertificateStatus,
    /// `DEFAULT` for certificates that IoT issued, `SNI_ONLY` for those registered without a CA.
    pub(crate) mode: &'static str,
    /// The registered CA that signed it, if it was registered with one.
    pub(crate) ca: Option<String>,
    pub(crate) created_s: i64,
    pub(crate) modified_s: i64,
    /// `customerVersion`: counts changes.
    pub(crate) version: u64,
    /// `generationId`.
    pub(crate) generation: String,
    /// From when and until when it is valid, in seconds since the epoch.
    pub(crate) valid_s: (i64, i64),
}

impl Certificate {
    /// Whether its holder may connect to this endpoint: it is ACTIVE, and named the endpoint if it has to.
    pub(crate) fn admits(&self, endpoint: &str, sni: Option<&str>) -> bool {
        self.status == CertificateStatus::Active && (self.mode != "SNI_ONLY" || sni == Some(endpoint))
    }
}

/// The certificate id of a DER.
pub(crate) fn certificate_id(der: &[u8]) -> String {
    hex::encode(digest(&SHA256, der))
}

pub(super) fn refused(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "CertificateValidationException", message)
}

/// The DER of a PEM certificate.
pub(super) fn der_of(pem: &str) -> Result<CertificateDer<'static>, AwsError> {
    CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| refused("The certificate is not a PEM certificate"))
}

/// The DER taken apart.
pub(super) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, AwsError> {
    X509Certificate::from_der(der)
        .map(|(_, certificate)| certificate)
        .map_err(|e| refused(format!("The certificate is not an X.509 certificate: {e}")))
}

/// From when and until when a certificate is valid, in seconds since the epoch.
pub(super) fn validity(certificate: &X509Certificate<'_>) -> (i64, i64) {
    let validity = certificate.validity();
    (validity.not_before.timestamp(), validity.not_after.timestamp())
}

impl Registry {
    /// Registers a certificate; the same one twice is refused as AWS refuses it. `ca` is the id of its registered CA.
    pub(crate) fn register_certificate(
        &mut self,
        pem: &str,
        status: CertificateStatus,
        mode: &'static str,
        ca: Option<String>,
        now_s: i64,
    ) -> Result<Certificate, AwsError> {
        let der = der_of(pem)?;
        let valid_s = validity(&parse(&der)?);
        let id = certificate_id(&der);
        let arn = self.arn(&format!("cert/{id}"));
        // One walk of the tree: ids are random, so that each walk is its own.
        let place = match self.certificates.entry(id.clone()) {
            Entry::Vacant(place) => place,
            Entry::Occupied(_) => {
                let message = "The certificate is already provisioned or registered";
                return Err(already_exists(message, &id, arn));
            }
        };
        let certificate = Certificate {
            id,
            pem: pem.to_owned(),
            status,
            mode,
            ca,
            created_s: now_s,
            modified_s: now_s,
            version: 1,
            generation: uuid::Uuid::new_v4().to_string(),
            valid_s,
        };
        place.insert(certificate.clone());
        Ok(certificate)
    }

    pub(crate) fn certificate(&self, id: &str) -> Result<&Certificate, AwsError> {
        self.certificates
            .get(id)
            .ok_or_else(|| not_found(format!("The certificate given in the principal does not exist. {id}")))
    }

    /// The registered certificate with this content.
    pub(crate) fn certificate_by_pem(&self, pem: &str) -> Result<&Certificate, AwsError> {
        self.certificate(&certificate_id(&der_of(pem)?))
    }

    pub(crate) fn certificate_by_arn(&self, arn: &str) -> Result<&Certificate, AwsError> {
        let prefix = self.arn("cert/");
        let id = arn.strip_prefix(&prefix).ok_or_else(|| {
            invalid(format!("Invalid principal {arn}: expected a certificate of {prefix}..."))
        })?;
        self.certificate(id)
    }

    pub(super) fn is_certificate_arn(&self, arn: &str) -> bool {
        arn.starts_with(&self.arn("cert/"))
    }

    /// Certificates by id, those behind `after` only.
    pub(crate) fn certificates(&self, after: Option<&str>) -> impl Iterator<Item = &Certificate> {
        let from = after.map_or(Unbounded, Excluded);
        self.certificates.range::<str, _>((from, Unbounded)).map(|(_, c)| c)
    }

    pub(crate) fn set_certificate_status(
        &mut self,
        id: &str,
        status: CertificateStatus,
        now_s: i64,
    ) -> Result<(), AwsError> {
        self.certificate(id)?;
        if status == CertificateStatus::PendingActivation {
            return Err(invalid("The status PENDING_ACTIVATION cannot be set"));
        }
        if let Some(certificate) = self.certificates.get_mut(id) {
            certificate.status = status;
            certificate.modified_s = now_s;
            certificate.version += 1;
        }
        Ok(())
    }

    /// Deletes a certificate: it must not be ACTIVE, and nothing may be attached unless `force` takes policies along.
    pub(crate) fn delete_certificate(&mut self, id: &str, force: bool) -> Result<(), AwsError> {
        let arn = self.arn(&format!("cert/{id}"));
        if self.certificate(id)?.status == CertificateStatus::Active {
            return Err(AwsError::new(
                406,
                "CertificateStateException",
                format!("Certificate must be deactivated (not ACTIVE) before deletion. {id}"),
            ));
        }
        if !self.principal_things(&arn).is_empty() {
            return Err(delete_conflict(format!("Things must be detached before deletion (arn: {arn})")));
        }
        if !force && !self.attached_policies(&arn).is_empty() {
            return Err(delete_conflict(format!(
                "Certificate policies must be detached before deletion (arn: {arn})"
            )));
        }
        self.detach_all_policies(&arn);
        self.certificates.remove(id);
        Ok(())
    }
}
