//! What a plan may come to before anything is done: arguments that `plan` and `run` share.

use clap::Args;

use crate::{cost::usd, plan::Plan};

/// A plan that is beyond one of these is refused.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub(super) struct Limits {
    /// Refuse a scenario of more devices.
    #[arg(long, value_name = "DEVICES")]
    max_devices: Option<u32>,
    /// Refuse a scenario that would cost more on AWS, every step at its limit.
    #[arg(long, value_name = "USD")]
    max_cost: Option<f64>,
}

impl Limits {
    /// Why the plan is refused, with what would help.
    pub(super) fn check(&self, plan: &Plan) -> Result<(), String> {
        if let Some(max) = self.max_devices
            && plan.devices > max
        {
            return Err(format!(
                "the scenario has {} devices, and --max-devices allows {max}: lower fleet.devices, as with --set \
                 fleet.devices={max}",
                plan.devices
            ));
        }
        if let Some(max) = self.max_cost
            && plan.cost.usd_max > max
        {
            return Err(format!(
                "the scenario would cost up to {} USD on AWS, and --max-cost allows {max}: `gameday cost` has the lines",
                usd(plan.cost.usd_max)
            ));
        }
        Ok(())
    }

    /// The same limits as arguments of a command line.
    pub(super) fn arguments(&self) -> String {
        let devices = self.max_devices.map(|max| format!(" --max-devices {max}"));
        let cost = self.max_cost.map(|max| format!(" --max-cost {max}"));
        [devices, cost].into_iter().flatten().collect()
    }
}
