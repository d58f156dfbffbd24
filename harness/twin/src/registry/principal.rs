//! Principals of things: which certificates are attached to which things, both ways round.

use super::{Registry, invalid};
use crate::error::AwsError;

impl Registry {
    pub(crate) fn attach_principal(&mut self, thing: &str, principal: &str) -> Result<(), AwsError> {
        self.thing(thing)?;
        self.certificate_by_arn(principal)?;
        self.thing_principals.entry(thing.to_owned()).or_default().insert(principal.to_owned());
        self.principal_things.entry(principal.to_owned()).or_default().insert(thing.to_owned());
        Ok(())
    }

    pub(crate) fn detach_principal(&mut self, thing: &str, principal: &str) -> Result<(), AwsError> {
        self.thing(thing)?;
        if !principal.starts_with("arn:") {
            return Err(invalid(format!("Invalid principal {principal}")));
        }
        if let Some(principals) = self.thing_principals.get_mut(thing) {
            principals.remove(principal);
        }
        if let Some(things) = self.principal_things.get_mut(principal) {
            things.remove(thing);
            if things.is_empty() {
                self.principal_things.remove(principal);
            }
        }
        Ok(())
    }

    pub(crate) fn principals(&self, thing: &str) -> Result<Vec<String>, AwsError> {
        self.thing(thing)?;
        Ok(self.thing_principals.get(thing).map(|p| p.iter().cloned().collect()).unwrap_or_default())
    }

    /// The things that a certificate is attached to.
    pub(crate) fn principal_things(&self, principal: &str) -> Vec<String> {
        self.principal_things.get(principal).map(|t| t.iter().cloned().collect()).unwrap_or_default()
    }

    /// Whether this thing exists and this certificate is attached to it: then policy variables of the thing resolve.
    pub(crate) fn is_attached(&self, thing: &str, principal: &str) -> bool {
        self.thing_principals.get(thing).is_some_and(|p| p.contains(principal))
    }
}
