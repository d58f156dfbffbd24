//! Policies, by themselves and with whatever has them.

use super::*;
use crate::model::Group;
use crate::patience::WAITS_MS;

#[tokio::test]
async fn d07_a_new_version_comes_and_what_is_known_costs_nothing() {
    let twins = Twins::new();
    assert_eq!(cost(&twins, &of_policy(10, "p", Some(policy("p", "v1")))).await, ["create_policy"]);
    assert_eq!(cost(&twins, &of_policy(20, "p", Some(policy("p", "v1")))).await, [""; 0]);
    assert_eq!(cost(&twins, &of_policy(30, "p", Some(policy("p", "v2")))).await, ["put_policy"]);
    assert_eq!(says(&twins, "p"), Some(policy_document(SECONDARY, "v2")));
    assert_eq!(cost(&twins, &of_policy(25, "p", Some(policy("p", "v1")))).await, [""; 0]);
    assert_eq!(says(&twins, "p"), Some(policy_document(SECONDARY, "v2")));
}

#[tokio::test]
async fn d07_a_policy_that_is_there_and_says_something_else_is_changed() {
    let twins = with_policy();
    let calls = cost(&twins, &of_policy(10, "p", Some(policy("p", "v2")))).await;
    assert_eq!(calls, ["create_policy", "policy", "put_policy"]);
    assert_eq!(says(&twins, "p"), Some(policy_document(SECONDARY, "v2")));
    let twins = with_policy();
    assert_eq!(cost(&twins, &of_policy(10, "p", Some(policy("p", "v1")))).await, ["create_policy", "policy"]);
}

#[tokio::test]
async fn d10_a_topic_that_is_called_as_a_region_keeps_its_name() {
    let twins = Twins::new();
    let resource = |region: &str| format!("arn:aws:iot:{region}:1:topic/{PRIMARY}/x");
    let document = json!({ "Resource": resource(PRIMARY) }).to_string();
    let literal = Policy { name: "p".to_owned(), document };
    all(&twins, &[of_certificate(10, "c", Some(identity("c", Status::Active, &[literal])))]).await;
    assert_eq!(says(&twins, "p"), Some(json!({ "Resource": resource(SECONDARY) }).to_string()));
}

#[tokio::test]
async fn a_policy_within_a_certificate_never_undoes_the_policys_own() {
    let twins = Twins::new();
    all(&twins, &[of_policy(10, "p", Some(policy("p", "v2")))]).await;
    // Looked at later, but with what was read of the policy before.
    all(&twins, &[of_certificate(20, "c", Some(device("c")))]).await;
    assert_eq!(says(&twins, "p"), Some(policy_document(SECONDARY, "v2")));
    assert_eq!(attached(&twins, "c"), ["p"]);
}

#[tokio::test]
async fn one_made_from_a_certificate_gives_way_to_its_own_document_even_an_earlier_one() {
    let twins = Twins::new();
    all(&twins, &[of_certificate(20, "c", Some(device("c")))]).await;
    assert_eq!(cost(&twins, &of_policy(10, "p", Some(policy("p", "v1")))).await, [""; 0]);
    assert_eq!(cost(&twins, &of_policy(15, "p", Some(policy("p", "v2")))).await, ["put_policy"]);
}

#[tokio::test]
async fn one_that_is_gone_is_deleted_when_nothing_has_it() {
    let twins = Twins::new();
    all(&twins, &[of_policy(10, "p", Some(policy("p", "v1")))]).await;
    assert_eq!(cost(&twins, &of_policy(20, "p", None)).await, ["delete_policy"]);
    assert_eq!(cost(&twins, &of_policy(30, "p", None)).await, [""; 0]);
    // What was seen before that brings it not back, with whichever document.
    all(&twins, &[of_certificate(25, "c", Some(device("c")))]).await;
    assert_eq!((says(&twins, "p"), attached(&twins, "c")), (None, Vec::new()));
    // What was seen after that does.
    all(&twins, &[of_certificate(35, "c", Some(device("c")))]).await;
    assert_eq!(attached(&twins, "c"), ["p"]);
}

#[tokio::test]
async fn a_deletion_waits_for_the_certificate_to_lose_the_policy_and_says_so() {
    let twins = with_thing();
    let now_ms = twins.now_ms();
    all(&twins, &[of_thing(now_ms, vec![device("c")])]).await;
    let gone = of_policy(now_ms + 10, "p", None);
    let applied = apply_one(&twins, &gone, false).await.unwrap();
    assert_eq!(applied.remarks.len(), 1, "{applied:?}");
    assert_eq!(twins.inner().slept_ms, WAITS_MS.iter().sum::<u64>());
    assert_eq!(attached(&twins, "c"), ["p"], "the certificate's row stays true");
    let bare = identity("c", Status::Active, &[]);
    all(&twins, &[of_certificate(now_ms + 5, "c", Some(bare))]).await;
    let applied = apply_one(&twins, &gone, true).await.unwrap();
    assert_eq!((applied.remarks.len(), says(&twins, "p")), (0, None));
}

