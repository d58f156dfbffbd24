//! CA certificates: registering the authority that signs devices' certificates, and certificates registered under it.

use std::collections::BTreeMap;

use rustls_pki_types::CertificateDer;
use serde_json::Value;
use x509_parser::certificate::X509Certificate;

use super::{
    Certificate, CertificateStatus, Registry, already_exists,
    certificate::{certificate_id, der_of, parse, refused, validity},
    invalid, limit_exceeded, not_found,
};
use crate::error::AwsError;

/// CAs of one subject in `DEFAULT` mode.
const SAME_SUBJECT_MAX: usize = 10;

/// One registered CA.
#[derive(Debug, Clone)]
pub(crate) struct CaCertificate {
    /// Lower-case hex SHA-256 of the DER.
    pub(crate) id: String,
    pub(crate) pem: String,
    /// `DEFAULT`, whose holder proved to have its key, or `SNI_ONLY`.
    pub(crate) mode: &'static str,
    pub(crate) active: bool,
    pub(crate) auto_registration: bool,
    /// `registrationConfig` as given.
    pub(crate) registration_config: Option<Value>,
    pub(crate) created_s: i64,
    pub(crate) modified_s: i64,
    pub(crate) version: u64,
    pub(crate) generation: String,
    pub(crate) valid_s: (i64, i64),
    der: CertificateDer<'static>,
    /// The DER of its subject: what it signed names it as issuer.
    subject: Vec<u8>,
}

/// What `RegisterCACertificate` asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct CaRegistration {
    pub(crate) pem: String,
    /// A certificate of this CA that is issued to the registration code.
    pub(crate) verification_pem: Option<String>,
    pub(crate) sni_only: bool,
    pub(crate) active: bool,
    pub(crate) auto_registration: bool,
    pub(crate) registration_config: Option<Value>,
}

/// What `UpdateCACertificate` asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct CaChange {
    pub(crate) active: Option<bool>,
    pub(crate) auto_registration: Option<bool>,
    pub(crate) registration_config: Option<Value>,
    pub(crate) remove_auto_registration: bool,
}

impl CaCertificate {
    /// Whether this CA signed a certificate.
    fn signed(&self, certificate: &X509Certificate<'_>) -> bool {
        certificate.issuer().as_raw() == self.subject
            && parse(&self.der).is_ok_and(|ca| certificate.verify_signature(Some(ca.public_key())).is_ok())
    }
}

impl Registry {
    /// What a verification certificate has to be issued to: 64 hex digits that stay.
    pub(crate) fn registration_code(&self) -> &str {
        &self.registration_code
    }

    pub(crate) fn register_ca(&mut self, ask: CaRegistration, now_s: i64) -> Result<CaCertificate, AwsError> {
        let der = der_of(&ask.pem)?;
        let id = certificate_id(&der);
        let ca = {
            let parsed = parse(&der)?;
            if !parsed.is_ca() {
                return Err(refused("The certificate is not a CA certificate (basicConstraints CA:TRUE)"));
            }
            CaCertificate {
                id: id.clone(),
                pem: ask.pem,
                mode: if ask.sni_only { "SNI_ONLY" } else { "DEFAULT" },
                active: ask.active,
                auto_registration: ask.auto_registration,
                registration_config: ask.registration_config,
                created_s: now_s,
                modified_s: now_s,
                version: 1,
                generation: uuid::Uuid::new_v4().to_string(),
                valid_s: validity(&parsed),
                subject: parsed.subject().as_raw().to_vec(),
                der: der.clone(),
            }
        };
        match (ask.sni_only, ask.verification_pem) {
            (true, None) => {}
            (true, Some(_)) => {
                return Err(invalid("verificationCertificate must be empty in SNI_ONLY mode"));
            }
            (false, pem) => self.check_verification(&ca, pem.as_deref())?,
        }
        if self.cas.contains_key(&id) {
            return Err(already_exists(
                "The CA certificate is already registered",
                &id,
                self.arn(&format!("cacert/{id}")),
            ));
        }
        if self.cas.values().filter(|c| c.subject == ca.subject).count() >= SAME_SUBJECT_MAX {
            return Err(limit_exceeded(format!(
                "At most {SAME_SUBJECT_MAX} CA certificates may have one subject"
            )));
        }
        self.cas.insert(id, ca.clone());
        Ok(ca)
    }

