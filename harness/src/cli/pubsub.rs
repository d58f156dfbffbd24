//! `gameday pubsub`: a device that publishes, hears itself, and follows a name from Region to Region.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use clap::{Args, ValueEnum};
use gameday_report::ExitCode;
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use serde::Serialize;

use super::{block_on, usage};
use crate::{
    clock::RunClock,
    deploy::{AMAZON_ROOT_CA, MQTT_PORT},
    fleet::{Dialer, Resolver, Tls},
    log,
    names::{ID_CHARS, new_id},
    output::{data, to_stderr},
    pubsub::{Event, Events, PubSub, Settings, Summary, Whither},
    scenario::Span,
    stop::on_signal,
    target,
};

/// What an interrupt is answered with.
const STOPPING: &str = "stopping: what is on its way is waited for";
/// AWS's largest message.
const PAYLOAD_BYTES_MAX: usize = 128 * 1024;
/// What a message has behind its text: a number and what tells it from those of others.
const MARK_BYTES_MAX: usize = " [4294967295 ]".len() + ID_CHARS;
/// AWS takes 100 messages a second from a connection and to it together, and the device hears itself.
const INTERVAL_MIN: Span = Span::milliseconds(20);
/// Names are not asked for in a loop, even if they may not be kept.
const EVERY_MIN: Span = Span::seconds(1);

/// Arguments of `gameday pubsub`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday pubsub --endpoint abc-ats.iot.eu-west-1.amazonaws.com --cert lamp.pem --key lamp.key
  gameday pubsub --cname iot.example.com --dr-mode --cert lamp.pem --key lamp.key --count 0

With --dr-mode the name is asked for again and again; when it points elsewhere the device
reconnects there, with back-off and jitter. A resolver that fails is said, and changes nothing.
It connects to what the name points to, by that name, as AWS's certificate asks. Messages that
are due while there is no connection are not kept, but counted. After ten attempts in a row that
came to nothing it gives up, with --dr-mode only if it was never connected. A name that points to
a name that points to the endpoint is not followed further than one step.

`gameday fleet show FLEET --device D --export FOLDER` writes a device's certificate and key to
files. On a twin, which --target or AWS_ENDPOINT_URL names, its DNS server, root certificate and
port are used.

Exits with 0 if every message was acknowledged and came back, with 10 if one was not or it gave
up, with 11 if none could be sent, and with 13 if it was stopped before --count messages.")]
pub(super) struct Pubsub {
    /// The endpoint to connect to.
    #[arg(long, value_name = "HOST", required_unless_present = "cname", conflicts_with = "cname")]
    endpoint: Option<String>,
    /// A name that points to the endpoint.
    #[arg(long, value_name = "NAME")]
    cname: Option<String>,
    /// Go where the name goes.
    #[arg(long, requires = "cname", conflicts_with = "endpoint")]
    dr_mode: bool,
    /// How often the name is asked for, and never before its TTL has run out.
    #[arg(long, value_name = "TIME", default_value = "60s", requires = "dr_mode", value_parser = every)]
    every: Span,
    /// The device's certificate, PEM; with those above it if a CA of one's own registers it.
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
    /// The device's private key, PEM.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Who has to have signed the endpoint's certificate, PEM; without it Amazon's authorities, or the twin's.
    #[arg(long, value_name = "FILE")]
    root_ca: Option<PathBuf>,
    /// The client id, which policies often bind to the thing's name; without it a random one.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// What is published to and subscribed to.
    #[arg(long, default_value = "test/topic")]
    topic: String,
    /// What each message says, before its number and what tells it from those of others.
    #[arg(long, default_value = "Hello World!", value_parser = message)]
    message: String,
    /// Messages to send; 0: until it is stopped.
    #[arg(long, value_name = "MESSAGES", default_value_t = 10)]
    count: u32,
    /// From message to message.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = interval)]
    interval: Span,
    /// Whether each message is acknowledged (1) or not (0).
    #[arg(long, value_enum, default_value_t = Qos::One)]
    qos: Qos,
    /// An attempt to connect gets this long.
    #[arg(long, value_name = "TIME", default_value = "10s")]
    connect_timeout: Span,
    /// The port of MQTT; without it 8883, or the twin's. On 443 it is asked for by ALPN.
    #[arg(long)]
    port: Option<u16>,
    /// The address of a twin, as `gameday twin` printed it, or `aws`; otherwise `AWS_ENDPOINT_URL` says which twin.
    #[arg(long, value_name = "URL|aws")]
    target: Option<String>,
    /// A line of JSON for each event.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Qos {
    #[value(name = "0")]
    Zero,
    #[value(name = "1")]
    One,
}

#[derive(Debug, Serialize)]
struct Told<'a> {
    event: &'static str,
    #[serde(flatten)]
    summary: &'a Summary,
}

/// Messages without a pause would be a load, and for that there are scenarios.
fn interval(text: &str) -> Result<Span, String> {
    at_least(text, INTERVAL_MIN)
}

fn every(text: &str) -> Result<Span, String> {
    at_least(text, EVERY_MIN)
}

fn at_least(text: &str, least: Span) -> Result<Span, String> {
    let span: Span = text.parse()?;
    if span < least { Err(format!("{least} at the least")) } else { Ok(span) }
}

fn message(text: &str) -> Result<String, String> {
    let most = PAYLOAD_BYTES_MAX - MARK_BYTES_MAX;
    if text.len() > most { Err(format!("{most} bytes at the most")) } else { Ok(text.to_owned()) }
}

/// What is known of where it connects.
struct Surroundings {
    resolver: Resolver,
    ca_pem: String,
    port: u16,
}

