//! What a fleet takes beyond one server: `cargo bench --bench fleet`, under Linux, with redis-server installed. It has a
//! Redis and three servers of its own, and prints what is in docs/cluster.md. Fails where a message to another server
//! takes a hundred times as long as on one, or a storm into one room takes an append for every other join.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark panics where it is wrong"
)]

mod clients;
mod processes;
#[path = "../../tests/support/running.rs"]
mod running;

use std::{
    fmt,
    time::{Duration, Instant},
};

use clients::{Client, Pair, pass};
use processes::{Fleet, Redis, Spent};
use tokio::task::JoinSet;

const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(3);
/// Pairs where the servers are busy.
const PAIRS: usize = 100;
/// Between two messages of the one pair whose latency is measured.
const PAUSE: Duration = Duration::from_millis(2);
const JOINS: usize = 1000;
const MEMBERS: usize = 4;

#[tokio::main]
async fn main() {
    joins().await;
    signals().await;
    for rooms in [1, JOINS / MEMBERS] {
        println!("{JOINS} join {rooms} room(s) at once, in the middle one of {ROUNDS} rounds:");
        println!("  from 3 nodes: {}", storms(&mut Fleet::start(3), rooms).await);
        println!("  at one server without Redis: {}", storms(&mut Fleet::alone(), rooms).await);
    }
}

/// What Redis does for joins and leaves that come one by one, and what it keeps of them.
async fn joins() {
    let mut fleet = Fleet::start(3);
    let mut clients = Client::connect_all(&fleet.nodes, JOINS).await;
    let room = |nth: usize| format!("room-{}", nth / MEMBERS);
    let before = fleet.redis().spent();
    for (nth, client) in clients.iter_mut().enumerate() {
        client.join(&room(nth)).await;
    }
    let redis = fleet.redis();
    println!("a join, {MEMBERS} to a room, on 3 nodes: {}", redis.spent().since(&before, JOINS));
    let usage = |key: &str| format!("MEMORY USAGE {{signalpost}}:{key} SAMPLES 0");
    let entries: usize = redis.ask("XLEN {signalpost}:log");
    let log: usize = redis.ask(&usage("log"));
    let room_bytes: usize = redis.ask(&usage("room:room-0"));
    let before = redis.spent();
    let _: redis::Value = redis.ask("XRANGE {signalpost}:log - +");
    let read = redis.spent().since(&before, entries).out;
    println!(
        "kept: {} B an entry of {entries}, {read:.0} B when it is read; {room_bytes} B a room",
        log / entries
    );

    // The newest go first, so that nobody becomes host by it.
    let before = redis.spent();
    for (nth, client) in clients.iter_mut().enumerate().rev() {
        client.leave(&room(nth)).await;
    }
    println!("a leave: {}", fleet.redis().spent().since(&before, JOINS));
}

/// What candidates take within a server and from one to another.
async fn signals() {
    let (mut alone, mut fleet) = (Fleet::alone(), Fleet::start(2));
    let mut rounds = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        rounds[0].push(Relay::measure(&mut alone, [0, 0]).await);
        rounds[1].push(Relay::measure(&mut fleet, [0, 0]).await);
        rounds[2].push(Relay::measure(&mut fleet, [0, 1]).await);
    }
    let names = ["without Redis", "on one node", "across two nodes"];
    let medians = rounds.each_ref().map(|rounds| Relay::median(rounds));
    for (name, median) in names.iter().zip(&medians) {
        println!("a candidate {name}: {median}, in the middle of {ROUNDS} rounds");
    }
    for what in &rounds[2][ROUNDS - 1].redis {
        println!("  a candidate across nodes: {what}");
    }
    let [_, near, far] = medians;
    assert!(far.p50 < 100 * near.p50, "{far}");
}

/// What a candidate takes: its way while there is no other, and servers' CPU time while [`PAIRS`] pass them as fast as they can.
struct Relay {
    p50: Duration,
    p99: Duration,
    cpu_us: f64,
    redis_cpu_us: f64,
    /// While there is no other, and while there are.
    redis: Vec<Spent>,
}

