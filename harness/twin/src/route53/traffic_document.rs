//! Traffic policy documents: the JSON that says which records a policy makes. Of AWS's rules the failover rule is here,
//! and a document that is one endpoint.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    error::AwsError,
    route53::record::{Failover, RecordSet, RecordType},
};

const FORMATS: [&str; 2] = ["2015-10-01", "2023-05-09"];
const DOCUMENT_BYTES_MAX: usize = 102_400;
/// A name to check values with; the name of an instance is checked when it is made.
const ANY_NAME: &str = "any.example.com.";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Spec {
    #[serde(rename = "AWSPolicyFormatVersion")]
    format: String,
    record_type: String,
    start_rule: Option<String>,
    start_endpoint: Option<String>,
    #[serde(default)]
    endpoints: BTreeMap<String, EndpointSpec>,
    #[serde(default)]
    rules: BTreeMap<String, RuleSpec>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct EndpointSpec {
    #[serde(rename = "Type")]
    kind: String,
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RuleSpec {
    rule_type: String,
    primary: Option<HalfSpec>,
    secondary: Option<HalfSpec>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct HalfSpec {
    endpoint_reference: Option<String>,
    /// Has no effect on values without a health check, as on AWS.
    evaluate_target_health: Option<Json>,
    health_check: Option<String>,
}

/// A checked document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) kind: RecordType,
    answers: Answers,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Answers {
    One(String),
    Failover(Vec<Half>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Half {
    role: Failover,
    value: String,
    health_check_id: Option<String>,
}

impl Document {
    pub(crate) fn parse(text: &str) -> Result<Self, AwsError> {
        if text.len() > DOCUMENT_BYTES_MAX {
            return invalid(&format!("the document has more than {DOCUMENT_BYTES_MAX} bytes"));
        }
        let spec: Spec = match serde_json::from_str(text) {
            Ok(spec) => spec,
            Err(error) => return invalid(&error.to_string()),
        };
        if !FORMATS.contains(&spec.format.as_str()) {
            return invalid(&format!("AWSPolicyFormatVersion {} is not known", spec.format));
        }
        let Some(kind @ (RecordType::A | RecordType::Cname | RecordType::Txt)) =
            RecordType::parse(&spec.record_type)
        else {
            return invalid(&format!("The twin has no policies of type {}", spec.record_type));
        };
        let answers = match (&spec.start_endpoint, &spec.start_rule) {
            (Some(endpoint), None) => Answers::One(spec.endpoint(endpoint)?),
            (None, Some(rule)) => Answers::Failover(spec.failover(rule)?),
            _ => return invalid("either StartEndpoint or StartRule is required"),
        };
        let document = Self { kind, answers };
        match document.records(ANY_NAME, 0).iter().find_map(RecordSet::fault) {
            Some(fault) => invalid(&fault),
            None => Ok(document),
        }
    }

    /// The records that an instance of the policy makes.
    pub(crate) fn records(&self, name: &str, ttl_s: u32) -> Vec<RecordSet> {
        let set = |role: Option<Failover>, value: &str, check: Option<&String>| RecordSet {
            name: name.to_owned(),
            kind: self.kind,
            set_identifier: role.map(|r| r.as_str().to_owned()),
            failover: role,
            health_check_id: check.cloned(),
            ttl_s,
            values: vec![value.to_owned()],
        };
        match &self.answers {
            Answers::One(value) => vec![set(None, value, None)],
            Answers::Failover(halves) => {
                halves.iter().map(|h| set(Some(h.role), &h.value, h.health_check_id.as_ref())).collect()
            }
        }
    }
}

impl Spec {
    fn endpoint(&self, id: &str) -> Result<String, AwsError> {
        match self.endpoints.get(id) {
            Some(endpoint) if endpoint.kind == "value" => Ok(endpoint.value.clone()),
            Some(endpoint) => invalid(&format!("The twin has no endpoints of type {}", endpoint.kind)),
            None => invalid(&format!("endpoint {id} is not defined")),
        }
    }

    fn failover(&self, id: &str) -> Result<Vec<Half>, AwsError> {
        let Some(rule) = self.rules.get(id) else { return invalid(&format!("rule {id} is not defined")) };
        if self.rules.len() > 1 {
            return invalid("The twin has policies of one rule");
        }
        if rule.rule_type != "failover" {
            return invalid(&format!("The twin has no rules of type {}", rule.rule_type));
        }
        let halves = [(Failover::Primary, &rule.primary), (Failover::Secondary, &rule.secondary)];
        let halves: Vec<Half> = halves
            .into_iter()
            .filter_map(|(role, spec)| spec.as_ref().map(|spec| self.half(role, spec)))
            .collect::<Result<_, _>>()?;
        if halves.is_empty() { invalid("a failover rule needs Primary or Secondary") } else { Ok(halves) }
    }

    fn half(&self, role: Failover, spec: &HalfSpec) -> Result<Half, AwsError> {
        let Some(endpoint) = &spec.endpoint_reference else {
            return invalid("EndpointReference is required");
        };
        let flag = spec.evaluate_target_health.as_ref();
        if !flag.is_none_or(|f| f.is_boolean() || matches!(f.as_str(), Some("true" | "false"))) {
            return invalid("EvaluateTargetHealth is true or false");
        }
        let health_check_id = spec.health_check.clone().filter(|id| !id.is_empty());
        Ok(Half { role, value: self.endpoint(endpoint)?, health_check_id })
    }
}

fn invalid<T>(why: &str) -> Result<T, AwsError> {
    Err(AwsError::new(400, "InvalidTrafficPolicyDocument", format!("Invalid traffic policy document: {why}")))
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// As the guide has it: two endpoints, one failover rule, health checks of these ids.
    pub(crate) fn failover(primary: &str, secondary: &str) -> Json {
        json!({
            "AWSPolicyFormatVersion": "2015-10-01", "RecordType": "CNAME", "StartRule": "r",
            "Endpoints": {
                "p": {"Type": "value", "Value": "p-ats.iot.us-east-1.amazonaws.com"},
                "s": {"Type": "value", "Value": "s-ats.iot.us-west-2.amazonaws.com"},
            },
            "Rules": {"r": {
                "RuleType": "failover",
                "Primary": {"EndpointReference": "p", "EvaluateTargetHealth": true, "HealthCheck": primary},
                "Secondary": {"EndpointReference": "s", "EvaluateTargetHealth": "true", "HealthCheck": secondary},
            }},
        })
    }

    #[test]
    fn a_failover_rule_makes_a_pair() {
        let document = Document::parse(&failover("h1", "").to_string()).unwrap();
        let sets = document.records("fleet.example.com.", 10);
        assert_eq!(
            sets.iter().map(|s| s.failover).collect::<Vec<_>>(),
            [Some(Failover::Primary), Some(Failover::Secondary)]
        );
        assert_eq!((&sets[0].health_check_id, &sets[1].health_check_id), (&Some("h1".to_owned()), &None));
        assert_eq!(sets[1].values, ["s-ats.iot.us-west-2.amazonaws.com"]);
    }

    #[test]
    fn one_endpoint_is_one_record() {
        let text = r#"{"AWSPolicyFormatVersion":"2015-10-01","RecordType":"A","StartEndpoint":"e",
            "Endpoints":{"e":{"Type":"value","Value":"127.0.0.2"}}}"#;
        let sets = Document::parse(text).unwrap().records("a.example.com.", 10);
        assert_eq!((sets.len(), sets[0].failover, sets[0].kind), (1, None, RecordType::A));
    }

    #[test]
    fn what_is_not_modelled_is_refused() {
        let good = failover("h1", "h2");
        for (pointer, value) in [
            ("/AWSPolicyFormatVersion", json!("2010-01-01")),
            ("/RecordType", json!("MX")),
            ("/StartRule", json!("none")),
            ("/StartRule", json!(null)),
            ("/Endpoints/p/Type", json!("cloudfront")),
            ("/Endpoints/p/Value", json!("not a name")),
            ("/Rules/r/RuleType", json!("weighted")),
            ("/Rules/r/Primary/EndpointReference", json!("none")),
            ("/Rules/r/Primary", json!({"RuleReference": "x"})),
            ("/Rules/r/Primary/EvaluateTargetHealth", json!(1)),
            ("/Rules/r", json!({"RuleType": "failover"})),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(pointer).unwrap() = value;
            let error = Document::parse(&bad.to_string()).unwrap_err();
            assert_eq!(error.code, "InvalidTrafficPolicyDocument", "{bad}");
        }
        assert!(Document::parse("{").is_err());
        assert!(Document::parse(&"x".repeat(DOCUMENT_BYTES_MAX + 1)).unwrap_err().message.contains("bytes"));
    }
}
