//! Schedules of one Region: pure state. Time comes in.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use crate::{
    error::AwsError,
    events::{Delivery, Destination, Expression, RetryPolicy, envelope},
};

/// Schedules of a Region. AWS allows a million.
const SCHEDULES_MAX: usize = 10_000;

/// A schedule.
#[derive(Debug)]
pub(crate) struct Schedule {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    pub(crate) settings: Settings,
    /// When it is due next.
    next: Option<Timestamp>,
    /// Rates count from here on.
    began: Timestamp,
    /// Tells a schedule from a later one of its name, and from what it was before a change.
    generation: u64,
}

/// What a client says of a schedule.
#[derive(Debug)]
pub(crate) struct Settings {
    /// As it was given, and parsed.
    pub(crate) expression: (String, Expression),
    pub(crate) start: Option<Timestamp>,
    pub(crate) end: Option<Timestamp>,
    pub(crate) description: Option<String>,
    pub(crate) is_enabled: bool,
    /// As it was given.
    pub(crate) target: Json,
    pub(crate) flexible_window: Json,
    pub(crate) destination: Destination,
    pub(crate) input: Option<String>,
    pub(crate) retry: RetryPolicy,
    pub(crate) is_deleted_afterwards: bool,
}

/// What a due schedule leads to.
#[derive(Debug)]
pub(crate) struct Fired {
    pub(crate) delivery: Delivery,
    pub(crate) name: String,
    /// Set if it was the last time and the schedule is to be removed after the delivery.
    pub(crate) over: Option<u64>,
}

/// Schedules by name.
#[derive(Debug, Default)]
pub(crate) struct Schedules {
    by_name: BTreeMap<String, Schedule>,
    generation: u64,
}

impl Schedules {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Schedule> {
        self.by_name.values()
    }

    pub(crate) fn get(&self, name: &str) -> Result<&Schedule, AwsError> {
        self.by_name.get(name).ok_or_else(|| no_schedule(name))
    }

    pub(crate) fn create(
        &mut self,
        name: &str,
        arn: String,
        settings: Settings,
        now: Timestamp,
    ) -> Result<(), AwsError> {
        if self.by_name.contains_key(name) {
            let message = format!("Schedule {name} already exists.");
            return Err(AwsError::new(409, "ConflictException", message));
        }
        if self.by_name.len() >= SCHEDULES_MAX {
            let message = format!("The twin has at most {SCHEDULES_MAX} schedules in a Region");
            return Err(AwsError::new(402, "ServiceQuotaExceededException", message));
        }
        self.insert(name, arn, settings, now, now);
        Ok(())
    }

    pub(crate) fn update(&mut self, name: &str, settings: Settings, now: Timestamp) -> Result<(), AwsError> {
        let old = self.by_name.remove(name).ok_or_else(|| no_schedule(name))?;
        self.insert(name, old.arn, settings, old.created, now);
        Ok(())
    }

    fn insert(&mut self, name: &str, arn: String, settings: Settings, created: Timestamp, now: Timestamp) {
        self.generation += 1;
        let began = settings.start.unwrap_or(now).max(now);
        let just_before = began.saturating_sub(SignedDuration::from_nanos(1)).unwrap_or(began);
        let schedule = Schedule {
            name: name.to_owned(),
            arn,
            created,
            modified: now,
            next: settings.next(just_before, began),
            settings,
            began,
            generation: self.generation,
        };
        self.by_name.insert(name.to_owned(), schedule);
    }

    pub(crate) fn delete(&mut self, name: &str) -> Result<(), AwsError> {
        self.by_name.remove(name).map(|_| ()).ok_or_else(|| no_schedule(name))
    }

    /// Removes a schedule unless it was changed meanwhile.
    pub(crate) fn remove(&mut self, name: &str, generation: u64) {
        if self.by_name.get(name).is_some_and(|schedule| schedule.generation == generation) {
            self.by_name.remove(name);
        }
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.by_name.values().filter_map(|schedule| schedule.next).min()
    }

    /// What is due, each once however often it was missed.
    pub(crate) fn fire(&mut self, now: Timestamp, place: (&str, &str)) -> Vec<Fired> {
        let mut fired = Vec::new();
        for schedule in self.by_name.values_mut() {
            let Some(due) = schedule.next.filter(|due| *due <= now) else { continue };
            schedule.next = schedule.settings.next(now, schedule.began);
            let is_over = schedule.next.is_none() && schedule.settings.is_deleted_afterwards;
            fired.push(Fired {
                delivery: schedule.delivery(due, place),
                name: schedule.name.clone(),
                over: is_over.then_some(schedule.generation),
            });
        }
        fired
    }
}

impl Settings {
    fn next(&self, after: Timestamp, began: Timestamp) -> Option<Timestamp> {
        let next = self.expression.1.next(after, began).filter(|_| self.is_enabled)?;
        Some(next).filter(|next| self.end.is_none_or(|end| *next <= end))
    }
}

