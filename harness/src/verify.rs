//! Does a deployment do what it is for? A device is made in the primary; it has to come to the secondary whole, to be let in by both
//! Regions and hear itself there, to have its shadow in the secondary, and to go from there when it goes from the primary.
//!
//! Whatever was made is in the undo journal before it is made, and undone in the end, whatever happened. What is found after that is
//! deleted and, if it stays, named: each Region by itself, so that one that does not answer keeps nothing in the other.

mod check;
mod device;
mod echo;
mod gone;

use std::{sync::Arc, time::Duration};

use gameday_report::Verdict;
use parking_lot::Mutex;
use replicator::{
    aws::Both,
    compare::{self, Difference},
    model::Shadow,
    outcome::{Failure, Outcome},
    ports::{Shadows, Things},
};
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::{device::Subject, echo::Echo};
use crate::{
    arrival::{Arrival, arrival},
    aws::Aws,
    clock::RunClock,
    deploy::{Place, RegionSite},
    fleet::{Dialer, Resolver, Tls},
    journal::Journal,
    output::Output,
};

pub(crate) use check::{Check, Kind};

/// What a verification works with.
#[derive(Debug)]
pub(crate) struct Verification<'a> {
    /// What tells its device from those of others.
    pub(crate) id: String,
    pub(crate) aws: &'a Aws,
    pub(crate) both: &'a Both,
    pub(crate) place: &'a Place,
    pub(crate) resolver: Arc<Resolver>,
    pub(crate) journal: &'a Journal,
    pub(crate) output: &'a Output,
    pub(crate) stop: CancellationToken,
    /// What each check may take.
    pub(crate) within: Duration,
    /// What the deletion of a certificate and a policy may take.
    pub(crate) identities_within: Duration,
    /// The certificate that was issued.
    pub(crate) certificate_id: Mutex<Option<String>>,
}

/// How a check ended, and what there is to say of it.
type Ended = (Verdict, String);

