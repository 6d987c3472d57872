//! What a scrape of `/metrics` costs beside many clients, and whether it stalls what they say to each other, without
//! sockets: `cargo bench --bench scrape`. Fails where a scrape takes 50 ms.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark panics where it is wrong"
)]

#[path = "../tests/support/pipe.rs"]
mod pipe;

use std::{
    fs::File,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use pipe::{Pipe, candidate, frame};
use signalpost::{
    config::Config,
    hub::{Hub, Session},
    metrics::{Exposition, Process, Source},
};

const CLIENTS: u32 = 19_000;
const SCRAPES: usize = 101;
const MOST: Duration = Duration::from_millis(50);
/// Relays between two scrapes.
const PAUSE: Duration = Duration::from_millis(20);

fn main() {
    let flags = [
        "signalpost",
        "--rate-limit",
        "0",
        "--max-connections",
        "20000",
        "--memory-budget",
        "4000000000",
    ];
    let hub = Arc::new(Hub::new(Arc::new(Config::try_parse_from(flags).unwrap())));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let clients = runtime.block_on(connect(&hub));
    // In place of their sockets, which a scrape counts.
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let files: Vec<_> = clients.iter().map_while(|_| File::open("/dev/null").ok()).collect();
    let alone = runtime.block_on(relays(&hub, &AtomicBool::new(true), Duration::from_secs(2)));

    let scraping = AtomicBool::new(true);
    let (mut scrapes, beside) = thread::scope(|scope| {
        let scraper = scope.spawn(|| {
            let scrapes: Vec<_> = (0..SCRAPES).map(|_| scrape(&hub)).collect();
            scraping.store(false, Ordering::Relaxed);
            scrapes
        });
        let beside = runtime.block_on(relays(&hub, &scraping, Duration::ZERO));
        (scraper.join().unwrap(), beside)
    });
    drop(clients);
    let files = files.len();
    scrapes.sort_unstable();
    let (middle, most) = (scrapes[SCRAPES / 2], scrapes[SCRAPES - 1]);
    println!("a scrape with {CLIENTS} clients and {files} files: {middle:.1?}, at most {most:.1?}");
    println!("a relay alone: {alone}; beside scrapes: {beside}");
    assert!(middle < MOST, "{middle:?}");
}

/// Clients that each have a message due, ten to a room.
async fn connect(hub: &Arc<Hub>) -> Vec<Session> {
    let mut clients = Vec::new();
    for nth in 0..CLIENTS {
        let address = IpAddr::from(Ipv4Addr::from(0x0a00_0000 + nth));
        let mut session = hub.connect(address.into(), None).unwrap();
        let join = format!(r#"{{"type":"join","roomId":"room {}"}}"#, nth / 10);
        let wish = session.receive(&join).unwrap();
        session.carry_out(wish).await;
        clients.push(session);
    }
    clients
}

fn scrape(hub: &Hub) -> Duration {
    thread::sleep(PAUSE);
    let begun = Instant::now();
    let mut exposition = Exposition::default();
    hub.expose(&mut exposition);
    Process.expose(&mut exposition);
    let text = exposition.text();
    let took = begun.elapsed();
    // And a few that relay.
    assert!(text.contains(&format!("\nsignalpost_members {}", CLIENTS / 100)), "{text}");
    took
}

/// How long candidates take from one client to another for as long as `going` says, or for so long.
async fn relays(hub: &Arc<Hub>, going: &AtomicBool, long: Duration) -> String {
    let (mut a, mut b) = (Pipe::join(hub, "relay").await, Pipe::join(hub, "relay").await);
    a.pass_over().await;
    let candidate = frame(&candidate(&b.id));
    let mut took = Vec::new();
    let begun = Instant::now();
    while going.load(Ordering::Relaxed) && (long.is_zero() || begun.elapsed() < long) {
        let said = Instant::now();
        a.say(&candidate).await;
        b.pass_over().await;
        took.push(said.elapsed());
    }
    took.sort_unstable();
    let part = |thousandths: usize| took[(took.len() - 1) * thousandths / 1000];
    format!("{:.1?}, p99 {:.1?}, p99.9 {:.1?} of {}", part(500), part(990), part(999), took.len())
}
