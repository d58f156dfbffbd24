//! The file of a target: where it is, and in which accounts a run may go on there. Whoever writes it decides that once, and not
//! everybody who starts a run.

use std::path::Path;

use anyhow::{Context, bail};
use serde::Deserialize;

/// Digits of an account.
const ACCOUNT_DIGITS: usize = 12;

/// What `--target FILE.toml` names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetFile {
    /// As without a file: `twin`, or the address of one.
    pub(crate) target: String,
    /// Pre-flight refuses every other account.
    pub(crate) accounts: Vec<String>,
}

impl TargetFile {
    /// Whether a target is named by a file.
    pub(crate) fn is_meant(text: &str) -> bool {
        Path::new(text).extension().is_some_and(|ending| ending == "toml")
    }

    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is no file of a target", path.display()))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let file: Self = toml::from_str(text)?;
        let is_account =
            |text: &&String| text.len() == ACCOUNT_DIGITS && text.chars().all(|c| c.is_ascii_digit());
        if let Some(wrong) = file.accounts.iter().find(|account| !is_account(account)) {
            bail!("accounts: {wrong:?} is no account, which has {ACCOUNT_DIGITS} digits");
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_a_target_and_its_accounts() {
        assert!(
            TargetFile::is_meant("targets/staging.toml") && !TargetFile::is_meant("http://127.0.0.1:4566")
        );
        let file = TargetFile::parse("target = \"twin\"\naccounts = [\"123456789012\"]").unwrap();
        assert_eq!((file.target.as_str(), file.accounts.len()), ("twin", 1));
        let wrong = |text| format!("{:#}", TargetFile::parse(text).unwrap_err());
        assert!(wrong("target = \"twin\"\naccounts = [\"prod\"]").contains("\"prod\" is no account"));
        assert!(wrong("target = \"twin\"").contains("accounts"), "nobody is let in by forgetting the list");
        assert!(wrong("target = \"twin\"\naccounts = []\nacount = 1").contains("acount"));
    }
}
