//! Whether another game day is under way in these Regions.

use futures::FutureExt;

use super::{Check, Finding, Ground, Stage};
use crate::lease;

pub(super) static CHECK: Check = Check {
    name: "lease",
    label: "No other game day",
    stage: Stage::There,
    can_be_ignored: false,
    look: |ground| look(ground).boxed_local(),
};

async fn look(ground: &Ground<'_>) -> Finding {
    if ground.target.is_embedded() {
        return Finding::passed("the twin is in this process, and nobody else's");
    }
    match lease::in_the_way(ground.aws).await {
        Ok(None) => Finding::passed("nobody has the lease"),
        Ok(Some(lease)) => Finding::refused(format!(
            "another game day is under way: {lease}; wait for its end, or end it there with gameday abort {}",
            lease.run
        )),
        Err(error) => Finding::unknown(format!("{error:#}")),
    }
}
