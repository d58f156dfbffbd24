"""A stack as a solution deploys it: functions from a bucket, a stream that feeds one, a queue for what fails, a health API,
a health check of it, roles, a schedule, an alarm. In YAML with short tags, as people write it."""

import socket
import ssl

from boto3_lambda import ECHO, package
from boto3_stacks import FAST, outputs
from boto3_storage import bucket
from case import ACCOUNT, PRIMARY, case, equal, eventually, fresh, refused

CLIENT = "boto3"

#: Answers a proxy integration, and anything else.
ANSWER = ECHO.replace('{"event": event, "env"', '{"statusCode": 200, "headers": {}, "body": "fine", "event": event, "env"')

TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Description: what a disaster-recovery solution is made of
Parameters:
  Bucket: {Type: String}
  Memory: {Type: Number, Default: 128}
Mappings:
  Times: {us-east-1: {Timeout: 20}, us-west-2: {Timeout: 10}}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}]
      Policies:
        - PolicyName: read
          PolicyDocument: {Statement: [{Effect: Allow, Action: "dynamodb:GetRecords", Resource: !GetAtt Table.StreamArn}]}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      KeySchema: [{AttributeName: k, KeyType: HASH}]
      AttributeDefinitions: [{AttributeName: k, AttributeType: S}]
      StreamSpecification: {StreamViewType: NEW_AND_OLD_IMAGES}
      TimeToLiveSpecification: {AttributeName: expires, Enabled: true}
  Failed: {Type: "AWS::SQS::Queue", Properties: {MessageRetentionPeriod: 3600}}
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: provided.al2023
      Handler: bootstrap
      Role: !GetAtt Role.Arn
      Code: {S3Bucket: !Ref Bucket, S3Key: function.zip}
      MemorySize: !Ref Memory
      Timeout: !FindInMap [Times, !Ref "AWS::Region", Timeout]
      Environment: {Variables: {TABLE: !Ref Table, QUEUE: !Ref Failed}}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !GetAtt Table.StreamArn
      FunctionName: !GetAtt Function.Arn
      StartingPosition: TRIM_HORIZON
      MaximumRetryAttempts: 2
      DestinationConfig: {OnFailure: {Destination: !GetAtt Failed.Arn}}
  Url: {Type: "AWS::Lambda::Url", Properties: {TargetFunctionArn: !GetAtt Function.Arn, AuthType: NONE}}
  Api: {Type: "AWS::ApiGateway::RestApi", Properties: {Name: !Sub "${AWS::StackName} health"}}
  Path:
    Type: AWS::ApiGateway::Resource
    Properties: {RestApiId: !Ref Api, ParentId: !GetAtt Api.RootResourceId, PathPart: health-check}
  Validator:
    Type: AWS::ApiGateway::RequestValidator
    Properties: {RestApiId: !Ref Api, Name: parameters, ValidateRequestParameters: true}
  Get:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Api
      ResourceId: !Ref Path
      HttpMethod: GET
      AuthorizationType: NONE
      RequestValidatorId: !Ref Validator
      RequestParameters: {method.request.querystring.hashme: true}
      Integration:
        Type: AWS_PROXY
        IntegrationHttpMethod: POST
        Uri: !Sub "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Function.Arn}/invocations"
  Deployment: {Type: "AWS::ApiGateway::Deployment", DependsOn: Get, Properties: {RestApiId: !Ref Api}}
  Stage:
    Type: AWS::ApiGateway::Stage
    Properties: {RestApiId: !Ref Api, DeploymentId: !Ref Deployment, StageName: v1}
  MayInvoke:
    Type: AWS::Lambda::Permission
    Properties:
      FunctionName: !Ref Function
      Action: lambda:InvokeFunction
      Principal: apigateway.amazonaws.com
      SourceArn: !Sub "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*"
  Rule:
    Type: AWS::Events::Rule
    Properties:
      ScheduleExpression: rate(30 minutes)
      Targets: [{Id: repair, Arn: !GetAtt Function.Arn}]
  Check:
    Type: AWS::Route53::HealthCheck
    Properties:
      HealthCheckConfig:
        Type: HTTPS
        FullyQualifiedDomainName: !Sub "${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}"
        Port: 443
        ResourcePath: !Join ["", ["/v1/health-check?hashme=", "x"]]
        RequestInterval: 30
  Logs: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: !Sub "/aws/lambda/${Function}", RetentionInDays: 7}}
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties: {ComparisonOperator: GreaterThanThreshold, EvaluationPeriods: 1, MetricName: Errors, Namespace: AWS/Lambda,
                 Period: 60, Statistic: Sum, Threshold: 0}
