//! What policies are attached to: certificates and thing groups. A group's policies hold for the groups below it and for
//! the things in them.

use std::collections::BTreeSet;

use super::{Group, Policy, Registry, invalid, limit_exceeded};
use crate::error::AwsError;

/// Policies attached to one certificate or thing group.
const POLICIES_PER_TARGET_MAX: usize = 10;

impl Registry {
    /// Attaches a policy to the ARN of a certificate or thing group. Again is fine.
    pub(crate) fn attach_policy(&mut self, name: &str, target: &str) -> Result<(), AwsError> {
        self.policy(name)?;
        self.check_target(target)?;
        let attached = self.target_policies.get(target);
        if attached.is_some_and(|a| a.len() >= POLICIES_PER_TARGET_MAX && !a.contains(name)) {
            return Err(limit_exceeded(format!(
                "The maximum number of policies per target is {POLICIES_PER_TARGET_MAX}"
            )));
        }
        self.policy_mut(name)?.targets.insert(target.to_owned());
        self.target_policies.entry(target.to_owned()).or_default().insert(name.to_owned());
        Ok(())
    }

    pub(crate) fn detach_policy(&mut self, name: &str, target: &str) -> Result<(), AwsError> {
        self.policy_mut(name)?.targets.remove(target);
        if let Some(attached) = self.target_policies.get_mut(target) {
            attached.remove(name);
            if attached.is_empty() {
                self.target_policies.remove(target);
            }
        }
        Ok(())
    }

    pub(super) fn detach_all_policies(&mut self, target: &str) {
        for name in self.target_policies.remove(target).unwrap_or_default() {
            if let Some(policy) = self.policies.get_mut(&name) {
                policy.targets.remove(target);
            }
        }
    }

    /// Refuses a target that does not exist or that no policy can be attached to.
    pub(crate) fn check_target(&self, target: &str) -> Result<(), AwsError> {
        if self.is_certificate_arn(target) {
            return self.certificate_by_arn(target).map(|_| ());
        }
        match self.group_name(target) {
            Some(group) => self.group(group).map(|_| ()),
            None => Err(invalid(format!("Invalid target {target}: expected a certificate or a thing group"))),
        }
    }

    /// The policies attached to this very target, by name.
    pub(crate) fn attached_policies(&self, target: &str) -> Vec<&Policy> {
        let names = self.target_policies.get(target).into_iter().flatten();
        names.filter_map(|name| self.policies.get(name)).collect()
    }

    /// The policies attached to this target, and for a group to those above it, by name and each once.
    pub(crate) fn attached_policies_recursive(&self, target: &str) -> Vec<&Policy> {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        self.collect(target, &mut names);
        if let Some(group) = self.group_name(target).and_then(|name| self.groups.get(name)) {
            self.collect_above(group, &mut names);
        }
        names.into_iter().filter_map(|name| self.policies.get(name)).collect()
    }

    /// The policies that decide what a device may do: those of its certificate, and, when its client id is a thing that
    /// the certificate is attached to, those of the thing's groups and of the groups above them. By name, each once.
    pub(crate) fn policies_of(&self, principal: &str, thing: Option<&str>) -> Vec<&Policy> {
        let groups = match thing {
            Some(thing) if self.is_attached(thing, principal) => self.groups_of(thing),
            _ => Vec::new(),
        };
        // What every message goes through: most fleets have no groups, and then nothing is gathered.
        if groups.is_empty() {
            return self.attached_policies(principal);
        }
        let mut names: BTreeSet<&str> = BTreeSet::new();
        self.collect(principal, &mut names);
        for group in groups {
            self.collect(&self.group_arn(&group.name), &mut names);
            self.collect_above(group, &mut names);
        }
        names.into_iter().filter_map(|name| self.policies.get(name)).collect()
    }

