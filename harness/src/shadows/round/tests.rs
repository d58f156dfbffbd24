use tokio::time::sleep;

use super::*;
use crate::pool::site::Site;

fn round(site: &Site, within: Duration, stop: &CancellationToken) -> Round {
    let (id, limit) = ("abcd1234".to_owned(), Instant::now() + Duration::from_mins(1));
    let writing = Writing { id, count: 3, shadow: String::new(), workers: 3, within, limit };
    let both = site.aws.both(&site.endpoints().account);
    Round::new(Paced::new(both, [1e6; 2], 1e6), writing, stop.clone(), Progress::silent()).unwrap()
}

/// Brings the shadows to the secondary: nothing replicates here, so that no deletion arrives.
async fn bring(round: &Round) {
    for number in 1..=3 {
        let (name, state) = (round.writing.name(number), round.writing.state(number));
        round.regions.both.secondary.update_shadow(&name.thing, "", &state, None).await.unwrap();
    }
}

async fn count(round: &Round, side: usize) -> usize {
    let (region, _) = round.regions.sides()[side];
    let mut count = 0;
    for number in 1..=3 {
        let found = region.shadow(&round.writing.name(number).thing, "").await.unwrap();
        count += usize::from(found.is_some());
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stops_it_does_not_wait_for_deletions() {
    let site = Site::start().await;
    let (stop, within) = (CancellationToken::new(), Duration::from_mins(1));
    let round = round(&site, within, &stop);
    bring(&round).await;
    let began = Instant::now();
    let stopper = async {
        while round.tally.lock().compared < 3 || count(&round, 0).await > 0 {
            sleep(Duration::from_millis(20)).await;
        }
        stop.cancel();
    };
    let (written, ()) = futures::join!(round.run(), stopper);
    assert!(began.elapsed() < within / 2, "{:?}", began.elapsed());
    assert_eq!((written.left.len(), written.deletions), (0, Deletions::default()));
    assert_eq!((count(&round, 0).await, count(&round, 1).await), (0, 0));
    // An undo that is stopped before it has begun with anything does nothing.
    bring(&round).await;
    assert!(round.undo().await.is_empty());
    assert_eq!(count(&round, 1).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_deleted_is_tried_once_more_and_then_named() {
    let site = Site::start().await;
    let round = round(&site, Duration::from_millis(300), &CancellationToken::new());
    bring(&round).await;
    let refused = site.refuse("DeleteThingShadow");
    let left = round.undo().await;
    assert_eq!(left.len(), 3);
    assert!(left[0].contains("not today") && left[0].contains("by hand: aws iot-data"), "{left:?}");
    drop(refused);
    let failed = (1..=3).map(|number| (round.writing.name(number), "no answer".to_owned()));
    round.left.lock().extend(failed);
    assert_eq!(round.once_more().await, [""; 0]);
    assert_eq!(count(&round, 1).await, 0);
}
