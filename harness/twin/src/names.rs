//! Host names that the twin answers for with an address: data endpoints and function URLs.

use std::{collections::BTreeMap, net::Ipv4Addr};

use parking_lot::RwLock;

/// Host name (lower case, no trailing dot) to the loopback address of its Region.
#[derive(Debug, Default)]
pub(crate) struct Names {
    hosts: RwLock<BTreeMap<String, Ipv4Addr>>,
}

impl Names {
    pub(crate) fn set(&self, host: &str, address: Ipv4Addr) {
        self.hosts.write().insert(normal(host), address);
    }

    pub(crate) fn remove(&self, host: &str) {
        self.hosts.write().remove(&normal(host));
    }

    pub(crate) fn get(&self, host: &str) -> Option<Ipv4Addr> {
        self.hosts.read().get(&normal(host)).copied()
    }
}

fn normal(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}
