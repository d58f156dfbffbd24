//! The IoT control plane: REST and JSON in and out of the registry and the topic rules.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use rmqtt_codec::types::QoS;
use serde_json::{Map, Value, json};

use super::iot_operation;
use crate::{
    call::{Call, Reply},
    error::AwsError,
    mqtt::publish,
    region::Region,
    registry::{
        Certificate, CertificateStatus, RegistryEvent, Thing, ThingChange, check_policy_name, invalid, page,
    },
    rules::check_rule_name,
    world::World,
};

/// Registry events that AWS knows; the twin publishes those of things.
const EVENT_KINDS: [&str; 11] = [
    "CA_CERTIFICATE",
    "CERTIFICATE",
    "JOB",
    "JOB_EXECUTION",
    "POLICY",
    "THING",
    "THING_GROUP",
    "THING_GROUP_HIERARCHY",
    "THING_GROUP_MEMBERSHIP",
    "THING_TYPE",
    "THING_TYPE_ASSOCIATION",
];

type Outcome = Result<Reply, AwsError>;

pub(super) async fn handle(world: &Arc<World>, call: &Call) -> Outcome {
    let segments = call.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let operation = iot_operation::of(&call.method, &path)
        .ok_or_else(|| AwsError::unknown_operation(&format!("{} {}", call.method, call.raw_path)))?;
    let region = world.region(&call.region).ok_or_else(|| AwsError::unknown_operation(operation))?;
    world.quotas.take(&call.region, operation)?;
    let api = Api { world, region, call, name: path.get(1).copied().unwrap_or_default() };
    match operation {
        "ListThings"
        | "CreateThing"
        | "DescribeThing"
        | "UpdateThing"
        | "DeleteThing"
        | "ListThingPrincipals"
        | "AttachThingPrincipal"
        | "DetachThingPrincipal"
        | "ListPrincipalThings" => api.thing(operation),
        "CreateKeysAndCertificate" => api.create_keys_and_certificate().await,
        "CreateCertificateFromCsr"
        | "ListCertificates"
        | "DescribeCertificate"
        | "UpdateCertificate"
        | "DeleteCertificate"
        | "RegisterCertificateWithoutCA" => api.certificate(operation),
        "ListTopicRules" | "CreateTopicRule" | "GetTopicRule" | "DeleteTopicRule" => api.rule(operation),
        "DescribeEventConfigurations" => Ok(api.event_configurations()),
        "UpdateEventConfigurations" => api.update_event_configurations(),
        "DescribeEndpoint" => api.endpoint(),
        policy => api.policy(policy),
    }
}

/// One call to one Region.
struct Api<'a> {
    world: &'a Arc<World>,
    region: &'a Arc<Region>,
    call: &'a Call,
    /// The second segment of the path: the name of what the call is about.
    name: &'a str,
}

#[expect(clippy::unnecessary_wraps, reason = "every operation ends in an outcome")]
fn ok(body: &Value) -> Outcome {
    Ok(Reply::json(200, body))
}

fn done() -> Outcome {
    ok(&json!({}))
}

