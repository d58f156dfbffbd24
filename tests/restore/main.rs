//! What becomes of a game day whose process is killed: `gameday restore` undoes it from its run folder, and so does the
//! dead-man's switch when nobody calls.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod kill;
mod killed;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use gameday_tests::{
    TwinProcess,
    site::{Site, WAIT_MAX},
};
use killed::Killed;
use serde_json::json;

fn block_on(test: impl Future<Output = Result<()>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test).unwrap();
}

/// A twin that outlives its runs.
async fn site() -> Result<Site> {
    Ok(Site::of(TwinProcess::start()?).await)
}

/// Waits, within a bound, until something holds.
async fn until(what: &str, within: Duration, mut holds: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !holds().await? {
        ensure!(began.elapsed() < within, "{what}: not within {within:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

#[test]
fn a_certificate_is_found_by_its_key_that_was_issued_for_a_run_that_is_no_more() {
    block_on(async {
        let site = site().await?;
        let mut run = Killed::start(&site, &[])?;
        run.until_step("deploy")?;
        // The certificates of the health checks are issued, and nothing is attached to them.
        site.fault(&["api", "service=iot", "operation=AttachPolicy", "how=hang"])?;
        until("a certificate is issued", Duration::from_mins(1), async || {
            Ok(!site.primary.certificate_ids().await?.is_empty())
        })
        .await?;
        run.kill(false)?;
        let id = site.primary.certificate_ids().await?.pop_first().context("a certificate")?;
        let arn = format!("arn:aws:iot:us-east-1:123456789012:cert/{id}");
        let attached = site.primary.iot.list_attached_policies().target(arn).send().await;
        ensure!(attached.map_or(true, |found| found.policies().is_empty()), "nothing leads to it");
        site.does(&["twin", "fault", "clear", "--all"])?;
        run.restore(&site, 0)?;
        ensure!(site.leftovers().await?.is_empty(), "{:?}", site.leftovers().await?);
        Ok(())
    });
}

#[test]
fn a_run_that_goes_on_is_left_alone_unless_it_is_taken_over() {
    block_on(async {
        let site = site().await?;
        let mut run = Killed::start(&site, &[])?;
        run.until_step("provision")?;
        let (printed, said) = run.restore(&site, 14)?;
        ensure!(said.contains("the run goes on, in process"), "{printed}{said}");
        ensure!(run.is_alive()?, "it was left alone");
        let (code, said) = run.command(&site, &["restore", "--force"])?;
        ensure!(code == Some(0) && said.contains("killing process"), "{code:?} {said}");
        ensure!(!run.is_alive()?, "it was killed");
        run.assert_nothing_is_left(&site).await
    });
}

#[test]
fn the_dead_mans_switch_restores_when_nobody_calls() {
    block_on(async {
        let site = site().await?;
        let mut run = Killed::start(&site, &[])?;
        run.until_step("heal")?;
        until("the switch is ended after the cure", Duration::from_secs(20), async || {
            Ok(run.switch().is_none())
        })
        .await?;
        run.kill(false)?;
        run.restore(&site, 0)?;

        let mut run = Killed::start(&site, &[])?;
        run.until_fault()?;
        ensure!(run.switch().is_some(), "it is there before anything is broken");
        run.kill(false)?;
        until("the switch has restored", Duration::from_mins(1), async || Ok(run.switch().is_none())).await?;
        ensure!(site.leftovers().await?.is_empty(), "{:?}", site.leftovers().await?);
        let (_, said) = run.restore(&site, 0)?;
        ensure!(said.contains("nothing is to be done"), "{said}");
        run.assert_nothing_is_left(&site).await
    });
}

#[test]
fn what_was_killed_is_judged_as_far_as_it_went_and_has_not_passed() {
    block_on(async {
        let site = site().await?;
        let mut run = Killed::start(&site, &[])?;
        run.until_fault()?;
        run.kill(true)?;
        // As a kill in the middle of a write leaves it.
        run.tear("undo.ndjson")?;
        run.tear("events.ndjson")?;
        let (_, said) = run.restore(&site, 0)?;
        ensure!(said.contains("healed: primary-region-dark"), "{said}");
        let summary = run.summary()?;
        ensure!(summary["verdict"] == "unknown", "{}", summary["reason"]);
        ensure!(
            summary["undo"]["complete"] == json!(true) && summary["undo"]["proved"] == json!(true),
            "{}",
            summary["undo"]
        );
        ensure!(
            summary["faults"].as_array().unwrap().iter().all(|fault| fault["cured_ms"].is_number()),
            "{}",
            summary["faults"]
        );
        run.assert_nothing_is_left(&site).await?;

        // A world that is gone holds nothing.
        let mut run = Killed::start(&site, &[])?;
        run.until_step("provision")?;
        run.kill(true)?;
        drop(site);
        let gone = |arguments: &[&str]| -> Result<(Option<i32>, String)> {
            let output =
                Command::new(gameday_tests::gameday()?).args(arguments).arg(run.folder()?).output()?;
            Ok((output.status.code(), String::from_utf8(output.stderr)?))
        };
        let (code, said) = gone(&["restore"])?;
        ensure!(code == Some(1) && said.contains("--forget"), "{code:?} {said}");
        for expected in ["gone with the twin", "nothing is to be done"] {
            let (code, said) = gone(&["restore", "--forget"])?;
            ensure!(code == Some(0) && said.contains(expected), "{code:?} {said}");
        }
        Ok(())
    });
}

#[test]
fn what_is_no_run_is_refused() {
    let output = gameday_tests::run(&["restore", "nosuchid", "--out", "/nonexistent"]).unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let empty = tempfile::tempdir().unwrap();
    let output = gameday_tests::run(&["restore", empty.path().to_str().unwrap(), "--forget"]).unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("nothing was changed"));
}

#[test]
fn what_runs_have_left_is_found_by_its_marks_and_what_stays_is_not_touched() {
    block_on(async {
        let site = site().await?;
        // A deployment whose postfix looks as the id of a run does.
        site.does(&["deploy", "--postfix", "stays123"])?;
        site.primary.iot.create_thing().thing_name("lamp").send().await?;
        site.converge(WAIT_MAX).await?;
        let before = site.leftovers().await?;
        let mut run = Killed::start(&site, &[])?;
        run.until_step("hold")?;
        let id = run.id()?;
        let out = run.out();
        let (_, said) = site.does(&["cleanup", "--all", "--out", &out])?;
        ensure!(said.contains(&format!("run {id} goes on, and is left alone")) && run.is_alive()?, "{said}");
        run.kill(true)?;

        ensure!(site.ends(&["cleanup"])?.0 == Some(2), "it has to be said which runs");
        let left = site.leftovers().await?;
        let (printed, _) = site.does(&["cleanup", "--dry-run"])?;
        ensure!(printed.contains(&format!("run {id}\n")) && printed.contains("6 things: "), "{printed}");
        ensure!(!printed.contains("stays123") && !printed.contains("lamp"), "{printed}");
        ensure!(site.leftovers().await? == left && left.len() > before.len(), "nothing was deleted");

        let (printed, said) = site.does(&["cleanup", &id])?;
        ensure!(printed.contains(&format!("run {id}: nothing is left")), "{printed}{said}");
        let after = site.leftovers().await?;
        ensure!(after == before, "before {before:?}, after {after:?}");
        let (printed, _) = site.does(&["cleanup", "--all"])?;
        ensure!(printed.contains("nothing is left of any run"), "{printed}");
        // What cleanup has deleted the journal finds undone.
        run.restore(&site, 0)?;
        ensure!(site.leftovers().await? == before, "a deployment stays");
        Ok(())
    });
}
