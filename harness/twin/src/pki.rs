//! Certificates of the twin: one authority, in the part of Amazon's root and of IoT's issuing CA at once, server
//! certificates for the Regions' names, and device certificates from CSRs. Keys live in memory and end with the twin.

use std::{net::IpAddr, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256,
    SanType, date_time_ymd,
};
use rustls::{
    DigitallySignedStruct, DistinguishedName as TlsName, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    server::{
        NoServerSessionStorage,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use x509_parser::der_parser::der::parse_der_sequence;

/// A certificate is valid from this long before it is made, as on AWS: a device's clock may be late.
const BACKDATED: Duration = Duration::from_mins(2);
/// Of one line of PEM.
const PEM_CHARS: usize = 64;

/// The twin's authority.
pub(crate) struct Pki {
    issuer: Issuer<'static, KeyPair>,
    /// The root, as clients need it to trust the twin.
    pub(crate) ca_pem: String,
    provider: Arc<CryptoProvider>,
}

impl std::fmt::Debug for Pki {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pki").finish_non_exhaustive()
    }
}

impl Pki {
    pub(crate) fn new() -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.distinguished_name = name("gameday twin root CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca_pem = params.self_signed(&key)?.pem();
        let provider = Arc::new(aws_lc_rs::default_provider());
        Ok(Self { issuer: Issuer::new(params, key), ca_pem, provider })
    }

    /// A TLS server for these names. A client certificate is demanded (MQTT) or welcome (HTTPS); which certificate may do
    /// what is the registry's business, not the handshake's.
    pub(crate) fn server(
        &self,
        names: &[String],
        address: IpAddr,
        client_certificate_required: bool,
    ) -> Result<ServerConfig, PkiError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(names.to_vec())?;
        params.subject_alt_names.push(SanType::IpAddress(address));
        params.distinguished_name = name(names.first().map_or("gameday twin", String::as_str));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let verifier =
            AnyCertificate { required: client_certificate_required, provider: self.provider.clone() };
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )?;
        // Every handshake is a full one: what a fleet pays that comes back after an outage, and what shows that a
        // certificate is still the device's.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    /// Issues a device certificate for a CSR, with the subject and the validity that IoT gives.
    pub(crate) fn issue(&self, csr_pem: &str, now_s: i64) -> Result<String, rcgen::Error> {
        let mut csr = CertificateSigningRequestParams::from_pem(csr_pem)?;
        csr.params.distinguished_name = name("AWS IoT Certificate");
        let now = Duration::from_secs(u64::try_from(now_s).unwrap_or_default());
        csr.params.not_before = date_time_ymd(1970, 1, 1) + now.saturating_sub(BACKDATED);
        csr.params.not_after = date_time_ymd(2050, 1, 1) - Duration::from_secs(1);
        csr.params.is_ca = IsCa::ExplicitNoCa;
        csr.params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        Ok(csr.signed_by(&self.issuer)?.pem())
    }

    /// A new RSA-2048 key pair and its certificate, as `CreateKeysAndCertificate` makes them.
    pub(crate) fn issue_with_keys(&self, now_s: i64) -> Result<Issued, rcgen::Error> {
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
        let csr = CertificateParams::new(Vec::<String>::new())?.serialize_request(&key)?.pem()?;
        let private = pkcs_1(&key.serialize_der()).ok_or(rcgen::Error::CouldNotParseKeyPair)?;
        Ok(Issued {
            certificate_pem: self.issue(&csr, now_s)?,
            public_key_pem: key.public_key_pem(),
            private_key_pem: pem("RSA PRIVATE KEY", &private),
        })
    }
}

/// A device certificate and the keys that were made for it.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) certificate_pem: String,
    pub(crate) public_key_pem: String,
    /// PKCS #1, which IoT gives out: some devices read nothing else.
    pub(crate) private_key_pem: String,
}

/// The RSA key that a PKCS #8 key wraps: version, algorithm, and the key as an octet string.
fn pkcs_1(pkcs_8: &[u8]) -> Option<Vec<u8>> {
    let (_, wrapped) = parse_der_sequence(pkcs_8).ok()?;
    let key = wrapped.as_sequence().ok()?.get(2)?;
    key.as_slice().ok().map(<[u8]>::to_vec)
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len())
        .step_by(PEM_CHARS)
        .map(|from| &text[from..text.len().min(from + PEM_CHARS)])
        .collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// Why a TLS server could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A certificate could not be made.
    #[error("certificate could not be made")]
    Certificate(#[from] rcgen::Error),
    /// TLS refused the configuration.
    #[error("TLS refused the configuration")]
    Tls(#[from] rustls::Error),
}

/// Takes any client certificate whose holder proves to have its key: IoT knows certificates by registration, not by
/// their chain.
#[derive(Debug)]
struct AnyCertificate {
    required: bool,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for AnyCertificate {
    fn root_hint_subjects(&self) -> &[TlsName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::{PrivatePkcs1KeyDer, pem::PemObject};
    use x509_parser::pem::parse_x509_pem;

    use super::*;

    #[test]
    fn keys_and_certificate_are_those_of_iot() {
        let issued = Pki::new().unwrap().issue_with_keys(1_800_000_000).unwrap();
        assert!(issued.public_key_pem.starts_with("-----BEGIN PUBLIC KEY-----"));
        assert!(issued.private_key_pem.lines().all(|line| line.len() <= PEM_CHARS));
        let private = PrivatePkcs1KeyDer::from_pem_slice(issued.private_key_pem.as_bytes()).unwrap();
        let private = KeyPair::try_from(&PrivateKeyDer::Pkcs1(private)).unwrap();
        assert_eq!(private.public_key_pem(), issued.public_key_pem, "the two are a pair");
        let (_, certificate) = parse_x509_pem(issued.certificate_pem.as_bytes()).unwrap();
        let validity = certificate.parse_x509().unwrap().validity().clone();
        let seconds = (validity.not_before.timestamp(), validity.not_after.timestamp());
        assert_eq!(seconds, (1_800_000_000 - 120, 2_524_607_999));
    }
}
