//! Which operation a request of the IoT control plane is: method and path to AWS's name of it.

use axum::http::Method;

use super::operation::fits;

/// What an operation is about: which part of the codec answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Noun {
    Thing,
    ThingType,
    Group,
    Certificate,
    Ca,
    Policy,
    Attachment,
    Rule,
    Index,
    Tag,
    Setting,
    Registration,
}

use Noun::{
    Attachment, Ca, Certificate, Group, Index, Policy, Registration, Rule, Setting, Tag, Thing, ThingType,
};

/// Method, path (`*` is any segment), noun and operation. The first that fits is it.
const OPERATIONS: [(&str, &str, Noun, &str); 78] = [
    ("GET", "things", Thing, "ListThings"),
    ("POST", "things/*", Thing, "CreateThing"),
    ("GET", "things/*", Thing, "DescribeThing"),
    ("PATCH", "things/*", Thing, "UpdateThing"),
    ("DELETE", "things/*", Thing, "DeleteThing"),
    ("GET", "things/*/principals", Thing, "ListThingPrincipals"),
    ("PUT", "things/*/principals", Thing, "AttachThingPrincipal"),
    ("DELETE", "things/*/principals", Thing, "DetachThingPrincipal"),
    ("GET", "principals/things", Thing, "ListPrincipalThings"),
    ("GET", "thing-types", ThingType, "ListThingTypes"),
    ("POST", "thing-types/*", ThingType, "CreateThingType"),
    ("GET", "thing-types/*", ThingType, "DescribeThingType"),
    ("PATCH", "thing-types/*", ThingType, "UpdateThingType"),
    ("DELETE", "thing-types/*", ThingType, "DeleteThingType"),
    ("POST", "thing-types/*/deprecate", ThingType, "DeprecateThingType"),
    ("GET", "thing-groups", Group, "ListThingGroups"),
    ("PUT", "thing-groups/addThingToThingGroup", Group, "AddThingToThingGroup"),
    ("PUT", "thing-groups/removeThingFromThingGroup", Group, "RemoveThingFromThingGroup"),
    ("POST", "thing-groups/*", Group, "CreateThingGroup"),
    ("GET", "thing-groups/*", Group, "DescribeThingGroup"),
    ("PATCH", "thing-groups/*", Group, "UpdateThingGroup"),
    ("DELETE", "thing-groups/*", Group, "DeleteThingGroup"),
    ("GET", "thing-groups/*/things", Group, "ListThingsInThingGroup"),
    ("GET", "things/*/thing-groups", Group, "ListThingGroupsForThing"),
    ("POST", "keys-and-certificate", Certificate, "CreateKeysAndCertificate"),
    ("POST", "certificates", Certificate, "CreateCertificateFromCsr"),
    ("GET", "certificates", Certificate, "ListCertificates"),
    ("GET", "certificates/*", Certificate, "DescribeCertificate"),
    ("PUT", "certificates/*", Certificate, "UpdateCertificate"),
    ("DELETE", "certificates/*", Certificate, "DeleteCertificate"),
    ("POST", "certificate/register", Certificate, "RegisterCertificate"),
    ("POST", "certificate/register-no-ca", Certificate, "RegisterCertificateWithoutCA"),
    ("GET", "certificates-by-ca/*", Certificate, "ListCertificatesByCA"),
    ("GET", "registrationcode", Ca, "GetRegistrationCode"),
    ("GET", "cacertificates", Ca, "ListCACertificates"),
    ("POST", "cacertificate", Ca, "RegisterCACertificate"),
    ("GET", "cacertificate/*", Ca, "DescribeCACertificate"),
    ("PUT", "cacertificate/*", Ca, "UpdateCACertificate"),
    ("DELETE", "cacertificate/*", Ca, "DeleteCACertificate"),
    ("GET", "policies", Policy, "ListPolicies"),
    ("POST", "policies/*", Policy, "CreatePolicy"),
    ("GET", "policies/*", Policy, "GetPolicy"),
    ("DELETE", "policies/*", Policy, "DeletePolicy"),
    ("GET", "policies/*/version", Policy, "ListPolicyVersions"),
    ("POST", "policies/*/version", Policy, "CreatePolicyVersion"),
    ("GET", "policies/*/version/*", Policy, "GetPolicyVersion"),
    ("PATCH", "policies/*/version/*", Policy, "SetDefaultPolicyVersion"),
    ("DELETE", "policies/*/version/*", Policy, "DeletePolicyVersion"),
    ("PUT", "target-policies/*", Attachment, "AttachPolicy"),
    ("POST", "target-policies/*", Attachment, "DetachPolicy"),
    ("POST", "attached-policies/*", Attachment, "ListAttachedPolicies"),
    ("POST", "policy-targets/*", Attachment, "ListTargetsForPolicy"),
    ("PUT", "principal-policies/*", Attachment, "AttachPrincipalPolicy"),
    ("DELETE", "principal-policies/*", Attachment, "DetachPrincipalPolicy"),
    ("GET", "principal-policies", Attachment, "ListPrincipalPolicies"),
    ("GET", "rules", Rule, "ListTopicRules"),
    ("POST", "rules/*", Rule, "CreateTopicRule"),
    ("GET", "rules/*", Rule, "GetTopicRule"),
    ("PATCH", "rules/*", Rule, "ReplaceTopicRule"),
    ("DELETE", "rules/*", Rule, "DeleteTopicRule"),
    ("POST", "rules/*/enable", Rule, "EnableTopicRule"),
    ("POST", "rules/*/disable", Rule, "DisableTopicRule"),
    ("POST", "indices/search", Index, "SearchIndex"),
    ("GET", "indices/*", Index, "DescribeIndex"),
    ("GET", "indexing/config", Index, "GetIndexingConfiguration"),
    ("POST", "indexing/config", Index, "UpdateIndexingConfiguration"),
    ("GET", "tags", Tag, "ListTagsForResource"),
    ("POST", "tags", Tag, "TagResource"),
    ("POST", "untag", Tag, "UntagResource"),
    ("GET", "event-configurations", Setting, "DescribeEventConfigurations"),
    ("PATCH", "event-configurations", Setting, "UpdateEventConfigurations"),
    ("GET", "endpoint", Setting, "DescribeEndpoint"),
    ("POST", "things", Registration, "RegisterThing"),
    ("POST", "thing-registration-tasks", Registration, "StartThingRegistrationTask"),
    ("GET", "thing-registration-tasks", Registration, "ListThingRegistrationTasks"),
    ("GET", "thing-registration-tasks/*", Registration, "DescribeThingRegistrationTask"),
    ("PUT", "thing-registration-tasks/*/cancel", Registration, "StopThingRegistrationTask"),
    ("GET", "thing-registration-tasks/*/reports", Registration, "ListThingRegistrationTaskReports"),
];

/// The operation, or `None` for one that the twin does not have.
pub(super) fn of(method: &Method, path: &[&str]) -> Option<(Noun, &'static str)> {
    OPERATIONS
        .iter()
        .find(|(m, pattern, ..)| *m == method.as_str() && fits(pattern, path))
        .map(|(.., noun, operation)| (*noun, *operation))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_operation_is_reached_and_named_once() {
        for (method, pattern, noun, operation) in OPERATIONS {
            let path: Vec<&str> = pattern.split('/').map(|s| if s == "*" { "x" } else { s }).collect();
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(of(&method, &path), Some((noun, operation)));
        }
        let names: BTreeSet<&str> = OPERATIONS.iter().map(|(.., operation)| *operation).collect();
        assert_eq!(names.len(), OPERATIONS.len());
    }

    #[test]
    fn what_is_not_there_is_no_operation() {
        assert_eq!(of(&Method::GET, &["jobs"]), None);
        assert_eq!(of(&Method::GET, &["things", "a", "b", "c"]), None);
        assert_eq!(of(&Method::GET, &[""]), None);
    }
}
