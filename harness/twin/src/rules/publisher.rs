//! Who published a message, as rules see it, and how much rules have published because of it already.

use std::cell::Cell;

/// Messages that republish actions may send because of one message. On AWS nothing ends a rule that feeds itself; here
/// it would never give its caller back.
pub(crate) const REPUBLISHES_MAX: u32 = 32;

/// The publisher of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Publisher<'a> {
    /// None if it did not come over MQTT.
    pub(crate) client_id: Option<&'a str>,
    /// The certificate's id over MQTT and HTTPS, the user's with SigV4; None for AWS's own messages.
    pub(crate) principal: Option<&'a str>,
    pub(crate) chain: &'a Chain,
}

/// Everything that one message gives rise to.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    republished: Cell<u32>,
}

impl<'a> Publisher<'a> {
    /// A service of AWS.
    pub(crate) fn service(chain: &'a Chain) -> Self {
        Self { client_id: None, principal: None, chain }
    }
}

impl Chain {
    /// Counts one more message; `false` if there have been too many.
    pub(crate) fn grow(&self) -> bool {
        let republished = self.republished.get();
        self.republished.set(republished.saturating_add(1));
        republished < REPUBLISHES_MAX
    }
}
