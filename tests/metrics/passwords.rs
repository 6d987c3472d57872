//! Passwords of rooms, as clients give them.

use std::{net::Ipv4Addr, time::Duration};

use signalpost::hub::{Asker, Busy, Guesses, Hub, Network};

/// A right one, and wrong ones until one is refused.
pub(crate) async fn give(hub: &Hub) {
    let (network, mut guesses) = (Network::of(Ipv4Addr::LOCALHOST.into()), Guesses::default());
    let [right, wrong] = ["right", "wrong"].map(|text| text.parse().unwrap());
    let hash = hub.hash_password(Asker::Client(network), &right).await.unwrap();
    assert_eq!(hub.verify_password(network, &mut guesses, &right, &hash).await, Ok(true));
    for _ in 0..5 {
        assert_eq!(hub.verify_password(network, &mut guesses, &wrong, &hash).await, Ok(false));
    }
    let refused = hub.verify_password(network, &mut guesses, &right, &hash).await;
    assert_eq!(refused, Err(Busy { retry_after: Duration::from_secs(5) }));
}
