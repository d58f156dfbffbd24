//! The newest entries, numbered.

use std::{collections::VecDeque, sync::Arc};

use jiff::Timestamp;
use serde::Serialize;

use super::Fact;

/// One entry, a line of the control API's answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Entry {
    /// From 1 on, without gaps.
    pub(crate) seq: u64,
    /// Since the epoch, by the wall clock.
    pub(crate) wall_ns: i128,
    /// Since the twin started, by a clock that never goes back.
    pub(crate) mono_ns: u64,
    #[serde(flatten)]
    pub(crate) fact: Fact,
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) entries: Vec<Arc<Entry>>,
    /// Read on after this number.
    pub(crate) through: u64,
    /// Entries that were dropped in all: their numbers are 1 to this one.
    pub(crate) dropped: u64,
}

#[derive(Debug)]
pub(super) struct Ring {
    /// Shared with readers, who hold the lock for as long as it takes to count.
    entries: VecDeque<Arc<Entry>>,
    entries_max: usize,
    last: u64,
}

impl Ring {
    pub(super) fn new(entries_max: usize) -> Self {
        Self { entries: VecDeque::new(), entries_max, last: 0 }
    }

    pub(super) fn push(&mut self, at: Timestamp, mono_ns: u64, fact: Fact) {
        if self.entries.len() >= self.entries_max {
            self.entries.pop_front();
        }
        self.last += 1;
        let entry = Entry { seq: self.last, wall_ns: at.as_nanosecond(), mono_ns, fact };
        self.entries.push_back(Arc::new(entry));
    }

    pub(super) fn read(&self, after: u64, kind: Option<&str>, max: usize) -> Read {
        let start = self.entries.partition_point(|entry| entry.seq <= after);
        let fitting =
            self.entries.iter().skip(start).filter(|e| kind.is_none_or(|kind| e.fact.kind() == kind));
        let entries: Vec<Arc<Entry>> = fitting.take(max).cloned().collect();
        let is_whole = entries.len() < max;
        let through = entries.last().filter(|_| !is_whole).map_or(self.last, |last| last.seq);
        Read { entries, through, dropped: self.last - self.entries.len() as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(n: u64) -> Fact {
        Fact::Mqtt {
            region: "r".to_owned(),
            client: n.to_string(),
            peer: String::new(),
            connected: n.is_multiple_of(2),
        }
    }

    #[test]
    fn the_newest_are_kept_numbered_and_read_on() {
        let mut ring = Ring::new(4);
        for n in 1..=6 {
            ring.push(Timestamp::UNIX_EPOCH, n, client(n));
        }
        let first = ring.read(0, None, 3);
        assert_eq!(first.entries.iter().map(|e| e.seq).collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!((first.through, first.dropped), (5, 2));
        let rest = ring.read(first.through, Some("mqtt"), 3);
        assert_eq!((rest.entries.len(), rest.through), (1, 6));
        assert!(Arc::ptr_eq(&first.entries[0], &ring.entries[0]), "reading copies nothing");
        let other = ring.read(0, Some("fault"), 3);
        assert_eq!((other.entries.len(), other.through), (0, 6), "nothing of this kind through 6");
        let line = serde_json::to_value(&*rest.entries[0]).unwrap();
        assert_eq!((&line["kind"], &line["client"], &line["seq"]), (&"mqtt".into(), &"6".into(), &6.into()));
        assert!(Fact::KINDS.contains(&client(1).kind()));
    }
}
