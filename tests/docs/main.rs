//! The documents say what the code does.

#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test lists its cases, and panics where it fails"
)]

mod budgets;
mod refused;

use std::{collections::BTreeSet, sync::Arc, time::SystemTime};

use clap::CommandFactory;
use serde_json::{Value, value::RawValue};
use signalpost::{
    config::{Config, IceServer, limits},
    event::{Cause, Position},
    protocol::{
        Announcement, CloseCode, Code, Joined, Json, Order, Rejected, Reply, Request, ReturnToken,
        Sender, SignalKind, UserIdJson, VERSION, parse,
    },
    room::{
        Change, Event, Identity, LeaveReason, Member, PasswordHash, ReturnKey, Role, Settings,
        Standing, Vouched, Waiter, WaitingEnd,
    },
};

const PROTOCOL: &str = include_str!("../../client/PROTOCOL.md");
const README: &str = include_str!("../../README.md");

/// The document's blocks with this info string.
fn blocks(info: &str) -> Vec<&'static str> {
    let fence = format!("```{info}\n");
    PROTOCOL.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().trim()).collect()
}

#[test]
fn every_documented_request_is_one_and_every_request_is_documented() {
    let mut seen = BTreeSet::new();
    for block in blocks("json client") {
        let (request_id, request) = parse(block);
        seen.insert(match request.unwrap_or_else(|fault| panic!("{block}: {fault:?}")) {
            Request::Register { .. } => "register",
            Request::Join(_) => "join",
            Request::Leave { .. } => "leave",
            Request::Signal { kind: SignalKind::Offer, .. } => "offer",
            Request::Signal { kind: SignalKind::Answer, .. } => "answer",
            Request::Signal { kind: SignalKind::Candidate, .. } => "candidate",
            Request::Signal { kind: SignalKind::Message, .. } => "message",
            Request::Ping => "ping",
            Request::UpdateRoom(_) => "update-room",
            Request::Order(Order::SetRole { .. }) => "set-role",
            Request::Order(Order::Remove { .. }) => "remove",
            Request::Order(Order::AskToMute { .. }) => "ask-to-mute",
            Request::Order(Order::Admit { .. }) => "admit",
            Request::Order(Order::Deny { .. }) => "deny",
        });
        assert_eq!(request_id.is_some(), block.contains("requestId"));
    }
    assert_eq!(seen.len(), 14);
}

#[test]
fn every_documented_reply_is_what_the_server_writes() {
    let written: Vec<Value> =
        written().iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    let documented: Vec<Value> =
        blocks("json server").iter().map(|block| serde_json::from_str(block).unwrap()).collect();
    for block in &documented {
        assert!(written.contains(block), "the server never writes {block}");
    }
    for reply in &written {
        assert!(documented.contains(reply), "not documented: {reply}");
    }
}

