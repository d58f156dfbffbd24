//! API keys and the usage plans that say for which stages they are good. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::rest_api::{bad_request, limit_exceeded};
use crate::error::AwsError;

pub(crate) const KEYS_MAX: usize = 1_000;
/// As AWS has it.
pub(crate) const PLANS_MAX: usize = 300;
/// Stages of one plan.
pub(crate) const PLAN_STAGES_MAX: usize = 1_000;

/// The keys and plans of one Region.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    pub(crate) keys: BTreeMap<String, ApiKey>,
    pub(crate) plans: BTreeMap<String, UsagePlan>,
}

/// A key.
#[derive(Debug)]
pub(crate) struct ApiKey {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) value: String,
    pub(crate) enabled: bool,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created: Timestamp,
}

/// A usage plan.
#[derive(Debug)]
pub(crate) struct UsagePlan {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// API and stage.
    pub(crate) stages: Vec<(String, String)>,
    /// Ids of its keys.
    pub(crate) keys: Vec<String>,
    /// Kept and told, not enforced.
    pub(crate) throttle: Option<Json>,
    /// Kept and told, not enforced.
    pub(crate) quota: Option<Json>,
    pub(crate) tags: BTreeMap<String, String>,
}

impl Keys {
    /// Whether this value is of a key that is good for the stage. Says which.
    pub(crate) fn admits(&self, value: &str, api: &str, stage: &str) -> Option<&str> {
        let (id, _) = self.keys.iter().find(|(_, key)| key.enabled && key.value == value)?;
        let of_plan = |plan: &UsagePlan| {
            plan.keys.contains(id) && plan.stages.iter().any(|(a, s)| a == api && s == stage)
        };
        self.plans.values().any(of_plan).then_some(id)
    }
}

impl ApiKey {
    pub(crate) fn describe(&self, id: &str, with_value: bool) -> Json {
        let mut answer = json!({
            "id": id,
            "enabled": self.enabled,
            "createdDate": self.created.as_second(),
            "lastUpdatedDate": self.created.as_second(),
            "stageKeys": [],
            "tags": self.tags,
        });
        for (member, value) in [("name", &self.name), ("description", &self.description)] {
            if let Some(value) = value {
                answer[member] = json!(value);
            }
        }
        if with_value {
            answer["value"] = json!(self.value);
        }
        answer
    }
}

fn add_stage(stages: &mut Vec<(String, String)>, api: String, stage: String) -> Result<(), AwsError> {
    let stage = (api, stage);
    if stages.contains(&stage) {
        return Ok(());
    }
    if stages.len() >= PLAN_STAGES_MAX {
        return Err(limit_exceeded(format!("A usage plan can have at most {PLAN_STAGES_MAX} API stages")));
    }
    stages.push(stage);
    Ok(())
}

impl UsagePlan {
    /// Reads `apiStages`.
    pub(crate) fn stages(list: &Json) -> Result<Vec<(String, String)>, AwsError> {
        let stage = |stage: &Json| {
            if stage.get("throttle").is_some_and(|t| !t.is_null()) {
                return Err(bad_request("The twin has no throttling of methods"));
            }
            match (stage["apiId"].as_str(), stage["stage"].as_str()) {
                (Some(api), Some(stage)) => Ok((api.to_owned(), stage.to_owned())),
                _ => Err(bad_request("API Stages need apiId and stage")),
            }
        };
        let mut stages = Vec::new();
        for listed in list.as_array().into_iter().flatten() {
            let (api, stage) = stage(listed)?;
            add_stage(&mut stages, api, stage)?;
        }
        Ok(stages)
    }

    /// Makes it good for a stage. One that it is good for already stays.
    pub(crate) fn add_stage(&mut self, api: String, stage: String) -> Result<(), AwsError> {
        add_stage(&mut self.stages, api, stage)
    }

    pub(crate) fn describe(&self, id: &str) -> Json {
        let stages: Vec<Json> = self.stages.iter().map(|(a, s)| json!({"apiId": a, "stage": s})).collect();
        let mut answer = json!({"id": id, "name": self.name, "apiStages": stages, "tags": self.tags});
        for (member, value) in [("throttle", &self.throttle), ("quota", &self.quota)] {
            if let Some(value) = value {
                answer[member] = value.clone();
            }
        }
        if let Some(description) = &self.description {
            answer["description"] = json!(description);
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_has_so_many_stages_and_each_once() {
        let of = |n: usize| json!({"apiId": "a", "stage": n.to_string()});
        let list = |count: usize| (0..count).map(of).collect::<Json>();
        assert_eq!(UsagePlan::stages(&json!([of(1), of(1)])).unwrap().len(), 1);
        let refused = UsagePlan::stages(&list(PLAN_STAGES_MAX + 1)).unwrap_err();
        assert_eq!(refused.code, "LimitExceededException");
        let mut stages = UsagePlan::stages(&list(PLAN_STAGES_MAX)).unwrap();
        add_stage(&mut stages, "a".to_owned(), "0".to_owned()).unwrap();
        assert!(add_stage(&mut stages, "b".to_owned(), "0".to_owned()).is_err());
    }

    #[test]
    fn a_key_is_good_for_the_stages_of_its_plans() {
        let mut keys = Keys::default();
        let key = ApiKey {
            name: None,
            description: None,
            value: "secret".to_owned(),
            enabled: true,
            tags: BTreeMap::new(),
            created: Timestamp::UNIX_EPOCH,
        };
        let plan = UsagePlan {
            name: "p".to_owned(),
            description: None,
            stages: vec![("a".to_owned(), "v1".to_owned())],
            keys: vec!["k".to_owned()],
            throttle: None,
            quota: None,
            tags: BTreeMap::new(),
        };
        keys.keys.insert("k".to_owned(), key);
        assert_eq!(keys.admits("secret", "a", "v1"), None, "it is of no plan");
        keys.plans.insert("p".to_owned(), plan);
        assert_eq!(keys.admits("secret", "a", "v1"), Some("k"));
        assert_eq!(keys.admits("secret", "a", "v2"), None);
        assert_eq!(keys.admits("other", "a", "v1"), None);
        keys.keys.get_mut("k").unwrap().enabled = false;
        assert_eq!(keys.admits("secret", "a", "v1"), None);
    }
}
