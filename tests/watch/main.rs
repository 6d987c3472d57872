//! `WatchEvents` over real connections: what its callers see, come back to, and miss.

#![allow(
    clippy::print_stdout,
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test lists its cases, panics where it fails, and shows its figures to whoever asks"
)]

mod filters;
mod mirror;
mod restarts;
#[path = "../support/running.rs"]
mod running;
mod slow;
#[path = "../support/mod.rs"]
mod support;

use signalpost::admin::pb;
use support::within;
use tonic::Streaming;

type Events = Streaming<pb::WatchEventsResponse>;

/// The next message, which must be there.
async fn next(events: &mut Events) -> pb::WatchEventsResponse {
    within(events.message()).await.unwrap().unwrap()
}
