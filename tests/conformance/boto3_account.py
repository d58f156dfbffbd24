"""Who one is, what one may: STS, Service Quotas, throttling; by boto3. And what the twin does not have."""

import concurrent.futures

from case import ACCOUNT, SECONDARY, Target, case, equal, refused

CLIENT = "boto3"


@case("sts:GetCallerIdentity", peers=True)
def the_caller_is_the_account(t):
    seen = t.boto("sts").get_caller_identity()
    equal(seen["Account"], ACCOUNT)
    assert seen["Arn"].startswith("arn:aws:") and ACCOUNT in seen["Arn"] and seen["UserId"], seen


@case("service-quotas:ListServices")
def services_have_quotas(t):
    services = t.boto("service-quotas").get_paginator("list_services").paginate().build_full_result()["Services"]
    assert {"iot", "iotcore"} <= {x["ServiceCode"] for x in services}, services


@case("service-quotas:GetServiceQuota service-quotas:GetAWSDefaultServiceQuota")
def a_quota_applies_and_has_a_default(t):
    quotas, code = t.boto("service-quotas"), {"ServiceCode": "iotcore", "QuotaCode": "L-64CBACAC"}
    default = quotas.get_aws_default_service_quota(**code)["Quota"]
    equal((default["Value"], default["QuotaName"], default["Adjustable"]), (100.0, "CreateThing API TPS", True))
    applied = quotas.get_service_quota(**code)["Quota"]
    assert applied["Value"] >= 100.0 and applied["QuotaArn"].endswith("iotcore/L-64CBACAC"), applied


@case("service-quotas:ListServiceQuotas service-quotas:ListAWSDefaultServiceQuotas")
def quotas_are_listed(t):
    quotas = t.boto("service-quotas")
    for call in ("list_service_quotas", "list_aws_default_service_quotas"):
        listed = quotas.get_paginator(call).paginate(ServiceCode="iotcore").build_full_result()["Quotas"]
        codes = [x["QuotaCode"] for x in listed]
        assert len(codes) > 200 and len(codes) == len(set(codes)), (call, len(codes))


@case("service-quotas:GetServiceQuota")
def an_absent_quota_is_not_found(t):
    refused("NoSuchResourceException", t.boto("service-quotas").get_service_quota, ServiceCode="iotcore",
            QuotaCode="L-00000000", status=400)


@case("service-quotas:RequestServiceQuotaIncrease")
def an_increase_is_requested(t):
    quotas = t.boto("service-quotas", SECONDARY)
    asked = quotas.request_service_quota_increase(ServiceCode="iotcore", QuotaCode="L-211F680E", DesiredValue=100_000.0)
    equal((asked["RequestedQuota"]["Status"], asked["RequestedQuota"]["DesiredValue"]), ("PENDING", 100_000.0))
    refused("IllegalArgumentException", quotas.request_service_quota_increase, ServiceCode="iotcore",
            QuotaCode="L-211F680E", DesiredValue=1.0, status=400)


@case("service-quotas:RequestServiceQuotaIncrease service-quotas:ListRequestedServiceQuotaChangeHistory")
def a_request_for_more_is_pending_and_made_once(t):
    quotas = t.boto("service-quotas", SECONDARY)
    more = {"ServiceCode": "iotcore", "QuotaCode": "L-889800F7", "DesiredValue": 200_000.0}
    asked = quotas.request_service_quota_increase(**more)["RequestedQuota"]
    refused("ResourceAlreadyExistsException", quotas.request_service_quota_increase, **more, status=400)
    def listed(client, **of):
        pages = client.get_paginator("list_requested_service_quota_change_history").paginate(**of)
        return pages.build_full_result()["RequestedQuotas"]
    found = [x for x in listed(quotas, ServiceCode="iotcore", Status="PENDING") if x["Id"] == asked["Id"]]
    equal([(x["QuotaCode"], x["DesiredValue"]) for x in found], [("L-889800F7", 200_000.0)])
    equal([x for x in listed(t.boto("service-quotas"), ServiceCode="iotcore") if x["Id"] == asked["Id"]], [])


@case("iot:ListTopicRules", alone=True)
def too_many_calls_are_throttled(t):
    # One a second is AWS's quota; the twin of the tests may have a multiple of it.
    iot, answers = t.boto("iot", SECONDARY), []

    def call(_):
        try:
            iot.list_topic_rules()
        except iot.exceptions.ClientError as error:
            return error.response

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = [x for x in pool.map(call, range(150)) if x]
    assert answers, "150 calls were let through"
    call(0)
    codes = {(x["Error"]["Code"], x["ResponseMetadata"]["HTTPStatusCode"]) for x in answers}
    equal(codes, {("ThrottlingException", 400)})


@case("iot:ListThings", alone=True)
def botocore_retries_what_was_throttled(t):
    import boto3
    from botocore.config import Config

    config = Config(retries={"mode": "standard", "total_max_attempts": 5})
    iot = boto3.client("iot", region_name=SECONDARY, endpoint_url=t.url, aws_access_key_id="x",
                       aws_secret_access_key="x", config=config)
    tries = [iot.list_topic_rules()["ResponseMetadata"]["RetryAttempts"] for _ in range(120)]
    t.boto("iot", SECONDARY).list_things()
    assert any(tries), "nothing was throttled"


@case("iot:ListThings")
def a_region_that_is_not_there_is_refused(t: Target):
    from botocore.exceptions import ClientError

    try:
        t.boto("iot", "eu-west-1").list_things()
    except ClientError as error:
        assert "us-east-1" in str(error), error
        return
    raise AssertionError("a third Region answered")


@case()
def what_is_not_there_is_refused_in_each_protocol(t):
    from botocore.exceptions import ClientError

    calls = [("iot", "list_streams", {}), ("dynamodb", "list_backups", {}), ("lambda", "list_code_signing_configs", {}),
             ("route53", "list_reusable_delegation_sets", {}), ("stepfunctions", "list_activities", {}),
             ("service-quotas", "list_aws_default_service_quotas", {"ServiceCode": "ec2"}),
             ("sts", "get_session_token", {})]
    for service, operation, parameters in calls:
        try:
            getattr(t.boto(service), operation)(**parameters)
        except ClientError as error:
            response = error.response
            assert 400 <= response["ResponseMetadata"]["HTTPStatusCode"] < 500, (service, response)
            assert response["Error"]["Code"] and not response["Error"]["Code"].isdigit(), (service, response)
            assert response["Error"]["Message"], (service, response)
        else:
            raise AssertionError(f"{service} {operation} was answered")
