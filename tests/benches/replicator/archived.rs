//! What the archived solution, Disaster Recovery for AWS IoT, calls for a new device: as read from its source. Nothing of it
//! is run here, so what it would take is only ever a bound from below.

/// The function that makes the calls; `sfn-iot-mr-thing-crud` runs it for each event of a new thing.
pub(crate) const SOURCE: &str = "create_thing_with_cert_and_policy in device_replication.py";

/// The calls for a thing with one certificate and a policy that is there already, in order: whether in the secondary, and
/// which. `DescribeThing` is called twice in the primary.
const DEVICE: [(bool, &str); 12] = [
    (false, "DescribeThing"),
    (false, "DescribeThing"),
    (true, "DescribeThing"),
    (true, "CreateThing"),
    (false, "ListThingPrincipals"),
    (false, "DescribeCertificate"),
    (true, "DescribeCertificate"),
    (true, "RegisterCertificateWithoutCA"),
    (false, "ListAttachedPolicies"),
    (true, "GetPolicy"),
    (true, "AttachPolicy"),
    (true, "AttachThingPrincipal"),
];

/// A policy that is not there is read in the primary and made.
pub(crate) const CALLS_WITH_NEW_POLICY: usize = DEVICE.len() + 2;

/// The same function sleeps for 4 s after the list of principals and for 4 s after that of policies, even if nothing is
/// missing.
pub(crate) const SLEEP_S: u32 = 8;

pub(crate) fn calls_of_a_device() -> usize {
    DEVICE.len()
}

/// How often an operation is called in a Region for each device, and which.
pub(crate) fn operations() -> impl Iterator<Item = (&'static str, &'static str, usize)> {
    let mut kinds = DEVICE.to_vec();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.into_iter().map(|kind| {
        let region = if kind.0 { "us-west-2" } else { "us-east-1" };
        (region, kind.1, DEVICE.iter().filter(|call| **call == kind).count())
    })
}
