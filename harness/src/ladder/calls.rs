//! The harmless call of each operation: what it asks for does not exist, is refused after its turn was counted, or changes
//! nothing. None is tried again: a rung counts each answer.

use std::{
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use aws_sdk_iot::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    primitives::Blob,
    types::CertificateStatus,
};
use futures::{FutureExt, future::BoxFuture};

use super::{Answer, Call};
use crate::aws::RegionClients;

/// A shadow never gets here, so that an update of this version is refused.
const VERSION_NEVER: u32 = 1_999_999_999;
/// Things whose shadows are asked for by turns; each may be asked 20 times a second.
const NAMES: u32 = 1_000;
/// No CSR, no certificate.
const NO_PEM: &str = "-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n";

/// One operation that can be called at any rate and leaves nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HarmlessCall {
    /// AWS's name.
    pub(crate) operation: &'static str,
    /// The service code and the quota code under which Service Quotas has its rate. Some share one.
    pub(crate) quota: (&'static str, &'static str),
    /// Why it changes nothing.
    pub(crate) asks: &'static str,
    make: fn(&Callers) -> BoxFuture<'static, Answer>,
}

/// Clients of one Region that try once, and names that nothing has.
#[derive(Debug, Clone)]
pub(crate) struct Callers {
    iot: aws_sdk_iot::Client,
    data: aws_sdk_iotdataplane::Client,
    name: String,
    /// How many names were asked for.
    named: Arc<AtomicU32>,
    /// 64 hexadecimal digits.
    certificate_id: String,
    certificate_arn: String,
}

impl Callers {
    /// `id` tells this ladder from others.
    pub(crate) fn new(clients: &RegionClients, account: &str, id: &str) -> Self {
        let (iot, data) = clients.once();
        let certificate_id = crate::fault::sha256(id);
        let certificate_arn = format!("arn:aws:iot:{}:{account}:cert/{certificate_id}", clients.region);
        let name = format!("gameday-ladder-{id}");
        Self { iot, data, name, named: Arc::default(), certificate_id, certificate_arn }
    }

    /// One of many names: AWS limits the calls of one thing's shadows, too.
    fn next_name(&self) -> String {
        format!("{}-{}", self.name, self.named.fetch_add(1, Relaxed) % NAMES)
    }
}

/// A harmless call with the clients that make it.
pub(crate) struct With<'a>(pub(crate) HarmlessCall, pub(crate) &'a Callers);

impl Call for With<'_> {
    fn call(&self) -> impl Future<Output = Answer> + Send + 'static {
        (self.0.make)(self.1)
    }
}

