//! A fleet over one model of Redis, its people, and what befalls them, all by one seed.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic,
    pin::pin,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use clap::Parser;
use fastrand::Rng;
use parking_lot::Mutex;
use signalpost::{
    config::Config,
    hub::{Fleet, Hub},
    id::{ClientId, RoomId},
    journal::stored::{self, read_entry},
    room::{Change, LeaveReason, Rules, Settings},
    store::{Store, Subject},
};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use super::{
    chance,
    line::{self, Line, Server, Weather},
    orders,
    person::{Connected, Person},
    scripts::Plant,
    storm::{self, Storm},
    truth::Truth,
};

pub(crate) const ROOMS: [&str; 2] = ["a", "b"];
pub(crate) const USERS: [&str; 3] = ["ann", "bob", "eve"];
pub(crate) const NODES: usize = 3;
const PEOPLE: usize = 6;
const LEASE: Duration = Duration::from_secs(1);
/// How long things go wrong.
const STORMY: Duration = Duration::from_secs(5);
/// How long it may take then until all is well.
const CALM: Duration = Duration::from_secs(4);
/// Those of a log that is read soon enough.
const LOG_EVENTS: usize = 1000;

static CONFIG: LazyLock<Arc<Config>> = LazyLock::new(|| {
    let flags = "signalpost --rate-limit 0 --max-members 3 --ping-seconds 3600 --pong-seconds 3600 \
                 --redis-url redis://model --redis-timeout-ms 500";
    Arc::new(Config::try_parse_from(flags.split_whitespace()).unwrap())
});

pub(crate) struct Node {
    pub(crate) hub: Arc<Hub>,
    pub(crate) line: Arc<Line>,
}

pub(crate) struct Running {
    pub(crate) node: Arc<Node>,
    task: JoinHandle<()>,
    people: Vec<JoinHandle<Person>>,
}

pub(crate) struct World {
    pub(crate) server: Arc<Server>,
    pub(crate) nodes: Mutex<Vec<Running>>,
    pub(crate) truth: Mutex<Truth>,
    pub(crate) over: watch::Sender<bool>,
    pub(crate) plant: Plant,
}

/// Whether things go wrong, and what is broken on purpose.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene {
    pub(crate) storm: Storm,
    pub(crate) plant: Plant,
}

/// Panics where anything is not as it must be.
pub(crate) fn run(seed: u64, scene: Scene) {
    note_panics();
    // What threads keep of chance is to be new.
    let run = thread::spawn(move || {
        chance::seed(seed);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(World::play(seed, scene));
    });
    run.join().unwrap();
    // One in a task of a node reaches nobody else.
    assert!(!PANICKED.load(Relaxed), "a part of a node panicked");
}

static PANICKED: AtomicBool = AtomicBool::new(false);

/// Has panics of this process noted, wherever they are caught.
fn note_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICKED.store(true, Relaxed);
        usual(info);
    }));
}

