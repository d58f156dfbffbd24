//! A record set: what one name answers for one type, alone or as one half of a failover pair.

use std::net::Ipv4Addr;

use crate::route53::name;

/// TTL of the longest-lived record.
const TTL_S_MAX: u32 = 2_147_483_647;
/// Longest character string in a TXT record (RFC 1035, 3.3).
const TEXT_BYTES_MAX: usize = 255;
/// Server, mailbox, serial and four times.
const SOA_FIELDS: usize = 7;

/// The record types that zones here can hold, in the order that Route 53 lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RecordType {
    A,
    Cname,
    Ns,
    Soa,
    Txt,
}

impl RecordType {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::A, Self::Cname, Self::Ns, Self::Soa, Self::Txt].into_iter().find(|t| t.as_str() == name)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Cname => "CNAME",
            Self::Ns => "NS",
            Self::Soa => "SOA",
            Self::Txt => "TXT",
        }
    }
}

/// Which half of a failover pair a record set is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failover {
    Primary,
    Secondary,
}

impl Failover {
    pub(crate) fn parse(role: &str) -> Option<Self> {
        match role {
            "PRIMARY" => Some(Self::Primary),
            "SECONDARY" => Some(Self::Secondary),
            _ => None,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "PRIMARY",
            Self::Secondary => "SECONDARY",
        }
    }
}

/// One record set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordSet {
    /// Absolute and in lower case.
    pub(crate) name: String,
    pub(crate) kind: RecordType,
    /// Tells the halves of a failover pair apart; a simple record set has none.
    pub(crate) set_identifier: Option<String>,
    pub(crate) failover: Option<Failover>,
    pub(crate) health_check_id: Option<String>,
    pub(crate) ttl_s: u32,
    pub(crate) values: Vec<String>,
}

/// What a zone keeps a record set under; its order is the order of listings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordKey {
    pub(crate) sort_name: String,
    pub(crate) kind: RecordType,
    pub(crate) set_identifier: Option<String>,
}

impl RecordSet {
    pub(crate) fn key(&self) -> RecordKey {
        RecordKey {
            sort_name: name::sort_key(&self.name),
            kind: self.kind,
            set_identifier: self.set_identifier.clone(),
        }
    }

    /// How Route 53 names a record set in its messages.
    pub(crate) fn label(&self) -> String {
        let kind = self.kind.as_str();
        match &self.set_identifier {
            Some(id) => format!("[name='{}', type='{kind}', set identifier='{id}']", self.name),
            None => format!("[name='{}', type='{kind}']", self.name),
        }
    }

    /// What is wrong with the record set in itself, whatever else the zone holds.
    pub(crate) fn fault(&self) -> Option<String> {
        let fatal = |problem: &str, value: &str| {
            Some(format!("Invalid Resource Record: 'FATAL problem: {problem} encountered with '{value}''"))
        };
        if let Some(problem) = name::fault(&self.name) {
            return fatal(problem, &self.name);
        }
        if self.set_identifier.is_some() != self.failover.is_some() {
            return Some(format!(
                "Invalid request: SetIdentifier and Failover must be specified together in {}",
                self.label()
            ));
        }
        if self.ttl_s > TTL_S_MAX {
            return Some(format!("Invalid TTL {} in {}", self.ttl_s, self.label()));
        }
        if self.values.is_empty() {
            return Some(format!("Invalid request: Missing field 'ResourceRecords' in {}", self.label()));
        }
        if self.values.len() > 1 && matches!(self.kind, RecordType::Cname | RecordType::Soa) {
            return Some(format!("Only one value is permitted in {}", self.label()));
        }
        self.values.iter().find_map(|v| value_fault(self.kind, v).and_then(|problem| fatal(problem, v)))
    }
}

