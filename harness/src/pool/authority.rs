//! Devices that register themselves: the fleet's own CA, registered in both Regions, signs a certificate for each. AWS IoT learns
//! of a device when it first connects, and the replicator's function `jitr` lets it in.
//!
//! The CA's key stays in the fleet's folder. Each Region is shown that we have it, by a certificate over its registration code.

use std::{fs, path::Path};

use anyhow::{Context, anyhow};
use rcgen::{
    BasicConstraints, CertificateSigningRequestParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls_pki_types::CertificateSigningRequestDer;

use super::{
    Pool, State,
    cores::on_all_cores,
    create::{Creation, Failed},
    create_folder,
    states::{self, Fact, States},
    write_file,
};
use crate::{
    aws::{RegionClients, describe},
    identity::{KeyKind, certificate_id, named},
};

const FOLDER: &str = "authority";
const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "ca.key.pem";
/// Certificates hold until the end of this year, as those that AWS IoT issues do.
const LAST_YEAR: i32 = 2049;

/// The fleet's CA.
pub(super) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// The fleet's CA, made if it is not there. The key comes first: a certificate without one is no use.
    pub(super) fn open(pool: &Pool) -> anyhow::Result<Self> {
        let folder = pool.path().join(FOLDER);
        if !folder.join(CERTIFICATE).exists() {
            let key = KeyKind::P256.generate()?;
            let pem = ca(&pool.manifest.name, &key)?;
            create_folder(&folder)?;
            let unused = folder.join(KEY);
            // What a call before this one has left: nothing was signed with it.
            if unused.exists() {
                fs::remove_file(&unused)?;
            }
            write_file(&unused, key.serialize_pem().as_bytes())?;
            write_file(&folder.join(CERTIFICATE), pem.as_bytes())?;
        }
        Self::read(&folder)
    }

    fn read(folder: &Path) -> anyhow::Result<Self> {
        let read = |file: &str| {
            let path = folder.join(file);
            fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
        };
        let (pem, key) = (read(CERTIFICATE)?, read(KEY)?);
        let key = KeyPair::from_pem(&key).context("the CA's key does not read")?;
        let issuer = Issuer::from_ca_cert_pem(&pem, key).context("the CA's certificate does not read")?;
        Ok(Self { pem, issuer })
    }

    /// A certificate for a CSR, as PEM.
    fn sign(&self, csr: &[u8]) -> anyhow::Result<String> {
        let csr = CertificateSigningRequestDer::from(csr);
        let mut request =
            CertificateSigningRequestParams::from_der(&csr).context("a CSR is not understood")?;
        request.params.not_after = date_time_ymd(LAST_YEAR, 12, 31);
        Ok(request.signed_by(&self.issuer)?.pem())
    }

    /// The proof for a Region that we have the key: a certificate over the code that it gave.
    fn proof(&self, code: &str) -> anyhow::Result<String> {
        let key = KeyKind::P256.generate()?;
        Ok(named(code)?.signed_by(&key, &self.issuer)?.pem())
    }
}

fn ca(fleet: &str, key: &KeyPair) -> anyhow::Result<String> {
    let mut params = named(&format!("gameday fleet {fleet}"))?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params.not_after = date_time_ymd(LAST_YEAR, 12, 31);
    Ok(params.self_signed(key)?.pem())
}

