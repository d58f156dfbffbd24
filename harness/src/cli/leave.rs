//! What of the account's quotas a command leaves to production.

use clap::Args;

use crate::{aws::Aws, output::to_stderr};

/// The share that is left.
#[derive(Debug, Args)]
pub(super) struct Leave {
    /// The share of each API quota that is left to production.
    #[arg(long, value_name = "SHARE", default_value = "20%", value_parser = left)]
    leave: f64,
}

impl Leave {
    /// Paces calls by the quotas that apply in both Regions, less the share. Those that cannot be read are AWS's defaults.
    pub(super) async fn apply(&self, aws: &Aws) {
        aws.pace.take_share(1.0 - self.leave);
        for clients in [&aws.primary, &aws.secondary] {
            if let Err(error) = aws.pace.read_quotas(clients).await {
                to_stderr(&format!("calls are paced by AWS's default quotas: {error:#}"));
            }
        }
    }
}

fn left(text: &str) -> Result<f64, String> {
    let share = text.strip_suffix('%').and_then(|percent| percent.trim().parse::<f64>().ok());
    match share.map(|percent| percent / 100.0) {
        Some(share) if (0.0..1.0).contains(&share) => Ok(share),
        _ => Err("a share from 0% to less than 100%, as 20%".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_is_taken() {
        assert_eq!((left("0%"), left("35 %")), (Ok(0.0), Ok(0.35)));
        for wrong in ["100%", "-1%", "20", "x%", ""] {
            assert!(left(wrong).is_err(), "{wrong}");
        }
    }
}
