//! `gameday twin fault`: sets, lists and clears the faults of a twin that runs.

use std::fmt::Write as _;

use anyhow::Context;
use clap::{Args, Subcommand};
use gameday_report::ExitCode;
use gameday_twin::FaultState;
use hyper::Method;
use serde_json::{Map, Value, json};

use crate::{
    cli::{block_on, usage},
    output::{data, to_stderr},
    target,
};

const FAULTS: &str = "/_twin/faults";

/// Arguments of `gameday twin fault`.
#[derive(Debug, Args)]
pub(super) struct FaultCommand {
    /// The twin, as it printed its address; otherwise `AWS_ENDPOINT_URL` says it.
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Set a fault; prints its id, if it lasts.
    Set(Set),
    /// List the faults that are on.
    List {
        /// As the twin tells it.
        #[arg(long)]
        json: bool,
    },
    /// Remove one fault by its id, or all with --all; says how many were on.
    #[command(
        override_usage = "gameday twin fault clear <ID>\n       gameday twin fault clear --all",
        after_help = "Examples:
  gameday twin fault clear 1
  gameday twin fault clear --all"
    )]
    Clear {
        /// The fault's id, as `set` printed it and `list` shows it.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<u64>,
        /// All faults that are on, whoever set them.
        #[arg(long)]
        all: bool,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday twin fault set region-dark --region us-east-1 --for-ms 60000
  gameday twin fault set api --region us-east-1 --share 0.2 service=dynamodb operation='Put*' how=throttle
  gameday twin fault set connections --region us-east-1 port=mqtt 'how={\"slow\":{\"delay_ms\":200}}'
  gameday twin fault set '{\"fault\":\"broker-grey\",\"region\":\"us-east-1\",\"topic\":\"dt/#\"}'

The faults and their fields are in harness/twin/README.md.")]
struct Set {
    /// The kind of fault, or all of it as JSON.
    #[arg(value_name = "KIND|JSON")]
    fault: String,
    /// Further fields; a value that is not JSON is a text.
    #[arg(value_name = "FIELD=VALUE")]
    fields: Vec<String>,
    /// The Region that it is about.
    #[arg(long)]
    region: Option<String>,
    /// How much of what it could hit, from 0 to 1.
    #[arg(long)]
    share: Option<f64>,
    /// Removed by itself after this time.
    #[arg(long, value_name = "MS")]
    for_ms: Option<u64>,
}

impl FaultCommand {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        block_on(self.send())
    }

    async fn send(self) -> anyhow::Result<ExitCode> {
        let url = self.url.or_else(|| std::env::var("AWS_ENDPOINT_URL").ok()).ok_or_else(|| {
            usage("which twin? Give --url, or set AWS_ENDPOINT_URL as `gameday twin` printed it (--env FILE)")
        })?;
        let call = async |method, path: &str, body| {
            let answer = target::control(target::address(&url)?, method, path, body).await;
            answer.with_context(|| format!("the twin at {url}"))
        };
        match self.what {
            What::Set(set) => {
                let body = serde_json::to_vec(&set.body()?)?;
                let answer: Value = serde_json::from_slice(&call(Method::PUT, FAULTS, body).await?)?;
                if let Some(id) = answer["id"].as_u64() {
                    data(&id.to_string());
                }
                to_stderr(&outcome(&answer));
            }
            What::List { json } => {
                let body = call(Method::GET, FAULTS, Vec::new()).await?;
                if json {
                    data(&String::from_utf8_lossy(&body));
                } else {
                    data(table(&serde_json::from_slice::<Vec<FaultState>>(&body)?).trim_end());
                }
            }
            What::Clear { id, .. } => {
                let path = id.map_or_else(|| FAULTS.to_owned(), |id| format!("{FAULTS}/{id}"));
                let answer = call(Method::DELETE, &path, Vec::new()).await?;
                to_stderr(&match id {
                    Some(id) => format!("fault {id} is off"),
                    None => cleared(&serde_json::from_slice(&answer)?),
                });
            }
        }
        Ok(ExitCode::Pass)
    }
}

/// What has become of setting a fault. One that was on already has its new time by now.
fn outcome(answer: &Value) -> String {
    match (answer["id"].as_u64(), answer["ends_in_ms"].as_u64()) {
        (Some(id), Some(ms)) => format!("fault {id} is on for {:.1} s", ms as f64 / 1_000.0),
        (Some(id), None) => format!("fault {id} is on until it is cleared"),
        // It is done: there is nothing to list or to clear.
        (None, _) => format!("connections that were reset: {}", answer["hits"]),
    }
}

/// How many faults were cleared.
fn cleared(answer: &Value) -> String {
    match answer["removed"].as_u64().unwrap_or_default() {
        1 => "1 fault was on, and is off".to_owned(),
        count => format!("{count} faults were on, and none is"),
    }
}

