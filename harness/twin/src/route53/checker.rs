//! Checkers: the tasks that probe the endpoints of health checks, as many for each check as Route 53 has.
//!
//! Checkers of one check are spread evenly over its interval, so that the endpoint sees them one after another. Each
//! ends when its check is deleted, at its next turn, or when the twin stops, at once.

use std::{net::IpAddr, sync::Arc, time::Duration};

use tokio::time::{self, Instant, MissedTickBehavior};

use crate::{
    clock::Clock,
    dns,
    fault::Faults,
    names::Names,
    route53::{Route53, probe},
    truth::Truth,
    world::World,
};

/// Starts the checkers of a new check.
pub(crate) fn start(world: &Arc<World>, health_check_id: &str) {
    let Some(config) = world.route53.config(health_check_id) else { return };
    let period = Duration::from_secs(u64::from(config.request_interval_s));
    let checkers = world.health_checkers.max(1);
    let now = Instant::now();
    for checker in 0..checkers {
        let world = Arc::clone(world);
        let id = health_check_id.to_owned();
        let first = now + period * checker / checkers;
        world.tasks.clone().spawn(async move {
            let sight = Sight {
                route53: &world.route53,
                names: &world.names,
                clock: world.clock,
                faults: &world.faults,
                truth: &world.truth,
            };
            let watch = watch(sight, &id, checker as usize, first, period);
            // Stopping is the only other way out, and it needs no answer.
            let _ = world.shutdown.run_until_cancelled(watch).await;
        });
    }
}

/// What a checker works with.
#[derive(Debug, Clone, Copy)]
struct Sight<'a> {
    route53: &'a Route53,
    names: &'a Names,
    clock: Clock,
    faults: &'a Faults,
    truth: &'a Truth,
}

/// One checker: probes each period, from `first` on, until the check is gone.
async fn watch(sight: Sight<'_>, health_check_id: &str, checker: usize, first: Instant, period: Duration) {
    let Sight { route53, names, clock, faults, truth } = sight;
    let mut turns = time::interval_at(first, period);
    turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        turns.tick().await;
        let Some(config) = route53.config(health_check_id) else { return };
        if config.disabled || faults.checks_stuck(health_check_id) {
            continue;
        }
        let by_name = || config.fqdn.as_deref().and_then(|n| dns::address(names, route53, n)).map(IpAddr::V4);
        let outcome = probe::probe(&config, config.ip_address.or_else(by_name), health_check_id).await;
        if let Some(flip) = route53.observe(health_check_id, checker, &outcome, clock.now()) {
            truth.review(names, route53);
            let (healthy, after_s) = (flip.healthy, flip.after.as_secs());
            tracing::info!(health_check_id, healthy, after_s, ?outcome, "health check changed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::Ipv4Addr,
        sync::atomic::{AtomicBool, Ordering},
    };

    use futures::future::join_all;
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::{ServerConfig, crypto::aws_lc_rs};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::fault::Fault;
    use crate::route53::{
        api,
        config::{Config, Settings},
    };

    const CHECKERS: u32 = 4;
    const PERIOD: Duration = Duration::from_millis(20);
    const HOST: &str = "health.example.com";

    /// HTTPS with a certificate that nobody signed: 200 while `up`, else 503. Asserts that SNI was sent.
    async fn serve_https(listener: TcpListener, up: Arc<AtomicBool>) {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([HOST.to_owned()]).unwrap();
        let key = rustls_pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(stream).await.unwrap();
            assert_eq!(stream.get_ref().1.server_name(), Some(HOST));
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await.unwrap();
            let status = if up.load(Ordering::Relaxed) { "200 OK" } else { "503 Service Unavailable" };
            let response = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(response.as_bytes()).await.unwrap();
            let _ = stream.shutdown().await;
        }
    }

    async fn until(route53: &Route53, id: &str, healthy: bool) {
        let reached = async {
            while route53.health(id).unwrap().healthy != healthy {
                time::sleep(Duration::from_millis(5)).await;
            }
        };
        time::timeout(Duration::from_secs(20), reached).await.unwrap();
    }

    #[tokio::test]
    async fn a_check_follows_its_endpoint_down_and_up_and_its_checkers_end_with_it() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let settings = Settings {
            kind: Some("HTTPS".to_owned()),
            fully_qualified_domain_name: Some(HOST.to_owned()),
            port: Some(u32::from(listener.local_addr().unwrap().port())),
            resource_path: Some("health".to_owned()),
            failure_threshold: Some(2),
            ..Settings::default()
        };
        let up = Arc::new(AtomicBool::new(true));
        let server = tokio::spawn(serve_https(listener, Arc::clone(&up)));
        let (route53, names) = (Arc::new(Route53::new()), Names::default());
        names.set(HOST, Ipv4Addr::LOCALHOST);
        let config = Config::new(&settings).unwrap();
        let id = api::uuid();
        route53.checks.lock().create(id.clone(), "r", config, CHECKERS, Clock.now()).unwrap();

        let first = Instant::now();
        let (faults, truth) = (Faults::default(), Truth::default());
        let sight = Sight { route53: &route53, names: &names, clock: Clock, faults: &faults, truth: &truth };
        let watchers = (0..CHECKERS as usize).map(|c| watch(sight, &id, c, first, PERIOD));
        let script = async {
            time::sleep(PERIOD * 5).await;
            assert!(route53.health(&id).unwrap().healthy);
            up.store(false, Ordering::Relaxed);
            until(&route53, &id, false).await;
            let stuck = faults.put(Fault::HealthChecksStuck { check: None });
            up.store(true, Ordering::Relaxed);
            while stuck.hits() < u64::from(CHECKERS) * 4 {
                time::sleep(PERIOD).await;
            }
            assert!(!route53.health(&id).unwrap().healthy, "its checkers stand still");
            faults.take(stuck.id);
            until(&route53, &id, true).await;
            route53.checks.lock().delete(&id).unwrap();
        };
        time::timeout(Duration::from_secs(30), async { tokio::join!(join_all(watchers), script) })
            .await
            .expect("checkers end when their check is deleted");
        server.abort();
    }
}
