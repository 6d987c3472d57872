//! Hostile callers of the admin API: each limit is answered with its status, each state ends, and whoever calls
//! beside them is answered as ever.

use std::{
    convert::Infallible,
    future::pending,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response,
    body::{Frame, Incoming},
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use signalpost::{
    admin::{
        Admin,
        pb::{
            BroadcastRequest, ListRoomsRequest, WatchEventsRequest,
            admin_service_client::AdminServiceClient,
            broadcast_request::{Body, Target},
        },
        problem::Reason,
    },
    config::limits,
    hub::Hub,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, DuplexStream, duplex},
    net::TcpStream,
    sync::mpsc,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tonic::{Code, Status, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_types::StatusExt;

use crate::{
    beside::{IN_TIME, SLACK},
    running::{Running, anywhere},
    support::{config, within},
};

const BROADCAST: &str = "/signalpost.admin.v1.AdminService/Broadcast";
const LIST_ROOMS: &str = "/signalpost.admin.v1.AdminService/ListRooms";
const HEALTH_WATCH: &str = "/grpc.health.v1.Health/Watch";

/// An administrator beside them.
struct Victim(AdminServiceClient<Channel>);

impl Victim {
    async fn of(server: &Running) -> Self {
        Self(AdminServiceClient::new(channel(server.admin()).await))
    }

    /// Asks, and says something as long as it may be.
    async fn is_answered_in_time(&mut self) {
        let begun = Instant::now();
        within(self.0.list_rooms(ListRoomsRequest::default())).await.unwrap();
        let longest = format!("\"{}\"", "x".repeat(limits::MESSAGE_BYTES - 2));
        let (target, body) = (Some(Target::Everyone(true)), Some(Body::ContentJson(longest)));
        within(self.0.broadcast(BroadcastRequest { target, body, ..Default::default() }))
            .await
            .unwrap();
        let took = begun.elapsed();
        assert!(took < SLACK * IN_TIME, "answered after {took:?}");
    }
}

async fn channel(admin: SocketAddr) -> Channel {
    let url = format!("http://{admin}");
    Channel::from_shared(url).unwrap().connect().await.unwrap()
}

#[tokio::test]
async fn one_connection_has_so_many_open_streams_and_answers_beside_them() {
    let server = Running::start(&mut anywhere());
    let mut victim = Victim::of(&server).await;
    let channel = channel(server.admin()).await;
    let mut health = HealthClient::new(channel.clone());
    let (mut open, before) = (Vec::new(), server.resident_bytes());
    // h2 may hang up on who has it reset more than 1024 streams, and the channel would begin anew.
    for nth in 0..1000 {
        match within(health.watch(HealthCheckRequest::default())).await {
            Ok(stream) => open.push(stream),
            Err(status) => {
                assert_eq!(status.code(), Code::ResourceExhausted, "the {nth}th: {status}");
            }
        }
        if nth % 500 == 0 {
            victim.is_answered_in_time().await;
        }
    }
    assert_eq!(open.len(), limits::ADMIN_STREAMS / 2);
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 20 << 20, "{grown} bytes");
    // There is always one for a question, and closed ones make room.
    Victim(AdminServiceClient::new(channel)).is_answered_in_time().await;
    drop(open);
    while within(health.watch(HealthCheckRequest::default())).await.is_err() {}
}

#[tokio::test]
async fn unfinished_requests_take_no_more_than_their_share() {
    let server = Running::start(&mut anywhere());
    let mut victim = Victim::of(&server).await;
    let stream = TcpStream::connect(server.admin()).await.unwrap();
    let (raw, _connection) = raw(stream, 1 << 20).await;
    // More than any request may be.
    let refused = ask(&raw, BROADCAST, unfinished(3_900_000, 1000)).await;
    assert_eq!(code(refused).await, Code::OutOfRange);

    let before = server.resident_bytes();
    let mut waiting: Vec<_> = (0..50)
        .map(|_| {
            let raw = raw.clone();
            tokio::spawn(async move {
                code(ask(&raw, BROADCAST, unfinished(500_000, 300_000)).await).await
            })
        })
        .collect();
    // Those beyond are refused while the others wait.
    let mut refused = 0;
    while refused < 35 {
        for asked in std::mem::take(&mut waiting) {
            if asked.is_finished() {
                assert_eq!(asked.await.unwrap(), Code::ResourceExhausted);
                refused += 1;
            } else {
                waiting.push(asked);
            }
        }
        victim.is_answered_in_time().await;
    }
    let grown = server.resident_bytes().saturating_sub(before);
    // A fifth of what 50 such requests would take, and what the allocator has not given back.
    assert!(grown < 48 << 20, "{grown} bytes");
    let one = format!("{:?}", ask(&raw, LIST_ROOMS, whole(b"")).await.status());
    assert_eq!(one, "200", "a small one passes");
    waiting.iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn long_names_are_watched_up_to_a_limit() {
    let server = Running::start(&mut anywhere());
    let mut victim = Victim::of(&server).await;
    let named = |length: usize, nth: usize| WatchEventsRequest {
        room_ids: (0..1000).map(|room| format!("{:0>length$}", 1000 * nth + room)).collect(),
        ..Default::default()
    };
    victim.0.watch_events(named(128, 1)).await.expect("1,000 names of the longest kind in ASCII");
    let mut long = named(128, 1);
    long.room_ids[..20].fill("語".repeat(128));
    let refused = victim.0.watch_events(long).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    assert!(refused.message().contains("131072 bytes"), "{refused}");

    let (before, mut open, mut nth) = (server.resident_bytes(), Vec::new(), 0);
    let refused = 'all: loop {
        let mut hostile = AdminServiceClient::new(channel(server.admin()).await);
        for _ in 0..90 {
            nth += 1;
            match within(hostile.watch_events(named(128, nth))).await {
                Ok(stream) => open.push((hostile.clone(), stream)),
                Err(status) => break 'all status,
            }
        }
        victim.is_answered_in_time().await;
    };
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(open.len() > 100 && grown < 3 * limits::WATCHED_BYTES, "{} take {grown}", open.len());
    // Whoever names none needs no names.
    victim.0.watch_events(WatchEventsRequest::default()).await.unwrap();
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_at_once() {
    let server = Running::start(&mut anywhere());
    let mut victim = Victim::of(&server).await;
    let mut open = Vec::new();
    for _ in 1..limits::ADMIN_CONNECTIONS {
        open.push(TcpStream::connect(server.admin()).await.unwrap());
    }
    let mut refused = TcpStream::connect(server.admin()).await.unwrap();
    let mut byte = [0];
    assert!(!matches!(within(refused.read(&mut byte)).await, Ok(1..)), "it was served");
    victim.is_answered_in_time().await;
    open.clear();
    let again = async {
        while AdminServiceClient::connect(format!("http://{}", server.admin())).await.is_err() {}
    };
    within(again).await;
}

#[tokio::test(start_paused = true)]
async fn silence_ends_before_the_preface_and_stands_after_it() {
    let pipes = serve_pipes();
    let (mut silent, served) = duplex(1 << 16);
    pipes.send(served).unwrap();
    let (raw, mut connection) = connect(&pipes, 1 << 16).await;
    let begun = tokio::time::Instant::now();
    let mut settings = Vec::new();
    drop(silent.read_to_end(&mut settings).await);
    assert!(begun.elapsed() <= limits::HANDSHAKE + Duration::from_secs(1), "{:?}", begun.elapsed());

    // A watcher that hears nothing for an hour, and answers pings.
    let mut watching = ask(&raw, HEALTH_WATCH, whole(b"")).await.into_body();
    assert!(watching.frame().await.unwrap().unwrap().is_data());
    assert!(timeout(Duration::from_secs(3600), watching.frame()).await.is_err());
    assert_eq!(code(ask(&raw, LIST_ROOMS, whole(b"")).await).await, Code::Ok);
    assert!(timeout(Duration::from_secs(1), &mut connection).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_unfinished_request_is_answered_in_time() {
    let pipes = serve_pipes();
    let (raw, _connection) = connect(&pipes, 1 << 16).await;
    let begun = tokio::time::Instant::now();
    for (path, length) in [(BROADCAST, 1000), (LIST_ROOMS, 0), (HEALTH_WATCH, 1000)] {
        let body = unfinished(1000, length);
        let raw = raw.clone();
        let answered = code(ask(&raw, path, body).await).await;
        assert_eq!(answered, Code::DeadlineExceeded, "{path}");
    }
    assert!(begun.elapsed() <= 3 * limits::ADMIN_REQUEST + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_taken_ends_its_connection() {
    let pipes = serve_pipes();
    let (raw, connection) = connect(&pipes, 0).await;
    let begun = tokio::time::Instant::now();
    let answer = ask(&raw, LIST_ROOMS, whole(b"")).await;
    sleep(limits::ADMIN_ANSWER - Duration::from_secs(1)).await;
    assert!(!connection.is_finished(), "it may still take it");
    connection.await.unwrap();
    assert!(begun.elapsed() <= limits::ADMIN_ANSWER + Duration::from_secs(6));
    drop(answer);
}

#[test]
fn the_limits_are_documented() {
    let text: String = include_str!("../../proto/signalpost/admin/v1/admin.proto")
        .split_whitespace()
        .filter(|word| *word != "//")
        .collect::<Vec<_>>()
        .join(" ");
    for stated in [
        format!("{} connections; one beyond", limits::ADMIN_CONNECTIONS),
        format!("not begun HTTP/2 after {} s", limits::HANDSHAKE.as_secs()),
        format!("{} calls at a time on a connection", limits::ADMIN_STREAMS),
        format!("{} of them may be streams", limits::ADMIN_STREAMS / 2),
        format!("{} other calls at a time", limits::ADMIN_CALLS),
        format!("at most {} MiB long", limits::ADMIN_REQUEST_BYTES >> 20),
        format!("{} KiB for health", limits::ADMIN_NAME_BYTES >> 10),
        format!("take at most {} MiB on a connection", limits::ADMIN_BYTES >> 20),
        format!("The first {} KiB of each", limits::ADMIN_FREE_BYTES >> 10),
        format!("not taken yet take at most {} MiB", limits::ADMIN_ANSWER_BYTES >> 20),
        format!("headers take at most {} KiB", limits::ADMIN_HEADER_BYTES >> 10),
        format!("its answer begins, within {} s", limits::ADMIN_REQUEST.as_secs()),
        format!("not taken within {} s", limits::ADMIN_ANSWER.as_secs()),
        format!("more than {} of them or than", limits::WATCHED_ROOMS),
        format!("than {} KiB of them", limits::WATCHED_NAMES_BYTES >> 10),
        format!("more than {} MiB of rooms", limits::WATCHED_BYTES >> 20),
        format!("({} bytes more for each name)", limits::WATCHED_NAME_OVERHEAD),
    ] {
        assert!(text.contains(&stated), "{stated}");
    }
    assert_eq!(limits::WATCHERS, 10_000, "as the text says");
}

#[tokio::test(start_paused = true)]
async fn unread_answers_take_no_more_than_their_share() {
    let hub = Arc::new(Hub::new(Arc::new(config(""))));
    let mut members = Vec::new();
    for nth in 0..limits::MAX_PAGE_SIZE.get() {
        let mut session = hub.connect(std::net::Ipv4Addr::LOCALHOST.into(), None).unwrap();
        let name = format!("{}{nth:03}", "語".repeat(125));
        let wish = session.receive(&format!(r#"{{"type":"join","roomId":"{name}"}}"#)).unwrap();
        session.carry_out(wish).await;
        members.push(session);
    }
    let pipes = serve_pipes_of(hub);
    let ((raw, _connection), (victim, _other)) =
        (connect(&pipes, 0).await, connect(&pipes, 1 << 20).await);
    // A page of 1,000 and one of 10.
    let (long, short) = (whole(&[0x08, 0xe8, 0x07]), whole(&[0x08, 10]));
    let mut unread = vec![ask(&raw, LIST_ROOMS, long).await];
    while unread.last().unwrap().headers().get("grpc-status").is_none() {
        unread.push(ask(&raw, LIST_ROOMS, whole(&[0x08, 0xe8, 0x07])).await);
    }
    let refused = unread.pop().unwrap();
    assert!(unread.len() > 100, "{}", unread.len());
    assert_eq!(code(refused).await, Code::ResourceExhausted);
    assert_eq!(code(ask(&victim, LIST_ROOMS, short).await).await, Code::Ok);
    drop(unread);
    let long = whole(&[0x08, 0xe8, 0x07]);
    assert_eq!(code(ask(&victim, LIST_ROOMS, long).await).await, Code::Ok);
}

pub(crate) type Raw = SendRequest<UnsyncBoxBody<Bytes, Infallible>>;

/// An admin API without sockets, on which time passes as fast as it likes.
pub(crate) fn serve_pipes() -> mpsc::UnboundedSender<DuplexStream> {
    serve_pipes_of(Arc::new(Hub::new(Arc::new(config("")))))
}

fn serve_pipes_of(hub: Arc<Hub>) -> mpsc::UnboundedSender<DuplexStream> {
    let (pipes, incoming) = mpsc::unbounded_channel();
    let incoming =
        stream::unfold(incoming, async |mut pipes| Some((Ok(pipes.recv().await?), pipes)));
    tokio::spawn(Admin::new(hub).serve(incoming, pending()));
    pipes
}

pub(crate) async fn connect(
    pipes: &mpsc::UnboundedSender<DuplexStream>,
    window: u32,
) -> (Raw, JoinHandle<()>) {
    let (client, served) = duplex(1 << 16);
    pipes.send(served).unwrap();
    raw(client, window).await
}

/// A connection on which anything can be said, and whose answers take at most `window` bytes each, unread.
async fn raw<S>(stream: S, window: u32) -> (Raw, JoinHandle<()>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).initial_stream_window_size(window);
    let (sender, connection) = within(builder.handshake(TokioIo::new(stream))).await.unwrap();
    (sender, tokio::spawn(async { drop(connection.await) }))
}

async fn ask(raw: &Raw, path: &str, body: UnsyncBoxBody<Bytes, Infallible>) -> Response<Incoming> {
    let request = Request::post(format!("http://localhost{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)
        .unwrap();
    within(raw.clone().send_request(request)).await.unwrap()
}

fn message(declared: usize, bytes: &[u8]) -> Bytes {
    let mut message = BytesMut::new();
    message.put_u8(0);
    message.put_u32(declared.try_into().unwrap());
    message.put_slice(bytes);
    message.freeze()
}

fn whole(bytes: &[u8]) -> UnsyncBoxBody<Bytes, Infallible> {
    let whole = Ok(Frame::data(message(bytes.len(), bytes)));
    UnsyncBoxBody::new(StreamBody::new(stream::iter([whole])))
}

/// Declares so many bytes, sends less, and no end.
fn unfinished(declared: usize, sent: usize) -> UnsyncBoxBody<Bytes, Infallible> {
    let sent = Ok(Frame::data(message(declared, &vec![0; sent.min(declared - 1)])));
    UnsyncBoxBody::new(StreamBody::new(stream::iter([sent]).chain(stream::pending())))
}

/// The code of an answer. Errors have a reason, always.
async fn code(response: Response<Incoming>) -> Code {
    let status = match Status::from_header_map(response.headers()) {
        Some(status) => status,
        None => {
            let body = within(response.into_body().collect()).await.unwrap();
            body.trailers().and_then(Status::from_header_map).unwrap()
        }
    };
    if status.code() != Code::Ok {
        let details = status.get_error_details();
        let reason = &details.error_info().unwrap().reason;
        let reason = Reason::ALL.iter().find(|known| known.name() == reason).unwrap();
        assert_eq!(reason.code(), status.code());
    }
    status.code()
}
