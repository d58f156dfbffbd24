//! The device that is made for the checks, in the primary, and its deletion there, step by step: what becomes of it in the secondary
//! is for the replicator to do.

use std::time::Duration;

use anyhow::anyhow;
use jiff::Timestamp;
use replicator::{
    model::{Policy, Status},
    outcome::{Class, Failure, Outcome, Settled},
    policy::{certificate_arn, partition},
    ports::{Identities, Shadows, Things},
};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout_at};

use super::Verification;
use crate::{
    fleet::Recipe,
    identity::{Identity, KeyKind, key_and_csr, key_sha256},
    journal::Change,
    names::RUN_ATTRIBUTE,
};

/// The pause before a deletion that failed is tried again; it doubles, up to the other.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What a verification makes, by name: the thing and the policy are called alike.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) thing: String,
    pub(super) policy: String,
    /// None: no certificate was issued.
    pub(super) certificate_id: Option<String>,
}

/// The device.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) policy: String,
    pub(super) certificate_id: String,
    pub(super) identity: Identity,
}

impl Subject {
    /// The one topic on which it may speak and hear.
    pub(super) fn topic(&self) -> String {
        topic(&self.name)
    }
}

fn topic(name: &str) -> String {
    format!("gameday/verify/{name}")
}

/// It may connect as itself, and speak and hear on its topic, all of it in one Region: were that Region not rewritten, it could do
/// nothing in the other.
fn document(region: &str, account: &str, name: &str) -> String {
    let (arn, topic) = (format!("arn:{}:iot:{region}:{account}", partition(region)), topic(name));
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": format!("{arn}:client/{name}")},
        {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"], "Resource": format!("{arn}:topic/{topic}")},
        {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": format!("{arn}:topicfilter/{topic}")},
    ]})
    .to_string()
}

impl Verification<'_> {
    pub(super) fn names(&self) -> Names {
        let name = format!("gd-verify-{}", self.id);
        Names { thing: name.clone(), policy: name, certificate_id: self.certificate_id.lock().clone() }
    }

    /// Makes the device in the primary. It is never left half done: whoever stops this waits for its end.
    pub(super) async fn make(&self) -> anyhow::Result<Subject> {
        let Names { thing, policy, .. } = self.names();
        // Undone from the last to the first: the primary before the secondary, so that nothing is brought again.
        for region in [&self.aws.secondary.region, &self.aws.primary.region] {
            let (run, policy) = (self.id.clone(), policy.clone());
            self.journal.intend(Change::Policy { region: region.clone(), name: policy.clone() })?;
            self.journal.intend(Change::Fleet { region: region.clone(), run, policy })?;
        }
        let names = &self.both.names;
        let document = document(&names.primary, &names.account, &thing);
        let created = self.both.primary.create_policy(&Policy { name: policy.clone(), document }).await;
        created.map_err(|failure| anyhow!("{failure}"))?;
        let (key, csr) = key_and_csr(&thing, KeyKind::P256)?;
        self.journal.intend(Change::Certificates {
            region: self.aws.primary.region.clone(),
            since: Timestamp::now(),
            keys: vec![key_sha256(&key)],
        })?;
        let attributes = [(RUN_ATTRIBUTE.to_owned(), self.id.clone())].into();
        let recipe = Recipe { policy: policy.clone(), attributes, ..Recipe::default() };
        let issued = recipe.issue(self.aws, &thing, csr).await?;
        // Before it has its policy nothing else leads to it.
        *self.certificate_id.lock() = Some(issued.id.clone());
        for region in [&self.aws.secondary.region, &self.aws.primary.region] {
            self.journal.intend(Change::Certificate { region: region.clone(), id: issued.id.clone() })?;
        }
        self.journal.is_found(&key_sha256(&key));
        recipe.equip(self.aws, &thing, &issued.arn).await?;
        let identity = Identity { certificate_pem: issued.pem, key_der: key.serialize_der() };
        Ok(Subject { name: thing, policy, certificate_id: issued.id, identity })
    }

    /// Shadow and thing.
    pub(super) async fn delete_device(&self, subject: &Subject, limit: Instant) -> Outcome<()> {
        let (region, name) = (&self.both.primary, &subject.name);
        self.settle(limit, async || region.delete_shadow(name, "").await).await?;
        let arn = self.arn(&subject.certificate_id);
        self.settle(limit, async || region.detach_principal(name, &arn).await).await?;
        // Detaching takes a while to be seen: until then it is a conflict, which is tried again.
        self.settle(limit, async || region.delete_thing(name, None).await).await
    }

    /// Certificate and policy.
    pub(super) async fn delete_identity(&self, subject: &Subject, limit: Instant) -> Outcome<()> {
        let (region, arn) = (&self.both.primary, self.arn(&subject.certificate_id));
        self.settle(limit, async || region.detach_policy(&subject.policy, &arn).await).await?;
        let id = &subject.certificate_id;
        self.settle(limit, async || region.set_status(id, Status::Inactive).await).await?;
        self.settle(limit, async || region.delete_certificate(id).await).await?;
        self.settle(limit, async || region.delete_policy(&subject.policy).await).await
    }

    /// Calls until it is done, the time is up or somebody stops it. What is not there is done.
    async fn settle(&self, limit: Instant, call: impl AsyncFn() -> Outcome<()>) -> Outcome<()> {
        const STEP: &str = "delete";
        let mut pause = PAUSE_MIN;
        let calls = async {
            loop {
                let late = || Err(Failure::transient(STEP, "no answer in time"));
                let done = timeout_at(limit, call()).await.unwrap_or_else(|_| late());
                match done.settled(Class::NotFound) {
                    Err(failure) if failure.is_transient() && Instant::now() + pause < limit => {}
                    done => return done.map(drop),
                }
                sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        };
        tokio::select! {
            () = self.stop.cancelled() => Err(Failure::permanent(STEP, "stopped")),
            done = calls => done,
        }
    }

    fn arn(&self, certificate_id: &str) -> String {
        let names = &self.both.names;
        certificate_arn(&names.primary, &names.account, certificate_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_is_of_one_region_in_every_statement() {
        let document = document("cn-north-1", "1", "gd-verify-a");
        assert_eq!(document.matches("arn:aws-cn:iot:cn-north-1:1:").count(), 3, "{document}");
        let moved = replicator::policy::in_region(&document, "cn-north-1", "cn-northwest-1").unwrap();
        assert_eq!(moved.matches(":cn-northwest-1:").count(), 3, "{moved}");
        assert!(document.contains(":topicfilter/gameday/verify/gd-verify-a\""), "{document}");
    }
}
