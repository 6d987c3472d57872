//! Near its memory budget the server closes those who make it keep the most, and nobody else.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;
#[path = "support/taking.rs"]
mod taking;

use std::{collections::BTreeSet, net::IpAddr, sync::Arc, time::Duration};

use serde_json::value::RawValue;
use signalpost::hub::{Audience, Ending, Hub, NotLetIn, Session};
use taking::Taking;
use tokio::time::sleep;

/// With 32 MiB for all clients, and one outbox that may take all of it.
const FLAGS: &str = "--memory-budget 134217728 --outbox-bytes 100000000 --rate-limit 0";
const MIB: usize = 1 << 20;

fn beating(flags: &str) -> Arc<Hub> {
    let hub = Arc::new(Hub::new(Arc::new(support::config(flags))));
    let running = Arc::clone(&hub);
    tokio::spawn(async move { running.run().await });
    hub
}

fn client(hub: &Arc<Hub>, address: &str) -> Session {
    hub.connect(address.parse::<IpAddr>().unwrap().into(), None).unwrap()
}

/// An administrator says as much to a client so many times.
async fn tell(hub: &Hub, session: &Session, times: usize, content: &RawValue) {
    let audience = Audience::Client(session.client().id);
    for _ in 0..times {
        let reached = hub.broadcast(&audience, &BTreeSet::new(), content).await.unwrap();
        assert_eq!(reached.clients, 1);
    }
}

fn ended(session: &Session) -> Option<Ending> {
    session.client().outbox.abandoned()
}

#[tokio::test(start_paused = true)]
async fn of_unfinished_messages_those_of_the_greediest_address_go_first() {
    let hub = beating(FLAGS);
    let mut most = client(&hub, "192.0.2.1");
    let mut many: Vec<_> = (0..8).map(|_| client(&hub, "192.0.2.2")).collect();
    most.heard(1, 11 * MIB);
    many.iter_mut().zip([2, 3].into_iter().cycle()).for_each(|(one, mib)| one.heard(1, mib * MIB));
    let newcomer = || hub.connect("192.0.2.3".parse::<IpAddr>().unwrap().into(), None);
    assert_eq!(newcomer().err(), Some(NotLetIn::Memory));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(ended(&most), None, "it has the most, but its address has less");
    let gone = many.iter().filter(|session| ended(session) == Some(Ending::Unfinished));
    assert_eq!(gone.count(), 3, "a quarter is free again");
    assert_eq!(ended(&many[1]), Some(Ending::Unfinished), "one of those with more");
    many.retain(|session| ended(session).is_none());
    assert!(newcomer().is_ok());
}

#[tokio::test(start_paused = true)]
async fn of_unread_outboxes_only_those_go_whose_socket_takes_nothing() {
    let hub = beating(FLAGS);
    let reader = client(&hub, "192.0.2.1");
    let (deaf, deafer) = (client(&hub, "192.0.2.2"), client(&hub, "192.0.2.3"));
    let socket = Taking::of(reader.client());
    let content = serde_json::value::to_raw_value(&"x".repeat(MIB)).unwrap();
    for (session, times) in [(&reader, 20), (&deaf, 3), (&deafer, 10)] {
        tell(&hub, session, times, &content).await;
    }
    for _ in 0..30 {
        sleep(Duration::from_millis(100)).await;
        socket.takes(1);
    }
    assert_eq!(ended(&deafer), Some(Ending::SlowConsumer));
    assert_eq!(ended(&deaf), None, "that was enough");
    assert_eq!(ended(&reader), None, "it is owed most, and takes it");
}

#[tokio::test(start_paused = true)]
async fn an_address_that_alone_keeps_others_out_goes_though_its_sockets_take_a_little() {
    let hub = beating(FLAGS);
    let content = serde_json::value::to_raw_value(&"x".repeat(MIB)).unwrap();
    let greedy: Vec<_> = (0..10).map(|_| client(&hub, "192.0.2.1")).collect();
    let sockets: Vec<_> = greedy.iter().map(|session| Taking::of(session.client())).collect();
    for session in &greedy {
        tell(&hub, session, 3, &content).await;
    }
    let newcomer = || hub.connect("192.0.2.3".parse::<IpAddr>().unwrap().into(), None);
    assert!(newcomer().is_err());
    for _ in 0..50 {
        sleep(Duration::from_millis(100)).await;
        sockets.iter().for_each(|socket| socket.takes(10_000));
    }
    assert!(newcomer().is_ok());
    assert!(greedy.iter().any(|session| ended(session).is_none()), "that was enough");
}

#[tokio::test(start_paused = true)]
async fn many_addresses_that_together_keep_others_out_do_so_for_seconds() {
    let hub = beating(FLAGS);
    let mut greedy: Vec<_> = (1..=15).map(|nth| client(&hub, &format!("192.0.2.{nth}"))).collect();
    let honest = client(&hub, "198.51.100.1");
    greedy.iter_mut().for_each(|session| session.heard(1, 2 * MIB));
    let newcomer = || hub.connect("203.0.113.1".parse::<IpAddr>().unwrap().into(), None);
    assert!(newcomer().is_err());
    for _ in 0..4 {
        sleep(Duration::from_secs(1)).await;
        greedy.retain(|session| ended(session).is_none());
    }
    assert!(newcomer().is_ok());
    assert!(greedy.len() > 10, "that was enough");
    assert_eq!(ended(&honest), None);
}
