//! The authoritative DNS server of the twin: the hosted zones of Route 53 and the hosts of the Regions, over UDP and TCP.
//!
//! An answer is computed anew for every question, so that a failover is seen by the next one that asks. Names of others
//! are refused; nothing is looked up elsewhere. What is said is in [`lookup`]; this is the protocol.

mod lookup;

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use hickory_proto::{
    op::{Edns, Header, HeaderCounts, Metadata, OpCode, ResponseCode},
    rr::{DNSClass, Name, RData, Record, RecordType as WireType, rdata},
};
use hickory_server::{
    Server,
    net::runtime::Time,
    server::{Request, RequestHandler, ResponseHandler, ResponseInfo},
    zone_handler::MessageResponseBuilder,
};
use tokio::net::{TcpListener, UdpSocket};

pub(crate) use lookup::address;

use crate::{
    dns::lookup::{Ending, Lookup, lookup},
    fault::{DnsFailure, Fault, Kind},
    names::Names,
    route53::{RecordSet, RecordType, Route53, absolute, texts},
    truth::Fact,
    world::World,
};

/// A TCP connection that asks nothing for this long is closed.
const TCP_IDLE_S_MAX: u64 = 10;
/// Answers waiting to be written to one TCP connection.
const TCP_ANSWERS_MAX: usize = 32;
/// The largest UDP answer: what passes everywhere without fragments (DNS flag day 2020).
const UDP_BYTES_MAX: u16 = 1232;

/// Answers questions until the twin stops.
pub(crate) async fn serve(world: Arc<World>, udp: UdpSocket, tcp: TcpListener) {
    let shutdown = world.shutdown.clone();
    let mut server = Server::new(Handler { world });
    server.register_socket(udp);
    server.register_listener(tcp, Duration::from_secs(TCP_IDLE_S_MAX), TCP_ANSWERS_MAX);
    let ended = shutdown.run_until_cancelled(server.block_until_done()).await;
    let result = match ended {
        Some(early) => early,
        None => server.shutdown_gracefully().await,
    };
    if let Err(error) = result {
        tracing::error!(%error, "the DNS server failed");
    }
}

struct Handler {
    world: Arc<World>,
}

impl RequestHandler for Handler {
    // Written out as `async_trait` would, which the crate does without.
    fn handle_request<'s, 'r, 'f, R, T>(
        &'s self,
        request: &'r Request,
        response_handle: R,
    ) -> Pin<Box<dyn Future<Output = ResponseInfo> + Send + 'f>>
    where
        R: ResponseHandler + 'f,
        T: Time + 'f,
        's: 'f,
        'r: 'f,
        Self: 'f,
    {
        Box::pin(answer(&self.world, request, response_handle))
    }
}

async fn answer<R: ResponseHandler>(world: &World, request: &Request, handle: R) -> ResponseInfo {
    let name = || request.request_info().ok().map(|info| info.query.name().to_string());
    let met =
        if world.faults.any(Kind::Dns) { name().and_then(|name| world.faults.dns(&name)) } else { None };
    let how = met.as_ref().and_then(|rule| match rule.fault {
        Fault::Dns { how, .. } => Some(how),
        _ => None,
    });
    let stale = met.as_ref().and_then(|rule| rule.before.as_deref());
    let route53 = stale.unwrap_or(&world.route53);
    let mut response = Response::new(&world.names, route53, request);
    match how {
        Some(DnsFailure::Silent) => return failed(response.metadata),
        Some(DnsFailure::Servfail) => response = response.emptied().with_code(ResponseCode::ServFail),
        Some(DnsFailure::DelayMs(ms)) => {
            let delay = tokio::time::sleep(Duration::from_millis(ms));
            if let Some(rule) = &met {
                rule.gone.run_until_cancelled(delay).await;
            }
            response = Response::new(&world.names, route53, request);
        }
        Some(DnsFailure::Stale) | None => {}
    }
    if world.truth.is_on() && how != Some(DnsFailure::Servfail) {
        stamp(world, route53, request, &response);
    }
    send(request, response, handle).await
}

