//! Types, policies, certificates and groups.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Found, Item, Judged, Planner, Subject, Verdict};
use crate::compare;
use crate::look::stays;
use crate::model::{Group, Page, Policy, Status};
use crate::outcome::Outcome;
use crate::ports::{CertificateRow, Clock, Region, Row, State};
use crate::tables;

const BOTH: &str = "changed in both, or nothing tells in which: the primary's stays";
const DELETED: &str = "deleted in the primary, there in the secondary";
const HERE: &str = "changed only in the primary";
const MADE: &str = "made in the secondary";
const THERE: &str = "changed only in the secondary";

impl<P: Region, S: Region, C: Clock, M: State> Planner<'_, P, S, C, M> {
    /// All of a list.
    pub(super) async fn names<T>(
        &self,
        list: impl AsyncFn(Option<&str>) -> Outcome<Page<T>>,
    ) -> Outcome<Vec<T>> {
        let (mut names, mut from) = (Vec::new(), None::<String>);
        loop {
            let page = self.patient(async || list(from.as_deref()).await).await?;
            names.extend(page.items);
            from = page.next;
            if from.is_none() {
                return Ok(names);
            }
        }
    }

    pub(super) async fn types(&self) -> Outcome<()> {
        let list = async |from: Option<&str>| {
            let page = self.regions.secondary.thing_types(from).await?;
            let items = page.items.into_iter().map(|there| there.name).collect();
            Ok(Page { items, next: page.next })
        };
        let names = self.names(list).await?;
        self.all(names, async |name| self.thing_type(name).await).await;
        Ok(())
    }

    async fn thing_type(&self, name: &str) -> Outcome<Vec<Item>> {
        let (here, there) =
            (self.regions.primary.thing_type(name).await?, self.regions.secondary.thing_type(name).await?);
        let Some(there) = there.filter(|there| here.as_ref() != Some(there)) else { return Ok(Vec::new()) };
        let found = Found::of(here.as_ref(), Some(&there));
        let known = matches!(
            self.remembered(&tables::type_key(name)).await?,
            Some(Row::Type(row)) if row.mark.is_some()
        );
        let judged = match here {
            None if known => self.resurrected(DELETED, Action::CreateType(there)),
            None => Judged::new(Verdict::Created, MADE, Some(Action::CreateType(there))),
            Some(_) => Judged::new(Verdict::Overwritten, BOTH, None),
        };
        Ok(vec![judged.item(Subject::Type(name.to_owned()), found)])
    }

    pub(super) async fn policies(&self) -> Outcome<()> {
        let names = self.names(async |from| self.regions.secondary.policies(from).await).await?;
        self.all(names, async |name| self.policy(name).await).await;
        Ok(())
    }

    async fn policy(&self, name: &str) -> Outcome<Vec<Item>> {
        let (here, there) =
            (self.regions.primary.policy(name).await?, self.regions.secondary.policy(name).await?);
        let Some(there) = there else { return Ok(Vec::new()) };
        let home = self.regions.home(&there.document)?;
        if here.as_ref().is_some_and(|here| compare::document(&here.document, &home)) {
            return Ok(Vec::new());
        }
        let found = Found::of(here.as_ref(), Some(&there));
        let row = match self.remembered(&tables::policy_key(name)).await? {
            Some(Row::Policy(row)) => Some(row),
            _ => None,
        };
        let policy = Policy { name: name.to_owned(), document: home };
        let judged = match (here, row) {
            (None, Some(_)) => self.resurrected(DELETED, Action::PutPolicy(policy)),
            (None, None) => Judged::new(Verdict::Created, MADE, Some(Action::PutPolicy(policy))),
            (Some(here), row) => {
                let base = row.and_then(|row| row.document);
                let same =
                    |document: &str| base.as_deref().is_some_and(|base| compare::document(base, document));
                if same(&there.document) {
                    Judged::new(Verdict::Kept, HERE, None)
                } else if same(&self.regions.there(&here.document)?) {
                    Judged::new(Verdict::TakenHome, THERE, Some(Action::PutPolicy(policy)))
                } else {
                    Judged::new(Verdict::Overwritten, BOTH, None)
                }
            }
        };
        Ok(vec![judged.item(Subject::Policy(name.to_owned()), found)])
    }

    pub(super) async fn certificates(&self) -> Outcome<()> {
        let ids = self.names(async |from| self.regions.secondary.certificates(from).await).await?;
        self.all(ids, async |id| self.certificate(id).await).await;
        Ok(())
    }

    async fn certificate(&self, id: &str) -> Outcome<Vec<Item>> {
        let names = &self.regions.names;
        let (here, there) =
            (self.regions.primary.certificate(id).await?, self.regions.secondary.certificate(id).await?);
        let Some(there) = there else { return Ok(Vec::new()) };
        let arn = names.certificate_arn(&names.secondary, id);
        let policies = self.regions.secondary.attached_policies(&arn).await?;
        if stays(&policies) {
            return Ok(Vec::new());
        }
        let row = match self.remembered(&tables::certificate_key(id)).await? {
            Some(Row::Certificate(row)) => Some(row),
            _ => None,
        };
        let subject = || Subject::Certificate(id.to_owned());
        let found = Found::of(here.as_ref(), Some(&there));
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
        let home = self.regions.primary.attached_policies(&arn).await?;
        for (name, judged) in attachments(&home, &policies, row.as_ref(), self) {
            let found = Found::flags(home.contains(&name), policies.contains(&name));
            items.push(judged.item(Subject::CertificatePolicy(id.to_owned(), name), found));
        }
        Ok(items)
    }

    /// Groups, parents first.
    pub(super) async fn groups(&self) -> Outcome<()> {
        let names = self.names(async |from| self.regions.secondary.groups(from).await).await?;
        let mut groups = BTreeMap::new();
        for name in names {
            if let Some(group) = self.patient(async || self.regions.secondary.group(&name).await).await? {
                groups.insert(name, group);
            }
        }
        for level in crate::sync::by_depth(&groups) {
            let names = level.into_iter().map(|group| group.name).collect();
            self.all(names, async |name| self.group(name).await).await;
        }
        Ok(())
    }

    async fn group(&self, name: &str) -> Outcome<Vec<Item>> {
        let primary = self.regions.primary;
        let (here, there) = (primary.group(name).await?, self.regions.secondary.group(name).await?);
        let Some(there) = there.filter(|there| here.as_ref() != Some(there)) else { return Ok(Vec::new()) };
        let found = Found::of(here.as_ref(), Some(&there));
        let mark = match self.remembered(&tables::group_key(name)).await? {
            Some(Row::Group(row)) => row.mark,
            _ => None,
        };
        let judged = match (here, mark) {
            (None, mark) => {
                let names = &self.regions.names;
                let arn = names.group_arn(&names.secondary, name);
                let policies = if self.options.identities {
                    self.regions.secondary.attached_policies(&arn).await?
                } else {
                    Vec::new()
                };
                let create = Action::CreateGroup(there, policies);
                match mark {
                    Some(_) => self.resurrected(DELETED, create),
                    None => Judged::new(Verdict::Created, MADE, Some(create)),
                }
            }
            (Some(here), Some(mark)) if !mark.deleted => {
                let life = primary.group_incarnation(name).await?.unwrap_or_default();
                let unchanged = life.id == mark.id && life.version == mark.version;
                let update = unchanged && parent(&here) == parent(&there);
                let action = update.then_some(Action::UpdateGroup(there));
                match action {
                    Some(action) => Judged::new(Verdict::TakenHome, THERE, Some(action)),
                    None => Judged::new(Verdict::Overwritten, BOTH, None),
                }
            }
            (Some(_), _) => Judged::new(Verdict::Overwritten, BOTH, None),
        };
        Ok(vec![judged.item(Subject::Group(name.to_owned()), found)])
    }
}

