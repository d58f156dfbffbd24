//! Hosted zones: their records, and what they answer to a name.

use std::{cmp::Reverse, collections::BTreeMap, collections::VecDeque};

use indexmap::IndexMap;
use jiff::Timestamp;

use crate::{
    error::AwsError,
    route53::{
        change::{self, Change, Records},
        failover, name,
        record::{RecordKey, RecordSet, RecordType},
    },
};

/// Hosted zones of an account (quota L-4EA4796A).
const ZONES_MAX: usize = 500;
/// Changes that `GetChange` still knows; a client asks for one soon after making it.
const CHANGES_MAX: usize = 1_000;
/// TTL of a zone's own NS record, as Route 53 sets it.
const NS_TTL_S: u32 = 172_800;
/// TTL of a zone's SOA record, as Route 53 sets it.
const SOA_TTL_S: u32 = 900;
const SOA_VALUE: &str = "ns-2048.awsdns-64.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400";
/// The delegation set of every zone here; nothing resolves them, since the twin's DNS server is asked directly.
pub(crate) const NAME_SERVERS: [&str; 4] =
    ["ns-2048.awsdns-64.com", "ns-2049.awsdns-65.net", "ns-2050.awsdns-66.org", "ns-2051.awsdns-67.co.uk"];

/// A hosted zone.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    /// Without the `/hostedzone/` prefix.
    pub(crate) id: String,
    /// Absolute and in lower case.
    pub(crate) name: String,
    pub(crate) caller_reference: String,
    pub(crate) comment: Option<String>,
    pub(crate) records: Records,
    pub(crate) tags: BTreeMap<String, String>,
}

/// A change that was made, as `GetChange` tells it.
#[derive(Debug, Clone)]
pub(crate) struct ChangeInfo {
    /// Without the `/change/` prefix.
    pub(crate) id: String,
    pub(crate) submitted: Timestamp,
    pub(crate) comment: Option<String>,
}

/// What the zones say to a name and type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// No zone here is responsible for the name.
    NotHosted,
    /// The zone has neither the name nor any name below it. Carries the zone's SOA.
    NoName(RecordSet),
    /// The name exists, without records of the type. Carries the zone's SOA.
    NoData(RecordSet),
    /// The record set that answers: of the type asked for, or a CNAME instead.
    Found(RecordSet),
}

/// The account's zones, in the order in which they were made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Zones {
    by_id: IndexMap<String, Zone>,
    changes: VecDeque<ChangeInfo>,
}

impl Zone {
    fn new(id: String, name: String, caller_reference: String, comment: Option<String>) -> Self {
        let own = |kind, ttl_s, values| RecordSet {
            name: name.clone(),
            kind,
            set_identifier: None,
            failover: None,
            health_check_id: None,
            ttl_s,
            values,
        };
        let servers = NAME_SERVERS.iter().map(|s| format!("{s}.")).collect();
        let sets = [
            own(RecordType::Ns, NS_TTL_S, servers),
            own(RecordType::Soa, SOA_TTL_S, vec![SOA_VALUE.to_owned()]),
        ];
        let records = sets.into_iter().map(|s| (s.key(), s)).collect();
        Self { id, name, caller_reference, comment, records, tags: BTreeMap::new() }
    }

    /// Up to `count_max` record sets from `start` on, and the first that did not fit.
    pub(crate) fn list(
        &self,
        start: Option<&RecordKey>,
        count_max: usize,
    ) -> (Vec<&RecordSet>, Option<&RecordSet>) {
        let mut rest = self.records.iter().filter(|(k, _)| start.is_none_or(|s| *k >= s)).map(|(_, set)| set);
        (rest.by_ref().take(count_max).collect(), rest.next())
    }

    fn answer(&self, absolute: &str, kind: Option<RecordType>, healthy: &dyn Fn(&str) -> bool) -> Answer {
        let sort_name = name::sort_key(absolute);
        let from = RecordKey { sort_name: sort_name.clone(), kind: RecordType::A, set_identifier: None };
        let mut below = self
            .records
            .range(from..)
            .map(|(key, set)| (key.sort_name.as_str(), set))
            .take_while(|(key, _)| key.starts_with(&sort_name))
            .peekable();
        if below.peek().is_none() {
            return self.soa().map_or(Answer::NotHosted, Answer::NoName);
        }
        let here: Vec<&RecordSet> = below.filter(|(key, _)| *key == sort_name).map(|(_, set)| set).collect();
        let of = |kind| here.iter().copied().filter(|s| s.kind == kind).collect::<Vec<_>>();
        let asked = kind.map(of).filter(|sets| !sets.is_empty());
        match failover::choose(&asked.unwrap_or_else(|| of(RecordType::Cname)), healthy) {
            Some(set) => Answer::Found(set.clone()),
            None => self.soa().map_or(Answer::NotHosted, Answer::NoData),
        }
    }