impl Set {
    /// The fault as the control API takes it.
    fn body(&self) -> anyhow::Result<Value> {
        let mut body = match serde_json::from_str(&self.fault) {
            Ok(Value::Object(whole)) => whole,
            Ok(other) => return Err(usage(format!("a fault is a JSON object, got {other}")).into()),
            Err(error) if self.fault.starts_with('{') => {
                return Err(usage(format!("the fault is not JSON: {error}")).into());
            }
            Err(_) => Map::from_iter([("fault".to_owned(), json!(self.fault))]),
        };
        for field in &self.fields {
            let (name, value) = field
                .split_once('=')
                .ok_or_else(|| usage(format!("{field} is not FIELD=VALUE, as in how=throttle")))?;
            // No field is ever null, and one may have that as its text.
            let value = serde_json::from_str(value).ok().filter(|value: &Value| !value.is_null());
            let value = value.unwrap_or_else(|| json!(field.split_once('=').map_or("", |(_, text)| text)));
            body.insert(name.to_owned(), value);
        }
        let given = [
            ("region", self.region.as_ref().map(|region| json!(region))),
            ("share", self.share.map(|share| json!(share))),
            ("for_ms", self.for_ms.map(|ms| json!(ms))),
        ];
        for (name, value) in given.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            if body.get(name).is_some_and(|before| *before != value) {
                let option = name.replace('_', "-");
                return Err(usage(format!("--{option} says {value}, and {name} is given otherwise")).into());
            }
            body.insert(name.to_owned(), value);
        }
        Ok(body.into())
    }
}

/// The faults for people: id, kind, Region, what it has hit, how long it has been on, and the rest of it.
fn table(states: &[FaultState]) -> String {
    if states.is_empty() {
        return "no fault is on".to_owned();
    }
    let mut rows = vec![["ID", "FAULT", "REGION", "HITS", "AGE", "FIELDS"].map(str::to_owned)];
    rows.extend(states.iter().map(row));
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len());
        }
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn row(state: &FaultState) -> [String; 6] {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(&state.fault) else {
        return Default::default();
    };
    let mut take = |name: &str| {
        fields.remove(name).and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_else(|| "-".to_owned())
    };
    let (kind, region) = (take("fault"), take("region"));
    let mut rest: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    rest.extend(state.ends_in_ms.map(|ms| format!("ends_in_ms={ms}")));
    let age = format!("{:.1} s", state.age_ms as f64 / 1_000.0);
    [state.id.to_string(), kind, region, state.hits.to_string(), age, rest.join(" ")]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(fault: &str, fields: &[&str]) -> Set {
        Set {
            fault: fault.to_owned(),
            fields: fields.iter().map(|field| (*field).to_owned()).collect(),
            region: Some("us-east-1".to_owned()),
            share: None,
            for_ms: Some(5),
        }
    }

    #[test]
    fn a_fault_is_given_by_fields_or_as_a_whole() {
        let api = set("api", &["service=iot", "how={\"delay-ms\":5}"]).body().unwrap();
        assert_eq!(
            api,
            json!({"fault": "api", "service": "iot", "how": {"delay-ms": 5}, "region": "us-east-1", "for_ms": 5})
        );
        let whole = set(r#"{"fault":"region-dark"}"#, &[]).body().unwrap();
        assert_eq!(whole, json!({"fault": "region-dark", "region": "us-east-1", "for_ms": 5}));
        assert!(set("{", &[]).body().is_err() && set("[]", &[]).body().is_err());
        assert!(set("api", &["how"]).body().is_err());
        assert_eq!(set("stream-poison", &["how=null"]).body().unwrap()["how"], "null");
        assert!(set("region-dark", &["region=us-west-2"]).body().is_err(), "which one?");
    }

    #[test]
    fn what_was_done_is_said() {
        assert_eq!(outcome(&json!({"id": 7, "hits": 0})), "fault 7 is on until it is cleared");
        assert_eq!(outcome(&json!({"id": 7, "hits": 0, "ends_in_ms": 1_500})), "fault 7 is on for 1.5 s");
        assert_eq!(outcome(&json!({"hits": 3})), "connections that were reset: 3");
        assert_eq!(cleared(&json!({"removed": 1})), "1 fault was on, and is off");
        assert_eq!(cleared(&json!({"removed": 0})), "0 faults were on, and none is");
    }

    #[test]
    fn the_table_says_what_is_on() {
        assert_eq!(table(&[]), "no fault is on");
        let state = json!({"id": 7, "hits": 12, "since": "2026-01-01T00:00:00Z", "age_ms": 1_500, "ends_in_ms": 9,
            "fault": {"fault": "rules-silent", "region": "us-east-1", "rule": "r*", "share": 0.5}});
        let states = [serde_json::from_value(state).unwrap()];
        let expected = "ID  FAULT         REGION     HITS  AGE    FIELDS\n\
                        7   rules-silent  us-east-1  12    1.5 s  rule=\"r*\" share=0.5 ends_in_ms=9\n";
        assert_eq!(table(&states), expected);
    }
}
