//! Something that lets so much pass a second: a quota, or processors. Over virtual time, and exact for what queues in order.

/// A token bucket, and those who wait for it in order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gate {
    per_s: f64,
    burst: f64,
    /// Below zero: it owes to those who wait.
    tokens: f64,
    filled_s: f64,
}

impl Gate {
    /// A quota, whose bucket is full.
    pub(super) fn quota(per_s: f64, burst: f64) -> Self {
        Self { per_s, burst, tokens: burst, filled_s: 0.0 }
    }

    /// Work that takes its time: nothing is done ahead.
    pub(super) fn work(per_s: f64) -> Self {
        Self::quota(per_s, 0.0)
    }

    /// When something that comes then has passed; whoever comes later is asked for later.
    pub(super) fn pass(&mut self, at_s: f64, amount: f64) -> f64 {
        if self.per_s.is_infinite() {
            return at_s;
        }
        self.fill(at_s);
        self.tokens -= amount;
        at_s + (-self.tokens).max(0.0) / self.per_s
    }

    /// Whether something that comes then passes. If not, it is turned away, and costs nothing.
    pub(super) fn takes(&mut self, at_s: f64, amount: f64) -> bool {
        if self.per_s.is_infinite() {
            return true;
        }
        self.fill(at_s);
        let takes = self.tokens >= amount;
        if takes {
            self.tokens -= amount;
        }
        takes
    }

    fn fill(&mut self, at_s: f64) {
        self.tokens = (self.tokens + (at_s - self.filled_s).max(0.0) * self.per_s).min(self.burst);
        self.filled_s = self.filled_s.max(at_s);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_lets_its_burst_pass_and_then_its_rate() {
        let mut gate = Gate::quota(10.0, 5.0);
        let passed: Vec<f64> = (0..25).map(|_| gate.pass(0.0, 1.0)).collect();
        assert!(passed[4].abs() < 1e-9 && (passed[24] - 2.0).abs() < 1e-9, "{passed:?}");
        assert!((gate.pass(10.0, 1.0) - 10.0).abs() < 1e-9, "after a rest nobody waits");
        let mut gate = Gate::quota(10.0, 5.0);
        assert_eq!((0..25).filter(|_| gate.takes(0.0, 1.0)).count(), 5);
        assert!(gate.takes(0.1, 1.0) && !gate.takes(0.1, 1.0));
    }

    #[test]
    fn work_takes_its_time() {
        let mut gate = Gate::work(4.0);
        assert!((gate.pass(1.0, 1.0) - 1.25).abs() < 1e-9);
        assert!((gate.pass(1.0, 1.0) - 1.5).abs() < 1e-9, "one after another");
        assert!((Gate::work(f64::INFINITY).pass(3.0, 1.0) - 3.0).abs() < 1e-9);
    }
}
