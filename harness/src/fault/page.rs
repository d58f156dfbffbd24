//! The catalogue as a page and as data, made from the table.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{CATALOGUE, Parameter, parameter::Without};

/// What stands before the table of faults.
const HEAD: &str = "\
# Faults

What `break` can break. Made from the catalogue by `gameday faults --markdown`; a test holds it to that.

```toml
[[step]]
break = { faults = [\"primary-health-check\", { fault = \"certificate-inactive\", share = \"20%\" }], until = \"failed-over\" }
```

- A fault by its name alone has the defaults below. `share` is `\"20%\"` or `0.2`.
- Its cure is in the undo journal before anything changes, as complete data: `heal`, the end of a run whatever ends it, and
  another process that has the journal and nothing else cure alike.
- A fault that is not seen to act within `at_most` of its break makes the verdict Unknown.
- For each fault the report says whether, and when, the health check noticed, and the debt when it was cured: writes that the
  primary had acknowledged and the secondary did not have, how old the oldest was, and how long they took afterwards.
- Faults marked *twin, AWS* are calls of AWS's own API. The others AWS has no call for.
- A fleet that stays (`fleet.pool`) is broken only by a scenario with `may_touch = [\"fleet\"]`.
";

/// The page.
pub fn markdown() -> String {
    let mut page = String::from(HEAD);
    for entry in CATALOGUE {
        let _ = write!(page, "\n## {}\n\n{}: {}\n\n", entry.name, capitalised(entry.label), entry.what);
        let _ = writeln!(page, "| | |\n|---|---|\n| On | {} |", entry.targets.words());
        let _ = writeln!(page, "| Touches | {} |", entry.touches.words());
        for parameter in entry.parameters {
            let _ = writeln!(page, "| {} |", row(parameter));
        }
        let _ = writeln!(page, "| Acts when | {} |\n| Cured when | {} |", entry.proof, entry.cure_proof);
    }
    page
}

fn row(parameter: &Parameter) -> String {
    let without = match parameter.without {
        Without::Is(text) => format!("`{text}`"),
        Without::All(words) => words.to_owned(),
    };
    format!("`{}` | {}: {}; else {without}", parameter.name, parameter.what, parameter.takes.words())
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The same as data.
pub fn json() -> Value {
    let faults = CATALOGUE.iter().map(|entry| {
        json!({
            "name": entry.name, "label": entry.label, "kind": entry.colour, "colour": entry.colour.css(),
            "targets": entry.targets, "touches": entry.touches, "what": entry.what, "parameters": entry.parameters,
            "proof": entry.proof, "cure_proof": entry.cure_proof,
        })
    });
    faults.collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_is_current() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/FAULTS.md")).unwrap();
        assert!(page == super::markdown(), "write it anew: gameday faults --markdown > harness/FAULTS.md");
    }
}
