//! A fleet in one thread, over a model of Redis that a seed has behave badly: whatever happens, the nodes agree, and
//! everybody hears a story that holds together.
//!
//! Time is tokio's and passes at once. What happens and when is by the seed; names of clients and batches are random, and
//! so the order of those that a map holds.

#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    reason = "a test lists its cases, and panics where it fails"
)]

mod line;
mod orders;
mod person;
mod redis;
mod scripts;
mod storm;
mod truth;
mod world;

use std::{
    panic::catch_unwind,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
};

use scripts::Plant;
use world::{Scene, run};

/// Of each kind, so that it takes seconds. Ten thousand take some minutes: `SIGNALPOST_SEEDS=0..10000`.
const SEEDS: u64 = 25;

#[test]
fn without_faults_all_agree() {
    for_each_seed(SEEDS, |seed| run(seed, Scene { stormy: false, plant: Plant::Nothing }));
}

#[test]
fn whatever_goes_wrong_all_agree_in_the_end() {
    for_each_seed(SEEDS, |seed| run(seed, Scene { stormy: true, plant: Plant::Nothing }));
}

#[test]
fn a_lost_append_is_found() {
    is_found(Plant::LostAppend);
}

#[test]
fn a_doubled_delivery_is_found() {
    is_found(Plant::DoubledDelivery);
}

#[test]
fn a_skipped_position_check_is_found() {
    is_found(Plant::SkippedCheck);
}

#[test]
#[ignore = "it takes some minutes, as few seeds find it: cargo test --test simulation -- --ignored"]
fn a_reaper_that_does_not_check_positions_is_found() {
    is_found(Plant::UncheckedReaper);
}

/// Whether one of some hundred seeds fails where this is broken, and only there.
fn is_found(plant: Plant) {
    let fails = |seed, plant| catch_unwind(|| run(seed, Scene { stormy: true, plant })).is_err();
    let finds = |seed: &u64| fails(*seed, plant) && !fails(*seed, Plant::Nothing);
    assert!((0..2000).any(|seed| finds(&seed)), "{plant:?} is not found");
}

/// Of the first so many, or of those that `SIGNALPOST_SEEDS` names: one, or from one to another as `1..100`. One alone
/// tells all that the nodes have to say.
fn for_each_seed(count: u64, run: impl Fn(u64) + Sync) {
    let named = std::env::var("SIGNALPOST_SEEDS").ok().map(|named| {
        let (first, end) = named.split_once("..").unwrap_or((&named, ""));
        let first = first.parse::<u64>().unwrap();
        first..end.parse().unwrap_or(first + 1)
    });
    let seeds = named.unwrap_or(0..count);
    if seeds.end - seeds.start == 1 {
        let _ = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).try_init();
    }
    let (next, threads) = (AtomicU64::new(seeds.start), thread::available_parallelism());
    thread::scope(|scope| {
        for _ in 0..threads.map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(seed) = Some(next.fetch_add(1, Relaxed)).filter(|n| *n < seeds.end) {
                    run(seed);
                }
            });
        }
    });
}
