//! The actions of a rule, as checked when it is created. Substitution templates are taken apart here and filled for each
//! message.

use serde_json::Value;

use crate::{error::AwsError, registry::invalid, sql::Template};

/// User properties of a republish action.
const USER_PROPERTIES_MAX: usize = 100;

/// What a rule does with its result.
#[derive(Debug)]
pub(super) enum Action {
    /// Puts the result, each top-level key an attribute.
    DynamoDbV2 { table: Template },
    /// Puts the result into one attribute of an item.
    DynamoDb(Box<DynamoDb>),
    /// Invokes a function and does not wait.
    Lambda { function: Template },
    /// Publishes the result.
    Republish(Box<Republish>),
    /// Starts an execution.
    StepFunctions { machine: Template, prefix: Option<Template> },
}

#[derive(Debug)]
pub(super) struct DynamoDb {
    pub(super) table: Template,
    pub(super) hash: KeyAttribute,
    pub(super) range: Option<KeyAttribute>,
    /// The attribute of the payload.
    pub(super) payload: Template,
    pub(super) operation: Option<Template>,
}

#[derive(Debug)]
pub(super) struct KeyAttribute {
    pub(super) name: Template,
    pub(super) value: Template,
    pub(super) is_number: bool,
}

#[derive(Debug)]
pub(super) struct Republish {
    pub(super) topic: Template,
    pub(super) at_least_once: bool,
    pub(super) headers: Option<Headers>,
}

/// Properties of MQTT 5.
#[derive(Debug)]
pub(super) struct Headers {
    pub(super) payload_format: Option<Template>,
    pub(super) content_type: Option<Template>,
    pub(super) response_topic: Option<Template>,
    pub(super) correlation_data: Option<Template>,
    pub(super) expiry: Option<Template>,
    pub(super) user: Vec<(Template, Template)>,
}

impl Action {
    /// `version` is the SQL's.
    pub(super) fn parse(action: &Value, version: &str) -> Result<Self, AwsError> {
        let one =
            action.as_object().filter(|object| object.len() == 1).and_then(|object| object.iter().next());
        let Some((kind, settings)) = one else {
            return Err(invalid(format!("An action has one member, got {action}")));
        };
        let settings = Settings { kind, settings, version };
        match kind.as_str() {
            "dynamoDBv2" => {
                settings.role()?;
                Ok(Self::DynamoDbV2 { table: settings.within("putItem").required("tableName")? })
            }
            "dynamoDB" => {
                settings.role()?;
                settings.dynamo_db().map(|action| Self::DynamoDb(Box::new(action)))
            }
            "lambda" => Ok(Self::Lambda { function: settings.required("functionArn")? }),
            "republish" => {
                settings.role()?;
                settings.republish().map(|action| Self::Republish(Box::new(action)))
            }
            "stepFunctions" => {
                settings.role()?;
                let prefix = settings.optional("executionNamePrefix")?;
                Ok(Self::StepFunctions { machine: settings.required("stateMachineName")?, prefix })
            }
            other => Err(invalid(format!(
                "The twin has the rule actions dynamoDB, dynamoDBv2, lambda, republish and stepFunctions, not {other}"
            ))),
        }
    }
}

/// The settings of one action.
#[derive(Debug, Clone, Copy)]
struct Settings<'a> {
    kind: &'a str,
    settings: &'a Value,
    version: &'a str,
}

impl<'a> Settings<'a> {
    fn within(self, member: &str) -> Self {
        Self { settings: &self.settings[member], ..self }
    }

    fn text(self, member: &str) -> Result<Option<&'a str>, AwsError> {
        match &self.settings[member] {
            Value::Null => Ok(None),
            Value::String(text) if !text.is_empty() => Ok(Some(text)),
            other => {
                Err(invalid(format!("{} of the action {} must be a text, got {other}", member, self.kind)))
            }
        }
    }

    fn optional(self, member: &str) -> Result<Option<Template>, AwsError> {
        self.text(member)?.map(|text| Template::parse(text, self.version)).transpose()
    }

    fn required(self, member: &str) -> Result<Template, AwsError> {
        self.optional(member)?
            .ok_or_else(|| invalid(format!("{member} of the action {} is missing", self.kind)))
    }

    /// AWS requires a role; the twin does not look at it.
    fn role(self) -> Result<(), AwsError> {
        let role = self.text("roleArn")?;
        role.map(|_| ()).ok_or_else(|| invalid(format!("roleArn of the action {} is missing", self.kind)))
    }

    fn dynamo_db(self) -> Result<DynamoDb, AwsError> {
        let range = match self.text("rangeKeyField")? {
            Some(_) => Some(self.key("rangeKeyField", "rangeKeyValue", "rangeKeyType")?),
            None => None,
        };
        let payload = match self.optional("payloadField")? {
            Some(field) => field,
            None => Template::parse("payload", self.version)?,
        };
        Ok(DynamoDb {
            table: self.required("tableName")?,
            hash: self.key("hashKeyField", "hashKeyValue", "hashKeyType")?,
            range,
            payload,
            operation: self.optional("operation")?,
        })
    }

    fn key(self, name: &str, value: &str, kind: &str) -> Result<KeyAttribute, AwsError> {
        let is_number = match self.text(kind)? {
            None | Some("STRING") => false,
            Some("NUMBER") => true,
            Some(other) => return Err(invalid(format!("{kind} must be STRING or NUMBER, got {other}"))),
        };
        Ok(KeyAttribute { name: self.required(name)?, value: self.required(value)?, is_number })
    }

    fn republish(self) -> Result<Republish, AwsError> {
        let at_least_once = match &self.settings["qos"] {
            Value::Null => false,
            qos if *qos == 0 => false,
            qos if *qos == 1 => true,
            other => return Err(invalid(format!("qos of the action republish must be 0 or 1, got {other}"))),
        };
        let headers = match &self.settings["headers"] {
            Value::Null => None,
            _ => Some(self.within("headers").headers()?),
        };
        Ok(Republish { topic: self.required("topic")?, at_least_once, headers })
    }

    fn headers(self) -> Result<Headers, AwsError> {
        let user = match &self.settings["userProperties"] {
            Value::Null => &[][..],
            Value::Array(list) if list.len() <= USER_PROPERTIES_MAX => list,
            _ => return Err(invalid(format!("userProperties is a list of {USER_PROPERTIES_MAX} at most"))),
        };
        let user = user.iter().map(|property| {
            let property = Self { settings: property, ..self };
            Ok((property.required("key")?, property.required("value")?))
        });
        Ok(Headers {
            payload_format: self.optional("payloadFormatIndicator")?,
            content_type: self.optional("contentType")?,
            response_topic: self.optional("responseTopic")?,
            correlation_data: self.optional("correlationData")?,
            expiry: self.optional("messageExpiry")?,
            user: user.collect::<Result<_, AwsError>>()?,
        })
    }
}