/// Every operation that a ladder knows.
#[rustfmt::skip]
pub(crate) const CALLS: [HarmlessCall; 27] = [
    HarmlessCall { operation: "CreateThing", quota: ("iotcore", "L-64CBACAC"), asks: "a thing of a type that does not exist",
        make: |c| answer(c.iot.create_thing().thing_name(&c.name).thing_type_name(&c.name).send()) },
    HarmlessCall { operation: "UpdateThing", quota: ("iotcore", "L-211F680E"), asks: "a thing that does not exist",
        make: |c| answer(c.iot.update_thing().thing_name(&c.name).remove_thing_type(true).send()) },
    HarmlessCall { operation: "DescribeThing", quota: ("iotcore", "L-0EF0F5EE"), asks: "a thing that does not exist",
        make: |c| answer(c.iot.describe_thing().thing_name(&c.name).send()) },
    HarmlessCall { operation: "DeleteThing", quota: ("iotcore", "L-889800F7"), asks: "a thing that does not exist",
        make: |c| answer(c.iot.delete_thing().thing_name(&c.name).send()) },
    HarmlessCall { operation: "CreateCertificateFromCsr", quota: ("iotcore", "L-01BCDDCA"), asks: "what is no CSR",
        make: |c| answer(c.iot.create_certificate_from_csr().certificate_signing_request(NO_PEM).send()) },
    HarmlessCall { operation: "RegisterCertificateWithoutCA", quota: ("iotcore", "L-4671C7C8"), asks: "what is no certificate",
        make: |c| answer(c.iot.register_certificate_without_ca().certificate_pem(NO_PEM).send()) },
    HarmlessCall { operation: "DescribeCertificate", quota: ("iotcore", "L-FC864907"), asks: "a certificate that does not exist",
        make: |c| answer(c.iot.describe_certificate().certificate_id(&c.certificate_id).send()) },
    HarmlessCall { operation: "UpdateCertificate", quota: ("iotcore", "L-77B523DC"), asks: "a certificate that does not exist",
        make: |c| answer(c.iot.update_certificate().certificate_id(&c.certificate_id)
            .new_status(CertificateStatus::Inactive).send()) },
    HarmlessCall { operation: "DeleteCertificate", quota: ("iotcore", "L-EEB8F0B1"), asks: "a certificate that does not exist",
        make: |c| answer(c.iot.delete_certificate().certificate_id(&c.certificate_id).send()) },
    HarmlessCall { operation: "CreatePolicy", quota: ("iotcore", "L-1B2EEF52"), asks: "a document that is no policy",
        make: |c| answer(c.iot.create_policy().policy_name(&c.name).policy_document("{").send()) },
    HarmlessCall { operation: "GetPolicy", quota: ("iotcore", "L-5CE9072D"), asks: "a policy that does not exist",
        make: |c| answer(c.iot.get_policy().policy_name(&c.name).send()) },
    HarmlessCall { operation: "AttachPolicy", quota: ("iotcore", "L-CA7D4E3E"), asks: "a policy that does not exist",
        make: |c| answer(c.iot.attach_policy().policy_name(&c.name).target(&c.certificate_arn).send()) },
    HarmlessCall { operation: "DetachPolicy", quota: ("iotcore", "L-EC88D510"), asks: "a policy that does not exist",
        make: |c| answer(c.iot.detach_policy().policy_name(&c.name).target(&c.certificate_arn).send()) },
    HarmlessCall { operation: "ListAttachedPolicies", quota: ("iotcore", "L-B2DA2A45"), asks: "a certificate that does not exist",
        make: |c| answer(c.iot.list_attached_policies().target(&c.certificate_arn).send()) },
    HarmlessCall { operation: "AttachThingPrincipal", quota: ("iotcore", "L-F64D1AA6"), asks: "a thing that does not exist",
        make: |c| answer(c.iot.attach_thing_principal().thing_name(&c.name).principal(&c.certificate_arn).send()) },
    HarmlessCall { operation: "DetachThingPrincipal", quota: ("iotcore", "L-B5EE4A16"), asks: "a thing that does not exist",
        make: |c| answer(c.iot.detach_thing_principal().thing_name(&c.name).principal(&c.certificate_arn).send()) },
    HarmlessCall { operation: "ListThingPrincipals", quota: ("iotcore", "L-FC3EF4D9"), asks: "a thing that does not exist",
        make: |c| answer(c.iot.list_thing_principals().thing_name(&c.name).send()) },
    HarmlessCall { operation: "ListPrincipalThings", quota: ("iotcore", "L-C481616A"), asks: "a certificate that does not exist",
        make: |c| answer(c.iot.list_principal_things().principal(&c.certificate_arn).send()) },
    HarmlessCall { operation: "CreateThingGroup", quota: ("iotcore", "L-512F449C"), asks: "a group in a group that does not exist",
        make: |c| answer(c.iot.create_thing_group().thing_group_name(&c.name)
            .parent_group_name(format!("{}-above", c.name)).send()) },
    HarmlessCall { operation: "DescribeThingGroup", quota: ("iotcore", "L-52E1E197"), asks: "a group that does not exist",
        make: |c| answer(c.iot.describe_thing_group().thing_group_name(&c.name).send()) },
    HarmlessCall { operation: "AddThingToThingGroup", quota: ("iotcore", "L-2904683A"), asks: "a group that does not exist",
        make: |c| answer(c.iot.add_thing_to_thing_group().thing_name(&c.name).thing_group_name(&c.name).send()) },
    HarmlessCall { operation: "ListThingGroupsForThing", quota: ("iotcore", "L-75F129AD"), asks: "a thing that does not exist",
        make: |c| answer(c.iot.list_thing_groups_for_thing().thing_name(&c.name).send()) },
    HarmlessCall { operation: "SearchIndex", quota: ("iot", "L-908D0FBE"), asks: "a thing that does not exist",
        make: |c| answer(c.iot.search_index().query_string(format!("thingName:{}", c.name)).send()) },
    HarmlessCall { operation: "GetThingShadow", quota: ("iotcore", "L-6CC6395A"), asks: "a shadow that does not exist",
        make: |c| answer(c.data.get_thing_shadow().thing_name(c.next_name()).send()) },
    HarmlessCall { operation: "UpdateThingShadow", quota: ("iotcore", "L-6CC6395A"), asks: "a version that a shadow never has",
        make: |c| answer(c.data.update_thing_shadow().thing_name(c.next_name())
            .payload(Blob::new(format!(r#"{{"state":{{}},"version":{VERSION_NEVER}}}"#))).send()) },
    HarmlessCall { operation: "DeleteThingShadow", quota: ("iotcore", "L-6CC6395A"), asks: "a shadow that does not exist",
        make: |c| answer(c.data.delete_thing_shadow().thing_name(c.next_name()).send()) },
    HarmlessCall { operation: "Publish", quota: ("iotcore", "L-4B33E451"), asks: "nobody who listens",
        make: |c| answer(c.data.publish().topic(format!("{}/nobody", c.name)).send()) },
];

/// What a call's end says of quotas.
fn answer<T, E>(
    call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'static,
) -> BoxFuture<'static, Answer>
where
    T: Send,
    E: ProvideErrorMetadata + Debug + Send,
{
    async move {
        let Err(error) = call.await else { return Answer::Went };
        match &error {
            SdkError::TimeoutError(_) => Answer::Silence,
            SdkError::DispatchFailure(failure) if failure.is_timeout() => Answer::Silence,
            SdkError::DispatchFailure(failure) if failure.is_io() => {
                Answer::Throttled("dropped connection".to_owned())
            }
            SdkError::ServiceError(refused) => {
                said(refused.raw().status().as_u16(), refused.err().code().unwrap_or("without a code"))
            }
            other => Answer::Failed(format!("{other:?}")),
        }
    }
    .boxed()
}

/// What an error's status and code say of quotas.
fn said(status: u16, code: &str) -> Answer {
    let text = format!("{status} {code}");
    let throttled = status == 429 || code.contains("Throttl") || code.contains("TooManyRequests");
    match status {
        _ if throttled => Answer::Throttled(text),
        // Not done for want of a right, or of an operation: that may be said before anything is counted.
        401 | 403 | 500.. => Answer::Failed(text),
        _ if code.contains("AccessDenied") || code.contains("Unknown") => Answer::Failed(text),
        _ => Answer::Went,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn only_what_was_counted_and_done_or_refused_has_gone_through() {
        for (status, code) in [(404, "ResourceNotFoundException"), (409, "VersionConflictException")] {
            assert_eq!(said(status, code), Answer::Went);
        }
        for (status, code) in [(429, "TooManyRequestsException"), (400, "ThrottlingException")] {
            assert!(matches!(said(status, code), Answer::Throttled(_)));
        }
        for (status, code) in
            [(403, "ForbiddenException"), (503, "ServiceUnavailable"), (400, "UnknownOperationException")]
        {
            assert!(matches!(said(status, code), Answer::Failed(_)), "{code}");
        }
    }

    #[test]
    fn each_operation_is_there_once() {
        let names: BTreeSet<_> = CALLS.iter().map(|call| call.operation).collect();
        assert_eq!(names.len(), CALLS.len());
    }
}
