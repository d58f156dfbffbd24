//! Policies and certificates, and what has policies.

use std::collections::BTreeSet;

use super::{
    Action, BOTH, DELETED, Found, HERE, Item, Judged, MADE, Planner, REMOVED_CHANGED, Subject, THERE,
    UNFINISHED, Verdict,
};
use crate::compare;
use crate::look::stays;
use crate::model::{Policy, Status};
use crate::outcome::Outcome;
use crate::ports::{CertificateRow, Clock, PolicyRow, Region, Row, State};
use crate::tables;

const NAMES_BOTH: &str = "one of both names the other Region, too, and cannot be rewritten without loss: the \
                          primary's stays";
const POLICY_THERE: &str =
    "changed only in the secondary; if the primary has five versions, the oldest but the default is deleted";
const MADE_NAMES_BOTH: &str =
    "made in the secondary; it names both Regions: all its ARNs become the primary's";

impl<P: Region, S: Region, C: Clock, M: State> Planner<'_, P, S, C, M> {
    pub(super) async fn policies(&self) -> Outcome<()> {
        let list = async |from: Option<&str>| self.regions.secondary.policies(from).await;
        let mut names = BTreeSet::from_iter(self.names(list).await?);
        let lives = |row: &Row| matches!(row, Row::Policy(row) if !row.deleted);
        names.extend(self.remembered_names(&tables::policy_key(""), lives).await?);
        self.all(names.into_iter().collect(), async |name| self.policy(name).await).await;
        Ok(())
    }

    async fn policy(&self, name: &str) -> Outcome<Vec<Item>> {
        let regions = self.regions;
        let (here, there) = (regions.primary.policy(name).await?, regions.secondary.policy(name).await?);
        let row = match self.remembered(&tables::policy_key(name)).await? {
            Some(Row::Policy(row)) => Some(row),
            _ => None,
        };
        let found = Found::of(here.as_ref(), there.as_ref());
        let judged = match (here, there) {
            (None, None) => None,
            (Some(here), None) => match row {
                Some(row) if !row.deleted => Some(self.gone_policy(&here, &row)?),
                _ => None,
            },
            (None, Some(there)) => {
                let home = regions.home(&there.document)?;
                let is_whole = compare::document(&regions.there(&home)?, &there.document);
                let put = Action::PutPolicy(Policy { name: name.to_owned(), document: home });
                Some(match row {
                    Some(_) => self.resurrected(DELETED, put),
                    None => Judged::new(
                        Verdict::Created,
                        if is_whole { MADE } else { MADE_NAMES_BOTH },
                        Some(put),
                    ),
                })
            }
            (Some(here), Some(there)) => self.changed_policy(here, &there, row)?,
        };
        let item = judged.map(|judged| judged.item(Subject::Policy(name.to_owned()), found));
        Ok(item.into_iter().collect())
    }

    fn gone_policy(&self, here: &Policy, row: &PolicyRow) -> Outcome<Judged> {
        let wanted = self.regions.there(&here.document)?;
        Ok(match &row.document {
            None => Judged::new(Verdict::Kept, UNFINISHED, None),
            Some(left) if compare::document(left, &wanted) => self.removed(Action::DeletePolicy),
            Some(_) => Judged::new(Verdict::Resurrects, REMOVED_CHANGED, None),
        })
    }

    fn changed_policy(
        &self,
        here: Policy,
        there: &Policy,
        row: Option<PolicyRow>,
    ) -> Outcome<Option<Judged>> {
        let regions = self.regions;
        let (home, wanted) = (regions.home(&there.document)?, regions.there(&here.document)?);
        if compare::document(&there.document, &wanted) || compare::document(&here.document, &home) {
            return Ok(None);
        }
        let left = row.and_then(|row| row.document);
        let is_left = |document: &str| left.as_deref().is_some_and(|left| compare::document(left, document));
        // A document that names both Regions has lost one of them when it was rewritten.
        let is_whole = compare::document(&regions.home(&wanted)?, &here.document)
            && compare::document(&regions.there(&home)?, &there.document);
        Ok(Some(if is_left(&there.document) {
            Judged::new(Verdict::Kept, HERE, None)
        } else if !is_left(&wanted) {
            Judged::new(Verdict::Overwritten, BOTH, None)
        } else if is_whole {
            let put = Action::PutPolicy(Policy { name: here.name, document: home });
            Judged::new(Verdict::TakenHome, POLICY_THERE, Some(put))
        } else {
            Judged::new(Verdict::Overwritten, NAMES_BOTH, None)
        }))
    }

    pub(super) async fn certificates(&self) -> Outcome<()> {
        let list = async |from: Option<&str>| self.regions.secondary.certificates(from).await;
        let mut ids = BTreeSet::from_iter(self.names(list).await?);
        let lives = |row: &Row| matches!(row, Row::Certificate(row) if !row.deleted);
        ids.extend(self.remembered_names(&tables::certificate_key(""), lives).await?);
        self.all(ids.into_iter().collect(), async |id| self.certificate(id).await).await;
        Ok(())
    }

    async fn certificate(&self, id: &str) -> Outcome<Vec<Item>> {
        let names = &self.regions.names;
        let (here, there) =
            (self.regions.primary.certificate(id).await?, self.regions.secondary.certificate(id).await?);
        let row = match self.remembered(&tables::certificate_key(id)).await? {
            Some(Row::Certificate(row)) => Some(row),
            _ => None,
        };
        let subject = || Subject::Certificate(id.to_owned());
        let found = Found::of(here.as_ref(), there.as_ref());
        let Some(there) = there else {
            let (Some(here), Some(row)) = (here, row.filter(|row| !row.deleted)) else {
                return Ok(Vec::new());
            };
            return Ok(self.gone_certificate(id, here.status, &row, found).await?.into_iter().collect());
        };
        let arn = names.certificate_arn(&names.secondary, id);
        let policies = self.regions.secondary.attached_policies(&arn).await?;
        if stays(&policies) {
            return Ok(Vec::new());
        }
        let Some(here) = here else {
            let register = Action::Register { pem: there.pem, status: there.status, policies };
            let judged = match row {
                Some(_) => self.resurrected(DELETED, register),
                None => Judged::new(Verdict::Created, MADE, Some(register)),
            };
            return Ok(vec![judged.item(subject(), found)]);
        };
        let mut items = Vec::new();
        if here.status != there.status {
            let judged = status(here.status, there.status, row.as_ref().and_then(|row| row.status));
            items.push(judged.item(subject(), found));
        }
        let arn = names.certificate_arn(&names.primary, id);
        let home = BTreeSet::from_iter(self.regions.primary.attached_policies(&arn).await?);
        let policies = BTreeSet::from_iter(policies);
        let known = row.as_ref().filter(|row| row.status.is_some()).map(|row| &row.policies);
        for (name, judged) in attachments(&home, &policies, known, self) {
            let found = Found::flags(home.contains(&name), policies.contains(&name));
            items.push(judged.item(Subject::CertificatePolicy(id.to_owned(), name), found));
        }
        Ok(items)
    }

    /// A certificate that the replicator brought and that the secondary has no more.
    async fn gone_certificate(
        &self,
        id: &str,
        here: Status,
        row: &CertificateRow,
        found: Found,
    ) -> Outcome<Option<Item>> {
        let names = &self.regions.names;
        let policies =
            self.regions.primary.attached_policies(&names.certificate_arn(&names.primary, id)).await?;
        if stays(&policies) {
            return Ok(None);
        }
        let subject = Subject::Certificate(id.to_owned());
        let judged = match row.status {
            None => Judged::new(Verdict::Kept, UNFINISHED, None),
            Some(left) if left == here && row.policies == BTreeSet::from_iter(policies) => {
                return self.gone(subject, found, Action::DeleteCertificate).await.map(Some);
            }
            // A deletion that was begun and ended halfway may have taken it out of use.
            Some(left) if left != here => {
                let why = format!("{REMOVED_CHANGED}; it was {left:?}, and is {here:?} at home");
                Judged::new(Verdict::Resurrects, &why, None)
            }
            Some(_) => Judged::new(Verdict::Resurrects, REMOVED_CHANGED, None),
        };
        Ok(Some(judged.item(subject, found)))
    }
}

