//! What the servers of a fleet know of each other through Redis, and the letters that they write to each other.
//!
//! Every test is there twice: with one Redis, and with a Redis Cluster of three masters.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

#[path = "support/redis.rs"]
mod redis_server;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    thread,
    time::Duration,
};

use bytes::Bytes;
use redis::{Client, cmd};
use redis_server::{Redis, Shared};
use signalpost::{
    config::limits,
    id::Incarnation,
    store::{Inbox, InboxLost, Lost, Post, Received, Store},
};
use tokio::{
    task::{AbortHandle, JoinSet, spawn_blocking},
    time::{Instant, sleep, timeout},
};

const LEASE: Duration = Duration::from_secs(30);
/// Of who is to lose it.
const SHORT: Duration = Duration::from_secs(1);
/// Redis' clock has whole milliseconds, and may be late.
const OVER: Duration = Duration::from_millis(1200);

/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(60);

/// Each with one Redis and with a Redis Cluster.
macro_rules! everywhere {
    ($($name:ident,)*) => {
        mod standalone {
            $(#[tokio::test] async fn $name() { super::$name(super::Shared::standalone()).await; })*
        }
        mod cluster {
            $(#[tokio::test] async fn $name() { super::$name(super::Shared::cluster()).await; })*
        }
    };
}

everywhere! {
    letters_arrive_once_and_in_order_while_all_connections_break_again_and_again,
    a_full_inbox_delays_no_other_and_takes_on_what_was_kept_for_it,
    who_is_gone_gets_nothing_and_the_others_letters_go_on,
    no_letter_of_a_former_life_comes_after_one_of_the_next,
    an_inbox_that_redis_lost_is_told_and_opened_anew,
    a_lease_ends_and_cannot_be_had_back,
    an_inbox_of_which_a_part_is_gone_ends_its_owners_life,
    one_at_a_time_reaps_the_dead_and_buries_who_has_no_seats,
}

async fn within<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("took too long")
}

/// One that writes for as long as this is kept.
struct Writer {
    post: Arc<Post>,
    running: AbortHandle,
}

impl Writer {
    fn new(store: &Store) -> Self {
        let post = Arc::new(Post::new(store.clone(), Incarnation::random()));
        let runs = Arc::clone(&post);
        let running = tokio::spawn(async move { runs.run().await }).abort_handle();
        Self { post, running }
    }

    fn send(&self, to: Incarnation, text: impl Into<String>) {
        self.post.send(to, Bytes::from(text.into())).unwrap();
    }

    async fn lost(&self, expected: Lost) {
        within(self.post.lost().wait_for(|lost| *lost == expected)).await.unwrap();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn opened(store: &Store) -> (Incarnation, Inbox) {
    let owner = Incarnation::random();
    (owner, store.open_inbox(owner, LEASE).await.unwrap())
}

async fn read(inbox: &mut Inbox, count: usize) -> Vec<String> {
    let text = |letter: Received| String::from_utf8(letter.payload.to_vec()).unwrap();
    let mut texts = Vec::new();
    while texts.len() < count {
        texts.extend(within(inbox.next()).await.unwrap().into_iter().map(text));
    }
    texts
}

/// Who is known, what it says of itself, and whether its lease holds.
async fn live(store: &Store) -> HashSet<(Incarnation, &'static str, bool)> {
    let known = store.nodes().await.unwrap();
    let texts = ["one", "two", "dead"];
    let said = |info: &[u8]| *texts.iter().find(|text| text.as_bytes() == info).unwrap();
    known.iter().map(|node| (node.incarnation, said(&node.info), node.lease.is_some())).collect()
}

async fn letters_arrive_once_and_in_order_while_all_connections_break_again_and_again(
    redis: Shared,
) {
    const LETTERS: u32 = 5000;

    let (store, others) = (redis.store().await, redis.store().await);
    let writers = [Writer::new(&store), Writer::new(&others)];
    let (first, second) = (opened(&store).await, opened(&others).await);
    let owners = [first.0, second.0];

    let mut reading = JoinSet::new();
    for mut inbox in [first.1, second.1] {
        reading.spawn(async move {
            let mut numbers = HashMap::<Incarnation, u32>::new();
            while numbers.len() < 2 || numbers.values().any(|next| *next < LETTERS) {
                for letter in inbox.next().await.unwrap() {
                    let expected = numbers.entry(letter.from).or_default();
                    let number = u32::from_be_bytes(letter.payload[..].try_into().unwrap());
                    assert_eq!(number, *expected, "from {}", letter.from);
                    *expected += 1;
                }
            }
        });
    }
    let writing = async {
        for number in 0..LETTERS {
            for to in owners {
                for writer in &writers {
                    writer.post.send(to, number.to_be_bytes().to_vec().into()).unwrap();
                }
            }
            // Over some three seconds, in which some fifty breaks fall.
            if number % 5 == 0 {
                sleep(Duration::from_millis(2)).await;
            }
        }
        while let Some(done) = reading.join_next().await {
            done.unwrap();
        }
    };
    let going = Arc::new(());
    let seen = Arc::downgrade(&going);
    let breaking = spawn_blocking(move || {
        while seen.strong_count() > 0 {
            redis.servers.iter().for_each(break_before_the_replies);
            thread::sleep(Duration::from_millis(50));
        }
    });
    within(writing).await;
    drop(going);
    within(breaking).await.unwrap();
    assert!(writers.iter().all(|writer| *writer.post.lost().borrow() == Lost::default()));
}

/// Ends all connections. What is asked while the server is busy is done and the connection gone at once after it, so that
/// nobody hears that it is done.
fn break_before_the_replies(server: &Redis) {
    let connect = || Client::open(("127.0.0.1", server.port)).unwrap().get_connection().unwrap();
    let (mut busy, mut breaker) = (connect(), connect());
    let mut count = cmd("EVAL");
    count.arg("for _ = 1, 300000 do end").arg(0);
    busy.send_packed_command(&count.get_packed_command()).unwrap();
    thread::sleep(Duration::from_millis(1));
    cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").exec(&mut breaker).unwrap();
}

async fn a_full_inbox_delays_no_other_and_takes_on_what_was_kept_for_it(redis: Shared) {
    let store = redis.store().await;
    let [mut slow, mut dead, mut quick] =
        [opened(&store).await, opened(&store).await, opened(&store).await];
    let writer = Writer::new(&store);
    // By their number, and by their bytes.
    let (many, long) = ((limits::INBOX_LETTERS, 3), (limits::INBOX_BYTES >> 20, 1 << 20));
    for ((owner, _), (count, length)) in [(&slow, many), (&dead, long)] {
        let fill = "for _ = 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', 'f', ARGV[2], 'k', _, 'd', ARGV[3]) end";
        let key = format!("signalpost:{{{owner}}}:inbox");
        let (from, text) = (Incarnation::random().to_string(), "o".repeat(length));
        let mut command = cmd("EVAL");
        let () = redis.ask(command.arg(fill).arg(1).arg(key).arg(count).arg(&from).arg(text));
    }
    let sent = Instant::now();
    for text in ["a", "b", "c"] {
        for (owner, _) in [&slow, &dead, &quick] {
            writer.send(*owner, text);
        }
    }
    assert_eq!(read(&mut quick.1, 3).await, ["a", "b", "c"]);

    let all = read(&mut slow.1, limits::INBOX_LETTERS + 3).await;
    let (old, new) = all.split_at(limits::INBOX_LETTERS);
    assert!(old.iter().all(|text| text == "ooo"));
    assert_eq!(new, ["a", "b", "c"]);

    writer.lost(Lost { gone: 0, full: 3 }).await;
    assert!(sent.elapsed() >= limits::POST_TO_FULL, "it waits for an inbox that is full");
    read(&mut dead.1, long.0).await;
    writer.send(dead.0, "d");
    assert_eq!(read(&mut dead.1, 1).await, ["d"]);
}

async fn who_is_gone_gets_nothing_and_the_others_letters_go_on(redis: Shared) {
    let store = redis.store().await;
    let (writer, mut here) = (Writer::new(&store), opened(&store).await);
    let (unknown, gone) = (Incarnation::random(), opened(&store).await);
    store.leave(gone.0).await.unwrap();
    let forgotten = Incarnation::random();
    let mut inbox = store.open_inbox(forgotten, SHORT).await.unwrap();
    let kept = Incarnation::random();
    let mut renewed = store.open_inbox(kept, SHORT).await.unwrap();
    store.enter(kept, b"", LEASE).await.unwrap();
    assert!(store.renew(kept, LEASE).await.unwrap());
    assert_eq!(within(inbox.next()).await, Err(InboxLost));

    for text in ["a", "b"] {
        for to in [unknown, gone.0, forgotten, kept, here.0] {
            writer.send(to, text);
        }
    }
    assert_eq!(read(&mut here.1, 2).await, ["a", "b"]);
    assert_eq!(read(&mut renewed, 2).await, ["a", "b"]);
    writer.lost(Lost { gone: 6, full: 0 }).await;
}

async fn no_letter_of_a_former_life_comes_after_one_of_the_next(redis: Shared) {
    let store = redis.store().await;
    let (reader, mut inbox) = opened(&store).await;
    let first = Post::new(store.clone(), Incarnation::random());
    let names = [Incarnation::random(), Incarnation::random()];
    // Its write is under way when its life is over.
    first.send(reader, "late".into()).unwrap();
    let next = first.next(names[0]);
    next.send(reader, "new".into()).unwrap();
    written(&next).await;
    written(&first).await;
    let last = next.next(names[1]);
    last.send(reader, "newer".into()).unwrap();
    written(&last).await;

    let mut letters = Vec::new();
    while letters.len() < 2 {
        letters.extend(within(inbox.next()).await.unwrap());
    }
    let expected = [(names[0], "new"), (names[1], "newer")];
    let expected = expected.map(|(from, text)| Received { from, payload: text.into() });
    assert_eq!(letters, expected);
    assert_eq!(last.taken(), 3);
}

/// Until all that it took is in Redis.
async fn written(post: &Post) {
    within(async {
        tokio::select! {
            never = post.run() => match never {},
            () = post.written() => {}
        }
    })
    .await;
}

async fn an_inbox_that_redis_lost_is_told_and_opened_anew(redis: Shared) {
    let store = redis.store().await;
    let (owner, mut inbox) = opened(&store).await;
    let writer = Writer::new(&store);
    writer.send(owner, "a");
    assert_eq!(read(&mut inbox, 1).await, ["a"]);

    redis.ask_all(&cmd("FLUSHALL"));
    writer.send(owner, "b");
    assert_eq!(within(inbox.next()).await, Err(InboxLost));
    writer.lost(Lost { gone: 1, full: 0 }).await;
    let mut inbox = store.open_inbox(owner, LEASE).await.unwrap();
    writer.send(owner, "c");
    assert_eq!(read(&mut inbox, 1).await, ["c"]);

    // As after a failover to a replica that was behind.
    let mut other = store.open_inbox(owner, LEASE).await.unwrap();
    assert_eq!(within(inbox.next()).await, Err(InboxLost));
    writer.send(owner, "d");
    assert_eq!(read(&mut other, 1).await, ["d"]);
}

async fn a_lease_ends_and_cannot_be_had_back(redis: Shared) {
    let store = redis.store().await;
    let [lasting, ending, stranger] = [(); 3].map(|()| Incarnation::random());
    for node in [lasting, ending] {
        store.open_inbox(node, LEASE).await.unwrap();
    }
    store.enter(lasting, b"one", SHORT).await.unwrap();
    store.enter(ending, b"two", SHORT).await.unwrap();
    assert_eq!(live(&store).await, [(lasting, "one", true), (ending, "two", true)].into());

    assert!(store.renew(lasting, LEASE).await.unwrap());
    assert!(!store.renew(stranger, LEASE).await.unwrap());
    sleep(OVER).await;
    assert_eq!(live(&store).await, [(lasting, "one", true), (ending, "two", false)].into());
    assert!(!store.renew(ending, LEASE).await.unwrap());
    assert_eq!(live(&store).await, [(lasting, "one", true), (ending, "two", false)].into());

    store.leave(lasting).await.unwrap();
    assert!(!store.renew(lasting, LEASE).await.unwrap());
    assert_eq!(live(&store).await, [(ending, "two", false)].into());
}

/// Nobody can write to it, and its reader sees nothing of that.
async fn an_inbox_of_which_a_part_is_gone_ends_its_owners_life(redis: Shared) {
    let store = redis.store().await;
    for part in ["inbox", "senders"] {
        let node = Incarnation::random();
        let _inbox = store.open_inbox(node, LEASE).await.unwrap();
        store.enter(node, b"", LEASE).await.unwrap();
        assert!(store.renew(node, LEASE).await.unwrap());
        let key = format!("signalpost:{{{node}}}:{part}");
        let removed: u32 = redis.ask(cmd("DEL").arg(&key));
        assert_eq!(removed, 1, "{key}");
        assert!(!store.renew(node, LEASE).await.unwrap(), "without {part}");
    }
}

async fn one_at_a_time_reaps_the_dead_and_buries_who_has_no_seats(redis: Shared) {
    let store = redis.store().await;
    let [dead, one, other] = [(); 3].map(|()| Incarnation::random());
    let mut inbox = store.open_inbox(dead, LEASE).await.unwrap();
    store.enter(dead, b"dead", LEASE).await.unwrap();
    let seats = format!("{{signalpost}}:seats:{dead}");
    let _: u32 = redis.ask(cmd("SADD").arg(&seats).arg("room"));

    assert!(!store.claim_reaping(dead, one, LEASE).await.unwrap(), "it lives");
    assert!(!store.buried(dead).await.unwrap(), "it lives");
    store.leave(dead).await.unwrap();
    assert_eq!(live(&store).await, [(dead, "dead", false)].into(), "it has seats");
    assert!(store.claim_reaping(dead, one, LEASE).await.unwrap());
    assert!(!store.claim_reaping(dead, other, LEASE).await.unwrap(), "another reaps it");
    assert!(store.claim_reaping(dead, one, SHORT).await.unwrap(), "it is its own claim");
    sleep(OVER).await;
    assert!(store.claim_reaping(dead, other, LEASE).await.unwrap(), "that claim is over");

    assert!(!store.buried(dead).await.unwrap(), "it has seats");
    let _: u32 = redis.ask(cmd("SREM").arg(&seats).arg("room"));
    assert!(store.buried(dead).await.unwrap());
    assert!(live(&store).await.is_empty());
    assert_eq!(within(inbox.next()).await, Err(InboxLost));
    assert!(store.claim_reaping(dead, one, LEASE).await.unwrap(), "the claim went with it");
}
