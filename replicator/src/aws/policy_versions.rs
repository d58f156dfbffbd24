//! The versions of a policy: five at the most, of which one is the default.

use aws_sdk_iot::operation::create_policy_version::CreatePolicyVersionError;
use aws_sdk_iot::types::PolicyVersion;

use super::AwsRegion;
use super::errors::{failure, unread};
use crate::model::Policy;
use crate::outcome::{Class, Outcome, Settled};

impl AwsRegion {
    /// Makes a document the default version, unless there is no room for one.
    pub(super) async fn add_version(&self, policy: &Policy) -> Outcome<bool> {
        let create = self.iot("CreatePolicyVersion").await.create_policy_version().policy_name(&policy.name);
        let create = create.policy_document(&policy.document).set_as_default(true);
        match create.send().await {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(CreatePolicyVersionError::is_versions_limit_exceeded_exception) =>
            {
                Ok(false)
            }
            Err(error) => Err(failure("create policy version")(error)),
        }
    }

    /// Deletes the oldest version that is not the default.
    pub(super) async fn make_room(&self, name: &str) -> Outcome<()> {
        match spare(self.versions(name).await?)?.first() {
            Some(oldest) => self.drop_version(name, *oldest).await,
            None => Ok(()),
        }
    }

    /// Deletes all versions but the default one.
    pub(super) async fn drop_versions(&self, name: &str) -> Outcome<()> {
        for version in spare(self.versions(name).await?)? {
            self.drop_version(name, version).await?;
        }
        Ok(())
    }

    async fn versions(&self, name: &str) -> Outcome<Vec<PolicyVersion>> {
        let list = self.iot("ListPolicyVersions").await.list_policy_versions().policy_name(name);
        let answer = list.send().await.map_err(failure("list policy versions"))?;
        Ok(answer.policy_versions.unwrap_or_default())
    }

    async fn drop_version(&self, name: &str, version: u64) -> Outcome<()> {
        let delete = self
            .iot("DeletePolicyVersion")
            .await
            .delete_policy_version()
            .policy_name(name)
            .policy_version_id(version.to_string());
        let deleted = delete.send().await.map(drop).map_err(failure("delete policy version"));
        deleted.settled(Class::NotFound).map(drop)
    }
}

/// The numbers of the versions that are not the default, the oldest first.
fn spare(versions: Vec<PolicyVersion>) -> Outcome<Vec<u64>> {
    let spare = versions.into_iter().filter(|version| !version.is_default_version);
    let number = |version: PolicyVersion| {
        version.version_id.and_then(|id| id.parse().ok()).ok_or_else(|| unread("list policy versions"))
    };
    let mut numbers = spare.map(number).collect::<Outcome<Vec<u64>>>()?;
    numbers.sort_unstable();
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first_and_the_default_never() {
        let version =
            |id: &str, default| PolicyVersion::builder().version_id(id).is_default_version(default).build();
        let versions = vec![version("10", false), version("9", true), version("8", false)];
        assert_eq!(spare(versions).unwrap(), [8, 10]);
        assert!(spare(vec![version("x", false)]).is_err());
    }
}
