//! The codec of CloudFormation: which operation a call is, and what all of them read alike.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::{
    change_set::pseudo,
    change_set_api,
    client::Client,
    deploy::Operation,
    error::invalid,
    function::Scope,
    graph::Graph,
    operation,
    parameter::{self, Given},
    query::{self, Form},
    source,
    stack::{Plan, Stack},
    stack_api,
    template::Template,
    template_api,
};
use crate::{
    api,
    call::{Call, Reply},
    error::AwsError,
    world::World,
};

/// AWS's most tags of a stack.
const TAGS_MAX: usize = 50;
/// Members that would change what happens and are not modelled.
const REFUSED: [&str; 6] = [
    "StackPolicyBody",
    "StackPolicyURL",
    "ResourcesToImport",
    "ResourceTypes",
    "RollbackConfiguration",
    "IncludeNestedStacks",
];

/// What an operation is given.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) world: &'a Arc<World>,
    pub(super) region: &'a str,
    pub(super) now: Timestamp,
    pub(super) form: Form,
}

/// Answers a call.
pub(crate) async fn handle(world: &Arc<World>, call: &Call) -> Result<Reply, AwsError> {
    let mut pairs = api::query(&String::from_utf8_lossy(&call.body));
    pairs.extend(call.query.iter().cloned());
    let form = Form::new(pairs);
    let name = form.get("Action").unwrap_or_default().to_owned();
    let request = Request { world, region: &call.region, now: world.clock.now(), form };
    let request = &request;
    let answer = match name.as_str() {
        "CreateStack" => stack_api::create(request).await?,
        "UpdateStack" => stack_api::update(request).await?,
        "DeleteStack" => stack_api::delete(request)?,
        "UpdateTerminationProtection" => stack_api::protect(request)?,
        "DescribeStacks" => stack_api::describe(request)?,
        "ListStacks" => stack_api::list(request)?,
        "DescribeStackEvents" => stack_api::events(request)?,
        "DescribeStackResource" => stack_api::resource(request)?,
        "DescribeStackResources" => stack_api::resources(request)?,
        "ListStackResources" => stack_api::list_resources(request)?,
        "ListExports" => stack_api::exports(request)?,
        "ListImports" => stack_api::imports(request)?,
        "GetTemplate" => template_api::get(request)?,
        "GetTemplateSummary" => template_api::summary(request).await?,
        "ValidateTemplate" => template_api::validate(request).await?,
        "CreateChangeSet" => change_set_api::create(request).await?,
        "DescribeChangeSet" => change_set_api::describe(request)?,
        "ExecuteChangeSet" => change_set_api::execute(request)?,
        "DeleteChangeSet" => change_set_api::delete(request)?,
        "ListChangeSets" => change_set_api::list(request)?,
        other => {
            let message = format!("The twin does not have the operation {other}");
            return Err(AwsError::new(400, "InvalidAction", message));
        }
    };
    Ok(query::reply(&name, &answer))
}

