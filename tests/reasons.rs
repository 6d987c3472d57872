//! Every error of the admin API has a reason, and every reason is documented.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use std::{collections::BTreeSet, fs, path::Path};

use prost::Message;
use signalpost::{
    admin::{
        pb::{BroadcastRequest, GetRoomRequest, ListRoomsRequest, LockRoomRequest, Room},
        problem::{DOMAIN, Reason},
    },
    protocol,
};
use support::{TestServer, events::Events, within};
use tonic::{Code, Request, Status, client::Grpc, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_prost::ProstCodec;
use tonic_types::{ErrorDetails, StatusExt};

const DOCUMENT: &str = include_str!("../docs/reasons.md");
const PROTOCOL: &str = include_str!("../client/PROTOCOL.md");

/// The code and the reason of an error, with the other details.
fn read(status: &Status) -> (Code, String, ErrorDetails) {
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo: {status}"));
    assert_eq!(info.domain, DOMAIN);
    (status.code(), info.reason.clone(), details)
}

/// Calls a method with a message that may be another than it takes.
async fn call<Q, A>(server: &TestServer, path: &'static str, message: Q) -> Status
where
    Q: Message + Default + 'static,
    A: Message + Default + 'static,
{
    let channel = Channel::builder(format!("http://{}", server.addresses.admin).parse().unwrap());
    let mut grpc = Grpc::new(channel.connect().await.unwrap());
    grpc.ready().await.unwrap();
    let codec = ProstCodec::<Q, A>::default();
    let path = hyper::http::uri::PathAndQuery::from_static(path);
    within(grpc.unary(Request::new(message), path, codec)).await.map(|_| ()).unwrap_err()
}

#[tokio::test]
async fn errors_that_the_libraries_make_have_a_reason_too() {
    let server = TestServer::start();
    let room = |room_id: String| GetRoomRequest { room_id };
    let health = HealthCheckRequest { service: "nothing".into() };
    for (status, code, reason) in [
        (
            call::<_, Room>(&server, "/signalpost.admin.v1.AdminService/Nothing", room("r".into())),
            Code::Unimplemented,
            "UNSUPPORTED",
        ),
        (
            // A text where a number should be.
            call::<_, Room>(
                &server,
                "/signalpost.admin.v1.AdminService/ListRooms",
                room("r".into()),
            ),
            Code::Internal,
            "MALFORMED",
        ),
        (
            call::<_, Room>(
                &server,
                "/signalpost.admin.v1.AdminService/GetRoom",
                room("x".repeat(2 << 20)),
            ),
            Code::OutOfRange,
            "TOO_LARGE",
        ),
    ] {
        let status = status.await;
        let (found, named, _) = read(&status);
        assert_eq!((found, &*named), (code, reason), "{status}");
        assert!(!status.message().is_empty());
    }
    let path = "/grpc.health.v1.Health/Check";
    let unknown = call::<_, HealthCheckResponse>(&server, path, health).await;
    assert_eq!(read(&unknown).1, "UNKNOWN_NAME");
}

#[tokio::test]
async fn a_bad_request_names_every_field_and_what_is_missing_is_named() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let request =
        ListRoomsRequest { page_size: -1, page_token: "junk".into(), ..Default::default() };
    let (code, reason, details) = read(&admin.list_rooms(request).await.unwrap_err());
    assert_eq!((code, &*reason), (Code::InvalidArgument, "BAD_REQUEST"));
    let faults = &details.bad_request().unwrap().field_violations;
    let fields: Vec<_> = faults.iter().map(|fault| &*fault.field).collect();
    assert_eq!(fields, ["page_size", "page_token"]);

    let status = admin.broadcast(BroadcastRequest::default()).await.unwrap_err();
    assert_eq!(read(&status).2.bad_request().unwrap().field_violations.len(), 2);

    let nowhere = || "nowhere".to_owned();
    let lock = LockRoomRequest { room_id: nowhere(), locked: true, ..Default::default() };
    for status in [
        admin.get_room(GetRoomRequest { room_id: nowhere() }).await.unwrap_err(),
        admin.lock_room(lock).await.unwrap_err(),
    ] {
        let (code, reason, details) = read(&status);
        assert_eq!((code, &*reason), (Code::NotFound, "ROOM_NOT_FOUND"));
        assert_eq!(details.error_info().unwrap().metadata["room_id"], "nowhere");
    }
}

#[tokio::test]
async fn a_stream_that_ends_with_the_server_says_when_to_come_back() {
    let mut server = TestServer::start();
    let mut admin = server.admin().await;
    let mut events = Events::all(&mut admin).await;
    server.begin_stop();
    let (code, reason, details) = read(&events.try_next().await.unwrap_err());
    assert_eq!((code, &*reason), (Code::Unavailable, "GOING_AWAY"));
    assert!(details.retry_info().unwrap().retry_delay.is_some());
}

/// A code as the proto and the document write it.
fn written(code: Code) -> String {
    let name = format!("{code:?}");
    let capitals = name.char_indices().flat_map(|(at, c)| {
        let gap = (at > 0 && c.is_uppercase()).then_some('_');
        gap.into_iter().chain([c.to_ascii_uppercase()])
    });
    capitals.collect()
}

#[test]
fn every_reason_is_in_the_table_with_its_code_and_whether_it_passes() {
    let rows: Vec<&str> = DOCUMENT.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(rows.len(), Reason::ALL.len());
    for (reason, row) in Reason::ALL.iter().zip(rows) {
        let start = format!("| `{}` | {} | ", reason.name(), written(reason.code()));
        assert!(row.starts_with(&start), "{start} expected: {row}");
        assert_eq!(row.ends_with("| yes |"), reason.retry_after().is_some(), "{row}");
    }
}

#[test]
fn what_browsers_are_told_of_too_has_the_same_name_in_capitals() {
    let letters = |name: &str| name.replace(['-', '_'], "").to_lowercase();
    let mut shared = BTreeSet::new();
    for code in protocol::Code::ALL {
        let name = serde_json::to_string(&code).unwrap();
        let name = name.trim_matches('"');
        assert!(PROTOCOL.contains(&format!("| `{name}` |")));
        for reason in Reason::ALL.iter().filter(|reason| letters(reason.name()) == letters(name)) {
            assert_eq!(reason.name(), name.replace('-', "_").to_uppercase());
            let row = DOCUMENT.lines().find(|line| line.contains(reason.name())).unwrap();
            assert!(row.contains(&format!("| `{name}` |")), "{row}");
            shared.insert(name.to_owned());
        }
    }
    assert!(shared.contains("not-in-room"));
}

#[test]
fn the_proto_states_every_reason_and_no_other() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto/signalpost/admin/v1");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let comments: String = files
        .flat_map(|file| {
            fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .filter_map(|line| Some(line.trim().strip_prefix("//")?.trim().to_owned() + " "))
        .collect();
    let words = |text: &str| -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_ascii_uppercase() && c != '_');
        words.filter(|word| word.len() > 3).map(str::to_owned).collect()
    };
    let known: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.name().to_owned()).collect();
    let stated: BTreeSet<_> = words(&comments);
    let unstated: Vec<_> = known.difference(&stated).collect();
    assert!(unstated.is_empty(), "in no comment of the proto: {unstated:?}");
    // Reasons stand in brackets: NOT_FOUND (ROOM_NOT_FOUND).
    for bracket in comments.split('(').skip(1) {
        let words = words(bracket.split(')').next().unwrap());
        let reasons = words.iter().filter(|word| word.contains('_'));
        for reason in reasons {
            assert!(known.contains(reason), "{reason} is no reason");
        }
    }
}
