//! What tells the [turns](crate::turns) of every answer: the SDK's hook after each try.

use aws_sdk_iot::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_iot::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_iot::error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};

use crate::turns::Turns;

/// The hook.
#[derive(Debug)]
pub(super) struct Answers(pub(super) Turns);

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Answers {
    fn name(&self) -> &'static str {
        "turns"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // No answer says nothing of quotas.
        if let (Some(operation), Some(response)) = (config.load::<Metadata>(), context.response()) {
            self.0.answered(operation.name(), is_throttled(response));
        }
        Ok(())
    }
}

fn is_throttled(response: &HttpResponse) -> bool {
    let code = response.headers().get("x-amzn-errortype").unwrap_or_default();
    response.status().as_u16() == 429 || code.contains("Throttl") || code.contains("TooManyRequests")
}
