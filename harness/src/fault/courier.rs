//! A thing with a shadow, sent through the replicator: by how it arrives, or does not, a fault of replication is seen to act.
//! It carries the run's attribute, so that it goes with the run's devices.

use std::time::Duration;

use anyhow::{anyhow, bail};
use aws_sdk_iot::types::AttributePayload;
use aws_smithy_types::Blob;
use tokio::time::{Instant, sleep};

use super::ground::{Ground, PROOF_MAX, seconds};
use crate::{
    aws::{Missing, describe},
    journal::Change,
    names::{RUN_ATTRIBUTE, new_id},
};

/// The first one, before anything is broken, has this long.
const BEFORE_MAX: Duration = Duration::from_secs(15);
/// One that has not arrived after this long and so many times as long as the one before the fault was held up.
const HELD_UP_MIN: Duration = Duration::from_secs(3);
const HELD_UP_TIMES: u32 = 5;
const POLL: Duration = Duration::from_millis(100);

/// What has to arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cargo {
    /// The thing.
    Thing,
    /// Its classic shadow.
    Shadow,
}

/// A way through the replicator that was seen to be open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    cargo: Cargo,
    took: Duration,
}

impl Way {
    /// Sends one before anything is broken. A way that is closed already shows nothing later.
    pub(super) async fn open(ground: &Ground<'_>, cargo: Cargo) -> anyhow::Result<Self> {
        // What is sent goes with the devices of the run, also when there are none.
        for clients in [&ground.aws.secondary, &ground.aws.primary] {
            ground.journal.intend(Change::Fleet {
                region: clients.region.clone(),
                run: ground.run.to_owned(),
                policy: ground.deployment.device_policy.clone(),
            })?;
        }
        match sent(ground, cargo, BEFORE_MAX).await? {
            Some(took) => Ok(Self { cargo, took }),
            None => {
                bail!("nothing came through the replicator within {} before the fault", seconds(BEFORE_MAX))
            }
        }
    }

    /// Waits until one does not arrive in the time in which it should have.
    pub(super) async fn closed(self, ground: Ground<'_>) -> anyhow::Result<String> {
        let patience = HELD_UP_MIN.max(self.took * HELD_UP_TIMES);
        let limit = Instant::now() + PROOF_MAX;
        let cargo = match self.cargo {
            Cargo::Thing => "a thing",
            Cargo::Shadow => "a shadow",
        };
        while Instant::now() < limit {
            if sent(&ground, self.cargo, patience).await?.is_none() {
                return Ok(format!(
                    "{cargo} was not in the secondary after {}; the one before the fault took {}",
                    seconds(patience),
                    seconds(self.took)
                ));
            }
        }
        bail!("{cargo} still came through after {}", seconds(PROOF_MAX))
    }
}

/// Makes a thing with a shadow in the primary; the answer is how long what counts took to the secondary.
async fn sent(ground: &Ground<'_>, cargo: Cargo, patience: Duration) -> anyhow::Result<Option<Duration>> {
    let (primary, secondary) = (&ground.aws.primary, &ground.aws.secondary);
    let thing = format!("gd-{}-probe-{}", ground.run, new_id());
    let mark = AttributePayload::builder().attributes(RUN_ATTRIBUTE, ground.run).build();
    let create = primary.iot.create_thing().thing_name(&thing).attribute_payload(mark);
    create.send().await.map_err(|e| anyhow!(describe(&e)))?;
    if cargo == Cargo::Shadow {
        let payload = Blob::new(r#"{"state":{"reported":{"probe":true}}}"#);
        let update = primary.data.update_thing_shadow().thing_name(&thing).payload(payload);
        update.send().await.map_err(|e| anyhow!(describe(&e)))?;
    }
    let began = Instant::now();
    while began.elapsed() < patience {
        let is_there = match cargo {
            Cargo::Thing => {
                secondary.iot.describe_thing().thing_name(&thing).send().await.missing_ok()?.is_some()
            }
            Cargo::Shadow => {
                secondary.data.get_thing_shadow().thing_name(&thing).send().await.missing_ok()?.is_some()
            }
        };
        if is_there {
            return Ok(Some(began.elapsed()));
        }
        sleep(POLL).await;
    }
    Ok(None)
}
