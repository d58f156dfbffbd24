//! Is this a request of Route 53? From a function URL (payload 2.0) or from API Gateway.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use serde_json::Value;

/// How the path of the health check ends; before it may stand a stage.
const PATH: &str = "/r53/health-check";

/// The query parameter that carries the secret.
const PARAMETER: &str = "hashme";

/// Whether the path is right and the secret is known. The secret is compared in constant time.
pub(super) fn is_allowed(request: &Value, secret: &str) -> bool {
    let path = request["rawPath"].as_str().or_else(|| request["path"].as_str()).unwrap_or_default();
    let given = given(request).unwrap_or_default();
    let known = verify_slices_are_equal(given.as_bytes(), secret.as_bytes()).is_ok();
    known && path.ends_with(PATH)
}

fn given(request: &Value) -> Option<&str> {
    let parsed = request["queryStringParameters"][PARAMETER].as_str();
    // The secret is made of letters and digits, so there is nothing to decode.
    parsed.or_else(|| {
        let raw = request["rawQueryString"].as_str()?;
        raw.split('&').find_map(|pair| pair.strip_prefix(PARAMETER)?.strip_prefix('='))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_kinds_of_request_are_understood() {
        let url = json!({"rawPath": "/r53/health-check", "rawQueryString": "a=b&hashme=secret"});
        let gateway = json!({"path": "/v1/r53/health-check", "queryStringParameters": {"hashme": "secret"}});
        assert!(is_allowed(&url, "secret"));
        assert!(is_allowed(&gateway, "secret"));
    }

    #[test]
    fn d41_a_wrong_path_or_secret_is_refused() {
        for request in [
            json!({"rawPath": "/r53/health-chec", "rawQueryString": "hashme=secret"}),
            json!({"rawPath": "/r53/health-check", "rawQueryString": "hashme=secre"}),
            json!({"path": "/r53/health-check", "queryStringParameters": null}),
            json!({}),
        ] {
            assert!(!is_allowed(&request, "secret"), "{request}");
        }
    }
}
