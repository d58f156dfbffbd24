"""Traffic policies of Route 53 and their instances, by boto3."""

import json

from boto3_route53 import check, resolve, zone
from case import case, equal, eventually, fresh, refused

CLIENT = "boto3"


def document(own, primary="one.test", secondary="two.test"):
    return json.dumps({
        "AWSPolicyFormatVersion": "2015-10-01", "RecordType": "CNAME", "StartRule": "r",
        "Endpoints": {"p": {"Type": "value", "Value": primary}, "s": {"Type": "value", "Value": secondary}},
        "Rules": {"r": {"RuleType": "failover", "Primary": {"EndpointReference": "p", "HealthCheck": own},
                        "Secondary": {"EndpointReference": "s"}}}})


def policy(t, own):
    return t.boto("route53").create_traffic_policy(Name=fresh("policy"), Document=document(own))["TrafficPolicy"]


@case("route53:CreateTrafficPolicy route53:GetTrafficPolicy route53:ListTrafficPolicies route53:DeleteTrafficPolicy "
      "route53:CreateTrafficPolicyVersion route53:ListTrafficPolicyVersions route53:UpdateTrafficPolicyComment")
def a_policy_has_versions(t):
    r53, own = t.boto("route53"), check(t, Disabled=True)
    made = policy(t, own)
    equal((made["Version"], made["Type"]), (1, "CNAME"))
    two = r53.create_traffic_policy_version(Id=made["Id"], Document=document(own, "three.test"), Comment="new")
    equal(two["TrafficPolicy"]["Version"], 2)
    r53.update_traffic_policy_comment(Id=made["Id"], Version=2, Comment="newer")
    seen = r53.get_traffic_policy(Id=made["Id"], Version=2)["TrafficPolicy"]
    equal((seen["Comment"], json.loads(seen["Document"])), ("newer", json.loads(document(own, "three.test"))))
    versions = r53.list_traffic_policy_versions(Id=made["Id"])["TrafficPolicies"]
    equal(sorted(x["Version"] for x in versions), [1, 2])
    summaries = {x["Id"]: x for x in r53.list_traffic_policies()["TrafficPolicySummaries"]}
    equal((summaries[made["Id"]]["LatestVersion"], summaries[made["Id"]]["TrafficPolicyCount"]), (2, 2))
    for version in (1, 2):
        r53.delete_traffic_policy(Id=made["Id"], Version=version)
    refused("NoSuchTrafficPolicy", r53.get_traffic_policy, Id=made["Id"], Version=1, status=404)


@case("route53:CreateTrafficPolicy")
def wrong_documents_are_refused(t):
    r53, name = t.boto("route53"), fresh("policy")
    refused("InvalidTrafficPolicyDocument", r53.create_traffic_policy, Name=name, Document="{", status=400)
    r53.create_traffic_policy(Name=name, Document=document(check(t, Disabled=True)))
    refused("TrafficPolicyAlreadyExists", r53.create_traffic_policy, Name=name, Document=document(check(t, Disabled=True)),
            status=409)


@case("route53:CreateTrafficPolicyInstance route53:GetTrafficPolicyInstance route53:UpdateTrafficPolicyInstance "
      "route53:ListTrafficPolicyInstances route53:ListTrafficPolicyInstancesByHostedZone "
      "route53:ListTrafficPolicyInstancesByPolicy route53:GetTrafficPolicyInstanceCount "
      "route53:DeleteTrafficPolicyInstance")
def an_instance_makes_the_records(t):
    r53, (zone_id, name), own = t.boto("route53"), zone(t), check(t, Disabled=True, Inverted=True)
    made, at = policy(t, own), f"iot.{name}"
    before = r53.get_traffic_policy_instance_count()["TrafficPolicyInstanceCount"]
    one = r53.create_traffic_policy_instance(HostedZoneId=zone_id, Name=at, TTL=10, TrafficPolicyId=made["Id"],
                                             TrafficPolicyVersion=1)["TrafficPolicyInstance"]["Id"]

    def applied():
        return r53.get_traffic_policy_instance(Id=one)["TrafficPolicyInstance"]["State"] == "Applied"

    eventually(applied, "it is applied")
    assert r53.get_traffic_policy_instance_count()["TrafficPolicyInstanceCount"] >= min(1, before + 1)
    eventually(lambda: resolve(t, at) == ["two.test."], "the check is inverted and disabled: unhealthy")
    refused("TrafficPolicyInUse", r53.delete_traffic_policy, Id=made["Id"], Version=1, status=400)
    r53.create_traffic_policy_version(Id=made["Id"], Document=document(own, secondary="four.test"))
    r53.update_traffic_policy_instance(Id=one, TTL=20, TrafficPolicyId=made["Id"], TrafficPolicyVersion=2)
    eventually(lambda: resolve(t, at) == ["four.test."], "the new version answers")
    for listed in (r53.list_traffic_policy_instances(),
                   r53.list_traffic_policy_instances_by_hosted_zone(HostedZoneId=zone_id.split("/")[-1]),
                   r53.list_traffic_policy_instances_by_policy(TrafficPolicyId=made["Id"], TrafficPolicyVersion=2)):
        assert one in [x["Id"] for x in listed["TrafficPolicyInstances"]]
    r53.delete_traffic_policy_instance(Id=one)
    refused("NoSuchTrafficPolicyInstance", r53.get_traffic_policy_instance, Id=one, status=404)
    eventually(lambda: not resolve(t, at), "its records are gone")
