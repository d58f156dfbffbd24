//! Certificates, policies and what ties them.

use aws_sdk_iot::types::{AutoRegistrationStatus, CaCertificateStatus, CertificateStatus};

use super::AwsRegion;
use super::errors::{failure, unread};
use super::listing::{PAGE_SIZE, collect, empty_if_absent, if_there};
use crate::model::{Authority, Certificate, DescribedCertificate, Page, Policy, Status};
use crate::outcome::{Class, Outcome};
use crate::ports::Identities;

fn status(status: Option<&CertificateStatus>) -> Status {
    match status {
        Some(CertificateStatus::Active) => Status::Active,
        Some(CertificateStatus::Revoked) => Status::Revoked,
        // Whatever else there is or will be: not usable.
        _ => Status::Inactive,
    }
}

impl AwsRegion {
    async fn authority(&self, id: String) -> Outcome<Option<Authority>> {
        const STEP: &str = "describe CA certificate";
        let describe = self.iot("DescribeCACertificate").await.describe_ca_certificate().certificate_id(&id);
        let Some(found) = if_there(describe.send().await.map_err(failure(STEP)))? else { return Ok(None) };
        let found = found.certificate_description.ok_or_else(|| unread(STEP))?;
        Ok(Some(Authority {
            pem: found.certificate_pem.ok_or_else(|| unread(STEP))?,
            active: found.status == Some(CaCertificateStatus::Active),
            registers: found.auto_registration_status == Some(AutoRegistrationStatus::Enable),
            id,
        }))
    }
}

impl Identities for AwsRegion {
    async fn described_certificate(&self, id: &str) -> Outcome<Option<DescribedCertificate>> {
        const STEP: &str = "describe certificate";
        let describe = self.iot("DescribeCertificate").await.describe_certificate().certificate_id(id);
        let Some(found) = if_there(describe.send().await.map_err(failure(STEP)))? else { return Ok(None) };
        let found = found.certificate_description.ok_or_else(|| unread(STEP))?;
        let pem = found.certificate_pem.ok_or_else(|| unread(STEP))?;
        let certificate = Certificate { pem, status: status(found.status.as_ref()) };
        let is_pending = found.status == Some(CertificateStatus::PendingActivation);
        Ok(Some(DescribedCertificate { certificate, is_pending }))
    }

    async fn certificates(&self, from: Option<&str>) -> Outcome<Page<String>> {
        const STEP: &str = "list certificates";
        let list = self
            .iot("ListCertificates")
            .await
            .list_certificates()
            .page_size(PAGE_SIZE)
            .set_marker(from.map(str::to_owned));
        let page = list.send().await.map_err(failure(STEP))?;
        let ids = page.certificates.unwrap_or_default().into_iter();
        let ids = ids.map(|certificate| certificate.certificate_id.ok_or_else(|| unread(STEP)));
        Ok(Page { items: ids.collect::<Outcome<_>>()?, next: page.next_marker })
    }

    async fn authorities(&self) -> Outcome<Vec<Authority>> {
        const STEP: &str = "list CA certificates";
        let ids: Outcome<Vec<String>> = async {
            collect!(
                STEP,
                self.iot("ListCACertificates").await.list_ca_certificates().into_paginator().items().send(),
                |authority: aws_sdk_iot::types::CaCertificate| authority.certificate_id
            )
        }
        .await;
        let mut authorities = Vec::new();
        for id in ids? {
            authorities.extend(self.authority(id).await?);
        }
        Ok(authorities)
    }

    async fn register_certificate(&self, pem: &str, active: bool) -> Outcome<()> {
        let status = if active { CertificateStatus::Active } else { CertificateStatus::Inactive };
        let register = self
            .iot("RegisterCertificateWithoutCA")
            .await
            .register_certificate_without_ca()
            .certificate_pem(pem)
            .status(status);
        register.send().await.map(drop).map_err(failure("register certificate"))
    }

    async fn set_status(&self, id: &str, status: Status) -> Outcome<()> {
        let status = match status {
            Status::Active => CertificateStatus::Active,
            Status::Inactive => CertificateStatus::Inactive,
            Status::Revoked => CertificateStatus::Revoked,
        };
        let update =
            self.iot("UpdateCertificate").await.update_certificate().certificate_id(id).new_status(status);
        update.send().await.map(drop).map_err(failure("update certificate"))
    }

