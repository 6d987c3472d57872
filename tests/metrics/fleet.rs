//! What a server of a fleet shows of its part in it.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use signalpost::hub::{Fleet, Hub};

use super::{
    config,
    redis_server::Shared,
    scrape::{scrape, value},
    support::TestServer,
};

/// Of a server that shares its rooms.
pub(super) async fn hub(shared: &Shared) -> Hub {
    let joined = Fleet::join(shared.store().await, Duration::from_secs(10), 1000).await;
    Hub::new(Arc::new(config(""))).sharing(joined.unwrap())
}

#[tokio::test]
async fn each_server_shows_its_own_part() {
    let shared = Shared::standalone();
    let flags = shared.arguments().join(" ");
    let (one, other) = (TestServer::of_fleet(&flags).await, TestServer::of_fleet(&flags).await);
    let (mut ann, mut bob) = (one.member("r").await, other.member("r").await);
    ann.hear_of("user-joined").await;
    ann.say(json!({"type": "message", "content": 1})).await;
    bob.hear_of("message").await;

    for (server, sent, received) in [(&one, 1.0, 0.0), (&other, 0.0, 1.0)] {
        let families = scrape(server).await;
        for (name, labels, expected) in [
            ("signalpost_rooms", &[][..], 1.0),
            ("signalpost_members", &[], 1.0),
            ("signalpost_fleet_lease_held", &[], 1.0),
            ("signalpost_fleet_leases_lost_total", &[], 0.0),
            ("signalpost_fleet_log_age_seconds", &[], 0.0),
            ("signalpost_fleet_appends_total", &["appended"], 1.0),
            ("signalpost_fleet_letters_sent_total", &[], sent),
            ("signalpost_fleet_letters_received_total", &[], received),
            ("signalpost_fleet_letters_lost_total", &["gone"], 0.0),
        ] {
            assert_eq!(value(&families, name, labels), expected, "{name}");
        }
    }
    // Who left, and was not there when its room was loaded, is no member less.
    bob.vanish();
    ann.hear_of("user-left").await;
    assert_eq!(value(&scrape(&one).await, "signalpost_members", &[]), 1.0);
    assert_eq!(value(&scrape(&other).await, "signalpost_members", &[]), 0.0);
}