Outputs:
  Function: {Value: !Ref Function}
  Queue: {Value: !Ref Failed}
  Table: {Value: !Ref Table}
  Url: {Value: !GetAtt Url.FunctionUrl}
  Api: {Value: !Ref Api}
  Check: {Value: !Ref Check}
"""


def asked(t, host, path):
    """The first line of what a GET is answered."""
    tls = ssl.create_default_context(cafile=t.env["GAMEDAY_CA"])
    at = (t.of("PRIMARY", "ADDRESS"), int(t.of("PRIMARY", "HTTPS_PORT")))
    with tls.wrap_socket(socket.create_connection(at, 10), server_hostname=host) as one:
        one.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: one.recv(65536), b"")).decode().split("\r\n")[0]


@case("cloudformation:CreateStack cloudformation:UpdateStack cloudformation:DeleteStack s3:PutObject lambda:GetFunction "
      "sqs:GetQueueAttributes")
def a_solution_is_deployed_changed_and_removed(t):
    stacks, functions, queues = t.boto("cloudformation"), t.boto("lambda"), t.boto("sqs")
    code, name = bucket(t), fresh("solution")
    t.boto("s3").put_object(Bucket=code, Key="function.zip", Body=package(bootstrap=ANSWER))
    own = {"StackName": name, "TemplateBody": TEMPLATE}
    given = [{"ParameterKey": "Bucket", "ParameterValue": code}]
    refused("InsufficientCapabilitiesException", stacks.create_stack, **own, Parameters=given, status=400)
    stacks.create_stack(**own, Parameters=given, Capabilities=["CAPABILITY_IAM"])
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=FAST)
    made = outputs(t, name)
    function = functions.get_function(FunctionName=made["Function"])["Configuration"]
    equal((function["MemorySize"], function["Timeout"]), (128, 20))
    equal(function["Role"], f"arn:aws:iam::{ACCOUNT}:role/" + function["Role"].split("/")[-1])
    equal(function["Environment"]["Variables"], {"TABLE": made["Table"], "QUEUE": made["Queue"]})
    queues.get_queue_attributes(QueueUrl=made["Queue"], AttributeNames=["All"])

    host = f"{made['Api']}.execute-api.{PRIMARY}.amazonaws.com"
    equal(asked(t, host, "/v1/health-check?hashme=x"), "HTTP/1.1 200 OK")
    equal(asked(t, host, "/v1/health-check"), "HTTP/1.1 400 Bad Request")
    equal(asked(t, made["Url"].split("/")[2].split(":")[0], "/"), "HTTP/1.1 200 OK")
    t.boto("dynamodb").put_item(TableName=made["Table"], Item={"k": {"S": "a"}})
    sources = functions.list_event_source_mappings(FunctionName=made["Function"])["EventSourceMappings"]
    eventually(lambda: functions.get_event_source_mapping(UUID=sources[0]["UUID"])["LastProcessingResult"] == "OK",
               "the stream fed the function", 15)

    given.append({"ParameterKey": "Memory", "ParameterValue": "256"})
    stacks.update_stack(StackName=name, UsePreviousTemplate=True, Parameters=given, Capabilities=["CAPABILITY_IAM"])
    stacks.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=FAST)
    equal(functions.get_function(FunctionName=made["Function"])["Configuration"]["MemorySize"], 256, "in place")
    equal(outputs(t, name), made, "nothing was replaced")

    stacks.delete_stack(StackName=name)
    stacks.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=FAST)
    refused("ResourceNotFoundException", functions.get_function, FunctionName=made["Function"], status=404)
    refused("ResourceNotFoundException", t.boto("dynamodb").describe_table, TableName=made["Table"])
    refused("NotFoundException", t.boto("apigateway").get_rest_api, restApiId=made["Api"], status=404)
    refused("NoSuchHealthCheck", t.boto("route53").get_health_check, HealthCheckId=made["Check"], status=404)
