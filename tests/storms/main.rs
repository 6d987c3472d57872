//! Administrators in the midst of many clients, on real threads and without sockets: whatever the order, no rule is
//! broken, everybody is told, and the log tells it all again.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test panics where it fails"
)]

mod bans;
mod log;
mod orders;
mod puppet;
#[path = "../support/mod.rs"]
mod support;

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use signalpost::hub::Hub;

fn hub(flags: &str) -> Arc<Hub> {
    Arc::new(Hub::new(Arc::new(support::config(flags))))
}

/// In one server, nothing waits.
fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}
