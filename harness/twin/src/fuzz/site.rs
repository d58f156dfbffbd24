//! What the targets of [`super::http`], [`super::storage`] and [`super::deploy`] share: a twin, calls of it as texts, and
//! what holds of every reply.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use quick_xml::{Reader, events::Event};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::{
    Twin, TwinConfig, api,
    call::{Call, Reply},
    world::World,
};

/// No call that these seeds lead to waits for anything.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// A twin, and the runtime that it lives on.
pub(super) struct Site {
    // Dropped before the runtime.
    twin: Twin,
    runtime: Runtime,
}

impl Site {
    pub(super) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let config = TwinConfig { quotas_enforced: false, health_checkers: 1, ..TwinConfig::default() };
        Self { twin: runtime.block_on(Twin::start(config)).unwrap(), runtime }
    }

    pub(super) fn world(&self) -> &Arc<World> {
        self.twin.world()
    }

    fn answer(&self, call: &Call) -> Reply {
        let began = Instant::now();
        let reply = self.runtime.block_on(async {
            tokio::time::timeout(ANSWER_MAX, api::dispatch(self.world(), call))
                .await
                .expect("an answer in time")
        });
        assert!(began.elapsed() < ANSWER_MAX, "{:?}", began.elapsed());
        reply
    }

    /// The answer to a call that is taken.
    pub(super) fn text(&self, text: &str) -> String {
        let reply = self.answer(&call(text.as_bytes()));
        let body = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(reply.status < 300, "{text}: {body}");
        body
    }

    /// Makes any call, and checks what holds of every reply.
    pub(super) fn check(&self, input: &[u8]) {
        let call = call(input);
        check(&call, &self.answer(&call));
    }

    /// The status that a call as [`call`] reads it comes to.
    pub(super) fn status(&self, text: &str) -> u16 {
        let call = call(text.as_bytes());
        let reply = self.answer(&call);
        check(&call, &reply);
        reply.status
    }
}

/// A call from a text: `<method> <service> <path>?<query>`, headers, an empty line and the body. What is no method or
/// header is left out, so that every text is a call.
fn call(text: &[u8]) -> Call {
    let split = text.windows(2).position(|pair| pair == b"\n\n").unwrap_or(text.len());
    let (head, body) = (String::from_utf8_lossy(&text[..split]), text.get(split + 2..).unwrap_or_default());
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().splitn(3, ' ');
    let method = words.next().and_then(|word| word.parse().ok()).unwrap_or(Method::GET);
    let service = words.next().unwrap_or_default().to_owned();
    let path = words.next().unwrap_or_default();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            headers.append(name, value);
        }
    }
    Call {
        method,
        raw_path: path.to_owned(),
        query: api::query(query),
        headers,
        body: body.to_vec().into(),
        region: "us-east-1".to_owned(),
        service,
    }
}

/// What holds of every reply.
fn check(call: &Call, reply: &Reply) {
    let body = String::from_utf8_lossy(&reply.body);
    // S3's word for a parameter that is not there; a changed service may lead to it.
    let is_not_implemented = reply.status == 501 && body.contains("NotImplemented");
    assert!((200..500).contains(&reply.status) || is_not_implemented, "{} {body}", reply.status);
    if call.service == "s3" {
        // Objects are what they are.
        if reply.status >= 400 || body.starts_with("<?xml") {
            check_xml(&body);
        }
        assert_eq!(reply.status >= 400, body.contains("<Error>"), "{} {body}", reply.status);
        return;
    }
    if matches!(call.service.as_str(), "route53" | "cloudformation") {
        check_xml(&body);
        assert_eq!(reply.status >= 400, body.contains("<ErrorResponse"), "{} {body}", reply.status);
        return;
    }
    let is_json = reply.headers.iter().any(|(name, value)| *name == "content-type" && value.contains("json"));
    // The query protocol: STS, and whatever the twin does not have of it.
    let is_form =
        call.header("content-type").is_some_and(|t| t.starts_with("application/x-www-form-urlencoded"));
    if (call.service == "sts" || is_form) && !is_json {
        check_xml(&body);
    } else if !reply.body.is_empty() {
        let json: Value = serde_json::from_slice(&reply.body).unwrap_or_else(|e| panic!("{e}: {body}"));
        if reply.status >= 400 {
            let code_in_header =
                reply.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("x-amzn-errortype"));
            assert!(code_in_header || json["__type"].is_string(), "{body}");
            assert!(["message", "Message"].iter().any(|name| json[name].is_string()), "{body}");
        }
    }
}

fn check_xml(body: &str) {
    let mut reader = Reader::from_str(body);
    loop {
        match reader.read_event() {
            Ok(Event::Eof) => return,
            Ok(_) => {}
            Err(error) => panic!("{error}: {body}"),
        }
    }
}

/// Checks that the seeds are taken, and then fuzzes the service with them.
macro_rules! service {
    ($name:ident, $seeds:expr, $tokens:expr) => {
        service!($name, $seeds, $tokens, |site: &Site| {
            vec![("$PEM", site.world().pki.ca_pem.replace('\n', "\\n"))]
        });
    };
    // The last one makes what seeds name, and says by which word.
    ($name:ident, $seeds:expr, $tokens:expr, $prepare:expr) => {
        #[test]
        fn $name() {
            let site = Site::new();
            let prepare: fn(&Site) -> Vec<(&'static str, String)> = $prepare;
            let known = prepare(&site);
            let filled = |seed: &&str| {
                known.iter().fold((*seed).to_owned(), |seed, (word, value)| seed.replace(word, value))
            };
            let seeds: Vec<String> = $seeds.iter().map(filled).collect();
            for seed in &seeds {
                site.text(seed);
            }
            $crate::fuzz::fuzz!(seeds, $tokens, |input: &[u8]| site.check(input));
        }
    };
}
pub(super) use service;
