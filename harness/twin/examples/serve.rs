//! Starts a twin and holds it until Ctrl-C, for trying clients by hand. An argument is the port of the AWS API.
//! `AWS_ENDPOINT_URL=<the URL it prints> AWS_REGION=us-east-1 aws iot list-things`

use std::{
    error::Error,
    io::{Write, stdout},
};

use gameday_twin::{Twin, TwinConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let api_port = std::env::args().nth(1).map_or(Ok(0), |port| port.parse())?;
    let twin = Twin::start(TwinConfig { api_port, ..TwinConfig::default() }).await?;
    writeln!(stdout(), "{}", twin.endpoints().api_url)?;
    tokio::signal::ctrl_c().await?;
    twin.stop().await;
    Ok(())
}
