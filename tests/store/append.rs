//! What an append does and what it refuses.

use std::time::Duration;

use signalpost::{
    event::Position,
    id::Incarnation,
    store::{Appended, Loaded, Subject},
};

use super::{append, batch, redis_server::Shared, room, server};

pub(super) async fn decisions_count_on_the_version_that_they_were_made_on(shared: Shared) {
    let (store, node, id) = (shared.store().await, server(&shared), room("a room"));
    let subject = Subject::Room(&id);

    let first = append(&store, &batch(node, subject, Position::ZERO, &["one"])).await;
    let stale = batch(node, subject, Position::ZERO, &["two"]);
    assert_eq!(store.append(&stale).await, Ok(Appended::Conflict(first[0])));
    let ahead = batch(node, subject, Position(first[0].0 + 1), &["two"]);
    assert_eq!(store.append(&ahead).await, Ok(Appended::Conflict(first[0])));
    assert_eq!(store.recent(10).await.unwrap().len(), 1);

    // Without entries nothing is written.
    let mut none = batch(node, subject, first[0], &[]);
    none.fields = vec![("r".into(), Some(b"x".into()))];
    assert_eq!(store.append(&none).await, Ok(Appended::At(vec![])));
    none.decided_on = Position::ZERO;
    assert_eq!(store.append(&none).await, Ok(Appended::Conflict(first[0])));
    let version = first[0];
    let head = version;
    assert_eq!(store.load(subject).await, Ok(Loaded { version, head, ..Loaded::default() }));

    let second = append(&store, &batch(node, subject, first[0], &["two"])).await;
    assert!(second[0] > first[0]);
    // Bans have a version of their own, and so has each room.
    let other = room("another room");
    for subject in [Subject::Bans, Subject::Room(&other)] {
        let head = store.head().await.unwrap();
        assert_eq!(store.load(subject).await, Ok(Loaded { head, ..Loaded::default() }));
        append(&store, &batch(node, subject, Position::ZERO, &["one"])).await;
    }
}

/// As from a connection that broke, of which Redis reads what was sent only after what came by another one.
pub(super) async fn what_was_sent_before_a_fence_does_not_come_after_it(shared: Shared) {
    let (before, after) = (shared.store().await, shared.store().await);
    let (node, id) = (Incarnation::random(), room("a room"));
    before.enter(node, b"", Duration::from_secs(60)).await.unwrap();
    let one = batch(node, Subject::Room(&id), Position::ZERO, &["one"]);
    let first = append(&before, &one).await[0];

    assert_eq!(after.fence(node).await, Ok(first));
    let two = batch(node, Subject::Room(&id), first, &["two"]);
    assert_eq!(before.append(&two).await, Ok(Appended::Late));
    let second = append(&after, &two).await[0];
    // A fence is never taken down, and gives nobody a lease.
    assert_eq!(before.fence(node).await, Ok(second));
    assert_eq!(after.fence(node).await, Ok(second));
    assert_eq!(before.fence(node).await, Ok(second));
    let three = batch(node, Subject::Room(&id), second, &["three"]);
    append(&before, &three).await;
    let nobody = Incarnation::random();
    after.fence(nobody).await.unwrap();
    let theirs = batch(nobody, Subject::Bans, Position::ZERO, &["one"]);
    assert_eq!(after.append(&theirs).await, Ok(Appended::NotLive));
}

