//! Operations on traffic policies and their instances.

use crate::{
    call::{Call, Reply},
    error::AwsError,
    route53::{
        Route53, api,
        change::{Action, Change},
        name,
        record::RecordSet,
        traffic::{Instance, Traffic},
        traffic_xml::{
            CommentRequest, CountResponse, CreateInstanceRequest, CreatePolicyRequest, CreateVersionRequest,
            InstanceResponse, InstanceXml, Instances, ListInstancesResponse, ListPoliciesResponse,
            ListVersionsResponse, Policies, PolicyResponse, PolicySummaries, PolicySummary, PolicyXml,
            UpdateInstanceRequest,
        },
        xml,
        zone_xml::invalid,
    },
};

fn number(text: &str) -> Result<u32, AwsError> {
    text.parse().or_else(|_| invalid(&format!("Invalid version: {text}")))
}

fn located(mut reply: Reply, path: &str) -> Reply {
    reply.headers.push(("location", format!("https://route53.amazonaws.com/2013-04-01/{path}")));
    reply
}

fn policy_reply(
    status: u16,
    root: &str,
    traffic: &Traffic,
    id: &str,
    number: u32,
) -> Result<Reply, AwsError> {
    let (policy, version) = traffic.version(id, number)?;
    let body = PolicyResponse { traffic_policy: PolicyXml::new(policy, number, version) };
    let reply = xml::reply(status, root, &body)?;
    Ok(if status == 201 { located(reply, &format!("trafficpolicy/{id}/{number}")) } else { reply })
}

pub(crate) fn create_policy(route53: &Route53, call: &Call) -> Result<Reply, AwsError> {
    let request: CreatePolicyRequest = xml::read(&call.body)?;
    let mut traffic = route53.traffic.lock();
    let id = api::uuid();
    traffic.create(id.clone(), &request.name, &request.document, request.comment)?;
    policy_reply(201, "CreateTrafficPolicyResponse", &traffic, &id, 1)
}

pub(crate) fn create_version(route53: &Route53, id: &str, call: &Call) -> Result<Reply, AwsError> {
    let request: CreateVersionRequest = xml::read(&call.body)?;
    let mut traffic = route53.traffic.lock();
    let number = traffic.add_version(id, &request.document, request.comment)?;
    policy_reply(201, "CreateTrafficPolicyVersionResponse", &traffic, id, number)
}

pub(crate) fn get_policy(route53: &Route53, id: &str, version: &str) -> Result<Reply, AwsError> {
    policy_reply(200, "GetTrafficPolicyResponse", &route53.traffic.lock(), id, number(version)?)
}

pub(crate) fn update_comment(
    route53: &Route53,
    id: &str,
    version: &str,
    call: &Call,
) -> Result<Reply, AwsError> {
    let request: CommentRequest = xml::read(&call.body)?;
    let mut traffic = route53.traffic.lock();
    traffic.comment(id, number(version)?, request.comment)?;
    policy_reply(200, "UpdateTrafficPolicyCommentResponse", &traffic, id, number(version)?)
}

pub(crate) fn delete_policy(route53: &Route53, id: &str, version: &str) -> Result<Reply, AwsError> {
    route53.traffic.lock().delete_version(id, number(version)?)?;
    xml::reply(200, "DeleteTrafficPolicyResponse", &())
}

pub(crate) fn list_policies(route53: &Route53, call: &Call) -> Result<Reply, AwsError> {
    let count_max = api::count_max(call, api::PAGE_MAX)?;
    let marker = call.query("trafficpolicyid");
    let traffic = route53.traffic.lock();
    let mut rest = traffic.policies().skip_while(|p| marker.is_some_and(|m| p.id != m));
    let summary = rest.by_ref().take(count_max).map(PolicySummary::new).collect();
    let next = rest.next();
    let body = ListPoliciesResponse {
        traffic_policy_summaries: PolicySummaries { summary },
        is_truncated: next.is_some(),
        traffic_policy_id_marker: next.map(|p| p.id.clone()).unwrap_or_default(),
        max_items: count_max,
    };
    xml::reply(200, "ListTrafficPoliciesResponse", &body)
}

