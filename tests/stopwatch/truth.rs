//! The twin's ground truth, read over its control API and put in order.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

/// Entries of one answer.
const PAGE: usize = 50_000;
/// An answer of so many takes this long at the most.
const READ_MAX: Duration = Duration::from_mins(1);

/// Switches ground truth on at the twin at `url`.
pub fn switch_on(url: &str) -> Result<()> {
    control(url, "PUT", "/_twin/truth", r#"{"on":true}"#).map(|_| ())
}

/// A client's seat: when it got it, and over which connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat<'a> {
    pub(super) at: i64,
    peer: &'a str,
}

/// What happened, in microseconds of the run's clock.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// By kind and whether it came or went.
    faults: BTreeMap<(String, bool), Vec<i64>>,
    settings: Vec<i64>,
    health: BTreeMap<bool, Vec<i64>>,
    /// By name: when, and where it leads to since.
    due: BTreeMap<String, Vec<(i64, String)>>,
    replies: BTreeMap<String, Vec<(i64, String)>>,
    tcp: BTreeMap<(String, String), Vec<i64>>,
    tls: BTreeMap<(String, String), Vec<i64>>,
    /// By Region and client.
    seats: BTreeMap<(String, String), Vec<(i64, String)>>,
    /// By Region and topic.
    published: BTreeMap<(String, String), Vec<i64>>,
    /// By Region, thing and token: when, and the state.
    written: BTreeMap<(String, String, String), (i64, String)>,
    /// By Region, thing and state: when it was there first.
    states: BTreeMap<(String, String, String), i64>,
}

/// One entry; the fields of all kinds that are read here.
#[derive(Debug, Deserialize)]
struct Entry {
    wall_ns: i64,
    mono_ns: i64,
    kind: String,
    #[serde(flatten)]
    fields: BTreeMap<String, Value>,
}

impl Entry {
    fn text(&self, name: &str) -> String {
        self.fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn is(&self, name: &str) -> bool {
        self.fields.get(name).and_then(Value::as_bool).unwrap_or_default()
    }

    fn pair(&self, one: &str, other: &str) -> (String, String) {
        (self.text(one), self.text(other))
    }
}

impl Facts {
    /// Reads all of it. `began_ns` is when the run's clock began, on the wall clock.
    pub(super) fn read(url: &str, began_ns: i64) -> Result<Self> {
        let kinds = [
            "fault",
            "health-check",
            "health-check-settings",
            "dns-due",
            "dns-reply",
            "tcp",
            "tls",
            "mqtt",
            "publish",
            "shadow",
        ];
        let mut entries = Vec::new();
        for kind in kinds {
            entries.extend(entries_of(url, kind)?);
        }
        // Each entry says how its two clocks lie to each other; the middle of all says it best.
        let mut offsets: Vec<i64> = entries.iter().map(|entry| entry.wall_ns - entry.mono_ns).collect();
        offsets.sort_unstable();
        let offset_ns = offsets.get(offsets.len() / 2).context("the twin tells no truth")?;
        let mut facts = Self::default();
        for entry in entries {
            facts.take((entry.mono_ns + offset_ns - began_ns) / 1_000, &entry);
        }
        Ok(facts)
    }

    fn take(&mut self, at: i64, entry: &Entry) {
        match entry.kind.as_str() {
            "fault" => {
                let fault = entry.fields.get("fault").map_or(&Value::Null, |fault| &fault["fault"]);
                let kind = fault.as_str().unwrap_or_default().to_owned();
                self.faults.entry((kind, entry.is("on"))).or_default().push(at);
            }
            "health-check" => self.health.entry(entry.is("healthy")).or_default().push(at),
            "health-check-settings" => self.settings.push(at),
            "dns-due" => self.due.entry(entry.text("name")).or_default().push((at, entry.text("to"))),
            "dns-reply" => {
                self.replies.entry(entry.text("name")).or_default().push((at, entry.text("answer")));
            }
            "tcp" => self.tcp.entry(entry.pair("region", "peer")).or_default().push(at),
            "tls" => self.tls.entry(entry.pair("region", "peer")).or_default().push(at),
            "mqtt" if entry.is("connected") => {
                let seats = self.seats.entry(entry.pair("region", "client")).or_default();
                seats.push((at, entry.text("peer")));
            }
            "publish" => self.published.entry(entry.pair("region", "topic")).or_default().push(at),
            // A run writes one shadow of a device.
            "shadow" => {
                let (region, thing) = entry.pair("region", "thing");
                let state = entry.text("state");
                self.states.entry((region.clone(), thing.clone(), state.clone())).or_insert(at);
                self.written.entry((region, thing, entry.text("token"))).or_insert((at, state));
            }
            _ => {}
        }
    }

