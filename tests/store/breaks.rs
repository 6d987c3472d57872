//! What becomes of appends and of the tail when connections break and Redis goes.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use signalpost::{
    event::Position,
    id::Incarnation,
    store::{Appended, Entry, Store, StoreError, Subject, Tail},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{
    append, batch,
    redis_server::{Shared, flags},
    room, server, within,
};

/// The next entries, whatever breaks meanwhile.
async fn next(tail: &mut Tail) -> Vec<Entry> {
    within(async {
        loop {
            match tail.next().await {
                Ok(entries) if !entries.is_empty() => return entries,
                _ => {}
            }
        }
    })
    .await
}

/// Appends one entry, however often it takes.
async fn append_at_last(store: &Store, node: Incarnation, room: &str, payload: &str) -> Position {
    let id = super::room(room);
    within(async {
        loop {
            let Ok(loaded) = store.load(Subject::Room(&id)).await else { continue };
            let batch = batch(node, Subject::Room(&id), loaded.version, &[payload]);
            if let Ok(Appended::At(at)) = store.append(&batch).await {
                return at[0];
            }
        }
    })
    .await
}

pub(super) async fn an_append_that_was_cut_off_is_done_or_not_and_the_log_tells(shared: Shared) {
    let (store, node, id) = (shared.store().await, server(&shared), room("a room"));
    let subject = Subject::Room(&id);
    let first = append(&store, &batch(node, subject, Position::ZERO, &["made"])).await;

    // Redis has it, and does it only when the pause is over: by then whoever sent it is gone.
    shared.ask_all(redis::cmd("CLIENT").arg("PAUSE").arg(60_000).arg("WRITE"));
    let held = batch(node, subject, first[0], &["held"]);
    let cut_off = async {
        loop {
            shared.break_connections();
            tokio::task::yield_now().await;
        }
    };
    let fate = within(async {
        tokio::select! {
            biased;
            fate = store.append(&held) => fate,
            () = cut_off => unreachable!(),
        }
    });
    assert!(fate.await.is_err());
    shared.ask_all(redis::cmd("CLIENT").arg("UNPAUSE"));
    let again = batch(node, subject, first[0], &["again"]);
    let again = append(&store, &again).await;

    // Connections break at any moment.
    let (mut version, mut sure) = (again[0], BTreeMap::new());
    let mut unsure = Vec::new();
    for round in 0..300 {
        let next = batch(node, subject, version, &["next"]);
        let (fate, ()) = tokio::join!(store.append(&next), async {
            for _ in 0..round % 4 {
                tokio::task::yield_now().await;
            }
            if round % 3 == 0 {
                shared.break_connections();
            }
        });
        match fate {
            Ok(Appended::At(at)) => {
                version = at[0];
                sure.insert(next.id, at[0]);
            }
            Err(StoreError::Unavailable(_)) => {}
            Err(StoreError::Unknown(_)) => {
                unsure.push(next.id);
                let loaded = within(async {
                    loop {
                        if let Ok(loaded) = store.load(subject).await {
                            return loaded;
                        }
                    }
                });
                version = loaded.await.version;
            }
            other => panic!("{other:?}"),
        }
    }
    let mut tail = store.tail(again[0]);
    let mut seen = BTreeMap::new();
    while seen.values().last().is_none() || seen.values().max() != Some(&version) {
        for entry in next(&mut tail).await {
            assert!(seen.insert(entry.batch, entry.position).is_none(), "twice");
        }
    }
    assert!(sure.len() > 100, "{} of 300", sure.len());
    for (batch, position) in seen {
        let known = sure.remove(&batch) == Some(position);
        assert!(known || unsure.contains(&batch));
    }
    assert!(sure.is_empty());
}

/// Takes one connection after another to the Redis at `port`. Once it is `armed`, it cuts one off instead of the next
/// answer.
async fn cutting(listener: TcpListener, port: u16, armed: Arc<AtomicBool>) {
    loop {
        let (ours, _) = listener.accept().await.unwrap();
        let theirs = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let armed = Arc::clone(&armed);
        tokio::spawn(async move {
            let (mut from_us, mut to_us) = ours.into_split();
            let (mut from_redis, mut to_redis) = theirs.into_split();
            let down = async {
                let mut answer = vec![0; 4096];
                while let Ok(length @ 1..) = from_redis.read(&mut answer).await {
                    if armed.swap(false, Ordering::Relaxed) {
                        return;
                    }
                    to_us.write_all(&answer[..length]).await.unwrap();
                }
            };
            tokio::select! {
                () = down => {}
                _ = tokio::io::copy(&mut from_us, &mut to_redis) => {}
            }
        });
    }
}

#[tokio::test]
async fn what_was_done_and_lost_its_answer_is_not_said_to_have_failed_nor_done_again() {
    let (shared, id) = (Shared::standalone(), room("a room"));
    let (node, subject) = (server(&shared), Subject::Room(&id));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (url, flags) = flags(&format!("--redis-url redis://{}", listener.local_addr().unwrap()));
    let armed = Arc::new(AtomicBool::new(false));
    tokio::spawn(cutting(listener, shared.servers[0].port, Arc::clone(&armed)));

    let store = Store::connect(&url, &flags).await.unwrap();
    // The script is known then.
    let first = append(&store, &batch(node, subject, Position::ZERO, &["one"])).await;
    armed.store(true, Ordering::Relaxed);
    let done = batch(node, subject, first[0], &["two"]);
    assert!(matches!(store.append(&done).await, Err(StoreError::Unknown(_))));
    let entries = store.since(first[0], 9).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.batch).collect::<Vec<_>>(), [done.id]);
    let version = store.load(subject).await.unwrap().version;
    assert_eq!(version, entries[0].position);
    append(&store, &batch(node, subject, version, &["three"])).await;
}

