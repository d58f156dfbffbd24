//! Trust in an endpoint's certificate, for all devices of this process together.
//!
//! Whether a certificate is trusted follows from the certificate, those above it, the name, and the time in whole seconds. A
//! fleet that connects asks the same question hundreds of times in a second, and gets the answer that was found first. Only
//! equal questions share it, and only a yes. That the endpoint holds the certificate's key is proved anew to each device.

use std::sync::Arc;

use parking_lot::Mutex;
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// Questions of one second that are kept: two Regions, and one while a certificate changes.
const KEPT_MAX: usize = 4;

/// The verifier of a fleet.
#[derive(Debug)]
pub(super) struct Trust {
    verifier: Arc<WebPkiServerVerifier>,
    trusted: Mutex<Vec<Question>>,
}

/// All that an answer follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Question {
    now: UnixTime,
    name: ServerName<'static>,
    certificate: CertificateDer<'static>,
    above: Vec<CertificateDer<'static>>,
    ocsp: Vec<u8>,
}

impl Trust {
    pub(super) fn new(verifier: Arc<WebPkiServerVerifier>) -> Self {
        Self { verifier, trusted: Mutex::default() }
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let is_same = |question: &Question| {
            question.now == now
                && question.name == *name
                && question.certificate == *certificate
                && question.above == above
                && question.ocsp == ocsp
        };
        if self.trusted.lock().iter().any(is_same) {
            return Ok(ServerCertVerified::assertion());
        }
        let verified = self.verifier.verify_server_cert(certificate, above, name, ocsp, now)?;
        let question = Question {
            now,
            name: name.to_owned(),
            certificate: certificate.clone().into_owned(),
            above: above.iter().map(|each| each.clone().into_owned()).collect(),
            ocsp: ocsp.to_owned(),
        };
        let mut trusted = self.trusted.lock();
        trusted.retain(|each| each.now == now);
        if trusted.len() < KEPT_MAX {
            trusted.push(question);
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        self.verifier.root_hint_subjects()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
    use rustls::{RootCertStore, crypto::aws_lc_rs};

    use super::*;

    const NAME: &str = "iot.example.com";

    /// An authority, and a certificate of it for [`NAME`] that ends with 2030.
    fn certificate() -> (CertificateDer<'static>, CertificateDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = ca.self_signed(&key).unwrap().der().clone();
        let mut server = CertificateParams::new([NAME.to_owned()]).unwrap();
        server.not_after = date_time_ymd(2031, 1, 1);
        let of_server = server.signed_by(&KeyPair::generate().unwrap(), &Issuer::new(ca, key)).unwrap();
        (root, of_server.der().clone())
    }

    #[test]
    fn an_answer_is_for_the_same_question_only() {
        let ((root, certificate), (_, stranger)) = (certificate(), certificate());
        let mut roots = RootCertStore::empty();
        roots.add(root).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        let trust = Trust::new(verifier.unwrap());
        let at = |unix_s| UnixTime::since_unix_epoch(Duration::from_secs(unix_s));
        let is_trusted = |certificate: &CertificateDer<'_>, name: &'static str, unix_s| {
            let name = ServerName::try_from(name).unwrap();
            trust.verify_server_cert(certificate, &[], &name, &[], at(unix_s)).is_ok()
        };
        let (in_2029, in_2032) = (1_861_920_000, 1_956_528_000);
        assert!(is_trusted(&certificate, NAME, in_2029) && is_trusted(&certificate, NAME, in_2029));
        assert_eq!(trust.trusted.lock().len(), 1, "it was looked into once");
        assert!(!is_trusted(&stranger, NAME, in_2029), "of another authority");
        assert!(!is_trusted(&certificate, "other.example.com", in_2029), "for another name");
        assert!(!is_trusted(&certificate, NAME, in_2032), "it has ended");
        assert!(is_trusted(&certificate, NAME, in_2029 + 1));
        assert_eq!(trust.trusted.lock().len(), 1, "seconds that are over are forgotten");
    }
}
