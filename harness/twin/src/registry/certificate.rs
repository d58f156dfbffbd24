//! Certificates: a registered X.509 certificate is known by the SHA-256 of its DER, which is the same in every Region.

use aws_lc_rs::digest::{SHA256, digest};
use rustls_pki_types::{CertificateDer, pem::PemObject};

use super::{Registry, invalid, not_found};
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
    pub(crate) created_s: i64,
    pub(crate) modified_s: i64,
}

/// The certificate id of a DER.
pub(crate) fn certificate_id(der: &[u8]) -> String {
    digest(&SHA256, der).as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        use std::fmt::Write;
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

impl Registry {
    /// Registers a certificate; the same one twice is refused as AWS refuses it.
    pub(crate) fn register_certificate(
        &mut self,
        pem: &str,
        status: CertificateStatus,
        mode: &'static str,
        now_s: i64,
    ) -> Result<Certificate, AwsError> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| {
            AwsError::new(400, "CertificateValidationException", "The certificate is not a PEM certificate")
        })?;
        let id = certificate_id(&der);
        if self.certificates.contains_key(&id) {
            return Err(AwsError::new(
                409,
                "ResourceAlreadyExistsException",
                "The certificate is already provisioned or registered",
            )
            .with("resourceId", id.clone())
            .with("resourceArn", self.arn(&format!("cert/{id}"))));
        }
        let certificate = Certificate {
            id: id.clone(),
            pem: pem.to_owned(),
            status,
            mode,
            created_s: now_s,
            modified_s: now_s,
        };
        self.certificates.insert(id, certificate.clone());
        Ok(certificate)
    }

    pub(crate) fn certificate(&self, id: &str) -> Result<&Certificate, AwsError> {
        self.certificates
            .get(id)
            .ok_or_else(|| not_found(format!("The certificate given in the principal does not exist. {id}")))
    }

    pub(crate) fn certificate_by_arn(&self, arn: &str) -> Result<&Certificate, AwsError> {
        let prefix = self.arn("cert/");
        let id = arn.strip_prefix(&prefix).ok_or_else(|| {
            invalid(format!("Invalid principal {arn}: expected a certificate of {prefix}..."))
        })?;
        self.certificate(id)
    }

    /// Certificates by id.
    pub(crate) fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.certificates.values()
    }

    pub(crate) fn set_certificate_status(
        &mut self,
        id: &str,
        status: CertificateStatus,
        now_s: i64,
    ) -> Result<(), AwsError> {
        self.certificate(id)?;
        if let Some(certificate) = self.certificates.get_mut(id) {
            certificate.status = status;
            certificate.modified_s = now_s;
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
            return Err(AwsError::new(
                409,
                "DeleteConflictException",
                format!("Things must be detached before deletion (arn: {arn})"),
            ));
        }
        if !force && !self.attached_policies(&arn).is_empty() {
            return Err(AwsError::new(
                409,
                "DeleteConflictException",
                format!("Certificate policies must be detached before deletion (arn: {arn})"),
            ));
        }
        self.detach_all_policies(&arn);
        self.certificates.remove(id);
        Ok(())
    }
}