/// Tells the truth of an answer that is about to be sent, if the question was where a name leads.
fn stamp(world: &World, route53: &Route53, request: &Request, response: &Response) {
    let Ok(asked) = request.request_info() else { return };
    let is_asked = match asked.query.query_type() {
        WireType::A => true,
        // A name that is no alias leads nowhere by itself.
        WireType::CNAME => !response.answers.is_empty(),
        _ => false,
    };
    if is_asked {
        let name = asked.query.name().to_string();
        let answer = answer_text(&world.names, route53, &name);
        let name = absolute(&name);
        world.truth.answered(&name, &answer);
        world.truth.stamp(|| Fact::DnsReply { name, asker: request.src().to_string(), answer });
    }
}

/// What a name is answered with, as a text to compare: the addresses and names that it leads to, in order.
pub(crate) fn answer_text(names: &Names, route53: &Route53, name: &str) -> String {
    let found = lookup(names, route53, name, Some(RecordType::A));
    let values: Vec<&str> = found.answers.iter().flat_map(|set| &set.values).map(String::as_str).collect();
    values.join(" ")
}

async fn send<R: ResponseHandler>(request: &Request, response: Response, mut handle: R) -> ResponseInfo {
    let Response { metadata, edns, answers, authorities } = response;
    let mut builder = MessageResponseBuilder::from_message_request(request);
    if let Some(edns) = &edns {
        builder.edns(edns);
    }
    match handle.send_response(builder.build(metadata, &answers, &authorities, &[], &[])).await {
        Ok(info) => info,
        Err(error) => {
            tracing::debug!(%error, "a DNS answer was not sent");
            failed(metadata)
        }
    }
}

/// What the server is told of an answer that could not be sent.
fn failed(mut metadata: Metadata) -> ResponseInfo {
    metadata.response_code = ResponseCode::ServFail;
    ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() })
}

/// A message to send, in its parts.
#[derive(Debug)]
struct Response {
    metadata: Metadata,
    edns: Option<Edns>,
    answers: Vec<Record>,
    authorities: Vec<Record>,
}

impl Response {
    fn new(names: &Names, route53: &Route53, request: &Request) -> Self {
        let metadata = Metadata::response_from_request(&request.metadata);
        let edns = request.edns.as_ref().map(|asked| {
            let mut edns = Edns::new();
            edns.set_max_payload(asked.max_payload().clamp(512, UDP_BYTES_MAX)).set_version(0);
            edns
        });
        let empty = Self { metadata, edns, answers: Vec::new(), authorities: Vec::new() };
        let Ok(question) = request.request_info() else { return empty.with_code(ResponseCode::FormErr) };
        if metadata.op_code != OpCode::Query {
            return empty.with_code(ResponseCode::NotImp);
        }
        if question.query.query_class() != DNSClass::IN {
            return empty.with_code(ResponseCode::Refused);
        }
        let kind = kind(question.query.query_type());
        empty.answering(&lookup(names, route53, &question.query.name().to_string(), kind))
    }

    fn answering(mut self, found: &Lookup) -> Self {
        let answers = found.answers.iter().map(records).collect::<Option<Vec<_>>>();
        let denial = found.soa.as_ref().map_or_else(|| Some(Vec::new()), denial);
        let (Some(answers), Some(denial)) = (answers, denial) else {
            return self.with_code(ResponseCode::ServFail);
        };
        self.answers = answers.concat();
        self.authorities = denial;
        self.metadata.authoritative = matches!(found.ending, Ending::Known | Ending::NoName);
        self.with_code(match found.ending {
            Ending::Known => ResponseCode::NoError,
            Ending::NoName => ResponseCode::NXDomain,
            Ending::NotOurs => ResponseCode::Refused,
            Ending::Endless => ResponseCode::ServFail,
        })
    }

    /// Without what it says.
    fn emptied(self) -> Self {
        Self { answers: Vec::new(), authorities: Vec::new(), ..self }
    }

    fn with_code(mut self, code: ResponseCode) -> Self {
        self.metadata.response_code = code;
        self
    }
}

fn kind(wire: WireType) -> Option<RecordType> {
    match wire {
        WireType::A => Some(RecordType::A),
        WireType::CNAME => Some(RecordType::Cname),
        WireType::NS => Some(RecordType::Ns),
        WireType::SOA => Some(RecordType::Soa),
        WireType::TXT => Some(RecordType::Txt),
        _ => None,
    }
}

/// A record set on the wire; `None` if a value cannot be put there, which zones do not let in.
fn records(set: &RecordSet) -> Option<Vec<Record>> {
    let name = name(&set.name)?;
    let record = |value: &String| Some(Record::from_rdata(name.clone(), set.ttl_s, data(set.kind, value)?));
    set.values.iter().map(record).collect()
}

