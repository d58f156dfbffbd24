//! A workflow of GitHub Actions: the container, the repository's scenario, and short-lived credentials where it needs any.

use super::{Draft, Order};

const TEMPLATE: &str = include_str!("../../data/schedule/github.yml");
const CREDENTIALS: &str =
    "      # A role that trusts this repository's identity and has the policy beside this file.
      - uses: aws-actions/configure-aws-credentials@v4
        with:
          role-to-assume: ${{ vars.GAMEDAY_ROLE_ARN }}
          aws-region: ${{ vars.GAMEDAY_REGION }}
";
/// What the action before has set.
const VARIABLES: [&str; 4] =
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"];

pub(super) fn drafts(order: &Order) -> Result<Vec<Draft>, String> {
    if order.folder().is_some() {
        return Err("a runner keeps no folder: leave --results out, and the record is an artifact of the workflow; or \
                    give s3://BUCKET/PREFIX"
            .to_owned());
    }
    let path = order.path.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if order.path.is_absolute() || !path.chars().all(is_plain) || path.split('/').any(|part| part == "..") {
        return Err(format!("{path}: give the scenario by its path in the repository, without blanks"));
    }
    let file = format!("gameday-{}.yml", order.name);
    let policy = order.policy();
    let mut passed: Vec<&str> = order.secret().into_iter().collect();
    if policy.is_some() {
        passed.extend(VARIABLES);
    }
    let passed: String = passed.iter().flat_map(|name| ["--env ", name, " "]).collect();
    let environment =
        order.secret().map(|name| format!("        env:\n          {name}: ${{{{ secrets.{name} }}}}\n"));
    // The folder is in the template.
    let arguments = order.arguments("/runs");
    let arguments: String = arguments.iter().skip(2).flat_map(|word| [" ", word.as_str()]).collect();
    let text = order.filled(
        TEMPLATE,
        &[
            ("FILE", &file),
            ("PATH", &path),
            ("EXPRESSION", &order.every.cron()),
            ("OIDC\n", if policy.is_some() { "  id-token: write\n" } else { "" }),
            ("CREDENTIALS", if policy.is_some() { CREDENTIALS } else { "" }),
            ("ENV", &environment.unwrap_or_default()),
            ("PASSED", &passed),
            ("ARGUMENTS", &arguments),
        ],
    );
    Ok([Some(Draft { name: file, text }), policy].into_iter().flatten().collect())
}
