//! Near its memory budget the server closes those who make it keep the most, and nobody else.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use signalpost::hub::{Audience, Ending, Hub, Link, NotLetIn, Outbox, Session};
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
    hub.connect(address.parse().unwrap(), None).unwrap()
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
    let newcomer = || hub.connect("192.0.2.3".parse().unwrap(), None);
    assert_eq!(newcomer().err(), Some(NotLetIn::Memory));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(ended(&most), None, "it has the most, but its address has less");
    let gone = many.iter().filter(|session| ended(session) == Some(Ending::Unfinished));
    assert_eq!(gone.count(), 3, "a quarter is free again");
    assert_eq!(ended(&many[1]), Some(Ending::Unfinished), "one of those with more");
    many.retain(|session| ended(session).is_none());
    assert!(newcomer().is_ok());
}

/// A socket that takes what the test says.
#[derive(Debug, Default)]
struct Taking(AtomicU32);

impl Link for Taking {
    fn flush(&self, _: &Outbox) {}

    fn taken(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

#[tokio::test(start_paused = true)]
async fn of_unread_outboxes_only_those_go_whose_socket_takes_nothing() {
    let hub = beating(FLAGS);
    let reader = client(&hub, "192.0.2.1");
    let (deaf, deafer) = (client(&hub, "192.0.2.2"), client(&hub, "192.0.2.3"));
    let socket = Arc::new(Taking::default());
    reader.client().attach(Arc::clone(&socket) as Arc<dyn Link>);
    let content = serde_json::value::to_raw_value(&"x".repeat(MIB)).unwrap();
    let tell = |session: &Session, times: usize| {
        let audience = Audience::Client(session.client().id);
        (0..times).for_each(|_| assert_eq!(hub.broadcast(&audience, &content), Ok(1)));
    };
    tell(&reader, 20);
    tell(&deaf, 4);
    tell(&deafer, 9);
    for _ in 0..30 {
        sleep(Duration::from_millis(100)).await;
        socket.0.fetch_add(1, Ordering::Relaxed);
    }
    assert_eq!(ended(&deafer), Some(Ending::SlowConsumer));
    assert_eq!(ended(&deaf), None, "that was enough");
    assert_eq!(ended(&reader), None, "it is owed most, and takes it");
}