/// Registers the CA where it is not, and signs what is not signed.
pub(super) async fn make(creation: &mut Creation<'_>) -> anyhow::Result<Failed> {
    let authority = Authority::open(creation.pool)?;
    let aws = creation.aws;
    for clients in [&aws.primary, &aws.secondary] {
        if !creation.making()?.authorities.contains_key(&clients.region) {
            let id = register(clients, &authority).await?;
            creation.output.line(&format!("the fleet's CA is registered in {}", clients.region));
            creation.making_mut()?.authorities.insert(clients.region.clone(), id);
            creation.pool.save()?;
        }
    }
    let counts = creation.pool.counts()?;
    creation.progress.begin("certificates", counts.made, counts.keys);
    let mut signed = counts.made;
    for shard in creation.pool.shards()? {
        let known = states::read(&shard.states())?;
        let todo: Vec<(u32, Vec<u8>)> = (shard.first..)
            .zip(shard.csrs()?)
            .filter(|(number, _)| !matches!(known.get(number), Some(State::Made(_))))
            .collect();
        let (count, stop) = (todo.len(), &creation.stop);
        let sign = || on_all_cores(count, stop, |n| Ok((todo[n].0, authority.sign(&todo[n].1)?)));
        // All other work waits for it anyway.
        let Some(certificates) = tokio::task::block_in_place(sign)? else { break };
        let mut book = States::open(&shard.states())?;
        for (device, certificate_pem) in certificates {
            let certificate_id = certificate_id(&certificate_pem)?;
            book.add(&Fact::Issued { device, certificate_id, certificate_pem })?;
            book.add(&Fact::Made { device })?;
        }
        book.sync()?;
        signed += u32::try_from(count)?;
        creation.progress.at(signed);
    }
    Ok(Failed::new())
}

/// Registers the CA so that its devices register themselves; the answer is what the Region calls it.
async fn register(clients: &RegionClients, authority: &Authority) -> anyhow::Result<String> {
    let region = &clients.region;
    let code = clients.iot.get_registration_code().send().await.map_err(|e| anyhow!(describe(&e)))?;
    let code = code.registration_code.context("no registration code")?;
    let register = clients.iot.register_ca_certificate().ca_certificate(&authority.pem);
    let register = register.verification_certificate(authority.proof(&code)?);
    match register.set_as_active(true).allow_auto_registration(true).send().await {
        Ok(made) => made.certificate_id.context("a CA without its id"),
        Err(error) => {
            // A call before this one came as far as that.
            let there = error.as_service_error().and_then(|e| match e {
                aws_sdk_iot::operation::register_ca_certificate::RegisterCACertificateError::ResourceAlreadyExistsException(e) => {
                    e.resource_id().map(str::to_owned)
                }
                _ => None,
            });
            there
                .ok_or_else(|| anyhow!(describe(&error)))
                .with_context(|| format!("the CA could not be registered in {region}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::pool::{Progress, fill};

    #[test]
    fn a_fleet_has_one_ca_and_it_signs_for_the_devices_names() {
        let fleets = tempfile::tempdir().unwrap();
        let mut pool = Pool::begin(fleets.path(), "lamps", KeyKind::P256).unwrap();
        pool.manifest.devices = 1;
        fill(&pool, &Progress::silent(), &CancellationToken::new()).unwrap();
        let authority = Authority::open(&pool).unwrap();
        assert_eq!(Authority::open(&pool).unwrap().pem, authority.pem, "the same again");
        let csr = pool.shards().unwrap()[0].csrs().unwrap().remove(0);
        let pem = authority.sign(&csr).unwrap();
        let (_, parsed) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
        let certificate = parsed.parse_x509().unwrap();
        let (_, ca) = x509_parser::pem::parse_x509_pem(authority.pem.as_bytes()).unwrap();
        let ca = ca.parse_x509().unwrap();
        assert_eq!(certificate.subject().to_string(), "CN=lamps-00001");
        assert_eq!(certificate.issuer(), ca.subject());
        certificate.verify_signature(Some(ca.public_key())).unwrap();
        let proof = authority.proof("the code").unwrap();
        let (_, proof) = x509_parser::pem::parse_x509_pem(proof.as_bytes()).unwrap();
        let proof = proof.parse_x509().unwrap();
        assert_eq!(proof.subject().to_string(), "CN=the code");
        proof.verify_signature(Some(ca.public_key())).unwrap();
    }

    #[test]
    fn a_key_without_its_certificate_is_begun_anew() {
        let fleets = tempfile::tempdir().unwrap();
        let pool = Pool::begin(fleets.path(), "lamps", KeyKind::P256).unwrap();
        let folder = pool.path().join(FOLDER);
        create_folder(&folder).unwrap();
        write_file(&folder.join(KEY), b"half of a k").unwrap();
        Authority::open(&pool).unwrap();
        assert!(Authority::read(&folder).is_ok());
    }
}
