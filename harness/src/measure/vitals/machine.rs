//! What Linux tells of this process and its machine. What it does not tell is `None`, and no number.

use std::fs;

/// Linux counts CPU time in hundredths of a second for every process.
const TICKS_PER_S: f64 = 100.0;
const PAGE_BYTES: u64 = 4_096;

/// User and system time of this process, without its children.
pub(super) fn own_cpu_s() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in brackets, may hold anything; fields are counted behind it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_S)
}

/// Time that all processors were not idle, that which another machine had of them included.
pub(super) fn cpu_s() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    busy_s(stat.lines().next()?)
}

/// Of the line of all processors: user, nice, system, idle, waiting, interrupts of two kinds, stolen.
fn busy_s(line: &str) -> Option<f64> {
    let ticks: Vec<f64> =
        line.strip_prefix("cpu ")?.split_whitespace().take(8).map_while(|ticks| ticks.parse().ok()).collect();
    let all: f64 = ticks.iter().sum();
    Some((all - ticks.get(3)? - ticks.get(4)?) / TICKS_PER_S)
}

pub(super) fn resident_bytes() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    statm.split_whitespace().nth(1)?.parse::<u64>().ok().map(|pages| pages * PAGE_BYTES)
}

/// Open descriptors. Since Linux 6.2 the folder's size is their number; to list thousands each second would hold the runtime up.
pub(super) fn descriptors() -> u32 {
    let folder = "/proc/self/fd";
    let count = match fs::metadata(folder).map(|metadata| metadata.len()) {
        Ok(0) | Err(_) => fs::read_dir(folder).map_or(0, Iterator::count) as u64,
        Ok(count) => count,
    };
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// TCP sockets of this process's network: those in use, and those that wait to be forgotten and keep their port until then.
pub(super) fn sockets() -> Option<u32> {
    tcp_sockets(&fs::read_to_string("/proc/self/net/sockstat").ok()?)
}

fn tcp_sockets(text: &str) -> Option<u32> {
    let line = text.lines().find_map(|line| line.strip_prefix("TCP: "))?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let of =
        |name: &str| words.chunks(2).find(|pair| pair.first() == Some(&name))?.get(1)?.parse::<u32>().ok();
    Some(of("inuse")? + of("tw")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_the_kernel_writes_them() {
        let busy = busy_s("cpu  100 20 30 4000 500 6 7 8 900 1000").unwrap();
        assert!((busy - 1.71).abs() < 1e-9, "without idle, waiting, and guests, who are in user: {busy}");
        assert_eq!(busy_s("intr 1 2 3"), None);
        let text = "sockets: used 9\nTCP: inuse 5 orphan 1 tw 7 alloc 8 mem 2\nUDP: inuse 3 mem 1\n";
        assert_eq!(tcp_sockets(text), Some(12));
        assert_eq!(tcp_sockets("sockets: used 9\n"), None);
    }
}
