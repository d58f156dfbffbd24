//! What the TOML parser's errors do not say: what was probably meant, and what a step is.

use serde::Deserialize;

use super::Step;

/// The message, with what helps.
pub(super) fn helped(message: &str) -> String {
    if message.starts_with("wanted exactly 1 element, found 0") {
        return format!("a step needs one of {}", steps().join(", "));
    }
    if message.starts_with("wanted exactly 1 element") {
        return "a step does one thing: what follows is a [[step]] of its own".to_owned();
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = message.starts_with("unknown ").then(|| quoted.next()).flatten();
    let meant = unknown.and_then(|name| gameday_report::nearest(name, quoted.map(str::to_owned)));
    match (meant, message.split_once(", expected")) {
        (Some(meant), Some((before, rest))) => {
            format!("{before}, did you mean `{meant}`? Expected{rest}")
        }
        _ => message.to_owned(),
    }
}

/// A key path with the number that the run gives to its step.
pub(super) fn counted(path: &str) -> String {
    let step = path.strip_prefix("step.").and_then(|rest| rest.split('.').next()?.parse::<usize>().ok());
    step.map_or_else(|| path.to_owned(), |at| format!("{path} (step {})", at + 1))
}

/// What a step can be, as its type knows it.
fn steps() -> Vec<String> {
    #[derive(Debug, Deserialize)]
    struct One {
        #[serde(rename = "step")]
        _step: Step,
    }
    let none = toml::from_str::<One>("step = { none = 1 }");
    let said = none.err().map(|error| error.message().to_owned()).unwrap_or_default();
    said.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_probably_meant_is_said() {
        assert_eq!(
            helped("unknown field `devcies`, expected one of `devices`, `strategy`"),
            "unknown field `devcies`, did you mean `devices`? Expected one of `devices`, `strategy`"
        );
        for far in ["unknown field `x`, expected one of `devices`, `strategy`", "invalid type: string"] {
            assert_eq!(helped(far), far);
        }
    }

    #[test]
    fn a_step_without_an_action_is_told_which_there_are() {
        let said = helped("wanted exactly 1 element, found 0 elements");
        assert!(said.starts_with("a step needs one of provision, connect, hold"), "{said}");
        assert!(said.contains("break") && said.contains("heal"), "{said}");
    }

    #[test]
    fn steps_are_counted_as_the_run_counts_them() {
        assert_eq!(counted("step.2.hold.for"), "step.2.hold.for (step 3)");
        assert_eq!(counted("fleet.devices"), "fleet.devices");
    }
}
