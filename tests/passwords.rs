//! Passwords of rooms are hashed, compared and told to nobody.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::FutureExt;
use signalpost::{
    config::limits,
    hub::{Asker, Busy, Guesses, Hub, Network},
    metrics::{Exposition, Source},
    password::Password,
};
use support::{config, within};

fn hub() -> Hub {
    Hub::new(Arc::new(config("")))
}

fn network(nth: u32) -> Network {
    Network::of(Ipv4Addr::from(0x0a00_0000 + nth).into())
}

fn password(text: &str) -> Password {
    text.parse().unwrap()
}

#[tokio::test]
async fn the_right_password_is_right_however_often_and_wrong_ones_are_limited() {
    let (hub, mut guesses) = (hub(), Guesses::default());
    let hash = within(hub.hash_password(Asker::Administrator, &password("right"))).await.unwrap();
    let check = async |text: &str, guesses: &mut Guesses| {
        within(hub.verify_password(network(1), guesses, &password(text), &hash)).await
    };
    for _ in 0..4 {
        assert_eq!(check("wrong", &mut guesses).await, Ok(false));
    }
    for _ in 0..10 {
        assert_eq!(check("right", &mut guesses).await, Ok(true));
    }
    assert_eq!(check("wrong", &mut guesses).await, Ok(false));
    let refused = Err(Busy { retry_after: Duration::from_secs(5) });
    assert_eq!(check("right", &mut guesses).await, refused);
    assert_eq!(check("right", &mut Guesses::default()).await, Ok(true), "another client's");
}

#[tokio::test]
async fn who_is_beside_many_others_waits_for_few_of_them() {
    let hub = hub();
    let hash = within(hub.hash_password(Asker::Administrator, &password("right"))).await.unwrap();
    let (right, wrong) = (password("right"), password("wrong"));
    let mut many: Vec<_> = (0..20).map(|_| Guesses::default()).collect();
    let mut waiting: Vec<_> = many
        .iter_mut()
        .map(|guesses| Box::pin(hub.verify_password(network(1), guesses, &wrong, &hash)))
        .collect();
    for guess in &mut waiting {
        assert_eq!(guess.as_mut().now_or_never(), None, "it is in the queue");
    }
    let mut own = Guesses::default();
    let member = within(hub.verify_password(network(2), &mut own, &right, &hash)).await;
    assert_eq!(member, Ok(true));
    let waits = waiting.iter_mut().any(|guess| guess.as_mut().now_or_never().is_none());
    assert!(waits, "all of them were before the member");
}

#[tokio::test]
async fn the_networks_of_a_site_wait_in_one_lane() {
    let (hub, x) = (hub(), password("x"));
    let of = |nth: u16| {
        let address = Ipv6Addr::from([0x2001, 0xdb8, 7, nth, 0, 0, 0, 1]);
        Box::pin(hub.hash_password(Asker::Client(Network::of(address.into())), &x))
    };
    let many = u16::try_from(limits::ADDRESS_PASSWORDS).unwrap() * 2;
    let mut waiting: Vec<_> = (0..many).map(of).collect();
    let busy = Some(Err(Busy { retry_after: limits::PASSWORD_RETRY }));
    let refused = waiting.iter_mut().filter_map(|hash| hash.as_mut().now_or_never().map(Some));
    assert!(refused.filter(|answer| *answer == busy).count() > 40);
}

#[tokio::test]
async fn the_password_of_somebody_who_went_is_looked_at_by_nobody() {
    let hub = hub();
    let right = password("right");
    let mut waiting: Vec<_> =
        (0..20).map(|_| Box::pin(hub.hash_password(Asker::Client(network(1)), &right))).collect();
    for hash in &mut waiting {
        assert!(hash.as_mut().now_or_never().is_none(), "it is in the queue");
    }
    drop(waiting);
    within(hub.hash_password(Asker::Client(network(1)), &right)).await.unwrap();
    let mut exposition = Exposition::default();
    hub.expose(&mut exposition);
    let text = exposition.text();
    let looked_at = text.split("signalpost_password_wait_seconds_count ").nth(1).unwrap();
    let looked_at: u32 = looked_at.lines().next().unwrap().parse().unwrap();
    assert!((1..15).contains(&looked_at), "{looked_at} of 21");
}

/// At the most verbose level, nothing says a password or its hash.
#[tokio::test]
async fn nothing_is_logged() {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .init();
    let (hub, mut guesses) = (hub(), Guesses::default());
    let planted = password("planted-password");
    let hash = within(hub.hash_password(Asker::Administrator, &planted)).await.unwrap();
    let right = within(hub.verify_password(network(1), &mut guesses, &planted, &hash)).await;
    tracing::trace!(?hash, ?planted, ?right, ?hub, "the end");
    let said = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(said.contains("the end"));
    for secret in ["planted-password", hash.as_str(), "argon2id"] {
        assert!(!said.contains(secret), "{said}");
    }
}
