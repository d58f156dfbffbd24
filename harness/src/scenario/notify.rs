//! Who is told how a run ended.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stop::address;

const VARIABLE_CHARS_MAX: usize = 100;

/// Who is told how a run ended. A failure to tell is said, and changes no verdict.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Notify {
    /// An address that takes a POST of JSON. It is in the record: one with a secret in it belongs in `webhook_env`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
    /// The variable of the environment that has the address. What it says is never written down.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub webhook_env: Option<String>,
    /// The ARN of a topic of SNS.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$"))]
    pub sns: Option<String>,
}

impl Notify {
    /// Whether nobody is told.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The Region of the topic.
    pub(crate) fn sns_region(&self) -> Option<&str> {
        self.sns.as_ref()?.split(':').nth(3)
    }

    /// The first thing that is wrong: key path and what to do.
    pub(super) fn check(&self) -> Result<(), (String, String)> {
        let wrong = |key: &str, message: &str| Err((format!("notify.{key}"), message.to_owned()));
        if let Some(Err(message)) = self.webhook.as_deref().map(address) {
            return wrong("webhook", message);
        }
        if let Some(name) = &self.webhook_env {
            let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if self.webhook.is_some() {
                return wrong("webhook_env", "there is `webhook` as well: give one");
            }
            if name.len() > VARIABLE_CHARS_MAX || !name.starts_with(is_first) || !name.chars().all(fits) {
                return wrong(
                    "webhook_env",
                    "must be the name of a variable, as GAMEDAY_WEBHOOK; the address is its value",
                );
            }
        }
        if let Some(arn) = &self.sns {
            let parts: Vec<&str> = arn.split(':').collect();
            let [_, partition, "sns", region, account, topic] = parts.as_slice() else {
                return wrong("sns", "must be a topic's ARN, as arn:aws:sns:us-east-1:123456789012:gameday");
            };
            let is_account = account.len() == 12 && account.chars().all(|c| c.is_ascii_digit());
            if parts[0] != "arn"
                || partition.is_empty()
                || region.is_empty()
                || !is_account
                || topic.is_empty()
            {
                return wrong("sns", "must be a topic's ARN, as arn:aws:sns:us-east-1:123456789012:gameday");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_cannot_be_written_where_it_would_be_kept() {
        let notify = |webhook: Option<&str>, webhook_env: Option<&str>, sns: Option<&str>| {
            let [webhook, webhook_env, sns] = [webhook, webhook_env, sns].map(|text| text.map(str::to_owned));
            Notify { webhook, webhook_env, sns }.check()
        };
        let topic = "arn:aws:sns:eu-west-1:123456789012:gameday";
        assert_eq!(notify(Some("https://chat.example/x"), None, Some(topic)), Ok(()));
        assert_eq!(notify(None, Some("GAMEDAY_WEBHOOK"), None), Ok(()));
        for (webhook, variable, sns, said) in [
            (Some("chat.example"), None, None, "notify.webhook"),
            (Some("https://ada:secret@chat.example"), None, None, "notify.webhook"),
            (Some("https://chat.example"), Some("HOOK"), None, "notify.webhook_env"),
            (None, Some("https://chat.example/T0/secret"), None, "notify.webhook_env"),
            (None, None, Some("gameday"), "notify.sns"),
            (None, None, Some("arn:aws:sqs:eu-west-1:123456789012:gameday"), "notify.sns"),
        ] {
            assert_eq!(notify(webhook, variable, sns).unwrap_err().0, said);
        }
    }
}
