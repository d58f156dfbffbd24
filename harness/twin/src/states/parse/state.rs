//! One state from its JSON.

use serde_json::Value as Json;

use crate::states::{
    choice::{self, Rule},
    diagnostic::{Diagnostics, Fields},
    machine::{Choice, Fail, Kind, Limit, Next, Pass, Resource, Selection, State, Task, Text, Until, Wait},
    path::Path,
    retry::{Catcher, Retrier, SECONDS_MAX, check_last},
    template::Template,
};

/// The optimised integration with Lambda.
const LAMBDA_INVOKE: &str = "arn:aws:states:::lambda:invoke";
/// What `lambda:invoke` takes.
const INVOKE_PARAMETERS: [&str; 6] =
    ["FunctionName", "Payload", "InvocationType", "Qualifier", "ClientContext", "LogType"];
/// Fields of `JSONata` states and of variables.
const NOT_HAD: [&str; 5] = ["QueryLanguage", "Arguments", "Output", "Assign", "Credentials"];

pub(super) fn parse(value: &Json, at: &str, found: &mut Diagnostics) -> Option<State> {
    let mut fields = Fields::open(value, at, found)?;
    let kind = fields.required("Type", found)?;
    if ["Parallel", "Map"].contains(&kind) {
        found.error(format!("The twin does not have {kind} states"), fields.at("Type"));
        return None;
    }
    for name in NOT_HAD {
        if fields.take(name).is_some_and(|v| name != "QueryLanguage" || v != "JSONPath") {
            found.error(format!("The twin does not have the field '{name}'"), fields.at(name));
        }
    }
    fields.text("Comment", found);
    let (mut input, mut output) = (Selection::Whole, Selection::Whole);
    if kind != "Fail" {
        input = selection(&mut fields, "InputPath", found);
        output = selection(&mut fields, "OutputPath", found);
    }
    let kind = match kind {
        "Task" => task(&mut fields, found).map(|task| Kind::Task(Box::new(task))),
        "Pass" => pass(&mut fields, found).map(Kind::Pass),
        "Choice" => Some(Kind::Choice(choices(&mut fields, found))),
        "Wait" => wait(&mut fields, found).map(Kind::Wait),
        "Succeed" => Some(Kind::Succeed),
        "Fail" => Some(Kind::Fail(Fail {
            error: text(&mut fields, "Error", found),
            cause: text(&mut fields, "Cause", found),
        })),
        other => {
            let types = "[Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map]";
            let message =
                format!("The field 'Type' should have one of these values: {types}, and not {other}");
            found.error(message, fields.at("Type"));
            return None;
        }
    };
    fields.close(found);
    Some(State { input, output, kind: kind? })
}

fn selection(fields: &mut Fields<'_>, name: &str, found: &mut Diagnostics) -> Selection {
    if !fields.has(name) {
        return Selection::Whole;
    }
    let at = fields.at(name);
    match fields.take(name) {
        Some(Json::String(text)) => match Path::parse(text) {
            Ok(path) => return Selection::Path(path),
            Err(_) => found.error("Value is not a valid JSONPath", at),
        },
        Some(Json::Null) => {}
        _ => found.error("Expected value of type String", at),
    }
    Selection::Nothing
}

fn next(fields: &mut Fields<'_>, found: &mut Diagnostics) -> Option<Next> {
    let next = fields.text("Next", found);
    let is_end = fields.flag("End", found).unwrap_or(false);
    match (next, is_end) {
        (Some(next), false) => Some(Next::To(next.to_owned())),
        (None, true) => Some(Next::End),
        _ => {
            found.error("Expected either 'Next' or 'End'", &fields.at);
            None
        }
    }
}

fn template(fields: &mut Fields<'_>, name: &str, found: &mut Diagnostics) -> Option<Template> {
    let value = fields.take(name)?;
    Some(Template::parse(value, &fields.at(name), found))
}

fn task(fields: &mut Fields<'_>, found: &mut Diagnostics) -> Option<Task> {
    let resource = resource(fields, found);
    let at = fields.at("Parameters");
    let parameters = fields.take("Parameters");
    if resource == Some(Resource::LambdaInvoke) {
        check_invoke(parameters, &at, found);
    }
    let parameters = parameters.map(|value| Template::parse(value, &at, found));
    let selector = template(fields, "ResultSelector", found);
    let result_path = fields.result_path(found);
    let seconds = fields.count("TimeoutSeconds", 1..=SECONDS_MAX, found).map(Limit::Seconds);
    let limit = seconds.or(fields.path("TimeoutSecondsPath", found).map(Limit::Path));
    // Functions do not send heartbeats: AWS takes these for them and does nothing.
    fields.count("HeartbeatSeconds", 1..=SECONDS_MAX, found);
    fields.path("HeartbeatSecondsPath", found);
    let at = fields.at("Retry");
    let retry: Vec<_> = fields
        .list("Retry", found)
        .iter()
        .enumerate()
        .filter_map(|(i, value)| Retrier::parse(value, &format!("{at}[{i}]"), found))
        .collect();
    check_last(&retry.iter().map(AsRef::as_ref).collect::<Vec<_>>(), &at, found);
    let at = fields.at("Catch");
    let catch: Vec<_> = fields
        .list("Catch", found)
        .iter()
        .enumerate()
        .filter_map(|(i, value)| Catcher::parse(value, &format!("{at}[{i}]"), found))
        .collect();
    check_last(&catch.iter().map(AsRef::as_ref).collect::<Vec<_>>(), &at, found);
    let next = next(fields, found);
    Some(Task { resource: resource?, parameters, selector, result_path, limit, retry, catch, next: next? })
}

