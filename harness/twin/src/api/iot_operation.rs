//! Which operation a request of the IoT control plane is: method and path to AWS's name of it.

use axum::http::Method;

/// The operation, or `None` for one that the twin does not have.
pub(super) fn of(method: &Method, path: &[&str]) -> Option<&'static str> {
    let operation = match (method.as_str(), path) {
        ("GET", ["things"]) => "ListThings",
        ("POST", ["things", _]) => "CreateThing",
        ("GET", ["things", _]) => "DescribeThing",
        ("PATCH", ["things", _]) => "UpdateThing",
        ("DELETE", ["things", _]) => "DeleteThing",
        ("GET", ["things", _, "principals"]) => "ListThingPrincipals",
        ("PUT", ["things", _, "principals"]) => "AttachThingPrincipal",
        ("DELETE", ["things", _, "principals"]) => "DetachThingPrincipal",
        ("GET", ["principals", "things"]) => "ListPrincipalThings",
        ("POST", ["keys-and-certificate"]) => "CreateKeysAndCertificate",
        ("POST", ["certificates"]) => "CreateCertificateFromCsr",
        ("GET", ["certificates"]) => "ListCertificates",
        ("GET", ["certificates", _]) => "DescribeCertificate",
        ("PUT", ["certificates", _]) => "UpdateCertificate",
        ("DELETE", ["certificates", _]) => "DeleteCertificate",
        ("POST", ["certificate", "register-no-ca"]) => "RegisterCertificateWithoutCA",
        ("GET", ["policies"]) => "ListPolicies",
        ("POST", ["policies", _]) => "CreatePolicy",
        ("GET", ["policies", _]) => "GetPolicy",
        ("DELETE", ["policies", _]) => "DeletePolicy",
        ("GET", ["policies", _, "version"]) => "ListPolicyVersions",
        ("PUT", ["target-policies", _]) => "AttachPolicy",
        ("POST", ["target-policies", _]) => "DetachPolicy",
        ("POST", ["attached-policies", _]) => "ListAttachedPolicies",
        ("POST", ["policy-targets", _]) => "ListTargetsForPolicy",
        ("GET", ["event-configurations"]) => "DescribeEventConfigurations",
        ("PATCH", ["event-configurations"]) => "UpdateEventConfigurations",
        ("GET", ["endpoint"]) => "DescribeEndpoint",
        ("GET", ["rules"]) => "ListTopicRules",
        ("POST", ["rules", _]) => "CreateTopicRule",
        ("GET", ["rules", _]) => "GetTopicRule",
        ("DELETE", ["rules", _]) => "DeleteTopicRule",
        _ => return None,
    };
    Some(operation)
}
