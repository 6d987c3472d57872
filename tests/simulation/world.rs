//! A fleet over one model of Redis, its people, and what befalls them, all by one seed.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    panic,
    pin::pin,
    sync::{Arc, LazyLock, Once},
    time::Duration,
};

use clap::Parser;
use fastrand::Rng;
use signalpost::{
    config::Config,
    hub::{Fleet, Hub},
    journal::stored::{self, read_entry},
    room::{Change, LeaveReason, Rules, Settings},
    store::{Store, Subject},
};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{
    line::{Line, Server, Weather},
    person::{Connected, Person},
    scripts::Plant,
    truth::Truth,
};

pub(crate) const ROOMS: [&str; 2] = ["a", "b"];
pub(crate) const USERS: [&str; 3] = ["ann", "bob", "eve"];
const NODES: usize = 3;
const PEOPLE: usize = 6;
const LEASE: Duration = Duration::from_secs(1);
/// How long things go wrong.
const STORMY: Duration = Duration::from_secs(5);
/// How long it may take then until all is well.
const CALM: Duration = Duration::from_secs(6);
/// Those of a log that is read soon enough.
const LOG_EVENTS: usize = 1000;

static CONFIG: LazyLock<Arc<Config>> = LazyLock::new(|| {
    let flags = "signalpost --rate-limit 0 --max-members 3 --ping-seconds 3600 --pong-seconds 3600 \
                 --redis-timeout-ms 500";
    Arc::new(Config::try_parse_from(flags.split_whitespace()).unwrap())
});

pub(crate) struct Node {
    pub(crate) hub: Arc<Hub>,
    pub(crate) line: Arc<Line>,
}

struct Running {
    node: Arc<Node>,
    task: JoinHandle<()>,
    people: Vec<JoinHandle<Person>>,
}

struct World {
    server: Arc<Server>,
    random: Rng,
    nodes: Vec<Running>,
    over: watch::Sender<bool>,
    truth: Truth,
    stormy: bool,
}

/// Whether things go wrong, and what is broken on purpose.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene {
    pub(crate) stormy: bool,
    pub(crate) plant: Plant,
}

/// Panics where anything is not as it must be.
pub(crate) fn run(seed: u64, scene: Scene) {
    note_panics();
    PANICKED.set(false);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    fastrand::seed(seed);
    let failed = Failed(seed);
    runtime.block_on(World::play(seed, scene));
    // One in a task of a node reaches nobody else.
    drop(runtime);
    assert!(!PANICKED.get(), "a part of a node panicked");
    std::mem::forget(failed);
}

thread_local! {
    static PANICKED: Cell<bool> = const { Cell::new(false) };
}

/// Has panics of this process noted, wherever they are caught.
fn note_panics() {
    static NOTED: Once = Once::new();
    NOTED.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICKED.set(true);
            usual(info);
        }));
    });
}

/// Says which seed it was.
struct Failed(u64);

impl Drop for Failed {
    fn drop(&mut self) {
        println!("SIGNALPOST_SEED={} is where it failed", self.0);
    }
}

impl World {
    async fn play(seed: u64, Scene { stormy, plant }: Scene) {
        let settings = Settings::open(3);
        let mut world = Self {
            server: Server::new(plant, is_reaping),
            random: Rng::with_seed(seed),
            nodes: Vec::new(),
            over: watch::Sender::new(false),
            truth: Truth::new(Rules { new_room: settings, first_is_host: true }),
            stormy,
        };
        for _ in 0..NODES {
            world.start_node().await;
        }
        sleep(Duration::from_millis(100)).await;
        for _ in 0..PEOPLE {
            world.send_somebody();
        }
        let end = Instant::now() + STORMY;
        while Instant::now() < end {
            sleep(Duration::from_millis(world.random.u64(..500))).await;
            world.truth.read(&world.server);
        }
        world.over.send_replace(true);
        let mut people = Vec::new();
        for running in &mut world.nodes {
            for person in running.people.drain(..) {
                people.push(person.await.unwrap());
            }
        }
        sleep(CALM).await;
        world.agrees(&mut people).await;
        for person in &mut people {
            person.say_to_all();
        }
        sleep(LEASE).await;
        for person in &mut people {
            person.hear();
        }
        all_was_heard(&people);
    }

    async fn start_node(&mut self) {
        let line = Line::new(&self.server, self.random.fork());
        line.set_weather(Weather { slow: 5, ..Weather::default() });
        let flags = &CONFIG.redis;
        let store = Store::over(Arc::clone(&line) as _, flags).await.unwrap();
        let beginning = Fleet::join(store, LEASE, LOG_EVENTS).await.unwrap();
        let hub = Arc::new(Hub::new(Arc::clone(&CONFIG)).sharing(beginning));
        let node = Arc::new(Node { hub, line });
        let task = tokio::spawn(Arc::clone(&node).run());
        self.nodes.push(Running { node, task, people: Vec::new() });
    }

