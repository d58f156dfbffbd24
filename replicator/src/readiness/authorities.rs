//! The authorities whose devices register themselves: in just-in-time mode they let a device in.

use crate::compare::Difference;
use crate::look::Regions;
use crate::outcome::Outcome;
use crate::pace::Pace;
use crate::ports::{Clock, Region};

/// How the secondary differs in the authorities that register devices in the primary.
pub(super) async fn compare<P: Region, S: Region, C: Clock>(
    regions: &Regions<'_, P, S, C>,
    pace: &Pace,
) -> Outcome<Vec<Difference>> {
    let here = pace.patient(regions.clock, async || regions.primary.authorities().await).await?;
    let there = pace.patient(regions.clock, async || regions.secondary.authorities().await).await?;
    let mut found = Vec::new();
    let mut any = false;
    for authority in here.iter().filter(|here| here.active && here.registers) {
        any = true;
        let (id, pem) = (authority.id.clone(), bare(&authority.pem));
        match there.iter().find(|there| bare(&there.pem) == pem) {
            None => found.push(Difference::AuthorityAbsent(id)),
            Some(there) if !there.active => found.push(Difference::AuthorityInactive(id)),
            Some(there) if !there.registers => found.push(Difference::AuthorityRegistersNone(id)),
            Some(_) => {}
        }
    }
    if !any {
        found.push(Difference::NoAuthority);
    }
    Ok(found)
}

/// A PEM however its lines are broken.
fn bare(pem: &str) -> String {
    pem.split_whitespace().collect()
}
