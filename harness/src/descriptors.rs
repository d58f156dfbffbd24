//! How many descriptors this process may open, and whether that is enough for a fleet.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Descriptors of one connection: its socket, and the twin's end of it when the twin is in this process.
const PER_CONNECTION: u64 = 2;
/// Descriptors of everything else.
const RESERVE: u64 = 400;

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
/// that probe, which in a dark Region is all of them at once, and observers.
pub(crate) fn check(devices: u32, others: u32, descriptors: Option<u64>) -> anyhow::Result<()> {
    let connections = u64::from(devices) + u64::from(others);
    let needed = connections * PER_CONNECTION + RESERVE;
    match descriptors {
        Some(limit) if limit < needed => anyhow::bail!(
            "{devices} devices need about {needed} open files and this process may open {limit}; raise `ulimit -n`, or \
             lower fleet.devices"
        ),
        _ => Ok(()),
    }
}
