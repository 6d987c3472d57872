//! The documents say what the code does.

#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test lists its cases, and panics where it fails"
)]

mod support;

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use clap::CommandFactory;
use serde_json::{Value, value::RawValue};
use signalpost::{
    config::{Config, limits},
    event::{Cause, Position},
    protocol::{
        Announcement, CloseCode, Code, Joined, Json, Rejected, Reply, Request, Sender, SignalKind,
        UserIdJson, VERSION, parse,
    },
    room::{Change, Event, Identity, LeaveReason, Member, Role, Settings},
};

const PROTOCOL: &str = include_str!("../client/PROTOCOL.md");
const README: &str = include_str!("../README.md");
const LIMITS: &str = include_str!("../docs/limits.md");

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
            Request::Join { .. } => "join",
            Request::Leave { .. } => "leave",
            Request::Signal { kind: SignalKind::Offer, .. } => "offer",
            Request::Signal { kind: SignalKind::Answer, .. } => "answer",
            Request::Signal { kind: SignalKind::Candidate, .. } => "candidate",
            Request::Signal { kind: SignalKind::Message, .. } => "message",
            Request::Ping => "ping",
        });
        assert_eq!(request_id.is_some(), block.contains("requestId"));
    }
    assert_eq!(seen.len(), 8);
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
    let (one, two, three) = (request_id("1"), request_id("2"), request_id("3"));
    let ann = "7d1f6f0e-2f0b-4d3c-8a44-51f7ce1f2b01".parse().unwrap();
    let identity = Identity {
        user_id: Some("ann".parse().unwrap()),
        display_name: Some("Ann".parse().unwrap()),
    };
    let member = Arc::new(Member {
        client_id: ann,
        identity: identity.clone(),
        metadata: Some(r#"{"role": "host"}"#.into()),
        joined_at: SystemTime::UNIX_EPOCH,
    });
    let bob = Arc::new(Member {
        client_id: "0b0e4f3a-6a55-4e1c-9f3e-3c2f5a1d9a10".parse().unwrap(),
        identity: Identity { user_id: Some("bob".parse().unwrap()), display_name: None },
        metadata: None,
        joined_at: SystemTime::UNIX_EPOCH,
    });
    let room_id: signalpost::id::RoomId = "standup".parse().unwrap();
    let settings = Settings {
        max_members: 10,
        locked: false,
        metadata: "{}".into(),
        empty_timeout: Duration::ZERO,
    };
    let locked = Settings { locked: true, ..settings.clone() };
    let announced = |change, settings: &Settings| {
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
    let ice_servers = ["turn:user:secret@turn.example.org:3478".parse().unwrap()];
    let user_id = identity.user_id.as_ref().unwrap();
    let joined = Joined {
        room_id: room_id.clone(),
        peers: vec![bob],
        settings: settings.clone(),
        request_id: None,
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
        encoded(Reply::Left { room_id: &room_id, request_id: None }),
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
        announced(Change::Locked, &locked),
        encoded(Reply::Broadcast { content: &raw(r#"{"text": "The server restarts at six."}"#) }),
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
    for (row, limit) in [
        ("`roomId`, `userId`, `targetId`", limits::NAME_CHARS),
        ("`displayName`, `requestId`", limits::LABEL_CHARS),
        ("`metadata`", limits::METADATA_BYTES),
        ("`token`", limits::TOKEN_BYTES),
        ("a message", limits::MESSAGE_BYTES),
        ("unread messages that the server keeps for a client", limits::OUTBOX_MESSAGES),
    ] {
        assert!(PROTOCOL.contains(&format!("| {row} | {limit}")), "{row}");
    }
    assert!(PROTOCOL.contains(&limits::OUTBOX_BYTES.to_string()));
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

#[test]
fn every_limit_names_a_test_that_is_there() {
    let mut tests = String::new();
    let mut folders: Vec<_> =
        ["src", "tests"].map(|name| Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("browser") {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                tests += &fs::read_to_string(path).unwrap();
            }
        }
    }
    let rows = LIMITS.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    let mut named = 0;
    for row in rows {
        let name = row.trim_end_matches(" |").rsplit("| ").next().unwrap().trim_matches('`');
        assert!(tests.contains(&format!("fn {name}()")), "{name}: {row}");
        named += 1;
    }
    assert!(named >= 28, "{named} rows were read");
    for stated in [
        format!("| {} s | closed | `a_header", limits::HANDSHAKE.as_secs()),
        format!("{} bytes a second after", limits::MESSAGE_BYTES_A_SECOND),
        format!("between two requests | {} s", limits::HTTP_IDLE.as_secs()),
        format!("refused | {} s", limits::REFUSAL.as_secs()),
        format!("{} s, and a second more for each", limits::MESSAGE_SECONDS),
        format!(
            "{} KiB a second over {} s",
            limits::SLOW_BYTES_A_SECOND >> 10,
            limits::SLOW_SECONDS
        ),
        format!("goodbye | {} s", limits::CLOSE.as_secs()),
        format!("speak HTTP | {},", limits::VISITORS),
        format!("{}, at most half of all", limits::CONNECTIONS_PER_ADDRESS),
        format!("in words | {} at a time", limits::REFUSALS),
        format!("`--rate-limit`; {},", limits::RATE_LIMIT),
        format!(
            "{} KiB unsent, {} KiB unread",
            limits::UNSENT_BYTES >> 10,
            limits::SOCKET_BYTES >> 10
        ),
        format!("{} of its {} calls", limits::ADMIN_STREAMS / 2, limits::ADMIN_STREAMS),
        format!("admin: connections | {},", limits::ADMIN_CONNECTIONS),
        format!("HTTP/1 request | {} s to arrive", limits::HANDSHAKE.as_secs()),
        format!("HTTP/1 connection | {} s to be taken", limits::ADMIN_ANSWER.as_secs()),
        format!("where one is asked for | {} |", limits::STRANGERS),
        format!("credential that is taken | {} of a", limits::ADMIN_FAILURES),
        format!("HTTP/1 request | {} KiB", limits::ADMIN_HEADER_BYTES >> 10),
        format!("at once, scrapes among them | {},", limits::ADMIN_CALLS),
        format!("request | {} s to arrive", limits::ADMIN_REQUEST.as_secs()),
        format!("answer | {} s to be taken", limits::ADMIN_ANSWER.as_secs()),
        format!("{} rooms, {} KiB", limits::WATCHED_ROOMS, limits::WATCHED_NAMES_BYTES >> 10),
        format!("{} users | INVALID", limits::WATCHED_USERS),
        format!("names in all of them | {} MiB", limits::WATCHED_BYTES >> 20),
        format!("until they are taken | {}; where", limits::SNAPSHOTS),
        format!("{} s without progress | others", limits::SNAPSHOT_LEFT.as_secs()),
        format!("that the log passes | {} |", limits::SNAPSHOT_ATTEMPTS),
        format!("message of a snapshot | {} MiB", limits::SNAPSHOT_PAGE_BYTES >> 20),
        format!("without news | {} s", limits::WATCHED_QUIET.as_secs()),
        format!("of a page | {}; {} unless", limits::MAX_PAGE_SIZE, limits::PAGE_SIZE),
        format!("filter | {} bytes", limits::FILTER_BYTES),
        format!("people are told | {} characters", limits::REASON_CHARS),
        format!("leaves out | {} each", limits::BROADCAST_NAMES),
        format!("empty | {} days", limits::LONGEST_EMPTY_ROOM.as_secs() / 86_400),
        format!("`request_id` | {} characters", limits::REQUEST_ID_CHARS),
        format!("every {} clients, at least", limits::DRAINED_A_SECOND),
        format!("everybody needs one | {} s", limits::UNAUTHENTICATED.as_secs()),
        format!("it is told {} s before", limits::TOKEN_EXPIRING.as_secs()),
        format!("waits for its key | {} s", limits::JWKS_WAIT.as_secs()),
        format!("a token | {} KiB", limits::TOKEN_BYTES >> 10),
        format!("{}, {} KiB of JSON", limits::TOKEN_ROOMS, limits::VOUCHED_BYTES >> 10),
        format!("for unknown keys | {} s", limits::JWKS_AGAIN.as_secs()),
        format!(
            "{} KiB, {} keys, {} s to be answered",
            limits::JWKS_BYTES >> 10,
            limits::JWKS_KEYS,
            limits::JWKS_ANSWER.as_secs()
        ),
    ] {
        assert!(LIMITS.contains(&stated), "{stated}");
    }
}
