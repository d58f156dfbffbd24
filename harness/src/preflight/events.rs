//! Registry events of the primary, from which replication lives: on, or to be switched on by the run. Fleet indexing is not looked
//! at: nothing of a run needs it.

use futures::FutureExt;

use super::{Check, Finding, Ground, Stage};
use crate::deploy::events_off;

pub(super) static CHECK: Check = Check {
    name: "events",
    label: "Registry events",
    stage: Stage::There,
    can_be_ignored: true,
    look: |ground| look(ground).boxed_local(),
};

async fn look(ground: &Ground<'_>) -> Finding {
    match events_off(&ground.aws.primary).await {
        Err(error) => {
            Finding::unknown(format!("{error:#}: let the credentials call iot:DescribeEventConfigurations"))
        }
        Ok(off) if off.is_empty() => Finding::passed("they are on, and stay as they are"),
        Ok(off) => Finding::passed(format!(
            "the run switches on what is off ({}), and off again when no other deployment needs it",
            off.join(", ")
        )),
    }
}
