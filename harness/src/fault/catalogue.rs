//! The catalogue of faults: one table, from which names, labels and documentation come.

use serde::{Deserialize, Serialize};

/// A fault by the name that scenarios use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultName {
    /// The primary's health check asks for a path that is one character short, as the archived guide breaks it.
    PrimaryHealthCheck,
    /// The primary Region is cut off: no MQTT, no HTTPS, no API, no replication out of it.
    PrimaryRegionDark,
    /// The global table takes nothing from the primary to the secondary.
    ReplicationPaused,
}

/// One line of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct FaultEntry {
    /// Which.
    pub fault: FaultName,
    /// Its name in scenarios and records.
    pub name: &'static str,
    /// Its name for a reader.
    pub label: &'static str,
    /// Targets that have it.
    pub targets: &'static str,
    /// What shows that it acts.
    pub proof: &'static str,
    /// What shows that it is cured.
    pub cure_proof: &'static str,
}

/// Every fault.
pub const CATALOGUE: [FaultEntry; 3] = [
    FaultEntry {
        fault: FaultName::PrimaryHealthCheck,
        name: "primary-health-check",
        label: "primary health check broken",
        targets: "twin, aws",
        proof: "Route 53 reports the check as unhealthy",
        cure_proof: "the path before was read back",
    },
    FaultEntry {
        fault: FaultName::PrimaryRegionDark,
        name: "primary-region-dark",
        label: "primary Region dark",
        targets: "twin",
        proof: "an API call to the Region is not answered",
        cure_proof: "the twin no longer lists it",
    },
    FaultEntry {
        fault: FaultName::ReplicationPaused,
        name: "replication-paused",
        label: "replication paused",
        targets: "twin",
        proof: "a row written in the primary's table is not in the secondary's",
        cure_proof: "the twin no longer lists it",
    },
];

impl FaultName {
    /// Its line in the catalogue.
    pub fn entry(self) -> &'static FaultEntry {
        CATALOGUE.iter().find(|entry| entry.fault == self).unwrap_or(&CATALOGUE[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_has_each_fault_once_under_the_name_that_scenarios_use() {
        for entry in CATALOGUE {
            assert_eq!(serde_json::to_value(entry.fault).unwrap(), entry.name);
            assert_eq!(CATALOGUE.iter().filter(|e| e.fault == entry.fault).count(), 1);
        }
    }
}
