//! Change batches: what becomes of a zone's records when a list of changes is applied, or why none is.
//!
//! A batch is applied whole or not at all, in its order; every fault of a batch is reported, not only the first.

use std::collections::{BTreeMap, BTreeSet};

use crate::route53::{
    name,
    record::{RecordKey, RecordSet, RecordType},
};

/// Records in one batch; an UPSERT counts double, being a DELETE and a CREATE.
const BATCH_RECORDS_MAX: usize = 1_000;
/// Characters of all values in one batch; an UPSERT counts double.
const BATCH_CHARS_MAX: usize = 32_000;
/// Records in a zone (quota L-E209CC9F).
const ZONE_RECORDS_MAX: usize = 10_000;

/// The record sets of a zone, in the order of listings.
pub(crate) type Records = BTreeMap<RecordKey, RecordSet>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Create,
    Upsert,
    Delete,
}

impl Action {
    pub(crate) fn parse(action: &str) -> Option<Self> {
        match action {
            "CREATE" => Some(Self::Create),
            "UPSERT" => Some(Self::Upsert),
            "DELETE" => Some(Self::Delete),
            _ => None,
        }
    }
}

/// One change of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) action: Action,
    pub(crate) set: RecordSet,
}

/// The zone's records after the batch, or every reason why it cannot be applied.
pub(crate) fn apply(zone: &str, records: &Records, changes: &[Change]) -> Result<Records, Vec<String>> {
    let mut faults = batch_faults(changes);
    let mut after = records.clone();
    for change in changes {
        faults.extend(step(zone, &mut after, change).err());
    }
    // What the zone would look like matters only if the changes are sound in themselves.
    if faults.is_empty() {
        let names: BTreeSet<&str> = changes.iter().map(|c| c.set.name.as_str()).collect();
        faults.extend(names.into_iter().flat_map(|n| name_faults(zone, &after, n)));
        if after.len() > ZONE_RECORDS_MAX {
            faults.push(format!("The zone {zone} cannot hold more than {ZONE_RECORDS_MAX} records"));
        }
    }
    if faults.is_empty() { Ok(after) } else { Err(faults) }
}

fn batch_faults(changes: &[Change]) -> Vec<String> {
    let weight = |c: &Change| if c.action == Action::Upsert { 2 } else { 1 };
    let records: usize = changes.iter().map(|c| weight(c) * c.set.values.len().max(1)).sum();
    let chars: usize =
        changes.iter().map(|c| weight(c) * c.set.values.iter().map(String::len).sum::<usize>()).sum();
    let mut faults = Vec::new();
    if records > BATCH_RECORDS_MAX {
        faults.push(format!("Number of records limit of {BATCH_RECORDS_MAX} exceeded."));
    }
    if chars > BATCH_CHARS_MAX {
        faults.push(format!("Number of characters limit of {BATCH_CHARS_MAX} exceeded."));
    }
    faults
}

fn step(zone: &str, records: &mut Records, change: &Change) -> Result<(), String> {
    let set = &change.set;
    if !name::is_within(&set.name, zone) {
        return Err(format!("RRSet with DNS name {} is not permitted in zone {zone}", set.name));
    }
    let key = set.key();
    if change.action == Action::Delete {
        let Some(current) = records.get(&key) else {
            return Err(format!("Tried to delete resource record set {} but it was not found", set.label()));
        };
        if !is_same(current, set) {
            return Err(format!(
                "Tried to delete resource record set {} but the values provided do not match the current values",
                set.label()
            ));
        }
        records.remove(&key);
        return Ok(());
    }
    if let Some(fault) = set.fault() {
        return Err(fault);
    }
    if change.action == Action::Create && records.contains_key(&key) {
        return Err(format!("Tried to create resource record set {} but it already exists", set.label()));
    }
    records.insert(key, set.clone());
    Ok(())
}

/// Equal but for the order of the values, which has no meaning.
fn is_same(one: &RecordSet, other: &RecordSet) -> bool {
    let sorted = |set: &RecordSet| {
        let mut set = set.clone();
        set.values.sort();
        set
    };
    sorted(one) == sorted(other)
}

/// What is wrong with the record sets of one name taken together.
fn name_faults(zone: &str, records: &Records, name: &str) -> Vec<String> {
    let sort_name = name::sort_key(name);
    let first = RecordKey { sort_name: sort_name.clone(), kind: RecordType::A, set_identifier: None };
    let here = records.range(first..).take_while(|(key, _)| key.sort_name == sort_name);
    let sets: Vec<&RecordSet> = here.map(|(_, set)| set).collect();
    let mut faults = Vec::new();
    if name == zone {
        if sets.iter().filter(|s| s.kind == RecordType::Soa).count() != 1 {
            faults.push("A HostedZone must contain exactly one SOA record.".to_owned());
        }
        if !sets.iter().any(|s| s.kind == RecordType::Ns) {
            faults.push("A HostedZone must contain at least one NS record for the zone itself.".to_owned());
        }
    }
    let kinds: BTreeSet<RecordType> = sets.iter().map(|s| s.kind).collect();
    if kinds.contains(&RecordType::Cname) {
        if name == zone {
            faults.push(format!(
                "RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {zone}"
            ));
        } else if kinds.len() > 1 {
            faults.push(format!(
                "RRSet of type CNAME with DNS name {name} is not permitted as it conflicts with other records with \
                 the same DNS name in zone {zone}"
            ));
        }
    }
    faults.extend(kinds.into_iter().filter_map(|kind| routing_fault(name, kind, &sets)));
    faults
}