    /// When a fault of the catalogue came or went.
    pub(super) fn faults(&self, fault: &str, on: bool) -> Vec<i64> {
        let of = |kind: &str| self.faults.get(&(kind.to_owned(), on)).cloned().unwrap_or_default();
        match fault {
            // It is broken and mended by a call.
            "primary-health-check" => self.settings.clone(),
            "primary-region-dark" => of("region-dark"),
            other => of(other),
        }
    }

    pub(super) fn health(&self, healthy: bool) -> Vec<i64> {
        self.health.get(&healthy).cloned().unwrap_or_default()
    }

    /// When a name came to lead to a host.
    pub(super) fn due(&self, name: &str, host: &str) -> Vec<i64> {
        let due = self.due.get(&absolute(name)).into_iter().flatten();
        due.filter(|(_, to)| leads(to, host)).map(|(at, _)| *at).collect()
    }

    /// The first answer in a window that leads to a host.
    pub(super) fn reply(&self, name: &str, host: &str, from: i64, to: i64) -> Option<i64> {
        let replies = self.replies.get(&absolute(name))?;
        let start = replies.partition_point(|(at, _)| *at < from);
        let inside = replies.get(start..)?.iter().take_while(|(at, _)| *at <= to);
        // The endpoint's own answer is its address.
        let is_host = absolute(name) == absolute(host);
        inside.into_iter().find(|(_, answer)| is_host || leads(answer, host)).map(|(at, _)| *at)
    }

    /// The seat of a client nearest to a moment.
    pub(super) fn seat(&self, region: &str, client: &str, near: i64) -> Option<Seat<'_>> {
        let seats = self.seats.get(&(region.to_owned(), client.to_owned()))?;
        let (at, peer) = seats.iter().min_by_key(|(at, _)| at.abs_diff(near))?;
        Some(Seat { at: *at, peer })
    }

    /// When the connection of a seat was taken, and its TLS done. Ports are used again: the last before counts.
    pub(super) fn handshake(&self, region: &str, seat: Seat<'_>) -> (Option<i64>, Option<i64>) {
        let key = (region.to_owned(), seat.peer.to_owned());
        let last = |times: &BTreeMap<(String, String), Vec<i64>>| {
            times.get(&key)?.iter().rev().find(|at| **at <= seat.at).copied()
        };
        (last(&self.tcp), last(&self.tls))
    }

    /// The first publish to a topic from a moment on.
    pub(super) fn published(&self, region: &str, topic: &str, from: i64) -> Option<i64> {
        let times = self.published.get(&(region.to_owned(), topic.to_owned()))?;
        times.get(times.partition_point(|at| *at < from)).copied()
    }

    /// When a device's write was made, and the state that it led to.
    pub(super) fn written(&self, region: &str, thing: &str, seq: u64) -> Option<(i64, &str)> {
        let key = (region.to_owned(), thing.to_owned(), seq.to_string());
        self.written.get(&key).map(|(at, state)| (*at, state.as_str()))
    }

    /// When a Region first had a state.
    pub(super) fn arrived(&self, region: &str, thing: &str, state: &str) -> Option<i64> {
        self.states.get(&(region.to_owned(), thing.to_owned(), state.to_owned())).copied()
    }
}

fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.').to_ascii_lowercase())
}

/// Whether a chain of names leads by a host.
fn leads(chain: &str, host: &str) -> bool {
    chain.split(' ').any(|name| absolute(name) == absolute(host))
}

/// All entries of one kind.
fn entries_of(url: &str, kind: &str) -> Result<Vec<Entry>> {
    let (mut entries, mut after) = (Vec::new(), 0);
    loop {
        let (head, body) =
            control(url, "GET", &format!("/_twin/truth?kind={kind}&max={PAGE}&after={after}"), "")?;
        let header = |name: &str| -> Result<u64> {
            let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
            Ok(line.with_context(|| format!("no {name}"))?.trim().parse()?)
        };
        ensure!(header("x-twin-dropped")? == 0, "the truth is no longer whole");
        let before = entries.len();
        for line in body.lines() {
            entries.push(serde_json::from_str(line).with_context(|| line.to_owned())?);
        }
        if entries.len() - before < PAGE {
            return Ok(entries);
        }
        after = header("x-twin-through")?;
    }
}

/// One call of a twin's control API: head and body of its answer, which has to be a success.
pub fn control(url: &str, method: &str, path: &str, body: &str) -> Result<(String, String)> {
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(host).with_context(|| format!("cannot connect to {host}"))?;
    stream.set_read_timeout(Some(READ_MAX))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer without a body")?;
    let head = head.to_ascii_lowercase();
    ensure!(head.starts_with("http/1.1 20"), "{method} {path}: {head} {body}");
    ensure!(!head.contains("transfer-encoding"), "{path}: the answer comes in chunks");
    Ok((head, body.to_owned()))
}
