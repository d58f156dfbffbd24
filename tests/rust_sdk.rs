//! The twin by AWS's SDKs for Rust: typed errors, paginators, waiters' states, and the data plane, each case with a name and
//! a count at the end. What the other clients prove call by call is not repeated here.

use std::{
    collections::BTreeSet,
    io::Write,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use aws_sdk_iot::types::AttributePayload;
use aws_sdk_route53::types::{HealthCheckConfig, HealthCheckType};
use aws_smithy_types::Blob;
use gameday_tests::TwinProcess;

/// A state is waited for this long.
const WAIT_MAX: Duration = Duration::from_secs(10);

struct Sdk {
    iot: aws_sdk_iot::Client,
    secondary: aws_sdk_iot::Client,
    data: aws_sdk_iotdataplane::Client,
    tables: aws_sdk_dynamodb::Client,
    functions: aws_sdk_lambda::Client,
    names: aws_sdk_route53::Client,
}

impl Sdk {
    async fn new(url: &str) -> Self {
        let (here, there) = (config(url, "us-east-1").await, config(url, "us-west-2").await);
        Self {
            iot: aws_sdk_iot::Client::new(&here),
            secondary: aws_sdk_iot::Client::new(&there),
            data: aws_sdk_iotdataplane::Client::new(&here),
            tables: aws_sdk_dynamodb::Client::new(&here),
            functions: aws_sdk_lambda::Client::new(&here),
            names: aws_sdk_route53::Client::new(&here),
        }
    }
}

async fn config(url: &str, region: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .endpoint_url(url)
        .credentials_provider(aws_sdk_iot::config::Credentials::new("id", "secret", None, None, "test"))
        .load()
        .await
}

#[test]
fn the_rust_sdks() {
    let twin = TwinProcess::start().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut passed, mut failed) = (0, Vec::new());
    runtime.block_on(async {
        let sdk = Sdk::new(twin.variable("AWS_ENDPOINT_URL")).await;
        let cases: [(&str, Result<()>); 8] = [
            ("things are paged", things_are_paged(&sdk).await),
            ("errors of IoT are typed", errors_of_iot_are_typed(&sdk).await),
            ("Regions are apart", regions_are_apart(&sdk).await),
            ("a certificate is copied to the other Region", a_certificate_is_copied(&sdk).await),
            ("a shadow is updated, read and deleted", a_shadow(&sdk).await),
            ("a table is written on a condition and queried in pages", a_table(&sdk).await),
            ("errors of Lambda are typed", errors_of_lambda_are_typed(&sdk).await),
            ("a health check is compared and set", a_health_check(&sdk).await),
        ];
        for (name, outcome) in cases {
            match outcome {
                Ok(()) => passed += 1,
                Err(error) => failed.push(format!("{name}: {error:#}")),
            }
        }
    });
    let _ = writeln!(
        std::io::stderr(),
        "CONFORMANCE: rust-sdk: {{\"passed\":{passed},\"failed\":{},\"skipped\":0}}",
        failed.len()
    );
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

async fn things_are_paged(sdk: &Sdk) -> Result<()> {
    let mut wanted = BTreeSet::new();
    for n in 0..7 {
        let attributes = AttributePayload::builder().attributes("site", "berlin").build();
        let name = format!("paged-{n}");
        sdk.iot.create_thing().thing_name(&name).attribute_payload(attributes).send().await?;
        wanted.insert(name);
    }
    let mut found = BTreeSet::new();
    let mut pages = sdk.iot.list_things().attribute_name("site").attribute_value("berlin").max_results(3);
    loop {
        let page = pages.clone().send().await?;
        ensure!(page.things().len() <= 3, "a page of {}", page.things().len());
        found.extend(page.things().iter().filter_map(|thing| thing.thing_name().map(str::to_owned)));
        match page.next_token() {
            Some(token) => pages = pages.next_token(token),
            None => break,
        }
    }
    ensure!(found == wanted, "{found:?}");
    Ok(())
}

async fn errors_of_iot_are_typed(sdk: &Sdk) -> Result<()> {
    let missing = sdk.iot.describe_thing().thing_name("none").send().await;
    ensure!(missing.is_err_and(|e| e.into_service_error().is_resource_not_found_exception()));
    sdk.iot.create_thing().thing_name("versioned").send().await?;
    let stale = sdk.iot.delete_thing().thing_name("versioned").expected_version(9).send().await;
    ensure!(stale.is_err_and(|e| e.into_service_error().is_version_conflict_exception()));
    let bad = sdk.iot.create_policy().policy_name("bad").policy_document("no policy").send().await;
    ensure!(bad.is_err_and(|e| e.into_service_error().is_malformed_policy_exception()));
    Ok(())
}

async fn regions_are_apart(sdk: &Sdk) -> Result<()> {
    sdk.iot.create_thing().thing_name("here").send().await?;
    let there = sdk.secondary.describe_thing().thing_name("here").send().await;
    ensure!(there.is_err_and(|e| e.into_service_error().is_resource_not_found_exception()));
    Ok(())
}

async fn a_certificate_is_copied(sdk: &Sdk) -> Result<()> {
    let made = sdk.iot.create_keys_and_certificate().set_as_active(true).send().await?;
    let (id, pem) = (made.certificate_id().context("id")?, made.certificate_pem().context("PEM")?);
    let copy = sdk.secondary.register_certificate_without_ca().certificate_pem(pem).send().await?;
    ensure!(copy.certificate_id() == Some(id), "the id is that of the certificate, in every Region");
    let again = sdk.secondary.register_certificate_without_ca().certificate_pem(pem).send().await;
    let error = again.err().context("registered twice")?.into_service_error();
    ensure!(error.is_resource_already_exists_exception(), "{error}");
    Ok(())
}

async fn a_shadow(sdk: &Sdk) -> Result<()> {
    let payload = Blob::new(br#"{"state":{"desired":{"on":true},"reported":{"on":false}}}"#);
    sdk.data.update_thing_shadow().thing_name("lamp").shadow_name("led").payload(payload).send().await?;
    let seen = sdk.data.get_thing_shadow().thing_name("lamp").shadow_name("led").send().await?;
    let document: serde_json::Value = serde_json::from_slice(seen.payload().context("no payload")?.as_ref())?;
    ensure!(document["state"]["delta"]["on"] == true && document["version"] == 1, "{document}");
    let stale = Blob::new(br#"{"state":{"reported":{"on":true}},"version":7}"#);
    let refused =
        sdk.data.update_thing_shadow().thing_name("lamp").shadow_name("led").payload(stale).send().await;
    ensure!(refused.is_err_and(|e| e.into_service_error().is_conflict_exception()));
    let named = sdk.data.list_named_shadows_for_thing().thing_name("lamp").send().await?;
    ensure!(named.results() == ["led"], "{:?}", named.results());
    sdk.data.delete_thing_shadow().thing_name("lamp").shadow_name("led").send().await?;
    let gone = sdk.data.get_thing_shadow().thing_name("lamp").shadow_name("led").send().await;
    ensure!(gone.is_err_and(|e| e.into_service_error().is_resource_not_found_exception()));
    Ok(())
}

async fn a_table(sdk: &Sdk) -> Result<()> {
    let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    let text = |name: &str| {
        AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build()
    };
    let table = sdk.tables.create_table().table_name("sdk").billing_mode(BillingMode::PayPerRequest);
    let table = table.key_schema(key("k", KeyType::Hash)?).key_schema(key("s", KeyType::Range)?);
    table.attribute_definitions(text("k")?).attribute_definitions(text("s")?).send().await?;
    let is_active = || async {
        let table = sdk.tables.describe_table().table_name("sdk").send().await?;
        anyhow::Ok(table.table().and_then(|t| t.table_status()).is_some_and(|s| s.as_str() == "ACTIVE"))
    };
    let began = Instant::now();
    while !is_active().await? {
        if began.elapsed() > WAIT_MAX {
            bail!("the table is not active");
        }
    }
    let s = |value: &str| AttributeValue::S(value.to_owned());
    for n in 0..5 {
        let item = sdk.tables.put_item().table_name("sdk").item("k", s("a")).item("s", s(&n.to_string()));
        item.condition_expression("attribute_not_exists(k)").send().await?;
    }
    let again = sdk.tables.put_item().table_name("sdk").item("k", s("a")).item("s", s("0"));
    let again = again.condition_expression("attribute_not_exists(k)").send().await;
    ensure!(again.is_err_and(|e| e.into_service_error().is_conditional_check_failed_exception()));
    let query = sdk.tables.query().table_name("sdk").key_condition_expression("k = :k");
    let mut pages = query.expression_attribute_values(":k", s("a")).limit(2).into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(item) = pages.try_next().await? {
        found.extend(item.get("s").and_then(|value| value.as_s().ok()).cloned());
    }
    ensure!(found == ["0", "1", "2", "3", "4"], "{found:?}");
    Ok(())
}

async fn errors_of_lambda_are_typed(sdk: &Sdk) -> Result<()> {
    let missing = sdk.functions.invoke().function_name("none").send().await;
    ensure!(missing.is_err_and(|e| e.into_service_error().is_resource_not_found_exception()));
    Ok(())
}

async fn a_health_check(sdk: &Sdk) -> Result<()> {
    let config = HealthCheckConfig::builder()
        .r#type(HealthCheckType::Https)
        .fully_qualified_domain_name("localhost")
        .port(1)
        .resource_path("/health")
        .request_interval(10)
        .build()?;
    let made = sdk.names.create_health_check().caller_reference("sdk").health_check_config(config).send();
    let made = made.await?;
    let check = made.health_check().context("no health check")?;
    let update = || sdk.names.update_health_check().health_check_id(check.id()).resource_path("/healt");
    update().health_check_version(check.health_check_version()).send().await?;
    let stale = update().health_check_version(check.health_check_version()).send().await;
    ensure!(stale.is_err_and(|e| e.into_service_error().is_health_check_version_mismatch()));
    let status = sdk.names.get_health_check_status().health_check_id(check.id()).send().await?;
    ensure!(status.health_check_observations().len() <= 16);
    sdk.names.delete_health_check().health_check_id(check.id()).send().await?;
    let gone = sdk.names.get_health_check().health_check_id(check.id()).send().await;
    ensure!(gone.is_err_and(|e| e.into_service_error().is_no_such_health_check()));
    Ok(())
}
