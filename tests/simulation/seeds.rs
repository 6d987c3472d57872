//! What each seed has to show, which takes both processors of a machine: so these tests can be told from others by their name.

use std::{
    env,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

use parking_lot::Mutex;

use crate::{
    scripts::Plant,
    storm::Storm,
    world::{Scene, run},
};

/// Of each kind, so that it takes seconds. Ten thousand take some minutes: `SIGNALPOST_SEEDS=0..10000`.
const SEEDS: u64 = 100;
/// Later ones that found something.
const FOUND: [u64; 7] = [135, 281, 386, 2523, 3721, 5037, 8970];
/// Most that are tried until one finds what is broken on purpose.
const TRIED: u64 = 1000;
/// Has this process play one seed, and tell all that the nodes have to say.
const ONE: &str = "SIGNALPOST_SEED";
/// Has it do so with nothing broken on purpose.
const WHOLE: &str = "SIGNALPOST_WHOLE";

#[test]
fn without_faults_all_agree() {
    all_pass("without_faults_all_agree", Scene { storm: Storm::None, plant: Plant::Nothing });
}

#[test]
fn whatever_goes_wrong_all_agree_in_the_end() {
    all_pass(STORMY, Scene { storm: Storm::Usual, plant: Plant::Nothing });
}

#[test]
fn whatever_a_log_loses_all_agree_in_the_end() {
    let scene = Scene { storm: Storm::Failovers, plant: Plant::Nothing };
    all_pass("whatever_a_log_loses_all_agree_in_the_end", scene);
}

#[test]
fn a_seed_tells_one_story() {
    let told = |seed| {
        let told = play(STORMY, seed).output().unwrap().stdout;
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
    is_found("a_lost_append_is_found", Storm::Usual, Plant::LostAppend);
}

#[test]
fn a_doubled_delivery_is_found() {
    is_found("a_doubled_delivery_is_found", Storm::Usual, Plant::DoubledDelivery);
}

#[test]
fn a_skipped_position_check_is_found() {
    is_found("a_skipped_position_check_is_found", Storm::Usual, Plant::SkippedCheck);
}

#[test]
fn a_reaper_that_does_not_check_positions_is_found() {
    let test = "a_reaper_that_does_not_check_positions_is_found";
    is_found(test, Storm::Standstills, Plant::UncheckedReaper);
}

#[test]
fn an_append_that_passes_a_fence_is_found() {
    is_found("an_append_that_passes_a_fence_is_found", Storm::Usual, Plant::NoFence);
}

const STORMY: &str = "whatever_goes_wrong_all_agree_in_the_end";

fn all_pass(test: &str, scene: Scene) {
    if let Some(seed) = own_seed() {
        return run(seed, scene);
    }
    let (failed, _) = search(seeds(), |seed| !passes(test, seed), usize::MAX);
    assert!(failed.is_empty(), "{ONE}=N cargo test --test simulation {test}, for N of {failed:?}");
}

/// Whether one of some hundred seeds fails where this is broken, and only there.
fn is_found(test: &str, storm: Storm, plant: Plant) {
    if let Some(seed) = own_seed() {
        let plant = if env::var(WHOLE).is_ok() { Plant::Nothing } else { plant };
        return run(seed, Scene { storm, plant });
    }
    let (found, tried) =
        search(0..TRIED, |seed| !passes(test, seed) && passes_whole(test, seed), 1);
    assert!(!found.is_empty(), "{plant:?} is not found");
    println!("{plant:?} is found by one of {tried} seeds");
}

fn own_seed() -> Option<u64> {
    let seed = env::var(ONE).ok()?.parse().unwrap();
    tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).init();
    Some(seed)
}

fn passes(test: &str, seed: u64) -> bool {
    play(test, seed).output().unwrap().status.success()
}

fn passes_whole(test: &str, seed: u64) -> bool {
    play(test, seed).env(WHOLE, "").output().unwrap().status.success()
}

/// In a process of its own.
fn play(test: &str, seed: u64) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    let test = format!("seeds::{test}");
    command.args([&test, "--exact", "--nocapture"]).env(ONE, seed.to_string());
    command
}

/// The first so many and those that found something, or those from one to another that `SIGNALPOST_SEEDS` names.
fn seeds() -> Vec<u64> {
    let Ok(named) = env::var("SIGNALPOST_SEEDS") else { return (0..SEEDS).chain(FOUND).collect() };
    let (first, end) = named.split_once("..").unwrap();
    (first.parse().unwrap()..end.parse().unwrap()).collect()
}

/// Which seeds are like this, until there are enough, and how many were tried.
fn search(
    seeds: impl IntoIterator<Item = u64, IntoIter: Send>,
    is: impl Fn(u64) -> bool + Sync,
    enough: usize,
) -> (Vec<u64>, usize) {
    let (left, found) = (Mutex::new(seeds.into_iter()), Mutex::new(Vec::new()));
    let tried = AtomicUsize::new(0);
    let one = || {
        while found.lock().len() < enough
            && let Some(seed) = { left.lock().next() }
        {
            tried.fetch_add(1, Relaxed);
            if is(seed) {
                found.lock().push(seed);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(one);
        }
    });
    (found.into_inner(), tried.into_inner())
}
