//! Just-in-time registration: a device's first connection with a certificate of the fleet's own
//! authority makes its thing.
//!
//! The certificate becomes active last, when all that it needs is there. Whatever fails is an error of
//! the function, so that it is tried again and in the end said, not swallowed. A certificate that
//! somebody made inactive stays so, however often its event is delivered.
//!
//! The thing's name is the common name of the certificate's subject. Whoever can have certificates
//! issued could take the name of another device: a name whose thing has another certificate already is
//! refused unless that is allowed.

use serde::Deserialize;
use serde_json::{Value, json};
use tracing::warn;
use x509_parser::pem::parse_x509_pem;

use crate::model::{Policy, Status, Thing};
use crate::outcome::{Class, Failure, Outcome, Settled};
use crate::policy::certificate_arn;
use crate::ports::{Identities, Things};
use crate::rules::{EXCLUDED_PREFIX, is_own};

/// The policy's name, unless another one is given.
pub const POLICY_NAME: &str = "gameday-jitr";

const NAME_LENGTH_MAX: usize = 128;

/// How devices are registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The Region in which this runs.
    pub region: String,
    /// The policy of all devices; made if there is none.
    pub policy: String,
    /// A certificate may come to a thing that has another one: for fleets that renew certificates this
    /// way, and whose authority lets nobody choose a name.
    pub shares_things: bool,
}

/// What AWS IoT says of a certificate that it registered.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registered {
    certificate_id: String,
    aws_account_id: String,
    certificate_status: String,
}

/// Registers the device of an event of `$aws/events/certificates/registered/#`. Every step may have
/// been done before.
pub async fn register<R: Things + Identities>(region: &R, settings: &Settings, event: &Value) -> Outcome<()> {
    let event: Registered =
        Registered::deserialize(event).map_err(|why| Failure::permanent("read event", why))?;
    if event.certificate_status != "PENDING_ACTIVATION" {
        return Ok(());
    }
    let id = &event.certificate_id;
    // Not to be seen yet, perhaps: the event may be faster.
    let absent = || Failure::transient("describe certificate", "it is not there");
    let described = region.described_certificate(id).await?.ok_or_else(absent)?;
    let certificate = described.certificate;
    match certificate.status {
        Status::Active => {}
        Status::Inactive if described.is_pending => {}
        Status::Inactive => {
            warn!(certificate = id, "it was made inactive since it was registered: it stays so");
            return Ok(());
        }
        Status::Revoked => return Err(Failure::permanent("register", "the certificate is revoked")),
    }
    let arn = certificate_arn(&settings.region, &event.aws_account_id, id);
    let name = thing_name(&certificate.pem)?;
    thing(region, settings, &name, &arn).await?;
    policy(region, settings, &event.aws_account_id, &arn).await?;
    region.attach_principal(&name, &arn).await?;
    region.set_status(id, Status::Active).await
}

async fn thing<R: Things>(region: &R, settings: &Settings, name: &str, arn: &str) -> Outcome<()> {
    if region.thing(name).await?.is_none() {
        let thing = Thing { name: name.to_owned(), ..Thing::default() };
        return region.create_thing(&thing).await;
    }
    let is_taken = region.thing_principals(name).await?.iter().any(|principal| principal != arn);
    if is_taken && !settings.shares_things {
        let why = format!("thing {name} has another certificate");
        return Err(Failure::permanent("register", why));
    }
    Ok(())
}

async fn policy<R: Identities>(region: &R, settings: &Settings, account: &str, arn: &str) -> Outcome<()> {
    if region.attach_policy(&settings.policy, arn).await.settled(Class::NotFound)? {
        return Ok(());
    }
    let document = document(&settings.region, account, arn);
    let policy = Policy { name: settings.policy.clone(), document };
    region.create_policy(&policy).await.settled(Class::Exists)?;
    region.attach_policy(&settings.policy, arn).await
}

/// What a device may do: connect as its thing, and use its thing's topics and shadows.
fn document(region: &str, account: &str, arn: &str) -> String {
    let partition = arn.split(':').nth(1).unwrap_or("aws");
    let thing = "${iot:Connection.Thing.ThingName}";
    let resource = |what: &str| format!("arn:{partition}:iot:{region}:{account}:{what}");
    let topics = [format!("dt/{thing}/*"), format!("cmd/{thing}/*"), format!("$aws/things/{thing}/shadow/*")];
    let of = |kind: &str| topics.iter().map(|topic| resource(&format!("{kind}/{topic}"))).collect::<Vec<_>>();
    let document = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": resource(&format!("client/{thing}"))},
        {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"], "Resource": of("topic")},
        {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": of("topicfilter")},
    ]});
    document.to_string()
}

/// The common name of a certificate's subject, if it can be a thing's.
fn thing_name(pem: &str) -> Outcome<String> {
    let unreadable = |why: String| Failure::permanent("read certificate", why);
    let (_, pem) = parse_x509_pem(pem.as_bytes()).map_err(|why| unreadable(why.to_string()))?;
    let certificate = pem.parse_x509().map_err(|why| unreadable(why.to_string()))?;
    let mut names = certificate.subject().iter_common_name();
    let (Some(name), None) = (names.next(), names.next()) else {
        return Err(unreadable("its subject does not have one common name".to_owned()));
    };
    let name = name.as_str().map_err(|why| unreadable(why.to_string()))?;
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || ":_-".contains(c);
    if name.is_empty() || name.len() > NAME_LENGTH_MAX || !name.chars().all(is_allowed) {
        return Err(unreadable("its common name cannot be a thing's name".to_owned()));
    }
    if is_own(name) {
        return Err(unreadable(format!("the replicator keeps names that begin with {EXCLUDED_PREFIX}")));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests;
