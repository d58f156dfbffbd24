//! Failover routing: which of a name's record sets answers, as Route 53 chooses it.
//!
//! The primary while it is healthy; else the secondary if that is healthy; and the primary when neither is, because an
//! answer that may work is worth more than none. A record set without a health check counts as healthy.

use crate::route53::record::{Failover, RecordSet};

/// The record set that answers, among those of one name and type. `None` only if there are none.
pub(crate) fn choose<'a>(sets: &[&'a RecordSet], healthy: &dyn Fn(&str) -> bool) -> Option<&'a RecordSet> {
    let half = |role| sets.iter().copied().find(|s| s.failover == Some(role));
    let is_up = |set: &RecordSet| set.health_check_id.as_deref().is_none_or(healthy);
    match (half(Failover::Primary), half(Failover::Secondary)) {
        (Some(primary), Some(secondary)) if !is_up(primary) && is_up(secondary) => Some(secondary),
        (Some(primary), _) => Some(primary),
        (None, Some(secondary)) => Some(secondary),
        (None, None) => sets.first().copied(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::route53::record::RecordType;

    fn half(role: Failover, check: Option<&str>) -> RecordSet {
        RecordSet {
            name: "fleet.example.com.".to_owned(),
            kind: RecordType::Cname,
            set_identifier: Some(role.as_str().to_owned()),
            failover: Some(role),
            health_check_id: check.map(str::to_owned),
            ttl_s: 10,
            values: vec![format!("{}.example.com", role.as_str())],
        }
    }

    fn chosen(primary: Option<bool>, secondary: Option<bool>) -> Failover {
        let sets = [
            half(Failover::Primary, primary.map(|_| "p")),
            half(Failover::Secondary, secondary.map(|_| "s")),
        ];
        let up = |id: &str| if id == "p" { primary == Some(true) } else { secondary == Some(true) };
        choose(&[&sets[0], &sets[1]], &up).unwrap().failover.unwrap()
    }

    #[test]
    fn the_truth_table_of_failover_routing() {
        use Failover::{Primary, Secondary};
        // The state of a half: healthy, unhealthy, or without a health check.
        for (primary, secondary, expected) in [
            (Some(true), Some(true), Primary),
            (Some(true), Some(false), Primary),
            (Some(true), None, Primary),
            (Some(false), Some(true), Secondary),
            (Some(false), Some(false), Primary),
            (Some(false), None, Secondary),
            (None, Some(true), Primary),
            (None, Some(false), Primary),
            (None, None, Primary),
        ] {
            assert_eq!(chosen(primary, secondary), expected, "{primary:?} {secondary:?}");
        }
    }

    #[test]
    fn a_half_without_the_other_answers_whatever_its_health() {
        for role in [Failover::Primary, Failover::Secondary] {
            let alone = half(role, Some("p"));
            assert_eq!(choose(&[&alone], &|_| false), Some(&alone));
        }
        assert_eq!(choose(&[], &|_| true), None);
    }

    proptest! {
        /// The secondary answers exactly when the primary is known to be down and the secondary is not.
        #[test]
        fn the_secondary_answers_only_for_a_primary_that_is_down(
            primary in any::<Option<bool>>(),
            secondary in any::<Option<bool>>(),
        ) {
            let fails_over = primary == Some(false) && secondary != Some(false);
            prop_assert_eq!(chosen(primary, secondary) == Failover::Secondary, fails_over);
        }

        /// The order in which the halves are stored never matters.
        #[test]
        fn the_order_of_the_halves_does_not_matter(up_primary: bool, up_secondary: bool) {
            let (p, s) = (half(Failover::Primary, Some("p")), half(Failover::Secondary, Some("s")));
            let up = |id: &str| if id == "p" { up_primary } else { up_secondary };
            prop_assert_eq!(choose(&[&p, &s], &up), choose(&[&s, &p], &up));
        }
    }
}
