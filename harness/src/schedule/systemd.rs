//! A service of systemd, its timer, and the scenario that it plays.

use std::path::Path;

use super::{Draft, Order};

const SERVICE: &str = include_str!("../../data/schedule/gameday.service");
const TIMER: &str = include_str!("../../data/schedule/gameday.timer");
/// What the service may write anyway.
const STATE: &str = "/var/lib/gameday";

pub(super) fn drafts(order: &Order) -> Vec<Draft> {
    let name = &order.name;
    let runs = Path::new(STATE).join("runs");
    let out = order.folder().unwrap_or(&runs);
    let policy = order.policy();
    let mut environment = String::new();
    if policy.is_some() || order.secret().is_some() {
        environment = format!(
            "# Mode 0600: credentials for what gameday-{name}.policy.json grants, and the address of the webhook, if there are any.\n\
             EnvironmentFile=/etc/gameday/{name}.env\n"
        );
    }
    let writes =
        if out.starts_with(STATE) { String::new() } else { format!("ReadWritePaths={}\n", out.display()) };
    let arguments = order.arguments(&out.to_string_lossy());
    let arguments: String = arguments.iter().flat_map(|word| [" ", word.as_str()]).collect();
    let service = order.filled(
        SERVICE,
        &[
            ("PROGRAM", &order.program.to_string_lossy()),
            ("ARGUMENTS", &arguments),
            ("ENVIRONMENT", &environment),
            ("WRITES", &writes),
        ],
    );
    let timer = order.filled(TIMER, &[("EXPRESSION", &order.every.calendar())]);
    let mut drafts = vec![
        Draft { name: format!("gameday-{name}.service"), text: service },
        Draft { name: format!("gameday-{name}.timer"), text: timer },
        Draft { name: format!("{name}.toml"), text: order.text.clone() },
    ];
    drafts.extend(policy);
    drafts
}
