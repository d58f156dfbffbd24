//! Devices that register themselves: the fleet's own CA, registered in both Regions, signs a certificate for each. AWS IoT learns
//! of a device when it first connects, and the replicator's function `jitr` lets it in.
//!
//! The CA's key stays in the fleet's folder. Each Region is shown that we have it, by a certificate over its registration code.

mod region;

use std::{fs, path::Path};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateSigningRequestParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls_pki_types::CertificateSigningRequestDer;

use super::{
    Pool, State,
    cores::on_all_cores,
    create::{Creation, Failed},
    create_folder,
    shard::replace_file,
    states::{self, Fact, States},
    write_file,
};
use crate::{
    aws::RegionClients,
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
            replace_file(&folder.join(CERTIFICATE), pem.as_bytes())?;
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
        let region = &clients.region;
        if creation.making()?.authorities.get(region).is_none_or(Option::is_none) {
            // Written down before it is done: whatever happens now, a deletion looks for it.
            creation.making_mut()?.authorities.insert(region.clone(), None);
            creation.pool.save()?;
            let id = region::register(clients, &authority).await?;
            creation.output.line(&format!("the fleet's CA is registered in {region}"));
            creation.making_mut()?.authorities.insert(region.clone(), Some(id));
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
            .filter(|(number, _)| known.get(number).unwrap_or(&State::New).is_to_make())
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

/// The fleet's CA in a Region, closed: no device registers itself there any more.
#[derive(Debug)]
pub(super) struct Closed {
    region: String,
    id: String,
}

/// Closes the CA wherever it is registered, or may be; what could not be closed is left, and named.
pub(super) async fn close(creation: &mut Creation<'_>) -> anyhow::Result<(Vec<Closed>, Vec<String>)> {
    let (mut closed, mut left) = (Vec::new(), Vec::new());
    for (region, id) in creation.making()?.authorities.clone() {
        let clients = creation.aws.region(&region);
        match close_one(creation.pool, clients, id).await {
            Ok(Some(id)) => {
                // It is there, and is not what it was: whoever makes devices again opens it.
                creation.making_mut()?.authorities.insert(region.clone(), None);
                closed.push(Closed { region, id });
            }
            Ok(None) => drop(creation.making_mut()?.authorities.remove(&region)),
            Err(error) => left.push(format!(
                "the fleet's CA in {region} could not be closed; by hand: aws iot list-ca-certificates --region {region}, \
                 update-ca-certificate with --new-status INACTIVE, delete-ca-certificate: {error:#}"
            )),
        }
    }
    creation.pool.save()?;
    Ok((closed, left))
}

async fn close_one(
    pool: &Pool,
    clients: &RegionClients,
    id: Option<String>,
) -> anyhow::Result<Option<String>> {
    let id = match id {
        Some(id) => Some(id),
        // Whether it came to be registered was not written down any more.
        None => region::find(clients, &Authority::read(&pool.path().join(FOLDER))?.pem).await?,
    };
    if let Some(id) = &id {
        region::close(clients, id).await?;
    }
    Ok(id)
}

/// Deletes the CA where it is closed; the answer is what is left.
pub(super) async fn delete(creation: &mut Creation<'_>, closed: Vec<Closed>) -> anyhow::Result<Vec<String>> {
    let mut left = Vec::new();
    for Closed { region, id } in closed {
        match region::delete(creation.aws.region(&region), &id).await {
            Ok(()) => drop(creation.making_mut()?.authorities.remove(&region)),
            Err(error) => left.push(format!(
                "CA {id} in {region}; by hand: aws iot delete-ca-certificate --region {region} --certificate-id {id}: {error:#}"
            )),
        }
    }
    creation.pool.save()?;
    Ok(left)
}

#[cfg(test)]
mod tests {
    use gameday_twin::Moment;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::pool::{
        Given, Method, Progress, fill,
        site::{NOTHING, Site},
    };

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

    async fn authorities(clients: &RegionClients) -> Vec<aws_sdk_iot::types::CaCertificate> {
        clients.iot.list_ca_certificates().send().await.unwrap().certificates().to_vec()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_ca_whose_registration_was_not_answered_goes_with_the_fleet() {
        let site = Site::start().await;
        let given = Given { by: Some(Method::JustInTime), ..Given::default() };
        // Carried out, and whoever asked never heard of it.
        let lost = |region| site.fail("RegisterCACertificate", Some(region), Moment::After);
        for clients in [&site.aws.primary, &site.aws.secondary] {
            let mut pool = site.pool(&format!("cars-{}", clients.region), 1);
            let guard = lost(&clients.region);
            assert!(site.creation(&mut pool).run(&given).await.is_err());
            drop(guard);
            assert_eq!(authorities(clients).await.len(), 1);
            assert_eq!(site.delete(&mut pool).await, NOTHING);
            assert!(authorities(&site.aws.primary).await.is_empty());
            assert!(authorities(&site.aws.secondary).await.is_empty());
            assert!(pool.manifest.making.unwrap().authorities.is_empty());
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_ca_that_was_closed_opens_when_devices_are_made_again() {
        let site = Site::start().await;
        let given = Given { by: Some(Method::JustInTime), ..Given::default() };
        let mut pool = site.pool("cars", 1);
        site.creation(&mut pool).run(&given).await.unwrap();
        let known = pool.manifest.making.clone().unwrap().authorities;
        assert!(known.len() == 2 && known.values().all(Option::is_some), "{known:?}");
        let refused = site.refuse("DeleteCACertificate");
        let left = site.delete(&mut pool).await;
        assert_eq!(
            left.iter().filter(|left| left.contains("aws iot delete-ca-certificate")).count(),
            2,
            "{left:?}"
        );
        drop(refused);
        let closed = authorities(&site.aws.primary).await;
        assert_eq!(closed[0].status(), Some(&aws_sdk_iot::types::CaCertificateStatus::Inactive));
        site.creation(&mut pool).run(&given).await.unwrap();
        let open = authorities(&site.aws.primary).await;
        assert_eq!(open[0].status(), Some(&aws_sdk_iot::types::CaCertificateStatus::Active));
        assert_eq!(pool.manifest.making.clone().unwrap().authorities, known);
        assert_eq!(site.delete(&mut pool).await, NOTHING);
    }
}
