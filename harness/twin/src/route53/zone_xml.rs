//! Hosted zones, record sets and changes as the API spells them.

use serde::{Deserialize, Serialize};

use crate::{
    error::AwsError,
    route53::{
        name,
        record::{Failover, RecordSet, RecordType},
        xml,
        zone::{ChangeInfo, NAME_SERVERS, Zone},
    },
};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct CreateRequest {
    pub(crate) name: String,
    pub(crate) caller_reference: String,
    pub(crate) hosted_zone_config: Option<ZoneConfigXml>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ZoneConfigXml {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) comment: Option<String>,
    pub(crate) private_zone: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ZoneXml {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) caller_reference: String,
    pub(crate) config: ZoneConfigXml,
    pub(crate) resource_record_set_count: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct ZonesXml {
    #[serde(rename = "HostedZone")]
    pub(crate) zone: Vec<ZoneXml>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ZoneResponse {
    pub(crate) hosted_zone: ZoneXml,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) change_info: Option<ChangeInfoXml>,
    pub(crate) delegation_set: DelegationSet,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DelegationSet {
    pub(crate) name_servers: NameServers,
}

#[derive(Debug, Serialize)]
pub(crate) struct NameServers {
    #[serde(rename = "NameServer")]
    pub(crate) server: [&'static str; 4],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListZonesResponse<'a> {
    pub(crate) hosted_zones: ZonesXml,
    pub(crate) marker: &'a str,
    pub(crate) is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_marker: Option<String>,
    pub(crate) max_items: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct ListZonesByNameResponse<'a> {
    #[serde(rename = "HostedZones")]
    pub(crate) hosted_zones: ZonesXml,
    #[serde(rename = "DNSName", skip_serializing_if = "Option::is_none")]
    pub(crate) dns_name: Option<&'a str>,
    #[serde(rename = "HostedZoneId", skip_serializing_if = "Option::is_none")]
    pub(crate) hosted_zone_id: Option<&'a str>,
    #[serde(rename = "IsTruncated")]
    pub(crate) is_truncated: bool,
    #[serde(rename = "NextDNSName", skip_serializing_if = "Option::is_none")]
    pub(crate) next_dns_name: Option<String>,
    #[serde(rename = "NextHostedZoneId", skip_serializing_if = "Option::is_none")]
    pub(crate) next_hosted_zone_id: Option<String>,
    #[serde(rename = "MaxItems")]
    pub(crate) max_items: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ChangeInfoXml {
    pub(crate) id: String,
    pub(crate) status: &'static str,
    pub(crate) submitted_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) comment: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ChangeResponse {
    pub(crate) change_info: ChangeInfoXml,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ChangeRequest {
    pub(crate) change_batch: ChangeBatch,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ChangeBatch {
    pub(crate) comment: Option<String>,
    pub(crate) changes: Changes,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Changes {
    #[serde(rename = "Change", default)]
    pub(crate) change: Vec<ChangeXml>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ChangeXml {
    pub(crate) action: String,
    pub(crate) resource_record_set: RecordSetXml,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct RecordSetXml {
    pub(crate) name: String,
    #[serde(rename = "Type")]
    pub(crate) kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) set_identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failover: Option<String>,
    #[serde(rename = "TTL")]
    pub(crate) ttl_s: Option<u32>,
    pub(crate) resource_records: Option<ResourceRecords>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) health_check_id: Option<String>,
    /// Whose records they are; in listings only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) traffic_policy_instance_id: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ResourceRecords {
    #[serde(rename = "ResourceRecord", default)]
    pub(crate) record: Vec<ResourceRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ResourceRecord {
    pub(crate) value: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListRecordsResponse {
    pub(crate) resource_record_sets: RecordSetsXml,
    pub(crate) is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_record_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_record_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_record_identifier: Option<String>,
    pub(crate) max_items: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct RecordSetsXml {
    #[serde(rename = "ResourceRecordSet")]
    pub(crate) set: Vec<RecordSetXml>,
}

impl DelegationSet {
    /// The one that all zones share.
    pub(crate) fn shared() -> Self {
        Self { name_servers: NameServers { server: NAME_SERVERS } }
    }
}

impl ZoneXml {
    pub(crate) fn new(zone: &Zone) -> Self {
        Self {
            id: format!("/hostedzone/{}", zone.id),
            name: zone.name.clone(),
            caller_reference: zone.caller_reference.clone(),
            config: ZoneConfigXml { comment: zone.comment.clone(), private_zone: Some(false) },
            resource_record_set_count: zone.records.len(),
        }
    }
}

impl ChangeInfoXml {
    pub(crate) fn new(change: &ChangeInfo, status: &'static str) -> Self {
        Self {
            id: format!("/change/{}", change.id),
            status,
            submitted_at: xml::time(change.submitted),
            comment: change.comment.clone(),
        }
    }
}

impl RecordSetXml {
    pub(crate) fn new(set: &RecordSet) -> Self {
        let record = set.values.iter().map(|v| ResourceRecord { value: v.clone() }).collect();
        Self {
            name: set.name.clone(),
            kind: set.kind.as_str().to_owned(),
            set_identifier: set.set_identifier.clone(),
            failover: set.failover.map(|f| f.as_str().to_owned()),
            ttl_s: Some(set.ttl_s),
            resource_records: Some(ResourceRecords { record }),
            health_check_id: set.health_check_id.clone(),
            traffic_policy_instance_id: None,
        }
    }

    pub(crate) fn read(self) -> Result<RecordSet, AwsError> {
        if self.traffic_policy_instance_id.is_some() {
            return invalid("Records of a traffic policy instance are changed through it");
        }
        let Some(kind) = RecordType::parse(&self.kind) else {
            return invalid(&format!("The twin has no records of type {}", self.kind));
        };
        let Some(ttl_s) = self.ttl_s else {
            return invalid(&format!("Invalid request: Missing field 'TTL' in {} {}", self.kind, self.name));
        };
        let failover = match self.failover.as_deref() {
            None => None,
            Some(role) => match Failover::parse(role) {
                None => return invalid(&format!("Failover is PRIMARY or SECONDARY, not {role}")),
                parsed => parsed,
            },
        };
        let records = self.resource_records.map(|r| r.record).unwrap_or_default();
        Ok(RecordSet {
            name: name::absolute(&self.name),
            kind,
            set_identifier: self.set_identifier,
            failover,
            health_check_id: self.health_check_id,
            ttl_s,
            values: records.into_iter().map(|r| r.value).collect(),
        })
    }
}

/// Refuses a request that cannot be understood.
pub(crate) fn invalid<T>(message: &str) -> Result<T, AwsError> {
    Err(AwsError::new(400, "InvalidInput", message))
}
