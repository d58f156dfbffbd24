//! Both Regions and what they share: the value that every part of the twin is handed.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    apigateway::ApiGateway, calls::Calls, clock::Clock, cloudformation::CloudFormation, dynamodb::DynamoDb,
    events::Events, fault::Faults, lambda::Lambda, names::Names, pki::Pki, quota::Quotas, region::Region,
    route53::Route53, s3::S3, scheduler::Scheduler, sqs::Sqs, states::States, truth::Truth,
};

/// The whole twin. Shared by reference; each part guards its own state.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) account: String,
    pub(crate) clock: Clock,
    pub(crate) pki: Pki,
    pub(crate) names: Names,
    pub(crate) quotas: Quotas,
    /// The primary first.
    pub(crate) regions: Vec<Arc<Region>>,
    pub(crate) route53: Route53,
    pub(crate) dynamodb: DynamoDb,
    pub(crate) lambda: Lambda,
    pub(crate) states: States,
    pub(crate) cloudformation: CloudFormation,
    /// What is broken.
    pub(crate) faults: Arc<Faults>,
    /// What happened and when.
    pub(crate) truth: Arc<Truth>,
    /// Counts of calls.
    pub(crate) calls: Calls,
    pub(crate) events: Events,
    pub(crate) scheduler: Scheduler,
    pub(crate) s3: S3,
    pub(crate) sqs: Sqs,
    pub(crate) apigateway: ApiGateway,
    /// The AWS API endpoint, as functions are told it: `http://127.0.0.1:<port>`.
    pub(crate) api_url: String,
    /// The authoritative DNS server.
    pub(crate) dns: SocketAddr,
    /// HTTPS port of every Region.
    pub(crate) https_port: u16,
    /// MQTT port of every Region.
    pub(crate) mqtt_port: u16,
    /// Route 53 checkers per health check.
    pub(crate) health_checkers: u32,
    /// Temporary folder for functions' files, removed with the twin.
    pub(crate) folder: PathBuf,
    /// Ends every task of the twin.
    pub(crate) shutdown: CancellationToken,
    /// Every task of the twin, so that stopping can wait for them.
    pub(crate) tasks: TaskTracker,
}

impl World {
    pub(crate) fn region(&self, name: &str) -> Option<&Arc<Region>> {
        self.regions.iter().find(|r| r.name == name)
    }
}
