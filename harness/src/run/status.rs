//! Showing how the run stands while it goes on.

use std::{sync::Arc, time::Duration};

use super::onlooker::Onlooker;
use crate::output::{Output, Progress};

/// On a terminal, in a pipe, and for programs.
const LIVE: Duration = Duration::from_millis(250);
const PLAIN: Duration = Duration::from_secs(5);
const JSON: Duration = Duration::from_secs(1);
/// Steps that say themselves what they do.
const TALKATIVE: [&str; 2] = ["deploy", "clean-up"];

/// Shows it until dropped.
pub(super) async fn show(onlooker: Arc<Onlooker>, output: Arc<Output>) {
    let period = match output.progress() {
        Progress::Live => LIVE,
        Progress::Plain => PLAIN,
        Progress::Json => JSON,
    };
    loop {
        tokio::time::sleep(period).await;
        let status = onlooker.status();
        let is_talkative = status.step.as_ref().is_none_or(|step| TALKATIVE.contains(&step.name.as_str()));
        output.standing(&status, is_talkative);
    }
}
