//! The hub without sockets: what enters which outbox, and what bounds it.

#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test lists its cases, and panics where it fails"
)]

mod support;
#[path = "support/taking.rs"]
mod taking;

use std::{
    collections::BTreeSet,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use futures_util::FutureExt;
use serde_json::{Value, json};
use signalpost::{
    event::{Administrator, Cause},
    hub::{Audience, Client, Due, Ending, Entry, Hub, Session},
    id::RoomId,
    journal,
    room::{Change, LeaveReason, Settings},
};
use taking::Taking;

fn hub(flags: &str) -> Arc<Hub> {
    Arc::new(Hub::new(Arc::new(support::config(flags))))
}

/// What is due to a client now, as its connection would take it.
fn due(client: &Client) -> Result<Vec<Value>, Ending> {
    let mut batch = Vec::new();
    match client.outbox.take_due(&mut batch, usize::MAX) {
        Due::End(ending) => Err(ending),
        _ => {
            client.outbox.acknowledge();
            let parse = |entry: Entry| serde_json::from_str(entry.frame().as_str()).unwrap();
            Ok(batch.into_iter().map(parse).collect())
        }
    }
}

fn kinds(client: &Client) -> Vec<String> {
    let kind = |message: &Value| message["type"].as_str().unwrap().to_owned();
    due(client).unwrap().iter().map(kind).collect()
}

async fn say(session: &mut Session, message: &Value) {
    if let Some(wish) = session.receive(&message.to_string()) {
        session.carry_out(wish).await;
    }
}

async fn member(hub: &Arc<Hub>, room: &str) -> Session {
    let mut session = hub.connect(std::net::Ipv4Addr::LOCALHOST.into(), None).unwrap();
    say(&mut session, &json!({"type": "join", "roomId": room})).await;
    assert_eq!(kinds(session.client()), ["welcome", "joined"]);
    session
}

#[tokio::test]
async fn a_panic_frees_the_seat_and_says_so() {
    let hub = hub("");
    let witness = member(&hub, "r").await;
    let session = member(&hub, "r").await;
    due(witness.client()).unwrap();
    let client = Arc::clone(session.client());
    let panicked = catch_unwind(AssertUnwindSafe(move || {
        let _held = session;
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    let heard = due(witness.client()).unwrap();
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0]["reason"], "internal-error");
    assert_eq!(heard[0]["clientId"], json!(client.id.to_string()));
    assert_eq!(hub.room(&"r".parse().unwrap()).await.unwrap().members().len(), 1);
}

#[tokio::test]
async fn an_outbox_that_is_half_full_holds_back_who_fills_it_and_loses_nothing() {
    for flags in
        ["--outbox-messages 16", "--max-members 3 --max-message-bytes 2048 --outbox-bytes 20000"]
    {
        let hub = hub(flags);
        let mut speaker = member(&hub, "r").await;
        let (deaf, mut other) = (member(&hub, "r").await, member(&hub, "r").await);
        let message = json!({"type": "message", "content": "x".repeat(1000)});
        let mut said = 0;
        while speaker.may_speak() {
            say(&mut speaker, &message).await;
            due(speaker.client()).unwrap();
            due(other.client()).unwrap();
            said += 1;
        }
        assert!((7..=10).contains(&said), "{flags}: held after {said}");
        assert!(other.may_speak(), "{flags}: who said nothing is not held");
        // What many say at once is not left out either.
        for _ in 0..30 {
            say(&mut other, &message).await;
        }
        assert!(!other.may_speak());
        let heard = kinds(deaf.client());
        let messages = heard.iter().filter(|kind| *kind == "message").count();
        assert_eq!(messages, said + 30, "{flags}");
        due(speaker.client()).unwrap();
        assert!(speaker.may_speak() && other.may_speak(), "{flags}: everything is taken");
    }
}

#[tokio::test]
async fn what_was_taken_counts_until_it_is_acknowledged() {
    let hub = hub("--outbox-messages 16");
    let (mut speaker, slow) = (member(&hub, "r").await, member(&hub, "r").await);
    let message = json!({"type": "message", "content": 1});
    let mut batch = Vec::new();
    for said in 0..9 {
        assert!(speaker.may_speak(), "{said}");
        say(&mut speaker, &message).await;
        slow.client().outbox.take_due(&mut batch, usize::MAX);
    }
    assert_eq!(batch.len(), 9);
    assert!(!speaker.may_speak(), "half of the outbox is on its way");
    slow.client().outbox.acknowledge();
    assert!(speaker.may_speak());
}

#[tokio::test]
async fn who_waits_for_an_outbox_is_let_go_when_its_client_goes() {
    let hub = hub("--outbox-messages 16");
    let (mut speaker, deaf) = (member(&hub, "r").await, member(&hub, "r").await);
    while speaker.may_speak() {
        say(&mut speaker, &json!({"type": "message", "content": 1})).await;
    }
    deaf.end(LeaveReason::Disconnected);
    assert!(speaker.may_speak());
}

#[tokio::test(start_paused = true)]
async fn only_who_takes_less_than_16_kib_a_second_for_10_s_is_a_slow_consumer() {
    for (bytes_a_second, is_slow) in [(0, true), (15 << 10, true), (17 << 10, false)] {
        let hub = hub("--outbox-messages 16 --pong-seconds 3600");
        let running = Arc::clone(&hub);
        let heart = tokio::spawn(async move { running.run().await });
        let (mut speaker, reader) = (member(&hub, "r").await, member(&hub, "r").await);
        let socket = Taking::of(reader.client());
        while speaker.may_speak() {
            say(&mut speaker, &json!({"type": "message", "content": 1})).await;
        }
        let mut seconds = 0;
        while reader.client().outbox.abandoned().is_none() && seconds < 100 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            socket.takes(bytes_a_second);
            seconds += 1;
        }
        let ended = reader.client().outbox.abandoned();
        assert_eq!(ended, is_slow.then_some(Ending::SlowConsumer), "{bytes_a_second} B/s");
        if is_slow {
            assert!((10..=12).contains(&seconds), "{bytes_a_second} B/s: {seconds} s");
            assert!(speaker.may_speak());
        }
        heart.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn who_lets_others_wait_has_to_read_even_when_little_is_left() {
    let hub = hub("--outbox-messages 16 --pong-seconds 3600");
    let running = Arc::clone(&hub);
    tokio::spawn(async move { running.run().await });
    let (mut speaker, reader) = (member(&hub, "r").await, member(&hub, "r").await);
    while speaker.may_speak() {
        say(&mut speaker, &json!({"type": "message", "content": 1})).await;
    }
    for _ in 0..3 {
        reader.client().outbox.take_due(&mut Vec::new(), 1);
    }
    reader.client().outbox.acknowledge();
    assert!(!speaker.may_speak(), "less than a half is left, and more than a quarter");
    tokio::time::sleep(Duration::from_secs(13)).await;
    assert_eq!(reader.client().outbox.abandoned(), Some(Ending::SlowConsumer));
    assert!(speaker.may_speak());
}

#[tokio::test]
async fn news_of_a_client_hold_it_back_where_an_outbox_is_more_than_full() {
    let hub = hub("--outbox-messages 16 --rate-limit 0");
    let (mut restless, deaf) = (member(&hub, "r").await, member(&hub, "r").await);
    let mut news = 0;
    while restless.may_speak() {
        say(&mut restless, &json!({"type": "register", "userId": news.to_string()})).await;
        due(restless.client()).unwrap();
        news += 1;
        assert!(news < 100);
    }
    assert_eq!(news, 17);
    assert_eq!(due(deaf.client()).unwrap().len(), 17);
    assert!(restless.may_speak());
}

#[tokio::test]
async fn an_orderly_end_comes_after_what_is_due() {
    let hub = hub("");
    let session = member(&hub, "r").await;
    hub.send_away();
    assert_eq!(kinds(session.client()), ["going-away"]);
    assert_eq!(due(session.client()), Err(Ending::GoingAway));
    assert!(
        hub.connect(std::net::Ipv4Addr::LOCALHOST.into(), None).is_err(),
        "whoever comes later is sent away at once"
    );
}

#[tokio::test]
async fn being_cut_off_comes_before_an_orderly_end() {
    let hub = hub("");
    let session = member(&hub, "r").await;
    hub.send_away();
    hub.cut_off();
    assert_eq!(due(session.client()), Err(Ending::CutOff));
    assert_eq!(Ending::CutOff.leave_reason(), LeaveReason::ServerShutdown);
}

#[tokio::test]
async fn rooms_and_clients_have_a_most() {
    let hub = hub("--max-rooms 2 --max-connections 3");
    let first = member(&hub, "1").await;
    let _second = member(&hub, "2").await;
    let mut third = hub.connect(std::net::Ipv4Addr::LOCALHOST.into(), None).unwrap();
    assert!(hub.connect(std::net::Ipv4Addr::LOCALHOST.into(), None).is_err());

    let join = json!({"type": "join", "roomId": "3"});
    say(&mut third, &join).await;
    let refused = due(third.client()).unwrap().pop().unwrap();
    let error = "The server takes no more rooms";
    assert_eq!(refused, json!({"type": "join-error", "error": error, "code": "unavailable"}));

    first.end(LeaveReason::Disconnected);
    say(&mut third, &join).await;
    assert_eq!(kinds(third.client()), ["joined"]);
    assert!(hub.connect(std::net::Ipv4Addr::LOCALHOST.into(), None).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_is_answered_with_what_it_did() {
    let hub = hub("");
    let _member = member(&hub, "r").await;
    let administrators = [true, false].map(|locked| {
        let hub = Arc::clone(&hub);
        tokio::spawn(async move {
            for _ in 0..50_000 {
                let room = hub
                    .lock_room(&Administrator::default(), &"r".parse().unwrap(), locked, None)
                    .await
                    .unwrap();
                assert_eq!(room.settings.locked, locked, "that is what the other one did");
            }
        })
    });
    for administrator in administrators {
        administrator.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn silence_ends_a_client_and_any_sign_of_life_does_not() {
    let hub = hub("--ping-seconds 25 --pong-seconds 10");
    let running = Arc::clone(&hub);
    let heart = tokio::spawn(async move { running.run().await });
    let (silent, alive) = (member(&hub, "r").await, member(&hub, "r").await);
    let ended = |client: &Client| due(client) == Err(Ending::HeartbeatTimeout);

    let mut seconds = 0;
    while !ended(silent.client()) {
        assert!(!ended(alive.client()));
        alive.is_alive();
        tokio::time::sleep(Duration::from_secs(1)).await;
        seconds += 1;
    }
    assert!(
        (30..=36).contains(&seconds),
        "{seconds} s: a ping after 20 to 25, and 10 for its answer"
    );
    for _ in 0..300 {
        assert!(!ended(alive.client()));
        alive.is_alive();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    heart.abort();
}

#[test]
fn nothing_is_said_to_a_client_before_its_welcome() {
    let hub = hub("--rate-limit 0");
    let speaking = Arc::new(AtomicBool::new(true));
    let (speaker, still) = (Arc::clone(&hub), Arc::clone(&speaking));
    let administrator = thread::spawn(move || {
        let content = serde_json::value::to_raw_value("everybody").unwrap();
        let nobody = BTreeSet::new();
        while still.load(Ordering::Relaxed) {
            let said = speaker.broadcast(&Audience::Everyone, &nobody, &content);
            said.now_or_never().expect("a single server waits for nobody").unwrap();
        }
    });
    for _ in 0..20_000 {
        let session = hub.connect(std::net::Ipv4Addr::LOCALHOST.into(), None).unwrap();
        assert_eq!(kinds(session.client())[0], "welcome");
    }
    speaking.store(false, Ordering::Relaxed);
    administrator.join().unwrap();
}

#[tokio::test]
async fn a_room_is_not_to_be_found_once_its_time_is_over_though_no_timer_has_looked() {
    let hub = hub("");
    let room: RoomId = "r".parse().unwrap();
    let empty_timeout = Duration::from_millis(1);
    let settings = Settings { locked: true, empty_timeout, ..Settings::open(1) };
    let mut follower = hub.journal().follow(None);
    let over = || thread::sleep(Duration::from_millis(2));
    hub.create_room(&Administrator::default(), &room, settings.clone()).await.unwrap();
    over();
    let (rooms, _) = hub.rooms(None, NonZeroUsize::MIN, "", |_| true).await.unwrap();
    assert!(rooms.is_empty());
    assert!(hub.room(&room).await.is_err());
    hub.create_room(&Administrator::default(), &room, settings.clone()).await.unwrap();
    over();
    assert!(hub.lock_room(&Administrator::default(), &room, false, None).await.is_err());
    hub.create_room(&Administrator::default(), &room, settings).await.unwrap();
    over();
    let _member = member(&hub, "r").await;
    assert!(!hub.room(&room).await.unwrap().settings().locked, "it is another room");
    assert_eq!(hub.counts().rooms, 1);

    follower.catch_up();
    let records = follower.read(100).unwrap();
    let seen = records.iter().map(|record| {
        let journal::Entry::Room { event, .. } = &record.entry else { panic!("{record:?}") };
        match (&event.change, &event.cause) {
            (Change::Created { .. }, _) => "created",
            (Change::Closed, Cause::Timer) => "closed",
            (Change::Joined(_), _) => "joined",
            other => panic!("{other:?}"),
        }
    });
    let expected = [["created", "closed"]; 3].concat();
    assert_eq!(seen.collect::<Vec<_>>(), [&expected[..], &["created", "joined"]].concat());
}
