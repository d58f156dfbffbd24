//! The fleet's name: a hosted zone of the run, and a CNAME with failover records to the Regions' endpoints.

use anyhow::{Context, anyhow};
use aws_sdk_route53::types::{
    Change as RecordChange, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet,
    ResourceRecordSetFailover, RrType,
};

use super::Site;
use crate::{aws::describe, journal::Change};

impl Site<'_> {
    /// Makes the zone and the records; the answer is the name that devices ask for.
    pub(super) async fn zone(&self, primary_check: &str, secondary_check: &str) -> anyhow::Result<String> {
        let zone = format!("gd-{}.gameday.internal.", self.run);
        self.journal.intend(Change::HostedZone { name: zone.clone() })?;
        let made = self
            .aws
            .route53
            .create_hosted_zone()
            .name(&zone)
            .caller_reference(self.name("zone"))
            .send()
            .await
            .map_err(|e| anyhow!(describe(&e)))
            .context("the hosted zone could not be created")?;
        let id = made.hosted_zone().context("a zone without itself")?.id().to_owned();
        let name = format!("iot.{zone}");
        let batch = ChangeBatch::builder()
            .changes(self.record(
                &name,
                &self.aws.primary.region,
                ResourceRecordSetFailover::Primary,
                primary_check,
            )?)
            .changes(self.record(
                &name,
                &self.aws.secondary.region,
                ResourceRecordSetFailover::Secondary,
                secondary_check,
            )?)
            .build()?;
        self.aws
            .route53
            .change_resource_record_sets()
            .hosted_zone_id(id)
            .change_batch(batch)
            .send()
            .await
            .map_err(|e| anyhow!(describe(&e)))
            .context("the failover records could not be created")?;
        Ok(name)
    }

    fn record(
        &self,
        name: &str,
        region: &str,
        failover: ResourceRecordSetFailover,
        check: &str,
    ) -> anyhow::Result<RecordChange> {
        let target = ResourceRecord::builder().value(self.target.host(region)).build()?;
        let set = ResourceRecordSet::builder()
            .name(name)
            .r#type(RrType::Cname)
            .set_identifier(region)
            .failover(failover)
            .ttl(i64::try_from(self.scenario.dns.ttl.as_secs())?)
            .health_check_id(check)
            .resource_records(target)
            .build()?;
        Ok(RecordChange::builder().action(ChangeAction::Create).resource_record_set(set).build()?)
    }
}
