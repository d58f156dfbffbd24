//! Devices that are cut off while everything else, the health checks as well, finds the Region in order: what the archived
//! guide says that it cannot see.

use anyhow::bail;
use gameday_twin::Fault;
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::{
    Breakage, FaultEntry, Parameter, Takes, Without,
    catalogue::{Colour, Targets, Touches},
    ground::{Ground, PROOF_MAX, Struck, seconds},
    region::NOT_LISTED,
};
use crate::fleet::Made;

/// The stream of random numbers that devices are drawn from. Those of the devices have numbers from 1 on, strategies have
/// the last.
const STREAM: u64 = u64::MAX - 1;

/// Which Region.
pub(super) const REGION: Parameter = Parameter {
    name: "region",
    takes: Takes::OneOf(&["primary", "secondary"]),
    without: Without::Is("primary"),
    what: "where",
};
/// How many of the devices.
pub(super) const SHARE: Parameter = Parameter {
    name: "share",
    takes: Takes::Share,
    without: Without::Is("100%"),
    what: "how many of the devices; the run's seed draws them",
};

pub(super) static CUT_OFF: FaultEntry = FaultEntry {
    name: "devices-cut-off",
    label: "devices cut off",
    colour: Colour::Region,
    targets: Targets::Twin,
    touches: Touches::Devices,
    what: "Devices' MQTT connections are reset and those that they make end without an answer; health checks pass.",
    parameters: &[
        REGION,
        Parameter {
            name: "share",
            takes: Takes::Share,
            without: Without::Is("100%"),
            what: "how many of the devices, by their names: the same ones each time",
        },
    ],
    proof: "the twin counts connections that it cut, and a device could not connect",
    cure_proof: NOT_LISTED,
    strike: |ground, breakage| Box::pin(cut_off(ground, breakage)),
};

async fn cut_off<'a>(ground: Ground<'a>, breakage: &'a Breakage) -> anyhow::Result<Struck<'a>> {
    let region = ground.clients(breakage.text("region")).region.as_str();
    let Some(pattern) = pattern(ground.devices) else { bail!("no device is there yet") };
    let fault = Fault::ClientsCutOff {
        region: region.to_owned(),
        client: Some(pattern.clone()),
        share: breakage.twin_share(),
    };
    let was_served = is_served(ground, &numbers(ground.devices)).await;
    let at = ground.switch_on(&CUT_OFF, region, fault.clone()).await?;
    let proof = Box::pin(async move {
        if !was_served {
            bail!("a device could not connect before");
        }
        let cut = ground.hits(&fault, "connections were cut").await?;
        if !ground.recorder.board().wait(PROOF_MAX, |board| !board.refused.is_empty()).await {
            bail!("every device could connect for {}", seconds(PROOF_MAX));
        }
        Ok(format!("a device could not connect; {cut}"))
    });
    Ok(Struck { at, detail: format!("clients {pattern} are cut off in {region}"), proof })
}

/// A pattern of the devices' client ids and of no others: what all of them begin with.
fn pattern(devices: &[Made]) -> Option<String> {
    let first = devices.first()?.name.as_str();
    let common = |common: &str, name: &str| {
        common
            .char_indices()
            .zip(name.chars())
            .find(|((_, a), b)| a != b)
            .map_or_else(|| common.len().min(name.len()), |((at, _), _)| at)
    };
    let length = devices.iter().fold(first.len(), |length, device| common(&first[..length], &device.name));
    Some(if length == first.len() { first.to_owned() } else { format!("{}*", &first[..length]) })
}

/// The devices of a share: at least one, drawn by the run's seed, in the order of their numbers.
pub(super) fn drawn(devices: &[Made], share: f64, seed: u64) -> Vec<&Made> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(STREAM);
    let mut places: Vec<usize> = (0..devices.len()).collect();
    places.shuffle(&mut rng);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of the devices is positive and not more than them"
    )]
    let count = ((share * devices.len() as f64).round() as usize).max(1);
    places.truncate(count);
    places.sort_unstable();
    places.into_iter().filter_map(|place| devices.get(place)).collect()
}

/// Numbers of devices.
pub(super) fn numbers<'a>(devices: impl IntoIterator<Item = &'a Made>) -> Vec<u32> {
    devices.into_iter().map(|device| device.number).collect()
}

/// Whether these devices are connected before something is done to them.
pub(super) async fn is_served(ground: Ground<'_>, numbers: &[u32]) -> bool {
    ground
        .is_steady(|board| {
            let is_served =
                |number| board.device_regions.contains_key(number) && !board.refused.contains(number);
            numbers.iter().all(is_served)
        })
        .await
}

/// Waits until each of these devices tried to connect and could not.
pub(super) async fn all_refused(
    ground: Ground<'_>,
    numbers: Vec<u32>,
    was_served: bool,
    why: &str,
) -> anyhow::Result<String> {
    if !was_served {
        bail!("not all of the {} devices were connected before", numbers.len());
    }
    let board = ground.recorder.board();
    let all = |board: &crate::measure::State| numbers.iter().all(|number| board.refused.contains(number));
    if !board.wait(PROOF_MAX, all).await {
        let refused = board.look(|board| numbers.iter().filter(|n| board.refused.contains(*n)).count());
        bail!("{refused} of {} devices could not connect within {}", numbers.len(), seconds(PROOF_MAX));
    }
    let count = numbers.len();
    Ok(format!("each of the {count} devices {why} tried to connect and could not"))
}
