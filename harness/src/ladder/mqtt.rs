//! Rungs over MQTT, by the fleet's own dialling: connections, messages on one and on many, subscriptions. A client has a name of its
//! own, speaks where nobody listens, and leaves. What AWS discards it does not answer for: silence is a sign of throttling here.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context, anyhow};
use futures::{FutureExt, future::BoxFuture};
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, Incoming, MqttOptions, PublishOptions,
    QoS, SubscribeNoticeError,
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Answer, Call};
use crate::fleet::{Dialer, Refusal, leave};

/// An answer comes within this time, or not at all.
const ANSWER_MAX: Duration = Duration::from_secs(3);
const KEEP_ALIVE: Duration = Duration::from_mins(1);
/// A line that broke is dialled again after this long.
const AGAIN: Duration = Duration::from_millis(500);
/// Messages of a line that wait for it.
const QUEUE_MAX: usize = 2_000;
/// Messages without an answer: what was discarded stays among them.
const IN_FLIGHT_MAX: u16 = 20_000;
/// What one line is asked when many share a rate: AWS takes 100 messages a second of a connection.
const LINE_PER_S: f64 = 50.0;
/// Lines of a rung.
const LINES_MAX: u32 = 200;

/// What is called over MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Connect,
    /// On so many connections as the rate needs, or on one.
    Publish {
        many: bool,
    },
    Subscribe,
}

/// One thing to do over MQTT at any rate, and its quota.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MqttCall {
    pub(crate) operation: &'static str,
    /// The service code and the quota code under which Service Quotas has its rate.
    pub(crate) quota: (&'static str, &'static str),
    /// Why it changes nothing.
    pub(crate) asks: &'static str,
    kind: Kind,
}

/// Every one that a ladder knows. They need a certificate and a policy, which are made and deleted again.
#[rustfmt::skip]
pub(crate) const MQTT_CALLS: [MqttCall; 4] = [
    MqttCall { operation: "CONNECT", quota: ("iotcore", "L-AEA1E176"), kind: Kind::Connect,
        asks: "to be let in, each time as another client, which leaves" },
    MqttCall { operation: "PUBLISH", quota: ("iotcore", "L-083F3861"), kind: Kind::Publish { many: false },
        asks: "nobody who listens, all on one connection" },
    MqttCall { operation: "PUBLISH-IN-ALL", quota: ("iotcore", "L-4B33E451"), kind: Kind::Publish { many: true },
        asks: "nobody who listens, on many connections" },
    MqttCall { operation: "SUBSCRIBE", quota: ("iotcore", "L-589D5E1D"), kind: Kind::Subscribe,
        asks: "for what nobody says" },
];

impl MqttCall {
    /// The highest rate that can be offered: many connections have a number, too.
    pub(crate) fn cap_per_s(&self) -> f64 {
        match self.kind {
            Kind::Publish { many: true } => f64::from(LINES_MAX) * LINE_PER_S,
            _ => f64::INFINITY,
        }
    }

    fn lines(&self, rate_per_s: f64) -> u32 {
        match self.kind {
            Kind::Connect => 0,
            Kind::Publish { many: false } | Kind::Subscribe => 1,
            Kind::Publish { many: true } => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "it is within bounds"
                )]
                let lines = (rate_per_s / LINE_PER_S).ceil().clamp(1.0, f64::from(LINES_MAX)) as u32;
                lines
            }
        }
    }
}

/// Who is called: the endpoint of a Region, by one certificate.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) dialer: Dialer,
    pub(crate) host: String,
    /// What the names of clients and topics begin with, as the policy has it.
    pub(crate) name: String,
    /// How many clients there were.
    named: Arc<AtomicU32>,
}

impl Endpoint {
    pub(crate) fn new(dialer: Dialer, host: &str, name: &str) -> Self {
        Self { dialer, host: host.to_owned(), name: name.to_owned(), named: Arc::default() }
    }

    fn options(&self) -> MqttOptions {
        // AWS takes one CONNECT a second of a client id.
        let name = format!("{}-{}", self.name, self.named.fetch_add(1, Relaxed));
        self.dialer.apart().options(&name, &self.host, KEEP_ALIVE)
    }

    fn connect(&self) -> BoxFuture<'static, Answer> {
        let options = self.options();
        async move {
            let (client, mut events) = AsyncClient::builder(options).capacity(1).build();
            let answer = match timeout(ANSWER_MAX, connected(&mut events)).await {
                Err(_) => Answer::Silence,
                Ok(Ok(())) => Answer::Went,
                Ok(Err(error)) => refused(&error),
            };
            if answer == Answer::Went {
                leave(&client, &mut events).await;
            }
            answer
        }
        .boxed()
    }
}

/// Something called over MQTT, with the connections that it is called on.
#[derive(Debug)]
pub(crate) struct Over<'a> {
    call: MqttCall,
    endpoint: &'a Endpoint,
    lines: Vec<Line>,
    turn: AtomicUsize,
}

impl<'a> Over<'a> {
    /// Opens as many connections as a rate needs.
    ///
    /// # Errors
    /// One is not let in.
    pub(crate) async fn open(
        call: MqttCall,
        endpoint: &'a Endpoint,
        rate_per_s: f64,
    ) -> anyhow::Result<Self> {
        let mut lines = Vec::new();
        for _ in 0..call.lines(rate_per_s) {
            lines.push(Line::open(endpoint).await?);
        }
        Ok(Self { call, endpoint, lines, turn: AtomicUsize::new(0) })
    }

    fn line(&self) -> Option<&Line> {
        self.lines.get(self.turn.fetch_add(1, Relaxed) % self.lines.len().max(1))
    }
}

