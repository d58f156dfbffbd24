//! A task of ECS on Fargate that EventBridge Scheduler starts, as a CloudFormation template with everything that it needs.

use std::fmt::Write as _;

use super::{Draft, Order};

const TEMPLATE: &str = include_str!("../../data/schedule/eventbridge.yaml");

pub(super) fn drafts(order: &Order) -> Result<Vec<Draft>, String> {
    if order.bucket().is_none() {
        return Err("a task of Fargate keeps no folder: give --results s3://BUCKET/PREFIX".to_owned());
    }
    let name = format!("gameday-{}.eventbridge.yaml", order.name);
    let (parameters, secrets) = order.secret().map(secret).unwrap_or_default();
    let text = order.filled(
        TEMPLATE,
        &[
            ("FILE", &name),
            ("EXPRESSION", &order.every.eventbridge()),
            ("ARGUMENTS", &order.arguments("/work/runs").join(" ")),
            ("SCENARIO", &order.indented(16)),
            ("PARAMETERS\n", &parameters),
            ("SECRETS", &secrets),
            ("EXECUTION\n", &execution(order)),
            ("GRANTS\n", &grants(order)),
        ],
    );
    Ok(vec![Draft { name, text }])
}

/// A parameter with the secret's ARN, and the secret in the container's environment.
fn secret(variable: &str) -> (String, String) {
    let parameters = "  Webhook:\n    Type: String\n    AllowedPattern: arn:[a-z-]+:secretsmanager:.+\n    \
         Description: The ARN of the secret that has the address of the webhook\n"
        .to_owned();
    let secrets = format!(
        "          Secrets:\n            - Name: {variable}\n              ValueFrom: !Ref Webhook\n"
    );
    (parameters, secrets)
}

/// What ECS has to read: the image, where it is in a private registry of the account, and the secret.
fn execution(order: &Order) -> String {
    let mut text = String::new();
    if let Some((region, account, repository)) = private_repository(&order.image) {
        let _ = write!(
            text,
            "              - Effect: Allow\n                Action: ecr:GetAuthorizationToken\n                Resource: \"*\"\n\
             \x20             - Effect: Allow\n                Action: [ecr:BatchGetImage, ecr:GetDownloadUrlForLayer]\n\
             \x20               Resource: arn:aws:ecr:{region}:{account}:repository/{repository}\n"
        );
    }
    if order.secret().is_some() {
        text += "              - Effect: Allow\n                Action: secretsmanager:GetSecretValue\n                \
                 Resource: !Ref Webhook\n";
    }
    text
}

/// Region, account and name of `<account>.dkr.ecr.<region>.amazonaws.com/<name>:<tag>`.
fn private_repository(image: &str) -> Option<(&str, &str, &str)> {
    let (host, path) = image.split_once('/')?;
    let (account, rest) = host.split_once(".dkr.ecr.")?;
    let region = rest.strip_suffix(".amazonaws.com")?;
    Some((region, account, path.split([':', '@']).next()?))
}

fn grants(order: &Order) -> String {
    let statement = |(call, arn): (&str, String)| {
        format!(
            "              - Effect: Allow\n                Action: {call}\n                Resource: {arn}\n"
        )
    };
    let statements: String = order.grants().into_iter().map(statement).collect();
    format!(
        "      Policies:\n        - PolicyName: results\n          PolicyDocument:\n            Version: \"2012-10-17\"\n            \
         Statement:\n{statements}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_image_is_granted_by_name() {
        assert_eq!(
            private_repository("123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/gameday:1.2"),
            Some(("eu-west-1", "123456789012", "team/gameday"))
        );
        assert_eq!(private_repository("ghcr.io/team/gameday:1"), None);
    }

    #[test]
    fn a_folder_of_fargate_is_refused() {
        assert!(drafts(&super::super::tests::order(Some("/srv/runs"), "")).unwrap_err().contains("s3://"));
    }
}