/// A name has for each type either one simple record set or at most one failover set of each role.
fn routing_fault(name: &str, kind: RecordType, sets: &[&RecordSet]) -> Option<String> {
    let mut roles = Vec::new();
    for set in sets.iter().filter(|s| s.kind == kind) {
        let clash = roles.contains(&set.failover) || (!roles.is_empty() && set.failover.is_none());
        if clash || roles.contains(&None) {
            return Some(format!(
                "RRSet with DNS name {name}, type {}, SetIdentifier {} cannot be created as a conflicting record \
                 set with the same name and type exists",
                kind.as_str(),
                set.set_identifier.as_deref().unwrap_or("null"),
            ));
        }
        roles.push(set.failover);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route53::record::Failover;

    const ZONE: &str = "example.com.";

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

    fn half(role: Failover, identifier: &str) -> RecordSet {
        RecordSet {
            set_identifier: Some(identifier.to_owned()),
            failover: Some(role),
            ..set("fleet.example.com.", RecordType::Cname, "a.example.org")
        }
    }

    fn batch(action: Action, sets: &[RecordSet]) -> Vec<Change> {
        sets.iter().map(|s| Change { action, set: s.clone() }).collect()
    }

    fn zone_with(sets: &[RecordSet]) -> Records {
        let mut all = vec![
            set(ZONE, RecordType::Soa, "ns-1.awsdns-00.com. h.example.com. 1 7200 900 1209600 86400"),
            set(ZONE, RecordType::Ns, "ns-1.awsdns-00.com."),
        ];
        all.extend_from_slice(sets);
        all.into_iter().map(|s| (s.key(), s)).collect()
    }

    fn first_fault(records: &Records, changes: &[Change]) -> String {
        apply(ZONE, records, changes).unwrap_err().remove(0)
    }

    #[test]
    fn create_needs_the_set_absent_and_delete_needs_it_equal() {
        let www = set("www.example.com.", RecordType::A, "127.0.0.2");
        let held = zone_with(std::slice::from_ref(&www));
        let create = batch(Action::Create, std::slice::from_ref(&www));
        assert_eq!(apply(ZONE, &zone_with(&[]), &create).unwrap(), held);
        assert!(first_fault(&held, &create).ends_with("but it already exists"));

        let delete = batch(Action::Delete, std::slice::from_ref(&www));
        assert_eq!(apply(ZONE, &held, &delete).unwrap(), zone_with(&[]));
        assert!(first_fault(&zone_with(&[]), &delete).ends_with("but it was not found"));
        let other = RecordSet { ttl_s: 20, ..www };
        assert!(first_fault(&held, &batch(Action::Delete, &[other])).ends_with("match the current values"));
    }

    #[test]
    fn a_batch_with_one_bad_change_reports_all_faults_and_changes_nothing() {
        let good = set("good.example.com.", RecordType::A, "127.0.0.2");
        let outside = set("www.example.org.", RecordType::A, "127.0.0.2");
        let bad = set("bad.example.com.", RecordType::A, "nowhere");
        let faults = apply(ZONE, &zone_with(&[]), &batch(Action::Create, &[good, outside, bad])).unwrap_err();
        assert_eq!(faults.len(), 2);
        assert_eq!(faults[0], "RRSet with DNS name www.example.org. is not permitted in zone example.com.");
    }

    #[test]
    fn a_batch_can_replace_a_record_set_by_another_type() {
        let a = set("www.example.com.", RecordType::A, "127.0.0.2");
        let cname = set("www.example.com.", RecordType::Cname, "a.example.org");
        let mut changes = batch(Action::Delete, std::slice::from_ref(&a));
        changes.extend(batch(Action::Create, std::slice::from_ref(&cname)));
        assert_eq!(apply(ZONE, &zone_with(&[a]), &changes).unwrap(), zone_with(&[cname]));
    }

    #[test]
    fn a_cname_stands_alone_and_never_at_the_apex() {
        let cname = set("www.example.com.", RecordType::Cname, "a.example.org");
        let text = set("www.example.com.", RecordType::Txt, "\"x\"");
        let fault = first_fault(&zone_with(&[cname]), &batch(Action::Create, &[text]));
        assert!(fault.contains("conflicts with other records"));
        let apex = batch(Action::Create, &[set(ZONE, RecordType::Cname, "a.example.org")]);
        assert!(first_fault(&zone_with(&[]), &apex).contains("not permitted at apex"));
    }

    #[test]
    fn a_name_has_one_primary_and_one_secondary_or_one_simple_set() {
        let pair = [half(Failover::Primary, "p"), half(Failover::Secondary, "s")];
        let held = apply(ZONE, &zone_with(&[]), &batch(Action::Create, &pair)).unwrap();
        let second_primary = batch(Action::Create, &[half(Failover::Primary, "p2")]);
        assert!(first_fault(&held, &second_primary).contains("conflicting record set"));
        let simple = batch(Action::Create, &[set("fleet.example.com.", RecordType::Cname, "a.example.org")]);
        assert!(first_fault(&held, &simple).contains("conflicting record set"));
    }

    #[test]
    fn a_zone_keeps_its_soa_and_ns() {
        let records = zone_with(&[]);
        let all: Vec<RecordSet> = records.values().cloned().collect();
        assert_eq!(apply(ZONE, &records, &batch(Action::Delete, &all)).unwrap_err().len(), 2);
    }

    #[test]
    fn an_upsert_counts_double() {
        let sets: Vec<RecordSet> =
            (0..501).map(|i| set(&format!("d{i}.example.com."), RecordType::A, "127.0.0.2")).collect();
        assert!(apply(ZONE, &zone_with(&[]), &batch(Action::Create, &sets)).is_ok());
        assert!(first_fault(&zone_with(&[]), &batch(Action::Upsert, &sets)).contains("limit of 1000"));
    }
}
