//! Whether an earlier run has left something, by the marks that everything of a run carries. What belongs to a run that goes on is
//! none: that is for the lease.

use futures::FutureExt;
use gameday_report::units;

use super::{Check, Finding, Ground, Stage};
use crate::{cleanup, lease};

pub(super) static CHECK: Check = Check {
    name: "leftovers",
    label: "Nothing left of earlier runs",
    stage: Stage::There,
    can_be_ignored: true,
    look: |ground| look(ground).boxed_local(),
};

/// Runs that are told.
const TOLD_MAX: usize = 3;

async fn look(ground: &Ground<'_>) -> Finding {
    let looked = futures::future::try_join(cleanup::discover(ground.aws), lease::in_the_way(ground.aws));
    let (found, going) = match looked.await {
        Ok(looked) => looked,
        Err(error) => return Finding::unknown(format!("{error:#}")),
    };
    let is_going = |run: &str| going.as_ref().is_some_and(|lease| lease.run == run);
    let left: Vec<(String, String)> = found
        .into_iter()
        .filter(|(run, found)| !found.is_lease_only() && !is_going(run))
        .map(|(run, found)| (run, found.brief()))
        .collect();
    judge(&left, &ground.target.endpoints.api_url)
}

fn judge(left: &[(String, String)], url: &str) -> Finding {
    if left.is_empty() {
        return Finding::passed("nothing in either Region carries the mark of a run");
    }
    let said = left.iter().take(TOLD_MAX).map(|(run, what)| format!("run {run} left {what}"));
    let said = said.collect::<Vec<_>>().join("; ");
    let more = match left.len().saturating_sub(TOLD_MAX) {
        0 => String::new(),
        more => format!("; and {}", units::plural(more as u64, "more run")),
    };
    let ids: Vec<&str> = left.iter().take(TOLD_MAX).map(|(run, _)| run.as_str()).collect();
    let ids = ids.join(" ");
    Finding::refused(format!(
        "{said}{more}: `gameday restore {ids}` undoes it with the run folder, `gameday cleanup {ids} --target {url}` without"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_with_what_deletes_it() {
        let run = |n: u32| (format!("run{n:05}"), "6 things in us-east-1".to_owned());
        let one = judge(&[run(1)], "http://x").why;
        assert!(one.contains("run run00001 left 6 things in us-east-1:"), "{one}");
        assert!(one.contains("`gameday cleanup run00001 --target http://x`"), "{one}");
        let many = judge(&[run(1), run(2), run(3), run(4), run(5)], "http://x").why;
        assert!(many.contains("and 2 more runs: ") && !many.contains("run00004"), "{many}");
    }
}
