//! Certificates that were asked for and to which nothing leads: whoever asked was killed, or the answer was lost and the SDK
//! asked again. AWS IoT issues a certificate under a subject of its own, which takes no tag, so that what tells whose it is is
//! the key: its SHA-256 is in the journal before the request is sent.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, bail};
use aws_sdk_iot::types::Certificate;
use jiff::Timestamp;
use x509_parser::pem::parse_x509_pem;

use super::fleet;
use crate::{
    aws::{Aws, Missing, RegionClients},
    fault::sha256_of,
};

/// By so much the clocks of this machine and of AWS may differ.
const CLOCKS_MAX: Duration = Duration::from_mins(15);
/// Pages that are looked through: a hundred thousand certificates.
const PAGES_MAX: usize = 400;
/// AWS's largest page.
const PAGE: i32 = 250;

/// Deletes what was issued for these keys, and its copies in the secondary.
pub(super) async fn delete(aws: &Aws, region: &str, since: Timestamp, keys: &[String]) -> anyhow::Result<()> {
    for id in issued_for(aws, aws.region(region), since, keys).await? {
        if region == aws.primary.region {
            fleet::delete_by_id(aws, &aws.secondary, &id).await?;
        }
        fleet::delete_by_id(aws, aws.region(region), &id).await?;
        tracing::info!(%region, %id, "a certificate that nothing led to is deleted");
    }
    Ok(())
}

/// Identities of the certificates that were issued for these keys.
pub(crate) async fn issued_for(
    aws: &Aws,
    clients: &RegionClients,
    since: Timestamp,
    keys: &[String],
) -> anyhow::Result<Vec<String>> {
    let keys: BTreeSet<&str> = keys.iter().map(String::as_str).collect();
    let mut found = Vec::new();
    if keys.is_empty() {
        return Ok(found);
    }
    // Everybody else's are older, most of them: only what is left is looked at by itself.
    let since_s = since.as_second() - i64::try_from(CLOCKS_MAX.as_secs())?;
    let is_new = |made: &Certificate| made.creation_date().is_none_or(|date| date.secs() >= since_s);
    let mut pages = clients.iot.list_certificates().page_size(PAGE).into_paginator().send();
    for _ in 0..PAGES_MAX {
        let Some(page) = pages.next().await else { return Ok(found) };
        let page = page.context("certificates could not be listed")?;
        for id in
            page.certificates().iter().filter(|made| is_new(made)).filter_map(Certificate::certificate_id)
        {
            aws.pace.take(&clients.region, "DescribeCertificate").await;
            let described =
                clients.iot.describe_certificate().certificate_id(id).send().await.missing_ok()?;
            let pem = described.and_then(|made| made.certificate_description?.certificate_pem);
            if pem.and_then(|pem| key_of(&pem)).is_some_and(|key| keys.contains(key.as_str())) {
                found.push(id.to_owned());
            }
        }
    }
    bail!("{} has more certificates than the {PAGES_MAX} pages that were looked through", clients.region)
}

/// SHA-256 of the public key that a certificate is for.
fn key_of(certificate_pem: &str) -> Option<String> {
    let (_, pem) = parse_x509_pem(certificate_pem.as_bytes()).ok()?;
    Some(sha256_of(pem.parse_x509().ok()?.tbs_certificate.subject_pki.raw))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        identity::{KeyKind, key_and_csr, key_sha256},
        journal::{Change, undo::undo},
        pool::site::Site,
    };

    #[tokio::test(flavor = "multi_thread")]
    async fn a_certificate_that_nothing_leads_to_is_found_by_its_key_and_nobody_elses_is_touched() {
        let site = Site::start().await;
        let (aws, since) = (&site.aws, Timestamp::now());
        let issue = async |name: &str| {
            let (key, csr) = key_and_csr(name, KeyKind::P256).unwrap();
            let issue = aws.primary.iot.create_certificate_from_csr().certificate_signing_request(csr);
            let issued = issue.set_as_active(true).send().await.unwrap();
            (key_sha256(&key), issued.certificate_id.unwrap(), issued.certificate_pem.unwrap())
        };
        let (ours, id, pem) = issue("ours").await;
        let (theirs, kept, _) = issue("theirs").await;
        // Its copy has come to the secondary, and the same identity with it.
        site.bring(&aws.secondary, "copy", None, &pem).await;
        let keys = vec![ours.clone()];
        let found = issued_for(aws, &aws.primary, since, &keys).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&id));
        let an_hour_on = since + Duration::from_hours(1);
        let later = issued_for(aws, &aws.primary, an_hour_on, &keys).await.unwrap();
        assert_eq!(later, [""; 0], "what is older is not of that run");

        let region = aws.primary.region.clone();
        let change = Change::Certificates { region, since, keys };
        for _ in 0..2 {
            undo(aws, &change).await.unwrap();
        }
        for clients in [&aws.primary, &aws.secondary] {
            let left = issued_for(aws, clients, since, &[ours.clone(), theirs.clone()]).await.unwrap();
            let expected = if clients.region == aws.primary.region { vec![kept.clone()] } else { vec![] };
            assert_eq!(left, expected, "{}", clients.region);
        }
    }
}
