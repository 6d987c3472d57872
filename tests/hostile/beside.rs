//! Who is beside the hostile peers, at another address: what it sees of them is what they have done.

use std::{
    net::SocketAddr,
    panic,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{MissedTickBehavior, interval},
};

use crate::{
    running::{Running, anywhere},
    support::{Client, within},
};

/// How long anything may take: to connect and join a room, to see the server's health, to be heard by another. So much
/// more than at a server without hostile peers: these are debug builds, on machines that others use too.
pub(crate) const IN_TIME: Duration = Duration::from_millis(250);
/// By how much one in a hundred may exceed it.
pub(crate) const SLACK: u32 = 4;
/// One round of everything; a tenth of the new connections that an address may make in the long run.
const ROUND: Duration = Duration::from_millis(100);

/// Joins a new room again and again, sees how the server is, and has two members speak with each other; and the same at a
/// quiet server. In a thread of its own: hostile peers in the same one would be in its way.
pub(crate) struct Victim {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<[Seen; 2]>,
}

/// How long each thing took.
#[derive(Debug, Default)]
struct Seen {
    joins: Vec<Duration>,
    healths: Vec<Duration>,
    relays: Vec<Duration>,
}

impl Victim {
    pub(crate) fn of(server: &Running) -> Self {
        let http = server.http();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let quiet = Running::start(&mut anywhere());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(live([http, quiet.http()], &stopped))
        });
        Self { stop, thread }
    }

    /// Ends it. Nothing took longer than it may, and nothing failed.
    pub(crate) fn was_served_in_time(self, beside: &str) {
        self.stop.store(true, Ordering::Relaxed);
        let seen = self.thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic));
        let [here, quiet] = seen.map(|Seen { joins, healths, relays }| {
            [("joins", joins), ("healths", healths), ("relays", relays)]
        });
        for ((what, here), (_, quiet)) in here.into_iter().zip(quiet) {
            let many = here.len();
            let ((p99, most), (quiet_p99, quiet_most)) = (worst(here), worst(quiet));
            println!(
                "beside {beside}: {many} {what}, p99 {p99:?}, at most {most:?}; \
                 elsewhere p99 {quiet_p99:?}, at most {quiet_most:?}"
            );
            let in_time = p99 <= IN_TIME + quiet_p99 && most <= SLACK * IN_TIME + quiet_most;
            assert!(in_time, "beside {beside}: {what} took {p99:?}, {most:?}");
        }
    }
}

/// The 99th percentile, and the longest.
fn worst(mut took: Vec<Duration>) -> (Duration, Duration) {
    took.sort();
    (took[took.len() * 99 / 100], took[took.len() - 1])
}

async fn live(servers: [SocketAddr; 2], stopped: &AtomicBool) -> [Seen; 2] {
    let mut lives = [Life::begin(servers[0]).await, Life::begin(servers[1]).await];
    let mut rounds = interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stopped.load(Ordering::Relaxed) {
        rounds.tick().await;
        for life in &mut lives {
            life.go_on().await;
        }
    }
    lives.map(|life| life.seen)
}

struct Life {
    http: SocketAddr,
    members: [Client; 2],
    seen: Seen,
}

impl Life {
    async fn begin(http: SocketAddr) -> Self {
        let url = format!("ws://{http}/");
        let mut members = [Client::connect(&url).await, Client::connect(&url).await];
        for member in &mut members {
            member.join("victims").await;
        }
        Self { http, members, seen: Seen::default() }
    }

    async fn go_on(&mut self) {
        let Self { http, members: [a, b], seen } = self;
        let nth = seen.joins.len();
        let began = Instant::now();
        Client::connect(&format!("ws://{http}/")).await.join(&format!("room {nth}")).await;
        seen.joins.push(began.elapsed());

        let began = Instant::now();
        let mut answer = String::new();
        let mut stream = TcpStream::connect(*http).await.unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        within(stream.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        seen.healths.push(began.elapsed());

        let began = Instant::now();
        a.say(json!({"type": "offer", "targetId": b.id, "sdp": nth})).await;
        assert_eq!(b.hear_of("offer").await["sdp"], nth);
        seen.relays.push(began.elapsed());
    }
}
