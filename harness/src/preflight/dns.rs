//! Whether the names that devices ask for are answered.

use futures::FutureExt;

use super::{Check, Finding, Ground, Stage};

pub(super) static CHECK: Check = Check {
    name: "dns",
    label: "DNS",
    stage: Stage::Reach,
    can_be_ignored: false,
    look: |ground| look(ground).boxed_local(),
};

async fn look(ground: &Ground<'_>) -> Finding {
    for clients in [&ground.aws.primary, &ground.aws.secondary] {
        let host = ground.target.host(&clients.region);
        if let Err(error) = ground.resolver.address(host).await {
            return Finding::refused(format!(
                "{host}, the endpoint of {}, is not answered: {error:#}; look at the DNS server of this machine or twin",
                clients.region
            ));
        }
    }
    Finding::passed("the endpoints of both Regions have addresses")
}
