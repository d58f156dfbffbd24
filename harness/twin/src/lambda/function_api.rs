//! The operations that deploy, describe and delete functions.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{
    api::{empty, input, invalid, page},
    code,
    destination::Destination,
    function::{Deployed, Function, Settings, keep},
    instance::Spec,
    package::{FOLDER_BUCKET, Package, Source},
    runtime::Runtime,
};
use crate::{
    call::{Call, Reply},
    error::AwsError,
    world::World,
};

const TIMEOUT_DEFAULT_S: u32 = 3;
const TIMEOUT_MAX_S: u32 = 900;
const MEMORY_DEFAULT_MB: u32 = 128;
const MEMORY_MAX_MB: u32 = 10_240;
const NAME_CHARS_MAX: usize = 64;
/// As AWS has it, names and values together.
const ENVIRONMENT_BYTES_MAX: usize = 4 * 1024;

/// What of a function's configuration a call says.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Configuration {
    runtime: Option<String>,
    handler: Option<String>,
    role: Option<String>,
    description: Option<String>,
    timeout: Option<u32>,
    memory_size: Option<u32>,
    environment: Option<Environment>,
    dead_letter_config: Option<DeadLetters>,
    layers: Option<Vec<Json>>,
    revision_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Environment {
    #[serde(default)]
    variables: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeadLetters {
    target_arn: Option<String>,
}

impl Configuration {
    fn check(&self) -> Result<(), AwsError> {
        if self.timeout.is_some_and(|t| !(1..=TIMEOUT_MAX_S).contains(&t)) {
            return Err(invalid(format!("Timeout must be 1 to {TIMEOUT_MAX_S} seconds")));
        }
        if self.memory_size.is_some_and(|m| !(MEMORY_DEFAULT_MB..=MEMORY_MAX_MB).contains(&m)) {
            return Err(invalid(format!("MemorySize must be {MEMORY_DEFAULT_MB} to {MEMORY_MAX_MB} MB")));
        }
        if self.layers.as_ref().is_some_and(|layers| !layers.is_empty()) {
            return Err(invalid("The twin has no layers: put what they hold into the package"));
        }
        let variables = self.environment.iter().flat_map(|e| &e.variables);
        if variables.map(|(name, value)| name.len() + value.len()).sum::<usize>() > ENVIRONMENT_BYTES_MAX {
            return Err(invalid(format!(
                "Lambda was unable to configure your environment variables because the environment variables you have \
                 provided exceeded the {} limit.",
                "4KB"
            )));
        }
        Ok(())
    }

    /// Changes what the call says.
    async fn apply(self, world: &World, mut deployed: (Spec, Settings)) -> Result<Deployed, AwsError> {
        let (spec, settings) = (&mut deployed.0, &mut deployed.1);
        if let Some(name) = self.runtime {
            spec.runtime = Runtime::find(&name).await?;
            spec.runtime_name = name;
        }
        if let Some(handler) = self.handler {
            spec.handler = handler;
        }
        if let Some(role) = self.role {
            settings.role = role;
        }
        if let Some(description) = self.description {
            settings.description = description;
        }
        if let Some(seconds) = self.timeout {
            spec.timeout = Duration::from_secs(seconds.into());
        }
        if let Some(mb) = self.memory_size {
            spec.memory_mb = mb;
        }
        if let Some(environment) = self.environment {
            spec.environment = environment.variables;
        }
        if let Some(DeadLetters { target_arn }) = self.dead_letter_config {
            settings.dead_letters = match target_arn.as_deref() {
                None | Some("") => None,
                Some(arn) => Some(Destination::queue(world, &spec.region, arn)?.arn().to_owned()),
            };
        }
        settings.modified = world.clock.now();
        settings.revision = uuid::Uuid::new_v4().to_string();
        let (spec, settings) = deployed;
        Ok(Deployed { spec, settings })
    }
}

/// A function's code as a call gives it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Code {
    zip_file: Option<String>,
    s3_bucket: Option<String>,
    s3_key: Option<String>,
    s3_object_version: Option<String>,
}

