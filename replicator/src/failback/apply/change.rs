//! Changes the primary. Each step of a change may have been made before.

use serde_json::Value;

use super::work::Work;
use crate::failback::{Action, Subject};
use crate::model::Status;
use crate::outcome::{Class, Outcome, Settled};
use crate::ports::{Clock, Region};

impl<P: Region, S: Region, C: Clock> Work<'_, P, S, C> {
    /// Makes the change. `Conflict` unless the primary has that version, where AWS compares it.
    pub(super) async fn change(&self, action: &Action, version: Option<u64>) -> Outcome<()> {
        let primary = self.regions.primary;
        match (&self.item.subject, action) {
            (_, Action::CreateType(wanted)) => {
                primary.create_thing_type(wanted).await?;
                if wanted.deprecated {
                    primary.deprecate_thing_type(&wanted.name, true).await?;
                }
                Ok(())
            }
            (_, Action::PutPolicy(wanted)) => match primary.create_policy(wanted).await {
                Err(failure) if failure.class == Class::Exists => primary.put_policy(wanted).await,
                other => other,
            },
            (Subject::Policy(name), Action::DeletePolicy) => primary.delete_policy(name).await,
            (Subject::Certificate(id), Action::Register { pem, status, policies }) => {
                // Policies before it may be used, as long as it is new.
                primary.register_certificate(pem, false).await.settled(Class::Exists)?;
                for name in policies {
                    primary.attach_policy(name, &self.certificate(id)).await?;
                }
                if *status != Status::Inactive {
                    primary.set_status(id, *status).await?;
                }
                Ok(())
            }
            (Subject::Certificate(id), Action::SetStatus(status)) => primary.set_status(id, *status).await,
            (Subject::Certificate(id), Action::DeleteCertificate) => self.delete_certificate(id).await,
            (Subject::CertificatePolicy(id, name), Action::AttachPolicy(_)) => {
                primary.attach_policy(name, &self.certificate(id)).await
            }
            (Subject::CertificatePolicy(id, name), Action::DetachPolicy(_)) => {
                primary.detach_policy(name, &self.certificate(id)).await
            }
            (Subject::GroupPolicy(group, name), Action::AttachPolicy(_)) => {
                primary.attach_policy(name, &self.group(group)).await
            }
            (Subject::GroupPolicy(group, name), Action::DetachPolicy(_)) => {
                primary.detach_policy(name, &self.group(group)).await
            }
            (_, Action::CreateGroup(wanted, policies)) => {
                primary.create_group(wanted).await?;
                for name in policies {
                    primary.attach_policy(name, &self.group(&wanted.name)).await?;
                }
                Ok(())
            }
            (_, Action::UpdateGroup(wanted)) => primary.update_group(wanted, version).await,
            (Subject::Group(name), Action::DeleteGroup) => primary.delete_group(name, version).await,
            (_, Action::CreateThing(wanted)) => primary.create_thing(wanted).await,
            (_, Action::UpdateThing(wanted)) => primary.update_thing(wanted, version).await,
            (Subject::Thing(name), Action::DeleteThing) => self.delete_thing(name, version).await,
            (Subject::Principal(thing, id), Action::Attach) => {
                primary.attach_principal(thing, &self.certificate(id)).await
            }
            (Subject::Principal(thing, id), Action::Detach) => {
                primary.detach_principal(thing, &self.certificate(id)).await
            }
            (Subject::Membership(thing, group), Action::Add) => primary.add_to_group(group, thing).await,
            (Subject::Membership(thing, group), Action::TakeOut) => {
                primary.remove_from_group(group, thing).await
            }
            (Subject::Shadow(thing, name), Action::WriteShadow { update, .. }) => {
                self.write_shadow(thing, name, update, version.unwrap_or_default()).await
            }
            (Subject::Shadow(thing, name), Action::DeleteShadow) => primary.delete_shadow(thing, name).await,
            _ => Err(self.unfit()),
        }
    }

    async fn write_shadow(&self, thing: &str, shadow: &str, update: &Value, version: u64) -> Outcome<()> {
        let primary = self.regions.primary;
        match primary.update_shadow(thing, shadow, update, Some(version)).await {
            // A shadow that was deleted not long ago has its counter still, on which a service may
            // insist: then the merge is unconditional, into nothing as far as can be seen.
            Err(failure)
                if version == 0
                    && matches!(failure.class, Class::Conflict | Class::Permanent)
                    && primary.shadow(thing, shadow).await?.is_none() =>
            {
                primary.update_shadow(thing, shadow, update, None).await.map(drop)
            }
            other => other.map(drop),
        }
    }
}
