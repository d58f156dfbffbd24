//! Bodies of the Route 53 API: XML in one namespace, which stands on the root element and nowhere else.

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use crate::{call::Reply, error::AwsError};

const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";
const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// Reads a request. Members that are not modelled are refused by name, so that none is ignored in silence.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, AwsError> {
    let text = std::str::from_utf8(body).map_err(|e| malformed(&e.to_string()))?;
    let bare = text.replacen(&format!(" xmlns=\"{NAMESPACE}\""), "", 1).replacen(
        &format!(" xmlns='{NAMESPACE}'"),
        "",
        1,
    );
    quick_xml::de::from_str(&bare).map_err(|e| malformed(&e.to_string()))
}

fn malformed(why: &str) -> AwsError {
    AwsError::new(400, "InvalidInput", format!("Invalid XML ; {why}"))
}

/// A reply whose root element is `root`.
pub(crate) fn reply<T: Serialize>(status: u16, root: &str, body: &T) -> Result<Reply, AwsError> {
    write(root, body)
        .map(|text| Reply::xml(status, text))
        .map_err(|e| AwsError::new(500, "InternalFailure", format!("{root} could not be written: {e}")))
}

pub(crate) fn write<T: Serialize>(root: &str, body: &T) -> Result<String, quick_xml::SeError> {
    let text = quick_xml::se::to_string_with_root(root, body)?;
    let named = text.replacen(&format!("<{root}"), &format!("<{root} xmlns=\"{NAMESPACE}\""), 1);
    Ok(format!("{DECLARATION}{named}"))
}

/// As Route 53 writes times: ISO 8601 with milliseconds.
pub(crate) fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "PascalCase", deny_unknown_fields)]
    struct Thing {
        name: String,
    }

    #[test]
    fn the_namespace_stands_on_the_root_both_ways() {
        let thing = Thing { name: "a<b & \"c\"".to_owned() };
        let text = write("Thing", &thing).unwrap();
        assert!(
            text.contains("<Thing xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Name>"),
            "{text}"
        );
        assert_eq!(read::<Thing>(text.as_bytes()).unwrap(), thing);
    }

    #[test]
    fn members_that_are_not_modelled_are_refused_by_name() {
        let refused = read::<Thing>(b"<Thing><Name>a</Name><Weight>1</Weight></Thing>").unwrap_err();
        assert_eq!(refused.code, "InvalidInput");
        assert!(refused.message.contains("Weight"), "{refused}");
        assert_eq!(read::<Thing>(b"not xml").unwrap_err().code, "InvalidInput");
    }

    #[test]
    fn times_have_milliseconds() {
        assert_eq!(time(Timestamp::UNIX_EPOCH), "1970-01-01T00:00:00.000Z");
    }
}
