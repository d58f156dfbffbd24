//! Following a name: the strategy of a device that connects to what a CNAME points to, and moves when it points elsewhere; and how
//! long a device waits before it tries again.

use std::time::Duration;

use rand::Rng;
use tokio::time::{Instant, sleep_until};

use super::Resolver;

/// Back-off after a failed attempt: full jitter below a limit that doubles between these two.
const BACKOFF_MS_MIN: u64 = 500;
const BACKOFF_MS_MAX: u64 = 8_000;

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

/// How long to wait after so many failures in a row.
pub(crate) fn backoff(rng: &mut impl Rng, failures: u32) -> Duration {
    let limit_ms = (BACKOFF_MS_MIN << failures.min(10)).min(BACKOFF_MS_MAX);
    Duration::from_millis(rng.random_range(BACKOFF_MS_MIN..=limit_ms))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn a_wait_grows_with_failures_and_differs_between_devices() {
        let longest_ms = |failures: u32| {
            let of = |seed| backoff(&mut ChaCha8Rng::seed_from_u64(seed), failures).as_millis();
            let waits: Vec<u128> = (0..200).map(of).collect();
            assert!(waits.iter().all(|ms| *ms >= u128::from(BACKOFF_MS_MIN)));
            waits.into_iter().max().unwrap()
        };
        assert_eq!(longest_ms(0), 500);
        assert!((900..=1_000).contains(&longest_ms(1)) && (3_600..=4_000).contains(&longest_ms(3)));
        assert!((7_000..=8_000).contains(&longest_ms(u32::MAX)), "it has an end");
    }
}