/// Who set the status; `left` is what the replicator left in the secondary.
fn status(here: Status, there: Status, left: Option<Status>) -> Judged {
    match left {
        Some(left) if left == there => Judged::new(Verdict::Kept, HERE, None),
        Some(left) if left == here => Judged::new(Verdict::TakenHome, THERE, Some(Action::SetStatus(there))),
        // A revocation is never taken back, so it was made there.
        _ if there == Status::Revoked => {
            Judged::new(Verdict::TakenHome, "revoked in the secondary", Some(Action::SetStatus(there)))
        }
        _ => Judged::new(Verdict::Overwritten, BOTH, None),
    }
}

/// Policies that a certificate or group has in one Region only; `known` is what the replicator left.
pub(super) fn attachments<P: Region, S: Region, C: Clock, M: State>(
    here: &BTreeSet<String>,
    there: &BTreeSet<String>,
    known: Option<&BTreeSet<String>>,
    planner: &Planner<'_, P, S, C, M>,
) -> Vec<(String, Judged)> {
    let mut judged = Vec::new();
    for name in there.difference(here) {
        let verdict = match known {
            Some(known) if known.contains(name) => Judged::new(Verdict::Kept, HERE, None),
            Some(_) => Judged::new(Verdict::TakenHome, THERE, Some(Action::AttachPolicy(name.clone()))),
            None => Judged::new(Verdict::Overwritten, BOTH, None),
        };
        judged.push((name.clone(), verdict));
    }
    for name in here.difference(there) {
        let verdict = match known {
            Some(known) if known.contains(name) => planner.removed(Action::DetachPolicy(name.clone())),
            _ => Judged::new(Verdict::Kept, HERE, None),
        };
        judged.push((name.clone(), verdict));
    }
    judged
}
