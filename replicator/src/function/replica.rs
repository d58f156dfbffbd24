//! What the functions of the secondary have in common.

use super::{Error, region, variable};
use crate::aws::{Aws, Clients, Settings};
use crate::batch::DEVICES_AT_ONCE_MAX;
use crate::crowd::Crowd;
use crate::mode::Mode;
use crate::policy::Policies;

/// What a function that applies events has at hand.
pub(super) struct Replica {
    pub(super) aws: Aws,
    pub(super) policies: Policies,
    pub(super) crowd: Crowd,
    pub(super) mode: Mode,
}

impl Replica {
    /// As the environment says.
    pub(super) async fn from_environment() -> Result<Self, Error> {
        let secondary_region = region("SECONDARY_REGION")?;
        let settings = Settings {
            account: account(&secondary_region).await?,
            primary_region: variable("PRIMARY_REGION")?,
            secondary_region,
            state_table: variable("STATE_TABLE")?,
            error_table: variable("ERROR_TABLE")?,
        };
        Ok(Self {
            aws: Box::pin(Aws::connect(settings)).await,
            policies: Policies::default(),
            crowd: Crowd::new(DEVICES_AT_ONCE_MAX),
            mode: mode()?,
        })
    }
}

/// The account, which costs a call unless the environment says it.
pub(super) async fn account(region: &str) -> Result<String, Error> {
    match variable("ACCOUNT_ID") {
        Ok(account) => Ok(account),
        Err(_) => Ok(Box::pin(async { Clients::in_region(region).await.account().await }).await?),
    }
}

/// The mode; complete unless the environment says otherwise.
pub(super) fn mode() -> Result<Mode, Error> {
    Ok(variable("MODE").map_or(Ok(Mode::Complete), |name| name.parse())?)
}
