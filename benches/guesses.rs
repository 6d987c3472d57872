//! What those who guess a room's password cost those who talk in other rooms: `cargo bench --bench guesses`. Fails where
//! relays beside 200 guessing connections, each of its own address, take twice as long as at a quiet server (p99), or
//! where a member with the right password does not come in.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "a benchmark panics where it is wrong"
)]

use std::{
    future::pending,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use signalpost::{config::Config, server::Server};
use tokio::{
    net::{TcpSocket, TcpStream},
    runtime,
    sync::watch,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

const GUESSERS: u16 = 200;
const PAIRS: usize = 4;
/// Between two relays of all pairs.
const PAUSE: Duration = Duration::from_millis(10);
/// Rounds of either kind.
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(5);
const PASSWORD: &str = "correct horse";
/// Longer than a password of each guessing address takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether to guess now, how many wait for an answer, and how many wrong passwords were looked at.
#[derive(Debug, Clone)]
struct Guessing {
    now: watch::Receiver<bool>,
    waiting: Arc<AtomicUsize>,
    wrong: Arc<AtomicUsize>,
}

fn main() {
    let server = serve();
    let (start, now) = watch::channel(false);
    let guessing = Guessing { now, waiting: Arc::default(), wrong: Arc::default() };
    let guesses = guessing.clone();
    thread::spawn(move || alone().block_on(guess_all(server, &guesses)));

    let client = alone();
    let mut pairs = client.block_on(pairs(server));
    // Whatever is slow once is not measured.
    client.block_on(relay(&mut pairs, Duration::from_secs(1)));
    let [mut quiet, mut beside] = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        quiet.push(client.block_on(relay(&mut pairs, ROUND)));
        guessing.wrong.store(0, Ordering::Relaxed);
        start.send_replace(true);
        let member = thread::spawn(move || alone().block_on(come_in(server, round)));
        beside.push(client.block_on(relay(&mut pairs, ROUND)));
        start.send_replace(false);
        println!(
            "{} quiet, {} beside {} guesses; a member came in after {:.1?}",
            shown(&quiet[round]),
            shown(&beside[round]),
            guessing.wrong.load(Ordering::Relaxed),
            member.join().unwrap(),
        );
        while guessing.waiting.load(Ordering::Relaxed) > 0 {
            thread::sleep(Duration::from_millis(50));
        }
    }

    let [quiet, beside] = [quiet, beside].map(|rounds| {
        let mut p99: Vec<_> = rounds.iter().map(|took| part(took, 990)).collect();
        p99.sort_unstable();
        p99[ROUNDS / 2]
    });
    println!("p99 in the middle one of {ROUNDS} rounds: {quiet:.0?} quiet, {beside:.0?} beside");
    assert!(beside < 2 * quiet, "{beside:?}");
}

/// A server in threads of its own, as the binary has them.
fn serve() -> SocketAddr {
    let flags = ["signalpost", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    // Who only speaks, or waits for the next round, answers no ping.
    let patient = ["--ping-seconds", "3600"];
    let config = Config::try_parse_from(flags.into_iter().chain(patient)).unwrap();
    let runtime = runtime::Runtime::new().unwrap();
    let inside = runtime.enter();
    let server = Server::bind(config).unwrap();
    drop(inside);
    let address = server.addresses().http[0];
    thread::spawn(move || runtime.block_on(server.run(pending())));
    address
}

/// A runtime of this thread.
fn alone() -> runtime::Runtime {
    runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn join_with(password: &str) -> Value {
    json!({"type": "join", "roomId": "guarded", "password": password})
}

async fn pairs(server: SocketAddr) -> Vec<[Client; 2]> {
    let mut pairs = Vec::new();
    for nth in 0..PAIRS {
        let join = json!({"type": "join", "roomId": format!("pair {nth}")});
        let mut one = Client::enter(server, 2, &join).await;
        let other = Client::enter(server, 2, &join).await;
        assert_eq!(one.hear().await["type"], "user-joined");
        pairs.push([one, other]);
    }
    pairs
}

/// How long candidates take from one client to another.
async fn relay(pairs: &mut [[Client; 2]], long: Duration) -> Vec<Duration> {
    let (begun, mut took) = (Instant::now(), Vec::new());
    let mut due = interval(PAUSE);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while begun.elapsed() < long {
        due.tick().await;
        for [from, to] in &mut *pairs {
            let said = Instant::now();
            from.say(
                &json!({"type": "candidate", "targetId": to.id, "candidate": {"candidate": "x"}}),
            )
            .await;
            assert_eq!(to.hear().await["type"], "candidate");
            took.push(said.elapsed());
        }
    }
    took.sort_unstable();
    took
}

/// All of them guess as fast as they are let, at a room that somebody sits in: who comes back before its time is refused
/// without a look.
async fn guess_all(server: SocketAddr, guessing: &Guessing) {
    let owner = Client::enter(server, 1, &join_with(PASSWORD)).await;
    let mut clients = Vec::new();
    for nth in 0..GUESSERS {
        clients.push(Client::connect(server, 1000 + nth).await);
    }
    let guesses = clients.into_iter().map(|client| guess(client, guessing.clone()));
    let listen = owner.socket.for_each(async |_| {});
    tokio::join!(futures_util::future::join_all(guesses), listen);
}

async fn guess(mut client: Client, mut guessing: Guessing) {
    while guessing.now.wait_for(|now| *now).await.is_ok() {
        guessing.waiting.fetch_add(1, Ordering::Relaxed);
        client.say(&join_with("wrong horse")).await;
        let answer = client.hear().await;
        guessing.waiting.fetch_sub(1, Ordering::Relaxed);
        match answer["code"].as_str() {
            Some("wrong-password") => {
                guessing.wrong.fetch_add(1, Ordering::Relaxed);
            }
            Some("rate-limited") => {
                sleep(Duration::from_millis(answer["retryAfterMs"].as_u64().unwrap())).await;
            }
            _ => panic!("{answer}"),
        }
    }
}

/// How long it takes a member with the right password, in the middle of a round.
async fn come_in(server: SocketAddr, nth: usize) -> Duration {
    sleep(ROUND / 2).await;
    let nth = u16::try_from(nth).unwrap();
    let mut member = Client::connect(server, 10 + nth).await;
    let said = Instant::now();
    member.say(&join_with(PASSWORD)).await;
    let answer = timeout(PATIENCE, member.hear()).await.expect("a member is kept out");
    assert_eq!(answer["type"], "joined", "{answer}");
    said.elapsed()
}

#[derive(Debug)]
struct Client {
    id: String,
    socket: WebSocketStream<TcpStream>,
}

impl Client {
    /// From an address of its own.
    async fn connect(server: SocketAddr, nth: u16) -> Self {
        let [high, low] = nth.to_be_bytes();
        let own = IpAddr::from(Ipv4Addr::new(127, 1, high, low));
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((own, 0).into()).unwrap();
        let stream = socket.connect(server).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (socket, _) = client_async(format!("ws://{server}/"), stream).await.unwrap();
        let mut client = Self { id: String::new(), socket };
        client.id = client.hear().await["clientId"].as_str().unwrap().to_owned();
        client
    }

    /// The same, seated.
    async fn enter(server: SocketAddr, nth: u16, join: &Value) -> Self {
        let mut client = Self::connect(server, nth).await;
        client.say(join).await;
        let answer = client.hear().await;
        assert_eq!(answer["type"], "joined", "{answer}");
        client
    }

    async fn say(&mut self, message: &Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn hear(&mut self) -> Value {
        loop {
            match self.socket.next().await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

fn shown(took: &[Duration]) -> String {
    format!("{:.0?}, p99 {:.0?}", part(took, 500), part(took, 990))
}

fn part(took: &[Duration], thousandths: usize) -> Duration {
    took[(took.len() - 1) * thousandths / 1000]
}