    async fn delete_certificate(&self, id: &str) -> Outcome<()> {
        // By force: its attachments to policies go with it.
        let delete =
            self.iot("DeleteCertificate").await.delete_certificate().certificate_id(id).force_delete(true);
        delete.send().await.map(drop).map_err(failure("delete certificate"))
    }

    async fn policy(&self, name: &str) -> Outcome<Option<Policy>> {
        const STEP: &str = "get policy";
        let get = self.iot("GetPolicy").await.get_policy().policy_name(name);
        let Some(found) = if_there(get.send().await.map_err(failure(STEP)))? else { return Ok(None) };
        let document = found.policy_document.ok_or_else(|| unread(STEP))?;
        Ok(Some(Policy { name: name.to_owned(), document }))
    }

    async fn policies(&self, from: Option<&str>) -> Outcome<Page<String>> {
        const STEP: &str = "list policies";
        let list = self
            .iot("ListPolicies")
            .await
            .list_policies()
            .page_size(PAGE_SIZE)
            .set_marker(from.map(str::to_owned));
        let page = list.send().await.map_err(failure(STEP))?;
        let names = page.policies.unwrap_or_default().into_iter();
        let names = names.map(|policy| policy.policy_name.ok_or_else(|| unread(STEP)));
        Ok(Page { items: names.collect::<Outcome<_>>()?, next: page.next_marker })
    }

    async fn create_policy(&self, policy: &Policy) -> Outcome<()> {
        let create = self
            .iot("CreatePolicy")
            .await
            .create_policy()
            .policy_name(&policy.name)
            .policy_document(&policy.document);
        create.send().await.map(drop).map_err(failure("create policy"))
    }

    async fn put_policy(&self, policy: &Policy) -> Outcome<()> {
        if self.add_version(policy).await? {
            return Ok(());
        }
        self.make_room(&policy.name).await?;
        if self.add_version(policy).await? { Ok(()) } else { Err(unread("create policy version")) }
    }

    async fn delete_policy(&self, name: &str) -> Outcome<()> {
        let delete = async || self.iot("DeletePolicy").await.delete_policy().policy_name(name).send().await;
        match delete().await.map(drop).map_err(failure("delete policy")) {
            // Something has it, or it has other versions than the default one.
            Err(failure) if failure.class == Class::Conflict => {}
            settled => return settled,
        }
        self.drop_versions(name).await?;
        delete().await.map(drop).map_err(failure("delete policy"))
    }

    async fn attached_policies(&self, target: &str) -> Outcome<Vec<String>> {
        const STEP: &str = "list attached policies";
        let list = async {
            collect!(
                STEP,
                self.iot("ListAttachedPolicies")
                    .await
                    .list_attached_policies()
                    .target(target)
                    .into_paginator()
                    .items()
                    .send(),
                |policy: aws_sdk_iot::types::Policy| policy.policy_name
            )
        };
        empty_if_absent(list.await)
    }

    async fn policy_targets(&self, name: &str) -> Outcome<Vec<String>> {
        const STEP: &str = "list targets for policy";
        let list = async {
            collect!(
                STEP,
                self.iot("ListTargetsForPolicy")
                    .await
                    .list_targets_for_policy()
                    .policy_name(name)
                    .into_paginator()
                    .items()
                    .send(),
                Some
            )
        };
        empty_if_absent(list.await)
    }

    async fn attach_policy(&self, name: &str, target: &str) -> Outcome<()> {
        let attach = self.iot("AttachPolicy").await.attach_policy().policy_name(name).target(target);
        attach.send().await.map(drop).map_err(failure("attach policy"))
    }

    async fn detach_policy(&self, name: &str, target: &str) -> Outcome<()> {
        let detach = self.iot("DetachPolicy").await.detach_policy().policy_name(name).target(target);
        detach.send().await.map(drop).map_err(failure("detach policy"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_waits_is_not_active() {
        assert_eq!(status(Some(&CertificateStatus::PendingActivation)), Status::Inactive);
        assert_eq!(status(Some(&CertificateStatus::Revoked)), Status::Revoked);
        assert_eq!(status(None), Status::Inactive);
    }
}
