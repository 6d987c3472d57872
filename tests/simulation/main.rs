//! A fleet in one thread, over a model of Redis that a seed has behave badly: whatever happens, the nodes agree, and
//! everybody hears a story that holds together.
//!
//! Time is tokio's and passes at once. All that happens, and when, is by the seed, which so tells the same story each
//! time. It has a process of its own: what a runtime of tokio chooses depends on how many there were before.

#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    reason = "a test lists its cases, and panics where it fails"
)]

mod chance;
mod line;
mod orders;
mod person;
mod redis;
mod scripts;
mod storm;
mod truth;
mod world;

use std::{
    env, iter,
    process::{Command, Output},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
};

use scripts::Plant;
use world::{Scene, run};

/// Of each kind, so that it takes seconds. Ten thousand take some minutes: `SIGNALPOST_SEEDS=0..10000`.
const SEEDS: u64 = 100;
/// Most that are tried until one finds what is broken on purpose.
const TRIED: u64 = 2000;
/// Has this process play one seed, and tell all that the nodes have to say.
const ONE: &str = "SIGNALPOST_SEED";

#[test]
fn without_faults_all_agree() {
    all_pass("without_faults_all_agree", Scene { stormy: false, plant: Plant::Nothing });
}

#[test]
fn whatever_goes_wrong_all_agree_in_the_end() {
    all_pass(STORMY, Scene { stormy: true, plant: Plant::Nothing });
}

#[test]
fn a_seed_tells_one_story() {
    let told = |seed| {
        let told = play(STORMY, seed).stdout;
        String::from_utf8(told)
            .unwrap()
            .lines()
            .filter(|line| line.contains("signalpost"))
            .map(str::to_owned)
            .collect()
    };
    for seed in 0..5 {
        let story: Vec<String> = told(seed);
        assert!(!story.is_empty());
        assert_eq!(told(seed), story, "seed {seed}");
    }
}

#[test]
fn a_lost_append_is_found() {
    is_found("a_lost_append_is_found", Plant::LostAppend);
}

#[test]
fn a_doubled_delivery_is_found() {
    is_found("a_doubled_delivery_is_found", Plant::DoubledDelivery);
}

#[test]
fn a_skipped_position_check_is_found() {
    is_found("a_skipped_position_check_is_found", Plant::SkippedCheck);
}

#[test]
fn a_reaper_that_does_not_check_positions_is_found() {
    is_found("a_reaper_that_does_not_check_positions_is_found", Plant::UncheckedReaper);
}

const STORMY: &str = "whatever_goes_wrong_all_agree_in_the_end";

fn all_pass(test: &str, scene: Scene) {
    if let Some(seed) = own_seed() {
        return run(seed, scene);
    }
    let failed = failing(test);
    assert!(failed.is_empty(), "{ONE}=N cargo test --test simulation {test}, for N of {failed:?}");
}

/// Whether one of some hundred seeds fails where this is broken, and only there.
fn is_found(test: &str, plant: Plant) {
    if let Some(seed) = own_seed() {
        return run(seed, Scene { stormy: true, plant });
    }
    let found = (0..TRIED).find(|seed| !passes(test, *seed) && passes(STORMY, *seed));
    assert!(found.is_some(), "{plant:?} is not found");
}

fn own_seed() -> Option<u64> {
    let seed = env::var(ONE).ok()?.parse().unwrap();
    tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).init();
    Some(seed)
}

fn passes(test: &str, seed: u64) -> bool {
    play(test, seed).status.success()
}

/// In a process of its own.
fn play(test: &str, seed: u64) -> Output {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture"]).env(ONE, seed.to_string());
    command.output().unwrap()
}

/// Which seeds do not pass, of the first so many, or of those from one to another that `SIGNALPOST_SEEDS` names.
fn failing(test: &str) -> Vec<u64> {
    let named = env::var("SIGNALPOST_SEEDS").ok().map(|named| {
        let (first, end) = named.split_once("..").unwrap();
        first.parse().unwrap()..end.parse().unwrap()
    });
    let seeds = named.unwrap_or(0..SEEDS);
    let (next, threads) = (AtomicU64::new(seeds.start), thread::available_parallelism());
    let next = || Some(next.fetch_add(1, Relaxed)).filter(|seed| *seed < seeds.end);
    thread::scope(|scope| {
        let one = || iter::from_fn(next).filter(|s| !passes(test, *s)).collect::<Vec<_>>();
        let all: Vec<_> = (0..threads.map_or(1, usize::from)).map(|_| scope.spawn(one)).collect();
        all.into_iter().flat_map(|one| one.join().unwrap()).collect()
    })
}
