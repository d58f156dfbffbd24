//! Whatever the order in which documents come, the secondary ends as the newest ones say.

use super::*;

/// All orders of so many things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let shorter = orders(count - 1);
    let with = |order: &Vec<usize>, at: usize| {
        let mut order = order.clone();
        order.insert(at, count - 1);
        order
    };
    shorter.iter().flat_map(|order| (0..count).map(move |at| with(order, at))).collect()
}

/// Applies the documents in every order; what is remarked is mended at the end, as `repair` does.
async fn in_every_order(history: &[Document], check: impl Fn(&Twins) -> bool) {
    for order in orders(history.len()) {
        let twins = with_thing();
        let mut remarked = Vec::new();
        for index in &order {
            if !apply_one(&twins, &history[*index], false).await.unwrap().remarks.is_empty() {
                remarked.push(*index);
            }
        }
        for _ in 0..2 {
            let mut left = Vec::new();
            for index in remarked {
                if !apply_one(&twins, &history[index], true).await.unwrap().remarks.is_empty() {
                    left.push(index);
                }
            }
            remarked = left;
        }
        assert_eq!(remarked, [0; 0], "{order:?}");
        assert!(check(&twins), "{order:?}: {:?}", twins.inner().secondary);
    }
}

#[tokio::test]
async fn a_device_that_lives_ends_complete() {
    let history = [
        of_policy(10, "p", Some(policy("p", "v1"))),
        of_thing(20, vec![device("c")]),
        of_policy(30, "p", Some(policy("p", "v2"))),
        of_certificate(40, "c", Some(identity("c", Status::Inactive, &[policy("p", "v2")]))),
        of_thing(50, vec![device("c"), device("d")]),
        of_certificate(60, "c", Some(identity("c", Status::Active, &[policy("q", "v1")]))),
    ];
    in_every_order(&history, |twins| {
        principals(twins) == ["c", "d"]
            && status(twins, "c") == Some(Status::Active)
            && (attached(twins, "c"), attached(twins, "d")) == (vec!["q".to_owned()], vec!["p".to_owned()])
            && says(twins, "p") == Some(policy_document(SECONDARY, "v2"))
            && says(twins, "q").is_some()
    })
    .await;
}

#[tokio::test]
async fn a_device_that_was_deleted_leaves_nothing() {
    let history = [
        of_policy(10, "p", Some(policy("p", "v1"))),
        of_thing(20, vec![device("c")]),
        of_thing(30, Vec::new()),
        of_certificate(40, "c", Some(identity("c", Status::Inactive, &[]))),
        of_certificate(50, "c", None),
        of_policy(60, "p", None),
    ];
    in_every_order(&history, |twins| {
        principals(twins).is_empty() && status(twins, "c").is_none() && says(twins, "p").is_none()
    })
    .await;
}

#[tokio::test]
async fn a_device_that_was_deleted_and_made_again_lives() {
    let history = [
        of_thing(20, vec![device("c")]),
        of_certificate(30, "c", None),
        of_policy(40, "p", None),
        of_policy(50, "p", Some(policy("p", "v2"))),
        of_certificate(60, "c", Some(identity("c", Status::Active, &[policy("p", "v2")]))),
        of_thing(70, vec![identity("c", Status::Active, &[policy("p", "v2")])]),
    ];
    in_every_order(&history, |twins| {
        principals(twins) == ["c"]
            && status(twins, "c") == Some(Status::Active)
            && attached(twins, "c") == ["p"]
            && says(twins, "p") == Some(policy_document(SECONDARY, "v2"))
    })
    .await;
}
