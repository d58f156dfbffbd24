"""Route 53, by boto3: zones, records, health checks that really call; and the answers of the DNS server."""

import contextlib
import http.server
import threading

from case import case, equal, eventually, fresh, refused, skip

CLIENT = "boto3"


def zone(t):
    name = fresh("zone") + ".test."
    made = t.boto("route53").create_hosted_zone(Name=name, CallerReference=fresh("ref"))
    return made["HostedZone"]["Id"], name


def change(t, zone_id, *records, action="UPSERT"):
    changes = [{"Action": action, "ResourceRecordSet": record} for record in records]
    return t.boto("route53").change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": changes})


def record(name, value, kind="CNAME", ttl=10, **more):
    return {"Name": name, "Type": kind, "TTL": ttl, "ResourceRecords": [{"Value": value}], **more}


def check(t, **config):
    wanted = {"Type": "TCP", "IPAddress": "127.0.0.1", "Port": 9, "RequestInterval": 10, "FailureThreshold": 1, **config}
    made = t.boto("route53").create_health_check(CallerReference=fresh("ref"), HealthCheckConfig=wanted)
    return made["HealthCheck"]["Id"]


@case("route53:CreateHostedZone route53:GetHostedZone route53:ListHostedZonesByName", peers=True)
def a_zone_is_described(t):
    r53, name = t.boto("route53"), fresh("zone") + ".test"
    made = r53.create_hosted_zone(Name=name, CallerReference=fresh("ref"), HostedZoneConfig={"Comment": "mine"})
    equal(made["HostedZone"]["Name"], name + ".")
    assert made["HostedZone"]["Id"].startswith("/hostedzone/Z"), made["HostedZone"]
    equal(len(made["DelegationSet"]["NameServers"]), 4)
    assert made["Location"].endswith(made["HostedZone"]["Id"].split("/")[-1])
    seen = r53.get_hosted_zone(Id=made["HostedZone"]["Id"])["HostedZone"]
    equal((seen["Config"]["Comment"], seen["Config"]["PrivateZone"], seen["ResourceRecordSetCount"]), ("mine", False, 2))
    first = r53.list_hosted_zones_by_name(DNSName=name, MaxItems="1")
    equal([x["Name"] for x in first["HostedZones"]], [name + "."])


@case("route53:CreateHostedZone", peers=True)
def a_caller_reference_is_used_once(t):
    r53, reference = t.boto("route53"), fresh("ref")
    r53.create_hosted_zone(Name=fresh("zone") + ".test", CallerReference=reference)
    refused("HostedZoneAlreadyExists", r53.create_hosted_zone, Name=fresh("zone") + ".test", CallerReference=reference,
            status=409)


@case("route53:ListHostedZones route53:DeleteHostedZone", peers=True)
def a_zone_is_listed_and_deleted_once_empty(t):
    r53, (zone_id, name) = t.boto("route53"), zone(t)
    listed = r53.get_paginator("list_hosted_zones").paginate().build_full_result()["HostedZones"]
    assert zone_id in [x["Id"] for x in listed]
    one = record(f"a.{name}", "b.test")
    change(t, zone_id, one)
    refused("HostedZoneNotEmpty", r53.delete_hosted_zone, Id=zone_id, status=400)
    change(t, zone_id, one, action="DELETE")
    r53.delete_hosted_zone(Id=zone_id)
    refused("NoSuchHostedZone", r53.get_hosted_zone, Id=zone_id, status=404)


@case("route53:ChangeResourceRecordSets route53:ListResourceRecordSets route53:GetChange", peers=True)
def records_are_changed_and_listed(t):
    r53, (zone_id, name) = t.boto("route53"), zone(t)
    info = change(t, zone_id, record(f"a.{name}", "one.test"), record(f"b.{name}", '"text"', "TXT"))["ChangeInfo"]
    assert info["Status"] in ("PENDING", "INSYNC") and info["Id"].startswith("/change/"), info
    r53.get_waiter("resource_record_sets_changed").wait(Id=info["Id"], WaiterConfig={"Delay": 1, "MaxAttempts": 15})
    equal(r53.get_change(Id=info["Id"])["ChangeInfo"]["Status"], "INSYNC")
    listed = r53.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
    equal([(x["Name"], x["Type"]) for x in listed],
          [(name, "NS"), (name, "SOA"), (f"a.{name}", "CNAME"), (f"b.{name}", "TXT")])
    only = r53.list_resource_record_sets(HostedZoneId=zone_id, StartRecordName=f"b.{name}", MaxItems="1")
    equal([x["ResourceRecords"] for x in only["ResourceRecordSets"]], [[{"Value": '"text"'}]])


