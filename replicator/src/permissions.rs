//! What each function may do: exactly the calls that its code makes.
//!
//! One row a call, beside the adapters that make it. The roles of the templates are generated from
//! these rows ([`crate::templates`]), and a test finds each call of the adapters here and the other
//! way round, so that neither can be widened alone.

pub mod task;

/// A kind of resource of AWS IoT, as its ARNs name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A thing.
    Thing,
    /// A thing type.
    Type,
    /// A thing group.
    Group,
    /// A certificate.
    Certificate,
    /// A policy.
    Policy,
    /// An authority of certificates.
    Authority,
    /// The fleet index.
    Index,
}

/// What a call is about. The ARNs that these become are in the templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Calls that AWS grants for all resources or not at all.
    Any,
    /// All of a kind in the function's Region.
    Here(Kind),
    /// All of a kind in the secondary, seen from the primary.
    There(Kind),
    /// The event table's replica in the function's Region.
    EventsTable,
    /// That replica's stream.
    EventsStream,
    /// The replica of the table of documents in the function's Region.
    DocumentsTable,
    /// That replica's stream.
    DocumentsStream,
    /// The state table.
    StateTable,
    /// The state table, seen from the primary.
    StateTableThere,
    /// The error table.
    ErrorTable,
    /// The progress table.
    ProgressTable,
    /// The queue of API-call events.
    CallQueue,
    /// The queue of what a mapping or an invocation gave up.
    DeadLetters,
    /// The state machine.
    StateMachine,
    /// The function's own log group.
    OwnLog,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Thing => "thing",
            Self::Type => "thingtype",
            Self::Group => "thinggroup",
            Self::Certificate => "cert",
            Self::Policy => "policy",
            Self::Authority => "cacert",
            Self::Index => "index",
        }
    }

    fn arn(self, region: &str) -> String {
        arn("iot", region, &format!("{}/*", self.name()))
    }
}

const HERE: &str = "AWS::Region";
const THERE: &str = "SecondaryRegion";

fn arn(service: &str, region: &str, resource: &str) -> String {
    format!("!Sub \"arn:${{AWS::Partition}}:{service}:${{{region}}}:${{AWS::AccountId}}:{resource}\"")
}

impl Scope {
    /// The ARN, as a template of CloudFormation has it. `function` is what the function is called
    /// there.
    pub fn arn(self, function: &str) -> String {
        match self {
            Self::Any => "\"*\"".to_owned(),
            Self::Here(kind) => kind.arn(HERE),
            Self::There(kind) => kind.arn(THERE),
            Self::EventsTable => arn("dynamodb", HERE, "table/${EventsTable}"),
            Self::EventsStream => "!Ref EventsStream".to_owned(),
            Self::DocumentsTable => arn("dynamodb", HERE, "table/${DocumentsTable}"),
            Self::DocumentsStream => "!Ref DocumentsStream".to_owned(),
            Self::StateTable => "!GetAtt StateTable.Arn".to_owned(),
            Self::StateTableThere => arn("dynamodb", THERE, "table/gameday-${Postfix}-state"),
            Self::ErrorTable => "!GetAtt ErrorTable.Arn".to_owned(),
            Self::ProgressTable => "!GetAtt ProgressTable.Arn".to_owned(),
            Self::CallQueue => "!GetAtt CallQueue.Arn".to_owned(),
            Self::DeadLetters => "!GetAtt DeadLetters.Arn".to_owned(),
            Self::StateMachine => "!Ref Workflow".to_owned(),
            Self::OwnLog => {
                arn("logs", HERE, &format!("log-group:/aws/lambda/gameday-${{Postfix}}-{function}:*"))
            }
        }
    }
}

/// All of a kind in the function's Region.
const THINGS: Scope = Scope::Here(Kind::Thing);
const TYPES: Scope = Scope::Here(Kind::Type);
const GROUPS: Scope = Scope::Here(Kind::Group);
const CERTIFICATES: Scope = Scope::Here(Kind::Certificate);
const POLICIES: Scope = Scope::Here(Kind::Policy);

/// A call, and what it is about.
pub type Grant = (&'static str, &'static [Scope]);

/// What Lambda itself needs of every function.
const LOG: &[Grant] = &[("logs:CreateLogStream", &[Scope::OwnLog]), ("logs:PutLogEvents", &[Scope::OwnLog])];

/// What a mapping reads a stream with, in the function's name.
const STREAM: &[Grant] = &[
    ("dynamodb:DescribeStream", &[Scope::EventsStream]),
    ("dynamodb:GetRecords", &[Scope::EventsStream]),
    ("dynamodb:GetShardIterator", &[Scope::EventsStream]),
    ("dynamodb:ListStreams", &[Scope::Any]),
];