/// As CloudFormation writes times.
pub(super) fn time(at: Timestamp) -> Json {
    json!(at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
}

pub(super) fn tags(tags: &BTreeMap<String, String>) -> Json {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

impl Request<'_> {
    pub(super) fn client(&self) -> Client<'_> {
        Client { world: self.world, region: self.region }
    }

    pub(super) fn arn(&self, resource: &str) -> String {
        format!("arn:aws:cloudformation:{}:{}:{resource}", self.region, self.world.account)
    }

    /// Reads a stack.
    pub(super) fn with_stack<T>(&self, name: &str, read: impl FnOnce(&Stack) -> T) -> Result<T, AwsError> {
        self.world.cloudformation.store.lock().get(self.region, name).map(read)
    }

    /// The name of a new stack.
    pub(super) fn new_name(&self) -> Result<&str, AwsError> {
        let name = self.form.required("StackName")?;
        let mut chars = name.chars();
        let is_name = chars.next().is_some_and(|c| c.is_ascii_alphabetic())
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '-');
        if is_name && name.len() <= 128 {
            return Ok(name);
        }
        Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )))
    }

    /// The template that the request has, in it or at a URL.
    pub(super) async fn body(&self) -> Result<Option<String>, AwsError> {
        match (self.form.get("TemplateBody"), self.form.get("TemplateURL")) {
            (Some(_), Some(_)) => Err(invalid("Only one of Template URL or Template Body can be specified.")),
            (Some(body), None) if body.len() > source::BODY_BYTES_MAX => {
                let most = source::BODY_BYTES_MAX;
                Err(invalid(format!(
                    "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have \
                     length less than or equal to {most}"
                )))
            }
            (Some(body), None) => Ok(Some(body.to_owned())),
            (None, Some(url)) => source::template(&self.client(), url).await.map(Some),
            (None, None) => Ok(None),
        }
    }

    /// What the request wants a stack to be.
    pub(super) async fn plan(&self, previous: Option<&Plan>) -> Result<Plan, AwsError> {
        if let Some(member) =
            REFUSED.iter().find(|member| self.form.has(member) && self.form.get(member) != Some("false"))
        {
            return Err(invalid(format!("The twin does not have {member}")));
        }
        let body = match (self.body().await?, previous) {
            (Some(body), _) => body,
            (None, Some(previous)) if self.form.flag("UsePreviousTemplate") => previous.body.clone(),
            _ => return Err(invalid("Either Template URL or Template Body must be specified.")),
        };
        let template = Template::parse(&body)?;
        template.check_types()?;
        let capabilities = self.form.list("Capabilities");
        template.check_capabilities(&capabilities)?;
        let given: Vec<Given> = self
            .form
            .items("Parameters")
            .iter()
            .map(|item| {
                let value = item.get("ParameterValue").map(str::to_owned);
                let is_kept = item.flag("UsePreviousValue");
                let name = item.get("ParameterKey").unwrap_or_default().to_owned();
                Given { name, value: if is_kept { None } else { Some(value.unwrap_or_default()) } }
            })
            .collect();
        let parameters = parameter::values(&template.parameters, &given, previous.map(|p| &p.parameters))?;
        let mut tags: BTreeMap<String, String> = BTreeMap::new();
        for tag in self.form.items("Tags") {
            tags.insert(tag.required("Key")?.to_owned(), tag.get("Value").unwrap_or_default().to_owned());
        }
        if tags.len() > TAGS_MAX {
            return Err(invalid(format!("A stack has at most {TAGS_MAX} tags")));
        }
        let kept = |given: bool| previous.filter(|_| !given);
        let are_tags_given = self.form.get("Tags").is_some() || !tags.is_empty();
        Ok(Plan {
            body,
            template: Arc::new(template),
            parameters,
            tags: kept(are_tags_given).map_or(tags, |p| p.tags.clone()),
            capabilities,
            notification_arns: kept(self.form.has("NotificationARNs"))
                .map_or_else(|| self.form.list("NotificationARNs"), |p| p.notification_arns.clone()),
            role: self
                .form
                .get("RoleARN")
                .map(str::to_owned)
                .or_else(|| previous.and_then(|p| p.role.clone())),
        })
    }

    /// Refuses a plan whose conditions do not work out or whose resources wait for each other in a circle.
    pub(super) fn check_order(&self, stack: &Stack, plan: &Plan) -> Result<(), AwsError> {
        let exports = self.world.cloudformation.store.lock().exports(self.region, &stack.id);
        let pseudo = pseudo(stack, plan, &self.world.account);
        let scope = Scope {
            template: &plan.template,
            parameters: &plan.parameters,
            pseudo: &pseudo,
            exports: &exports,
            resources: BTreeMap::new(),
            conditions: std::cell::RefCell::default(),
        };
        Graph::of(&scope).map(drop)
    }

    /// Runs an operation on a stack as a task.
    pub(super) fn start<F>(&self, stack: &Stack, run: impl FnOnce(Operation) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let operation = Operation {
            world: Arc::clone(self.world),
            id: stack.id.clone(),
            name: stack.name.clone(),
            region: stack.region.clone(),
        };
        operation::start(self.world, run(operation));
    }
}