pub(super) async fn a_full_redis_takes_what_frees_memory(shared: Shared) {
    let lease = Duration::from_secs(60);
    let (store, node, id) = (shared.store().await, Incarnation::random(), room("a room"));
    store.enter(node, b"", lease).await.unwrap();
    let subject = Subject::Room(&id);
    let mut made = batch(node, subject, Position::ZERO, &["made"]);
    made.fields = vec![("m:1".into(), Some(b"ann".into()))];
    let first = append(&store, &made).await;

    shared.ask_all(redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(1));
    let joined = batch(node, subject, first[0], &["joined"]);
    assert!(matches!(store.append(&joined).await, Err(StoreError::Unavailable(_))));
    let mut left = batch(node, subject, first[0], &["left"]);
    left.fields = vec![("m:1".into(), None)];
    left.frees = true;
    let second = append(&store, &left).await;
    assert_eq!(store.load(subject).await.unwrap().fields, []);
    // Servers live on, and die.
    let other = Incarnation::random();
    let inbox = store.open_inbox(other, lease).await;
    assert!(inbox.is_ok(), "{inbox:?}");
    store.enter(other, b"", lease).await.unwrap();
    assert_eq!(store.renew(other, lease).await, Ok(true));
    assert_eq!(store.fence(node).await, Ok(second[0]));
    assert_eq!(store.claim_reaping(Incarnation::random(), node, lease).await, Ok(true));
    store.leave(other).await.unwrap();

    shared.ask_all(redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(0));
    append(&store, &batch(node, subject, second[0], &["joined"])).await;
}

pub(super) async fn the_tail_goes_on_after_every_break(shared: Shared) {
    let (store, node) = (shared.store().await, server(&shared));
    let mut tail = store.tail(Position::ZERO);
    let mut last = Position::ZERO;
    for round in 0..20 {
        let payload = round.to_string();
        // It waits already when the entry comes, or is given up in the midst of waiting, or its connection breaks.
        if round % 4 == 1 {
            assert!(tokio::time::timeout(Duration::ZERO, tail.next()).await.is_err());
        }
        if round % 4 == 2 {
            shared.break_connections();
        }
        let (entries, at) = tokio::join!(next(&mut tail), async {
            let at = append_at_last(&store, node, "a room", &payload).await;
            if round % 4 == 3 {
                shared.break_connections();
            }
            at
        });
        assert_eq!(entries.len(), 1);
        assert_eq!((entries[0].position, entries[0].log_prev), (at, last));
        assert_eq!(entries[0].payload, payload);
        last = at;
    }
    within(async { while store.ping().await.is_err() {} }).await;
    // Who comes late reads all of it, a part at a time.
    let mut version = last;
    for _ in 0..3 {
        let entries = vec!["x"; 700];
        let id = room("a room");
        let at = append(&store, &batch(node, Subject::Room(&id), version, &entries)).await;
        version = *at.last().unwrap();
    }
    let mut late = store.tail(last);
    let (mut count, mut prev) = (0, last);
    while prev != version {
        for entry in next(&mut late).await {
            assert_eq!(entry.log_prev, prev);
            prev = entry.position;
            count += 1;
        }
    }
    assert_eq!(count, 2100);
}

pub(super) async fn a_restart_loses_nothing_and_a_lost_log_shows(mut shared: Shared) {
    let (store, node) = (shared.store().await, server(&shared));
    let mut tail = store.tail(Position::ZERO);
    let before = append_at_last(&store, node, "a room", "before").await;
    assert_eq!(next(&mut tail).await.len(), 1);

    for redis in &mut shared.servers {
        redis.kill();
    }
    let id = room("a room");
    let away = batch(node, Subject::Room(&id), before, &["away"]);
    assert!(store.append(&away).await.is_err());
    assert!(matches!(store.append(&away).await, Err(StoreError::Unavailable(_))));
    assert!(store.ping().await.is_err());
    assert!(within(tail.next()).await.is_err());
    for redis in &mut shared.servers {
        redis.start_again();
    }
    let (entries, at) =
        tokio::join!(next(&mut tail), append_at_last(&store, node, "a room", "after"));
    assert_eq!(entries.len(), 1);
    assert_eq!((entries[0].position, entries[0].log_prev), (at, before));
    assert_eq!((store.ping().await, store.reopen().await), (Ok(()), Ok(store.epoch())));

    // All data is gone: whoever looks sees it, and what comes then does not follow what was read.
    shared.ask_all(&redis::cmd("FLUSHALL"));
    let lost = store.epoch();
    assert_eq!(store.head().await, Err(StoreError::Lost(lost)));
    let id = room("a room");
    assert_eq!(store.load(Subject::Room(&id)).await, Err(StoreError::Lost(lost)));
    assert_ne!(store.renew_epoch(lost).await, Ok(lost));
    assert_eq!((store.head().await, store.epoch_begins_at()), (Ok(Position::ZERO), Position::ZERO));
    let mut tail = store.tail(store.epoch_begins_at());
    let node = server(&shared);
    let (entries, at) =
        tokio::join!(next(&mut tail), append_at_last(&store, node, "a room", "anew"));
    assert_eq!((entries[0].position, entries[0].log_prev), (at, Position::ZERO));
}
