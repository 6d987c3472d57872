//! Streams as their callers see them, on a hub without sockets.

use std::{net::Ipv4Addr, pin::Pin, sync::Arc, time::Duration};

use clap::Parser;
use futures_util::{FutureExt, Stream, StreamExt};
use pb::{EventKind, watch_events_request::Start as From, watch_events_response::What};
use prost::Message;
use tokio::time::{Instant, advance};
use tonic::Code;
use tonic_types::StatusExt;

use super::*;
use crate::{
    config::Config,
    event::Administrator,
    hub::Session,
    room::{LeaveReason, Settings},
};

struct Server {
    hub: Arc<Hub>,
    watching: Arc<Watching>,
    places: Arc<Quota>,
}

type Told = Result<pb::WatchEventsResponse, Status>;

impl Server {
    fn with(flags: &str) -> Self {
        let flags = format!("signalpost --rate-limit 0 {flags}");
        let config = Config::try_parse_from(flags.split_whitespace()).unwrap();
        let hub = Arc::new(Hub::new(Arc::new(config)));
        let answers = Quota::new(64 << 20);
        let watching = Watching::new(Arc::clone(&hub), answers, CancellationToken::new());
        Self { hub, watching, places: Quota::new(100) }
    }

    fn watch(&self, request: &pb::WatchEventsRequest) -> Result<Watched, Status> {
        let stream = self.watching.events(request, self.places.take(1).unwrap())?;
        let shown = stream.map(|told| {
            let bytes = told?.encode_to_vec();
            Ok(pb::WatchEventsResponse::decode(&*bytes).unwrap())
        });
        Ok(Box::pin(shown))
    }

    fn connect(&self) -> Session {
        self.hub.connect(Ipv4Addr::LOCALHOST.into(), None).unwrap()
    }

    async fn make(&self, room: &str) {
        let settings = Settings { empty_timeout: Duration::from_secs(1000), ..Settings::open(9) };
        self.hub
            .create_room(&Administrator::default(), &room.parse().unwrap(), settings)
            .await
            .unwrap();
    }

    async fn lock(&self, room: &str, locked: bool) {
        self.hub
            .lock_room(&Administrator::default(), &room.parse().unwrap(), locked, None)
            .await
            .unwrap();
    }
}

type Watched = Pin<Box<dyn Stream<Item = Told> + Send>>;

fn snapshot() -> pb::WatchEventsRequest {
    pb::WatchEventsRequest { start: Some(From::Snapshot(true)), ..Default::default() }
}

fn after(cursor: &str) -> pb::WatchEventsRequest {
    pb::WatchEventsRequest { start: Some(From::Cursor(cursor.to_owned())), ..Default::default() }
}

async fn next(stream: &mut Watched) -> pb::WatchEventsResponse {
    stream.next().await.unwrap().unwrap()
}

fn bookmark(told: pb::WatchEventsResponse) -> String {
    assert!(matches!(told.what, Some(What::Bookmark(_))), "{told:?}");
    told.cursor
}

fn position(told: &pb::WatchEventsResponse) -> u64 {
    let Some(What::Event(event)) = &told.what else { panic!("{told:?}") };
    event.position
}

fn reason(status: &Status) -> (Code, String) {
    (status.code(), status.get_error_details().error_info().unwrap().reason.clone())
}

async fn say(session: &mut Session, text: &str) {
    if let Some(wish) = session.receive(text) {
        session.carry_out(wish).await;
    }
    session.client().outbox.take_due(&mut Vec::new(), usize::MAX);
    session.client().outbox.acknowledge();
}

