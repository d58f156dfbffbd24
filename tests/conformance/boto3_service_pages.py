"""Paginators of the services that belong together with functions: SQS, API Gateway, and Lambda's own lists."""

from boto3_gateway import rest_api
from boto3_lambda import function
from boto3_pages import by, pages
from case import ACCOUNT, PRIMARY, fresh

CLIENT = "boto3"


@pages("sqs:ListQueues", "QueueUrls", peers=False)
def _(t):
    prefix = fresh("queue")
    urls = [t.boto("sqs").create_queue(QueueName=f"{prefix}-{n}")["QueueUrl"] for n in range(3)]
    return {"QueueNamePrefix": prefix}, urls


@pages("lambda:ListFunctionEventInvokeConfigs", "FunctionEventInvokeConfigs", by("FunctionArn"), peers=False, single=True)
def _(t):
    name = function(t)
    seen = t.boto("lambda").put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=1)
    return {"FunctionName": name}, [seen["FunctionArn"]]


@pages("lambda:ListFunctionUrlConfigs", "FunctionUrlConfigs", by("FunctionUrl"), peers=False, single=True)
def _(t):
    name = function(t)
    seen = t.boto("lambda").create_function_url_config(FunctionName=name, AuthType="NONE")
    return {"FunctionName": name}, [seen["FunctionUrl"]]


@pages("lambda:ListVersionsByFunction", "Versions", by("Version"), peers=False, single=True)
def _(t):
    return {"FunctionName": function(t)}, ["$LATEST"]


@pages("apigateway:GetRestApis", "items", by("id"), peers=False, alone=True)
def _(t):
    return {}, [rest_api(t)[0] for _ in range(3)]


@pages("apigateway:GetResources", "items", by("id"), peers=False)
def _(t):
    api, (rest, root) = t.boto("apigateway"), rest_api(t)
    made = [api.create_resource(restApiId=rest, parentId=root, pathPart=part)["id"] for part in ("a", "b")]
    return {"restApiId": rest}, [root, *made]


@pages("apigateway:GetRequestValidators", "items", by("id"), peers=False)
def _(t):
    api, (rest, _) = t.boto("apigateway"), rest_api(t)
    made = [api.create_request_validator(restApiId=rest, name=fresh("validator"))["id"] for _ in range(3)]
    return {"restApiId": rest}, made


@pages("apigateway:GetDeployments", "items", by("id"), peers=False)
def _(t):
    api, (rest, root) = t.boto("apigateway"), rest_api(t)
    api.put_method(restApiId=rest, resourceId=root, httpMethod="GET", authorizationType="NONE")
    arn = f"arn:aws:lambda:{PRIMARY}:{ACCOUNT}:function:{function(t)}"
    uri = f"arn:aws:apigateway:{PRIMARY}:lambda:path/2015-03-31/functions/{arn}/invocations"
    api.put_integration(
        restApiId=rest, resourceId=root, httpMethod="GET", type="AWS_PROXY", integrationHttpMethod="POST", uri=uri
    )
    return {"restApiId": rest}, [api.create_deployment(restApiId=rest)["id"] for _ in range(3)]


@pages("apigateway:GetApiKeys", "items", by("id"), peers=False, alone=True)
def _(t):
    return {}, [t.boto("apigateway").create_api_key(name=fresh("key"))["id"] for _ in range(3)]


@pages("apigateway:GetUsagePlans", "items", by("id"), peers=False, alone=True)
def _(t):
    return {}, [t.boto("apigateway").create_usage_plan(name=fresh("plan"))["id"] for _ in range(3)]


@pages("apigateway:GetUsagePlanKeys", "items", by("id"), peers=False)
def _(t):
    api = t.boto("apigateway")
    plan = api.create_usage_plan(name=fresh("plan"))["id"]
    keys = [api.create_api_key(name=fresh("key"))["id"] for _ in range(2)]
    for key in keys:
        api.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")
    return {"usagePlanId": plan}, keys
