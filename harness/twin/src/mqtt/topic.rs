//! Topics and topic filters: matching, and AWS's limits of both.

/// AWS's limit of a topic, in bytes of UTF-8.
const TOPIC_BYTES_MAX: usize = 256;
/// Slashes in a topic.
const SLASHES_MAX: usize = 7;

/// Whether a topic fits AWS's limits and has no wildcard.
pub(super) fn is_topic(topic: &str) -> bool {
    fits(topic) && !has_wildcard(topic)
}

/// Whether a filter fits AWS's limits and has its wildcards where MQTT allows them.
pub(super) fn is_filter(filter: &str) -> bool {
    let levels: Vec<&str> = filter.split('/').collect();
    fits(filter)
        && levels.iter().enumerate().all(|(n, level)| match *level {
            "+" => true,
            "#" => n + 1 == levels.len(),
            other => !has_wildcard(other),
        })
}

fn fits(topic: &str) -> bool {
    !topic.is_empty()
        && topic.len() <= TOPIC_BYTES_MAX
        && topic.bytes().filter(|b| *b == b'/').count() <= SLASHES_MAX
        && !topic.contains('\0')
}

pub(super) fn has_wildcard(filter: &str) -> bool {
    filter.contains(['+', '#'])
}

/// Whether `filter` matches `topic`. Two rules are AWS's own: `a/#` does not match `a`, and a filter that begins with a
/// wildcard does not match a topic that begins with `$`.
pub(crate) fn filter_matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let (mut filter, mut topic) = (filter.split('/'), topic.split('/'));
    loop {
        match (filter.next(), topic.next()) {
            (Some("#"), Some(_)) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(a), Some(b)) if a == b => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_match_as_on_aws() {
        for (filter, topic, expected) in [
            ("a/b", "a/b", true),
            ("a/+", "a/b", true),
            ("a/+", "a/b/c", false),
            ("a/#", "a/b/c", true),
            ("a/#", "a", false),
            ("#", "a/b", true),
            ("#", "$aws/things/x/shadow/update", false),
            ("+/things/#", "$aws/things/x", false),
            ("$aws/things/+/shadow/update/documents", "$aws/things/x/shadow/update/documents", true),
            ("$aws/things/+/shadow/update/documents", "$aws/things/x/shadow/name/n/update/documents", false),
            ("a/b/c", "a/b", false),
        ] {
            assert_eq!(filter_matches(filter, topic), expected, "{filter} on {topic}");
        }
    }

    #[test]
    fn limits_and_shapes() {
        assert!(is_topic("$aws/things/x/shadow/name/n/update"));
        assert!(!is_topic("a/+"));
        assert!(!is_topic("a/b/c/d/e/f/g/h/i"));
        assert!(!is_topic(&"x".repeat(257)));
        assert!(is_filter("a/+/#"));
        assert!(!is_filter("a/#/b"));
        assert!(!is_filter("a/b+"));
    }
}