impl Call for Over<'_> {
    fn call(&self) -> impl Future<Output = Answer> + Send + 'static {
        let topic = format!("{}/nobody", self.endpoint.name);
        match (self.call.kind, self.line()) {
            (Kind::Connect, _) => self.endpoint.connect(),
            (Kind::Publish { .. }, Some(line)) => line.publish(topic),
            (Kind::Subscribe, Some(line)) => line.subscribe(topic),
            (_, None) => async { Answer::Failed("there is no connection".to_owned()) }.boxed(),
        }
    }
}

/// A connection that is kept, and dialled again if it breaks.
#[derive(Debug)]
struct Line {
    client: AsyncClient,
    /// Ends it with this value.
    _kept: DropGuard,
}

impl Line {
    async fn open(endpoint: &Endpoint) -> anyhow::Result<Self> {
        let mut options = endpoint.options();
        options.set_inflight(IN_FLIGHT_MAX);
        let (client, mut events) = AsyncClient::builder(options).capacity(QUEUE_MAX).build();
        let stop = CancellationToken::new();
        let (tell, mut is_in) = watch::channel(false);
        let (stopped, leaving) = (stop.clone(), client.clone());
        tokio::spawn(async move {
            let drive = async {
                loop {
                    match events.poll().await {
                        Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                            tell.send_replace(true);
                        }
                        Ok(_) => {}
                        Err(_) => sleep(AGAIN).await,
                    }
                }
            };
            tokio::select! {
                () = stopped.cancelled() => {}
                () = drive => {}
            }
            leave(&leaving, &mut events).await;
        });
        let kept = stop.drop_guard();
        let entered = timeout(ANSWER_MAX, is_in.wait_for(|is_in| *is_in)).await;
        entered
            .map_err(|_| anyhow!("no CONNACK in {} s", ANSWER_MAX.as_secs()))
            .and_then(|ended| ended.map(drop).map_err(|error| anyhow!(error)))
            .with_context(|| format!("a connection to {} that messages need", endpoint.host))?;
        Ok(Self { client, _kept: kept })
    }

    fn publish(&self, topic: String) -> BoxFuture<'static, Answer> {
        let sent =
            self.client.try_publish_tracked(topic, b"nobody".to_vec(), PublishOptions::at_least_once());
        async move {
            match sent {
                Err(error) => Answer::Failed(format!("it could not be sent: {error}")),
                Ok(notice) => match timeout(ANSWER_MAX, notice.wait_async()).await {
                    Ok(Ok(_)) => Answer::Went,
                    Ok(Err(_)) => Answer::Throttled("dropped connection".to_owned()),
                    Err(_) => Answer::Silence,
                },
            }
        }
        .boxed()
    }

    fn subscribe(&self, topic: String) -> BoxFuture<'static, Answer> {
        let sent = self.client.try_subscribe_tracked(topic, QoS::AtMostOnce);
        async move {
            match sent {
                Err(error) => Answer::Failed(format!("it could not be sent: {error}")),
                Ok(notice) => match timeout(ANSWER_MAX, notice.wait_completion_async()).await {
                    Ok(Ok(())) => Answer::Went,
                    Ok(Err(SubscribeNoticeError::V4SubAckFailure(_))) => {
                        Answer::Throttled("SUBACK 0x80".to_owned())
                    }
                    Ok(Err(_)) => Answer::Throttled("dropped connection".to_owned()),
                    Err(_) => Answer::Silence,
                },
            }
        }
        .boxed()
    }
}

/// Waits for the CONNACK that lets the client in.
async fn connected(events: &mut EventLoop) -> Result<(), ConnectionError> {
    loop {
        if let Event::Incoming(Incoming::ConnAck(ack)) = events.poll().await? {
            return match ack.code {
                ConnectReturnCode::Success => Ok(()),
                code => Err(ConnectionError::ConnectionRefused(code)),
            };
        }
    }
}

/// What the end of an attempt says of quotas: an endpoint that throttles says so, or hangs up.
fn refused(error: &ConnectionError) -> Answer {
    let refusal = Refusal::of(error);
    match refusal.connack {
        Some(code @ (3 | 0x97)) => Answer::Throttled(format!("CONNACK {code}")),
        None if refusal.is_cut_off => Answer::Throttled("dropped connection".to_owned()),
        _ => Answer::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_refusal_is_throttling_only_where_it_says_so_or_hangs_up() {
        let throttled = |text: &str| Answer::Throttled(text.to_owned());
        let code = ConnectionError::ConnectionRefused;
        assert_eq!(refused(&code(ConnectReturnCode::ServiceUnavailable)), throttled("CONNACK 3"));
        assert!(matches!(refused(&code(ConnectReturnCode::NotAuthorized)), Answer::Failed(_)));
        let cut = ConnectionError::Io(io::ErrorKind::ConnectionReset.into());
        assert_eq!(refused(&cut), throttled("dropped connection"));
        let dns = ConnectionError::Io(io::Error::other("no such name"));
        assert!(matches!(refused(&dns), Answer::Failed(_)));
    }

    #[test]
    fn a_rate_of_all_is_shared_so_that_no_connection_is_in_its_way() {
        let [connect, one, many, _] = MQTT_CALLS;
        assert_eq!((connect.lines(500.0), one.lines(500.0)), (0, 1));
        assert_eq!([1.0, 50.0, 51.0, 1e9].map(|rate| many.lines(rate)), [1, 1, 2, LINES_MAX]);
        assert!((many.cap_per_s() - 10_000.0).abs() < 1e-9);
    }
}
