//! What can go wrong with a call, in the few classes that decide what to do next.

use std::fmt;

/// What a failure means for the record that caused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// What was to be made is there: for an idempotent step this is success.
    Exists,
    /// What was asked for is not there: for a removal this is success.
    NotFound,
    /// Someone else wrote first: read again.
    Conflict,
    /// Throttled, timed out, unreachable or not settled yet: the same call may succeed later.
    Transient,
    /// Refused in a way that repeating does not change.
    Permanent,
}

/// A call that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{step}: {why}")]
pub struct Failure {
    /// What follows from it.
    pub class: Class,
    /// The call or check that failed.
    pub step: &'static str,
    /// Why, as the service said it. Never a payload or a key.
    pub why: String,
}

impl Failure {
    /// A failure of the given class.
    pub fn new(class: Class, step: &'static str, why: impl fmt::Display) -> Self {
        Self { class, step, why: why.to_string() }
    }

    /// A failure that may pass.
    pub fn transient(step: &'static str, why: impl fmt::Display) -> Self {
        Self::new(Class::Transient, step, why)
    }

    /// A failure that will not pass.
    pub fn permanent(step: &'static str, why: impl fmt::Display) -> Self {
        Self::new(Class::Permanent, step, why)
    }

    /// Whether the record is to be tried again. A conflict that outlived its own retries counts.
    pub fn is_transient(&self) -> bool {
        matches!(self.class, Class::Transient | Class::Conflict)
    }
}

/// The result of a call.
pub type Outcome<T> = Result<T, Failure>;

/// What an idempotent step makes of a call: a class that already is the goal counts as done.
pub trait Settled {
    /// `Ok(true)` if the call succeeded, `Ok(false)` if it failed with `class`.
    fn settled(self, class: Class) -> Outcome<bool>;
}

impl Settled for Outcome<()> {
    fn settled(self, class: Class) -> Outcome<bool> {
        match self {
            Ok(()) => Ok(true),
            Err(failure) if failure.class == class => Ok(false),
            Err(failure) => Err(failure),
        }
    }
}
