//! Fuzz targets: calls of API Gateway and CloudFormation, as [`super::http`] has them of the other services.

use serde_json::Value;

use super::site::{Site, service};

/// An API and its root, by their ids.
fn api(site: &Site) -> Vec<(&'static str, String)> {
    let reply: Value =
        serde_json::from_str(&site.text("POST apigateway /restapis\n\n{\"name\":\"a\"}")).unwrap();
    let id = |name: &str| reply[name].as_str().unwrap().to_owned();
    vec![("$API", id("id")), ("$ROOT", id("rootResourceId"))]
}

service!(
    apigateway_answers_any_call,
    [
        "POST apigateway /restapis\n\n{\"name\":\"b\",\"binaryMediaTypes\":[\"*/*\"],\"tags\":{\"k\":\"v\"}}",
        "PATCH apigateway /restapis/$API\n\n{\"patchOperations\":[{\"op\":\"replace\",\"path\":\"/description\",\"value\":\"d\"}]}",
        "GET apigateway /restapis?limit=1&position=0\n\n",
        "POST apigateway /restapis/$API/resources/$ROOT\n\n{\"pathPart\":\"{proxy+}\"}",
        "GET apigateway /restapis/$API/resources?limit=2&embed=methods\n\n",
        "POST apigateway /restapis/$API/requestvalidators\n\n{\"name\":\"v\",\"validateRequestParameters\":true}",
        "PUT apigateway /restapis/$API/resources/$ROOT/methods/GET\n\n{\"authorizationType\":\"NONE\",\"apiKeyRequired\":true,\"requestParameters\":{\"method.request.querystring.q\":true}}",
        "PUT apigateway /restapis/$API/resources/$ROOT/methods/GET/integration\n\n{\"type\":\"AWS_PROXY\",\"httpMethod\":\"POST\",\"uri\":\"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:f/invocations\",\"timeoutInMillis\":5000}",
        "PUT apigateway /restapis/$API/resources/$ROOT/methods/GET/responses/200\n\n{\"responseModels\":{\"application/json\":\"Empty\"}}",
        "POST apigateway /restapis/$API/deployments\n\n{\"stageName\":\"v1\",\"variables\":{\"a\":\"b\"},\"description\":\"d\"}",
        "PATCH apigateway /restapis/$API/stages/v1\n\n{\"patchOperations\":[{\"op\":\"replace\",\"path\":\"/variables/a\",\"value\":\"c\"}]}",
        "POST apigateway /apikeys\n\n{\"name\":\"k\",\"enabled\":true,\"value\":\"01234567890123456789\"}",
        "GET apigateway /apikeys?includeValues=true&name=k&limit=1\n\n",
        "POST apigateway /usageplans\n\n{\"name\":\"p\",\"apiStages\":[{\"apiId\":\"$API\",\"stage\":\"v1\"}],\"throttle\":{\"rateLimit\":1.5}}",
    ],
    [
        "DELETE",
        "/resources/",
        "/methods/ANY",
        "/stages",
        "\"op\":\"remove\",",
        "\"op\":\"add\",",
        "/apiStages",
        "{id}",
        "method.request.path.",
        "position=",
        "%2F",
        "\"type\":\"MOCK\","
    ],
    api
);

service!(
    cloudformation_answers_any_call,
    [
        "POST cloudformation /\ncontent-type: application/x-www-form-urlencoded\n\nAction=CreateStack&Version=2010-05-15&StackName=s&TemplateBody={\"Parameters\":{\"P\":{\"Type\":\"String\",\"AllowedPattern\":\"[a-z]*\",\"Default\":\"v\"}},\"Mappings\":{\"M\":{\"a\":{\"b\":\"c\"}}},\"Conditions\":{\"C\":{\"Fn::Not\":[{\"Fn::Equals\":[{\"Ref\":\"P\"},\"w\"]}]}},\"Resources\":{\"T\":{\"Type\":\"AWS::SNS::Topic\",\"Condition\":\"C\",\"Properties\":{\"TopicName\":{\"Fn::Sub\":\"${P}-${AWS::Region}\"},\"DisplayName\":{\"Fn::If\":[\"C\",{\"Fn::FindInMap\":[\"M\",\"a\",\"b\"]},{\"Ref\":\"AWS::NoValue\"}]}}},\"L\":{\"Type\":\"AWS::IoT::Thing\",\"DependsOn\":[\"T\"],\"Properties\":{\"ThingName\":{\"Fn::Join\":[\"-\",[\"l\",{\"Fn::Select\":[0,{\"Fn::Split\":[\",\",\"a,b\"]}]}]]}}}},\"Outputs\":{\"O\":{\"Value\":{\"Fn::GetAtt\":[\"T\",\"TopicName\"]},\"Export\":{\"Name\":\"e\"}}}}&Parameters.member.1.ParameterKey=P&Parameters.member.1.ParameterValue=x&Capabilities.member.1=CAPABILITY_IAM&Tags.member.1.Key=k&Tags.member.1.Value=v&TimeoutInMinutes=1",
        "POST cloudformation /\ncontent-type: application/x-www-form-urlencoded\n\nAction=ValidateTemplate&TemplateBody=Parameters:\n  P: {Type: Number, Default: 1, MinValue: 0}\nResources:\n  T:\n    Type: AWS::SNS::Topic\n    Properties:\n      TopicName: !Sub 'a-${AWS::Region}'\n      DisplayName: !Join ['', [!Ref P, !GetAtt 'T.TopicName']]\n",
        "POST cloudformation /\ncontent-type: application/x-www-form-urlencoded\n\nAction=GetTemplateSummary&TemplateBody=Resources:\n  T: {Type: 'AWS::SNS::Topic'}\n",
        "POST cloudformation /\ncontent-type: application/x-www-form-urlencoded\n\nAction=DescribeStacks&StackName=s",
        "POST cloudformation /\ncontent-type: application/x-www-form-urlencoded\n\nAction=DescribeStackEvents&StackName=s",
        "POST cloudformation /\ncontent-type: application/x-www-form-urlencoded\n\nAction=ListStacks&StackStatusFilter.member.1=CREATE_COMPLETE",
        "POST cloudformation /\ncontent-type: application/x-www-form-urlencoded\n\nAction=CreateChangeSet&StackName=c&ChangeSetName=n&ChangeSetType=CREATE&TemplateBody={\"Resources\":{\"T\":{\"Type\":\"AWS::SNS::Topic\"}}}",
        "POST cloudformation /\ncontent-type: application/x-www-form-urlencoded\n\nAction=GetTemplate&StackName=s&TemplateStage=Original",
    ],
    [
        "Action=UpdateStack",
        "Action=DeleteStack",
        "Action=ExecuteChangeSet",
        "Action=ListExports",
        "&NextToken=",
        ".member.501.",
        "{\"Fn::ImportValue\":\"e\"}",
        "{\"Ref\":\"T\"}",
        "!Ref T",
        "${T.Arn}",
        "${",
        "Fn::Length",
        "%26a ",
        "*a",
        "%09",
        "? ",
        "- ",
        "AWS::CloudFormation::CustomResource",
        "\"DependsOn\":\"L\","
    ],
    |_| Vec::new()
);
