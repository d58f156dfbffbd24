//! Making devices call by call through the IoT API, at the pace that the quotas allow.

use std::fs::File;

use futures::{StreamExt, stream};
use parking_lot::Mutex;
use replicator::policy::certificate_arn;

use super::{
    State,
    create::{Creation, Failed},
    states::{self, Book, Fact, States},
};
use crate::{
    fleet::{Issued, Recipe},
    journal::delete_certificate,
};

/// Devices that are made at once.
const PARALLEL: usize = 64;
/// After so many failures something is wrong with more than a device.
const FAILED_MAX: usize = 50;

/// Makes every device that is not made, shard by shard.
pub(super) async fn make(creation: &Creation<'_>) -> anyhow::Result<Failed> {
    make_those(creation, State::is_to_make).await
}

/// Finishes the devices that have a certificate and not all else.
pub(super) async fn finish(creation: &Creation<'_>) -> anyhow::Result<Failed> {
    make_those(creation, |state| matches!(state, State::Issued(_))).await
}

async fn make_those(creation: &Creation<'_>, is_wanted: fn(&State) -> bool) -> anyhow::Result<Failed> {
    let (manifest, counts) = (&creation.pool.manifest, creation.pool.counts()?);
    creation.progress.begin("devices", counts.made, manifest.devices);
    let mut failed = Failed::new();
    for shard in creation.pool.shards()? {
        let mut states = states::read(&shard.states())?;
        let csrs = shard.csr_pems()?;
        let todo = (shard.first..).zip(csrs).filter_map(|(number, csr)| {
            let state = states.remove(&number).unwrap_or_default();
            is_wanted(&state).then_some((number, csr, state))
        });
        let states = States::open(&shard.states())?;
        let maker = Maker { creation, recipe: &creation.making()?.recipe, states: Mutex::new(states) };
        let mut making = stream::iter(todo)
            .map(|(number, csr, state)| {
                let maker = &maker;
                async move { (number, maker.make(number, csr, state).await) }
            })
            .buffer_unordered(PARALLEL);
        while let Some((number, made)) = making.next().await {
            match made {
                Ok(true) => creation.progress.step(),
                Ok(false) => {}
                Err(error) => {
                    failed.insert(number, format!("{error:#}"));
                    if failed.len() >= FAILED_MAX && !creation.stop.is_cancelled() {
                        creation
                            .output
                            .line(&format!("{FAILED_MAX} devices could not be made: giving up for now"));
                        creation.stop.cancel();
                    }
                }
            }
        }
        drop(making);
        maker.states.lock().sync()?;
        if creation.stop.is_cancelled() {
            break;
        }
    }
    Ok(failed)
}

/// Makes the devices of a shard.
struct Maker<'a, B = File> {
    creation: &'a Creation<'a>,
    recipe: &'a Recipe,
    states: Mutex<States<B>>,
}

impl<B: Book> Maker<'_, B> {
    /// Makes a device, or goes on with it. `false`: it was not begun, to stop.
    async fn make(&self, number: u32, csr: String, state: State) -> anyhow::Result<bool> {
        let Creation { aws, home, pool, stop, .. } = self.creation;
        // Whoever still waits for a turn is not begun.
        if state.certificate().is_none() {
            stop.run_until_cancelled(self.recipe.turn(aws)).await;
        }
        if stop.is_cancelled() {
            return Ok(false);
        }
        let name = pool.device(number);
        let arn = if let Some(certificate) = state.certificate() {
            certificate_arn(&home.primary, &home.account, &certificate.id)
        } else {
            let Issued { arn, id: certificate_id, pem: certificate_pem } =
                self.recipe.issue_in_turn(aws, &name, csr).await?;
            let fact = Fact::Issued { device: number, certificate_id, certificate_pem };
            if let Err(error) = self.write_down(&fact) {
                return Err(self.take_back(&arn, error).await);
            }
            arn
        };
        self.recipe.equip(aws, &name, &arn).await?;
        self.write_down(&Fact::Made { device: number })?;
        Ok(true)
    }

    /// If it cannot be, nothing more is begun: what cannot be written down would be made for nobody.
    fn write_down(&self, fact: &Fact) -> anyhow::Result<()> {
        let written = self.states.lock().add(fact);
        if written.is_err() && !self.creation.stop.is_cancelled() {
            self.creation.output.line("what is made cannot be written down: nothing more is made");
            self.creation.stop.cancel();
        }
        written
    }

    /// Deletes a certificate again that nobody would ever know of. The answer is what to say.
    async fn take_back(&self, arn: &str, error: anyhow::Error) -> anyhow::Error {
        let aws = self.creation.aws;
        let Err(why) = delete_certificate(aws, &aws.primary, arn, &self.recipe.policy).await else {
            return error;
        };
        let (id, region) = (arn.rsplit('/').next().unwrap_or_default(), &aws.primary.region);
        error.context(format!(
            "certificate {id} in {region} is not written down and could not be deleted ({why:#}); by hand: aws iot \
             update-certificate --region {region} --certificate-id {id} --new-status INACTIVE, aws iot delete-certificate \
             --region {region} --certificate-id {id}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::{Given, site::Site};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_certificate_that_cannot_be_written_down_is_taken_back_and_nothing_more_is_made() {
        let site = Site::start().await;
        let mut pool = site.pool("lamps", 2);
        let refused = site.refuse("CreateCertificateFromCsr");
        assert_eq!(site.creation(&mut pool).run(&Given::default()).await.unwrap().len(), 2);
        drop(refused);
        let shard = pool.shards().unwrap().remove(0);
        let csr = shard.csr_pems().unwrap().remove(0);
        let creation = site.creation(&mut pool);
        let states = States::open(&shard.states()).unwrap().with_room_for(100);
        let recipe = &creation.making().unwrap().recipe;
        let maker = Maker { creation: &creation, recipe, states: Mutex::new(states) };
        let error = maker.make(1, csr.clone(), State::New).await.unwrap_err();
        assert!(format!("{error:#}").contains("cannot be written"), "{error:#}");
        assert!(creation.stop.is_cancelled());
        assert!(!maker.make(2, csr, State::New).await.unwrap(), "it is not begun");
        assert!(site.certificates(&site.aws.primary).await.is_empty(), "none is left that nobody knows");
        assert!(states::read(&shard.states()).unwrap().is_empty());
    }
}
