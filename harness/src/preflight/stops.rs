//! Whether something that would end the run at once is pressed, and whether what may end it can be watched.

use futures::FutureExt;

use super::{Check, Finding, Ground, Stage};
use crate::run::stops_ready;

pub(super) static CHECK: Check = Check {
    name: "stop",
    label: "Stop conditions",
    stage: Stage::Here,
    can_be_ignored: false,
    look: |ground| look(ground).boxed_local(),
};

async fn look(ground: &Ground<'_>) -> Finding {
    match stops_ready(&ground.scenario.stop).await {
        Ok(()) => Finding::passed("none of them holds"),
        Err(error) => Finding::refused(format!("{error:#}")),
    }
}