pub(crate) fn list_versions(route53: &Route53, id: &str, call: &Call) -> Result<Reply, AwsError> {
    let count_max = api::count_max(call, api::PAGE_MAX)?;
    let from = call.query("trafficpolicyversion").map_or(Ok(0), number)?;
    let traffic = route53.traffic.lock();
    let policy = traffic.policy(id)?;
    let mut rest = policy.versions.range(from..);
    let page =
        rest.by_ref().take(count_max).map(|(n, version)| PolicyXml::new(policy, *n, version)).collect();
    let next = rest.next();
    let body = ListVersionsResponse {
        traffic_policies: Policies { policy: page },
        is_truncated: next.is_some(),
        traffic_policy_version_marker: next.map(|(n, _)| n.to_string()).unwrap_or_default(),
        max_items: count_max,
    };
    xml::reply(200, "ListTrafficPolicyVersionsResponse", &body)
}

/// Puts an instance's records in its zone instead of those that it has there. What stands in the way is kept as its
/// fault, and the records stay as they were: on AWS too the call succeeds and the instance's state is `Failed`.
fn apply(route53: &Route53, instance: &mut Instance, wanted: Vec<RecordSet>) {
    let change = |action| move |set: &RecordSet| Change { action, set: set.clone() };
    let removed = instance.records.iter().map(change(Action::Delete));
    let changes: Vec<Change> = removed.chain(wanted.iter().map(change(Action::Create))).collect();
    let mut zones = route53.zones.lock();
    let checks = route53.checks.lock();
    let unknown =
        wanted.iter().filter_map(|s| s.health_check_id.as_deref()).find_map(|id| checks.get(id).err());
    let outcome = unknown.map_or_else(|| zones.change(&instance.zone_id, &changes), Err);
    match outcome {
        Ok(()) => {
            instance.records = wanted;
            instance.fault = String::new();
        }
        Err(error) => instance.fault = error.message,
    }
}

fn instance_reply(status: u16, root: &str, instance: &Instance) -> Result<Reply, AwsError> {
    let body = InstanceResponse { traffic_policy_instance: InstanceXml::new(instance) };
    let reply = xml::reply(status, root, &body)?;
    Ok(if status == 201 { located(reply, &format!("trafficpolicyinstance/{}", instance.id)) } else { reply })
}

pub(crate) fn create_instance(route53: &Route53, call: &Call) -> Result<Reply, AwsError> {
    let request: CreateInstanceRequest = xml::read(&call.body)?;
    let (zone_id, name) = (api::bare(&request.hosted_zone_id), name::absolute(&request.name));
    let mut traffic = route53.traffic.lock();
    let (policy, version) = traffic.version(&request.traffic_policy_id, request.traffic_policy_version)?;
    if !name::is_within(&name, &route53.zones.lock().get(zone_id)?.name) {
        return invalid(&format!("{name} is not in hosted zone {zone_id}"));
    }
    let mut instance = Instance {
        id: api::uuid(),
        zone_id: zone_id.to_owned(),
        ttl_s: request.ttl_s,
        policy_id: policy.id.clone(),
        version: request.traffic_policy_version,
        kind: policy.kind,
        fault: String::new(),
        records: Vec::new(),
        name,
    };
    let wanted = version.document.records(&instance.name, instance.ttl_s);
    traffic.check_new(zone_id, &instance.name, instance.kind)?;
    apply(route53, &mut instance, wanted);
    let reply = instance_reply(201, "CreateTrafficPolicyInstanceResponse", &instance);
    traffic.put_instance(instance);
    reply
}

pub(crate) fn get_instance(route53: &Route53, id: &str) -> Result<Reply, AwsError> {
    instance_reply(200, "GetTrafficPolicyInstanceResponse", route53.traffic.lock().instance(id)?)
}

