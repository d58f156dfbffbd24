"""API Gateway's REST APIs, by boto3: one that calls a function, and what is around it."""

import json
import socket
import ssl

from boto3_lambda import ECHO, function, package
from case import ACCOUNT, PRIMARY, case, equal, fresh, refused

CLIENT = "boto3"

#: Answers in the shape of a proxy integration.
PROXY = ECHO.replace('{"event": event, "env"', '{"statusCode": 418, "headers": {}, "body": json.dumps(event), "env"')


def rest_api(t):
    """An API with a method that a mock answers, and its ids."""
    api = t.boto("apigateway")
    rest = api.create_rest_api(name=fresh("api"))["id"]
    root = next(x["id"] for x in api.get_resources(restApiId=rest)["items"] if x["path"] == "/")
    return rest, root


@case("apigateway:CreateRestApi apigateway:GetResources apigateway:CreateResource apigateway:PutMethod "
      "apigateway:PutIntegration apigateway:CreateDeployment")
def a_rest_api_calls_a_function(t):
    api = t.boto("apigateway")
    name = function(t, package(bootstrap=PROXY))
    rest = api.create_rest_api(name=fresh("api"))["id"]
    root = next(x["id"] for x in api.get_resources(restApiId=rest)["items"] if x["path"] == "/")
    at = api.create_resource(restApiId=rest, parentId=root, pathPart="health")["id"]
    api.put_method(restApiId=rest, resourceId=at, httpMethod="GET", authorizationType="NONE")
    arn = f"arn:aws:lambda:{PRIMARY}:{ACCOUNT}:function:{name}"
    api.put_integration(restApiId=rest, resourceId=at, httpMethod="GET", type="AWS_PROXY", integrationHttpMethod="POST",
                        uri=f"arn:aws:apigateway:{PRIMARY}:lambda:path/2015-03-31/functions/{arn}/invocations")
    api.create_deployment(restApiId=rest, stageName="live")
    host, port = f"{rest}.execute-api.{PRIMARY}.amazonaws.com", int(t.of("PRIMARY", "HTTPS_PORT"))
    tls = ssl.create_default_context(cafile=t.env["GAMEDAY_CA"])
    with tls.wrap_socket(socket.create_connection((t.of("PRIMARY", "ADDRESS"), port), 10), server_hostname=host) as one:
        one.sendall(f"GET /live/health?a=b HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: one.recv(65536), b"")).decode()
    assert answer.startswith("HTTP/1.1 418"), answer
    event = json.loads(answer[answer.index("{"):answer.rindex("}") + 1])
    equal((event["httpMethod"], event["path"], event["queryStringParameters"]), ("GET", "/health", {"a": "b"}))


@case("apigateway:GetRestApi apigateway:GetRestApis apigateway:UpdateRestApi apigateway:DeleteRestApi")
def an_api_is_described_changed_and_deleted(t):
    api, (rest, _) = t.boto("apigateway"), rest_api(t)
    api.update_rest_api(restApiId=rest, patchOperations=[{"op": "replace", "path": "/description", "value": "mine"}])
    equal(api.get_rest_api(restApiId=rest)["description"], "mine")
    assert rest in [x["id"] for x in api.get_rest_apis(limit=500)["items"]]
    api.delete_rest_api(restApiId=rest)
    refused("NotFoundException", api.get_rest_api, restApiId=rest, status=404)


@case("apigateway:GetResource apigateway:DeleteResource apigateway:GetMethod apigateway:DeleteMethod "
      "apigateway:GetIntegration apigateway:DeleteIntegration apigateway:PutMethodResponse apigateway:GetMethodResponse "
      "apigateway:DeleteMethodResponse apigateway:CreateRequestValidator apigateway:GetRequestValidator "
      "apigateway:GetRequestValidators apigateway:DeleteRequestValidator apigateway:PutIntegrationResponse "
      "apigateway:GetIntegrationResponse apigateway:DeleteIntegrationResponse")
def resources_methods_and_integrations(t):
    api, (rest, root) = t.boto("apigateway"), rest_api(t)
    at = api.create_resource(restApiId=rest, parentId=root, pathPart="health")["id"]
    equal(api.get_resource(restApiId=rest, resourceId=at)["path"], "/health")
    own = {"restApiId": rest, "resourceId": at, "httpMethod": "GET"}
    validator = api.create_request_validator(restApiId=rest, name="params", validateRequestParameters=True)["id"]
    equal(api.get_request_validator(restApiId=rest, requestValidatorId=validator)["validateRequestParameters"], True)
    equal([x["id"] for x in api.get_request_validators(restApiId=rest)["items"]], [validator])
    api.put_method(**own, authorizationType="NONE", requestValidatorId=validator)
    equal(api.get_method(**own)["authorizationType"], "NONE")
    arn = f"arn:aws:lambda:{PRIMARY}:{ACCOUNT}:function:any"
    api.put_integration(**own, type="AWS_PROXY", integrationHttpMethod="POST",
                        uri=f"arn:aws:apigateway:{PRIMARY}:lambda:path/2015-03-31/functions/{arn}/invocations")
    equal(api.get_integration(**own)["type"], "AWS_PROXY")
    api.put_method_response(**own, statusCode="200")
    api.put_integration_response(**own, statusCode="200")
    equal(api.get_method_response(**own, statusCode="200")["statusCode"], "200")
    equal(api.get_integration_response(**own, statusCode="200")["statusCode"], "200")
    api.delete_integration_response(**own, statusCode="200")
    api.delete_method_response(**own, statusCode="200")
    api.delete_integration(**own)
    refused("NotFoundException", api.get_integration, **own, status=404)
    api.delete_method(**own)
    api.delete_request_validator(restApiId=rest, requestValidatorId=validator)
    api.delete_resource(restApiId=rest, resourceId=at)
    refused("NotFoundException", api.get_resource, restApiId=rest, resourceId=at, status=404)


@case("apigateway:GetDeployment apigateway:GetDeployments apigateway:DeleteDeployment apigateway:CreateStage "
      "apigateway:GetStage apigateway:GetStages apigateway:UpdateStage apigateway:DeleteStage apigateway:CreateApiKey "
      "apigateway:GetApiKey apigateway:GetApiKeys apigateway:UpdateApiKey apigateway:DeleteApiKey "
      "apigateway:CreateUsagePlan apigateway:GetUsagePlan apigateway:GetUsagePlans apigateway:UpdateUsagePlan "
      "apigateway:DeleteUsagePlan apigateway:CreateUsagePlanKey apigateway:GetUsagePlanKey apigateway:GetUsagePlanKeys "
      "apigateway:DeleteUsagePlanKey")
def stages_keys_and_usage_plans(t):
    api, (rest, root) = t.boto("apigateway"), rest_api(t)
    api.put_method(restApiId=rest, resourceId=root, httpMethod="GET", authorizationType="NONE")
    arn = f"arn:aws:lambda:{PRIMARY}:{ACCOUNT}:function:any"
    api.put_integration(restApiId=rest, resourceId=root, httpMethod="GET", type="AWS_PROXY", integrationHttpMethod="POST",
                        uri=f"arn:aws:apigateway:{PRIMARY}:lambda:path/2015-03-31/functions/{arn}/invocations")
    deployment = api.create_deployment(restApiId=rest)["id"]
    equal(api.get_deployment(restApiId=rest, deploymentId=deployment)["id"], deployment)
    equal([x["id"] for x in api.get_deployments(restApiId=rest)["items"]], [deployment])
    own = {"restApiId": rest, "stageName": "live"}
    api.create_stage(**own, deploymentId=deployment, variables={"a": "1"})
    api.update_stage(**own, patchOperations=[{"op": "replace", "path": "/description", "value": "mine"}])
    seen = api.get_stage(**own)
    equal((seen["description"], seen["variables"], seen["deploymentId"]), ("mine", {"a": "1"}, deployment))
    equal([x["stageName"] for x in api.get_stages(restApiId=rest)["item"]], ["live"])
    key = api.create_api_key(name=fresh("key"), enabled=True)["id"]
    api.update_api_key(apiKey=key, patchOperations=[{"op": "replace", "path": "/description", "value": "mine"}])
    equal(api.get_api_key(apiKey=key, includeValue=True)["description"], "mine")
    assert key in [x["id"] for x in api.get_api_keys(limit=500)["items"]]
    plan = api.create_usage_plan(name=fresh("plan"), apiStages=[{"apiId": rest, "stage": "live"}])["id"]
    api.update_usage_plan(usagePlanId=plan, patchOperations=[{"op": "replace", "path": "/description", "value": "mine"}])
    equal(api.get_usage_plan(usagePlanId=plan)["description"], "mine")
    assert plan in [x["id"] for x in api.get_usage_plans(limit=500)["items"]]
    api.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")
    equal(api.get_usage_plan_key(usagePlanId=plan, keyId=key)["id"], key)
    equal([x["id"] for x in api.get_usage_plan_keys(usagePlanId=plan)["items"]], [key])
    api.delete_usage_plan_key(usagePlanId=plan, keyId=key)
    # A plan goes once it has no stages, a deployment once no stage uses it.
    refused("BadRequestException", api.delete_usage_plan, usagePlanId=plan, status=400)
    api.update_usage_plan(usagePlanId=plan, patchOperations=[{"op": "remove", "path": "/apiStages", "value": f"{rest}:live"}])
    api.delete_usage_plan(usagePlanId=plan)
    api.delete_api_key(apiKey=key)
    refused("BadRequestException", api.delete_deployment, restApiId=rest, deploymentId=deployment, status=400)
    api.delete_stage(**own)
    api.delete_deployment(restApiId=rest, deploymentId=deployment)
    refused("NotFoundException", api.get_stage, **own, status=404)
