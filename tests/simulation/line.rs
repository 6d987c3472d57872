//! A node's way to the model of Redis, with the faults of a network.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use ::redis::Value;
use fastrand::Rng;
use futures_util::future::{BoxFuture, FutureExt, pending};
use parking_lot::Mutex;
use signalpost::store::{StoreError, Wire};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
};

use super::{
    redis::{Entry, Redis, number},
    scripts::{self, Plant, Planted},
};

/// How long a command may take, as by `--redis-timeout-ms`.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(500);

/// How many states of a replica are kept.
const COPIES: usize = 10;

/// The one Redis of a fleet.
#[derive(Debug)]
pub(crate) struct Server {
    kept: Mutex<(Redis, Planted)>,
    /// What replicas had one after the other, and of the log.
    copies: Mutex<VecDeque<(Redis, usize)>>,
    /// How many took the place of their master, and when the last one did.
    failovers: AtomicUsize,
    failed_over: Mutex<Option<Instant>>,
    /// Tells whoever waits for more in a stream that there is more.
    grown: Mutex<HashMap<Vec<u8>, watch::Sender<()>>>,
    is_away: watch::Sender<bool>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Line {
    server: Arc<Server>,
    random: Mutex<Rng>,
    weather: Mutex<Weather>,
    node: watch::Sender<Node>,
    /// When its node last took a lease.
    entered: Mutex<Instant>,
}

/// What a node is up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Node {
    Runs,
    /// Neither does it anything, nor does it notice how time passes.
    Frozen,
    Dead,
}

/// How bad a network is, in thousandths of all commands.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    /// The most that a command and its answer take, in milliseconds.
    pub(crate) slow: u64,
    pub(crate) not_sent: u32,
    /// Lost on the way there.
    pub(crate) lost: u32,
    /// Lost on the way back.
    pub(crate) answer_lost: u32,
    /// Given up, and done nevertheless some time later.
    pub(crate) late: u32,
}

impl Weather {
    pub(crate) const GOOD: Self = Self { slow: 5, not_sent: 0, lost: 0, answer_lost: 0, late: 0 };
}

impl Server {
    pub(crate) fn new(plant: Plant, is_reaping: fn(&[u8]) -> bool) -> Arc<Self> {
        let planted = Planted { plant, is_reaping, appended: 0, history: Vec::new() };
        Arc::new(Self {
            kept: Mutex::new((Redis::new(), planted)),
            copies: Mutex::default(),
            failovers: AtomicUsize::new(0),
            failed_over: Mutex::default(),
            grown: Mutex::default(),
            is_away: watch::Sender::new(false),
        })
    }

    pub(crate) fn go_away(&self, is_away: bool) {
        self.is_away.send_replace(is_away);
    }

    /// A replica has what there is now.
    pub(crate) fn copy(&self) {
        let (redis, planted) = &*self.kept.lock();
        let mut copies = self.copies.lock();
        copies.push_back((redis.clone(), planted.history.len()));
        if copies.len() > COPIES {
            copies.pop_front();
        }
    }

    /// A replica that is behind takes the place of its master.
    pub(crate) fn fail_over(&self, random: &mut Rng) {
        let mut copies = self.copies.lock();
        if copies.is_empty() {
            return;
        }
        let place = random.usize(..copies.len());
        copies.truncate(place + 1);
        let (redis, history) = copies.pop_back().unwrap();
        let kept = &mut *self.kept.lock();
        kept.0 = redis;
        kept.1.history.truncate(history);
        self.failovers.fetch_add(1, Relaxed);
        *self.failed_over.lock() = Some(Instant::now());
    }

    pub(crate) fn failed_over(&self) -> Option<Instant> {
        *self.failed_over.lock()
    }

    pub(crate) fn failovers(&self) -> usize {
        self.failovers.load(Relaxed)
    }

    /// All that the log has had, from the `first` entry on, and did not lose.
    pub(crate) fn history(&self, first: usize) -> Vec<Entry> {
        self.kept.lock().1.history[first..].to_vec()
    }

    pub(crate) fn act<T>(&self, act: impl FnOnce(&mut Redis) -> T) -> T {
        act(&mut self.kept.lock().0)
    }

    fn answer(&self, words: &[Vec<u8>]) -> Value {
        let (redis, planted) = &mut *self.kept.lock();
        let answer = scripts::answer(redis, planted, words);
        if let Some(stream) = scripts::grown(words) {
            self.grown_of(stream, |grown| grown.send_replace(()));
        }
        answer
    }

    fn grown_of<T>(&self, stream: &[u8], act: impl FnOnce(&watch::Sender<()>) -> T) -> T {
        act(self.grown.lock().entry(stream.to_vec()).or_default())
    }
}

