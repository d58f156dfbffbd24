//! Functions: the `bootstrap` that is deployed here hands over to this very executable, whose hidden subcommand runs the
//! replicator's functions.

use std::io::{Cursor, Write};

use anyhow::{Context, anyhow};
use aws_sdk_lambda::{
    primitives::Blob,
    types::{
        Environment, EventSourcePosition, FunctionCode, FunctionResponseType, FunctionUrlAuthType, Runtime,
    },
};
use replicator::tables::{ERRORS, STATE};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::Site;
use crate::{
    aws::{RegionClients, describe},
    journal::Change,
};

/// Records that the mapping hands to the function at once.
const BATCH_SIZE: i32 = 100;
const REPLICATE_TIMEOUT_S: i32 = 60;
const REPLICATE_MEMORY_MIB: i32 = 256;

impl Site<'_> {
    /// The replicator's function on the stream of the secondary's replica.
    pub(super) async fn replicator(&self, events_table: &str) -> anyhow::Result<()> {
        let secondary = &self.aws.secondary;
        let name = self.name("replicate");
        let environment = [
            ("PRIMARY_REGION", self.aws.primary.region.clone()),
            ("SECONDARY_REGION", secondary.region.clone()),
            ("STATE_TABLE", self.table_name(STATE)),
            ("ERROR_TABLE", self.table_name(ERRORS)),
        ];
        self.create_function(
            secondary,
            &name,
            replicator::function::REPLICATE,
            REPLICATE_TIMEOUT_S,
            REPLICATE_MEMORY_MIB,
            &environment,
        )
        .await?;
        let stream = self.secondary_stream(events_table).await?;
        secondary
            .lambda
            .create_event_source_mapping()
            .function_name(&name)
            .event_source_arn(stream)
            .starting_position(EventSourcePosition::TrimHorizon)
            .batch_size(BATCH_SIZE)
            .function_response_types(FunctionResponseType::ReportBatchItemFailures)
            .send()
            .await
            .map_err(|e| anyhow!(describe(&e)))
            .context("the stream could not be mapped to the function")?;
        Ok(())
    }

    pub(super) async fn create_function(
        &self,
        clients: &RegionClients,
        name: &str,
        handler: &str,
        timeout_s: i32,
        memory_mib: i32,
        environment: &[(&str, String)],
    ) -> anyhow::Result<()> {
        self.journal.intend(Change::Function { region: clients.region.clone(), name: name.to_owned() })?;
        let variables = environment
            .iter()
            .fold(Environment::builder(), |variables, (name, value)| variables.variables(*name, value));
        clients
            .lambda
            .create_function()
            .function_name(name)
            .runtime(Runtime::Providedal2023)
            .handler(handler)
            .role(format!("arn:aws:iam::{}:role/gameday-function", self.target.endpoints.account))
            .timeout(timeout_s)
            .memory_size(memory_mib)
            .environment(variables.build())
            .code(FunctionCode::builder().zip_file(Blob::new(bootstrap_zip()?)).build())
            .send()
            .await
            .map_err(|e| anyhow!(describe(&e)))
            .with_context(|| format!("function {name} could not be created in {}", clients.region))?;
        Ok(())
    }

    /// A public URL of a function: its host name.
    pub(super) async fn function_url(&self, clients: &RegionClients, name: &str) -> anyhow::Result<String> {
        clients
            .lambda
            .add_permission()
            .function_name(name)
            .statement_id("url")
            .action("lambda:InvokeFunctionUrl")
            .principal("*")
            .function_url_auth_type(FunctionUrlAuthType::None)
            .send()
            .await
            .map_err(|e| anyhow!(describe(&e)))?;
        let url = clients
            .lambda
            .create_function_url_config()
            .function_name(name)
            .auth_type(FunctionUrlAuthType::None)
            .send()
            .await
            .map_err(|e| anyhow!(describe(&e)))?;
        let url = url.function_url();
        Ok(url.trim_start_matches("https://").trim_end_matches('/').to_owned())
    }
}

/// A zip with a `bootstrap` that becomes this executable.
fn bootstrap_zip() -> anyhow::Result<Vec<u8>> {
    let executable = std::env::current_exe().context("where this executable is")?;
    let executable = executable.to_str().context("the path of this executable is not UTF-8")?;
    // In single quotes a shell takes everything as it is, but for the quote itself.
    let script = format!("#!/bin/sh\nexec '{}' function\n", executable.replace('\'', r"'\''"));
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", SimpleFileOptions::default().unix_permissions(0o755))?;
    zip.write_all(script.as_bytes())?;
    Ok(zip.finish()?.into_inner())
}