/// What the mapping of the other stream reads it with.
const DOCUMENT_STREAM: &[Grant] = &[
    ("dynamodb:DescribeStream", &[Scope::DocumentsStream]),
    ("dynamodb:GetRecords", &[Scope::DocumentsStream]),
    ("dynamodb:GetShardIterator", &[Scope::DocumentsStream]),
];

/// What a mapping reads a queue with, in the function's name.
const QUEUE: &[Grant] = &[
    ("sqs:DeleteMessage", &[Scope::CallQueue]),
    ("sqs:GetQueueAttributes", &[Scope::CallQueue]),
    ("sqs:ReceiveMessage", &[Scope::CallQueue]),
];

/// What is given up goes there, in the function's name.
const DEAD_LETTERS: &[Grant] = &[("sqs:SendMessage", &[Scope::DeadLetters])];

/// Applying an event to the Region that is kept ready.
const APPLY: &[Grant] = &[
    ("iot:AddThingToThingGroup", &[THINGS, GROUPS]),
    ("iot:AttachPolicy", &[CERTIFICATES, GROUPS]),
    ("iot:AttachThingPrincipal", &[CERTIFICATES]),
    ("iot:CreatePolicy", &[POLICIES]),
    ("iot:CreatePolicyVersion", &[POLICIES]),
    ("iot:CreateThing", &[THINGS]),
    ("iot:CreateThingGroup", &[GROUPS]),
    ("iot:CreateThingType", &[TYPES]),
    ("iot:DeleteCertificate", &[CERTIFICATES]),
    ("iot:DeletePolicy", &[POLICIES]),
    ("iot:DeletePolicyVersion", &[POLICIES]),
    ("iot:DeleteThing", &[THINGS]),
    ("iot:DeleteThingGroup", &[GROUPS]),
    ("iot:DeleteThingShadow", &[THINGS]),
    ("iot:DeleteThingType", &[TYPES]),
    ("iot:DeprecateThingType", &[TYPES]),
    ("iot:DescribeEndpoint", &[Scope::Any]),
    ("iot:DescribeThingGroup", &[GROUPS]),
    ("iot:DescribeThingType", &[TYPES]),
    ("iot:DetachPolicy", &[CERTIFICATES, GROUPS]),
    ("iot:DetachThingPrincipal", &[CERTIFICATES]),
    ("iot:GetPolicy", &[POLICIES]),
    ("iot:GetThingShadow", &[THINGS]),
    ("iot:ListAttachedPolicies", &[Scope::Any]),
    ("iot:ListPolicyVersions", &[POLICIES]),
    ("iot:ListPrincipalThings", &[CERTIFICATES]),
    ("iot:ListTargetsForPolicy", &[POLICIES]),
    ("iot:ListThingPrincipals", &[THINGS]),
    ("iot:RegisterCertificateWithoutCA", &[Scope::Any]),
    ("iot:RemoveThingFromThingGroup", &[THINGS, GROUPS]),
    ("iot:UpdateCertificate", &[CERTIFICATES]),
    ("iot:UpdateThing", &[THINGS]),
    ("iot:UpdateThingGroup", &[GROUPS]),
    ("iot:UpdateThingShadow", &[THINGS]),
    ("dynamodb:DeleteItem", &[Scope::ErrorTable]),
    ("dynamodb:GetItem", &[Scope::StateTable]),
    ("dynamodb:UpdateItem", &[Scope::StateTable, Scope::ErrorTable]),
];

/// Going through the error table.
const ERROR_ROWS: &[Grant] = &[("dynamodb:Scan", &[Scope::ErrorTable])];

/// Writing an error row, and nothing else.
const GIVE_UP: &[Grant] = &[("dynamodb:UpdateItem", &[Scope::ErrorTable])];

/// Starting one execution an event; an error row for what is too large for one.
const DISPATCH: &[Grant] =
    &[("dynamodb:UpdateItem", &[Scope::ErrorTable]), ("states:StartExecution", &[Scope::StateMachine])];

/// Looking at principals, certificates, policies and who has them.
const LOOK: &[Grant] = &[
    ("iot:DescribeCertificate", &[CERTIFICATES]),
    ("iot:DescribeThingGroup", &[GROUPS]),
    ("iot:GetPolicy", &[POLICIES]),
    ("iot:ListAttachedPolicies", &[Scope::Any]),
    ("iot:ListThingPrincipals", &[THINGS]),
];

/// Writing what was seen: documents, and events that rules or devices' lives have missed.
const DOCUMENTS: &[Grant] = &[
    ("dynamodb:GetItem", &[Scope::DocumentsTable]),
    ("dynamodb:PutItem", &[Scope::EventsTable, Scope::DocumentsTable]),
];

/// Looking whether the event table is there, before a walk that may find nothing to write.
const EVENTS_THERE: &[Grant] = &[("dynamodb:GetItem", &[Scope::EventsTable])];