impl Api<'_> {
    fn thing(&self, operation: &str) -> Outcome {
        let (name, now_ms) = (self.name, self.world.clock.now_ms());
        let mut registry = self.region.registry.lock();
        match operation {
            "CreateThing" => {
                let body = self.call.json()?;
                if let Some(kind) = body["thingTypeName"].as_str() {
                    return Err(AwsError::new(
                        404,
                        "ResourceNotFoundException",
                        format!("Thing type {kind} cannot be found."),
                    ));
                }
                let (thing, event) =
                    registry.create_thing(name, attributes(&body)?.unwrap_or_default(), now_ms)?;
                let arn = registry.arn(&format!("thing/{name}"));
                drop(registry);
                self.publish(event);
                ok(&json!({"thingName": name, "thingArn": arn, "thingId": thing.id}))
            }
            "DescribeThing" => {
                let thing = registry.thing(name)?;
                let arn = registry.arn(&format!("thing/{name}"));
                ok(&json!({
                    "defaultClientId": name, "thingName": name, "thingArn": arn, "thingId": thing.id,
                    "attributes": thing.attributes, "version": thing.version,
                }))
            }
            "UpdateThing" => {
                let body = self.call.json()?;
                let change = ThingChange {
                    attributes: attributes(&body)?,
                    merge: body["attributePayload"]["merge"].as_bool().unwrap_or(false),
                    expected_version: body["expectedVersion"].as_u64(),
                };
                let event = registry.update_thing(name, change, now_ms)?;
                drop(registry);
                self.publish(event);
                done()
            }
            "DeleteThing" => {
                let expected = self.call.query("expectedVersion").and_then(|v| v.parse().ok());
                let event = registry.delete_thing(name, expected, now_ms)?;
                drop(registry);
                self.publish(event);
                done()
            }
            "AttachThingPrincipal" => {
                registry.attach_principal(name, self.principal()?).and_then(|()| done())
            }
            "DetachThingPrincipal" => {
                registry.detach_principal(name, self.principal()?).and_then(|()| done())
            }
            "ListThingPrincipals" => ok(&json!({"principals": registry.principals(name)?})),
            "ListPrincipalThings" => ok(&json!({"things": registry.principal_things(self.principal()?)})),
            _ => {
                let attribute = self.call.query("attributeName").zip(self.call.query("attributeValue"));
                let (things, next) = page(
                    registry.things(attribute),
                    |t| t.name.as_str(),
                    self.call.query("nextToken"),
                    self.call.query("maxResults"),
                )?;
                let arn = |t: &Thing| registry.arn(&format!("thing/{}", t.name));
                let things: Vec<Value> = things
                    .iter()
                    .map(|t| {
                        json!({"thingName": t.name, "thingArn": arn(t), "attributes": t.attributes, "version": t.version})
                    })
                    .collect();
                ok(&json!({"things": things, "nextToken": next}))
            }
        }
    }

    async fn create_keys_and_certificate(&self) -> Outcome {
        let world = self.world.clone();
        // RSA keys take tens of milliseconds of one core: not on a thread that serves connections.
        let made = tokio::task::spawn_blocking(move || world.pki.issue_with_keys()).await;
        let Ok(Ok((pem, key))) = made else {
            return Err(AwsError::new(500, "InternalFailureException", "a key pair could not be made"));
        };
        let status = self.initial_status();
        let mut registry = self.region.registry.lock();
        let certificate = registry.register_certificate(&pem, status, "DEFAULT", self.world.clock.now_s())?;
        ok(&json!({
            "certificateArn": registry.arn(&format!("cert/{}", certificate.id)),
            "certificateId": certificate.id,
            "certificatePem": pem,
            "keyPair": {"PublicKey": key.public_key_pem(), "PrivateKey": key.serialize_pem()},
        }))
    }

    fn certificate(&self, operation: &str) -> Outcome {
        let now_s = self.world.clock.now_s();
        let id = self.name;
        let mut registry = self.region.registry.lock();
        match operation {
            "CreateCertificateFromCsr" => {
                let body = self.call.json()?;
                let csr = body["certificateSigningRequest"]
                    .as_str()
                    .ok_or_else(|| invalid("certificateSigningRequest is missing"))?;
                let pem = self.world.pki.issue(csr).map_err(|e| {
                    AwsError::new(400, "InvalidRequestException", format!("CSR is not valid: {e}"))
                })?;
                let made = registry.register_certificate(&pem, self.initial_status(), "DEFAULT", now_s)?;
                let arn = registry.arn(&format!("cert/{}", made.id));
                ok(&json!({"certificateArn": arn, "certificateId": made.id, "certificatePem": pem}))
            }
            "RegisterCertificateWithoutCA" => {
                let body = self.call.json()?;
                let pem =
                    body["certificatePem"].as_str().ok_or_else(|| invalid("certificatePem is missing"))?;
                let status = body["status"]
                    .as_str()
                    .map_or(Ok(CertificateStatus::Inactive), CertificateStatus::parse)?;
                let made = registry.register_certificate(pem, status, "SNI_ONLY", now_s)?;
                let arn = registry.arn(&format!("cert/{}", made.id));
                ok(&json!({"certificateArn": arn, "certificateId": made.id}))
            }
            "DescribeCertificate" => {
                let found = registry.certificate(id)?;
                let mut description = describe(found, &registry.arn(&format!("cert/{id}")));
                description["certificatePem"] = json!(found.pem);
                description["lastModifiedDate"] = json!(found.modified_s);
                description["ownedBy"] = json!(self.world.account);
                ok(&json!({"certificateDescription": description}))
            }
            "UpdateCertificate" => {
                let status = self.call.query("newStatus").ok_or_else(|| invalid("newStatus is missing"))?;
                registry.set_certificate_status(id, CertificateStatus::parse(status)?, now_s)?;
                done()
            }
            "DeleteCertificate" => {
                registry.delete_certificate(id, self.call.query("forceDelete") == Some("true"))?;
                done()
            }
            _ => {
                let (found, next) = page(
                    registry.certificates(),
                    |c| c.id.as_str(),
                    self.call.query("marker"),
                    self.call.query("pageSize"),
                )?;
                let list: Vec<Value> =
                    found.iter().map(|c| describe(c, &registry.arn(&format!("cert/{}", c.id)))).collect();
                ok(&json!({"certificates": list, "nextMarker": next}))
            }
        }
    }

    fn policy(&self, operation: &str) -> Outcome {
        let name = self.name;
        let mut registry = self.region.registry.lock();
        match operation {
            "CreatePolicy" => {
                check_policy_name(name)?;
                let body = self.call.json()?;
                let document =
                    body["policyDocument"].as_str().ok_or_else(|| invalid("policyDocument is missing"))?;
                registry.create_policy(name, document, self.world.clock.now_s())?;
                let arn = registry.arn(&format!("policy/{name}"));
                ok(&json!({
                    "policyName": name, "policyArn": arn, "policyDocument": document, "policyVersionId": "1",
                }))
            }
            "GetPolicy" => {
                let policy = registry.policy(name)?;
                let arn = registry.arn(&format!("policy/{name}"));
                ok(&json!({
                    "policyName": name, "policyArn": arn, "policyDocument": policy.document,
                    "defaultVersionId": "1", "creationDate": policy.created_s, "lastModifiedDate": policy.created_s,
                }))
            }
            "ListPolicyVersions" => {
                let created_s = registry.policy(name)?.created_s;
                ok(&json!({
                    "policyVersions": [{"versionId": "1", "isDefaultVersion": true, "createDate": created_s}],
                }))
            }
            "DeletePolicy" => registry.delete_policy(name).and_then(|()| done()),
            "AttachPolicy" => registry.attach_policy(name, &self.target()?).and_then(|()| done()),
            "DetachPolicy" => registry.detach_policy(name, &self.target()?).and_then(|()| done()),
            "ListTargetsForPolicy" => ok(&json!({"targets": registry.policy(name)?.targets})),
            "ListAttachedPolicies" => {
                let policies: Vec<Value> = registry
                    .attached_policies(name)
                    .iter()
                    .map(|p| json!({"policyName": p.name, "policyArn": registry.arn(&format!("policy/{}", p.name))}))
                    .collect();
                ok(&json!({"policies": policies}))
            }
            _ => {
                let (found, next) = page(
                    registry.policies(),
                    |p| p.name.as_str(),
                    self.call.query("marker"),
                    self.call.query("pageSize"),
                )?;
                let list: Vec<Value> = found
                    .iter()
                    .map(|p| json!({"policyName": p.name, "policyArn": registry.arn(&format!("policy/{}", p.name))}))
                    .collect();
                ok(&json!({"policies": list, "nextMarker": next}))
            }
        }
    }

    fn rule(&self, operation: &str) -> Outcome {
        let (name, rules) = (self.name, &self.region.rules);
        let arn = |name: &str| self.region.registry.lock().arn(&format!("rule/{name}"));
        match operation {
            "CreateTopicRule" => {
                check_rule_name(name)?;
                rules.create(name, &self.call.json()?, self.world.clock.now_s())?;
                done()
            }
            "GetTopicRule" => ok(&json!({"ruleArn": arn(name), "rule": rules.get(name)?.description()})),
            "DeleteTopicRule" => {
                rules.delete(name);
                done()
            }
            _ => {
                let list: Vec<Value> = rules
                    .list()
                    .iter()
                    .map(|r| json!({"ruleName": r.name, "ruleArn": arn(&r.name), "createdAt": r.created_s}))
                    .collect();
                ok(&json!({"rules": list}))
            }
        }
    }

    fn event_configurations(&self) -> Reply {
        let registry = self.region.registry.lock();
        let kinds: Map<String, Value> = EVENT_KINDS
            .iter()
            .map(|kind| ((*kind).to_owned(), json!({"Enabled": registry.events_enabled().contains(*kind)})))
            .collect();
        Reply::json(200, &json!({"eventConfigurations": kinds}))
    }

    fn update_event_configurations(&self) -> Outcome {
        let body = self.call.json()?;
        let Some(kinds) = body["eventConfigurations"].as_object() else {
            return done();
        };
        if let Some(unknown) = kinds.keys().find(|kind| !EVENT_KINDS.contains(&kind.as_str())) {
            return Err(invalid(format!("Unknown event type {unknown}")));
        }
        let mut registry = self.region.registry.lock();
        for (kind, configuration) in kinds {
            registry.set_event(kind, configuration["Enabled"].as_bool().unwrap_or(false));
        }
        done()
    }

    fn endpoint(&self) -> Outcome {
        match self.call.query("endpointType") {
            Some("iot:Data-ATS") => ok(&json!({"endpointAddress": self.region.endpoint})),
            other => Err(invalid(format!("The twin has the endpoint type iot:Data-ATS only, got {other:?}"))),
        }
    }

    fn initial_status(&self) -> CertificateStatus {
        if self.call.query("setAsActive") == Some("true") {
            CertificateStatus::Active
        } else {
            CertificateStatus::Inactive
        }
    }

    fn principal(&self) -> Result<&str, AwsError> {
        self.call.header("x-amzn-principal").ok_or_else(|| invalid("x-amzn-principal is missing"))
    }

    fn target(&self) -> Result<String, AwsError> {
        self.call.json()?["target"].as_str().map(str::to_owned).ok_or_else(|| invalid("target is missing"))
    }

    fn publish(&self, event: Option<RegistryEvent>) {
        if let Some(event) = event {
            let payload = Bytes::from(event.payload.to_string());
            publish(self.world, self.region, &event.topic, &payload, QoS::AtLeastOnce);
        }
    }
}

fn describe(certificate: &Certificate, arn: &str) -> Value {
    json!({
        "certificateArn": arn,
        "certificateId": certificate.id,
        "status": certificate.status.as_str(),
        "certificateMode": certificate.mode,
        "creationDate": certificate.created_s,
    })
}

fn attributes(body: &Value) -> Result<Option<BTreeMap<String, String>>, AwsError> {
    let Some(attributes) = body["attributePayload"].get("attributes") else {
        return Ok(None);
    };
    serde_json::from_value(attributes.clone())
        .map(Some)
        .map_err(|_| invalid("attributePayload.attributes must be a map of strings"))
}
