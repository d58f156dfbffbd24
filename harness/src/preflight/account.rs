//! Whose credentials they are, and whether a run may go on in that account.

use futures::FutureExt;

use super::{Check, Finding, Ground, Stage};

pub(super) static CHECK: Check = Check {
    name: "account",
    label: "The account",
    stage: Stage::Reach,
    can_be_ignored: false,
    look: |ground| look(ground).boxed_local(),
};

async fn look(ground: &Ground<'_>) -> Finding {
    let account = match ground.aws.account().await {
        Ok(account) => account,
        Err(error) => return Finding::unknown(format!("{error:#}: look at the credentials")),
    };
    judge(&account, &ground.target.endpoints.account, ground.accounts)
}

fn judge(account: &str, target: &str, allowed: Option<&[String]>) -> Finding {
    if account != target {
        return Finding::refused(format!(
            "the credentials are of account {account}, and the target is {target}: use those of the target"
        ));
    }
    match allowed {
        None => Finding::passed(format!("{account}, of a twin; no file of the target names accounts")),
        Some(allowed) if allowed.iter().any(|each| each == account) => {
            Finding::passed(format!("{account} is on the list of the target's file"))
        }
        Some(allowed) => Finding::refused(format!(
            "account {account} is not on the list of the target's file, which has {}: it has to be written there first",
            if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") }
        )),
    }
}

#[cfg(test)]
mod tests {
    use gameday_report::record::PreflightOutcome as Outcome;

    use super::*;

    #[test]
    fn only_an_account_on_the_list_is_let_in() {
        let list = ["111111111111".to_owned()];
        let outcome = |account, target, list| judge(account, target, list).outcome;
        assert_eq!(outcome("111111111111", "111111111111", Some(&list[..])), Outcome::Passed);
        assert_eq!(outcome("222222222222", "222222222222", Some(&list[..])), Outcome::Refused);
        assert_eq!(outcome("222222222222", "222222222222", Some(&[])), Outcome::Refused);
        assert_eq!(outcome("111111111111", "222222222222", Some(&list[..])), Outcome::Refused);
        assert_eq!(outcome("111111111111", "111111111111", None), Outcome::Passed);
    }
}
