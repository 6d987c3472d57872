//! What watchers of a quiet room cost a server whose other rooms are busy: `cargo bench --bench watchers`, under
//! Linux. Fails where they take 2 % of a core.

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
use signalpost::admin::pb::{
    ListRoomsRequest, WatchEventsRequest, WatchEventsResponse,
    admin_service_client::AdminServiceClient,
};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_tungstenite::{connect_async, tungstenite::Message};
use tonic::Streaming;

const WATCHERS: usize = 100;
const ROUNDS: usize = 7;
const WINDOW: Duration = Duration::from_secs(4);

/// Each joins its room again and again: it leaves and joins, two events.
const CLIENTS: u32 = 10;
const EVENTS_A_SECOND: u32 = 5000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let shares = runtime.block_on(measure());
    let middle = shares[shares.len() / 2];
    let (least, most) = (shares[0], shares[shares.len() - 1]);
    println!(
        "{WATCHERS} watchers of a quiet room beside {EVENTS_A_SECOND} events/s in others: \
         {middle:.2} % of a core more [{least:.2} to {most:.2}]"
    );
    assert!(middle < 2.0);
}

/// What watchers add in each round, in hundredths of a core, the least first.
async fn measure() -> Vec<f64> {
    let server = Server::start().await;
    let clients: Vec<_> = (0..CLIENTS).map(|nth| tokio::spawn(rejoin(server.http, nth))).collect();
    sleep(WINDOW / 4).await;
    let before = server.position().await;
    sleep(WINDOW).await;
    let events = server.position().await - before;
    let wanted = u64::from(EVENTS_A_SECOND) * WINDOW.as_secs();
    assert!(events > wanted * 9 / 10, "only {events} events, not {wanted}");
    let mut shares = Vec::new();
    for round in 0..ROUNDS {
        // Who goes first alternates.
        let share = if round % 2 == 0 {
            let without = server.share().await;
            server.share_with_watchers().await - without
        } else {
            let with = server.share_with_watchers().await;
            with - server.share().await
        };
        shares.push(share);
    }
    assert!(!clients.iter().any(|client| client.is_finished()));
    shares.sort_by(f64::total_cmp);
    shares
}

struct Server {
    process: Child,
    http: SocketAddr,
    admin: SocketAddr,
}

impl Server {
    async fn start() -> Self {
        let [http, admin] = [free_address(), free_address()];
        let process = Command::new(env!("CARGO_BIN_EXE_signalpost"))
            .args(["--listen", &http.to_string(), "--admin-listen", &admin.to_string()])
            .args(["--log", "warn", "--rate-limit", "0"])
            .spawn()
            .unwrap();
        while tokio::net::TcpStream::connect(admin).await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
        Self { process, http, admin }
    }

    async fn share_with_watchers(&self) -> f64 {
        let mut watchers: Vec<Streaming<WatchEventsResponse>> = Vec::new();
        for _ in 0..WATCHERS {
            let mut client =
                AdminServiceClient::connect(format!("http://{}", self.admin)).await.unwrap();
            let quiet =
                WatchEventsRequest { room_ids: vec!["quiet".to_owned()], ..Default::default() };
            watchers.push(client.watch_events(quiet).await.unwrap().into_inner());
        }
        let share = self.share().await;
        drop(watchers);
        sleep(WINDOW / 4).await;
        share
    }

    /// Of the last event of any room.
    async fn position(&self) -> u64 {
        let mut client =
            AdminServiceClient::connect(format!("http://{}", self.admin)).await.unwrap();
        let rooms =
            client.list_rooms(ListRoomsRequest::default()).await.unwrap().into_inner().rooms;
        rooms.iter().map(|room| room.position).max().unwrap()
    }

    /// The part of a core that the server takes, in hundredths.
    async fn share(&self) -> f64 {
        let before = self.cpu_ns();
        let begun = tokio::time::Instant::now();
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

async fn rejoin(server: SocketAddr, nth: u32) {
    let (socket, _) = connect_async(format!("ws://{server}/")).await.unwrap();
    let (mut say, mut hear) = socket.split();
    tokio::spawn(async move { while let Some(Ok(_)) = hear.next().await {} });
    let mut due = interval(Duration::from_secs(2) * CLIENTS / EVENTS_A_SECOND);
    due.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        due.tick().await;
        let join = Message::text(format!(r#"{{"type":"join","roomId":"busy {nth}"}}"#));
        if say.send(join).await.is_err() {
            return;
        }
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
