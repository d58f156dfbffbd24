//! What of the account's quotas the replicator takes: the rest is left to production.

/// The environment variable that says it, from above 0 to 1: `0.8` leaves a fifth. Without it all is taken that is there.
pub const QUOTA_SHARE: &str = "QUOTA_SHARE";

/// What the environment says.
///
/// # Errors
/// It says no share. The text is for whoever set it.
pub fn quota_share() -> Result<f64, String> {
    read(std::env::var(QUOTA_SHARE).ok().as_deref())
}

fn read(said: Option<&str>) -> Result<f64, String> {
    match said.map(str::trim) {
        None | Some("") => Ok(1.0),
        Some(text) => match text.parse::<f64>() {
            Ok(share) if share > 0.0 && share <= 1.0 => Ok(share),
            _ => Err(format!(
                "{QUOTA_SHARE} is the share of AWS IoT's quotas that is taken, from above 0 to 1, as 0.8: not {text:?}"
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_above_nothing_and_at_most_all() {
        for (said, share) in [(None, 1.0), (Some(""), 1.0), (Some(" 0.8"), 0.8), (Some("1"), 1.0)] {
            assert_eq!(read(said), Ok(share));
        }
        for wrong in ["0", "-1", "1.2", "80%", "NaN", "all"] {
            assert!(read(Some(wrong)).is_err_and(|why| why.contains(wrong)), "{wrong}");
        }
    }
}
