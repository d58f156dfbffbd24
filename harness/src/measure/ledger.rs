//! The ledger of shadow writes, kept in memory while the run goes and written to the folder at its end.

use gameday_report::record::{Folder, LedgerLog, Write};
use parking_lot::Mutex;

/// Every write of every device.
#[derive(Debug)]
pub(crate) struct Ledger {
    devices: Vec<Device>,
}

#[derive(Debug)]
struct Device {
    name: String,
    /// Whether what arrives of it is seen.
    observed: bool,
    writes: Mutex<Vec<Write>>,
}

impl Ledger {
    /// Of devices by their names, and whether what arrives of each is seen.
    pub(crate) fn new(devices: impl IntoIterator<Item = (String, bool)>) -> Self {
        let device = |(name, observed)| Device { name, observed, writes: Mutex::default() };
        Self { devices: devices.into_iter().map(device).collect() }
    }

    /// A device's name.
    pub(crate) fn name(&self, device: u32) -> Option<&str> {
        self.devices.get(device as usize).map(|device| device.name.as_str())
    }

    /// Opens a line for a write that the schedule means now; the answer is its sequence number.
    pub(crate) fn intend(&self, device: u32, intended_us: u64) -> u64 {
        let Some(device) = self.devices.get(device as usize) else {
            return 0;
        };
        let mut writes = device.writes.lock();
        let seq = writes.len() as u64 + 1;
        writes.push(Write {
            device: device.name.clone(),
            seq,
            region: None,
            intended_us,
            sent_us: None,
            acked_us: None,
            visible_us: None,
            rejected: None,
            unobserved: !device.observed,
        });
        seq
    }

    pub(crate) fn sent(&self, device: u32, seq: u64, region: &str, at_us: u64) {
        self.edit(device, seq, |write| {
            write.region = Some(region.to_owned());
            write.sent_us = Some(at_us);
        });
    }

    /// Acknowledged. The answer is when it was intended, and the replication lag when it was visible before.
    pub(crate) fn acked(&self, device: u32, seq: u64, at_us: u64) -> Option<(u64, Option<u64>)> {
        self.edit(device, seq, |write| {
            if write.acked_us.is_some() {
                return None;
            }
            write.acked_us = Some(at_us);
            Some((write.intended_us, write.visible_us.map(|visible| visible.saturating_sub(at_us))))
        })
        .flatten()
    }

    pub(crate) fn rejected(&self, device: u32, seq: u64, code: u16) {
        self.edit(device, seq, |write| write.rejected = Some(code));
    }

    /// Seen in the secondary. The answer is the Region it was written in, and the lag when it was acknowledged before;
    /// `None` when it was seen already.
    pub(crate) fn visible(&self, device: u32, seq: u64, at_us: u64) -> Option<(String, Option<u64>)> {
        self.edit(device, seq, |write| {
            if write.visible_us.is_some() {
                return None;
            }
            write.visible_us = Some(at_us);
            let region = write.region.clone()?;
            Some((region, write.acked_us.map(|acked| at_us.saturating_sub(acked))))
        })
        .flatten()
    }

    fn edit<T>(&self, device: u32, seq: u64, edit: impl FnOnce(&mut Write) -> T) -> Option<T> {
        let mut writes = self.devices.get(device as usize)?.writes.lock();
        let place = usize::try_from(seq).ok()?.checked_sub(1)?;
        writes.get_mut(place).map(edit)
    }

    /// Devices whose last acknowledged write is not visible yet: what convergence waits for.
    pub(crate) fn behind(&self) -> usize {
        let is_behind = |device: &&Device| {
            // From the newest: what is visible covers all before it. Few are looked at, however many there are.
            for write in device.writes.lock().iter().rev() {
                if write.visible_us.is_some() {
                    return false;
                }
                if write.acked_us.is_some() {
                    return true;
                }
            }
            false
        };
        self.devices.iter().filter(|device| device.observed).filter(is_behind).count()
    }

    /// Writes the whole ledger to the folder.
    pub(crate) fn save(&self, folder: &Folder) -> anyhow::Result<()> {
        let mut log = LedgerLog::create(folder)?;
        for device in &self.devices {
            for write in device.writes.lock().iter() {
                log.append(write)?;
            }
        }
        log.finish()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_goes_its_way_once() {
        let ledger = Ledger::new([("d".to_owned(), true)]);
        let seq = ledger.intend(0, 5);
        ledger.sent(0, seq, "us-east-1", 6);
        assert_eq!(ledger.acked(0, seq, 10), Some((5, None)));
        assert_eq!(ledger.behind(), 1);
        assert_eq!(ledger.visible(0, seq, 25), Some(("us-east-1".to_owned(), Some(15))));
        assert_eq!(ledger.visible(0, seq, 30), None, "seen twice counts once");
        assert_eq!(ledger.behind(), 0);
        assert_eq!(ledger.visible(0, 9, 30), None, "a write that nobody made");
    }

    #[test]
    fn nobody_waits_for_a_device_that_is_not_observed() {
        let ledger = Ledger::new([("seen".to_owned(), true), ("unseen".to_owned(), false)]);
        for device in 0..2 {
            let seq = ledger.intend(device, 1);
            ledger.acked(device, seq, 2);
        }
        assert_eq!(ledger.behind(), 1);
        assert_eq!((ledger.name(1), ledger.name(2)), (Some("unseen"), None));
    }

    #[test]
    fn a_later_write_that_is_visible_covers_an_earlier_one() {
        let ledger = Ledger::new([("d".to_owned(), true)]);
        let (first, second) = (ledger.intend(0, 1), ledger.intend(0, 2));
        ledger.acked(0, first, 3);
        ledger.sent(0, second, "us-east-1", 4);
        ledger.visible(0, second, 5);
        assert_eq!(ledger.behind(), 0);
    }
}
