//! Provisioning, as a row of queues in order: the turns of the harness's calls, the machine's work, the replicator's calls under
//! their quotas, the way to the secondary, and the calls that see each device there. Which calls there are, the plan says.

use gameday_twin::QuotaBook;
use rand_chacha::ChaCha8Rng;

use super::{figure::Drawn, gate::Gate};
use crate::{
    aws::Pace,
    plan::{Caller, Phase, Place, Plan},
};

/// What a bucket of AWS IoT holds, in seconds of its rate.
const BURST_S: f64 = 1.0;
/// What the turns of the harness may make up for, in seconds of their rate.
const CREDIT_S: f64 = 0.1;

/// How fast devices can be made. Gates are of devices.
#[derive(Debug, Clone)]
pub(super) struct Works {
    /// By the harness in the primary.
    made: Vec<Gate>,
    /// By the replicator in both Regions.
    replicated: Vec<Gate>,
    /// By the harness in the secondary.
    seen: Vec<Gate>,
    /// The slowest of them: what it is, and devices a second.
    pub(super) tightest: Option<(String, f64)>,
}

/// Devices, each standing for some, in the order in which they are made.
#[derive(Debug, Clone, Default)]
pub(super) struct Provisioned {
    pub(super) made_s: Vec<f64>,
    /// Not in that order.
    pub(super) seen_s: Vec<f64>,
    /// From the one to the other, each.
    pub(super) took_s: Vec<f64>,
}

impl Works {
    pub(super) fn of(plan: &Plan, pace: &Pace, quotas: &QuotaBook, weight: f64) -> Self {
        let mut works = Self { made: Vec::new(), replicated: Vec::new(), seen: Vec::new(), tightest: None };
        let devices = f64::from(plan.devices).max(1.0);
        for quantity in plan.quantities.iter().filter(|q| q.phase == Phase::Provision && q.is_call()) {
            // What is called once a run, or for some of the devices, is in nobody's way.
            let each = quantity.least / devices;
            if each < 0.5 {
                continue;
            }
            let region = plan.aim.region(quantity.place);
            let (per_s, burst_s) = match quantity.caller {
                Caller::Harness => (pace.rate_per_s(quantity.unit), CREDIT_S),
                _ if !plan.aim.quotas_enforced => (None, BURST_S),
                _ => (
                    quotas.of_calls(region, quantity.service, quantity.unit).map(|quota| quota.value),
                    BURST_S,
                ),
            };
            let Some(per_s) = per_s.map(|per_s| per_s / each) else { continue };
            if works.tightest.as_ref().is_none_or(|(_, least)| per_s < *least) {
                works.tightest = Some((format!("{} in {region}", quantity.unit), per_s));
            }
            let gate = Gate::quota(per_s, (per_s * burst_s).max(weight));
            match (quantity.caller, quantity.place) {
                (Caller::Harness, Place::Secondary) => works.seen.push(gate),
                (Caller::Harness, _) => works.made.push(gate),
                _ => works.replicated.push(gate),
            }
        }
        // They are made no faster than they can be confirmed.
        if !works.made.is_empty()
            && let Some(per_s) = pace.rate_per_s("DescribeCertificate")
        {
            works.made.push(Gate::quota(per_s, (per_s * CREDIT_S).max(weight)));
        }
        works
    }

    /// Makes so many, each standing for `weight` devices; `made_per_s` is what the machine could without any quota.
    pub(super) fn provision(
        mut self,
        rng: &mut ChaCha8Rng,
        count: usize,
        weight: f64,
        made_per_s: f64,
        takes: Drawn<'_>,
    ) -> Provisioned {
        let mut machine = Gate::work(made_per_s);
        let through =
            |gates: &mut [Gate], at_s: f64| gates.iter_mut().fold(at_s, |at_s, gate| gate.pass(at_s, weight));
        let mut all = Provisioned::default();
        // A fleet that stays is there.
        let is_made = !self.made.is_empty();
        let mut ready: Vec<(f64, f64)> = (0..count)
            .map(|_| {
                let made_s = if is_made { through(&mut self.made, machine.pass(0.0, weight)) } else { 0.0 };
                let there_s =
                    through(&mut self.replicated, made_s) + if is_made { takes.next(rng) } else { 0.0 };
                (there_s, made_s)
            })
            .collect();
        all.made_s = ready.iter().map(|(_, made_s)| *made_s).collect();
        ready.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (there_s, made_s) in ready {
            let seen_s = through(&mut self.seen, there_s).max(there_s);
            all.seen_s.push(seen_s);
            all.took_s.push(seen_s - made_s);
        }
        all.took_s.sort_by(f64::total_cmp);
        all
    }
}

impl Provisioned {
    pub(super) fn done_s(&self) -> f64 {
        self.seen_s.iter().copied().fold(0.0, f64::max)
    }
}