impl Code {
    fn source(self, world: &Arc<World>, region: &str) -> Result<Source, AwsError> {
        if self.s3_object_version.is_some() {
            return Err(invalid("The twin has no versions of S3 objects"));
        }
        match (self.zip_file, self.s3_bucket.as_deref(), self.s3_key) {
            (Some(zip), None, None) => {
                let zip = STANDARD.decode(zip).map_err(|e| invalid(format!("ZipFile is not base64: {e}")))?;
                Ok(Source::Zip(zip))
            }
            (None, Some(FOLDER_BUCKET), Some(folder)) => Ok(Source::Folder(PathBuf::from(folder))),
            (None, Some(bucket), Some(key)) => {
                code::from_s3(world, region, bucket, &key).map(|zip| Source::Zip(zip.to_vec()))
            }
            _ => Err(invalid("Please provide a source for function code: ZipFile, or S3Bucket and S3Key")),
        }
    }
}

/// Makes the code's files ready.
async fn package(world: &Arc<World>, region: &str, code: Code) -> Result<Arc<Package>, AwsError> {
    let (source, functions) = (code.source(world, region)?, world.folder.join("functions"));
    let opened = tokio::task::spawn_blocking(move || Package::open(source, &functions));
    let opened = opened.await.map_err(|e| AwsError::new(500, "ServiceException", e.to_string()))?;
    opened.map(Arc::new)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateFunction {
    function_name: String,
    code: Code,
    package_type: Option<String>,
    #[serde(default)]
    publish: bool,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(flatten)]
    configuration: Configuration,
}