    fn collect<'a>(&'a self, target: &str, names: &mut BTreeSet<&'a str>) {
        names.extend(self.target_policies.get(target).into_iter().flatten().map(String::as_str));
    }

    fn collect_above<'a>(&'a self, group: &'a Group, names: &mut BTreeSet<&'a str>) {
        for above in self.ancestors(group) {
            self.collect(&self.group_arn(&above.name), names);
        }
    }

    fn group_name<'a>(&self, arn: &'a str) -> Option<&'a str> {
        arn.strip_prefix(self.arn("thinggroup/").as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{CertificateStatus, GroupChange, ThingSettings};

    const DOCUMENT: &str = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

    fn registry() -> (Registry, String) {
        let mut r = Registry::new("us-east-1", "123456789012");
        let key = rcgen::generate_simple_self_signed(vec!["d".to_owned()]).unwrap();
        let made =
            r.register_certificate(&key.cert.pem(), CertificateStatus::Active, "SNI_ONLY", None, 0).unwrap();
        let principal = r.arn(&format!("cert/{}", made.id));
        for (name, parent) in [("top", None), ("low", Some("top"))] {
            r.create_group(name, parent, GroupChange::default(), 0).unwrap();
        }
        r.create_thing("t", ThingSettings::default(), 0).unwrap();
        for name in ["own", "at-top", "at-low"] {
            r.create_policy(name, DOCUMENT, 0).unwrap();
        }
        r.attach_policy("own", &principal).unwrap();
        r.attach_policy("at-top", &r.group_arn("top")).unwrap();
        r.attach_policy("at-low", &r.group_arn("low")).unwrap();
        (r, principal)
    }

    fn names(policies: &[&Policy]) -> String {
        policies.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_device_has_the_policies_of_its_things_groups() {
        let (mut r, principal) = registry();
        r.add_to_group("low", "t", 0).unwrap();
        assert_eq!(names(&r.policies_of(&principal, Some("t"))), "own", "not attached to the thing yet");
        r.attach_principal("t", &principal).unwrap();
        assert_eq!(names(&r.policies_of(&principal, Some("t"))), "at-low at-top own");
        assert_eq!(names(&r.policies_of(&principal, None)), "own");
        r.delete_group("low", None, 0).unwrap();
        assert_eq!(names(&r.policies_of(&principal, Some("t"))), "own");
    }

    #[test]
    fn recursive_listing_goes_up_the_tree() {
        let (r, principal) = registry();
        assert_eq!(names(&r.attached_policies(&r.group_arn("low"))), "at-low");
        assert_eq!(names(&r.attached_policies_recursive(&r.group_arn("low"))), "at-low at-top");
        assert_eq!(names(&r.attached_policies_recursive(&r.group_arn("top"))), "at-top");
        assert_eq!(names(&r.attached_policies_recursive(&principal)), "own");
    }

    #[test]
    fn targets_are_checked_and_ten_policies_fit() {
        let (mut r, principal) = registry();
        assert_eq!(r.attach_policy("own", "arn:x").unwrap_err().code, "InvalidRequestException");
        let missing = r.group_arn("none");
        assert_eq!(r.attach_policy("own", &missing).unwrap_err().code, "ResourceNotFoundException");
        for n in 0..POLICIES_PER_TARGET_MAX {
            let name = format!("p{n}");
            r.create_policy(&name, DOCUMENT, 0).unwrap();
            assert_eq!(r.attach_policy(&name, &principal).is_ok(), n < POLICIES_PER_TARGET_MAX - 1);
        }
        r.attach_policy("own", &principal).unwrap();
    }

    #[test]
    fn both_sides_of_an_attachment_agree() {
        let (mut r, principal) = registry();
        r.detach_policy("own", &principal).unwrap();
        assert!(r.policy("own").unwrap().targets.is_empty() && r.attached_policies(&principal).is_empty());
        r.delete_policy("own").unwrap();
        assert_eq!(r.delete_policy("at-low").unwrap_err().code, "DeleteConflictException");
    }
}
