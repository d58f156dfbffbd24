//! Following a name: the strategy of a device that connects to what a CNAME points to, and moves when it points elsewhere.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Resolver;

/// A name that is followed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name<'a> {
    pub(crate) resolver: &'a Resolver,
    pub(crate) name: &'a str,
    /// How often it is asked for, and never before the TTL has run out.
    pub(crate) every: Duration,
}

/// The endpoint that a name points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pointed {
    pub(crate) host: String,
    /// When the resolver was asked for it.
    pub(crate) asked: Instant,
    /// The resolver is not asked again before: the period and the TTL have run out then. It is kept here, so that it does not start
    /// anew with each attempt to connect.
    next_ask: Instant,
}

impl Name<'_> {
    /// Asks once.
    pub(crate) async fn ask(&self) -> anyhow::Result<Pointed> {
        let asked = Instant::now();
        let answer = self.resolver.cname(self.name).await?;
        Ok(Pointed { host: answer.host, asked, next_ask: Instant::now() + self.every.max(answer.ttl) })
    }

    /// Waits until the name points elsewhere. A resolver that fails is told to `on_error`, and leaves everybody where they are.
    pub(crate) async fn changed(
        &self,
        pointed: &mut Pointed,
        on_error: &mut (dyn FnMut(anyhow::Error) + Send),
    ) {
        loop {
            sleep_until(pointed.next_ask).await;
            match self.ask().await {
                Ok(answer) if answer.host != pointed.host => {
                    *pointed = answer;
                    return;
                }
                Ok(answer) => pointed.next_ask = answer.next_ask,
                Err(error) => {
                    on_error(error);
                    pointed.next_ask = Instant::now() + self.every;
                }
            }
        }
    }
}
