//! Names in order, and the log from its end.

use std::time::Duration;

use signalpost::{event::Position, store::Subject};
use tokio::time::sleep;

use super::{append, batch, redis_server::Shared, room, server};

pub(super) async fn names_come_in_order_and_by_pages(shared: Shared) {
    let (store, node) = (shared.store().await, server(&shared));
    let sorted = ["a", "a b", "aa", "b", "ba", "b\u{10ffff}", "c", "ä", "語"];
    for name in [3, 7, 1, 0, 8, 5, 2, 4, 6].map(|index: usize| sorted[index]) {
        append(&store, &batch(node, Subject::Room(&room(name)), Position::ZERO, &["x"])).await;
    }
    let names = async |after, prefix, max| store.names(after, prefix, max).await.unwrap();
    assert_eq!(names(None, "", 100).await, sorted);
    assert_eq!(names(None, "", 2).await, sorted[..2]);
    assert_eq!(names(Some("a b"), "", 3).await, sorted[2..5]);
    assert_eq!(names(None, "b", 100).await, sorted[3..6]);
    assert_eq!(names(Some("b"), "b", 100).await, sorted[4..6]);
    // Also behind a name that is gone, or stands before the prefix.
    assert_eq!(names(Some("az"), "b", 1).await, ["b"]);
    assert_eq!(names(Some("bb"), "b", 9).await, ["b\u{10ffff}"]);
    assert!(names(Some("c"), "b", 9).await.is_empty());
    assert!(names(None, "x", 9).await.is_empty());
    assert_eq!(store.room_count().await.unwrap(), sorted.len());
}

pub(super) async fn what_is_remembered_is_forgotten_in_time_or_when_told(shared: Shared) {
    let (store, long) = (shared.store().await, Duration::from_secs(60));
    let remember = async |value: &[u8], time| store.remember("a", value, time).await.unwrap();
    assert_eq!(remember(b"first", long).await, None);
    assert_eq!(remember(b"second", long).await.as_deref(), Some(&b"first"[..]));
    store.remember_instead("a", b"third", long).await.unwrap();
    assert_eq!(remember(b"second", long).await.as_deref(), Some(&b"third"[..]));
    store.forget_remembered("a").await.unwrap();
    assert_eq!(remember(b"", Duration::from_millis(1)).await, None);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(remember(b"fourth", long).await, None);
}

pub(super) async fn the_log_is_read_from_its_end_and_forgets_its_beginning(shared: Shared) {
    let store = shared.store_with("--redis-log-events 1000").await.unwrap();
    let (node, id) = (server(&shared), room("a room"));
    assert!(store.recent(10).await.unwrap().is_empty());
    let mut version = Position::ZERO;
    for _ in 0..15 {
        let at = append(&store, &batch(node, Subject::Room(&id), version, &["x"; 100])).await;
        version = *at.last().unwrap();
    }
    let entries = store.recent(5).await.unwrap();
    assert_eq!((entries.len(), entries[4].position), (5, version));
    assert!(entries.windows(2).all(|pair| pair[0].position == pair[1].log_prev));
    // Redis trims whole nodes of a hundred.
    let kept = store.since(Position::ZERO, 2000).await.unwrap();
    assert!((1000..1100).contains(&kept.len()), "{}", kept.len());
    // The chain shows that something is missing.
    assert_ne!(kept[0].log_prev, Position::ZERO);
    let clock = store.time().await.unwrap();
    let away = clock.elapsed().unwrap_or_else(|ahead| ahead.duration());
    assert!(away.as_secs() < 60, "{away:?}");

    // A clock that was put back leaves one millisecond for everything, and its count has an end.
    let far = (version.0 >> 16) + 3_600_000;
    let (last, log, meta) = (format!("{far}-65530"), "{signalpost}:log", "{signalpost}:meta");
    let _: () = shared.ask(redis::cmd("XADD").arg(log).arg(&*last).arg("n").arg(""));
    let _: () = shared.ask(redis::cmd("HSET").arg(meta).arg("head").arg(&*last));
    let at = append(&store, &batch(node, Subject::Room(&id), version, &["x"; 5])).await;
    assert_eq!(*at.last().unwrap(), Position(far << 16 | 65_535));
    let version = *at.last().unwrap();
    let at = append(&store, &batch(node, Subject::Room(&id), version, &["x", "y"])).await;
    assert_eq!(at, [Position((far + 1) << 16), Position((far + 1) << 16 | 1)]);
}