fn resource(fields: &mut Fields<'_>, found: &mut Diagnostics) -> Option<Resource> {
    let at = fields.at("Resource");
    let arn = fields.required("Resource", found)?;
    if arn == LAMBDA_INVOKE {
        return Some(Resource::LambdaInvoke);
    }
    let parts: Vec<_> = arn.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "lambda", region, account, "function", name, ..]
            if ![region, account, name].iter().any(|part| part.is_empty()) =>
        {
            return Some(Resource::Function(arn.to_owned()));
        }
        ["arn", _, service, _, _, _, ..] => {
            let message =
                format!("The twin does not have the resource {arn} of {service}: it runs functions");
            found.error(message, at);
        }
        _ => {
            let why =
                "The value is not a valid resource ARN, or the resource is not available in this region.";
            found.error(format!("The resource provided {arn} is not recognized. {why}"), at);
        }
    }
    None
}

fn check_invoke(parameters: Option<&Json>, at: &str, found: &mut Diagnostics) {
    let Some(Json::Object(parameters)) = parameters else {
        found.error("The resource lambda:invoke needs the parameter 'FunctionName'", at);
        return;
    };
    for name in parameters.keys() {
        if !INVOKE_PARAMETERS.contains(&name.strip_suffix(".$").unwrap_or(name)) {
            found.error(format!("The field '{name}' is not supported by Step Functions"), at);
        }
    }
    if !["FunctionName", "FunctionName.$"].iter().any(|name| parameters.contains_key(*name)) {
        found.error("The field 'FunctionName' is required but was missing", at);
    }
    let is_sync = |kind: &Json| kind == "RequestResponse";
    if parameters.contains_key("InvocationType.$")
        || parameters.get("InvocationType").is_some_and(|k| !is_sync(k))
    {
        found.error("The twin has the invocation type RequestResponse only", at);
    }
}

fn pass(fields: &mut Fields<'_>, found: &mut Diagnostics) -> Option<Pass> {
    let result = fields.take("Result").cloned();
    let parameters = template(fields, "Parameters", found);
    let result_path = fields.result_path(found);
    let next = next(fields, found);
    Some(Pass { result, parameters, result_path, next: next? })
}

fn choices(fields: &mut Fields<'_>, found: &mut Diagnostics) -> Choice {
    let at = fields.at("Choices");
    let list = fields.list("Choices", found);
    if list.is_empty() {
        found.error("Expected a list of rules that is not empty", &at);
    }
    let mut rules = Vec::new();
    for (i, value) in list.iter().enumerate() {
        let Some(mut fields) = Fields::open(value, &format!("{at}[{i}]"), found) else { continue };
        let next = fields.required("Next", found);
        let rule = Rule::parse(&mut fields, found);
        fields.take("Comment");
        fields.close(found);
        rules.extend(rule.zip(next.map(str::to_owned)));
    }
    let default = fields.text("Default", found).map(str::to_owned);
    Choice { rules, default }
}

fn wait(fields: &mut Fields<'_>, found: &mut Diagnostics) -> Option<Wait> {
    let mut ways: Vec<Until> = Vec::new();
    ways.extend(fields.count("Seconds", 0..=SECONDS_MAX, found).map(Until::Seconds));
    ways.extend(fields.path("SecondsPath", found).map(Until::SecondsPath));
    ways.extend(fields.path("TimestampPath", found).map(Until::TimestampPath));
    if let Some(value) = fields.take("Timestamp") {
        let at = choice::time(value);
        if at.is_none() {
            found.error("Value is not a valid timestamp", fields.at("Timestamp"));
        }
        ways.extend(at.map(Until::Timestamp));
    }
    if ways.len() != 1 {
        let message = "Expected exactly one of 'Seconds', 'SecondsPath', 'Timestamp' and 'TimestampPath'";
        found.error(message, &fields.at);
    }
    let next = next(fields, found);
    Some(Wait { until: ways.pop()?, next: next? })
}

fn text(fields: &mut Fields<'_>, name: &str, found: &mut Diagnostics) -> Option<Text> {
    let fixed = fields.text(name, found).map(|text| Text::Fixed(text.to_owned()));
    fixed.or(fields.path(&format!("{name}Path"), found).map(Text::Path))
}
