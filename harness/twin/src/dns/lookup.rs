//! What the twin's DNS server knows: the hosts of the twin and the hosted zones, with CNAME chains followed to their end.
//! Pure: no message, no socket.

use std::net::Ipv4Addr;

use crate::{
    names::Names,
    route53::{Answer, RecordSet, RecordType, Route53, absolute},
};

/// TTL of the addresses of the twin's hosts, as AWS endpoints have it.
const HOST_TTL_S: u32 = 60;
/// CNAMEs followed for one question; real chains here have one.
const CHAIN_MAX: usize = 8;

/// How a lookup ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The question was answered, or its name exists without records of the type.
    Known,
    /// The name at the end of the chain does not exist.
    NoName,
    /// The question is about a name that is not ours.
    NotOurs,
    /// The CNAMEs go round in a circle.
    Endless,
}

/// The result of a lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lookup {
    pub(crate) ending: Ending,
    /// The CNAMEs passed and the record set reached, in this order.
    pub(crate) answers: Vec<RecordSet>,
    /// The SOA of the zone that says no.
    pub(crate) soa: Option<RecordSet>,
}

/// Looks a name up. `None` asks for a type that nothing here can have.
pub(crate) fn lookup(names: &Names, route53: &Route53, name: &str, kind: Option<RecordType>) -> Lookup {
    let mut answers = Vec::new();
    let mut name = absolute(name);
    for _ in 0..CHAIN_MAX {
        if let Some(address) = names.get(&name) {
            answers.extend((kind == Some(RecordType::A)).then(|| host(&name, address)));
            return Lookup { ending: Ending::Known, answers, soa: None };
        }
        let (ending, soa) = match route53.answer(&name, kind) {
            Answer::Found(set) => {
                let target = (set.kind == RecordType::Cname && kind != Some(RecordType::Cname))
                    .then(|| set.values.first().map(|v| absolute(v)))
                    .flatten();
                answers.push(set);
                match target {
                    Some(target) => {
                        name = target;
                        continue;
                    }
                    None => (Ending::Known, None),
                }
            }
            Answer::NoName(soa) => (Ending::NoName, Some(soa)),
            Answer::NoData(soa) => (Ending::Known, Some(soa)),
            Answer::NotHosted if answers.is_empty() => (Ending::NotOurs, None),
            // The chain leaves what we know: the client asks on elsewhere.
            Answer::NotHosted => (Ending::Known, None),
        };
        return Lookup { ending, answers, soa };
    }
    Lookup { ending: Ending::Endless, answers: Vec::new(), soa: None }
}

/// The address that a name leads to.
pub(crate) fn address(names: &Names, route53: &Route53, name: &str) -> Option<Ipv4Addr> {
    let found = lookup(names, route53, name, Some(RecordType::A));
    let last = found.answers.last().filter(|set| set.kind == RecordType::A)?;
    last.values.first()?.parse().ok()
}