pub(super) async fn create(world: &Arc<World>, call: &Call) -> Result<Reply, AwsError> {
    let request: CreateFunction = input(call)?;
    let name = request.function_name;
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(is_allowed) {
        return Err(invalid(format!("Invalid function name: {name}")));
    }
    if request.package_type.as_deref().is_some_and(|kind| kind != "Zip") {
        return Err(invalid("The twin has the package type Zip only"));
    }
    refuse_publish(request.publish)?;
    let configuration = request.configuration;
    for (member, value) in [
        ("runtime", &configuration.runtime),
        ("handler", &configuration.handler),
        ("role", &configuration.role),
    ] {
        if value.is_none() {
            return Err(invalid(format!("{member} is required for the package type Zip")));
        }
    }
    configuration.check()?;
    super::access_api::check_tags(request.tags.len())?;
    let key = (call.region.clone(), name.clone());
    let exists =
        || AwsError::new(409, "ResourceConflictException", format!("Function already exist: {name}"));
    {
        let functions = world.lambda.functions.lock();
        if functions.contains_key(&key) {
            return Err(exists());
        }
        super::check_count(&functions, &call.region)?;
    }
    let spec = Spec {
        faults: Arc::clone(&world.faults),
        arn: format!("arn:aws:lambda:{}:{}:function:{name}", call.region, world.account),
        name: name.clone(),
        region: call.region.clone(),
        runtime_name: String::new(),
        runtime: Runtime::Bootstrap,
        handler: String::new(),
        memory_mb: MEMORY_DEFAULT_MB,
        timeout: Duration::from_secs(TIMEOUT_DEFAULT_S.into()),
        package: package(world, &call.region, request.code).await?,
        api_url: world.api_url.clone(),
        environment: BTreeMap::new(),
    };
    let settings = Settings {
        role: String::new(),
        description: String::new(),
        dead_letters: None,
        modified: world.clock.now(),
        revision: String::new(),
    };
    let deployed = configuration.apply(world, (spec, settings)).await?;
    let function = Arc::new(Function::new(deployed, world.lambda.account(&call.region)?));
    *function.tags.lock() = request.tags;
    {
        let mut functions = world.lambda.functions.lock();
        if functions.contains_key(&key) {
            return Err(exists());
        }
        super::check_count(&functions, &call.region)?;
        functions.insert(key, Arc::clone(&function));
    }
    world.tasks.spawn(keep(Arc::clone(world), Arc::clone(&function)));
    let mut answer = function.configuration();
    // It is there by now: the next call says so.
    for (member, value) in [
        ("State", "Pending"),
        ("StateReason", "The function is being created."),
        ("StateReasonCode", "Creating"),
    ] {
        answer[member] = json!(value);
    }
    if let Some(members) = answer.as_object_mut() {
        members.remove("LastUpdateStatus");
    }
    Ok(Reply::json(201, &answer))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateCode {
    #[serde(flatten)]
    code: Code,
    #[serde(default)]
    publish: bool,
    #[serde(default)]
    dry_run: bool,
    revision_id: Option<String>,
}

pub(super) async fn update_code(
    world: &Arc<World>,
    call: &Call,
    function: &Function,
) -> Result<Reply, AwsError> {
    let request: UpdateCode = input(call)?;
    refuse_publish(request.publish)?;
    let before = function.deployed();
    check_revision(&before, request.revision_id.as_deref())?;
    let package = package(world, &call.region, request.code).await?;
    let mut spec = before.spec.clone();
    spec.package = package;
    let deployed = Configuration::default().apply(world, (spec, before.settings.clone())).await?;
    if request.dry_run {
        return Ok(Reply::json(200, &function.configuration()));
    }
    function.deploy(&before, deployed)?;
    Ok(updating(function))
}

pub(super) async fn update_configuration(
    world: &Arc<World>,
    call: &Call,
    function: &Function,
) -> Result<Reply, AwsError> {
    let request: Configuration = input(call)?;
    request.check()?;
    let before = function.deployed();
    check_revision(&before, request.revision_id.as_deref())?;
    let deployed = request.apply(world, (before.spec.clone(), before.settings.clone())).await?;
    function.deploy(&before, deployed)?;
    Ok(updating(function))
}

/// An update as AWS answers it: under way. It is done by the next call.
fn updating(function: &Function) -> Reply {
    let mut answer = function.configuration();
    // No reason code: AWS has been seen to send `Creating`, and its model does not have that.
    for (member, value) in
        [("LastUpdateStatus", "InProgress"), ("LastUpdateStatusReason", "The function is being created.")]
    {
        answer[member] = json!(value);
    }
    Reply::json(200, &answer)
}

fn check_revision(deployed: &Deployed, wanted: Option<&str>) -> Result<(), AwsError> {
    if wanted.is_some_and(|wanted| wanted != deployed.settings.revision) {
        let message = "The Revision Id provided does not match the latest Revision Id. Call the \
                       GetFunction/GetAlias API to retrieve the latest Revision Id";
        return Err(AwsError::new(412, "PreconditionFailedException", message));
    }
    Ok(())
}

fn refuse_publish(publish: bool) -> Result<(), AwsError> {
    if publish {
        return Err(invalid("The twin has no versions but $LATEST: Publish is not possible"));
    }
    Ok(())
}

pub(super) fn list(world: &World, call: &Call) -> Result<Reply, AwsError> {
    let functions: Vec<(String, Arc<Function>)> = {
        let functions = world.lambda.functions.lock();
        let here = functions.iter().filter(|((region, _), _)| *region == call.region);
        here.map(|((_, name), function)| (name.clone(), Arc::clone(function))).collect()
    };
    let (page, marker) = page(call, functions.into_iter(), |f| f.configuration())?;
    let mut answer = json!({"Functions": page});
    if let Some(marker) = marker {
        answer["NextMarker"] = json!(marker);
    }
    Ok(Reply::json(200, &answer))
}

pub(super) fn versions(function: &Function) -> Reply {
    let mut latest = function.configuration();
    latest["FunctionArn"] = json!(format!("{}:$LATEST", function.arn));
    Reply::json(200, &json!({"Versions": [latest]}))
}

pub(super) fn get(function: &Function) -> Reply {
    let mut answer = json!({
        "Configuration": function.configuration(),
        "Code": {"RepositoryType": "S3", "Location": ""},
    });
    let tags = function.tags.lock().clone();
    if !tags.is_empty() {
        answer["Tags"] = json!(tags);
    }
    if let Some(reserved) = function.pool.reserved() {
        answer["Concurrency"] = json!({"ReservedConcurrentExecutions": reserved});
    }
    Reply::json(200, &answer)
}

pub(super) fn delete(world: &World, function: &Arc<Function>) -> Result<Reply, AwsError> {
    {
        let mut functions = world.lambda.functions.lock();
        let key = (function.region.clone(), function.name.clone());
        // Another call may have deleted it, and a third made one of its name.
        if !functions.get(&key).is_some_and(|there| Arc::ptr_eq(there, function)) {
            let message = format!("Function not found: {}", function.arn);
            return Err(AwsError::new(404, "ResourceNotFoundException", message));
        }
        functions.remove(&key);
    }
    function.gone.cancel();
    function.pool.close();
    if let Some(url) = function.set_url(None) {
        world.names.remove(&url.host);
    }
    super::access_api::note_reserved(world, &function.region)?;
    Ok(empty(204))
}