    fn check_verification(&self, ca: &CaCertificate, pem: Option<&str>) -> Result<(), AwsError> {
        let pem = pem.ok_or_else(|| invalid("verificationCertificate is required in DEFAULT mode"))?;
        let der = der_of(pem)?;
        let verification = parse(&der)?;
        if !ca.signed(&verification) {
            return Err(refused("The verification certificate is not signed by the CA certificate"));
        }
        let mut names = verification.subject().iter_common_name();
        if !names.any(|name| name.as_str().is_ok_and(|name| name == self.registration_code)) {
            return Err(AwsError::new(
                400,
                "RegistrationCodeValidationException",
                "The common name of the verification certificate is not the registration code",
            ));
        }
        Ok(())
    }

    pub(crate) fn ca(&self, id: &str) -> Result<&CaCertificate, AwsError> {
        self.cas.get(id).ok_or_else(|| not_found(format!("The CA certificate does not exist. {id}")))
    }

    /// CAs by id.
    pub(crate) fn cas(&self) -> &BTreeMap<String, CaCertificate> {
        &self.cas
    }

    pub(crate) fn update_ca(&mut self, id: &str, change: CaChange, now_s: i64) -> Result<(), AwsError> {
        self.ca(id)?;
        if let Some(ca) = self.cas.get_mut(id) {
            ca.active = change.active.unwrap_or(ca.active);
            ca.auto_registration =
                change.auto_registration.unwrap_or(ca.auto_registration) && !change.remove_auto_registration;
            if change.remove_auto_registration {
                ca.registration_config = None;
            } else if change.registration_config.is_some() {
                ca.registration_config = change.registration_config;
            }
            ca.modified_s = now_s;
            ca.version += 1;
        }
        Ok(())
    }

    /// Deletes a CA, which must be INACTIVE. Certificates that it signed stay.
    pub(crate) fn delete_ca(&mut self, id: &str) -> Result<(), AwsError> {
        if self.ca(id)?.active {
            return Err(AwsError::new(
                406,
                "CertificateStateException",
                format!("CA certificate must be deactivated (not ACTIVE) before deletion. {id}"),
            ));
        }
        self.cas.remove(id);
        self.forget_tags(&self.arn(&format!("cacert/{id}")));
        Ok(())
    }

    /// Registers a device's certificate under the registered CA that signed it, in that CA's mode.
    pub(crate) fn register_certificate_with_ca(
        &mut self,
        pem: &str,
        ca_pem: Option<&str>,
        status: CertificateStatus,
        now_s: i64,
    ) -> Result<Certificate, AwsError> {
        let der = der_of(pem)?;
        let named = ca_pem.map(der_of).transpose()?.map(|ca| certificate_id(&ca));
        let mut signers = self.signers(&parse(&der)?);
        signers.retain(|ca| named.as_ref().is_none_or(|id| *id == ca.id));
        let ca = match signers.as_slice() {
            [ca] => *ca,
            [] => return Err(refused("The certificate is not signed by a registered CA certificate")),
            _ => {
                return Err(AwsError::new(
                    409,
                    "CertificateConflictException",
                    "More than one registered CA has this subject: give caCertificatePem",
                ));
            }
        };
        if !ca.active {
            return Err(AwsError::new(
                406,
                "CertificateStateException",
                format!("The CA certificate is not ACTIVE. {}", ca.id),
            ));
        }
        let (mode, ca) = (ca.mode, ca.id.clone());
        self.register_certificate(pem, status, mode, Some(ca), now_s)
    }

    /// The registered CAs that signed a certificate.
    pub(super) fn signers(&self, certificate: &X509Certificate<'_>) -> Vec<&CaCertificate> {
        self.cas.values().filter(|ca| ca.signed(certificate)).collect()
    }

