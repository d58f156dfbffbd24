//! Whether the observers saw the secondary's shadow documents all the while: what it did not see cannot be told from what
//! was not there.

use crate::record::{Event, Observation, Record};
use crate::summary::CheckRow;
use crate::units;
use crate::verdict::Verdict;

use super::checks::row;

/// The observers' row; none in a run that wrote no shadows.
pub(crate) fn observer(record: &Record) -> Option<CheckRow> {
    let label = "The observers saw everything";
    let writes = record.ledger.iter().filter(|write| write.sent_us.is_some());
    let (first, last) = writes.fold((u64::MAX, 0), |(first, last), write| {
        let sent = write.sent_us.unwrap_or(0);
        (first.min(sent), last.max(write.visible_us.unwrap_or(sent)))
    });
    if first > last {
        return None;
    }
    let observers = observation(record).map_or(1, |observation| observation.observers);
    // Of each, since when it is blind, and how long it was.
    let mut blind: Vec<(Option<u64>, u64)> = vec![(Some(0), 0); observers as usize];
    for entry in &record.events {
        let Event::Observer { observer, seeing, .. } = &entry.event else { continue };
        let Some((since_us, blind_us)) = blind.get_mut(*observer as usize) else { continue };
        match (seeing, *since_us) {
            (true, Some(since)) => {
                *blind_us += overlap(since, entry.at_us, first, last);
                *since_us = None;
            }
            (false, None) => *since_us = Some(entry.at_us),
            _ => {}
        }
    }
    let blind_us = blind
        .iter()
        .map(|(since, us)| us + since.map_or(0, |since| overlap(since, u64::MAX, first, last)))
        .filter(|us| *us > 0);
    let (count, longest_us) = blind_us.fold((0, 0), |(count, longest), us| (count + 1, us.max(longest)));
    let who = if observers == 1 { "It was" } else { "All were" };
    Some(if count == 0 {
        let why = format!("{who} connected from the first write to the last.");
        row("observer", label, Verdict::Pass, why)
    } else {
        let who = match (observers, count) {
            (1, _) => "It was not connected".to_owned(),
            (all, some) => format!("Of {all}, {some} were not connected, the longest"),
        };
        let why = format!(
            "{who} for {} while shadows were written: what was there then was not seen.",
            units::duration(longest_us as f64)
        );
        row("observer", label, Verdict::Unknown, why)
    })
}

/// Why a write that was not seen cannot be called lost; none when everything was seen.
pub(crate) fn doubt(record: &Record) -> Option<String> {
    let is_blind = observer(record).is_some_and(|row| row.verdict == Verdict::Unknown);
    is_blind.then(|| "observers were not connected all the while".to_owned())
}

/// Who observed.
pub(crate) fn observation(record: &Record) -> Option<Observation> {
    record.events.iter().find_map(|entry| match &entry.event {
        Event::Observation(observation) => Some(*observation),
        _ => None,
    })
}

fn overlap(from: u64, to: u64, first: u64, last: u64) -> u64 {
    to.min(last).saturating_sub(from.max(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_blindness_between_the_first_write_and_the_last_counts() {
        assert_eq!(overlap(0, 10, 20, 50), 0);
        assert_eq!(overlap(0, 30, 20, 50), 10);
        assert_eq!(overlap(30, 40, 20, 50), 10);
        assert_eq!(overlap(40, u64::MAX, 20, 50), 10);
        assert_eq!(overlap(60, 70, 20, 50), 0);
    }
}
