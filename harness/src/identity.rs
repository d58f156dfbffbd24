//! Identities: a key that is made here and never leaves memory, and the certificate that IoT issued for it.

use anyhow::Context;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};

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

/// A new P-256 key and its CSR.
pub(crate) fn key_and_csr(common_name: &str) -> Result<(KeyPair, String), rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    params.distinguished_name = name;
    let csr = params.serialize_request(&key)?.pem()?;
    Ok((key, csr))
}
