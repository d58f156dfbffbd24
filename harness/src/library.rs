//! The scenarios that gameday brings with it, and the one that `gameday init` writes: in the executable, so that they are there
//! where nothing but the executable is.

/// A commented scenario with every table and key.
pub(crate) const COMMENTED: &str = include_str!("../data/scenario.toml");

/// What the schema is called that a commented scenario names in its first line.
pub(crate) const SCHEMA_FILE: &str = "gameday.schema.json";

macro_rules! library {
    ($($name:literal),* $(,)?) => {
        &[$(Play { name: $name, text: include_str!(concat!("../../scenarios/", $name, ".toml")) }),*]
    };
}

/// Every scenario of the library, the shortest first.
pub(crate) const LIBRARY: &[Play] = library![
    "smoke",
    "identities",
    "region-failover",
    "replication-debt",
    "predicted",
    "reconnect-storm",
    "stale-dns",
    "strategies",
    "grey-failure",
    "full-rehearsal",
    "large-fleet",
    "held",
    "soak",
];

/// A scenario of the library.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Play {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

impl Play {
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        LIBRARY.iter().find(|play| play.name == name)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use serde_json::Value;

    use super::*;
    use crate::scenario::{Scenario, schema};

    #[test]
    fn every_file_of_the_library_is_in_it_and_says_what_it_is_for() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let files: BTreeSet<String> =
            files.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
        assert_eq!(LIBRARY.iter().map(|play| play.name.to_owned()).collect::<BTreeSet<_>>(), files);
        for play in LIBRARY {
            Scenario::parse(play.text, play.name, &[]).unwrap();
            let header: Vec<&str> = play.text.lines().take_while(|line| line.starts_with('#')).collect();
            let header = header.join(" ");
            for part in ["# Proves: ", "Would catch in the archived solution: "] {
                assert!(header.contains(part), "{}: {part}", play.name);
            }
            let defect =
                header.split("(D").skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
            assert!(defect, "{}: names no defect or part of the archived solution", play.name);
        }
    }

    #[test]
    fn what_init_writes_is_valid_with_and_without_what_is_commented_out() {
        let plain = Scenario::parse(COMMENTED, "init", &[]).unwrap();
        let switched_on: Vec<String> = COMMENTED
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if rest.starts_with(|c: char| c.is_alphabetic() || c == '[') => rest.to_owned(),
                _ => line.to_owned(),
            })
            .collect();
        let all = Scenario::parse(&switched_on.join("\n"), "init", &[]).unwrap();
        assert_eq!(all.fleet.backoff, plain.fleet.backoff, "what is commented out is what holds without it");
        assert_eq!(
            (all.fleet.keep_alive, all.dns, all.converge_at_most),
            (plain.fleet.keep_alive, plain.dns, plain.converge_at_most)
        );
        assert!(COMMENTED.starts_with(&format!("#:schema ./{SCHEMA_FILE}\n")));
    }

    #[test]
    fn what_init_writes_shows_every_key() {
        let mut keys = BTreeSet::new();
        let mut schema = schema();
        // Their keys are those of tables of their own, which they name.
        schema["$defs"]["Fault"] = Value::Null;
        schema["properties"]["objectives"] = Value::Null;
        schema["$defs"]["Stop"]["properties"]["when"] = Value::Null;
        schema["$defs"]["Steady"]["properties"]["when"] = Value::Null;
        collect(&schema, &mut keys);
        assert!(keys.len() > 40, "{keys:?}");
        let words: BTreeSet<&str> =
            COMMENTED.split(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c))).collect();
        let absent: Vec<_> = keys.iter().filter(|key| !words.contains(key.as_str())).collect();
        assert!(absent.is_empty(), "data/scenario.toml does not show {absent:?}");
    }

    fn collect(schema: &Value, keys: &mut BTreeSet<String>) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            keys.extend(properties.keys().cloned());
        }
        match schema {
            Value::Array(list) => list.iter().for_each(|each| collect(each, keys)),
            Value::Object(map) => map.values().for_each(|each| collect(each, keys)),
            _ => {}
        }
    }
}