#[tokio::test]
async fn an_old_deletion_does_not_wait() {
    let twins = with_thing();
    all(&twins, &[of_thing(10, vec![device("c")])]).await;
    let applied = apply_one(&twins, &of_policy(20, "p", None), false).await.unwrap();
    assert_eq!((applied.remarks.len(), twins.inner().slept_ms), (1, 0));
}

#[tokio::test]
async fn a_late_deletion_of_a_policy_that_was_made_again_takes_nothing_away() {
    let twins = with_thing();
    // Deleted at 11, made again and attached by 14.
    all(&twins, &[of_thing(14, vec![device("c")]), of_policy(11, "p", None)]).await;
    assert_eq!(attached(&twins, "c"), ["p"]);
    all(&twins, &[of_policy(13, "p", Some(policy("p", "v1")))]).await;
    assert_eq!((attached(&twins, "c").len(), says(&twins, "p").is_some()), (1, true));
}

#[tokio::test]
async fn a_target_that_nobody_here_gave_the_policy_loses_it_with_the_policy() {
    let twins = with_policy();
    {
        let mut inner = twins.inner();
        inner.secondary.register_certificate(&pem("stranger"), true).unwrap();
        inner.secondary.attach_policy("p", &arn(SECONDARY, "stranger")).unwrap();
    }
    all(&twins, &[of_policy(20, "p", None)]).await;
    assert_eq!(says(&twins, "p"), None);
}

#[tokio::test]
async fn a_group_gets_its_policies_and_loses_them() {
    let twins = Twins::new();
    let group = Group { name: "g".to_owned(), ..Group::default() };
    twins.inner().secondary.create_group(&group).unwrap();
    let target = crate::simulation::group_arn(SECONDARY, "g");
    let has = |twins: &Twins| twins.inner().secondary.attached_policies(&target);
    let both = of_group(10, &[policy("p", "v1"), policy("q", "v1")]);
    all(&twins, std::slice::from_ref(&both)).await;
    assert_eq!(has(&twins), ["p", "q"]);
    assert_eq!(cost(&twins, &both).await, [""; 0]);
    assert_eq!(cost(&twins, &of_group(20, &[policy("q", "v1")])).await, ["detach_policy"]);
    assert_eq!(has(&twins), ["q"]);
    assert_eq!(cost(&twins, &both).await, [""; 0]);
    assert_eq!(has(&twins), ["q"]);
}

#[tokio::test]
async fn policies_of_a_group_that_is_not_there_wait_for_it() {
    let twins = Twins::new();
    let document = of_group(twins.now_ms(), &[policy("p", "v1")]);
    let applied = apply_one(&twins, &document, false).await.unwrap();
    assert_eq!(applied.remarks[0].why, "waits for group g");
    let group = Group { name: "g".to_owned(), ..Group::default() };
    twins.inner().secondary.create_group(&group).unwrap();
    assert_eq!(apply_one(&twins, &document, true).await.unwrap().remarks, []);
    let target = crate::simulation::group_arn(SECONDARY, "g");
    assert_eq!(twins.inner().secondary.attached_policies(&target), ["p"]);
}

/// Why the policies of an incarnation, looked at after 10 s, wait for a group of which that is known.
async fn of_incarnation(id: &str, known: LifeMark) -> Vec<String> {
    let twins = Twins::new();
    let mut document = of_group(10_000, &[policy("p", "v1")]);
    if let Seen::GroupPolicies { group_id, .. } = &mut document.seen {
        *group_id = Some(id.to_owned());
    }
    twins.put_row(&tables::group_key("g"), Row::Group(GroupRow { mark: Some(known), undone: false }));
    let applied = apply_one(&twins, &document, false).await.unwrap();
    applied.remarks.into_iter().map(|remark| remark.why).collect()
}

#[tokio::test]
async fn policies_of_a_group_that_went_are_not_waited_for() {
    let mark =
        |id: &str, timestamp_ms, deleted| LifeMark { id: id.into(), version: 1, timestamp_ms, deleted };
    let (gone, next) = (mark("g1", 5_000, true), mark("g2", 20_000, false));
    assert_eq!(of_incarnation("g1", gone.clone()).await, Vec::<String>::new());
    assert_eq!(of_incarnation("g1", next).await, Vec::<String>::new());
    // What has the name until the group comes does not get them: they would go with it.
    for before in [gone, mark("g1", 5_000, false)] {
        assert_eq!(of_incarnation("g2", before).await, ["waits for group g"]);
    }
}