/// Telling oneself to look again later.
const LATER: &[Grant] = &[("sqs:SendMessage", &[Scope::CallQueue])];

/// Going through both Regions and comparing them.
const WALK: &[Grant] = &[
    ("iot:DescribeCertificate", &[CERTIFICATES, Scope::There(Kind::Certificate)]),
    ("iot:DescribeEndpoint", &[Scope::Any]),
    ("iot:DescribeThing", &[THINGS, Scope::There(Kind::Thing)]),
    ("iot:DescribeThingGroup", &[GROUPS, Scope::There(Kind::Group)]),
    ("iot:DescribeThingType", &[TYPES, Scope::There(Kind::Type)]),
    ("iot:GetPolicy", &[POLICIES, Scope::There(Kind::Policy)]),
    ("iot:GetThingShadow", &[THINGS, Scope::There(Kind::Thing)]),
    ("iot:ListAttachedPolicies", &[Scope::Any]),
    ("iot:ListCertificates", &[Scope::Any]),
    ("iot:ListNamedShadowsForThing", &[THINGS, Scope::There(Kind::Thing)]),
    ("iot:ListPolicies", &[Scope::Any]),
    ("iot:ListThingGroups", &[Scope::Any]),
    ("iot:ListThingGroupsForThing", &[THINGS, Scope::There(Kind::Thing)]),
    ("iot:ListThingPrincipals", &[THINGS, Scope::There(Kind::Thing)]),
    ("iot:ListThings", &[Scope::Any]),
    ("iot:ListThingTypes", &[Scope::Any]),
    ("dynamodb:GetItem", &[Scope::StateTableThere]),
    ("dynamodb:Scan", &[Scope::StateTableThere]),
];

/// Going through what a query finds.
const SEARCH: &[Grant] = &[("iot:SearchIndex", &[Scope::Here(Kind::Index)])];

/// Comparing the authorities of certificates in both Regions.
const AUTHORITIES: &[Grant] = &[
    ("iot:DescribeCACertificate", &[Scope::Here(Kind::Authority), Scope::There(Kind::Authority)]),
    ("iot:ListCACertificates", &[Scope::Any]),
];

/// Where a walk has come to.
const PROGRESS: &[Grant] =
    &[("dynamodb:GetItem", &[Scope::ProgressTable]), ("dynamodb:PutItem", &[Scope::ProgressTable])];

/// Letting a device in that comes with a certificate of a known authority.
const JITR: &[Grant] = &[
    ("iot:AttachPolicy", &[CERTIFICATES]),
    ("iot:AttachThingPrincipal", &[CERTIFICATES]),
    ("iot:CreatePolicy", &[POLICIES]),
    ("iot:CreateThing", &[THINGS]),
    ("iot:DescribeCertificate", &[CERTIFICATES]),
    ("iot:DescribeThing", &[THINGS]),
    ("iot:ListThingPrincipals", &[THINGS]),
    ("iot:UpdateCertificate", &[CERTIFICATES]),
];

/// Each function and what it may do.
pub const FUNCTIONS: &[(&str, &[&[Grant]])] = &[
    ("replicate", &[LOG, STREAM, DOCUMENT_STREAM, DEAD_LETTERS, APPLY]),
    ("dispatch", &[LOG, STREAM, DOCUMENT_STREAM, DEAD_LETTERS, DISPATCH]),
    ("apply", &[LOG, APPLY]),
    ("give-up", &[LOG, GIVE_UP]),
    ("repair", &[LOG, APPLY, ERROR_ROWS]),
    ("capture", &[LOG, STREAM, QUEUE, DEAD_LETTERS, LOOK, LATER, DOCUMENTS]),
    ("reconcile", &[LOG, WALK, DOCUMENTS, PROGRESS]),
    // No function, but the Region syncer where it writes into the event table.
    ("sync", &[WALK, SEARCH, DOCUMENTS]),
    // Nor is this: `replicator ready`.
    ("ready", &[WALK, SEARCH, AUTHORITIES]),
    ("jitr", &[LOG, DEAD_LETTERS, JITR]),
    ("health", &[LOG]),
];

/// What a function may do, each call once, in order.
pub fn of(function: &str) -> Vec<(&'static str, Vec<Scope>)> {
    let mut grants = std::collections::BTreeMap::<&str, Vec<Scope>>::new();
    let lists = FUNCTIONS.iter().filter(|(name, _)| *name == function).flat_map(|(_, lists)| *lists);
    for (action, scopes) in lists.flat_map(|list| *list) {
        let all = grants.entry(action).or_default();
        all.extend(scopes.iter());
        all.sort();
        all.dedup();
    }
    grants.into_iter().collect()
}

#[cfg(test)]
mod tests;
