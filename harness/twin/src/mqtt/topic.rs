//! Topics and topic filters: matching, and AWS's limits of both.

/// AWS's limit of a topic, in bytes of UTF-8.
const TOPIC_BYTES_MAX: usize = 256;
/// Slashes in a topic.
const SLASHES_MAX: usize = 7;

/// A rule's name.
const RULE_NAME_BYTES_MAX: usize = 128;

/// What comes before a shared subscription's group.
const SHARED: &str = "$share/";
/// The reserved topics that may be subscribed to; a filter for any other topic that begins with `$` is refused.
const RESERVED: [&str; 5] = [
    "$aws/events/",
    "$aws/things/",
    "$aws/certificates/",
    "$aws/provisioning-templates/",
    "$aws/device_location/",
];

/// A filter as subscribed, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Filter<'a> {
    /// Of a shared subscription.
    pub(super) group: Option<&'a str>,
    pub(super) filter: &'a str,
}

impl<'a> Filter<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        match text.strip_prefix(SHARED).and_then(|rest| rest.split_once('/')) {
            Some((group, filter)) => Self { group: Some(group), filter },
            None => Self { group: None, filter: text },
        }
    }

    /// Whether it may be subscribed to at all.
    pub(super) fn is_valid(self) -> bool {
        let group_fits = self.group.is_none_or(|group| !group.is_empty() && !has_wildcard(group));
        let known = !self.filter.starts_with('$') || RESERVED.iter().any(|r| self.filter.starts_with(r));
        group_fits && known && is_filter(self.filter)
    }
}

/// A topic of basic ingest, taken apart: `$aws/rules/<rule>/<topic>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ingest<'a> {
    pub(super) rule: &'a str,
    /// What rules see; may be empty.
    pub(super) topic: &'a str,
}

impl<'a> Ingest<'a> {
    pub(super) fn parse(topic: &'a str) -> Option<Self> {
        let rest = topic.strip_prefix("$aws/rules/")?;
        let (rule, topic) = rest.split_once('/').unwrap_or((rest, ""));
        Some(Self { rule, topic })
    }
}

/// Whether a topic fits AWS's limits and has no wildcard. The prefix of basic ingest does not count.
pub(super) fn is_topic(topic: &str) -> bool {
    let within = match Ingest::parse(topic) {
        Some(Ingest { rule, topic }) => {
            let named = !rule.is_empty() && rule.len() <= RULE_NAME_BYTES_MAX && !rule.contains('\0');
            named && (topic.is_empty() || fits(topic))
        }
        None => fits(topic),
    };
    within && !has_wildcard(topic)
}

/// Whether a filter fits AWS's limits and has its wildcards where MQTT allows them.
pub(crate) fn is_filter(filter: &str) -> bool {
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
    fn shared_filters_and_reserved_topics() {
        let shared = Filter::parse("$share/g/a/+");
        assert_eq!((shared.group, shared.filter), (Some("g"), "a/+"));
        for (filter, valid) in [
            ("a/+", true),
            ("$share/g/a", true),
            ("$share//a", false),
            ("$share/g+/a", false),
            ("$share/g", false),
            ("$aws/things/+/shadow/#", true),
            ("$aws/rules/x/a", false),
            ("$SYS/#", false),
        ] {
            assert_eq!(Filter::parse(filter).is_valid(), valid, "{filter}");
        }
    }

    #[test]
    fn limits_and_shapes() {
        assert!(is_topic("$aws/things/x/shadow/name/n/update"));
        assert!(is_topic("$aws/rules/r/a/b/c/d/e/f/g/h"));
        assert!(is_topic("$aws/rules/r"));
        assert!(is_topic(&format!("$aws/rules/r/{}", "x".repeat(256))));
        assert!(!is_topic(&format!("$aws/rules/r/{}", "x".repeat(257))));
        assert!(!is_topic("$aws/rules/r/a/b/c/d/e/f/g/h/i"));
        assert!(!is_topic("$aws/rules/"));
        assert!(!is_topic("$aws/rules/r/+"));
        assert!(!is_topic("a/+"));
        assert!(!is_topic("a/b/c/d/e/f/g/h/i"));
        assert!(!is_topic(&"x".repeat(257)));
        assert!(is_filter("a/+/#"));
        assert!(!is_filter("a/#/b"));
        assert!(!is_filter("a/b+"));
    }
}
