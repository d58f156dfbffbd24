//! The parts of the templates that come from code: rendered, and compared with what is there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::ALL;
use crate::capture::api_event::CALLS;
use crate::permissions::{self, Scope};
use crate::rules;
use crate::workflow::{self, Retry};

/// Set, it writes the templates instead of comparing them.
const WRITE: &str = "GAMEDAY_WRITE_TEMPLATES";
const BEGIN: &str = "# begin generated: ";
const END: &str = "# end generated";

/// A name as logical ids are: `thing_events` is `ThingEvents`.
fn pascal(name: &str) -> String {
    name.split(['_', '-'])
        .map(|word| {
            let mut chars = word.chars();
            chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect::<String>()
        })
        .collect()
}

/// A rule as a resource, made after what allows its action.
fn rule(rule: &rules::Rule, after: &str, actions: &str) -> String {
    let (id, name, version) = (pascal(rule.name), rule.name, rule.sql_version);
    // A linter minds a function that has nothing to do.
    let sub = if rule.sql.contains("${") { "!Sub " } else { "" };
    let sql = &rule.sql;
    format!(
        "{id}Rule:
  Type: AWS::IoT::TopicRule
  DependsOn: {after}
  Properties:
    RuleName: !Sub \"gameday_${{Postfix}}_{name}\"
    TopicRulePayload:
      AwsIotSqlVersion: \"{version}\"
      Sql: {sub}\"{sql}\"
      RuleDisabled: false
{actions}    Tags:
      - Key: gameday
        Value: !Ref Postfix
"
    )
}

fn rules_of_the_primary() -> String {
    const ACTIONS: &str = "      Actions:
        - DynamoDBv2:
            PutItem:
              TableName: !Ref EventsTable
            RoleArn: !GetAtt RuleRole.Arn
      ErrorAction:
        Lambda:
          FunctionArn: !GetAtt CaptureFunction.Arn
";
    rules::all("${AWS::Region}").iter().map(|one| rule(one, "CaptureErrorsPermission", ACTIONS)).collect()
}

fn rule_of_registration() -> String {
    const ACTIONS: &str = "      Actions:
        - Lambda:
            FunctionArn: !GetAtt JitrFunction.Arn
";
    rule(&rules::registration(), "JitrPermission", ACTIONS)
}

fn calls() -> String {
    let mut names = CALLS;
    names.sort_unstable();
    names.iter().fold(String::new(), |mut text, call| {
        let _ = writeln!(text, "- {call}");
        text
    })
}

/// The state machine with the guide's retries; the functions are left open.
fn workflow() -> String {
    let open = Retry::default().substitutions("${ApplyFunctionArn}", "${GiveUpFunctionArn}");
    let mut text = String::from("DefinitionString: |\n");
    for line in workflow::definition(&open).lines() {
        let _ = writeln!(text, "  {line}");
    }
    text.push_str(
        "DefinitionSubstitutions:
  ApplyFunctionArn: !GetAtt ApplyFunction.Arn
  GiveUpFunctionArn: !GetAtt GiveUpFunction.Arn
",
    );
    text
}

/// One alarm over all rules: an event that neither its action nor its error action took is lost.
fn lost_events() -> String {
    let rules = rules::all("");
    let mut text = String::from("Metrics:\n");
    let sum = (1..=rules.len()).map(|n| format!("FILL(m{n},0)")).collect::<Vec<_>>().join("+");
    let _ =
        write!(text, "  - Id: lost\n    Expression: {sum}\n    Label: events that no error action took\n");
    for (n, rule) in rules.iter().enumerate() {
        let _ = write!(
            text,
            "  - Id: m{}
    ReturnData: false
    MetricStat:
      Stat: Sum
      Period: 60
      Metric:
        Namespace: AWS/IoT
        MetricName: ErrorActionFailure
        Dimensions:
          - Name: RuleName
            Value: !Sub \"gameday_${{Postfix}}_{}\"
          - Name: ActionType
            Value: Lambda
",
            n + 1,
            rule.name
        );
    }
    text
}

fn permissions_of(function: &str) -> String {
    let grants = permissions::of(function);
    assert!(!grants.is_empty(), "no function is called {function}");
    let mut by_scope = BTreeMap::<Vec<Scope>, Vec<&str>>::new();
    for (action, scopes) in grants {
        by_scope.entry(scopes).or_default().push(action);
    }
    let mut text = String::new();
    for (scopes, actions) in by_scope {
        text.push_str("- Effect: Allow\n  Action:\n");
        for action in actions {
            let _ = writeln!(text, "    - {action}");
        }
        text.push_str("  Resource:\n");
        for scope in scopes {
            let _ = writeln!(text, "    - {}", scope.arn(function));
        }
    }
    text.push_str(
        "- !If
  - IsTraced
  - Effect: Allow
    Action:
      - xray:PutTelemetryRecords
      - xray:PutTraceSegments
    Resource: \"*\"
  - !Ref AWS::NoValue
",
    );
    text
}