fn data(kind: RecordType, value: &str) -> Option<RData> {
    Some(match kind {
        RecordType::A => RData::A(rdata::A(value.parse().ok()?)),
        RecordType::Cname => RData::CNAME(rdata::CNAME(name(value)?)),
        RecordType::Ns => RData::NS(rdata::NS(name(value)?)),
        RecordType::Txt => RData::TXT(rdata::TXT::new(texts(value)?)),
        RecordType::Soa => RData::SOA(soa(value)?),
    })
}

fn soa(value: &str) -> Option<rdata::SOA> {
    let mut fields = value.split_whitespace();
    let (server, mailbox) = (name(fields.next()?)?, name(fields.next()?)?);
    let serial = fields.next()?.parse().ok()?;
    let mut time_s = || fields.next()?.parse::<i32>().ok();
    let (refresh_s, retry_s, expire_s) = (time_s()?, time_s()?, time_s()?);
    let minimum_s = u32::try_from(time_s()?).ok()?;
    Some(rdata::SOA::new(server, mailbox, serial, refresh_s, retry_s, expire_s, minimum_s))
}

/// The zone's SOA as it stands beside a no: its TTL says how long the no may be kept (RFC 2308, 5).
fn denial(set: &RecordSet) -> Option<Vec<Record>> {
    let mut soa = records(set)?;
    for record in &mut soa {
        if let RData::SOA(data) = &record.data {
            record.ttl = record.ttl.min(data.minimum);
        }
    }
    Some(soa)
}

fn name(text: &str) -> Option<Name> {
    let mut name = Name::from_ascii(text).ok()?;
    name.set_fqdn(true);
    Some(name)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use hickory_proto::op::{Message, Query};
    use hickory_server::net::xfer::Protocol;

    use super::*;

    const HOST: &str = "primary.iot.us-east-1.amazonaws.com.";

    fn ask(question: &str, kind: WireType) -> Response {
        let names = Names::default();
        names.set(HOST, Ipv4Addr::new(127, 0, 0, 2));
        let route53 = lookup::tests::zone(&[("fleet", "CNAME", HOST), ("text", "TXT", "\"a\" \"b\"")]);
        let mut message = Message::query();
        message.add_query(Query::query(Name::from_ascii(question).unwrap(), kind));
        message.edns = Some(Edns::new());
        let request =
            Request::from_bytes(message.to_vec().unwrap(), (Ipv4Addr::LOCALHOST, 5353).into(), Protocol::Udp);
        Response::new(&names, &route53, &request.unwrap())
    }

    #[test]
    fn the_fleets_name_answers_its_cname_and_the_address_in_one() {
        let response = ask("Fleet.Example.COM.", WireType::A);
        assert_eq!(response.metadata.response_code, ResponseCode::NoError);
        assert!(response.metadata.authoritative && response.edns.is_some());
        let answers: Vec<String> = response.answers.iter().map(ToString::to_string).collect();
        assert_eq!(
            answers,
            [
                "fleet.example.com. 10 IN CNAME primary.iot.us-east-1.amazonaws.com.",
                "primary.iot.us-east-1.amazonaws.com. 60 IN A 127.0.0.2",
            ]
        );
    }

    #[test]
    fn refusals_and_denials_have_their_codes() {
        let code = |question, kind| {
            let response = ask(question, kind);
            (response.metadata.response_code, response.metadata.authoritative, response.authorities.len())
        };
        assert_eq!(code("none.example.com.", WireType::A), (ResponseCode::NXDomain, true, 1));
        assert_eq!(code("example.com.", WireType::AAAA), (ResponseCode::NoError, true, 1));
        assert_eq!(code("example.org.", WireType::A), (ResponseCode::Refused, false, 0));
        assert_eq!(code(HOST, WireType::AAAA), (ResponseCode::NoError, true, 0));
        let denial = &ask("none.example.com.", WireType::A).authorities[0];
        assert_eq!((denial.record_type(), denial.ttl), (WireType::SOA, 900));
    }

    #[test]
    fn a_zone_tells_its_own_records() {
        assert_eq!(ask("example.com.", WireType::NS).answers.len(), 4);
        assert_eq!(ask("example.com.", WireType::SOA).answers.len(), 1);
        let text = ask("text.example.com.", WireType::TXT);
        let strings = rdata::TXT::new(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(text.answers[0].data, RData::TXT(strings));
    }
}
