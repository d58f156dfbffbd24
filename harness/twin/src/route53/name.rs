//! Domain names as Route 53 keeps them: lower case, with the trailing dot, and sorted by their reversed labels.

/// Longest label (RFC 1035, 2.3.4).
const LABEL_BYTES_MAX: usize = 63;
/// Longest name, dots included.
const NAME_BYTES_MAX: usize = 255;

/// Lower case and with the trailing dot.
pub(crate) fn absolute(name: &str) -> String {
    let mut name = name.trim().to_ascii_lowercase();
    if !name.ends_with('.') {
        name.push('.');
    }
    name
}

/// The order that Route 53 lists names in: `www.example.com.` sorts as `com.example.www.`. Names below another have
/// its key as their prefix.
pub(crate) fn sort_key(absolute: &str) -> String {
    let mut key = String::with_capacity(absolute.len());
    for label in absolute.trim_end_matches('.').rsplit('.') {
        key.push_str(label);
        key.push('.');
    }
    key
}

/// Whether `absolute` is the zone's own name or below it.
pub(crate) fn is_within(absolute: &str, zone: &str) -> bool {
    absolute.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Why an absolute name is not one that a zone can hold; wildcards and escapes are not modelled.
pub(crate) fn fault(absolute: &str) -> Option<&'static str> {
    if absolute.len() > NAME_BYTES_MAX {
        return Some("DomainNameTooLong (Domain name is too long)");
    }
    for label in absolute.trim_end_matches('.').split('.') {
        if label.is_empty() {
            return Some("DomainLabelEmpty (Domain label is empty)");
        }
        if label.len() > LABEL_BYTES_MAX {
            return Some("DomainLabelTooLong (Domain label is too long)");
        }
        if !label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return Some("UnsupportedCharacter (Value contains unsupported characters)");
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_their_reversed_labels() {
        assert_eq!(sort_key("www.example.com."), "com.example.www.");
        assert!(sort_key("www-2.example.com.") < sort_key("www.example.com."), "'-' sorts before '.'");
        assert!(sort_key("a.www.example.com.").starts_with(&sort_key("www.example.com.")));
    }

    #[test]
    fn a_zone_holds_its_own_name_and_those_below_it_only() {
        assert!(is_within("example.com.", "example.com."));
        assert!(is_within("a.b.example.com.", "example.com."));
        assert!(!is_within("notexample.com.", "example.com."));
        assert!(!is_within("com.", "example.com."));
    }

    #[test]
    fn odd_names_are_refused() {
        assert_eq!(fault("iot_1.example-2.com."), None);
        assert!(fault("*.example.com.").is_some());
        assert!(fault("a..com.").is_some());
        assert!(fault(&format!("{}.com.", "a".repeat(64))).is_some());
        assert!(fault(&"a.".repeat(128)).is_some());
    }
}