/// One of each message of the server's, with the document's example values.
fn written() -> Vec<String> {
    let request_id =
        |id: &str| parse(&format!(r#"{{"type":"ping","requestId":"{id}"}}"#)).0.unwrap();
    let [one, two, three, four, five] = ["1", "2", "3", "4", "5"].map(request_id);
    let ann = "7d1f6f0e-2f0b-4d3c-8a44-51f7ce1f2b01".parse().unwrap();
    let identity = Identity {
        user_id: Some("ann".parse().unwrap()),
        display_name: Some("Ann".parse().unwrap()),
    };
    let member = Member {
        client_id: ann,
        identity: identity.clone(),
        metadata: Some(r#"{"color": "red"}"#.into()),
        vouched: None,
        joined_at: SystemTime::UNIX_EPOCH.into(),
        standing: Standing::granted(Role::Member),
        return_key: ReturnKey([0; 16]),
        node: signalpost::id::Incarnation::NONE,
    };
    let host = Standing { role: Role::Host, ..member.standing };
    let bob = Member {
        client_id: "0b0e4f3a-6a55-4e1c-9f3e-3c2f5a1d9a10".parse().unwrap(),
        identity: Identity { user_id: Some("bob".parse().unwrap()), display_name: None },
        metadata: None,
        vouched: Some(Arc::new(Vouched { metadata: Some(r#"{"team": "blue"}"#.into()) })),
        standing: host,
        ..member
    };
    let (member, bob) = (Arc::new(member), Arc::new(bob));
    let made_host = Arc::new(Member { standing: host, ..Member::clone(&member) });
    let bob_waits = Waiter { member: Arc::clone(&bob), until: SystemTime::UNIX_EPOCH };
    let room_id: signalpost::id::RoomId = "standup".parse().unwrap();
    let password = Some(PasswordHash::new("$argon2id$…"));
    let settings = Settings { password, ..Settings::open(10) };
    let locked = Arc::new(Settings { locked: true, ..settings.clone() });
    let settings = Arc::new(settings);
    let announced = |change, settings: &Arc<Settings>| {
        let event = Event {
            position: Position(2),
            prev: Position(1),
            at: SystemTime::UNIX_EPOCH,
            cause: Cause::Client(ann),
            change,
        };
        Announcement::of(&event, settings).unwrap().frame().as_str().to_owned()
    };
    let raw = |json: &str| RawValue::from_string(json.to_owned()).unwrap();
    let signal = |kind, payload: &str| {
        let payload = Json::of(payload).unwrap();
        let user_id = identity.user_id.as_ref().map(UserIdJson::from);
        let sender = Sender { client_id: ann, user_id: user_id.as_ref() };
        sender.signal(kind, payload).as_str().to_owned()
    };
    let encoded = |reply: Reply<'_>| reply.encode().as_str().to_owned();
    let ice_servers: [IceServer; 1] = ["turn:user:secret@turn.example.org:3478".parse().unwrap()];
    let shared: IceServer = "turn:turn.example.org".parse().unwrap();
    let username = "1900000000:7d1f6f0e-2f0b-4d3c-8a44-51f7ce1f2b01";
    let own_servers =
        [shared.with_credentials(username.into(), "SLVFfSd76tUJmksRJfDQusIjVT0=".into())];
    let user_id = identity.user_id.as_ref().unwrap();
    let joined = Joined {
        room_id: room_id.clone(),
        peers: vec![Arc::clone(&bob)],
        settings: Arc::clone(&settings),
        role: Role::Member,
        return_token: ReturnToken::shown("u8QwJ2mXr0Sg5yTn4bLk9cVh7aZe1fPd").unwrap(),
        request_id: None,
        ice_servers: None,
    };
    vec![
        encoded(Reply::Registered { user_id, role: None, request_id: Some(&one) }),
        encoded(Reply::Registered { user_id, role: Some(Role::Member.as_str()), request_id: None }),
        Announcement::joined(joined).frame().as_str().to_owned(),
        encoded(Reply::JoinError {
            error: "Room is full",
            code: Code::RoomFull,
            retry_after_ms: None,
            request_id: None,
        }),
        encoded(Reply::Waiting { room_id: &room_id, request_id: Some(&four) }),
        encoded(Reply::Left { room_id: &room_id, request_id: None }),
        encoded(Reply::Done { request_id: Some(&five) }),
        signal(SignalKind::Offer, r#"{"type": "offer", "sdp": "v=0\r\n"}"#),
        signal(SignalKind::Answer, r#"{"type": "answer", "sdp": "v=0\r\n"}"#),
        signal(SignalKind::Candidate, "null"),
        signal(SignalKind::Message, r#"{"text": "hello"}"#),
        encoded(Reply::Pong { request_id: Some(&two) }),
        encoded(Reply::Welcome {
            client_id: ann,
            protocol: VERSION,
            heartbeat_ms: 25_000,
            ice_servers: &ice_servers,
        }),
        announced(Change::Joined(Arc::clone(&member)), &settings),
        announced(Change::Renamed { member, previous: None }, &settings),
        announced(
            Change::Left {
                client_id: ann,
                user_id: identity.user_id.clone(),
                reason: LeaveReason::Left,
            },
            &settings,
        ),
        announced(Change::RoleChanged { member: made_host, previous: Role::Member }, &settings),
        announced(Change::Locked, &locked),
        announced(Change::Waiting(bob_waits), &settings),
        announced(
            Change::WaitingEnded {
                client_id: bob.client_id,
                user_id: bob.identity.user_id.clone(),
                reason: WaitingEnd::Admitted,
            },
            &settings,
        ),
        encoded(Reply::MuteRequested { from_id: ann }),
        encoded(Reply::Broadcast { content: &raw(r#"{"text": "The server restarts at six."}"#) }),
        encoded(Reply::IceServers { ice_servers: &own_servers }),
        encoded(Reply::GoingAway { retry_after_ms: 1000 }),
        encoded(Reply::TokenExpiring { expires_in_ms: 60_000 }),
        encoded(Reply::Removed {
            code: Code::Removed,
            reason: CloseCode::Removed.reason(),
            room_id: Some(&room_id),
        }),
        encoded(Reply::Error {
            code: Code::PeerNotFound,
            message: "No such client in your room",
            retry_after_ms: None,
            request_id: Some(&three),
        }),
        encoded(Reply::Error {
            code: Code::RateLimited,
            message: "You say too much at once: the rest of it has to wait",
            retry_after_ms: Some(250),
            request_id: None,
        }),
    ]
}

#[test]
fn every_code_reason_and_limit_is_in_the_document() {
    for code in Code::ALL {
        let name = serde_json::to_string(&code).unwrap().replace('"', "`");
        assert!(PROTOCOL.contains(&format!("| {name} |")), "{name}");
    }
    let close_codes =
        PROTOCOL.split("## Close codes").nth(1).unwrap().split("\n## ").next().unwrap();
    assert_eq!(close_codes.matches("\n| ").count(), 2 + CloseCode::ALL.len());
    for code in CloseCode::ALL {
        assert!(PROTOCOL.contains(&format!("| {} |", code as u16)), "{code:?}");
        assert!(code.reason().len() <= 123, "RFC 6455, section 5.5");
    }
    for reason in LeaveReason::ALL {
        assert!(PROTOCOL.contains(&format!("`{}`", reason.as_str())), "{reason:?}");
    }
    for end in [
        WaitingEnd::Admitted,
        WaitingEnd::Denied,
        WaitingEnd::TimedOut,
        WaitingEnd::Full,
        WaitingEnd::Locked,
    ] {
        assert!(PROTOCOL.contains(&format!("`{}`", end.as_str())), "{end:?}");
    }
    for (row, limit) in [
        ("`roomId`, `userId`, `targetId`", limits::NAME_CHARS),
        ("`displayName`, `requestId`", limits::LABEL_CHARS),
        ("`metadata`", limits::METADATA_BYTES),
        ("`password`", limits::PASSWORD_CHARS),
        ("`returnToken`", limits::RETURN_TOKEN_BYTES),
        ("those who wait for a seat in a room", limits::WAITING),
        ("`token`", limits::TOKEN_BYTES),
        ("a message", limits::MESSAGE_BYTES),
        ("unread messages that the server keeps for a client", limits::OUTBOX_MESSAGES),
    ] {
        assert!(PROTOCOL.contains(&format!("| {row} | {limit}")), "{row}");
    }
    assert!(PROTOCOL.contains(&limits::OUTBOX_BYTES.to_string()));
    for stated in [
        format!("each for {} minutes", limits::WAIT.as_secs() / 60),
        format!(
            "{} s; the last {} seats that a room lost",
            limits::RETURN.as_secs(),
            limits::RETURNERS
        ),
        format!("from 1 to {}, it is kept out", limits::LONGEST_BAN_BY_HOST.as_secs()),
        format!("passwords | {} | one every", limits::CLIENT_GUESSES),
        format!(
            "of an address | {} | {} |",
            limits::ADDRESS_GUESSES,
            limits::ADDRESS_GUESS_SECONDS
        ),
    ] {
        assert!(PROTOCOL.contains(&stated), "{stated}");
    }
}

#[test]
fn refusals_are_documented_with_the_reply_they_come_in() {
    let metadata = "x".repeat(limits::METADATA_BYTES);
    for refused in [
        r#"{"type":"ping","type":"ping"}"#,
        r#"{"type":"offer"}"#,
        &format!(r#"{{"type":"join","roomId":"r","metadata":"{metadata}"}}"#),
        r#"{"type":"join"}"#,
        r#"{"type":"leave"}"#,
        r#"{"type":"admit","targetId":1}"#,
        r#"{"type":"join","roomId":"r","password":""}"#,
        r#"{"type":"nonsense"}"#,
    ] {
        let Rejected { code, join, .. } = parse(refused).1.unwrap_err();
        let name = serde_json::to_string(&code).unwrap().replace('"', "`");
        let row = PROTOCOL.lines().find(|line| line.starts_with(&format!("| {name} |"))).unwrap();
        let reply = if join { "`join-error`" } else { "`error`" };
        assert!(
            row.split('|').nth(2).unwrap().contains(reply),
            "{refused} leads to {reply}: {row}"
        );
    }
    // What no request has is of later versions, be it there twice.
    assert!(parse(r#"{"type":"ping","later":1,"later":2}"#).1.is_ok());
}

#[test]
fn the_readme_lists_every_flag_with_its_default() {
    let mut listed: BTreeSet<&str> =
        README.lines().filter_map(|line| line.strip_prefix("| `--")?.split('`').next()).collect();
    for flag in Config::command().get_arguments() {
        let Some(name) = flag.get_long().filter(|name| !["help", "version"].contains(name)) else {
            continue;
        };
        assert!(listed.remove(name), "README lacks --{name}");
        let row = README.lines().find(|line| line.starts_with(&format!("| `--{name}` |"))).unwrap();
        for default in flag.get_default_values() {
            let default = default.to_str().unwrap();
            assert!(
                row.contains(&format!("| {default} |")),
                "--{name} is {default} by default: {row}"
            );
        }
    }
    assert!(listed.is_empty(), "README has flags that are none: {listed:?}");
}
