//! What a connection does while a password of its client's waits to be hashed.

use std::{iter, net::Ipv4Addr, sync::Arc};

use serde_json::{Value, json};
use signalpost::{
    hub::{Asker, Hub, Network},
    ws,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    task::{JoinHandle, JoinSet},
};

use crate::{
    pipe::frame,
    support::{config, within},
};

/// A client over a pipe, which has heard nothing yet.
fn client(hub: &Arc<Hub>) -> (DuplexStream, JoinHandle<()>) {
    let session = hub.connect(Ipv4Addr::new(192, 0, 2, 1).into(), None).unwrap();
    let (stream, served) = duplex(1 << 16);
    (stream, tokio::spawn(ws::run(served, Vec::new(), session)))
}

async fn say(stream: &mut DuplexStream, message: Value) {
    stream.write_all(&frame(&message.to_string())).await.unwrap();
}

/// Reads until it has heard of this.
async fn hear(stream: &mut DuplexStream, words: &str) -> String {
    let mut heard = Vec::new();
    loop {
        within(stream.read_buf(&mut heard)).await.unwrap();
        let heard = String::from_utf8_lossy(&heard);
        if heard.contains(words) {
            return heard.into_owned();
        }
    }
}

/// So many passwords that are hashed before that of a client's, as others asked first.
fn busy(hub: &Arc<Hub>, many: u32) -> JoinSet<()> {
    let mut hashes = JoinSet::new();
    for nth in 0..many {
        let hub = Arc::clone(hub);
        hashes.spawn(async move {
            let asker = Asker::Client(Network::of(Ipv4Addr::from(nth).into()));
            hub.hash_password(asker, &"x".parse().unwrap()).await.unwrap();
        });
    }
    hashes
}

fn finished(hashes: &mut JoinSet<()>) -> usize {
    iter::from_fn(|| hashes.try_join_next()).count()
}

fn join() -> Value {
    json!({"type": "join", "roomId": "r", "password": "x"})
}

/// Somebody whose password waits behind those of others, for which `end` does not wait.
async fn ends_while_its_password_waits(end: impl FnOnce(&Hub, &mut Option<DuplexStream>)) {
    let hub = Arc::new(Hub::new(Arc::new(config(""))));
    let mut before = busy(&hub, 50);
    tokio::task::yield_now().await;
    let (mut stream, connection) = client(&hub);
    say(&mut stream, join()).await;
    hear(&mut stream, "welcome").await;
    let mut stream = Some(stream);
    end(&hub, &mut stream);
    within(connection).await.unwrap();
    assert_eq!((hub.counts().clients, hub.counts().rooms), (0, 0));
    assert!(finished(&mut before) < 25, "it waited for them");
}

#[tokio::test]
async fn who_goes_while_its_password_waits_is_missed_at_once() {
    ends_while_its_password_waits(|_, stream| *stream = None).await;
}

#[tokio::test]
async fn who_is_ended_while_its_password_waits_is_told_at_once() {
    ends_while_its_password_waits(|hub, _| hub.cut_off()).await;
}

/// Minutes of the heartbeat's pass while nothing but a thread that hashes has anything to do.
#[tokio::test(start_paused = true)]
async fn who_cannot_answer_pings_while_its_password_waits_is_not_silent() {
    let hub = Arc::new(Hub::new(Arc::new(config("--ping-seconds 1 --pong-seconds 1"))));
    let running = tokio::spawn({
        let hub = Arc::clone(&hub);
        async move { hub.run().await }
    });
    let began = tokio::time::Instant::now();
    let mut before = busy(&hub, 3);
    tokio::task::yield_now().await;
    let (mut stream, _connection) = client(&hub);
    say(&mut stream, join()).await;
    let heard = hear(&mut stream, r#""type":"joined""#).await;
    assert!(!heard.contains("No answer to a ping"), "{heard}");
    assert!(began.elapsed().as_secs() > 10, "no time has passed: {:?}", began.elapsed());
    while before.join_next().await.is_some() {}
    running.abort();
}
