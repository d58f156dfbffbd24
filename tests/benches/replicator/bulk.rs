//! Bulk registration: keys and CSRs, the file in S3, the task.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use aws_sdk_iot::types::Status;

use gameday_tests::site::Region;

use crate::http::Http;

const TEMPLATE: &str = r#"{"Parameters":{"ThingName":{"Type":"String"},"CSR":{"Type":"String"}},"Resources":{
"thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Ref":"ThingName"},"AttributePayload":{"site":"bench"}}},
"certificate":{"Type":"AWS::IoT::Certificate","Properties":{"CertificateSigningRequest":{"Ref":"CSR"},"Status":"ACTIVE"}},
"policy":{"Type":"AWS::IoT::Policy","Properties":{"PolicyName":"device"}}}}"#;
const TASK_MAX: Duration = Duration::from_mins(30);

/// Registers so many devices as one task and waits for its end.
pub(crate) async fn register(region: &Region, http: &mut Http, devices: usize) -> Result<()> {
    let mut lines = String::new();
    for number in 0..devices {
        let key = rcgen::KeyPair::generate()?;
        let csr = rcgen::CertificateParams::new(Vec::new())?.serialize_request(&key)?.pem()?;
        let line = serde_json::json!({"ThingName": format!("bulk-{number}"), "CSR": csr});
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    http.call("s3", "PUT", "/bulk-bench", String::new()).await?;
    http.call("s3", "PUT", "/bulk-bench/devices.json", lines).await?;
    let task = region
        .iot
        .start_thing_registration_task()
        .template_body(TEMPLATE)
        .input_file_bucket("bulk-bench")
        .input_file_key("devices.json")
        .role_arn("arn:aws:iam::123456789012:role/bulk")
        .send()
        .await?;
    let began = Instant::now();
    while began.elapsed() < TASK_MAX {
        let task =
            region.iot.describe_thing_registration_task().set_task_id(task.task_id.clone()).send().await?;
        match task.status() {
            Some(Status::Completed) if task.failure_count() == 0 => return Ok(()),
            Some(Status::InProgress) => tokio::time::sleep(Duration::from_secs(1)).await,
            other => bail!("the task is {other:?}: {:?}, {} failed", task.message(), task.failure_count()),
        }
    }
    bail!("the task did not end within {TASK_MAX:?}")
}
