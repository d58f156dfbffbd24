//! Room for what waits: so many things, and so many bytes of all of them. A place in it is given back when it is dropped.

use std::sync::Arc;

use parking_lot::Mutex;

/// Room for what waits.
#[derive(Debug)]
pub(crate) struct Room {
    places_max: usize,
    bytes_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    places: usize,
    bytes: usize,
}

/// One place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    room: Arc<Room>,
    bytes: usize,
}

impl Room {
    pub(crate) fn new(places_max: usize, bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { places_max, bytes_max, taken: Mutex::default() })
    }

    /// A place for so many bytes, if there is one.
    pub(crate) fn take(self: &Arc<Self>, bytes: usize) -> Option<Place> {
        let mut taken = self.taken.lock();
        if taken.places >= self.places_max || taken.bytes.saturating_add(bytes) > self.bytes_max {
            return None;
        }
        taken.places += 1;
        taken.bytes += bytes;
        Some(Place { room: Arc::clone(self), bytes })
    }
}

impl Place {
    /// Holds so many bytes from now on; `false` if there is no room for them: then it holds what it held.
    pub(crate) fn resize(&mut self, bytes: usize) -> bool {
        let mut taken = self.room.taken.lock();
        let all = (taken.bytes - self.bytes).saturating_add(bytes);
        let fits = bytes <= self.bytes || all <= self.room.bytes_max;
        if fits {
            taken.bytes = all;
            drop(taken);
            self.bytes = bytes;
        }
        fits
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.room.taken.lock();
        taken.places -= 1;
        taken.bytes -= self.bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_bytes_are_both_bounded_and_given_back() {
        let room = Room::new(2, 10);
        let first = room.take(4).unwrap();
        assert!(room.take(7).is_none(), "bytes");
        let mut second = room.take(6).unwrap();
        assert!(room.take(0).is_none(), "places");
        drop(first);
        assert!(!second.resize(11) && second.resize(10), "it may grow as far as there is room");
        assert!(second.bytes == 10 && room.take(1).is_none());
        assert!(second.resize(3));
        assert!(room.take(7).is_some());
        drop(second);
        assert!(room.take(10).is_some());
    }
}
