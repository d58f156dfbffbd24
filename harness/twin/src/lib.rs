//! The twin: two AWS Regions in one process, for rehearsing the loss of one of them without an AWS account.
//!
//! Official clients (AWS SDKs, AWS CLI, mosquitto) use it unchanged: one AWS API endpoint that routes by the Region and
//! service in the SigV4 credential scope, and in each Region, on its own loopback address, MQTT over mutual TLS and
//! HTTPS. DNS failover is real: an authoritative server answers from Route 53 records, and health checkers really call.
//!
//! The layers, each with one job:
//! - state, pure and synchronous: [`registry`], [`shadow`], [`authorize`] and [`sql`] of IoT, [`dynamodb`] tables,
//!   [`route53`] zones, [`s3`] buckets, [`sqs`] queues; [`quota`] and its token [`bucket`]s;
//! - protocol: [`api`] (one endpoint for all services; their codecs are here or with them) with [`call`] and [`error`];
//!   [`mqtt`], [`https`] and [`dns`] of the Regions over [`accept`] and [`socket`]; [`control`], the twin's own API;
//! - machinery: [`lambda`] (functions as child processes), [`states`] (state machines), [`rules`] (topic rules),
//!   [`provisioning`] (templates and bulk registration), [`apigateway`] (REST APIs), [`events`] and [`scheduler`]
//!   (EventBridge), [`cloudformation`] (stacks);
//! - what AWS lets nobody do: [`fault`] breaks things, [`truth`] says what happened when;
//! - [`pki`], [`names`], [`clock`], [`nesting`] and [`room`]: certificates, host names, the time, how deep input nests and
//!   how much may wait;
//! - [`world`] and its [`region`]s hold it together, and [`twin`] starts and stops it; nothing below them knows the
//!   others' protocols.
//!
//! It listens on loopback only, needs no other process and leaves nothing behind: functions' files live in a temporary
//! folder and child processes end with it.

mod accept;
mod api;
mod apigateway;
mod authorize;
mod bucket;
mod call;
mod calls;
mod clock;
mod cloudformation;
mod control;
mod dns;
mod dynamodb;
mod error;
mod events;
mod fault;
mod folder;
#[cfg(test)]
mod fuzz;
mod https;
mod lambda;
mod mqtt;
mod names;
mod nesting;
mod pki;
mod provisioning;
mod quota;
mod region;
mod registry;
mod room;
mod route53;
mod rules;
mod s3;
mod scheduler;
mod shadow;
mod socket;
mod sql;
mod sqs;
mod states;
mod truth;
mod twin;
mod world;

pub use fault::{
    ApiFailure, Cut, DnsFailure, Fault, FaultError, FaultGuard, FaultState, Moment, Poison, Port, Share,
};
pub use pki::PkiError;
pub use quota::{AppliedQuota, QuotaBook, QuotaSetting, SELECT_REGIONS};
pub use twin::{Endpoints, RegionEndpoint, Twin, TwinConfig, TwinError};
