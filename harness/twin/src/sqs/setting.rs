//! What is set of a queue: the attributes of `CreateQueue` and `SetQueueAttributes`, checked as AWS checks them.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value as Json, json};

use crate::error::AwsError;

const SIZE_BYTES_MAX: u64 = 1_048_576;
const RECEIVES_MAX: u32 = 1_000;

/// Where messages go that were received too often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Redrive {
    pub(crate) arn: String,
    pub(crate) receives_max: u32,
}

/// What is set of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) visibility: Duration,
    pub(crate) delay: Duration,
    /// How long a receive waits that does not say it.
    pub(crate) wait: Duration,
    pub(crate) retention: Duration,
    pub(crate) size_bytes_max: usize,
    pub(crate) redrive: Option<Redrive>,
    /// Kept and told, not acted upon.
    kept: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            visibility: Duration::from_secs(30),
            delay: Duration::ZERO,
            wait: Duration::ZERO,
            retention: Duration::from_hours(96),
            size_bytes_max: usize::try_from(SIZE_BYTES_MAX).unwrap_or(usize::MAX),
            redrive: None,
            kept: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// The settings with these attributes changed. `exists` says whether an ARN is of a queue of the same Region.
    pub(crate) fn with(
        mut self,
        attributes: &BTreeMap<String, String>,
        exists: impl Fn(&str) -> bool,
    ) -> Result<Self, AwsError> {
        for (name, value) in attributes {
            let seconds = |min, max| number(name, value, min, max).map(Duration::from_secs);
            match name.as_str() {
                "VisibilityTimeout" => self.visibility = seconds(0, 43_200)?,
                "DelaySeconds" => self.delay = seconds(0, 900)?,
                "ReceiveMessageWaitTimeSeconds" => self.wait = seconds(0, 20)?,
                "MessageRetentionPeriod" => self.retention = seconds(60, 1_209_600)?,
                "MaximumMessageSize" => {
                    let size = number(name, value, 1_024, SIZE_BYTES_MAX)?;
                    self.size_bytes_max = usize::try_from(size).unwrap_or(usize::MAX);
                }
                "RedrivePolicy" if value.is_empty() => self.redrive = None,
                "RedrivePolicy" => self.redrive = Some(redrive(value, &exists)?),
                "Policy" | "RedriveAllowPolicy" | "SqsManagedSseEnabled" => {
                    if value.is_empty() {
                        self.kept.remove(name);
                    } else {
                        self.kept.insert(name.clone(), value.clone());
                    }
                }
                "FifoQueue"
                | "ContentBasedDeduplication"
                | "DeduplicationScope"
                | "FifoThroughputLimit"
                | "KmsMasterKeyId"
                | "KmsDataKeyReusePeriodSeconds" => {
                    let message =
                        format!("The twin has standard queues without KMS, not the attribute {name}");
                    return Err(AwsError::new(400, "InvalidAttributeName", message));
                }
                _ => return Err(unknown(name)),
            }
        }
        Ok(self)
    }

    /// The attributes as AWS tells them.
    pub(crate) fn attributes(&self) -> BTreeMap<String, String> {
        let seconds = |time: Duration| time.as_secs().to_string();
        let mut attributes = self.kept.clone();
        attributes.extend(
            [
                ("VisibilityTimeout", seconds(self.visibility)),
                ("DelaySeconds", seconds(self.delay)),
                ("ReceiveMessageWaitTimeSeconds", seconds(self.wait)),
                ("MessageRetentionPeriod", seconds(self.retention)),
                ("MaximumMessageSize", self.size_bytes_max.to_string()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        attributes.entry("SqsManagedSseEnabled".to_owned()).or_insert_with(|| "true".to_owned());
        if let Some(Redrive { arn, receives_max }) = &self.redrive {
            let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": receives_max});
            attributes.insert("RedrivePolicy".to_owned(), policy.to_string());
        }
        attributes
    }
}

pub(crate) fn unknown(name: &str) -> AwsError {
    AwsError::new(400, "InvalidAttributeName", format!("Unknown Attribute {name}."))
}

fn bad(name: &str) -> AwsError {
    AwsError::new(400, "InvalidAttributeValue", format!("Invalid value for the parameter {name}."))
}

fn number(name: &str, value: &str, min: u64, max: u64) -> Result<u64, AwsError> {
    value.parse().ok().filter(|n| (min..=max).contains(n)).ok_or_else(|| bad(name))
}

fn redrive(text: &str, exists: &impl Fn(&str) -> bool) -> Result<Redrive, AwsError> {
    let refuse = |why: &str| {
        let message = format!("Value {text} for parameter RedrivePolicy is invalid. Reason: {why}");
        AwsError::new(400, "InvalidParameterValue", message)
    };
    let policy: Json =
        serde_json::from_str(text).map_err(|_| refuse("Redrive policy is not a valid JSON map."))?;
    let arn = policy["deadLetterTargetArn"]
        .as_str()
        .ok_or_else(|| refuse("Redrive policy does not contain mandatory attribute: deadLetterTargetArn."))?;
    // Clients send it as a number or as text.
    let count = match &policy["maxReceiveCount"] {
        Json::String(text) => text.parse().ok(),
        other => other.as_u64(),
    };
    let receives_max = count.and_then(|n| u32::try_from(n).ok()).filter(|n| (1..=RECEIVES_MAX).contains(n));
    let receives_max = receives_max
        .ok_or_else(|| refuse("Invalid value for maxReceiveCount: must be an integer from 1 to 1000."))?;
    if !exists(arn) {
        return Err(refuse("Dead letter target does not exist."));
    }
    Ok(Redrive { arn: arn.to_owned(), receives_max })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> Result<Settings, AwsError> {
        let attributes = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        Settings::default().with(&attributes, |arn| arn == "arn:d")
    }

    #[test]
    fn attributes_are_checked_and_told_again() {
        let set_to = |name, value| set(name, value).unwrap().attributes()[name].clone();
        assert_eq!(set_to("VisibilityTimeout", "60"), "60");
        assert_eq!(set_to("Policy", "{}"), "{}");
        assert_eq!(
            set_to("RedrivePolicy", r#"{"deadLetterTargetArn":"arn:d","maxReceiveCount":"3"}"#),
            r#"{"deadLetterTargetArn":"arn:d","maxReceiveCount":3}"#
        );
        for (name, value, code) in [
            ("VisibilityTimeout", "43201", "InvalidAttributeValue"),
            ("DelaySeconds", "x", "InvalidAttributeValue"),
            ("FifoQueue", "true", "InvalidAttributeName"),
            ("Nothing", "1", "InvalidAttributeName"),
            ("RedrivePolicy", "{}", "InvalidParameterValue"),
            (
                "RedrivePolicy",
                r#"{"deadLetterTargetArn":"arn:d","maxReceiveCount":0}"#,
                "InvalidParameterValue",
            ),
            (
                "RedrivePolicy",
                r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":1}"#,
                "InvalidParameterValue",
            ),
        ] {
            assert_eq!(set(name, value).unwrap_err().code, code, "{name} {value}");
        }
    }
}
