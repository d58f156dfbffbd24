//! Which device has which strategy: a function of scenario, seed and number, so that a run with the same seed has the same.

use gameday_report::record;

use crate::scenario::{Fleet, Strategy, places};

/// The strategies of a fleet, and who has which.
#[derive(Debug)]
pub(crate) struct Assignment {
    strategies: Vec<Assigned>,
    /// The place of each device's strategy, by its number.
    places: Vec<usize>,
}

/// A strategy, as the scenario says it and as the record does.
#[derive(Debug)]
pub(crate) struct Assigned {
    pub(crate) strategy: Strategy,
    pub(crate) known: record::Strategy,
}

impl Assignment {
    pub(crate) fn new(fleet: &Fleet, seed: u64) -> Self {
        let known = fleet.strategy.recorded(fleet.devices);
        let strategies = fleet.strategy.shares().into_iter().map(|(_, strategy)| strategy.clone());
        let strategies = strategies.zip(known).map(|(strategy, known)| Assigned { strategy, known });
        let strategies = strategies.collect();
        Self { strategies, places: places(&fleet.strategy.counts(fleet.devices), seed) }
    }

    /// What the device of this number has; none of a number that the fleet does not have.
    pub(crate) fn of(&self, number: u32) -> Option<&Assigned> {
        self.strategies.get(*self.places.get(number as usize)?)
    }

    /// Whether the device of this number comes home by itself.
    pub(crate) fn fails_back(&self, number: u32) -> bool {
        self.of(number).is_some_and(|assigned| assigned.known.fails_back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Cname, Share, Span, Sticky, Strategies};

    #[test]
    fn each_device_has_one_strategy_and_the_same_seed_gives_it_the_same() {
        let cname = Strategy::Cname(Cname { every: Span::seconds(5) });
        let sticky = Strategy::Sticky(Sticky { every: None, failures: Some(3) });
        let share = |share, strategy: &Strategy| Share { share, strategy: strategy.clone() };
        let fleet = Fleet {
            devices: 40,
            pool: None,
            strategy: Strategies::Shared(vec![share(0.75, &cname), share(0.25, &sticky)]),
            keep_alive: Span::seconds(30),
            connect_timeout: Span::seconds(5),
            backoff: crate::scenario::Backoff::default(),
        };
        let who = |seed| {
            let assignment = Assignment::new(&fleet, seed);
            assert!(assignment.of(40).is_none() && !assignment.fails_back(40));
            (0..40).map(|number| assignment.fails_back(number)).collect::<Vec<_>>()
        };
        assert_eq!(who(1).iter().filter(|fails_back| **fails_back).count(), 30);
        assert_eq!(who(1), who(1));
        assert_ne!(who(1), who(2));
    }
}
