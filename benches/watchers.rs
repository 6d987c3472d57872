//! What watchers cost a server, beside rooms that are busy: `cargo bench --bench watchers`, under Linux. Fails where
//! 10,000 who each follow a room take 5 % of a core beyond what they are told, or one that does not read takes 2 %.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark panics where it is wrong"
)]

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    process::{Child, Command},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use signalpost::admin::pb::{
    GetServerInfoRequest, WatchEventsRequest, WatchEventsResponse,
    admin_service_client::AdminServiceClient,
};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_tungstenite::{connect_async, tungstenite::Message};
use tonic::{Streaming, transport::Channel};

const WATCHERS: usize = 10_000;
/// As many as may stand open on one connection.
const OF_A_CONNECTION: usize = 100;
const ROUNDS: usize = 3;
/// Each watcher of a quiet room is sent one bookmark in that time.
const WINDOW: Duration = Duration::from_secs(15);
/// Each joins its room again and again, of the busy ones: it leaves and joins, two events.
const CLIENTS: u32 = 10;
/// Each sends messages to its room-mate.
const PAIRS: u32 = 10;

type Admin = AdminServiceClient<Channel>;
type Watchers = Vec<(Admin, Streaming<WatchEventsResponse>)>;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        follow_rooms().await;
        do_not_read().await;
    });
}

/// 10,000 watchers at 1,000 events a second: of rooms where nothing happens, and with one for each room where
/// something does.
async fn follow_rooms() {
    let server = Server::start(1000, 0).await;
    let quiet = added(&server, async || server.watchers(|nth| format!("quiet {nth}")).await).await;
    println!("{WATCHERS} watchers of quiet rooms at 1,000 events/s: {}", shown(&quiet));
    let room = |nth| match nth {
        0..10 => format!("busy {nth}"),
        _ => format!("quiet {nth}"),
    };
    let told = added(&server, async || server.watchers(room).await).await;
    println!("the same where each event is told to one of them: {}", shown(&told));
    assert!(middle(&quiet) < 5.0);
}

/// One watcher of everything that stops reading, at 5,000 events and 10,000 messages a second.
async fn do_not_read() {
    let server = Server::start(5000, 10_000).await;
    let alone = server.share().await;
    let stopped =
        added(&server, async || server.watch(&mut server.admin().await, vec![]).await).await;
    println!(
        "one watcher that does not read at 5,000 events/s and 10,000 messages/s: {} of {alone:.1}",
        shown(&stopped)
    );
    assert!(stopped[0] < 2.0, "in every round");
}

/// What `attach` adds in each round, in hundredths of a core, the least first.
async fn added<W>(server: &Server, attach: impl AsyncFn() -> W) -> Vec<f64> {
    let with = async || {
        let attached = attach().await;
        sleep(Duration::from_secs(2)).await;
        let share = server.share().await;
        drop(attached);
        sleep(Duration::from_secs(2)).await;
        share
    };
    let mut shares = Vec::new();
    for round in 0..ROUNDS {
        // Who goes first alternates.
        let share = if round % 2 == 0 {
            let without = server.share().await;
            with().await - without
        } else {
            let with = with().await;
            with - server.share().await
        };
        shares.push(share);
    }
    shares.sort_by(f64::total_cmp);
    shares
}

fn middle(shares: &[f64]) -> f64 {
    shares[shares.len() / 2]
}

fn shown(shares: &[f64]) -> String {
    let (least, most) = (shares[0], shares[shares.len() - 1]);
    format!("{:.2} % of a core more [{least:.2} to {most:.2}]", middle(shares))
}

struct Server {
    process: Child,
    admin: SocketAddr,
}

impl Server {
    /// With so many events and relayed messages a second.
    async fn start(events: u32, messages: u32) -> Self {
        let [http, admin] = [free_address(), free_address()];
        let process = Command::new(env!("CARGO_BIN_EXE_signalpost"))
            .args(["--listen", &http.to_string(), "--admin-listen", &admin.to_string()])
            .args(["--log", "warn", "--rate-limit", "0"])
            .spawn()
            .unwrap();
        while tokio::net::TcpStream::connect(admin).await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
        for nth in 0..CLIENTS {
            let join = format!(r#"{{"type":"join","roomId":"busy {nth}"}}"#);
            tokio::spawn(repeat(http, vec![], join, 2 * CLIENTS, events));
        }
        for nth in 0..if messages > 0 { PAIRS } else { 0 } {
            let join = format!(r#"{{"type":"join","roomId":"pair {nth}"}}"#);
            let message = r#"{"type":"message","content":"hello"}"#.to_owned();
            tokio::spawn(repeat(http, vec![join.clone()], message, PAIRS, messages));
            tokio::spawn(repeat(http, vec![join], r#"{"type":"ping"}"#.to_owned(), 1, 1));
        }
        let server = Self { process, admin };
        sleep(Duration::from_secs(2)).await;
        let (before, begun) = (server.events().await, Instant::now());
        sleep(Duration::from_secs(4)).await;
        let happened = (server.events().await - before) as f64 / begun.elapsed().as_secs_f64();
        assert!(happened > f64::from(events) * 0.9, "only {happened} events/s, not {events}");
        server
    }

    async fn admin(&self) -> Admin {
        AdminServiceClient::connect(format!("http://{}", self.admin)).await.unwrap()
    }

    /// As many as there may be, each of one room.
    async fn watchers(&self, room: impl Fn(usize) -> String) -> Watchers {
        let mut watchers = Vec::new();
        for first in (0..WATCHERS).step_by(OF_A_CONNECTION) {
            let mut admin = self.admin().await;
            for nth in first..first + OF_A_CONNECTION {
                watchers.extend(self.watch(&mut admin, vec![room(nth)]).await);
            }
        }
        watchers
    }

    async fn watch(&self, admin: &mut Admin, room_ids: Vec<String>) -> Watchers {
        let request = WatchEventsRequest { room_ids, ..Default::default() };
        let stream = admin.watch_events(request).await.unwrap().into_inner();
        vec![(admin.clone(), stream)]
    }

    /// How many there were.
    async fn events(&self) -> u64 {
        let info = self.admin().await.get_server_info(GetServerInfoRequest {}).await.unwrap();
        info.into_inner().counts.unwrap().events
    }

    /// The part of a core that the server takes, in hundredths.
    async fn share(&self) -> f64 {
        let before = self.cpu_ns();
        let begun = Instant::now();
        sleep(WINDOW).await;
        (self.cpu_ns() - before) / begun.elapsed().as_nanos() as f64 * 100.0
    }

    fn cpu_ns(&self) -> f64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        let nanos = |task: std::io::Result<fs::DirEntry>| {
            let text = fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
            text.split(' ').next().unwrap().parse::<f64>().unwrap()
        };
        tasks.map(nanos).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Says `first` once, then `text` again and again: `a_second` times, together with as many others as there are `of`.
async fn repeat(server: SocketAddr, first: Vec<String>, text: String, of: u32, a_second: u32) {
    let (socket, _) = connect_async(format!("ws://{server}/")).await.unwrap();
    let (mut say, mut hear) = socket.split();
    let welcome = hear.next().await.unwrap().unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(welcome.to_text().unwrap()).unwrap()["type"],
        "welcome"
    );
    tokio::spawn(async move { while let Some(Ok(_)) = hear.next().await {} });
    for text in first {
        say.send(Message::text(text)).await.unwrap();
    }
    let mut due = interval(Duration::from_secs(1) * of / a_second);
    due.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        due.tick().await;
        if say.send(Message::text(text.clone())).await.is_err() {
            return;
        }
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