@case("route53:ChangeResourceRecordSets", peers=True)
def a_batch_is_whole_or_nothing(t):
    r53, (zone_id, name) = t.boto("route53"), zone(t)
    change(t, zone_id, record(f"a.{name}", "one.test"), action="CREATE")
    error = refused("InvalidChangeBatch", r53.change_resource_record_sets, HostedZoneId=zone_id, status=400, ChangeBatch={
        "Changes": [{"Action": "CREATE", "ResourceRecordSet": record(f"new.{name}", "x.test")},
                    {"Action": "CREATE", "ResourceRecordSet": record(f"a.{name}", "two.test")}]})
    assert "already exists" in str(error), error
    names = [x["Name"] for x in r53.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]]
    assert f"new.{name}" not in names, names


@case("route53:ChangeResourceRecordSets", peers=True)
def wrong_changes_are_refused(t):
    r53, (zone_id, name) = t.boto("route53"), zone(t)

    def batch(action, one):
        return {"HostedZoneId": zone_id, "ChangeBatch": {"Changes": [{"Action": action, "ResourceRecordSet": one}]}}

    wrong = [batch("DELETE", record(f"none.{name}", "x.test")), batch("CREATE", record("other.example.", "x.test")),
             batch("CREATE", record(name, "x.test"))]
    for parameters in wrong:
        refused("InvalidChangeBatch", r53.change_resource_record_sets, status=400, **parameters)
    refused("NoSuchHostedZone", r53.change_resource_record_sets, status=404,
            **{**batch("CREATE", record(f"a.{name}", "x.test")), "HostedZoneId": "Z00000000000000000000"})


@case("route53:CreateHealthCheck route53:GetHealthCheck route53:ListHealthChecks", peers=True)
def a_check_is_described_and_listed(t):
    r53, reference = t.boto("route53"), fresh("ref")
    wanted = {"Type": "HTTPS", "IPAddress": "127.0.0.1", "Port": 9, "ResourcePath": "/health", "RequestInterval": 10,
              "FailureThreshold": 2, "EnableSNI": True, "FullyQualifiedDomainName": "health.test"}
    made = r53.create_health_check(CallerReference=reference, HealthCheckConfig=wanted)
    own = made["HealthCheck"]
    assert made["Location"].endswith(own["Id"]), made["Location"]
    equal((own["HealthCheckVersion"], own["CallerReference"]), (1, reference))
    seen = r53.get_health_check(HealthCheckId=own["Id"])["HealthCheck"]["HealthCheckConfig"]
    equal({name: seen.get(name) for name in wanted}, wanted)
    equal((seen["Inverted"], seen["Disabled"]), (False, False))
    listed = r53.get_paginator("list_health_checks").paginate().build_full_result()["HealthChecks"]
    assert own["Id"] in [x["Id"] for x in listed]


@case("route53:CreateHealthCheck", peers=True)
def a_reference_of_a_check_is_idempotent(t):
    r53, reference = t.boto("route53"), fresh("ref")
    wanted = {"Type": "TCP", "IPAddress": "127.0.0.1", "Port": 9, "RequestInterval": 30, "FailureThreshold": 3}
    one = r53.create_health_check(CallerReference=reference, HealthCheckConfig=wanted)["HealthCheck"]["Id"]
    equal(r53.create_health_check(CallerReference=reference, HealthCheckConfig=wanted)["HealthCheck"]["Id"], one)
    refused("HealthCheckAlreadyExists", r53.create_health_check, CallerReference=reference,
            HealthCheckConfig={**wanted, "Port": 10}, status=409)


@case("route53:UpdateHealthCheck route53:DeleteHealthCheck", peers=True)
def a_check_is_compared_and_set(t):
    r53, own = t.boto("route53"), check(t)
    seen = r53.update_health_check(HealthCheckId=own, HealthCheckVersion=1, Port=10)["HealthCheck"]
    equal((seen["HealthCheckVersion"], seen["HealthCheckConfig"]["Port"]), (2, 10))
    refused("HealthCheckVersionMismatch", r53.update_health_check, HealthCheckId=own, HealthCheckVersion=1, Port=11,
            status=409)
    r53.delete_health_check(HealthCheckId=own)
    refused("NoSuchHealthCheck", r53.get_health_check, HealthCheckId=own, status=404)