pub(crate) fn update_instance(route53: &Route53, id: &str, call: &Call) -> Result<Reply, AwsError> {
    let request: UpdateInstanceRequest = xml::read(&call.body)?;
    let mut traffic = route53.traffic.lock();
    let mut instance = traffic.instance(id)?.clone();
    let (policy, version) = traffic.version(&request.traffic_policy_id, request.traffic_policy_version)?;
    if policy.kind != instance.kind {
        let message = format!("The instance is of type {} and stays so", instance.kind.as_str());
        return Err(AwsError::new(400, "ConflictingTypes", message));
    }
    instance.policy_id.clone_from(&policy.id);
    instance.version = request.traffic_policy_version;
    instance.ttl_s = request.ttl_s;
    let wanted = version.document.records(&instance.name, instance.ttl_s);
    apply(route53, &mut instance, wanted);
    let reply = instance_reply(200, "UpdateTrafficPolicyInstanceResponse", &instance);
    traffic.put_instance(instance);
    reply
}

pub(crate) fn delete_instance(route53: &Route53, id: &str) -> Result<Reply, AwsError> {
    let mut traffic = route53.traffic.lock();
    let mut instance = traffic.instance(id)?.clone();
    apply(route53, &mut instance, Vec::new());
    traffic.remove_instance(id);
    xml::reply(200, "DeleteTrafficPolicyInstanceResponse", &())
}

pub(crate) fn count_instances(route53: &Route53) -> Result<Reply, AwsError> {
    let body = CountResponse { traffic_policy_instance_count: route53.traffic.lock().instances().count() };
    xml::reply(200, "GetTrafficPolicyInstanceCountResponse", &body)
}

pub(crate) fn list_instances(route53: &Route53, call: &Call) -> Result<Reply, AwsError> {
    list(route53, call, "ListTrafficPolicyInstancesResponse", |_| true)
}

pub(crate) fn list_instances_by_zone(route53: &Route53, call: &Call) -> Result<Reply, AwsError> {
    let Some(zone_id) = call.query("id").map(api::bare) else { return invalid("id is required") };
    route53.zones.lock().get(zone_id)?;
    list(route53, call, "ListTrafficPolicyInstancesByHostedZoneResponse", |i| i.zone_id == zone_id)
}

pub(crate) fn list_instances_by_policy(route53: &Route53, call: &Call) -> Result<Reply, AwsError> {
    let (Some(id), Some(version)) = (call.query("id"), call.query("version")) else {
        return invalid("id and version are required");
    };
    let version = number(version)?;
    route53.traffic.lock().version(id, version)?;
    let is_asked = |i: &Instance| i.policy_id == id && i.version == version;
    list(route53, call, "ListTrafficPolicyInstancesByPolicyResponse", is_asked)
}

/// The markers name the first instance of the page.
fn list(
    route53: &Route53,
    call: &Call,
    root: &str,
    is_asked: impl Fn(&Instance) -> bool,
) -> Result<Reply, AwsError> {
    let count_max = api::count_max(call, api::PAGE_MAX)?;
    let zone_id = call.query("hostedzoneid").map(api::bare);
    let name = call.query("trafficpolicyinstancename").map(name::absolute);
    let kind = call.query("trafficpolicyinstancetype");
    let is_first = |i: &Instance| {
        zone_id.is_none_or(|z| z == i.zone_id)
            && name.as_ref().is_none_or(|n| *n == i.name)
            && kind.is_none_or(|k| k == i.kind.as_str())
    };
    let traffic = route53.traffic.lock();
    let mut rest = traffic.instances().filter(|i| is_asked(i)).skip_while(|i| !is_first(i));
    let instance = rest.by_ref().take(count_max).map(InstanceXml::new).collect();
    let next = rest.next();
    let body = ListInstancesResponse {
        traffic_policy_instances: Instances { instance },
        hosted_zone_id_marker: next.map(|i| i.zone_id.clone()),
        traffic_policy_instance_name_marker: next.map(|i| i.name.clone()),
        traffic_policy_instance_type_marker: next.map(|i| i.kind.as_str()),
        is_truncated: next.is_some(),
        max_items: count_max,
    };
    xml::reply(200, root, &body)
}

#[cfg(test)]
mod tests;
