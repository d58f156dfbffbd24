//! Identities: a key that is made here and never leaves memory, and a certificate that IoT issues for it.

use anyhow::{Context, anyhow};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::Value;

use super::Site;
use crate::{
    aws::{RegionClients, describe},
    journal::Change,
};

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

impl Site<'_> {
    pub(super) async fn create_policy(
        &self,
        clients: &RegionClients,
        name: &str,
        document: &Value,
    ) -> anyhow::Result<()> {
        self.journal.intend(Change::Policy { region: clients.region.clone(), name: name.to_owned() })?;
        clients
            .iot
            .create_policy()
            .policy_name(name)
            .policy_document(document.to_string())
            .send()
            .await
            .map_err(|e| anyhow!(describe(&e)))
            .with_context(|| format!("policy {name} could not be created in {}", clients.region))?;
        Ok(())
    }

    /// An ACTIVE certificate with a policy. The policy's undo takes the certificate along.
    pub(super) async fn issue(&self, clients: &RegionClients, policy: &str) -> anyhow::Result<Identity> {
        let (key, csr) = key_and_csr(policy)?;
        let made = clients
            .iot
            .create_certificate_from_csr()
            .certificate_signing_request(csr)
            .set_as_active(true)
            .send()
            .await
            .map_err(|e| anyhow!(describe(&e)))
            .with_context(|| format!("no certificate for {policy} in {}", clients.region))?;
        let arn = made.certificate_arn().context("a certificate without its ARN")?;
        clients
            .iot
            .attach_policy()
            .policy_name(policy)
            .target(arn)
            .send()
            .await
            .map_err(|e| anyhow!(describe(&e)))?;
        Ok(Identity {
            certificate_pem: made.certificate_pem().context("a certificate without its PEM")?.to_owned(),
            key_der: key.serialize_der(),
        })
    }
}