impl Schedule {
    fn delivery(&self, due: Timestamp, place: (&str, &str)) -> Delivery {
        let at = due.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let payload = match &self.settings.input {
            Some(input) => input
                .replace("<aws.scheduler.schedule-arn>", &self.arn)
                .replace("<aws.scheduler.scheduled-time>", &at)
                .replace("<aws.scheduler.execution-id>", &uuid::Uuid::new_v4().to_string()),
            // The detail is a string, as it is on AWS.
            None => envelope(
                ("aws.scheduler", "Scheduled Event"),
                place,
                due,
                std::slice::from_ref(&self.arn),
                &json!("{}"),
            )
            .to_string(),
        };
        Delivery {
            destination: self.settings.destination.clone(),
            payload,
            retry: self.settings.retry,
            source: self.arn.clone(),
        }
    }
}

fn no_schedule(name: &str) -> AwsError {
    AwsError::new(404, "ResourceNotFoundException", format!("Schedule {name} does not exist."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: (&str, &str) = ("us-east-1", "1");

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn settings(expression: &str) -> Settings {
        Settings {
            expression: (expression.to_owned(), Expression::parse(expression).unwrap()),
            start: None,
            end: None,
            description: None,
            is_enabled: true,
            target: json!({}),
            flexible_window: json!({"Mode": "OFF"}),
            destination: Destination::Function("f".to_owned()),
            input: None,
            retry: RetryPolicy::default(),
            is_deleted_afterwards: false,
        }
    }

    fn with(settings: Settings, now: &str) -> Schedules {
        let mut schedules = Schedules::default();
        schedules.create("s", "arn:s".to_owned(), settings, at(now)).unwrap();
        schedules
    }

    #[test]
    fn once_fires_once_and_goes_if_it_is_to_go() {
        let once = Settings { is_deleted_afterwards: true, ..settings("at(2026-11-23T10:00:00)") };
        let mut schedules = with(once, "2026-11-23T09:00:00Z");
        assert!(schedules.fire(at("2026-11-23T09:59:59Z"), PLACE).is_empty());
        let fired = schedules.fire(at("2026-11-23T10:00:03Z"), PLACE);
        let generation = fired[0].over.unwrap();
        assert_eq!(schedules.next(), None);
        assert!(schedules.fire(at("2026-11-23T10:00:04Z"), PLACE).is_empty());
        // Changed before the delivery ended: it stays.
        schedules.update("s", settings("at(2026-11-23T11:00:00)"), at("2026-11-23T10:00:04Z")).unwrap();
        schedules.remove("s", generation);
        assert!(schedules.get("s").is_ok());
        let payload: Json = serde_json::from_str(&fired[0].delivery.payload).unwrap();
        assert_eq!((&payload["source"], &payload["detail"]), (&json!("aws.scheduler"), &json!("{}")));
        assert_eq!(payload["time"], "2026-11-23T10:00:00Z");
    }

    #[test]
    fn a_rate_begins_at_once_or_at_its_start_and_ends_at_its_end() {
        let schedules = with(settings("rate(5 minutes)"), "2026-11-23T10:00:00Z");
        assert_eq!(schedules.next(), Some(at("2026-11-23T10:00:00Z")));
        let bounded = Settings {
            start: Some(at("2026-11-23T12:00:00Z")),
            end: Some(at("2026-11-23T12:07:00Z")),
            ..settings("rate(5 minutes)")
        };
        let mut schedules = with(bounded, "2026-11-23T10:00:00Z");
        let mut seen = Vec::new();
        while let Some(next) = schedules.next() {
            seen.push(next.to_string());
            assert_eq!(schedules.fire(next, PLACE).len(), 1);
        }
        assert_eq!(seen, ["2026-11-23T12:00:00Z", "2026-11-23T12:05:00Z"]);
    }

    #[test]
    fn what_is_past_or_disabled_does_not_fire() {
        let past = with(settings("at(2026-11-23T10:00:00)"), "2026-11-23T10:00:01Z");
        assert_eq!(past.next(), None);
        let off = Settings { is_enabled: false, ..settings("rate(1 minute)") };
        assert_eq!(with(off, "2026-11-23T10:00:00Z").next(), None);
    }

    #[test]
    fn names_are_given_once_and_inputs_are_filled_in() {
        let text = r#"{"of":"<aws.scheduler.schedule-arn>","at":"<aws.scheduler.scheduled-time>"}"#;
        let given = Settings { input: Some(text.to_owned()), ..settings("rate(1 minute)") };
        let mut schedules = with(given, "2026-11-23T10:00:00Z");
        let again =
            schedules.create("s", "arn".to_owned(), settings("rate(1 minute)"), Timestamp::UNIX_EPOCH);
        assert_eq!(again.unwrap_err().code, "ConflictException");
        let fired = schedules.fire(at("2026-11-23T10:00:00Z"), PLACE);
        assert_eq!(fired[0].delivery.payload, r#"{"of":"arn:s","at":"2026-11-23T10:00:00Z"}"#);
        schedules.delete("s").unwrap();
        assert_eq!(schedules.delete("s").unwrap_err().code, "ResourceNotFoundException");
    }
}
