//! Several nodes that share their rooms through Redis, as one server: what browsers and administrators see of them,
//! whatever becomes of a node, of Redis, or of the connections between them.
//!
//! Nodes and Redis are processes of their own on free ports, and end with the test. Every test is there twice: with
//! one Redis, and with a Redis Cluster of three masters.

#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test lists its cases, and panics where it fails"
)]

/// Has each of these run with both kinds of Redis.
macro_rules! on_both_kinds {
    ($($test:ident),+ $(,)?) => {$(
        mod $test {
            use crate::redis::Kind;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn standalone() {
                super::$test(Kind::Standalone).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn cluster() {
                super::$test(Kind::Cluster).await;
            }
        }
    )+};
}

mod fleet;
mod redis;
#[path = "../support/running.rs"]
mod running;
#[path = "../support/mod.rs"]
mod support;

mod admin;
mod balancers;
mod bans;
mod breaks;
mod browsers;
mod deaths;
mod draining;
mod full;
mod hosts;
mod races;
mod replicas;
mod tutorial;
mod watching;