fn host(name: &str, address: Ipv4Addr) -> RecordSet {
    RecordSet {
        name: name.to_owned(),
        kind: RecordType::A,
        set_identifier: None,
        failover: None,
        health_check_id: None,
        ttl_s: HOST_TTL_S,
        values: vec![address.to_string()],
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn hosts() -> Names {
        let names = Names::default();
        names.set("primary.iot.us-east-1.amazonaws.com", Ipv4Addr::new(127, 0, 0, 2));
        names
    }

    /// A zone with these records: name below `example.com`, type, value.
    pub(crate) fn zone(records: &[(&str, &str, &str)]) -> Route53 {
        let route53 = Route53::new();
        let made = route53.text(
            "POST /hostedzone",
            "<CreateHostedZoneRequest><Name>example.com</Name><CallerReference>r</CallerReference>\
             </CreateHostedZoneRequest>",
        );
        let id = made.split("<Id>/hostedzone/").nth(1).and_then(|s| s.split('<').next()).unwrap();
        let change = |(name, kind, value): &(&str, &str, &str)| {
            format!(
                "<Change><Action>CREATE</Action><ResourceRecordSet><Name>{name}.example.com</Name>\
                 <Type>{kind}</Type><TTL>10</TTL><ResourceRecords><ResourceRecord><Value>{value}</Value>\
                 </ResourceRecord></ResourceRecords></ResourceRecordSet></Change>"
            )
        };
        let changes = records.iter().map(change).collect::<Vec<_>>().concat();
        let body = format!(
            "<ChangeResourceRecordSetsRequest><ChangeBatch><Changes>{changes}</Changes></ChangeBatch>\
             </ChangeResourceRecordSetsRequest>"
        );
        route53.text(&format!("POST /hostedzone/{id}/rrset/"), &body);
        route53
    }

    fn fleet() -> Route53 {
        zone(&[
            ("fleet", "CNAME", "Primary.iot.us-east-1.amazonaws.com"),
            ("alias", "CNAME", "fleet.example.com"),
            ("away", "CNAME", "www.example.org"),
            ("gone", "CNAME", "none.example.com"),
            ("round", "CNAME", "and-round.example.com"),
            ("and-round", "CNAME", "round.example.com"),
        ])
    }

    fn summary(name: &str, kind: Option<RecordType>) -> (Ending, Vec<&'static str>, bool) {
        let found = lookup(&hosts(), &fleet(), name, kind);
        let kinds = found.answers.iter().map(|s| s.kind.as_str()).collect();
        (found.ending, kinds, found.soa.is_some())
    }

    #[test]
    fn chains_are_followed_to_the_host() {
        let a = Some(RecordType::A);
        assert_eq!(summary("Fleet.example.com.", a), (Ending::Known, vec!["CNAME", "A"], false));
        assert_eq!(summary("alias.example.com", a), (Ending::Known, vec!["CNAME", "CNAME", "A"], false));
        let cname = Some(RecordType::Cname);
        assert_eq!(summary("fleet.example.com", cname), (Ending::Known, vec!["CNAME"], false));
        // An AAAA query: the name has an address, but none of that kind.
        assert_eq!(summary("fleet.example.com", None), (Ending::Known, vec!["CNAME"], false));
        let found = lookup(&hosts(), &fleet(), "fleet.example.com", a);
        assert_eq!(found.answers[1].name, "primary.iot.us-east-1.amazonaws.com.");
        assert_eq!((found.answers[0].ttl_s, found.answers[1].ttl_s), (10, HOST_TTL_S));
    }

    #[test]
    fn every_way_to_say_no_is_told_apart() {
        let a = Some(RecordType::A);
        assert_eq!(summary("none.example.com", a), (Ending::NoName, vec![], true));
        assert_eq!(summary("example.com", a), (Ending::Known, vec![], true));
        assert_eq!(summary("gone.example.com", a), (Ending::NoName, vec!["CNAME"], true));
        assert_eq!(summary("away.example.com", a), (Ending::Known, vec!["CNAME"], false));
        assert_eq!(summary("www.example.org", a), (Ending::NotOurs, vec![], false));
        assert_eq!(summary("round.example.com", a), (Ending::Endless, vec![], false));
        let text = Some(RecordType::Txt);
        assert_eq!(summary("primary.iot.us-east-1.amazonaws.com", text), (Ending::Known, vec![], false));
    }

    #[test]
    fn an_address_is_the_end_of_the_chain() {
        let (names, route53) = (hosts(), fleet());
        let at = |name| address(&names, &route53, name);
        assert_eq!(at("alias.example.com"), Some(Ipv4Addr::new(127, 0, 0, 2)));
        assert_eq!(at("primary.iot.us-east-1.amazonaws.com"), Some(Ipv4Addr::new(127, 0, 0, 2)));
        assert_eq!(at("away.example.com"), None);
        assert_eq!(at("example.org"), None);
    }
}
