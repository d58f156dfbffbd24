//! Whether the observer saw the secondary's shadow documents all the while: what it did not see cannot be told from what
//! was not there.

use crate::record::{Event, Record};
use crate::summary::CheckRow;
use crate::units;
use crate::verdict::Verdict;

use super::checks::row;

/// The observer's row; none in a run that wrote no shadows.
pub(crate) fn observer(record: &Record) -> Option<CheckRow> {
    let label = "The observer saw everything";
    let writes = record.ledger.iter().filter(|write| write.sent_us.is_some());
    let (first, last) = writes.fold((u64::MAX, 0), |(first, last), write| {
        let sent = write.sent_us.unwrap_or(0);
        (first.min(sent), last.max(write.visible_us.unwrap_or(sent)))
    });
    if first > last {
        return None;
    }
    let mut blind_since = Some(0);
    let mut blind_us = 0;
    for entry in &record.events {
        let Event::Observer { seeing, .. } = &entry.event else { continue };
        match (seeing, blind_since) {
            (true, Some(since)) => {
                blind_us += overlap(since, entry.at_us, first, last);
                blind_since = None;
            }
            (false, None) => blind_since = Some(entry.at_us),
            _ => {}
        }
    }
    blind_us += blind_since.map_or(0, |since| overlap(since, u64::MAX, first, last));
    Some(if blind_us == 0 {
        row("observer", label, Verdict::Pass, "It was connected from the first write to the last.".into())
    } else {
        let why = format!(
            "It was not connected for {} while shadows were written: what was there then was not seen.",
            units::duration(blind_us as f64)
        );
        row("observer", label, Verdict::Unknown, why)
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