@case("route53:CreateHealthCheck", peers=True)
def wrong_checks_are_refused(t):
    wanted = {"Type": "HTTP", "IPAddress": "127.0.0.1", "Port": 80, "RequestInterval": 20}
    refused("InvalidInput", t.boto("route53").create_health_check, CallerReference=fresh("ref"), HealthCheckConfig=wanted,
            status=400)


@case("route53:ChangeTagsForResource route53:ListTagsForResource", peers=True)
def a_check_has_tags(t):
    r53, own = t.boto("route53"), check(t)
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    r53.change_tags_for_resource(ResourceType="healthcheck", ResourceId=own, AddTags=tags)
    r53.change_tags_for_resource(ResourceType="healthcheck", ResourceId=own, RemoveTagKeys=["a"])
    seen = r53.list_tags_for_resource(ResourceType="healthcheck", ResourceId=own)["ResourceTagSet"]
    equal((seen["ResourceId"], seen["Tags"]), (own, tags[1:]))


@contextlib.contextmanager
def web():
    """A server on loopback; `status[0]` is what it answers."""
    status, asked = [200], []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers.get("User-Agent", "")))
            self.send_response(status[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port, status, asked
    finally:
        server.shutdown()


def opinions(t, own):
    seen = t.boto("route53").get_health_check_status(HealthCheckId=own)["HealthCheckObservations"]
    return [x.get("StatusReport", {}).get("Status", "none yet") for x in seen]


def resolve(t, name, kind="CNAME"):
    """What the DNS server says, without following."""
    try:
        import dns.message
        import dns.query
    except ImportError:
        skip("dnspython is not installed")
    host, port = t.env["GAMEDAY_DNS"].split(":")
    answer = dns.query.udp(dns.message.make_query(name, kind), host, port=int(port), timeout=5)
    return [item.to_text() for rrset in answer.answer for item in rrset if rrset.name.to_text() == name]


@case("route53:GetHealthCheckStatus route53:GetHealthCheckLastFailureReason route53:ChangeResourceRecordSets")
def a_failing_check_moves_the_name_and_a_healthy_one_brings_it_back(t):
    zone_id, name = zone(t)
    with web() as (port, status, asked):
        own = check(t, Type="HTTP", Port=port, ResourcePath="/health")
        at = f"iot.{name}"
        one = record(at, "primary.test.", SetIdentifier="1", Failover="PRIMARY", HealthCheckId=own)
        two = record(at, "secondary.test.", SetIdentifier="2", Failover="SECONDARY")
        change(t, zone_id, one, two)
        equal(resolve(t, at), ["primary.test."])
        eventually(lambda: asked, "a checker calls")
        equal(asked[0][0], "/health")
        assert "Route 53" in asked[0][1].replace("Route53", "Route 53"), asked[0]
        eventually(lambda: all("Success" in x for x in opinions(t, own)), "all are content", 30)
        status[0] = 503
        eventually(lambda: resolve(t, at) == ["secondary.test."], "the name moves", 30)
        eventually(lambda: all("Failure" in x for x in opinions(t, own)), "none is content", 30)
        reasons = t.boto("route53").get_health_check_last_failure_reason(HealthCheckId=own)["HealthCheckObservations"]
        assert "503" in reasons[0]["StatusReport"]["Status"], reasons[0]
        status[0] = 200
        eventually(lambda: resolve(t, at) == ["primary.test."], "it is back", 30)


@case("route53:UpdateHealthCheck route53:GetHealthCheckStatus")
def inverted_and_disabled_checks(t):
    zone_id, name = zone(t)
    own, at = check(t, Inverted=True, Disabled=True), f"iot.{name}"
    change(t, zone_id, record(at, "primary.test.", SetIdentifier="1", Failover="PRIMARY", HealthCheckId=own),
           record(at, "secondary.test.", SetIdentifier="2", Failover="SECONDARY"))
    # A disabled check is healthy; inverted, it is unhealthy.
    eventually(lambda: resolve(t, at) == ["secondary.test."], "a disabled inverted check is unhealthy")
    t.boto("route53").update_health_check(HealthCheckId=own, Inverted=False)
    eventually(lambda: resolve(t, at) == ["primary.test."], "a disabled check is healthy")
    assert opinions(t, own) is not None


@case()
def the_endpoints_resolve_to_their_regions(t):
    equal(resolve(t, t.of("PRIMARY", "HOST") + ".", "A"), [t.of("PRIMARY", "ADDRESS")])
    equal(resolve(t, t.of("SECONDARY", "HOST") + ".", "A"), [t.of("SECONDARY", "ADDRESS")])