impl Pubsub {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            log::to_stderr();
            Box::pin(self.talk()).await
        })
    }

    async fn talk(&self) -> anyhow::Result<ExitCode> {
        let certificate = read(&self.cert)?;
        let key = PrivateKeyDer::from_pem_slice(read(&self.key)?.as_bytes())
            .map_err(|_| usage(format!("{} has no private key in PEM", self.key.display())))?;
        let Surroundings { resolver, ca_pem, port } = self.surroundings().await?;
        let ca_pem = self.root_ca.as_deref().map_or(Ok(ca_pem), read)?;
        let config = Tls::new(&ca_pem)?.config_of(&certificate, key)?;
        let clock = RunClock::start();
        let resolver = Arc::new(resolver);
        let dialer = Dialer::new(config, resolver.clone(), self.port.unwrap_or(port), clock);
        // Without a live line: there is one of its own for each event.
        let stop = on_signal(|| to_stderr(STOPPING))?;
        let is_json = self.json;
        let events = Events::new(move |event: &Event| match event {
            event if is_json => data(&event.json()),
            Event::Acknowledged => {}
            Event::Sent { .. } | Event::Received { .. } => data(&event.to_string()),
            event => to_stderr(&event.to_string()),
        });
        let device = PubSub {
            settings: Settings {
                client_id: self.client_id.clone().unwrap_or_else(|| format!("gameday-pubsub-{}", new_id())),
                id: new_id(),
                topic: self.topic.clone(),
                message: self.message.clone(),
                count: (self.count > 0).then_some(self.count),
                interval: *self.interval,
                acknowledged: self.qos == Qos::One,
                connect_timeout: *self.connect_timeout,
            },
            whither: match (&self.endpoint, &self.cname) {
                (Some(endpoint), _) => Whither::Endpoint(endpoint.clone()),
                (None, name) => {
                    let name = name.clone().unwrap_or_default();
                    Whither::Name { name, every: *self.every, follow: self.dr_mode }
                }
            },
            dialer,
            resolver: &resolver,
            clock,
            stop: stop.clone(),
            events: &events,
        };
        let summary = device.run().await;
        if self.json {
            data(&serde_json::to_string(&Told { event: "summary", summary: &summary })?);
        } else {
            data(&summary.to_string());
        }
        let is_cut = self.count > 0 && summary.sent + summary.unsent < self.count;
        Ok(exit(&summary, self.qos, stop.is_cancelled() && is_cut))
    }

    async fn surroundings(&self) -> anyhow::Result<Surroundings> {
        let target = self.target.clone().or_else(|| std::env::var("AWS_ENDPOINT_URL").ok());
        match target.filter(|target| target != "aws") {
            None => Ok(Surroundings {
                resolver: Resolver::of_machine()?,
                ca_pem: AMAZON_ROOT_CA.to_owned(),
                port: MQTT_PORT,
            }),
            Some(url) if url.starts_with("http://") => {
                let twin = target::endpoints(&url).await?;
                let port = twin.regions.first().map_or(MQTT_PORT, |region| region.mqtt_port);
                Ok(Surroundings { resolver: Resolver::new(&twin)?, ca_pem: twin.ca_pem, port })
            }
            Some(other) => {
                Err(usage(format!("--target {other}: give aws, or a twin as http://127.0.0.1:PORT")).into())
            }
        }
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn exit(summary: &Summary, qos: Qos, is_stopped: bool) -> ExitCode {
    let Summary { sent, acknowledged, unsent, returned, gave_up, .. } = *summary;
    let is_lost = gave_up || unsent > 0 || returned < sent || (qos == Qos::One && acknowledged < sent);
    match (is_lost, sent) {
        _ if is_stopped => ExitCode::Operator,
        (_, 0) => ExitCode::Inconclusive,
        (true, _) => ExitCode::Missed,
        (false, _) => ExitCode::Pass,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d43_what_did_not_come_back_is_no_success() {
        let of = |sent, acknowledged, unsent, returned| Summary {
            sent,
            acknowledged,
            unsent,
            returned,
            ..Summary::default()
        };
        assert_eq!(exit(&of(5, 5, 0, 5), Qos::One, false), ExitCode::Pass);
        assert_eq!(exit(&of(5, 0, 0, 5), Qos::Zero, false), ExitCode::Pass);
        assert_eq!(exit(&of(5, 4, 0, 5), Qos::One, false), ExitCode::Missed);
        assert_eq!(exit(&of(5, 5, 0, 4), Qos::One, false), ExitCode::Missed);
        assert_eq!(exit(&of(5, 5, 1, 5), Qos::One, false), ExitCode::Missed);
        assert_eq!(exit(&of(0, 0, 0, 0), Qos::One, false), ExitCode::Inconclusive);
        assert_eq!(exit(&of(2, 2, 0, 2), Qos::One, true), ExitCode::Operator);
        let gave_up = |sent| Summary { gave_up: true, ..of(sent, sent, 0, sent) };
        assert_eq!(exit(&gave_up(3), Qos::One, false), ExitCode::Missed, "the others were never sent");
        assert_eq!(exit(&gave_up(0), Qos::One, false), ExitCode::Inconclusive);
    }

    #[test]
    fn messages_have_a_pause_between_them() {
        assert!(interval("20ms").is_ok() && interval("19ms").is_err() && interval("soon").is_err());
        assert!(every("1s").is_ok() && every("0s").is_err());
    }

    #[test]
    fn a_message_is_one_that_aws_takes() {
        let longest = "x".repeat(PAYLOAD_BYTES_MAX - MARK_BYTES_MAX);
        assert!(message(&longest).is_ok() && message(&format!("{longest}x")).is_err());
        let mark = format!(" [{} {}]", u32::MAX, new_id());
        assert_eq!(mark.len(), MARK_BYTES_MAX);
    }
}