impl Verification<'_> {
    /// Makes the device and checks; `on_check` is told of each check when it has ended. What was made stands until [`Self::undo`].
    pub(crate) async fn run(&self, on_check: &mut dyn FnMut(&Check)) -> Vec<Check> {
        let mut checks = Vec::new();
        let (primary, secondary) = (&self.place.primary, &self.place.secondary);
        let regions = [self.aws.primary.region.as_str(), self.aws.secondary.region.as_str()];
        self.output.status("making a device in the primary");
        let subject = self.make().await;
        for kind in Kind::ALL {
            let region = regions[usize::from(!matches!(kind, Kind::PubSubPrimary))];
            self.output.status(&format!("{} in {region}", kind.name()));
            let began = Instant::now();
            let (verdict, detail) = match &subject {
                _ if self.stop.is_cancelled() => stopped(),
                Err(error) => (Verdict::Unknown, format!("the device could not be made: {error:#}")),
                Ok(subject) => match kind {
                    Kind::Match => self.matches(subject).await,
                    Kind::PubSubPrimary => self.echoes(subject, primary).await,
                    Kind::PubSubSecondary => self.echoes(subject, secondary).await,
                    Kind::Shadow => self.shadow_arrives(subject).await,
                    Kind::Delete => {
                        let had_come = has_passed(&checks, Kind::Match) && has_passed(&checks, Kind::Shadow);
                        only_if(had_come, self.device_goes(subject).await)
                    }
                    Kind::DeleteIdentity => {
                        only_if(has_passed(&checks, Kind::Match), self.identity_goes(subject).await)
                    }
                },
            };
            let region = region.to_owned();
            let check = Check { kind, region, verdict, seconds: began.elapsed().as_secs_f64(), detail };
            on_check(&check);
            checks.push(check);
        }
        checks
    }

    /// Thing, certificate and policy, as the replicator's own library compares them.
    async fn matches(&self, subject: &Subject) -> Ended {
        let name = &subject.name;
        let look = async || {
            // Anew each time: it remembers what policies say.
            let regions = self.both.regions();
            let (here, there) =
                futures::try_join!(regions.primary.thing(name), regions.secondary.thing(name))?;
            let here = here.ok_or_else(|| Failure::permanent("match", "the primary lost the thing"))?;
            let mut differences = compare::thing(&here.thing, there.as_ref().map(|there| &there.thing));
            let found = regions.compare_identity(name).await?;
            if !found.has_active {
                return Err(Failure::transient(
                    "match",
                    "the primary shows no active certificate of the thing",
                ));
            }
            differences.extend(found.differences);
            Ok((!differences.is_empty()).then_some(differences))
        };
        let say = |differences: Vec<Difference>| {
            differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        let certificate = compare::short(&subject.certificate_id);
        let good = format!("thing {name}, certificate {certificate} ACTIVE, policy {}", subject.policy);
        ended(self.arrives(self.within, look).await, good, say)
    }

    /// The device connects with its certificate, and hears what it says.
    async fn echoes(&self, subject: &Subject, site: &RegionSite) -> Ended {
        let config = Tls::new(&self.place.ca_pem).and_then(|tls| tls.config(&subject.identity));
        let config = match config {
            Ok(config) => config,
            Err(error) => return (Verdict::Unknown, format!("{error:#}")),
        };
        let dialer = Dialer::new(config, self.resolver.clone(), site.mqtt_port, RunClock::start());
        let echo =
            Echo { dialer: &dialer, client_id: &subject.name, host: &site.host, topic: subject.topic() };
        tokio::select! {
            () = self.stop.cancelled() => stopped(),
            ended = echo.run(Instant::now() + self.within) => ended,
        }
    }

    /// Written in the primary, it has to be in the secondary.
    async fn shadow_arrives(&self, subject: &Subject) -> Ended {
        let state = json!({"reported": {"gameday": {"verify": self.id}, "temperature": 21}});
        let wanted = Shadow { state: state.clone(), ..Shadow::default() };
        if let Err(failure) = self.both.primary.update_shadow(&subject.name, "", &state, None).await {
            return (Verdict::Unknown, format!("it could not be written in the primary: {failure}"));
        }
        let look = async || {
            Ok(match self.both.secondary.shadow(&subject.name, "").await? {
                None => Some("the secondary does not have it"),
                Some(found) => {
                    (!compare::shadow(&wanted, &found)).then_some("the secondary has another state")
                }
            })
        };
        let good = "written in the primary, the same in the secondary".to_owned();
        ended(self.arrives(self.within, look).await, good, str::to_owned)
    }

    /// Thing and shadow, deleted in the primary.
    async fn device_goes(&self, subject: &Subject) -> Ended {
        if let Err(failure) = self.delete_device(subject, Instant::now() + self.within).await {
            return self.undeleted(&failure);
        }
        let look = async || gone::device_of(self.both, &subject.name).await;
        let good = "thing and shadow are gone from both Regions".to_owned();
        ended(self.arrives(self.within, look).await, good, |left| left.join("; "))
    }

    /// Certificate and policy, deleted in the primary.
    async fn identity_goes(&self, subject: &Subject) -> Ended {
        let limit = Instant::now() + self.identities_within;
        if let Err(failure) = self.delete_identity(subject, limit).await {
            return self.undeleted(&failure);
        }
        let look = async || gone::identity_of(self.both, &subject.certificate_id, &subject.policy).await;
        let good = "certificate and policy are gone from both Regions".to_owned();
        ended(self.arrives(self.identities_within, look).await, good, |left| left.join("; "))
    }

    fn undeleted(&self, failure: &Failure) -> Ended {
        if self.stop.is_cancelled() {
            return stopped();
        }
        (Verdict::Unknown, format!("it could not be deleted in the primary: {failure}"))
    }

    async fn arrives<T>(&self, within: Duration, look: impl AsyncFn() -> Outcome<Option<T>>) -> Arrival<T> {
        let since = Instant::now();
        arrival(since, since + within, &self.stop, look).await
    }

    /// Undoes all that was made; the answer is what is left, each with what to do by hand. `has_come`: the device was seen in the
    /// secondary, so that nothing of it is on its way there any more.
    pub(crate) async fn undo(&self, has_come: bool) -> Vec<String> {
        let failed = self.journal.undo_all(self.aws, self.output).await;
        let mut left = Vec::new();
        for region in [&self.both.primary, &self.both.secondary] {
            let on_its_way = !has_come && region.name() == self.both.secondary.name();
            match gone::sweep(region, &self.names(), on_its_way, self.output).await {
                // Whatever could not be undone then, this is what is there now.
                Ok(found) => left.extend(found),
                Err(failure) => {
                    let (thing, region) = (&self.names().thing, region.name());
                    left.push(format!(
                        "what is left of {thing} in {region}, thing, shadow, certificate and policy, cannot be said: {failure}"
                    ));
                    let there = failed.iter().filter(|(change, _)| change.region() == region);
                    left.extend(there.map(|(change, why)| change.left(why)));
                }
            }
        }
        left
    }
}

/// Whether a check of that kind has passed.
pub(crate) fn has_passed(checks: &[Check], kind: Kind) -> bool {
    checks.iter().any(|check| check.kind == kind && check.verdict == Verdict::Pass)
}

/// What was never there is gone without anything having been deleted.
fn only_if(had_come: bool, ended: Ended) -> Ended {
    match ended {
        (Verdict::Pass, detail) if !had_come => {
            (Verdict::Unknown, format!("{detail}, and were not seen to have come to the secondary before"))
        }
        ended => ended,
    }
}

fn stopped() -> Ended {
    (Verdict::Unknown, "stopped".to_owned())
}

fn ended<T>(arrival: Arrival<T>, good: String, say: impl FnOnce(T) -> String) -> Ended {
    match arrival {
        Arrival::There { .. } => (Verdict::Pass, good),
        Arrival::NotInTime(instead) => (Verdict::Fail, say(instead)),
        Arrival::Unknown(why) => (Verdict::Unknown, why),
        Arrival::Stopped => stopped(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_came_is_not_said_to_have_been_deleted() {
        let ended = |verdict| (verdict, "gone".to_owned());
        assert_eq!(only_if(true, ended(Verdict::Pass)), ended(Verdict::Pass));
        assert_eq!(only_if(false, ended(Verdict::Pass)).0, Verdict::Unknown);
        assert_eq!(only_if(false, ended(Verdict::Fail)), ended(Verdict::Fail), "it is there");
    }
}