fn value_fault(kind: RecordType, value: &str) -> Option<&'static str> {
    match kind {
        RecordType::A => value
            .parse::<Ipv4Addr>()
            .is_err()
            .then_some("ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"),
        RecordType::Cname | RecordType::Ns => name::fault(&name::absolute(value)),
        RecordType::Soa => soa_fault(value),
        RecordType::Txt => texts(value)
            .is_none()
            .then_some("InvalidCharacterString (Value should be enclosed in quotation marks)"),
    }
}

fn soa_fault(value: &str) -> Option<&'static str> {
    let fields: Vec<&str> = value.split_whitespace().collect();
    let times = fields.get(2..).unwrap_or_default();
    let well_formed =
        fields.len() == SOA_FIELDS && times.iter().all(|t| t.parse::<i32>().is_ok_and(|t| t >= 0));
    (!well_formed).then_some("SOAInvalid (Value is not a start of authority)")
}

/// The character strings of a TXT value: `"one" "two"`, with `\"` and `\\` inside.
pub(crate) fn texts(value: &str) -> Option<Vec<String>> {
    let mut texts = Vec::new();
    let mut rest = value.trim();
    while !rest.is_empty() {
        let mut text = String::new();
        let mut chars = rest.strip_prefix('"')?.chars();
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => text.push(chars.next()?),
                c => text.push(c),
            }
        }
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        texts.push(text);
        rest = chars.as_str().trim_start();
    }
    (!texts.is_empty()).then_some(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(kind: RecordType, values: &[&str]) -> RecordSet {
        RecordSet {
            name: "fleet.example.com.".to_owned(),
            kind,
            set_identifier: None,
            failover: None,
            health_check_id: None,
            ttl_s: 10,
            values: values.iter().map(|v| (*v).to_owned()).collect(),
        }
    }

    #[test]
    fn values_must_suit_their_type() {
        assert_eq!(set(RecordType::A, &["127.0.0.2", "127.0.0.3"]).fault(), None);
        assert!(set(RecordType::A, &["fleet"]).fault().unwrap().contains("ARRDATAIllegalIPv4Address"));
        assert_eq!(set(RecordType::Cname, &["a1-ats.iot.us-east-1.amazonaws.com"]).fault(), None);
        assert!(set(RecordType::Cname, &["a.example.com", "b.example.com"]).fault().is_some());
        assert!(set(RecordType::Cname, &["not a name"]).fault().is_some());
        assert_eq!(set(RecordType::Txt, &["\"v=1\""]).fault(), None);
        assert!(set(RecordType::Txt, &["v=1"]).fault().unwrap().contains("quotation marks"));
        assert_eq!(set(RecordType::Soa, &["ns-1.awsdns-00.com. h.example.com. 1 2 3 4 5"]).fault(), None);
        assert!(set(RecordType::Soa, &["ns-1.awsdns-00.com. h.example.com. 1 2 3 4"]).fault().is_some());
        assert!(set(RecordType::A, &[]).fault().is_some());
    }

    #[test]
    fn a_failover_set_needs_both_its_role_and_its_identifier() {
        let mut half = set(RecordType::A, &["127.0.0.2"]);
        half.failover = Some(Failover::Primary);
        assert!(half.fault().is_some());
        half.set_identifier = Some("primary".to_owned());
        assert_eq!(half.fault(), None);
        assert_eq!(half.label(), "[name='fleet.example.com.', type='A', set identifier='primary']");
    }

    #[test]
    fn texts_are_unquoted() {
        assert_eq!(texts(r#""a b" "c\"d""#), Some(vec!["a b".to_owned(), "c\"d".to_owned()]));
        assert_eq!(texts("\"open"), None);
        assert_eq!(texts(""), None);
        assert_eq!(texts(&format!("\"{}\"", "x".repeat(256))), None);
    }

    #[test]
    fn types_read_as_they_are_written() {
        for kind in ["A", "CNAME", "NS", "SOA", "TXT"] {
            assert_eq!(RecordType::parse(kind).unwrap().as_str(), kind);
        }
        assert_eq!(RecordType::parse("AAAA"), None);
    }
}