impl Line {
    pub(crate) fn new(server: &Arc<Server>, random: Rng) -> Arc<Self> {
        Arc::new(Self {
            server: Arc::clone(server),
            random: Mutex::new(random),
            weather: Mutex::default(),
            node: watch::Sender::new(Node::Runs),
            entered: Mutex::new(Instant::now()),
        })
    }

    pub(crate) fn set_weather(&self, weather: Weather) {
        *self.weather.lock() = weather;
    }

    pub(crate) fn set_node(&self, node: Node) {
        self.node.send_replace(node);
    }

    pub(crate) fn entered(&self) -> Instant {
        *self.entered.lock()
    }

    /// Has the node go on, unless it is dead.
    pub(crate) fn thaw(&self) {
        self.node.send_if_modified(|node| {
            let is_frozen = *node == Node::Frozen;
            if is_frozen {
                *node = Node::Runs;
            }
            is_frozen
        });
    }

    /// Waits until the node does something.
    pub(crate) async fn runs(&self) {
        let mut node = self.node.subscribe();
        if *node.wait_for(|node| *node != Node::Frozen).await.unwrap() == Node::Dead {
            pending::<()>().await;
        }
    }

    /// Waits until the node does nothing.
    pub(crate) async fn stops(&self) {
        let mut node = self.node.subscribe();
        node.wait_for(|node| *node != Node::Runs).await.unwrap();
    }

    /// Waits until the node is dead.
    pub(crate) async fn dies(&self) {
        let mut node = self.node.subscribe();
        node.wait_for(|node| *node == Node::Dead).await.unwrap();
    }

    async fn answer(&self, words: Vec<Vec<u8>>) -> Result<Value, StoreError> {
        self.runs().await;
        if scripts::is_entry(&words) {
            *self.entered.lock() = Instant::now();
        }
        let weather = *self.weather.lock();
        let (chance, there, back, later) = {
            let random = &mut *self.random.lock();
            let half = weather.slow / 2 + 1;
            let later = random.u64(..2 * u64::try_from(TIMEOUT.as_millis()).unwrap());
            (random.u32(..1000), random.u64(..half), random.u64(..half), later)
        };
        pass(there).await;
        self.runs().await;
        let unavailable = || Err(StoreError::Unavailable("the model says so".into()));
        let unknown = || Err(StoreError::Unknown("the model says so".into()));
        if *self.server.is_away.borrow() {
            return if chance < 500 { unavailable() } else { self.times_out().await };
        }
        let mut bounds = [weather.not_sent, weather.lost, weather.answer_lost, weather.late];
        (1..4).for_each(|next| bounds[next] += bounds[next - 1]);
        let blocks = words[0] == b"XREAD";
        match bounds.iter().position(|bound| chance < *bound) {
            Some(0) => return unavailable(),
            Some(_) if blocks => return unknown(),
            Some(1) => return self.times_out().await,
            Some(2) => {
                self.server.answer(&words);
                return self.times_out().await;
            }
            Some(_) => {
                let server = Arc::clone(&self.server);
                tokio::spawn(async move {
                    let before = server.failovers();
                    sleep(Duration::from_millis(later)).await;
                    if server.failovers() == before {
                        server.answer(&words);
                    }
                });
                return unknown();
            }
            None => {}
        }
        let answer = if blocks { self.wait(&words).await? } else { self.server.answer(&words) };
        pass(back).await;
        self.runs().await;
        Ok(answer)
    }

    /// The answer to a read that waits for something.
    async fn wait(&self, words: &[Vec<u8>]) -> Result<Value, StoreError> {
        let until = Instant::now() + Duration::from_millis(number(&words[4]));
        let mut grown = self.server.grown_of(&words[6], watch::Sender::subscribe);
        let mut away = self.server.is_away.subscribe();
        loop {
            grown.borrow_and_update();
            let answer = self.server.answer(words);
            if answer != Value::Nil {
                return Ok(answer);
            }
            tokio::select! {
                biased;
                _ = away.wait_for(|is_away| *is_away) => {
                    return Err(StoreError::Unknown("the model went away".into()));
                }
                grown = timeout_at(until, grown.changed()) => {
                    if grown.is_err() {
                        return Ok(Value::Nil);
                    }
                }
            }
        }
    }

    async fn times_out(&self) -> Result<Value, StoreError> {
        sleep(TIMEOUT).await;
        self.runs().await;
        Err(StoreError::Unknown("the model did not answer in time".into()))
    }
}

async fn pass(milliseconds: u64) {
    if milliseconds > 0 {
        sleep(Duration::from_millis(milliseconds)).await;
    }
}

impl Wire for Line {
    fn ask(&self, words: Vec<Vec<u8>>) -> BoxFuture<'_, Result<Value, StoreError>> {
        self.answer(words).boxed()
    }
}