pub(super) async fn a_batch_is_a_chain_and_writes_its_state(shared: Shared) {
    let (store, node, other) = (shared.store().await, server(&shared), Incarnation::random());
    let id = room("räum \r\n{x}");
    let subject = Subject::Room(&id);
    let binary: Vec<u8> = (0..=255).collect();

    let mut made = batch(node, subject, Position::ZERO, &["made", "joined", "joined"]);
    made.entries[1].payload.clone_from(&binary);
    made.entries[2].order = 1;
    made.fields = vec![
        ("r".into(), Some(binary.clone())),
        ("m:1".into(), Some(b"ann".into())),
        ("m:2".into(), None),
    ];
    made.settled_entry = Some(1);
    made.seats = vec![(node, true), (other, true)];
    let at = append(&store, &made).await;
    assert!(at.is_sorted() && at.len() == 3);
    let mut loaded = store.load(subject).await.unwrap();
    loaded.fields.sort();
    let fields = vec![("m:1".into(), b"ann".to_vec()), ("r".into(), binary.clone())];
    assert_eq!(loaded, Loaded { version: at[2], settled_at: at[1], head: at[2], fields });
    for server in [node, other] {
        assert_eq!(store.rooms_of(server).await.unwrap(), [id.as_str()]);
    }
    assert_eq!(store.names(None, "", 9).await.unwrap(), [id.as_str()]);

    let entries = store.recent(9).await.unwrap();
    let zero = Position::ZERO;
    let chain: Vec<_> = entries.iter().map(|e| (e.log_prev, e.prev, e.position)).collect();
    assert_eq!(chain, [(zero, zero, at[0]), (at[0], at[0], at[1]), (at[1], at[1], at[2])]);
    assert_eq!(entries.iter().map(|e| e.order).collect::<Vec<_>>(), [0, 1, 1]);
    assert!(entries.iter().all(|e| e.batch == made.id && e.room.as_ref() == Some(&id)));
    assert_eq!(entries[1].payload, binary);

    // The log's chain goes through all subjects, a subject's through its own.
    let ban = append(&store, &batch(node, Subject::Bans, zero, &["ban"])).await;
    let mut left = batch(node, subject, at[2], &["left"]);
    left.fields = vec![("m:1".into(), None), ("m:3".into(), Some(b"bob".into()))];
    left.seats = vec![(other, false)];
    let left_at = append(&store, &left).await;
    let entries = store.since(at[2], 9).await.unwrap();
    assert_eq!((&entries[0].room, entries[0].log_prev, entries[0].prev), (&None, at[2], zero));
    assert_eq!((entries[1].log_prev, entries[1].prev), (ban[0], at[2]));
    assert_eq!(store.head().await, Ok(left_at[0]));
    let loaded = store.load(subject).await.unwrap();
    assert_eq!((loaded.version, loaded.settled_at, loaded.fields.len()), (left_at[0], at[1], 2));
    assert!(store.rooms_of(other).await.unwrap().is_empty());

    let many = |value: Option<&str>| {
        let field = move |n| (format!("w:{n}"), value.map(|value| value.into()));
        (0..5000).map(field).collect()
    };
    let mut crowded = batch(node, subject, left_at[0], &["crowded"]);
    crowded.fields = many(Some("waits"));
    let left_at = append(&store, &crowded).await;
    assert_eq!(store.load(subject).await.unwrap().fields.len(), 5002);
    let mut empty = batch(node, subject, left_at[0], &["empty"]);
    empty.fields = many(None);
    let left_at = append(&store, &empty).await;
    assert_eq!(store.load(subject).await.unwrap().fields.len(), 2);

    let mut closed = batch(node, subject, left_at[0], &["left", "closed"]);
    (closed.exists, closed.seats) = (false, vec![(node, false)]);
    let head = append(&store, &closed).await[1];
    assert_eq!(store.load(subject).await, Ok(Loaded { head, ..Loaded::default() }));
    assert!(store.names(None, "", 9).await.unwrap().is_empty());
    assert!(store.rooms_of(node).await.unwrap().is_empty());
    let again = append(&store, &batch(node, subject, zero, &["made"])).await;
    assert_eq!(store.since(left_at[0], 9).await.unwrap()[2].prev, zero);
    assert_eq!(store.head().await, Ok(again[0]));
}

pub(super) async fn nothing_is_appended_without_a_lease_or_to_another_log(shared: Shared) {
    let (store, id) = (shared.store().await, room("a room"));
    let (live, dead) = (server(&shared), Incarnation::random());
    for entries in [&["one"][..], &[]] {
        let refused = batch(dead, Subject::Room(&id), Position::ZERO, entries);
        assert_eq!(store.append(&refused).await, Ok(Appended::NotLive));
    }
    assert_eq!(store.head().await, Ok(Position::ZERO));

    // As a Redis does that was started again without its data.
    shared.ask_all(&redis::cmd("FLUSHALL"));
    let live_again = format!("{{signalpost}}:node:{live}");
    let _: () = shared.ask(redis::cmd("SET").arg(live_again).arg("0"));
    let late = batch(live, Subject::Room(&id), Position::ZERO, &["one"]);
    assert_eq!(store.append(&late).await, Ok(Appended::OtherEpoch));
    let before = store.epoch();
    assert_ne!(store.reopen().await, Ok(before));
    let other = shared.store().await;
    assert_eq!((store.epoch(), store.reopen().await), (other.epoch(), Ok(other.epoch())));
    append(&store, &late).await;

    // Whoever sees first that the log has lost something says so to all.
    let seen = store.epoch();
    let now = store.renew_epoch(seen).await.unwrap();
    assert_ne!(now, seen);
    let next = batch(live, Subject::Bans, Position::ZERO, &["one"]);
    assert_eq!(other.append(&next).await, Ok(Appended::OtherEpoch));
    assert_eq!((other.renew_epoch(seen).await, other.epoch()), (Ok(now), now));
    append(&other, &next).await;
}
