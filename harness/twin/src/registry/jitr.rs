//! Just-in-time registration: the first connection of an unknown certificate whose CA is registered, ACTIVE and set to
//! register automatically makes the certificate known as `PENDING_ACTIVATION` and announces it. That connection, and each
//! later one until somebody activates the certificate, is dropped by the broker.
//!
//! A CA with a provisioning template has its devices provisioned besides: what the template is filled with comes from the
//! certificate's subject.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};
use x509_parser::{
    der_parser::Oid,
    oid_registry::{
        OID_X509_COMMON_NAME, OID_X509_COUNTRY_NAME, OID_X509_DN_QUALIFIER, OID_X509_ORGANIZATION_NAME,
        OID_X509_ORGANIZATIONAL_UNIT, OID_X509_SERIALNUMBER, OID_X509_STATE_OR_PROVINCE_NAME,
    },
};

use super::{
    Certificate, CertificateStatus, Registry, RegistryEvent,
    certificate::{certificate_id, parse},
};

/// Parameters of templates that come from the subject.
const SUBJECT_PARAMETERS: [(&str, Oid<'static>); 7] = [
    ("Country", OID_X509_COUNTRY_NAME),
    ("Organization", OID_X509_ORGANIZATION_NAME),
    ("OrganizationalUnit", OID_X509_ORGANIZATIONAL_UNIT),
    ("DistinguishedNameQualifier", OID_X509_DN_QUALIFIER),
    ("StateName", OID_X509_STATE_OR_PROVINCE_NAME),
    ("CommonName", OID_X509_COMMON_NAME),
    ("SerialNumber", OID_X509_SERIALNUMBER),
];
/// Characters of a line of PEM.
const PEM_LINE_CHARS: usize = 64;

impl Registry {
    /// What to publish when a device with this chain (its own certificate first) connects; `None` when just-in-time
    /// registration has nothing to say, because the certificate is known and decided on or no CA stands for it.
    pub(crate) fn just_in_time(
        &mut self,
        chain: &[CertificateDer<'_>],
        now_ms: i64,
    ) -> Option<RegistryEvent> {
        let der = chain.first()?;
        if let Some(known) = self.certificates.get(&certificate_id(der)) {
            let pending = known.status == CertificateStatus::PendingActivation;
            return if pending { self.registered_event(known, true, now_ms) } else { None };
        }
        let leaf = parse(der).ok()?;
        let signer = self.signers(&leaf).into_iter().find(|ca| ca.active && ca.auto_registration)?;
        let (ca, mode) = (signer.id.clone(), signer.mode);
        let status = CertificateStatus::PendingActivation;
        let made = self.register_certificate(&pem(der), status, mode, Some(ca), now_ms / 1_000).ok()?;
        self.registered_event(&made, false, now_ms)
    }

    /// The template that provisions a certificate which waits for its activation, and the parameters for it; `None`
    /// when its CA has no template.
    pub(crate) fn just_in_time_template(
        &self,
        der: &CertificateDer<'_>,
    ) -> Option<(String, BTreeMap<String, String>)> {
        let known = self.certificates.get(&certificate_id(der))?;
        let ca = self.cas.get(known.ca.as_ref()?)?;
        let waits = known.status == CertificateStatus::PendingActivation && ca.active && ca.auto_registration;
        let body = ca.registration_config.as_ref()?["templateBody"].as_str().filter(|_| waits)?;
        let certificate = parse(der).ok()?;
        let mut parameters = BTreeMap::from([("AWS::IoT::Certificate::Id".to_owned(), known.id.clone())]);
        for (name, oid) in SUBJECT_PARAMETERS {
            let value = certificate.subject().iter_by_oid(&oid).find_map(|attribute| attribute.as_str().ok());
            parameters.extend(value.map(|v| (format!("AWS::IoT::Certificate::{name}"), v.to_owned())));
        }
        Some((body.to_owned(), parameters))
    }

    fn registered_event(&self, certificate: &Certificate, again: bool, now_ms: i64) -> Option<RegistryEvent> {
        let ca = certificate.ca.as_ref()?;
        let registered_ms = (certificate.created_s * 1_000).to_string();
        let payload = json!({
            "certificateId": certificate.id,
            "caCertificateId": ca,
            "timestamp": now_ms,
            "certificateStatus": certificate.status.as_str(),
            "awsAccountId": self.account,
            // Null in the first announcement.
            "certificateRegistrationTimestamp": if again { json!(registered_ms) } else { Value::Null },
        });
        Some(RegistryEvent { topic: format!("$aws/events/certificates/registered/{ca}"), payload })
    }
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for (index, character) in text.chars().enumerate() {
        if index > 0 && index % PEM_LINE_CHARS == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem.push_str("\n-----END CERTIFICATE-----\n");
    pem
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{CaChange, ca::tests::Authority, certificate::der_of};

    #[test]
    fn an_unknown_certificate_is_announced_until_it_is_decided_on() {
        let (mut r, a) = (Registry::new("us-east-1", "123456789012"), Authority::new("a"));
        let leaf = a.sign("device");
        let chain = [leaf.der().clone()];
        assert_eq!(r.just_in_time(&chain, 5_000), None, "no CA");
        let code = r.registration_code().to_owned();
        let ca = r.register_ca(a.registration(&code), 0).unwrap().id;
        let first = r.just_in_time(&chain, 5_000).unwrap();
        assert_eq!(first.topic, format!("$aws/events/certificates/registered/{ca}"));
        assert_eq!(first.payload["certificateStatus"], "PENDING_ACTIVATION");
        assert_eq!(first.payload["certificateRegistrationTimestamp"], Value::Null);
        let again = r.just_in_time(&chain, 9_000).unwrap();
        assert_eq!(again.payload["certificateRegistrationTimestamp"], "5000");
        let id = certificate_id(leaf.der());
        assert_eq!(r.certificate(&id).unwrap().ca.as_deref(), Some(ca.as_str()));
        for status in [CertificateStatus::Active, CertificateStatus::Inactive, CertificateStatus::Revoked] {
            r.set_certificate_status(&id, status, 10).unwrap();
            assert_eq!(r.just_in_time(&chain, 10_000), None);
        }
    }

    #[test]
    fn a_ca_that_is_inactive_or_not_automatic_registers_nothing() {
        let (mut r, a) = (Registry::new("us-east-1", "123456789012"), Authority::new("a"));
        let code = r.registration_code().to_owned();
        let ca = r.register_ca(a.registration(&code), 0).unwrap().id;
        let off = CaChange { auto_registration: Some(false), ..CaChange::default() };
        r.update_ca(&ca, off, 0).unwrap();
        assert_eq!(r.just_in_time(&[a.sign("x").der().clone()], 0), None);
        let inactive = CaChange { auto_registration: Some(true), active: Some(false), ..CaChange::default() };
        r.update_ca(&ca, inactive, 0).unwrap();
        assert_eq!(r.just_in_time(&[a.sign("x").der().clone()], 0), None);
        assert_eq!(
            r.just_in_time(&[Authority::new("a").sign("x").der().clone()], 0),
            None,
            "same name, other key"
        );
        assert_eq!(r.just_in_time(&[], 0), None);
    }

    #[test]
    fn a_template_is_filled_from_the_subject_while_the_certificate_waits() {
        let (mut r, a) = (Registry::new("us-east-1", "123456789012"), Authority::new("a"));
        let leaf = a.sign("device");
        let code = r.registration_code().to_owned();
        let ca = r.register_ca(a.registration(&code), 0).unwrap().id;
        r.just_in_time(&[leaf.der().clone()], 0).unwrap();
        assert_eq!(r.just_in_time_template(leaf.der()), None, "no template");
        let config = Some(json!({"templateBody": "{}", "roleArn": "r"}));
        r.update_ca(&ca, CaChange { registration_config: config, ..CaChange::default() }, 0).unwrap();
        let (body, parameters) = r.just_in_time_template(leaf.der()).unwrap();
        let id = certificate_id(leaf.der());
        assert_eq!(body, "{}");
        assert_eq!(parameters["AWS::IoT::Certificate::CommonName"], "device");
        assert_eq!(parameters["AWS::IoT::Certificate::Id"], id);
        assert_eq!(parameters.len(), 2, "the subject has no more");
        r.set_certificate_status(&id, CertificateStatus::Active, 0).unwrap();
        assert_eq!(r.just_in_time_template(leaf.der()), None, "decided on");
    }

    #[test]
    fn pem_reads_back() {
        let der = Authority::new("a").sign("x").der().clone();
        assert_eq!(der_of(&pem(&der)).unwrap(), der);
    }
}