impl Relay {
    async fn measure(fleet: &mut Fleet, nodes: [usize; 2]) -> Self {
        let mut pairs = Vec::new();
        for nth in 0..PAIRS {
            let nodes = nodes.map(|node| &fleet.nodes[node]);
            pairs.push(Pair::seat(nodes, &format!("pair-{nth}")).await);
        }
        // Whatever is slow once is not measured.
        pass(&mut pairs, PAUSE, ROUND / 3).await;
        let mut redis = Vec::new();
        let before = fleet.redis.as_mut().map(Redis::spent);
        let took = pass(&mut pairs[..1], PAUSE, ROUND).await;
        redis.extend(fleet.spent_since(before, took.len()));

        let (before, cpu_us) = (fleet.redis.as_mut().map(Redis::spent), fleet.cpu_us());
        let messages = pass(&mut pairs, Duration::ZERO, ROUND).await.len();
        let cpu_us = (fleet.cpu_us() - cpu_us) / messages as f64;
        redis.extend(fleet.spent_since(before, messages));
        drop(pairs);
        fleet.is_empty().await;
        let redis_cpu_us = redis.last().map_or(0.0, |spent| spent.cpu_us);
        Self { p50: part(&took, 500), p99: part(&took, 990), cpu_us, redis_cpu_us, redis }
    }

    fn median(rounds: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| {
            let mut figures: Vec<_> = rounds.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures[figures.len() / 2]
        };
        Self {
            p50: Duration::from_secs_f64(of(|relay| relay.p50.as_secs_f64())),
            p99: Duration::from_secs_f64(of(|relay| relay.p99.as_secs_f64())),
            cpu_us: of(|relay| relay.cpu_us),
            redis_cpu_us: of(|relay| relay.redis_cpu_us),
            redis: Vec::new(),
        }
    }
}

impl fmt::Display for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50, p99, cpu_us, redis_cpu_us, .. } = self;
        write!(
            f,
            "{p50:.0?}, p99 {p99:.2?}; busy: {cpu_us:.1} us of servers' CPU, {redis_cpu_us:.1} of Redis'"
        )
    }
}

/// How joins go that come all at once.
async fn storms(fleet: &mut Fleet, rooms: usize) -> String {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let clients = Client::connect_all(&fleet.nodes, JOINS).await;
        let (appends, spent) = (fleet.appends(), fleet.redis.as_mut().map(Redis::spent));
        let begun = Instant::now();
        let join = |(nth, client)| enter(client, nth % rooms, JOINS / rooms);
        let joining: JoinSet<_> = clients.into_iter().enumerate().map(join).collect();
        let (clients, mut took): (Vec<_>, Vec<_>) = joining.join_all().await.into_iter().unzip();
        let all = begun.elapsed();
        let spent = fleet.spent_since(spent, JOINS);
        let [appended, conflicts] = fleet.appends();
        let [appended, conflicts] = [appended - appends[0], conflicts - appends[1]];
        drop(clients);
        fleet.is_empty().await;
        assert!(appended < JOINS as u64 / 2 || rooms > 1, "{appended} appends into one room");
        took.sort_unstable();
        let mut told = format!(
            "{:.2?}, p99 {:.2?}, all know all after {all:.2?}; {appended} appends, {conflicts} conflicts",
            part(&took, 500),
            part(&took, 990),
        );
        if let Some(spent) = spent {
            told += &format!("; a join: {spent}");
        }
        rounds.push((part(&took, 990), told));
    }
    rounds.sort_unstable();
    rounds.swap_remove(ROUNDS / 2).1
}

/// Joins, and stays until it knows everybody: how long the join took.
async fn enter(mut client: Client, room: usize, members: usize) -> (Client, Duration) {
    let (others, took) = client.join(&format!("storm-{room}")).await;
    for _ in others + 1..members {
        client.hear_of("user-joined").await;
    }
    (client, took)
}

fn part(took: &[Duration], thousandths: usize) -> Duration {
    took[(took.len() - 1) * thousandths / 1000]
}