    /// To some node.
    fn send_somebody(&mut self) {
        let place = self.random.usize(..self.nodes.len());
        let running = &mut self.nodes[place];
        let person = Person::new(&running.node, self.random.fork());
        running.people.push(tokio::spawn(person.live(self.over.subscribe())));
    }

    /// All know the same rooms, and these are as the people in them believe.
    async fn agrees(&mut self, people: &mut [Person]) {
        self.truth.read(&self.server);
        people.iter_mut().for_each(Person::hear);
        let line = Line::new(&self.server, Rng::new());
        let store = Store::over(line, &CONFIG.redis).await.unwrap();
        let existing = self.truth.rooms.values().filter(|room| room.exists());
        let existing: BTreeSet<_> = existing.map(|room| room.id().as_str().to_owned()).collect();
        let named = self.server.act(|redis| redis.sorted("{signalpost}:names").clone());
        assert_eq!(existing, named.into_keys().collect());
        let mut seats = BTreeMap::<_, BTreeSet<_>>::new();
        for (id, room) in &self.truth.rooms {
            let kept = store.load(Subject::Room(id)).await.unwrap();
            let (rules, id) = (Arc::clone(&self.truth.rules), id.clone());
            let kept =
                stored::room(id.clone(), rules, kept.version, kept.settled_at, kept.fields).unwrap();
            assert_eq!(kept, *room, "what is kept of {id:?}");
            for Running { node, .. } in &self.nodes {
                if let Some(replica) = node.hub.snapshot(&id) {
                    assert_eq!(replica, *room, "what a node knows of {id:?}");
                }
            }
            let waiting = room.waiting().map(|waiter| &waiter.member);
            for member in room.members().chain(waiting) {
                seats.entry(member.node).or_default().insert(id.as_str().to_owned());
            }
            self.is_believed(room, people);
        }
        for record in store.nodes().await.unwrap() {
            assert!(record.live, "{record:?} is not buried");
            let rooms = store.rooms_of(record.incarnation).await.unwrap();
            let seats = seats.remove(&record.incarnation).unwrap_or_default();
            assert_eq!(seats, rooms.into_iter().collect(), "where {record:?} seats somebody");
        }
        assert!(seats.is_empty(), "seats of nobody: {seats:?}");
    }

    fn is_believed(&self, room: &signalpost::room::Room, people: &[Person]) {
        let name = room.id().as_str();
        let believe = |is_there: &dyn Fn(&Connected) -> bool| {
            let there = people.iter().filter_map(Person::connected).filter(|one| is_there(one));
            there.map(|one| one.id.clone()).collect::<BTreeSet<_>>()
        };
        let members: BTreeSet<_> = room.members().map(|m| m.client_id.to_string()).collect();
        let waiting: BTreeSet<_> =
            room.waiting().map(|waiter| waiter.member.client_id.to_string()).collect();
        assert_eq!(members, believe(&|one| one.room.as_deref() == Some(name)), "who sits in {name}");
        let waits = |one: &Connected| one.waiting.as_ref().is_some_and(|(room, _)| room == name);
        assert_eq!(waiting, believe(&waits), "who waits in {name}");
        for one in people.iter().filter_map(Person::connected) {
            if one.room.as_deref() == Some(name) {
                assert_eq!(one.roster, members, "whom {} knows in {name}", one.id);
            }
        }
    }
}

impl Node {
    async fn run(self: Arc<Self>) {
        let mut run = pin!(self.hub.run());
        loop {
            self.line.runs().await;
            tokio::select! {
                biased;
                () = self.line.stops() => {}
                () = &mut run => return,
            }
        }
    }
}

/// Whatever was said to those who sit there still was heard by them.
fn all_was_heard(people: &[Person]) {
    let seated = || people.iter().filter_map(Person::connected).filter(|one| one.room.is_some());
    for (speaker, listener) in seated().flat_map(|one| seated().map(move |other| (one, other))) {
        let heard = listener.heard.get(&speaker.id);
        for (number, at, whom) in &speaker.said {
            let sat = speaker.room == listener.room && *at > listener.since;
            if !sat || !whom.contains(&listener.id) {
                continue;
            }
            let is_heard = heard.is_some_and(|heard| heard.contains(number));
            assert!(
                is_heard,
                "{} missed {number} of {}: {listener:#?}, {speaker:#?}",
                listener.id, speaker.id
            );
        }
    }
}

/// Whether an entry of the log frees the seat of a dead node.
fn is_reaping(payload: &[u8]) -> bool {
    let change = read_entry(payload).map(|entry| entry.change);
    matches!(change, Ok(Change::Left { reason: LeaveReason::NodeLost, .. }))
}
