//! A `CronJob` with its scenario and its account.

use serde_json::json;

use super::{Draft, Order};

const TEMPLATE: &str = include_str!("../../data/schedule/kubernetes.yaml");

pub(super) fn drafts(order: &Order) -> Result<Vec<Draft>, String> {
    let out = match (order.bucket(), order.folder()) {
        (Some(_), _) => "/work/runs",
        (None, Some(_)) => "/runs",
        (None, None) => {
            return Err("where do run folders go? Give --results s3://BUCKET/PREFIX, or the name of a \
                        PersistentVolumeClaim that is to be made, as --results gameday-runs"
                .to_owned());
        }
    };
    let file = format!("gameday-{}.cronjob.yaml", order.name);
    let mut arguments = vec!["run".to_owned(), format!("/scenario/{}.toml", order.name)];
    arguments.extend(order.arguments(out));
    let policy = order.policy();
    let account = policy.as_ref().map_or_else(String::new, |policy| {
        format!(
            "  # A role that has {} is its, for example:\n  #   annotations:\n  #     eks.amazonaws.com/role-arn: \
             arn:aws:iam::123456789012:role/gameday\n",
            policy.name
        )
    });
    let claim = order.folder().map(|folder| claim(&folder.to_string_lossy())).transpose()?;
    let mount = "                - name: runs\n                  mountPath: /runs\n";
    let volume = claim.as_ref().map(|(name, _)| {
        format!("            - name: runs\n              persistentVolumeClaim:\n                claimName: {name}\n")
    });
    let text = order.filled(
        TEMPLATE,
        &[
            ("FILE", &file),
            ("EXPRESSION", &order.every.cron()),
            ("ARGUMENTS", &json!(arguments).to_string()),
            ("SCENARIO", &order.indented(4)),
            ("ACCOUNT", &account),
            ("SECRETS", &order.secret().map(|variable| secret(order, variable)).unwrap_or_default()),
            ("CLAIM", claim.as_ref().map_or("", |(_, text)| text)),
            ("MOUNT", if claim.is_some() { mount } else { "" }),
            ("VOLUME\n", &volume.unwrap_or_default()),
        ],
    );
    Ok([Some(Draft { name: file, text }), policy].into_iter().flatten().collect())
}

fn secret(order: &Order, variable: &str) -> String {
    format!(
        "              env:\n                - name: {variable}\n                  valueFrom:\n                    secretKeyRef:\n\
         \x20                     name: gameday-{}\n                      key: {variable}\n",
        order.name
    )
}

/// The name of a claim, and the claim.
fn claim(name: &str) -> Result<(String, String), String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 63 || !name.chars().all(is_name) || name.starts_with('-') {
        return Err(format!(
            "--results {name}: in Kubernetes it is s3://BUCKET/PREFIX, or the name of a PersistentVolumeClaim: small letters, digits \
             and '-'"
        ));
    }
    let text = format!(
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: {name}\n  labels:\n    \
         app.kubernetes.io/name: gameday\nspec:\n  accessModes: [ReadWriteOnce]\n  resources:\n    requests:\n      storage: 10Gi\n---\n"
    );
    Ok((name.to_owned(), text))
}
