//! Keys and CSRs of many devices at once.

use tokio_util::sync::CancellationToken;

use super::cores::on_all_cores;
use crate::identity::{KeyKind, key_and_csr};

/// A new key and its CSR, as PEM. The key is shown to nobody.
pub(crate) struct Fresh {
    pub(super) key_pem: String,
    pub(super) csr_pem: String,
}

impl std::fmt::Debug for Fresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fresh").finish_non_exhaustive()
    }
}

/// A key and a CSR for each name, in their order. `None`: it was told to stop.
pub(super) fn make(
    names: &[String],
    kind: KeyKind,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Vec<Fresh>>> {
    on_all_cores(names.len(), stop, |n| {
        let (key, csr_pem) = key_and_csr(&names[n], kind)?;
        Ok(Fresh { key_pem: key.serialize_pem(), csr_pem })
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateSigningRequestParams, DnType, KeyPair, PublicKeyData};

    use super::*;

    #[test]
    fn each_name_has_its_own_key_and_the_csr_of_that_key() {
        let names: Vec<String> = (0..50).map(|n| format!("lamp-{n}")).collect();
        let all = make(&names, KeyKind::P256, &CancellationToken::new()).unwrap().unwrap();
        assert_eq!(all.len(), names.len());
        for (name, fresh) in names.iter().zip(&all) {
            let request = CertificateSigningRequestParams::from_pem(&fresh.csr_pem).unwrap();
            let common_name = request.params.distinguished_name.get(&DnType::CommonName);
            assert_eq!(common_name, Some(&name.as_str().into()), "in the order of the names");
            // The same key signs the same request: its public key is in it.
            let key = KeyPair::from_pem(&fresh.key_pem).unwrap();
            let public = key.subject_public_key_info();
            let request = pem_of(&fresh.csr_pem);
            assert!(request.windows(public.len()).any(|part| part == public), "{name}");
        }
        let mut keys: Vec<&String> = all.iter().map(|fresh| &fresh.key_pem).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), names.len(), "no two devices share a key");
    }

    fn pem_of(pem: &str) -> Vec<u8> {
        use rustls_pki_types::{CertificateSigningRequestDer, pem::PemObject};
        CertificateSigningRequestDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
    }

    #[test]
    fn it_stops_when_it_is_told_to() {
        let names = vec!["lamp".to_owned()];
        let stop = CancellationToken::new();
        stop.cancel();
        assert!(make(&names, KeyKind::P256, &stop).unwrap().is_none());
        assert_eq!(make(&[], KeyKind::P256, &CancellationToken::new()).unwrap().unwrap().len(), 0);
    }

    #[test]
    fn no_key_is_shown() {
        let fresh = Fresh { key_pem: "secret".to_owned(), csr_pem: String::new() };
        assert_eq!(format!("{fresh:?}"), "Fresh { .. }");
    }
}
