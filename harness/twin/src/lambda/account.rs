//! The concurrency of one Region: how many invocations may be under way at once, and what functions have reserved of it.
//!
//! What waits for an instance counts too: on AWS it would run.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::{error::AwsError, quota::Limit};

/// The quota of concurrent executions.
pub(super) const CONCURRENCY: &str = "L-B99A9384";
/// What reservations must leave to the other functions, as AWS has it.
const UNRESERVED_MIN: usize = 100;

/// The concurrency of one Region.
#[derive(Debug)]
pub(crate) struct Account {
    limit: Arc<Limit>,
    reserved: AtomicUsize,
    busy: AtomicUsize,
}

/// One invocation of a function without reserved concurrency.
#[derive(Debug)]
pub(crate) struct Slot(Arc<Account>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Account {
    pub(crate) fn new(limit: Arc<Limit>) -> Self {
        Self { limit, reserved: AtomicUsize::default(), busy: AtomicUsize::default() }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit.count()
    }

    /// What is left to functions that have reserved nothing.
    pub(crate) fn unreserved(&self) -> usize {
        self.limit().saturating_sub(self.reserved.load(Ordering::Relaxed))
    }

    /// Notes how much all functions have reserved, if that leaves enough or is less than before.
    pub(crate) fn reserve(&self, reserved: usize) -> Result<(), AwsError> {
        let least = UNRESERVED_MIN.min(self.limit());
        let is_more = reserved > self.reserved.load(Ordering::Relaxed);
        if is_more && self.limit().saturating_sub(reserved) < least {
            let message = format!(
                "Specified ReservedConcurrentExecutions for function decreases account's \
                 UnreservedConcurrentExecution below its minimum value of [{least}]."
            );
            return Err(AwsError::new(400, "InvalidParameterValueException", message));
        }
        self.reserved.store(reserved, Ordering::Relaxed);
        Ok(())
    }

    /// Takes one of the invocations that may be under way.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<Slot, AwsError> {
        let most = self.unreserved();
        let entered = self
            .busy
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |busy| (busy < most).then(|| busy + 1));
        if entered.is_err() {
            self.limit.note_refused();
            return Err(AwsError::new(429, "TooManyRequestsException", "Rate Exceeded.")
                .with("Reason", "ConcurrentInvocationLimitExceeded"));
        }
        Ok(Slot(Arc::clone(self)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::{QuotaSetting, Quotas};

    #[test]
    fn reservations_leave_something_and_the_rest_is_shared() {
        let quotas = Quotas::new(1.0, true, &["us-east-1".to_owned()]);
        let set = |value| {
            let (region, code) = ("us-east-1".to_owned(), CONCURRENCY.to_owned());
            assert!(quotas.set(&QuotaSetting { region, code, value }));
        };
        let account = Arc::new(Account::new(quotas.limit("us-east-1", CONCURRENCY)));
        assert!(account.reserve(901).is_err());
        account.reserve(900).unwrap();
        assert_eq!(account.unreserved(), 100);
        set(2.0);
        account.reserve(0).unwrap();
        assert!(account.reserve(1).is_err());
        set(1_000.0);
        account.reserve(900).unwrap();
        set(2.0);
        account.reserve(0).expect("what is given back is never refused");
        let slots = [account.enter().unwrap(), account.enter().unwrap()];
        assert_eq!(account.enter().unwrap_err().status, 429);
        drop(slots);
        assert!(account.enter().is_ok());
    }
}