    /// Always there: change batches keep it.
    fn soa(&self) -> Option<RecordSet> {
        self.records.values().find(|s| s.kind == RecordType::Soa && s.name == self.name).cloned()
    }
}

impl Zones {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Zone> {
        self.by_id.values()
    }

    pub(crate) fn get(&self, id: &str) -> Result<&Zone, AwsError> {
        self.by_id.get(id).ok_or_else(|| no_zone(id))
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Result<&mut Zone, AwsError> {
        self.by_id.get_mut(id).ok_or_else(|| no_zone(id))
    }

    /// Makes a zone with its NS and SOA records. The caller reference must be new.
    pub(crate) fn create(
        &mut self,
        id: String,
        zone_name: &str,
        caller_reference: &str,
        comment: Option<String>,
    ) -> Result<&Zone, AwsError> {
        let absolute = name::absolute(zone_name);
        if let Some(problem) = name::fault(&absolute) {
            return Err(AwsError::new(400, "InvalidDomainName", format!("{problem}: {zone_name}")));
        }
        if self.iter().any(|z| z.caller_reference == caller_reference) {
            return Err(AwsError::new(
                409,
                "HostedZoneAlreadyExists",
                format!(
                    "A hosted zone has already been created with the specified caller reference: {caller_reference}"
                ),
            ));
        }
        if self.by_id.len() >= ZONES_MAX {
            return Err(AwsError::new(
                400,
                "TooManyHostedZones",
                format!(
                    "Limits Exceeded: MAX_HOSTED_ZONES_BY_OWNER - Cannot create more than {ZONES_MAX} zones"
                ),
            ));
        }
        let zone = Zone::new(id.clone(), absolute, caller_reference.to_owned(), comment);
        Ok(self.by_id.entry(id).or_insert(zone))
    }

    /// Removes a zone that holds nothing but its own NS and SOA.
    pub(crate) fn delete(&mut self, id: &str) -> Result<(), AwsError> {
        let zone = self.get(id)?;
        let own = |s: &RecordSet| s.name == zone.name && matches!(s.kind, RecordType::Ns | RecordType::Soa);
        if !zone.records.values().all(own) {
            return Err(AwsError::new(
                400,
                "HostedZoneNotEmpty",
                "The specified hosted zone contains non-required resource record sets and so cannot be deleted.",
            ));
        }
        self.by_id.shift_remove(id);
        Ok(())
    }

    /// Applies a batch to a zone, whole or not at all.
    pub(crate) fn change(&mut self, id: &str, changes: &[Change]) -> Result<(), AwsError> {
        let zone = self.get_mut(id)?;
        zone.records = change::apply(&zone.name, &zone.records, changes)
            .map_err(|faults| AwsError::new(400, "InvalidChangeBatch", format!("[{}]", faults.join(", "))))?;
        Ok(())
    }

    /// Notes a change for `GetChange`; it is in force already.
    pub(crate) fn note(&mut self, change: ChangeInfo) {
        if self.changes.len() >= CHANGES_MAX {
            self.changes.pop_front();
        }
        self.changes.push_back(change);
    }

    pub(crate) fn noted(&self, id: &str) -> Result<&ChangeInfo, AwsError> {
        self.changes.iter().find(|c| c.id == id).ok_or_else(|| {
            AwsError::new(
                404,
                "NoSuchChange",
                format!("A change could not be found with the specified change id: {id}"),
            )
        })
    }

    /// What the zone responsible for a name says to it: the one with the longest name, of equal ones the oldest.
    pub(crate) fn answer(
        &self,
        absolute: &str,
        kind: Option<RecordType>,
        healthy: &dyn Fn(&str) -> bool,
    ) -> Answer {
        self.iter()
            .filter(|z| name::is_within(absolute, &z.name))
            .min_by_key(|z| Reverse(z.name.len()))
            .map_or(Answer::NotHosted, |z| z.answer(absolute, kind, healthy))
    }
}

fn no_zone(id: &str) -> AwsError {
    AwsError::new(404, "NoSuchHostedZone", format!("No hosted zone found with ID: {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route53::change::Action;

    fn set(name: &str, kind: RecordType, value: &str) -> RecordSet {
        RecordSet {
            name: name.to_owned(),
            kind,
            set_identifier: None,
            failover: None,
            health_check_id: None,
            ttl_s: 10,
            values: vec![value.to_owned()],
        }
    }

    fn zones_with(sets: &[RecordSet]) -> Zones {
        let mut zones = Zones::default();
        zones.create("Z1".to_owned(), "Example.com", "r1", None).unwrap();
        let changes: Vec<Change> =
            sets.iter().map(|s| Change { action: Action::Create, set: s.clone() }).collect();
        zones.change("Z1", &changes).unwrap();
        zones
    }

    fn ask(zones: &Zones, name: &str, kind: Option<RecordType>) -> Answer {
        zones.answer(&name::absolute(name), kind, &|_| true)
    }

    #[test]
    fn a_new_zone_has_its_ns_and_soa_and_only_then_can_be_deleted() {
        let mut zones = zones_with(&[set("www.example.com.", RecordType::A, "127.0.0.2")]);
        assert_eq!(zones.delete("Z1").unwrap_err().code, "HostedZoneNotEmpty");
        let delete =
            [Change { action: Action::Delete, set: set("www.example.com.", RecordType::A, "127.0.0.2") }];
        zones.change("Z1", &delete).unwrap();
        assert_eq!(zones.get("Z1").unwrap().records.len(), 2);
        zones.delete("Z1").unwrap();
        assert_eq!(zones.get("Z1").unwrap_err().code, "NoSuchHostedZone");
    }

    #[test]
    fn a_caller_reference_makes_one_zone() {
        let mut zones = zones_with(&[]);
        let again = zones.create("Z2".to_owned(), "example.net", "r1", None).unwrap_err();
        assert_eq!((again.status, again.code), (409, "HostedZoneAlreadyExists"));
    }

    #[test]
    fn answers_tell_no_name_from_no_data_from_not_ours() {
        let zones = zones_with(&[
            set("a.b.example.com.", RecordType::A, "127.0.0.2"),
            set("fleet.example.com.", RecordType::Cname, "a.b.example.com"),
        ]);
        assert!(matches!(ask(&zones, "A.b.Example.COM", Some(RecordType::A)), Answer::Found(_)));
        assert!(matches!(ask(&zones, "a.b.example.com", Some(RecordType::Txt)), Answer::NoData(_)));
        assert!(matches!(ask(&zones, "a.b.example.com", None), Answer::NoData(_)));
        // `b.example.com` has no records, but a name below it has.
        assert!(matches!(ask(&zones, "b.example.com", Some(RecordType::A)), Answer::NoData(_)));
        assert!(matches!(ask(&zones, "c.example.com", Some(RecordType::A)), Answer::NoName(_)));
        assert_eq!(ask(&zones, "example.org", Some(RecordType::A)), Answer::NotHosted);
        for kind in [Some(RecordType::A), Some(RecordType::Cname), None] {
            let Answer::Found(set) = ask(&zones, "fleet.example.com", kind) else {
                panic!("a CNAME answers every type")
            };
            assert_eq!(set.kind, RecordType::Cname);
        }
    }

    #[test]
    fn the_zone_with_the_longest_name_answers() {
        let mut zones = zones_with(&[]);
        zones.create("Z2".to_owned(), "iot.example.com", "r2", None).unwrap();
        let create = [Change {
            action: Action::Create,
            set: set("fleet.iot.example.com.", RecordType::A, "127.0.0.3"),
        }];
        zones.change("Z2", &create).unwrap();
        assert!(matches!(ask(&zones, "fleet.iot.example.com", Some(RecordType::A)), Answer::Found(_)));
    }

    #[test]
    fn lists_go_on_where_they_stopped() {
        let zones = zones_with(&[
            set("b.example.com.", RecordType::A, "127.0.0.2"),
            set("a.example.com.", RecordType::A, "127.0.0.2"),
        ]);
        let zone = zones.get("Z1").unwrap();
        let (page, next) = zone.list(None, 3);
        assert_eq!(page.iter().map(|s| s.kind.as_str()).collect::<Vec<_>>(), ["NS", "SOA", "A"]);
        let next = next.unwrap();
        assert_eq!(next.name, "b.example.com.");
        let (rest, end) = zone.list(Some(&next.key()), 3);
        assert_eq!((rest.len(), end), (1, None));
    }

    #[test]
    fn changes_are_forgotten_oldest_first() {
        let mut zones = Zones::default();
        for i in 0..=CHANGES_MAX {
            zones.note(ChangeInfo { id: format!("C{i}"), submitted: Timestamp::UNIX_EPOCH, comment: None });
        }
        assert_eq!(zones.noted("C0").unwrap_err().code, "NoSuchChange");
        assert_eq!(zones.noted("C1").unwrap().id, "C1");
    }
}
