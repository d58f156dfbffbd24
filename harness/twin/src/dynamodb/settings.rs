//! What a table is set to besides its keys: stored and described, and enforced where a client would notice.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{api::seconds, capacity::Throughput, item::invalid};
use crate::error::AwsError;

const RECOVERY_DAYS: u32 = 35;

/// The settings of one table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// Provisioned capacity; none if the table is paid by request.
    pub(crate) throughput: Option<Throughput>,
    /// Since when the table is paid by request, or last was.
    pub(crate) on_demand_since: Option<Timestamp>,
    pub(crate) class: TableClass,
    pub(crate) deletion_protection: bool,
    /// The KMS key; none if the table is encrypted with AWS's own.
    pub(crate) kms_key: Option<String>,
    pub(crate) recovery: Option<Recovery>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum TableClass {
    #[default]
    Standard,
    StandardInfrequentAccess,
}

/// How a table is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Billing {
    OnDemand,
    /// Units a second to read and to write.
    Provisioned((u32, u32)),
}

/// Point-in-time recovery. Nothing can be restored from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recovery {
    pub(crate) since: Timestamp,
    pub(crate) days: u32,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ThroughputRequest {
    read_capacity_units: u32,
    write_capacity_units: u32,
}

impl ThroughputRequest {
    /// Units a second to read and to write.
    pub(crate) fn rates(self) -> Result<(u32, u32), AwsError> {
        let rates = (self.read_capacity_units, self.write_capacity_units);
        if rates.0 == 0 || rates.1 == 0 {
            return Err(invalid(
                "1 validation error detected: Value '0' at 'provisionedThroughput' failed to satisfy constraint: Member \
                 must have value greater than or equal to 1",
            ));
        }
        Ok(rates)
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct EncryptionRequest {
    enabled: Option<bool>,
    #[serde(rename = "KMSMasterKeyId")]
    kms_master_key_id: Option<String>,
}

impl EncryptionRequest {
    /// The KMS key that the request asks for; none for AWS's own.
    pub(crate) fn kms_key(&self, region: &str, account: &str) -> Option<String> {
        let asked = self.enabled == Some(true) || self.kms_master_key_id.is_some();
        let key = || self.kms_master_key_id.clone().unwrap_or_else(|| "alias/aws/dynamodb".to_owned());
        asked.then(key).map(|key| {
            if key.starts_with("arn:") { key } else { format!("arn:aws:kms:{region}:{account}:{key}") }
        })
    }
}

/// The members of `CreateTable` and `UpdateTable` that are settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SettingsRequest {
    billing_mode: Option<String>,
    provisioned_throughput: Option<ThroughputRequest>,
    #[serde(rename = "SSESpecification")]
    encryption: Option<EncryptionRequest>,
    table_class: Option<TableClass>,
    deletion_protection_enabled: Option<bool>,
}

impl SettingsRequest {
    /// How the table is to be paid for; none if the request says nothing of it.
    pub(crate) fn billing(&self) -> Result<Option<Billing>, AwsError> {
        match (self.billing_mode.as_deref(), self.provisioned_throughput) {
            (Some("PAY_PER_REQUEST"), None) => Ok(Some(Billing::OnDemand)),
            (Some("PAY_PER_REQUEST"), Some(_)) => Err(invalid(
                "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be \
                 specified when BillingMode is PAY_PER_REQUEST",
            )),
            (Some("PROVISIONED") | None, Some(throughput)) => {
                Ok(Some(Billing::Provisioned(throughput.rates()?)))
            }
            (Some("PROVISIONED"), None) => Err(no_throughput()),
            (None, None) => Ok(None),
            (Some(other), _) => Err(invalid(format!(
                "1 validation error detected: Value '{other}' at 'billingMode' failed to satisfy constraint: Member must \
                 satisfy enum value set: [PROVISIONED, PAY_PER_REQUEST]"
            ))),
        }
    }

    /// Whether the request says anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.billing_mode.is_none()
            && self.provisioned_throughput.is_none()
            && self.encryption.is_none()
            && self.table_class.is_none()
            && self.deletion_protection_enabled.is_none()
    }

    /// Takes over what the request says, but for throughput, which concerns indexes too.
    pub(crate) fn apply(&self, settings: &mut Settings, (region, account): (&str, &str)) {
        if let Some(encryption) = &self.encryption {
            settings.kms_key = encryption.kms_key(region, account);
        }
        settings.class = self.table_class.unwrap_or(settings.class);
        settings.deletion_protection =
            self.deletion_protection_enabled.unwrap_or(settings.deletion_protection);
    }
}

pub(crate) fn no_throughput() -> AwsError {
    invalid(
        "One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be specified when \
         BillingMode is PROVISIONED",
    )
}

impl Settings {
    /// Adds what the settings are to a table's description.
    pub(crate) fn describe(&self, description: &mut Json) {
        description["ProvisionedThroughput"] = throughput_json(self.throughput.as_ref());
        if let Some(since) = self.on_demand_since {
            let mode = if self.throughput.is_some() { "PROVISIONED" } else { "PAY_PER_REQUEST" };
            description["BillingModeSummary"] =
                json!({"BillingMode": mode, "LastUpdateToPayPerRequestDateTime": seconds(since)});
        }
        if self.class != TableClass::default() {
            description["TableClassSummary"] = json!({"TableClass": self.class});
        }
        if let Some(key) = &self.kms_key {
            description["SSEDescription"] =
                json!({"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": key});
        }
        description["DeletionProtectionEnabled"] = json!(self.deletion_protection);
    }

    /// `ContinuousBackupsDescription`.
    pub(crate) fn backups(&self, now: Timestamp) -> Json {
        let recovery = match self.recovery {
            None => json!({"PointInTimeRecoveryStatus": "DISABLED"}),
            Some(Recovery { since, days }) => json!({
                "PointInTimeRecoveryStatus": "ENABLED",
                "RecoveryPeriodInDays": days,
                "EarliestRestorableDateTime": seconds(since),
                "LatestRestorableDateTime": seconds(now),
            }),
        };
        json!({"ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": recovery,
        }})
    }

    pub(crate) fn set_recovery(
        &mut self,
        on: bool,
        days: Option<u32>,
        now: Timestamp,
    ) -> Result<(), AwsError> {
        let days = days.unwrap_or_else(|| self.recovery.map_or(RECOVERY_DAYS, |r| r.days));
        if !(1..=RECOVERY_DAYS).contains(&days) {
            return Err(invalid(format!("RecoveryPeriodInDays must be 1 to {RECOVERY_DAYS}")));
        }
        let since = self.recovery.map_or(now, |r| r.since);
        self.recovery = on.then_some(Recovery { since, days });
        Ok(())
    }
}

/// Provisioned throughput as descriptions have it; zeros on demand.
pub(crate) fn throughput_json(throughput: Option<&Throughput>) -> Json {
    let (read, write) = throughput.map_or((0, 0), Throughput::rates);
    json!({"ReadCapacityUnits": read, "WriteCapacityUnits": write, "NumberOfDecreasesToday": 0})
}
