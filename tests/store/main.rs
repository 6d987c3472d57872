//! The log and the state of a fleet, in a real Redis and in a real Redis Cluster.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test panics where it fails"
)]

mod append;
mod breaks;
mod moves;
mod read;
#[path = "../support/redis.rs"]
mod redis_server;
mod start;

use std::{future::Future, time::Duration};

use redis_server::Shared;
use signalpost::{
    event::Position,
    id::{Incarnation, RoomId},
    store::{Appended, Batch, Fresh, Store, Subject},
};
use tokio::time::timeout;

/// Each with one Redis and with a Redis Cluster.
macro_rules! everywhere {
    ($($module:ident::$name:ident,)*) => {
        mod standalone {
            $(#[tokio::test] async fn $name() { super::$module::$name(super::Shared::standalone()).await; })*
        }
        mod cluster {
            $(#[tokio::test] async fn $name() { super::$module::$name(super::Shared::cluster()).await; })*
        }
    };
}

everywhere! {
    append::decisions_count_on_the_version_that_they_were_made_on,
    append::what_was_sent_before_a_fence_does_not_come_after_it,
    append::a_batch_is_a_chain_and_writes_its_state,
    append::nothing_is_appended_without_a_lease_or_to_another_log,
    read::names_come_in_order_and_by_pages,
    read::what_is_remembered_is_forgotten_in_time_or_when_told,
    read::the_log_is_read_from_its_end_and_forgets_its_beginning,
    breaks::an_append_that_was_cut_off_is_done_or_not_and_the_log_tells,
    breaks::the_tail_goes_on_after_every_break,
    breaks::a_full_redis_takes_what_frees_memory,
    breaks::a_restart_loses_nothing_and_a_lost_log_shows,
}

/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(60);

async fn within<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("took too long")
}

fn room(name: &str) -> RoomId {
    name.parse().unwrap()
}

/// A server that holds a lease.
fn server(shared: &Shared) -> Incarnation {
    let server = Incarnation::random();
    let lease = format!("{{signalpost}}:node:{server}");
    let _: () = shared.ask(redis::cmd("SET").arg(lease).arg("0"));
    server
}

/// A decision of `by` with these payloads as its entries, that writes nothing else.
fn batch<'a>(
    by: Incarnation,
    subject: Subject<'a>,
    decided_on: Position,
    entries: &[&str],
) -> Batch<'a> {
    let entry = |(order, payload): (u32, &&str)| Fresh { order, payload: (*payload).into() };
    Batch {
        by,
        subject,
        id: fastrand::u128(..).to_be_bytes(),
        decided_on,
        entries: (0..).zip(entries).map(entry).collect(),
        fields: Vec::new(),
        exists: true,
        settled_entry: None,
        due: None,
        frees: false,
        seats: Vec::new(),
    }
}

/// Appends a batch that fits; where its entries stand.
async fn append(store: &Store, batch: &Batch<'_>) -> Vec<Position> {
    match store.append(batch).await.unwrap() {
        Appended::At(positions) => positions,
        other => panic!("{other:?}"),
    }
}
