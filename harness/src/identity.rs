//! Identities: a key that is made here, and the certificate that was issued for it. No key is ever shown, logged or recorded.

use anyhow::Context;
use aws_lc_rs::digest;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256,
    PublicKeyData, RsaKeySize,
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde::{Deserialize, Serialize};

/// What keys are made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum KeyKind {
    /// ECDSA on the curve P-256: a thousand times faster to make.
    #[default]
    P256,
    /// RSA with 2,048 bits, for fleets that have it.
    Rsa2048,
}

/// A key with its certificate. The key is PKCS #8 DER and is shown to nobody.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) certificate_pem: String,
    pub(crate) key_der: Vec<u8>,
}

impl Identity {
    /// The key as PEM, for those who take nothing else.
    pub(crate) fn key_pem(&self) -> anyhow::Result<String> {
        let key = KeyPair::try_from(self.key_der.as_slice()).context("the key does not read back")?;
        Ok(key.serialize_pem())
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

impl KeyKind {
    /// A new key.
    pub(crate) fn generate(self) -> Result<KeyPair, rcgen::Error> {
        match self {
            Self::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            Self::Rsa2048 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
        }
    }
}

/// A new key and its CSR.
pub(crate) fn key_and_csr(common_name: &str, kind: KeyKind) -> Result<(KeyPair, String), rcgen::Error> {
    let key = kind.generate()?;
    let csr = named(common_name)?.serialize_request(&key)?.pem()?;
    Ok((key, csr))
}

/// SHA-256 of a key's public half, as hex: by it a certificate is told that was issued for it.
pub(crate) fn key_sha256(key: &KeyPair) -> String {
    hex::encode(digest::digest(&digest::SHA256, &key.subject_public_key_info()))
}

/// What a certificate or a CSR begins with: a subject with this common name.
pub(crate) fn named(common_name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    params.distinguished_name = name;
    Ok(params)
}

/// The identity that AWS IoT gives a certificate: the SHA-256 of its DER, the same in every Region.
pub(crate) fn certificate_id(certificate_pem: &str) -> anyhow::Result<String> {
    let der =
        CertificateDer::from_pem_slice(certificate_pem.as_bytes()).context("the certificate is not PEM")?;
    Ok(hex::encode(digest::digest(&digest::SHA256, &der)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_both_kinds_sign_their_requests_and_read_back() {
        for kind in [KeyKind::P256, KeyKind::Rsa2048] {
            let (key, csr) = key_and_csr("lamp-00001", kind).unwrap();
            let request = rcgen::CertificateSigningRequestParams::from_pem(&csr).unwrap();
            assert_eq!(
                request.params.distinguished_name.get(&DnType::CommonName),
                Some(&"lamp-00001".into())
            );
            let identity = Identity { certificate_pem: String::new(), key_der: key.serialize_der() };
            assert_eq!(identity.key_pem().unwrap(), key.serialize_pem());
            assert_eq!(format!("{identity:?}"), "Identity { .. }", "no key is shown");
        }
    }

    #[test]
    fn a_certificate_has_the_identity_that_aws_gives_it() {
        let key = KeyKind::P256.generate().unwrap();
        let certificate = named("lamp").unwrap().self_signed(&key).unwrap();
        let expected = hex::encode(digest::digest(&digest::SHA256, certificate.der()));
        assert_eq!(certificate_id(&certificate.pem()).unwrap(), expected);
        assert!(certificate_id("no PEM").is_err());
    }
}
