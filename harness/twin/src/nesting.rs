//! How deep values and texts nest. What nests without bound is read, compared and dropped by functions that call
//! themselves, and ends the process when the stack does: whoever takes such input from outside asks here first.

use serde_json::Value;

/// Objects and arrays in each other; 0 for a scalar. Stops at `max`, which is then the answer.
pub(crate) fn depth(value: &Value, max: usize) -> usize {
    let mut deepest = 0;
    let mut open = vec![(value, 1)];
    while let Some((value, depth)) = open.pop() {
        let is_branch = value.is_object() || value.is_array();
        if is_branch {
            deepest = deepest.max(depth);
        }
        if deepest >= max {
            return max;
        }
        match value {
            Value::Object(map) => open.extend(map.values().map(|inner| (inner, depth + 1))),
            Value::Array(list) => open.extend(list.iter().map(|inner| (inner, depth + 1))),
            _ => {}
        }
    }
    deepest
}

/// Round and square brackets in each other, in a text with quoted parts (`'` or `"`, `\` escapes). Closing ones that
/// were not opened do not count.
pub(crate) fn brackets(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(_), '\\') => {
                characters.next();
            }
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (None, ')' | ']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_as_deep_as_its_deepest_part() {
        for (value, expected) in [
            (json!(1), 0),
            (json!({}), 1),
            (json!([1, [2], {"a": [[]]}]), 4),
            (json!({"a": {"b": 1}, "c": 2}), 2),
        ] {
            assert_eq!(depth(&value, 9), expected, "{value}");
        }
        assert_eq!(depth(&json!([[[[]]]]), 2), 2);
    }

    #[test]
    fn brackets_count_where_they_are_no_text() {
        for (text, expected) in
            [("", 0), ("$.a[0][1]", 1), ("$[?(@.a)]", 2), (r#"$['[[\'[[']["[["]"#, 1), (")](", 1), ("((", 2)]
        {
            assert_eq!(brackets(text), expected, "{text}");
        }
    }
}