impl World {
    async fn play(seed: u64, Scene { storm, plant }: Scene) {
        chance::start_clock();
        let mut random = Rng::with_seed(seed);
        let world = Arc::new(Self {
            server: Server::new(plant, is_reaping),
            nodes: Mutex::default(),
            truth: Mutex::new(Truth::new(Rules {
                new_room: Settings::open(3).into(),
                first_is_host: true,
            })),
            over: watch::Sender::new(false),
            plant,
        });
        for _ in 0..NODES {
            world.start_node(&mut random).await;
        }
        sleep(Duration::from_millis(100)).await;
        for _ in 0..PEOPLE {
            world.send_somebody(&mut random);
        }
        let orders = tokio::spawn(orders::give(Arc::clone(&world), random.fork()));
        if storm != Storm::None {
            timeout(STORMY, storm::rage(storm, &world, &mut random)).await.unwrap_err();
            storm::end(&world).await;
        } else {
            sleep(STORMY).await;
        }
        world.over.send_replace(true);
        orders.await.unwrap();
        let mut people = Vec::new();
        let going: Vec<_> =
            world.nodes.lock().iter_mut().flat_map(|running| running.people.drain(..)).collect();
        for person in going {
            people.push(person.await.unwrap());
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
        all_was_heard(&people, world.server.failed_over());
    }

    pub(crate) async fn start_node(&self, random: &mut Rng) {
        let line = Line::new(&self.server, random.fork());
        line.set_weather(Weather::GOOD);
        let flags = &CONFIG.redis;
        let Ok(store) = Store::over(Arc::clone(&line) as _, flags).await else { return };
        let Ok(beginning) = Fleet::join(store, LEASE, LOG_EVENTS).await else { return };
        let hub = Arc::new(Hub::new(Arc::clone(&CONFIG)).sharing(beginning));
        let node = Arc::new(Node { hub, line });
        let task = tokio::spawn(Arc::clone(&node).run());
        self.nodes.lock().push(Running { node, task, people: Vec::new() });
    }

    /// To some node.
    pub(crate) fn send_somebody(&self, random: &mut Rng) {
        let mut nodes = self.nodes.lock();
        let place = random.usize(..nodes.len());
        let running = &mut nodes[place];
        let person = Person::new(&running.node, random.fork());
        running.people.push(tokio::spawn(person.live(self.over.subscribe())));
    }

    pub(crate) fn any_node(&self, random: &mut Rng) -> Option<Arc<Node>> {
        random.choice(self.nodes.lock().iter()).map(|running| Arc::clone(&running.node))
    }

    /// Whether a client that is connected sits there, as its node shows it.
    pub(crate) fn sits(&self, room: &RoomId, id: ClientId) -> bool {
        let nodes = self.nodes.lock();
        let mut shown = nodes.iter().filter_map(|running| running.node.hub.client(id));
        shown.any(|client| client.room_id.as_ref() == Some(room))
    }

    /// A node is gone at once, and its people with it. Returns how many these were.
    pub(crate) fn kill(&self, random: &mut Rng) -> usize {
        let mut nodes = self.nodes.lock();
        let place = random.usize(..nodes.len());
        let Running { node, task, people } = nodes.remove(place);
        node.line.set_node(line::Node::Dead);
        task.abort();
        people.iter().for_each(JoinHandle::abort);
        people.len()
    }

    /// All know the same rooms, and these are as the people in them believe.
    async fn agrees(&self, people: &mut [Person]) {
        let (rooms, rules) = {
            let mut truth = self.truth.lock();
            truth.read(&self.server);
            truth.seats_nobody_who_is_banned(&self.server, |_, _| true);
            (truth.rooms.clone(), Arc::clone(&truth.rules))
        };
        people.iter_mut().for_each(Person::hear);
        let line = Line::new(&self.server, Rng::new());
        let store = Store::over(line, &CONFIG.redis).await.unwrap();
        let existing = rooms.values().filter(|room| room.exists());
        let existing: BTreeSet<_> = existing.map(|room| room.id().as_str().to_owned()).collect();
        let named = self.server.act(|redis| redis.sorted("{signalpost}:names").clone());
        assert_eq!(existing, named.into_keys().collect());
        let nodes: Vec<_> =
            self.nodes.lock().iter().map(|running| Arc::clone(&running.node)).collect();
        let mut seats = BTreeMap::<_, BTreeSet<_>>::new();
        for (id, room) in &rooms {
            let kept = store.load(Subject::Room(id)).await.unwrap();
            let (rules, id) = (Arc::clone(&rules), id.clone());
            let kept = stored::room(id.clone(), rules, kept.version, kept.settled_at, kept.fields)
                .unwrap();
            assert_eq!(kept, *room, "what is kept of {id:?}");
            for node in &nodes {
                // Its replica, where it holds one.
                let known = node.hub.room(&id).await.ok();
                assert_eq!(known.as_ref(), room.exists().then_some(room), "what a node knows");
            }
            let waiting = room.waiting().map(|waiter| &waiter.member);
            for member in room.members().chain(waiting) {
                seats.entry(member.node).or_default().insert(id.as_str().to_owned());
            }
            self.is_believed(room, people);
        }
        for record in store.nodes().await.unwrap() {
            assert!(record.lease.is_some(), "{record:?} is not buried");
            let rooms = store.rooms_of(record.incarnation).await.unwrap();
            let seats = seats.remove(&record.incarnation).unwrap_or_default();
            assert_eq!(seats, rooms.into_iter().collect(), "where {record:?} seats somebody");
        }
        assert!(seats.is_empty(), "seats of nobody: {seats:?}");
    }

    fn is_believed(&self, room: &signalpost::room::Room, people: &[Person]) {
        let name = room.id().as_str();
        let all = || people.iter().filter_map(Person::connected);
        let agrees = |there: &BTreeSet<String>, believes: &dyn Fn(&Connected) -> bool| {
            for one in all() {
                let is_there = there.contains(&one.id);
                assert_eq!(believes(one), is_there, "{name}: {there:?}, {one:#?}");
            }
            let nobody = there.iter().find(|id| all().all(|one| one.id != **id));
            assert_eq!(nobody, None, "{name}: a place for nobody");
        };
        let members: BTreeSet<_> = room.members().map(|m| m.client_id.to_string()).collect();
        let waiting: BTreeSet<_> =
            room.waiting().map(|waiter| waiter.member.client_id.to_string()).collect();
        agrees(&members, &|one| one.room.as_deref() == Some(name));
        let waits = |one: &Connected| one.waiting.as_ref().is_some_and(|(room, _)| room == name);
        agrees(&waiting, &waits);
        for one in all() {
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

/// Whatever was said to those who sit there still was heard by them, unless one of the two nodes lost its lease then, or
/// Redis what was said.
fn all_was_heard(people: &[Person], failed_over: Option<Instant>) {
    let seated = || {
        let connected = people.iter().filter_map(|one| Some((one.connected()?, &one.node)));
        connected.filter(|(one, _)| one.room.is_some())
    };
    for (speaker, its_node) in seated() {
        for (listener, node) in seated().filter(|(other, _)| other.room == speaker.room) {
            let heard = listener.heard.get(&speaker.id);
            let entered = its_node.line.entered().max(node.line.entered());
            let since = failed_over.map_or(entered, |at| entered.max(at)) + 2 * LEASE;
            for (number, at, whom) in &speaker.said {
                let is_heard = heard.is_some_and(|heard| heard.contains(number));
                let is_meant = whom.contains(&listener.id) && *at > listener.since.max(since);
                assert!(
                    is_heard || !is_meant,
                    "{} missed {number} of {}: {listener:#?}, {speaker:#?}",
                    listener.id,
                    speaker.id
                );
            }
        }
    }
}

/// Whether an entry of the log frees the seat of a dead node.
fn is_reaping(payload: &[u8]) -> bool {
    let change = read_entry(payload).map(|entry| entry.change);
    matches!(change, Ok(Change::Left { reason: LeaveReason::NodeLost, .. }))
}
