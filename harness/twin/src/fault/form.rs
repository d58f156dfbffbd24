//! How a fault is written: which fields each kind has, and what they take. Checked before it is read as a whole, so that
//! whoever wrote it is told the field and what is allowed, in words.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{ApiFailure, Cut, DnsFailure, Moment, Poison, Port, Share};

/// Characters of a wrong value that are told back.
const TOLD_CHARS_MAX: usize = 80;

/// What a field takes.
#[derive(Clone, Copy)]
struct Takes {
    /// In words and examples.
    words: &'static str,
    fits: fn(&Value) -> bool,
}

fn fits<T: DeserializeOwned>(value: &Value) -> bool {
    T::deserialize(value).is_ok()
}

const TEXT: Takes = Takes { words: "a text", fits: fits::<String> };
const MS: Takes = Takes { words: "milliseconds, a whole number", fits: fits::<u64> };
const FLAG: Takes = Takes { words: "true or false", fits: fits::<bool> };
const SHARE: Takes = Takes { words: "a number from 0 to 1", fits: fits::<Share> };
const PORT: Takes = Takes { words: r#""mqtt" or "https""#, fits: fits::<Port> };
const CUT: Takes = Takes {
    words: r#""reset", "refuse", "black-hole" or {"slow": {"delay_ms": 200, "bytes_per_s": 10000}}"#,
    fits: fits::<Cut>,
};
const API_FAILURE: Takes = Takes {
    words: concat!(
        r#""throttle", "hang", "reset", {"delay-ms": 500} or "#,
        r#"{"error": {"status": 500, "code": "InternalServerError", "message": "why"}}"#
    ),
    fits: fits::<ApiFailure>,
};
const MOMENT: Takes = Takes { words: r#""before" or "after""#, fits: fits::<Moment> };
const POISON: Takes = Takes { words: r#""keys-only" or "null""#, fits: fits::<Poison> };
const DNS_FAILURE: Takes =
    Takes { words: r#""stale", "silent", "servfail" or {"delay-ms": 500}"#, fits: fits::<DnsFailure> };

type Field = (&'static str, Takes);

/// A kind: the fields that it needs, and those that it may have.
struct Form {
    kind: &'static str,
    needs: &'static [Field],
    may_have: &'static [Field],
}

const REGION: Field = ("region", TEXT);

const FORMS: &[Form] = &[
    Form { kind: "region-dark", needs: &[REGION], may_have: &[] },
    Form { kind: "region-half-dark", needs: &[REGION], may_have: &[] },
    Form {
        kind: "connections",
        needs: &[REGION, ("port", PORT), ("how", CUT)],
        may_have: &[("share", SHARE)],
    },
    Form { kind: "connections-drop", needs: &[REGION], may_have: &[("client", TEXT), ("share", SHARE)] },
    Form {
        kind: "api",
        needs: &[("how", API_FAILURE)],
        may_have: &[REGION, ("service", TEXT), ("operation", TEXT), ("when", MOMENT), ("share", SHARE)],
    },
    Form { kind: "rules-silent", needs: &[REGION], may_have: &[("rule", TEXT), ("share", SHARE)] },
    Form { kind: "replication-paused", needs: &[REGION], may_have: &[] },
    Form { kind: "replication-slow", needs: &[REGION, ("delay_ms", MS)], may_have: &[] },
    Form {
        kind: "stream-poison",
        needs: &[REGION, ("table", TEXT)],
        may_have: &[("how", POISON), ("share", SHARE)],
    },
    Form {
        kind: "function-kill",
        needs: &[REGION, ("function", TEXT), ("after_ms", MS)],
        may_have: &[("share", SHARE)],
    },
    Form { kind: "broker-restart", needs: &[REGION, ("down_ms", MS)], may_have: &[] },
    Form {
        kind: "broker-grey",
        needs: &[REGION],
        may_have: &[("topic", TEXT), ("subscribers", FLAG), ("rules", FLAG), ("share", SHARE)],
    },
    Form { kind: "broker-mute", needs: &[REGION], may_have: &[("topic", TEXT), ("share", SHARE)] },
    Form { kind: "clients-cut-off", needs: &[REGION], may_have: &[("client", TEXT), ("share", SHARE)] },
    Form { kind: "dns", needs: &[("how", DNS_FAILURE)], may_have: &[("name", TEXT), ("share", SHARE)] },
    Form { kind: "health-checks-stuck", needs: &[], may_have: &[("check", TEXT)] },
];

impl Form {
    fn fields(&self) -> impl Iterator<Item = &'static Field> {
        self.needs.iter().chain(self.may_have)
    }
}

/// What is wrong with how a fault is written, the field first.
pub(crate) fn check(fields: &Map<String, Value>) -> Result<(), String> {
    let kinds = || FORMS.iter().map(|form| form.kind).collect::<Vec<_>>().join(", ");
    let kind = match fields.get("fault") {
        Some(Value::String(kind)) => kind,
        Some(other) => return Err(format!("fault: one of {}; not {}", kinds(), told(other))),
        None => return Err(format!("fault: is missing; one of {}", kinds())),
    };
    let form = FORMS.iter().find(|form| form.kind == kind);
    let form = form.ok_or_else(|| format!("fault: there is no {kind}; one of {}", kinds()))?;
    for (name, value) in fields.iter().filter(|(name, _)| *name != "fault") {
        let Some((_, takes)) = form.fields().find(|(known, _)| known == name) else {
            let known: Vec<&str> = form.fields().map(|(known, _)| *known).chain(["for_ms"]).collect();
            return Err(format!("{name}: {kind} has no such field; it has {}", known.join(", ")));
        };
        // What may be left out may be null as well.
        let is_left_out = value.is_null() && form.may_have.iter().any(|(optional, _)| optional == name);
        if !is_left_out && !(takes.fits)(value) {
            return Err(format!("{name}: {}", takes.refuse(value)));
        }
    }
    match form.needs.iter().find(|(name, _)| !fields.contains_key(*name)) {
        Some((name, takes)) => Err(format!("{name}: is missing; {kind} needs it: {}", takes.words)),
        None => Ok(()),
    }
}

impl Takes {
    fn refuse(&self, value: &Value) -> String {
        // A name that stands alone, where it needs more.
        if let Value::String(name) = value
            && let Some(at) = self.words.find(&format!("{{\"{name}\": "))
            && !name.is_empty()
        {
            let example = &self.words[at..];
            let example = example.split_once(" or ").map_or(example, |(first, _)| first);
            return format!("{name} needs a value, as in {example}");
        }
        format!("{}; not {}", self.words, told(value))
    }
}

fn told(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(TOLD_CHARS_MAX) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fault::Fault;

    /// Something that a field takes.
    fn example(takes: Takes) -> Value {
        let all = [
            json!("x"),
            json!(1),
            json!(true),
            json!("mqtt"),
            json!("reset"),
            json!("throttle"),
            json!("before"),
            json!("null"),
            json!("stale"),
        ];
        all.into_iter().find(|value| (takes.fits)(value)).unwrap()
    }

    fn fields(given: &Value) -> &Map<String, Value> {
        given.as_object().unwrap()
    }

    #[test]
    fn the_forms_are_those_of_the_faults() {
        for form in FORMS {
            let mut whole = json!({"fault": form.kind});
            for (name, takes) in form.needs {
                whole[name] = example(*takes);
            }
            let read = |given: &Value| serde_json::from_value::<Fault>(given.clone());
            let fault = read(&whole).unwrap();
            check(fields(&whole)).unwrap();
            for (name, takes) in form.may_have {
                let mut more = whole.clone();
                more[name] = example(*takes);
                read(&more).unwrap_or_else(|e| panic!("{more}: {e}"));
                check(fields(&more)).unwrap();
            }
            for (name, _) in form.needs {
                let mut less = whole.clone();
                less.as_object_mut().unwrap().remove(*name);
                assert!(read(&less).is_err() && check(fields(&less)).is_err(), "{less}");
            }
            // What the fault writes of itself it has a form for.
            check(fields(&serde_json::to_value(fault).unwrap())).unwrap();
        }
        let unknown = serde_json::from_value::<Fault>(json!({"fault": "x"})).unwrap_err().to_string();
        let known: Vec<&str> = unknown.split('`').skip(3).step_by(2).collect();
        assert_eq!(known, FORMS.iter().map(|form| form.kind).collect::<Vec<_>>());
    }

    #[test]
    fn examples_are_what_they_are_examples_of() {
        let slow = r#"{"slow": {"delay_ms": 200, "bytes_per_s": 10000}}"#;
        let error = r#"{"error": {"status": 500, "code": "InternalServerError", "message": "why"}}"#;
        let delay = r#"{"delay-ms": 500}"#;
        for (takes, examples) in [
            (PORT, &[r#""mqtt""#, r#""https""#][..]),
            (CUT, &[r#""reset""#, r#""refuse""#, r#""black-hole""#, slow]),
            (API_FAILURE, &[r#""throttle""#, r#""hang""#, r#""reset""#, delay, error]),
            (MOMENT, &[r#""before""#, r#""after""#]),
            (POISON, &[r#""keys-only""#, r#""null""#]),
            (DNS_FAILURE, &[r#""stale""#, r#""silent""#, r#""servfail""#, delay]),
        ] {
            for example in examples {
                assert!(takes.words.contains(example), "{example} is not told: {}", takes.words);
                assert!((takes.fits)(&serde_json::from_str(example).unwrap()), "{example}");
            }
        }
    }
}
