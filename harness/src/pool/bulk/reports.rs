//! Reports of a bulk registration: a line of JSON for each line of the input, what was made and what failed apart.
//!
//! What was made is understood to the letter, or it is an error: certificates would be lost. How AWS words a failure is not
//! documented, so whatever can be understood of it is.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, anyhow};
use aws_sdk_iot::types::ReportType;
use serde::Deserialize;
use serde_json::Value;

use super::{FOLDER, input::Input, store};
use crate::{
    aws::{Aws, describe},
    pool::Pool,
};

/// Characters of a reason at the most.
const WHY_CHARS_MAX: usize = 300;

/// A device that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Registered {
    pub(super) thing: String,
    pub(super) certificate_pem: String,
}

/// What came of a task.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) results: Vec<Registered>,
    /// Lines of the input, from 1 on, and why each failed.
    pub(super) errors: Vec<(u64, String)>,
}

/// Downloads both reports, keeps them beside the input, and reads them.
pub(super) async fn read(aws: &Aws, pool: &Pool, input: &Input, task_id: &str) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let results = fetch(aws, task_id, ReportType::Results).await?;
    keep(pool, input, "results", &results)?;
    for line in lines(&results)? {
        outcome
            .results
            .push(result(line).with_context(|| format!("a result is not understood: {}", brief(line)))?);
    }
    let errors = fetch(aws, task_id, ReportType::Errors).await?;
    keep(pool, input, "errors", &errors)?;
    outcome.errors = lines(&errors)?.filter_map(error).collect();
    Ok(outcome)
}

async fn fetch(aws: &Aws, task_id: &str, kind: ReportType) -> anyhow::Result<Vec<u8>> {
    let list = aws.primary.iot.list_thing_registration_task_reports().task_id(task_id).report_type(kind);
    let mut pages = list.into_paginator().send();
    let mut report = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| anyhow!(describe(&e))).context("the reports could not be listed")?;
        for link in page.resource_links() {
            report.extend(store::download(link).await?);
            if !report.ends_with(b"\n") {
                report.push(b'\n');
            }
        }
    }
    Ok(report)
}

fn keep(pool: &Pool, input: &Input, kind: &str, report: &[u8]) -> anyhow::Result<()> {
    let path = pool.path().join(FOLDER).join(format!("{}.{kind}.ndjson", input.id));
    // A call before this one may have come as far.
    if path.exists() {
        fs::remove_file(&path)?;
    }
    super::super::write_file(&path, report)
}

fn lines(report: &[u8]) -> anyhow::Result<impl Iterator<Item = &str>> {
    let text = std::str::from_utf8(report).context("a report is not text")?;
    Ok(text.lines().filter(|line| !line.trim().is_empty()))
}

fn result(line: &str) -> anyhow::Result<Registered> {
    #[derive(Deserialize)]
    struct Line {
        response: Response,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Response {
        certificate_pem: String,
        resource_arns: BTreeMap<String, String>,
    }
    let Line { response } = serde_json::from_str(line)?;
    // What it is called in the template.
    let arn = response.resource_arns.get("thing").context("no thing is named")?;
    let thing = arn.rsplit_once("thing/").map_or(arn.as_str(), |(_, name)| name).to_owned();
    Ok(Registered { thing, certificate_pem: response.certificate_pem })
}

fn error(line: &str) -> Option<(u64, String)> {
    let value: Value = serde_json::from_str(line).ok()?;
    let number = &value["lineNumber"];
    let number = number.as_u64().or_else(|| number.as_str()?.parse().ok())?;
    let text = |name: &str| value[name].as_str().unwrap_or_default();
    let why = match (text("errorCode"), text("errorMessage")) {
        ("", "") => line,
        ("", message) => message,
        (code, "") => code,
        (code, message) => return Some((number, brief(&format!("{code}: {message}")))),
    };
    Some((number, brief(why)))
}

fn brief(text: &str) -> String {
    text.chars().take(WHY_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_name_the_thing_by_its_arn() {
        let line = r#"{"lineNumber":1,"offset":0,"response":{"CertificatePem":"pem","ResourceArns":
            {"thing":"arn:aws:iot:us-east-1:1:thing/lamps-00001","certificate":"arn","policy":"p"}}}"#;
        let expected = Registered { thing: "lamps-00001".into(), certificate_pem: "pem".into() };
        assert_eq!(result(line).unwrap(), expected);
        for wrong in ["{}", r#"{"response":{"CertificatePem":"pem","ResourceArns":{}}}"#, "no JSON"] {
            assert!(result(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn errors_are_understood_as_far_as_they_can_be() {
        let of = |line: &str| error(line);
        let full = r#"{"lineNumber":3,"errorCode":"A","errorMessage":"no"}"#;
        assert_eq!(of(full), Some((3, "A: no".to_owned())));
        assert_eq!(of(r#"{"lineNumber":"4","errorMessage":"no"}"#), Some((4, "no".to_owned())));
        assert_eq!(of(r#"{"lineNumber":5,"reason":"x"}"#).unwrap().1, r#"{"lineNumber":5,"reason":"x"}"#);
        assert_eq!(of(r#"{"errorMessage":"whose?"}"#), None);
        assert_eq!(of("no JSON"), None);
        let long = format!(r#"{{"lineNumber":1,"errorMessage":"{}"}}"#, "x".repeat(10_000));
        assert_eq!(of(&long).unwrap().1.len(), WHY_CHARS_MAX);
    }
}
