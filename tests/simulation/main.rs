//! A fleet in one thread, over a model of Redis that a seed has behave badly: whatever happens, the nodes agree, and
//! everybody hears a story that holds together.
//!
//! Time is tokio's and passes at once. What happens and when is by the seed; names of clients and batches are random, and
//! so the order of those that a map holds.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod line;
mod orders;
mod person;
mod redis;
mod scripts;
mod storm;
mod truth;
mod world;

use scripts::Plant;
use world::{Scene, run};

#[test]
fn without_faults_all_agree() {
    for seed in seeds(100) {
        run(seed, Scene { stormy: false, plant: Plant::Nothing });
    }
}

#[test]
fn whatever_goes_wrong_all_agree_in_the_end() {
    for seed in seeds(100) {
        run(seed, Scene { stormy: true, plant: Plant::Nothing });
    }
}

/// The first so many, or the one that `SIGNALPOST_SEED` names, with all that the nodes have to say.
fn seeds(count: u64) -> impl Iterator<Item = u64> {
    let one = std::env::var("SIGNALPOST_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    if one.is_some() {
        let _ = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).try_init();
    }
    one.map_or(0..count, |seed| seed..seed + 1)
}
