//! What a bulk registration made whose reports AWS does not have any more. Things with the fleet's mark are the fleet's; of their
//! certificates, the one that is of the device's key is.

use futures::{StreamExt, TryStreamExt, stream};
use rcgen::{KeyPair, PublicKeyData};
use rustls::server::ParsedCertificate;
use rustls_pki_types::{CertificateDer, pem::PemObject};

use super::{
    PARALLEL,
    input::Input,
    is_new,
    reports::{Outcome, Registered},
};
use crate::{
    aws::Missing,
    pool::{create::Creation, look::look_at},
};

/// Looks for what was made of the input's devices; none: it was told to stop.
pub(super) async fn recover(creation: &Creation<'_>, input: &Input) -> anyhow::Result<Option<Outcome>> {
    let (pool, stop) = (&*creation.pool, &creation.stop);
    let new = pool.those(is_new)?;
    let mut wanted =
        input.devices(&pool.manifest).filter(|number| new.binary_search(number).is_ok()).peekable();
    let mut outcome = Outcome::default();
    for shard in pool.shards()? {
        let mut devices = Vec::new();
        for (number, key) in (shard.first..).zip(shard.keys()?) {
            if wanted.next_if_eq(&number).is_some() {
                devices.push((number, key));
            }
        }
        let look = async |(number, key): (u32, Vec<u8>)| {
            if stop.is_cancelled() {
                return Ok(None);
            }
            let key = KeyPair::try_from(key.as_slice())?;
            certificate(creation, &pool.device(number), &key.subject_public_key_info()).await
        };
        let found: Vec<_> = stream::iter(devices).map(look).buffer_unordered(PARALLEL).try_collect().await?;
        outcome.results.extend(found.into_iter().flatten());
    }
    Ok((!stop.is_cancelled()).then_some(outcome))
}

/// The certificate of a thing of the fleet's that is of this key.
async fn certificate(
    creation: &Creation<'_>,
    thing: &str,
    public_key: &[u8],
) -> anyhow::Result<Option<Registered>> {
    let (aws, clients) = (creation.aws, &creation.aws.primary);
    let found = look_at(aws, clients, thing).await?;
    if !found.is_some_and(|found| found.is_of(&creation.pool.manifest)) {
        return Ok(None);
    }
    aws.pace.take(&clients.region, "ListThingPrincipals").await;
    let principals = clients.iot.list_thing_principals().thing_name(thing).send().await.missing_ok()?;
    for arn in principals.and_then(|principals| principals.principals).unwrap_or_default() {
        let Some(id) = replicator::policy::certificate_id(&arn) else { continue };
        aws.pace.take(&clients.region, "DescribeCertificate").await;
        let described = clients.iot.describe_certificate().certificate_id(id).send().await.missing_ok()?;
        let pem = described.and_then(|found| found.certificate_description?.certificate_pem);
        if let Some(certificate_pem) = pem.filter(|pem| is_of_key(pem, public_key)) {
            return Ok(Some(Registered { thing: thing.to_owned(), certificate_pem }));
        }
    }
    Ok(None)
}

/// Whether a certificate is of that key, which is a `SubjectPublicKeyInfo`.
fn is_of_key(certificate_pem: &str, public_key: &[u8]) -> bool {
    let Ok(der) = CertificateDer::from_pem_slice(certificate_pem.as_bytes()) else { return false };
    ParsedCertificate::try_from(&der)
        .is_ok_and(|certificate| certificate.subject_public_key_info().as_ref() == public_key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{KeyKind, named};

    #[test]
    fn a_certificate_is_of_one_key() {
        for kind in [KeyKind::P256, KeyKind::Rsa2048] {
            let [key, other] = [(); 2].map(|()| kind.generate().unwrap());
            let pem = named("lamp").unwrap().self_signed(&key).unwrap().pem();
            assert!(is_of_key(&pem, &key.subject_public_key_info()));
            assert!(!is_of_key(&pem, &other.subject_public_key_info()));
            assert!(!is_of_key("no PEM", &key.subject_public_key_info()));
        }
    }
}
