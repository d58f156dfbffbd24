//! The codec's parts.

use super::*;

#[test]
fn names_and_arns_are_checked() {
    for (name, is_good) in [
        ("a", true),
        ("a-b_c.d@e", true),
        (&"x".repeat(80), true),
        ("", false),
        ("a b", false),
        ("a:b", false),
        (&"x".repeat(81), false),
    ] {
        assert_eq!(check_name(name).is_ok(), is_good, "{name}");
    }
    let machine = "arn:aws:states:us-east-1:123456789012:stateMachine:m";
    assert!(check_arn(machine, "stateMachine").is_ok());
    assert!(check_arn("arn:aws:states:us-east-1:123456789012:execution:m:x", "execution").is_ok());
    for (arn, kind) in [
        ("m", "stateMachine"),
        (machine, "execution"),
        ("arn:aws:states:us-east-1:123456789012:execution:m", "execution"),
    ] {
        assert_eq!(check_arn(arn, kind).unwrap_err().code, "InvalidArn", "{arn}");
    }
}

#[test]
fn pages_join_to_the_whole() {
    let mut page = Page { max_results: Some(3), next_token: None };
    let mut seen = Vec::new();
    loop {
        let after: Option<u64> = page.after().unwrap();
        let (items, next) =
            page.cut((0..7_u64).filter(|n| after.is_none_or(|a| *n > a)), |n| json!(n)).unwrap();
        seen.extend(items);
        page.next_token = next;
        if page.next_token.is_none() {
            break;
        }
    }
    assert_eq!(seen, (0..7).collect::<Vec<_>>());
    let forged = Page { next_token: Some("%".to_owned()), ..Page::default() };
    assert_eq!(forged.after::<u64>().unwrap_err().code, "InvalidToken");
    assert!(Page { max_results: Some(1_001), ..Page::default() }.size().is_err());
}

#[test]
fn errors_look_as_step_functions_writes_them() {
    let reply = error_reply(&AwsError::new(400, "ExecutionDoesNotExist", "Execution Does Not Exist: 'x'"));
    let body: Json = serde_json::from_slice(&reply.body).unwrap();
    assert!(body["__type"].as_str().unwrap().ends_with("#ExecutionDoesNotExist"));
    assert_eq!(body["message"], "Execution Does Not Exist: 'x'");
}
