//! What a call of the AWS API meets: throttling and errors in its service's own words, delays, no answer, a reset.

use std::{
    cell::OnceCell,
    collections::BTreeSet,
    sync::{Arc, LazyLock},
    time::Duration,
};

use parking_lot::Mutex;

use super::{ApiFailure, Fault, Faults, Kind, Moment, Rule, value::fits};
use crate::{
    api,
    call::{Call, Reply},
    error::AwsError,
};

/// Names of errors that a process has been asked to answer with. They are kept: errors have names that last.
const ERROR_NAMES_MAX: usize = 256;

static ERROR_NAMES: LazyLock<Mutex<BTreeSet<&'static str>>> = LazyLock::new(Mutex::default);

impl Faults {
    /// What a call meets.
    pub(crate) fn api(&self, call: &Call) -> Option<Arc<Rule>> {
        if !self.any(Kind::Api) {
            return None;
        }
        let name = OnceCell::new();
        let rule = self.find(Kind::Api, |rule| {
            let Fault::Api { region, service, operation: pattern, .. } = &rule.fault else { return false };
            region.as_ref().is_none_or(|region| *region == call.region)
                && service.as_ref().is_none_or(|service| *service == call.service)
                && (pattern.is_none() || fits(pattern.as_ref(), name.get_or_init(|| api::operation(call))))
                && rule.comes_up()
        })?;
        rule.count(1);
        Some(rule)
    }
}

impl Rule {
    /// The reply to a call that meets this rule; `None`: its connection is reset.
    pub(crate) async fn answer(&self, call: &Call, carry_out: impl Future<Output = Reply>) -> Option<Reply> {
        let Fault::Api { how, when, .. } = &self.fault else { return Some(carry_out.await) };
        if let ApiFailure::DelayMs(ms) = how {
            let delay = Duration::from_millis(*ms);
            // Removed, it holds nobody any longer.
            let delay = self.gone.run_until_cancelled(tokio::time::sleep(delay));
            return Some(if *when == Moment::After {
                let reply = carry_out.await;
                delay.await;
                reply
            } else {
                delay.await;
                carry_out.await
            });
        }
        if *when == Moment::After {
            carry_out.await;
        }
        let error = match how {
            ApiFailure::Throttle => api::throttled(&call.service, &api::operation(call)),
            ApiFailure::Error { status, code, message } => {
                AwsError::new(*status, lasting(code), message.clone())
            }
            ApiFailure::Hang => {
                self.gone.cancelled().await;
                api::unreachable()
            }
            ApiFailure::Reset | ApiFailure::DelayMs(_) => return None,
        };
        Some(api::refusal(&call.service, &error))
    }
}

/// The name of an error, to last as long as the process.
fn lasting(code: &str) -> &'static str {
    let mut names = ERROR_NAMES.lock();
    if let Some(name) = names.get(code) {
        return name;
    }
    if names.len() >= ERROR_NAMES_MAX {
        return "InternalFailure";
    }
    let name: &'static str = code.to_owned().leak();
    names.insert(name);
    name
}
