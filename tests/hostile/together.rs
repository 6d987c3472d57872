//! All of it at once, from one address.

use std::time::Duration;

use signalpost::config::limits;
use tokio::{
    io::AsyncWriteExt,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{
    attack::{have_many_files, member, websocket},
    beside::Victim,
    floods, garbage, handshakes,
    pipe::frame,
    readers,
    running::{Running, anywhere},
    unfinished,
};

const ATTACKER: u8 = 8;
const BUDGET: usize = 192 << 20;
const LASTS: u32 = 20;

#[tokio::test]
async fn nobody_else_waits_and_memory_stays_within_its_budget() {
    have_many_files();
    let server = Running::start(anywhere().args(["--memory-budget", &BUDGET.to_string()]));
    let alone = server.sockets();
    let victim = Victim::of(&server);
    let (http, began) = (server.http(), Instant::now());
    let (mut attacks, mut open, mut long) = (JoinSet::new(), Vec::new(), Vec::new());
    let begun = frame(&"x".repeat(limits::MESSAGE_BYTES - 10))[..200_000].to_vec();
    for nth in 0..500 {
        let mut stream = websocket(http, ATTACKER, None).await.unwrap();
        if nth % 2 == 0 {
            stream.write_all(&unfinished::ANNOUNCED).await.unwrap();
            open.push(stream);
        } else {
            stream.write_all(&begun).await.unwrap();
            long.push(stream);
        }
    }
    for (kind, said, _) in floods::kinds() {
        let stream = member(http, ATTACKER, None, kind).await;
        attacks.spawn(async move { drop(floods::flood(kind, said, stream).await) });
    }
    open.extend(readers::ask_and_never_read(http, ATTACKER, 500).await);
    attacks.spawn(async move { drop(handshakes::begin(http, ATTACKER, 2000).await) });
    attacks.spawn(async move { drop(garbage::throw_for(http, ATTACKER, LASTS).await) });
    sleep_until(began + Duration::from_secs(LASTS.into())).await;
    println!("{} bytes before the end", server.resident_bytes());

    while let Some(attack) = attacks.try_join_next() {
        attack.unwrap();
    }
    attacks.abort_all();
    // These may take a minute in all, for what they have sent.
    drop(long);
    sleep_until(Instant::now() + limits::HANDSHAKE + Duration::from_secs(3)).await;
    let (left, most) = (server.sockets() - alone, server.most_resident_bytes());
    victim.was_served_in_time("all of it");
    println!("at most {most} bytes");
    assert!(most < BUDGET, "{most} bytes");
    assert!(left <= 5, "{left} are left");
    drop(open);
}
