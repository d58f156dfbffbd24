use std::time::Duration;

use serde_json::json;

use super::*;
use crate::{
    provisioning::{Task, TaskStatus},
    twin::{Twin, TwinConfig},
};

const REGION: &str = "us-east-1";

async fn twin(quota_scale: f64) -> Twin {
    Twin::start(TwinConfig { quota_scale, health_checkers: 1, ..TwinConfig::default() }).await.unwrap()
}

fn input(world: &Arc<World>, lines: &str) -> TaskInput {
    world.s3.put_for_service(world, REGION, "input", "lines.json", Bytes::from(lines.to_owned())).unwrap();
    let template = json!({
        "Parameters": {"ThingName": {"Type": "String"}},
        "Resources": {"thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "ThingName"}}}},
    });
    TaskInput {
        template_body: template.to_string(),
        bucket: "input".to_owned(),
        key: "lines.json".to_owned(),
        role_arn: "arn:aws:iam::123456789012:role/r".to_owned(),
    }
}

async fn ended(region: &Region, id: &str) -> Task {
    for _ in 0..500 {
        let task = region.registrations.lock().get(id).unwrap().clone();
        if !matches!(task.status, TaskStatus::InProgress | TaskStatus::Cancelling) {
            return task;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the task did not end");
}

fn report(world: &Arc<World>, key: &str) -> Vec<Value> {
    let data = s3::get_object(world, &reports_bucket(REGION), key).unwrap();
    data.split(|b| *b == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect()
}

#[tokio::test]
async fn lines_become_things_and_reports() {
    let twin = twin(1_000.0).await;
    let (world, region) = (twin.world(), twin.world().region(REGION).unwrap());
    let lines = "{\"ThingName\":\"a\"}\n\n{\"Other\":\"b\"}\nno json\r\n{\"ThingName\":\"c\", \"N\": 1}";
    let id = start(world, region, input(world, lines)).unwrap();
    let task = ended(region, &id).await;
    assert_eq!((task.status, task.succeeded, task.failed), (TaskStatus::Completed, 2, 2));
    let keys: Vec<&str> = task.reports.iter().map(|(_, key)| key.as_str()).collect();
    let [results, errors] = keys.as_slice() else { panic!("{keys:?}") };
    let results = report(world, results);
    assert_eq!(results[1]["response"]["ResourceArns"]["thing"], "arn:aws:iot:us-east-1:123456789012:thing/c");
    assert_eq!((&results[1]["lineNumber"], &results[0]["offset"]), (&json!(5), &json!(0)));
    assert_eq!(report(world, errors)[0]["lineNumber"], 3);
    assert!(region.registry.lock().thing("a").is_ok());
    twin.stop().await;
}

#[tokio::test]
async fn a_task_without_its_input_fails() {
    let twin = twin(1.0).await;
    let (world, region) = (twin.world(), twin.world().region(REGION).unwrap());
    let input = TaskInput { bucket: "absent".to_owned(), ..input(world, "") };
    let id = start(world, region, input.clone()).unwrap();
    let task = ended(region, &id).await;
    assert_eq!(task.status, TaskStatus::Failed);
    assert!(task.message.unwrap().contains("bucket"));
    let west = world.region("us-west-2").unwrap();
    let elsewhere = TaskInput { bucket: "input".to_owned(), ..input };
    let id = start(world, west, elsewhere).unwrap();
    assert!(ended(west, &id).await.message.unwrap().contains("another Region"));
    twin.stop().await;
}

#[tokio::test]
async fn a_task_stops_at_the_next_line_and_keeps_its_pace() {
    let twin = twin(1.0).await;
    let (world, region) = (twin.world(), twin.world().region(REGION).unwrap());
    let lines =
        (0..100).map(|n| json!({"ThingName": format!("t{n}")}).to_string()).collect::<Vec<_>>().join("\n");
    let id = start(world, region, input(world, &lines)).unwrap();
    while region.registrations.lock().get(&id).unwrap().succeeded == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    region.registrations.lock().cancel(&id, 0).unwrap();
    let task = ended(region, &id).await;
    assert_eq!(task.status, TaskStatus::Cancelled);
    assert!(task.succeeded < 10 && task.reports.len() == 1, "5 a second: {}", task.succeeded);
    twin.stop().await;
}

#[test]
fn lines_know_where_they_stand() {
    let found: Vec<(u64, usize, &[u8])> =
        lines(b"ab\r\n\n cd\n").map(|(place, line)| (place.line, place.offset, line)).collect();
    assert_eq!(found, [(1, 0, b"ab".as_slice()), (3, 5, b"cd".as_slice())]);
}

#[test]
fn an_input_of_too_many_lines_is_refused_as_a_whole() {
    assert_eq!(count(b"{}\n\n{}\n", 2).unwrap(), 2, "empty ones do not count");
    assert!(count(b"{}\n{}\n{}", 2).unwrap_err().message.contains("more than 2 lines"));
}