fn parent(group: &Group) -> Option<&str> {
    group.parent.as_deref()
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

/// Policies that a certificate has in one Region only.
fn attachments<P: Region, S: Region, C: Clock, M: State>(
    here: &[String],
    there: &[String],
    row: Option<&CertificateRow>,
    planner: &Planner<'_, P, S, C, M>,
) -> Vec<(String, Judged)> {
    let (here, there) = (BTreeSet::from_iter(here), BTreeSet::from_iter(there));
    let known = row.filter(|row| row.status.is_some());
    let mut judged = Vec::new();
    for name in there.difference(&here) {
        judged.push((
            (*name).clone(),
            match known {
                Some(row) if row.policies.contains(*name) => Judged::new(Verdict::Kept, HERE, None),
                Some(_) => {
                    let action = Action::AttachPolicy((*name).clone());
                    Judged::new(Verdict::TakenHome, THERE, Some(action))
                }
                None => Judged::new(Verdict::Overwritten, BOTH, None),
            },
        ));
    }
    for name in here.difference(&there) {
        judged.push((
            (*name).clone(),
            match known {
                Some(row) if row.policies.contains(*name) => {
                    planner.removed(Action::DetachPolicy((*name).clone()))
                }
                _ => Judged::new(Verdict::Kept, HERE, None),
            },
        ));
    }
    judged
}