    /// The certificates that were registered under a CA, by id.
    pub(crate) fn certificates_by_ca<'a>(&'a self, ca: &'a str) -> impl Iterator<Item = &'a Certificate> {
        self.certificates.values().filter(move |c| c.ca.as_deref() == Some(ca))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    use super::*;

    /// An authority for tests: signs what it is asked for.
    pub(in crate::registry) struct Authority {
        pub(in crate::registry) pem: String,
        issuer: Issuer<'static, KeyPair>,
    }

    impl Authority {
        pub(in crate::registry) fn new(name: &str) -> Self {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            Self { pem: params.self_signed(&key).unwrap().pem(), issuer: Issuer::new(params, key) }
        }

        pub(in crate::registry) fn sign(&self, name: &str) -> rcgen::Certificate {
            let mut params = CertificateParams::default();
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, name);
            params.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap()
        }

        pub(in crate::registry) fn registration(&self, code: &str) -> CaRegistration {
            CaRegistration {
                pem: self.pem.clone(),
                verification_pem: Some(self.sign(code).pem()),
                active: true,
                auto_registration: true,
                ..CaRegistration::default()
            }
        }
    }

    fn registry() -> Registry {
        Registry::new("us-east-1", "123456789012")
    }

    #[test]
    fn default_mode_wants_the_registration_code_signed() {
        let (mut r, a) = (registry(), Authority::new("a"));
        let code = r.registration_code().to_owned();
        assert_eq!(code.len(), 64);
        let wrong = r.register_ca(a.registration("other"), 0).unwrap_err();
        assert_eq!((wrong.status, wrong.code), (400, "RegistrationCodeValidationException"));
        let foreign = CaRegistration {
            verification_pem: Some(Authority::new("a").sign(&code).pem()),
            ..a.registration(&code)
        };
        assert_eq!(r.register_ca(foreign, 0).unwrap_err().code, "CertificateValidationException");
        let without = CaRegistration { verification_pem: None, ..a.registration(&code) };
        assert_eq!(r.register_ca(without.clone(), 0).unwrap_err().code, "InvalidRequestException");
        let both = CaRegistration { sni_only: true, ..a.registration(&code) };
        assert_eq!(r.register_ca(both, 0).unwrap_err().code, "InvalidRequestException");
        assert!(r.register_ca(CaRegistration { sni_only: true, ..without }, 0).is_ok());
        assert_eq!(
            r.register_ca(a.registration(&code), 0).unwrap_err().code,
            "ResourceAlreadyExistsException"
        );
    }

    #[test]
    fn a_leaf_is_no_ca() {
        let a = Authority::new("a");
        let leaf = CaRegistration { pem: a.sign("x").pem(), sni_only: true, ..CaRegistration::default() };
        assert_eq!(registry().register_ca(leaf, 0).unwrap_err().code, "CertificateValidationException");
    }

    #[test]
    fn a_ca_is_deleted_when_inactive() {
        let (mut r, a) = (registry(), Authority::new("a"));
        let code = r.registration_code().to_owned();
        let id = r.register_ca(a.registration(&code), 0).unwrap().id;
        let refused = r.delete_ca(&id).unwrap_err();
        assert_eq!((refused.status, refused.code), (406, "CertificateStateException"));
        r.update_ca(&id, CaChange { active: Some(false), ..CaChange::default() }, 1).unwrap();
        assert!(r.ca(&id).unwrap().auto_registration);
        r.delete_ca(&id).unwrap();
        assert_eq!(r.ca(&id).unwrap_err().code, "ResourceNotFoundException");
    }

    #[test]
    fn certificates_are_registered_under_the_ca_that_signed_them() {
        let (mut r, a, twin) = (registry(), Authority::new("a"), Authority::new("a"));
        let code = r.registration_code().to_owned();
        let leaf = a.sign("device").pem();
        let register = |r: &mut Registry, pem: &str| {
            r.register_certificate_with_ca(pem, None, CertificateStatus::Active, 0)
        };
        assert_eq!(register(&mut r, &leaf).unwrap_err().code, "CertificateValidationException");
        let id = r.register_ca(a.registration(&code), 0).unwrap().id;
        r.register_ca(twin.registration(&code), 0).unwrap();
        let made = register(&mut r, &leaf).unwrap();
        assert_eq!((made.ca.as_deref(), made.mode), (Some(id.as_str()), "DEFAULT"));
        assert_eq!(r.certificates_by_ca(&id).count(), 1);
        r.update_ca(&id, CaChange { active: Some(false), ..CaChange::default() }, 1).unwrap();
        assert_eq!(register(&mut r, &a.sign("x").pem()).unwrap_err().code, "CertificateStateException");
    }
}
