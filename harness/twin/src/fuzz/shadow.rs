//! Fuzz target: shadow updates, one on top of another.

use serde_json::Value;

use crate::{fuzz::fuzz, shadow::Shadows};

const SEEDS: [&str; 5] = [
    r#"{"state":{"desired":{"on":true,"color":{"r":255,"g":0}},"reported":{"on":false}},"clientToken":"t-1","version":1}"#,
    r#"{"state":{"reported":{"a":{"x":null,"y":[1,2,{"z":3}]},"b":"text"}}}"#,
    r#"{"state":{"desired":null}}"#,
    r#"{"state":{"reported":{"on":true},"desired":{"a":{"b":{"c":{"d":1}}}}}}"#,
    r#"{"state":{"desired":{"timestamp":1,"a":{"timestamp":{"timestamp":2}},"e":{}}}}"#,
];
const TOKENS: [&str; 6] =
    ["\"desired\":", "\"reported\":", "\"version\":2,", "\"timestamp\":1", "\"a\":{", "},"];
/// AWS's limit of a shadow's state.
const STATE_BYTES_MAX: usize = 8 * 1024;

#[test]
fn the_seeds_are_updates() {
    for seed in SEEDS {
        let mut shadows = Shadows::default();
        shadows.update("t", "", br#"{"state":{"reported":{"a":1}}}"#, 1).unwrap();
        shadows.update("t", "", seed.as_bytes(), 2).unwrap();
    }
}

#[test]
fn any_payload_is_an_update_or_refused() {
    fuzz!(SEEDS, TOKENS, |input: &[u8]| {
        let mut shadows = Shadows::default();
        shadows.update("t", "n", SEEDS[3].as_bytes(), 1).unwrap();
        let before = shadows.get("t", "n", b"", 2).unwrap();
        match shadows.update("t", "n", input, 3) {
            Ok(updated) => {
                let after = shadows.get("t", "n", b"", 2).unwrap();
                assert_eq!(after["version"], Value::from(2));
                assert_eq!(updated.documents["current"]["version"], after["version"]);
                let mut state = after["state"].clone();
                let delta = state.as_object_mut().and_then(|s| s.remove("delta"));
                assert_eq!(delta, updated.delta.map(|delta| delta["state"].clone()));
                assert!(state.to_string().len() <= STATE_BYTES_MAX);
                // The same again changes the version, and nothing else but times.
                if serde_json::from_slice::<Value>(input).is_ok_and(|body| body["version"].is_null()) {
                    shadows.update("t", "n", input, 4).unwrap();
                    assert_eq!(shadows.get("t", "n", b"", 2).unwrap()["state"], after["state"]);
                }
            }
            Err(refused) => {
                assert!((400..500).contains(&refused.code), "{refused:?}");
                assert_eq!(shadows.get("t", "n", b"", 2).unwrap(), before);
            }
        }
    });
}

#[test]
fn objects_without_end_are_refused() {
    let mut shadows = Shadows::default();
    for open in ["[", "{\"a\":", "{\"state\":"] {
        assert_eq!(shadows.update("t", "", open.repeat(100_000).as_bytes(), 1).unwrap_err().code, 400);
    }
}
