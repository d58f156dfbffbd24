//! The one place that says what an error of AWS means.

use aws_sdk_iot::config::http::HttpResponse;
use aws_sdk_iot::error::{ProvideErrorMetadata, SdkError};

use crate::outcome::{Class, Failure};

/// Turns the error of a call into a failure of that step.
pub(super) fn failure<E>(step: &'static str) -> impl Fn(SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata,
{
    move |error| match &error {
        SdkError::ServiceError(refused) => {
            let (code, status) = (error.code().unwrap_or_default(), refused.raw().status().as_u16());
            let why = format!("{code}: {}", error.message().unwrap_or("no message"));
            Failure::new(class_of(code, status), step, why)
        }
        SdkError::ConstructionFailure(_) => Failure::permanent(step, "the request could not be built"),
        SdkError::TimeoutError(_) => Failure::transient(step, "no answer in time"),
        SdkError::DispatchFailure(_) => Failure::transient(step, "the request could not be sent"),
        _ => Failure::transient(step, "the answer could not be read"),
    }
}

/// Of a call that AWS answers with `InvalidRequestException` while something holds what it would delete:
/// of a name that exists there is nothing else to say, so it is a conflict, not the request's fault.
pub(super) fn held(failure: Failure) -> Failure {
    if failure.class == Class::Permanent && failure.why.starts_with("InvalidRequestException") {
        return Failure { class: Class::Conflict, ..failure };
    }
    failure
}

/// An answer that lacks what it always has.
pub(super) fn unread(step: &'static str) -> Failure {
    Failure::transient(step, "the answer lacks something")
}

/// The class of an error code and HTTP status. What is unlisted follows the status.
///
/// A refusal for want of rights counts as transient: it says nothing about the event, and is mended
/// by the operator, who finds a row in the error table while the mapping goes on trying.
pub fn class_of(code: &str, status: u16) -> Class {
    match code {
        "ResourceAlreadyExistsException" | "ExecutionAlreadyExists" => Class::Exists,
        "ResourceNotFoundException" => Class::NotFound,
        "ConflictException"
        | "VersionConflictException"
        | "ConflictingResourceUpdateException"
        | "ConditionalCheckFailedException"
        | "TransactionConflictException"
        // These two say that a step before this one has not settled: detaching is asynchronous.
        | "DeleteConflictException"
        | "CertificateStateException" => Class::Conflict,
        // The fleet index is being built.
        "IndexNotReadyException"
        | "ThrottlingException"
        | "Throttling"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "ProvisionedThroughputExceededException"
        | "AccessDeniedException"
        | "UnauthorizedException"
        | "ForbiddenException"
        | "UnrecognizedClientException"
        | "ExpiredTokenException"
        | "InvalidSignatureException" => Class::Transient,
        _ => match status {
            401 | 403 | 408 | 429 | 500.. => Class::Transient,
            _ => Class::Permanent,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throttle_is_transient_whatever_its_status() {
        for (code, status) in [("ThrottlingException", 400), ("ThrottlingException", 429), ("", 429)] {
            assert_eq!(class_of(code, status), Class::Transient);
        }
    }

    #[test]
    fn a_hard_limit_is_not_a_throttle() {
        assert_eq!(class_of("LimitExceededException", 410), Class::Permanent);
        assert_eq!(class_of("InvalidRequestException", 400), Class::Permanent);
    }

    #[test]
    fn what_is_held_is_not_refused_for_ever() {
        let refusal = |why: &str| held(Failure::permanent("delete thing", why)).class;
        assert_eq!(refusal("InvalidRequestException: still attached"), Class::Conflict);
        assert_eq!(refusal("MethodNotAllowedException: no"), Class::Permanent);
        for code in ["DeleteConflictException", "CertificateStateException", "VersionConflictException"] {
            assert_eq!(class_of(code, 409), Class::Conflict);
        }
    }

    #[test]
    fn what_is_there_already_is_known_whatever_its_status() {
        assert_eq!(class_of("ExecutionAlreadyExists", 400), Class::Exists);
        assert_eq!(class_of("ResourceAlreadyExistsException", 409), Class::Exists);
        assert_eq!(class_of("IndexNotReadyException", 400), Class::Transient);
    }

    #[test]
    fn a_server_fault_is_transient() {
        assert_eq!(class_of("InternalFailureException", 500), Class::Transient);
        assert_eq!(class_of("SomethingNew", 503), Class::Transient);
    }
}