#[tokio::test]
async fn passing_over_what_is_not_wanted_leaves_the_thread_to_others() {
    let server = Server::with("");
    let kinds = vec![EventKind::Closed.into()];
    let request = pb::WatchEventsRequest { kinds, ..Default::default() };
    let mut stream = server.watch(&request).unwrap();
    bookmark(next(&mut stream).await);
    let mut session = server.connect();
    for _ in 0..5000 {
        say(&mut session, r#"{"type":"join","roomId":"r"}"#).await;
    }
    session.end(LeaveReason::Left);

    let hearing = tokio::spawn(async move { next(&mut stream).await });
    let mut turns = 0;
    while !hearing.is_finished() {
        tokio::task::yield_now().await;
        turns += 1;
    }
    let Some(What::Event(closed)) = hearing.await.unwrap().what else { panic!() };
    assert!(matches!(closed.what, Some(pb::event::What::Closed(_))));
    assert!(turns > 50, "10,000 events were passed over in {turns} turns");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_says_where_it_stands() {
    let server = Server::with("");
    let hub = Arc::clone(&server.hub);
    let running = tokio::spawn(async move { hub.journal().tick().await });
    for (room_ids, room_id_prefix) in
        [(vec!["quiet".to_owned()], ""), (vec![], "qui"), (vec![], "")]
    {
        let user_ids = vec!["nobody".to_owned()];
        let request = pb::WatchEventsRequest {
            room_ids,
            room_id_prefix: room_id_prefix.to_owned(),
            user_ids,
            ..Default::default()
        };
        let mut stream = server.watch(&request).unwrap();
        let mut last = bookmark(next(&mut stream).await);
        for nth in 0..3 {
            let begun = Instant::now();
            let busy = format!("busy {nth} {room_id_prefix} {}", request.room_ids.len());
            server.make(&busy).await;
            let head = server.hub.journal().head();
            let cursor = bookmark(next(&mut stream).await);
            assert_eq!(begun.elapsed(), limits::WATCHED_QUIET);
            assert_ne!(cursor, last);
            assert_eq!(server.watching.cursors().read(&cursor, head), Ok(head));
            last = cursor;
        }
    }
    let mut all = server.watch(&pb::WatchEventsRequest::default()).unwrap();
    bookmark(next(&mut all).await);
    for _ in 0..3 {
        advance(limits::WATCHED_QUIET - Duration::from_secs(1)).await;
        server.make(&format!("{:?}", Instant::now())).await;
        position(&next(&mut all).await);
    }
    let begun = Instant::now();
    bookmark(next(&mut all).await);
    assert_eq!(begun.elapsed(), limits::WATCHED_QUIET, "counted from the last event");
    running.abort();
}

#[tokio::test]
async fn a_stream_goes_on_where_its_cursor_stands() {
    let server = Server::with("--log-events 8");
    let mut all = server.watch(&pb::WatchEventsRequest::default()).unwrap();
    let begin = bookmark(next(&mut all).await);
    for room in ["a", "b", "c", "d"] {
        server.make(room).await;
    }
    let mut heard = Vec::new();
    for _ in 0..4 {
        heard.push(next(&mut all).await);
    }
    assert_eq!(heard.iter().map(position).collect::<Vec<_>>(), [1, 2, 3, 4]);
    for (nth, start) in
        [&begin].into_iter().chain(heard.iter().map(|told| &told.cursor)).enumerate()
    {
        let mut again = server.watch(&after(start)).unwrap();
        assert_eq!(bookmark(next(&mut again).await), *start);
        for told in &heard[nth..] {
            assert_eq!(next(&mut again).await, *told);
        }
        let only = |room_ids, room_id_prefix: &str| pb::WatchEventsRequest {
            room_ids,
            room_id_prefix: room_id_prefix.to_owned(),
            ..after(start)
        };
        for request in [only(vec!["c".into(), "later".into()], ""), only(vec![], "c")] {
            let mut mine = server.watch(&request).unwrap();
            bookmark(next(&mut mine).await);
            let told = next(&mut mine).now_or_never();
            assert_eq!(told, (nth < 3).then(|| heard[2].clone()));
        }
    }

    let head = server.hub.journal().head();
    let other = Server::with("");
    let beyond = server.watching.cursors().of(crate::event::Position(head.0 + 1));
    for junk in ["", "x", &beyond, &format!("{begin}=")] {
        let status = server.watch(&after(junk)).err().unwrap();
        assert_eq!(reason(&status), (Code::InvalidArgument, "BAD_REQUEST".into()), "{junk}");
        assert!(status.message().starts_with("cursor is not one"), "{}", status.message());
    }
    let status = other.watch(&after(&begin)).err().unwrap();
    assert_eq!(reason(&status), (Code::OutOfRange, "EPOCH_CHANGED".into()));
    for nth in 0..5 {
        server.lock("a", nth % 2 == 0).await;
    }
    let mut kept = server.watch(&after(&heard[0].cursor)).unwrap();
    bookmark(next(&mut kept).await);
    assert_eq!(position(&next(&mut kept).await), 2);
    for start in
        [after(&begin), pb::WatchEventsRequest { room_ids: vec!["c".into()], ..after(&begin) }]
    {
        let status = server.watch(&start).err().unwrap();
        assert_eq!(reason(&status), (Code::OutOfRange, "CURSOR_EXPIRED".into()));
    }
}

#[tokio::test]
async fn every_field_at_fault_is_named() {
    let server = Server::with("");
    let request = pb::WatchEventsRequest {
        room_ids: vec![String::new()],
        kinds: vec![99],
        room_id_prefix: "x".repeat(129),
        user_ids: vec!["u".repeat(129)],
        start: Some(From::Snapshot(false)),
    };
    let status = server.watch(&request).err().unwrap();
    let details = status.get_error_details();
    let faults = details.bad_request().unwrap().field_violations.iter();
    let fields: Vec<_> = faults.map(|fault| &*fault.field).collect();
    let prefix = "room_id_prefix";
    assert_eq!(fields, ["room_ids", prefix, prefix, "kinds", "user_ids", "snapshot"]);
    let users = pb::WatchEventsRequest { user_ids: vec!["u".into(); 1001], ..Default::default() };
    let status = server.watch(&users).err().unwrap();
    assert_eq!(status.message(), "user_ids must be at most 1000; name none for all users");
}

#[tokio::test]
async fn a_snapshot_that_the_log_passes_is_begun_again_and_given_up_in_the_end() {
    for (bursts, succeeds) in [(2, true), (3, false)] {
        let server = Server::with("--log-events 10");
        for nth in 0..70 {
            server.make(&format!("room {nth:02}")).await;
        }
        let mut stream = server.watch(&snapshot()).unwrap();
        let mut bursting = 0;
        let told = loop {
            if let Some(told) = stream.next().now_or_never() {
                break told.unwrap();
            }
            // After the first 64 rooms, and before the log is read.
            if bursting < bursts {
                for nth in 0..11 {
                    server.lock("room 00", (nth + bursting) % 2 == 0).await;
                }
            }
            bursting += 1;
        };
        if succeeds {
            let Some(What::Snapshot(page)) = told.unwrap().what else { panic!() };
            assert_eq!((page.rooms.len(), page.rooms[0].locked), (70, false));
        } else {
            let status = told.unwrap_err();
            assert_eq!(reason(&status), (Code::Unavailable, "LOG_TOO_SHORT".into()));
            assert!(status.get_error_details().retry_info().is_some());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_is_not_taken_makes_way_for_others() {
    let server = Server::with("");
    server.make("r").await;
    let mut left = Vec::new();
    for _ in 0..limits::SNAPSHOTS {
        let mut stream = server.watch(&snapshot()).unwrap();
        assert_eq!(next(&mut stream).await.cursor, "");
        left.push(stream);
    }
    let begun = Instant::now();
    let mut waits = server.watch(&snapshot()).unwrap();
    assert!(matches!(next(&mut waits).await.what, Some(What::Snapshot(_))));
    assert_eq!(begun.elapsed(), limits::SNAPSHOT_LEFT);
    let ends: Vec<_> = futures_util::future::join_all(left.iter_mut().map(StreamExt::next)).await;
    let (whole, ended): (Vec<_>, Vec<_>) = ends.into_iter().flatten().partition(Result::is_ok);
    assert_eq!((whole.len(), ended.len()), (limits::SNAPSHOTS - 1, 1));
    let status = ended.into_iter().next().unwrap().unwrap_err();
    assert_eq!(reason(&status), (Code::OutOfRange, "CURSOR_EXPIRED".into()));
    // What was taken whole takes no place.
    let begun = Instant::now();
    let mut another = server.watch(&snapshot()).unwrap();
    next(&mut another).await;
    assert_eq!(begun.elapsed(), Duration::ZERO);

    let waiting = server.watch(&snapshot()).unwrap();
    let waiting = tokio::spawn(async move { { waiting }.next().await });
    server.watching.closing.cancel();
    drop(waits);
    let end = another.next().await.unwrap().unwrap_err();
    assert_eq!(reason(&end), (Code::Unavailable, "GOING_AWAY".into()));
    assert_eq!(waiting.await.unwrap().unwrap().unwrap_err().code(), Code::Unavailable);
}
