//! How many descriptors this process may open, and whether that is enough for a fleet.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Descriptors of everything else: connections to AWS's API first of all.
const RESERVE: u64 = 900;

/// Raises the soft limit of descriptors to the hard one, as far as the system lets; the answer is what holds now.
pub(crate) fn raise() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    let before = limit.current;
    limit.current = limit.maximum;
    // Where it may not be raised, what was there before holds.
    if setrlimit(Resource::Nofile, limit).is_ok() { limit.maximum } else { before }
}

/// How many may be open now.
pub(crate) fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// What to do about a fleet that needs more descriptors than there are. `others` are connections beside the devices' own: those
/// that probe, which in a dark Region is all of them at once, and observers. A connection is a descriptor, and another one for
/// the twin's end of it when the twin is in this process.
pub(crate) fn check(
    devices: u32,
    others: u32,
    is_embedded: bool,
    descriptors: Option<u64>,
) -> anyhow::Result<()> {
    let connections = u64::from(devices) + u64::from(others);
    let needed = connections * (1 + u64::from(is_embedded)) + RESERVE;
    let Some(limit) = descriptors.filter(|limit| *limit < needed) else { return Ok(()) };
    let instead = if is_embedded { "run the twin on its own (`gameday twin`, then --target), " } else { "" };
    anyhow::bail!(
        "{devices} devices need about {needed} open files and this process may open {limit}; raise `ulimit -n`, {instead}or \
         lower fleet.devices"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_twin_of_its_own_leaves_room_for_twice_the_fleet() {
        let refused = |devices, is_embedded| {
            let checked = check(devices, 100, is_embedded, Some(20_000));
            checked.err().map(|error| error.to_string())
        };
        assert_eq!((refused(9_000, true), refused(19_000, false)), (None, None));
        assert!(
            refused(9_500, true).is_some_and(|why| why.contains("gameday twin") && why.contains("20100"))
        );
        assert!(refused(19_500, false).is_some_and(|why| !why.contains("gameday twin")));
        assert!(check(1_000_000, 0, true, None).is_ok(), "no limit is known");
    }
}
