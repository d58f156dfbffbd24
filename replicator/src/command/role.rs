//! `replicator role`.

use clap::Args;

use super::{Common, Error, answer, needed, said};
use crate::look::Names;
use crate::permissions::task::{self, Tables};

/// Of the tables that are named.
#[derive(Debug, Args)]
pub(super) struct Role {
    /// The event table [env: `DYNAMODB_GLOBAL_TABLE`]
    #[arg(long)]
    events_table: Option<String>,
    /// The table of documents, if it is another one [env: `DOCUMENTS_TABLE`]
    #[arg(long)]
    documents_table: Option<String>,
    /// The state table of the secondary [env: `STATE_TABLE`]
    #[arg(long)]
    state_table: Option<String>,
    /// The error table of the secondary [env: `ERROR_TABLE`]
    #[arg(long)]
    error_table: Option<String>,
}

impl Role {
    pub(super) fn run(&self, common: &Common) -> Result<bool, Error> {
        let names = Names {
            primary: needed(common.primary_region.as_ref(), "PRIMARY_REGION", "--primary-region")?,
            secondary: needed(common.secondary_region.as_ref(), "SECONDARY_REGION", "--secondary-region")?,
            account: needed(common.account.as_ref(), "ACCOUNT_ID", "--account")?,
        };
        let tables = Tables {
            events: said(self.events_table.as_ref(), "DYNAMODB_GLOBAL_TABLE"),
            documents: said(self.documents_table.as_ref(), "DOCUMENTS_TABLE"),
            state: said(self.state_table.as_ref(), "STATE_TABLE"),
            errors: said(self.error_table.as_ref(), "ERROR_TABLE"),
        };
        answer(true, &task::policy(&names, &tables))?;
        Ok(true)
    }
}
