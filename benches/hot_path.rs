//! What one message costs inside the server, without sockets: `cargo bench --bench hot_path`.

#![allow(clippy::unwrap_used, reason = "a benchmark panics where it is wrong")]

use std::{
    collections::BTreeSet,
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::SystemTime,
};

use clap::Parser;
use divan::{Bencher, black_box, counter::ItemsCount};
use serde_json::{Value, json, value::RawValue};
use signalpost::{
    config::Config,
    event::{Cause, Position},
    hub::{Audience, Client, Hub, Session},
    protocol::{Announcement, Joined, Json, ReturnToken, Sender, SignalKind, parse},
    room::{Change, Event, Identity, Member, ReturnKey, Role, Settings, Standing},
};

fn main() {
    divan::main();
}

const TARGET: &str = "0b0e4f3a-6a55-4e1c-9f3e-3c2f5a1d9a10";

/// The messages that the load test sends: 305 bytes and 4.5 kB.
const TEXTS: [&str; 3] = ["candidate", "offer", "join"];

fn text(name: &str, target: &str) -> String {
    match name {
        "candidate" => {
            let line = "candidate:842163049 1 udp 1677729535 203.0.113.7 54321 typ srflx \
                        raddr 192.168.1.10 rport 54321 generation 0 ufrag bEnC network-cost 999";
            let candidate = json!({
                "candidate": line, "sdpMid": "0", "sdpMLineIndex": 0,
                "usernameFragment": "~0123456789abcdef",
            });
            format!(r#"{{"type":"candidate","targetId":"{target}","candidate":{candidate}}}"#)
        }
        "offer" => {
            let sdp = include_str!("../src/bench/offer.sdp").replace('\n', "\r\n");
            let sdp = json!({"type": "offer", "sdp": sdp});
            format!(r#"{{"type":"offer","targetId":"{target}","sdp":{sdp}}}"#)
        }
        "message" => r#"{"type":"message","content":{"text":"a line of chat"}}"#.to_owned(),
        "join" => r#"{"type":"join","roomId":"standup","metadata":{"role":"host"}}"#.to_owned(),
        _ => panic!("no such message: {name}"),
    }
}

#[divan::bench(args = TEXTS)]
fn parsing(bencher: Bencher<'_, '_>, name: &str) {
    let text = text(name, TARGET);
    bencher.bench_local(|| {
        black_box(parse(black_box(&text)).1.unwrap());
    });
}

#[divan::bench(args = ["candidate", "offer"])]
fn encoding_a_signal(bencher: Bencher<'_, '_>, name: &str) {
    let kind = if name == "offer" { SignalKind::Offer } else { SignalKind::Candidate };
    let field = if name == "offer" { "sdp" } else { "candidate" };
    let sent: Value = serde_json::from_str(&text(name, TARGET)).unwrap();
    let payload = sent[field].to_string();
    let payload = Json::of(&payload).unwrap();
    let sender = Sender { client_id: TARGET.parse().unwrap(), user_id: None };
    bencher.bench_local(|| sender.signal(kind, black_box(payload)));
}

fn member(nth: usize) -> Arc<Member> {
    Arc::new(Member {
        client_id: format!("0b0e4f3a-6a55-4e1c-9f3e-3c2f5a1d{nth:04x}").parse().unwrap(),
        identity: Identity {
            user_id: Some(format!("user-{nth}").parse().unwrap()),
            display_name: Some("Ann".parse().unwrap()),
        },
        metadata: None,
        vouched: None,
        joined_at: SystemTime::UNIX_EPOCH.into(),
        standing: Standing::granted(Role::Member),
        return_key: ReturnKey([0; 16]),
        node: signalpost::id::Incarnation::NONE,
    })
}

#[divan::bench]
fn encoding_joined_of_10(bencher: Bencher<'_, '_>) {
    let peers: Vec<_> = (0..9).map(member).collect();
    let joined = || {
        Announcement::joined(Joined {
            room_id: "standup".parse().unwrap(),
            peers: peers.clone(),
            settings: Settings::open(10).into(),
            role: Role::Member,
            return_token: ReturnToken::random(),
            request_id: None,
            ice_servers: None,
        })
    };
    // An announcement keeps what it was encoded to, so each is encoded once.
    bencher.with_inputs(joined).bench_local_refs(|announcement| announcement.frame().clone());
}

#[divan::bench]
fn encoding_user_joined(bencher: Bencher<'_, '_>) {
    let (settings, at) = (Arc::new(Settings::open(10)), SystemTime::UNIX_EPOCH);
    let event = Event {
        position: Position(2),
        prev: Position(1),
        at,
        cause: Cause::Server,
        change: Change::Joined(member(1)),
    };
    bencher
        .with_inputs(|| Announcement::of(&event, &settings).unwrap())
        .bench_local_refs(|announcement| announcement.frame().clone());
}

/// From one session into the outbox of another and out of it.
#[divan::bench(args = ["candidate", "offer"])]
fn routing(bencher: Bencher<'_, '_>, name: &str) {
    let mut room = Room::of(2);
    let target = room.others[0].client().id.to_string();
    let text = text(name, &target);
    bencher.bench_local(|| {
        say(&mut room.speaker, black_box(&text));
        assert_eq!(room.drain(), 1);
    });
}

/// From one session into nine outboxes and out of them.
#[divan::bench]
fn fanning_out_to_9(bencher: Bencher<'_, '_>) {
    let mut room = Room::of(10);
    let text = text("message", "");
    bencher.counter(ItemsCount::new(9_usize)).bench_local(|| {
        say(&mut room.speaker, black_box(&text));
        assert_eq!(room.drain(), 9);
    });
}

/// What a seat costs: the room made, told to its only member, and ended.
#[divan::bench]
fn joining_and_leaving(bencher: Bencher<'_, '_>) {
    let hub = hub();
    let mut session = hub.connect(std::net::Ipv4Addr::LOCALHOST.into(), None).unwrap();
    let (join, leave) = (text("join", ""), r#"{"type":"leave","roomId":"standup"}"#);
    bencher.bench_local(|| {
        say(&mut session, black_box(&join));
        say(&mut session, black_box(leave));
        drain(session.client())
    });
}

/// Eight messages of an administrator's in, one batch out.
#[divan::bench]
fn an_outbox_of_8(bencher: Bencher<'_, '_>) {
    let hub = hub();
    let session = hub.connect(std::net::Ipv4Addr::LOCALHOST.into(), None).unwrap();
    let client = session.client();
    drain(client);
    let audience = Audience::Client(client.id);
    let content = RawValue::from_string("null".to_owned()).unwrap();
    bencher.counter(ItemsCount::new(8_usize)).bench_local(|| {
        for _ in 0..8 {
            ready(hub.broadcast(black_box(&audience), &BTreeSet::new(), &content)).unwrap();
        }
        assert_eq!(drain(client), 8);
    });
}

/// Some members of one room, one of whom speaks.
struct Room {
    speaker: Session,
    others: Vec<Session>,
}

impl Room {
    fn of(members: usize) -> Self {
        let hub = hub();
        let mut sessions: Vec<_> = (0..members)
            .map(|_| hub.connect(std::net::Ipv4Addr::LOCALHOST.into(), None).unwrap())
            .collect();
        for session in &mut sessions {
            say(session, &text("join", ""));
        }
        let speaker = sessions.remove(0);
        let room = Self { speaker, others: sessions };
        drain(room.speaker.client());
        room.drain();
        room
    }

    fn drain(&self) -> usize {
        self.others.iter().map(|session| drain(session.client())).sum()
    }
}

fn hub() -> Arc<Hub> {
    Arc::new(Hub::new(Arc::new(
        Config::try_parse_from(["signalpost", "--rate-limit", "0"]).unwrap(),
    )))
}

/// Takes what is due to a client, as its connection would, and counts it.
fn drain(client: &Client) -> usize {
    let mut batch = Vec::new();
    client.outbox.take_due(&mut batch, usize::MAX);
    client.outbox.acknowledge();
    let due = batch.len();
    for entry in &batch {
        black_box(entry.frame());
    }
    due
}

fn say(session: &mut Session, text: &str) {
    let Some(wish) = session.receive(text) else { return };
    ready(session.carry_out(wish));
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    let polled = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(output) = polled else { panic!("in one server, nothing waits") };
    output
}
