//! What a queue does, and what it never does.

use proptest::prelude::*;

use super::*;
use crate::sqs::setting::Redrive;

fn queue() -> Queue {
    Queue::new("arn:aws:sqs:us-east-1:123456789012:q".to_owned(), Settings::default(), 0, Arc::default())
}

fn message(body: &str, now_ms: i64) -> Message {
    Message::new(body.to_owned(), BTreeMap::new(), now_ms)
}

#[test]
fn a_received_message_is_hidden_until_its_time_is_over() {
    let mut queue = queue();
    queue.send(message("a", 0), None).unwrap();
    let (first, _) = queue.receive(10, None, false, 0);
    assert!(queue.receive(10, None, false, 29_999).0.is_empty());
    assert_eq!(queue.counts(0), Counts { visible: 0, in_flight: 1, delayed: 0 });
    let (second, _) = queue.receive(10, None, false, 30_000);
    assert_eq!(second[0].message.receives, 2);
    queue.delete(&first[0].handle).unwrap();
    assert_eq!(queue.counts(30_000).in_flight, 1, "an earlier handle deletes nothing");
    queue.hide(&second[0].handle, Duration::ZERO, 30_000).unwrap();
    assert_eq!(queue.counts(30_000).visible, 1);
    assert!(queue.hide(&second[0].handle, Duration::ZERO, 30_000).is_err(), "it is not in flight");
    let (third, _) = queue.receive(10, None, false, 30_000);
    queue.delete(&third[0].handle).unwrap();
    assert_eq!(queue.next_visible_ms(), None);
    assert_eq!(queue.delete("x").unwrap_err().code, "ReceiptHandleIsInvalid");
}

#[test]
fn a_delayed_message_comes_later_and_an_old_one_never() {
    let mut queue = queue();
    queue.send(message("a", 0), Some(Duration::from_secs(5))).unwrap();
    assert_eq!(queue.counts(0), Counts { visible: 0, in_flight: 0, delayed: 1 });
    assert_eq!(queue.next_visible_ms(), Some(5_000));
    assert_eq!(queue.receive(1, None, false, 5_000).0.len(), 1);
    let late = millis(queue.settings.retention) + 1;
    assert!(queue.receive(1, None, false, late).0.is_empty());
}

#[test]
fn what_was_received_too_often_is_a_dead_letter() {
    let mut queue = queue();
    queue.settings.redrive = Some(Redrive { arn: "arn:d".to_owned(), receives_max: 2 });
    queue.send(message("a", 0), None).unwrap();
    for _ in 0..2 {
        assert_eq!(queue.receive(1, Some(Duration::ZERO), true, 0).0.len(), 1);
    }
    assert_eq!(queue.receive(1, Some(Duration::ZERO), false, 0).0.len(), 1, "it has nowhere to go");
    let (received, dead) = queue.receive(1, Some(Duration::ZERO), true, 0);
    assert_eq!((received.len(), dead.len()), (0, 1));
    let mut letters = super::tests::queue();
    letters.bury(dead[0].clone(), &queue.arn, 7);
    let (received, _) = letters.receive(1, None, false, 7);
    assert_eq!((received[0].message.receives, &received[0].message.id), (1, &dead[0].id));
    assert_eq!(received[0].message.buried_from.as_ref(), Some(&queue.arn));
}

#[test]
fn a_message_that_is_not_hidden_is_received_once_an_answer() {
    let mut queue = queue();
    for body in ["a", "b"] {
        queue.send(message(body, 0), None).unwrap();
    }
    for _ in 0..2 {
        assert_eq!(queue.receive(10, Some(Duration::ZERO), false, 5).0.len(), 2);
    }
    assert_eq!(queue.receive(1, None, false, 5).0.len(), 1);
    assert_eq!(queue.counts(5), Counts { visible: 1, in_flight: 1, delayed: 0 });
}

#[test]
fn a_message_is_bounded() {
    let mut queue = queue();
    queue.settings.size_bytes_max = 3;
    assert!(queue.send(message("abc", 0), None).is_ok());
    assert_eq!(queue.send(message("abcd", 0), None).unwrap_err().code, "InvalidParameterValue");
}

#[test]
fn all_queues_together_are_bounded() {
    let held_bytes = Arc::new(AtomicUsize::new(BYTES_MAX - 2 * (MESSAGE_BYTES + 1)));
    let new = || Queue::new("arn:q".to_owned(), Settings::default(), 0, Arc::clone(&held_bytes));
    let (mut first, mut second) = (new(), new());
    first.send(message("a", 0), None).unwrap();
    second.send(message("b", 0), None).unwrap();
    assert_eq!(second.send(message("c", 0), None).unwrap_err().code, "RequestThrottled");
    // Messages that are deleted make room, and so do queues.
    let (received, _) = first.receive(1, None, false, 0);
    first.delete(&received[0].handle).unwrap();
    second.send(message("c", 0), None).unwrap();
    assert!(first.send(message("d", 0), None).is_err());
    drop(second);
    for body in ["d", "e"] {
        first.send(message(body, 0), None).unwrap();
    }
    assert!(first.send(message("f", 0), None).is_err());
}

proptest! {
    /// Whatever is done, each message is received or still there, and what is deleted never comes back.
    #[test]
    fn nothing_is_lost_and_nothing_deleted_returns(steps in proptest::collection::vec((0_u8..4, 0_i64..40), 1..60)) {
        let (mut queue, mut now_ms, mut sent, mut gone) = (queue(), 0, 0_usize, BTreeSet::new());
        let mut handles: Vec<(String, Received)> = Vec::new();
        for (what, number) in steps {
            now_ms += number * 1_000;
            match what {
                0 => {
                    queue.send(message("m", now_ms), None).unwrap();
                    sent += 1;
                }
                1 => {
                    for received in queue.receive(3, None, false, now_ms).0 {
                        prop_assert!(!gone.contains(&received.message.id), "a deleted message came back");
                        handles.push((received.handle.clone(), received));
                    }
                }
                2 => {
                    if let Some((handle, received)) = handles.pop() {
                        queue.delete(&handle).unwrap();
                        let latest = handles.iter().all(|(_, r)| {
                            r.message.id != received.message.id || r.message.receives < received.message.receives
                        });
                        if latest {
                            gone.insert(received.message.id);
                        }
                    }
                }
                _ => {}
            }
            let counts = queue.counts(now_ms);
            prop_assert_eq!(counts.visible + counts.in_flight + counts.delayed + gone.len(), sent);
            prop_assert_eq!(queue.visible.len(), queue.messages.len());
        }
    }
}