fn render(what: &str) -> String {
    match what.split_once(" of ") {
        Some(("permissions", function)) => permissions_of(function),
        Some(("rules", "the primary")) => rules_of_the_primary(),
        Some(("rule", "registration")) => rule_of_registration(),
        Some(("metrics", "the rules")) => lost_events(),
        Some(("calls", "the registry")) => calls(),
        Some(("definition", "the workflow")) => workflow(),
        _ => panic!("{what:?} is not something that is generated"),
    }
}

/// A template with its generated parts made anew, as deep as their marks are.
fn rendered(body: &str) -> String {
    let mut text = String::new();
    let mut lines = body.lines();
    while let Some(line) = lines.next() {
        text.push_str(line);
        text.push('\n');
        let Some(what) = line.trim_start().strip_prefix(BEGIN) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        for made in render(what).lines() {
            text.push_str(if made.is_empty() { "" } else { indent });
            text.push_str(made);
            text.push('\n');
        }
        let end = lines.by_ref().find(|line| line.trim() == END).expect("what begins ends");
        text.push_str(end);
        text.push('\n');
    }
    text
}

#[test]
fn the_generated_parts_are_what_the_code_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    for template in ALL {
        let wanted = rendered(template.body);
        if std::env::var_os(WRITE).is_some() {
            std::fs::write(folder.join(format!("{}.yaml", template.name)), wanted).unwrap();
        } else {
            assert!(
                wanted == template.body,
                "{}.yaml is not what the code says. Write it with: {WRITE}=1 cargo test -p replicator \
                 --no-default-features --lib templates",
                template.name
            );
        }
    }
}

/// What is in the table before a function exists is read all the same.
#[test]
fn d21_functions_read_a_stream_from_its_beginning() {
    let count = |what: &str| ALL.iter().map(|template| template.body.matches(what).count()).sum::<usize>();
    let of = |stream: &str| count(&format!("EventSourceArn: !Ref {stream}"));
    let streams = of("EventsStream") + of("DocumentsStream");
    assert_eq!(of("EventsStream"), 3, "capture, replicate, dispatch");
    assert_eq!(of("DocumentsStream"), 2, "replicate, dispatch");
    assert_eq!((count("StartingPosition: TRIM_HORIZON"), count("StartingPosition: ")), (streams, streams));
}

/// What the health check's requests must know, and its key, are in no output, and shown to nobody.
#[test]
fn d41_what_is_secret_is_not_shown() {
    let body = super::HEALTH.body;
    for name in ["Key", "QueryString"] {
        let (_, declared) = body.split_once(&format!("\n  {name}:\n")).unwrap();
        let declared: String = declared.lines().take_while(|line| line.starts_with("    ")).collect();
        assert!(declared.contains("NoEcho: true"), "{name}: {declared}");
        let (_, outputs) = body.split_once("\nOutputs:\n").unwrap();
        assert!(!outputs.contains(&format!("!Ref {name}\n")) && !outputs.contains(&format!("${{{name}}}")));
    }
}

/// Roles of functions have generated permissions and no others.
#[test]
fn nothing_is_granted_but_what_is_generated() {
    /// Of services that act on what a stack has: rules, queues' senders, the state machine.
    const OTHERS: [&str; 5] = [
        "sts:AssumeRole",
        "dynamodb:PutItem",
        "sqs:SendMessage",
        "lambda:InvokeFunction",
        "logs:CreateLogDelivery",
    ];
    for template in ALL {
        let mut is_generated = false;
        let mut functions = 0;
        for line in template.body.lines().map(str::trim) {
            is_generated = is_generated && line != END || line.starts_with(BEGIN);
            functions += usize::from(line == "Type: AWS::Lambda::Function");
            let action = line.strip_prefix("Action: ").or_else(|| line.strip_prefix("- Action: "));
            if let Some(action) = action.filter(|_| !is_generated) {
                assert!(OTHERS.contains(&action), "{}: {action}", template.name);
            }
        }
        let generated = template.body.matches(&format!("{BEGIN}permissions of ")).count();
        assert_eq!(generated, functions, "{}: one role a function", template.name);
        assert!(template.body.len() < 51_200, "{}: AWS takes 51,200 bytes with a call", template.name);
    }
}
