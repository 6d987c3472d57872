//! What is asked of a room, at random, and how it is put.

use std::{sync::Arc, time::Duration};

use proptest::{prelude::*, sample::select};
use signalpost::{
    event::Position,
    id::{ClientId, Incarnation},
    room::{
        By, Command, Entrant, Identity, LeaveReason, PasswordHash, Proof, ReturnKey, Role, Room,
        Settings, Update, Vouched,
    },
};

/// Clients, passwords, return keys, names: all are numbers here.
pub(super) const PEOPLE: u8 = 6;

const NODES: u8 = 3;

#[derive(Debug, Clone)]
pub(super) enum Step {
    Join(Asking),
    Leave(u8, LeaveReason),
    Rename(u8, Passport, bool),
    Create(Rules),
    Update(Orderer, Wanted, Meant, Vec<u8>),
    SetRole(Orderer, u8, bool),
    Remove(Orderer, u8),
    Admit(Orderer, Option<u8>, Vec<u8>),
    Deny(Orderer, u8),
    Close(Meant),
    NodeLost(u8),
    /// From one node to another, these of its people.
    Move(u8, u8, Vec<u8>),
    /// So many seconds pass, and the timer looks.
    Wait(u64),
}

/// Somebody who asks for a seat.
#[derive(Debug, Clone)]
pub(super) struct Asking {
    pub(super) who: u8,
    pub(super) passport: Passport,
    pub(super) banned: bool,
    pub(super) shown: Shown,
    pub(super) key: u8,
    pub(super) node: u8,
    pub(super) returning: Option<u8>,
}

/// Who somebody is, and by whose word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passport {
    pub(super) name: Option<u8>,
    pub(super) vouched: bool,
    pub(super) granted: Role,
}

/// What is shown of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Nothing,
    Unchecked,
    Right(u8),
    New(u8),
}

/// Who gives an order: none for an administrator.
pub(super) type Orderer = Option<u8>;

/// What holds for a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rules {
    pub(super) seats: usize,
    pub(super) locked: bool,
    pub(super) timeout: u64,
    pub(super) password: Option<u8>,
    pub(super) lobby: bool,
}

/// What of that shall be otherwise.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) seats: Option<usize>,
    pub(super) locked: Option<bool>,
    pub(super) timeout: Option<u64>,
    pub(super) password: Option<Option<u8>>,
    pub(super) lobby: Option<bool>,
}

/// Which settings a command is meant for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Meant {
    Any,
    Present,
    Other,
}

pub(super) fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..most)
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..PEOPLE;
    let meant = || select(vec![Meant::Any, Meant::Present, Meant::Other]);
    let by = || prop::option::weighted(0.7, who());
    let banned = || prop::collection::vec(who(), 0..2);
    let clients = || prop::collection::vec(who(), 0..4);
    let reasons = [
        LeaveReason::Left,
        LeaveReason::Disconnected,
        LeaveReason::Timeout,
        LeaveReason::TokenExpired,
        LeaveReason::NodeLost,
        LeaveReason::Removed,
        LeaveReason::Banned,
    ];
    prop_oneof![
        12 => asking().prop_map(Step::Join),
        5 => (who(), select(reasons.to_vec())).prop_map(|(who, reason)| Step::Leave(who, reason)),
        1 => (who(), passport(), seldom()).prop_map(|(who, as_whom, b)| Step::Rename(who, as_whom, b)),
        1 => rules().prop_map(Step::Create),
        4 => (by(), wanted(), meant(), banned()).prop_map(|(by, w, m, b)| Step::Update(by, w, m, b)),
        2 => (by(), who(), any::<bool>()).prop_map(|(by, who, host)| Step::SetRole(by, who, host)),
        1 => (by(), who()).prop_map(|(by, who)| Step::Remove(by, who)),
        3 => (by(), prop::option::of(who()), banned()).prop_map(|(by, w, b)| Step::Admit(by, w, b)),
        1 => (by(), who()).prop_map(|(by, who)| Step::Deny(by, who)),
        1 => meant().prop_map(Step::Close),
        1 => (0..NODES).prop_map(Step::NodeLost),
        1 => (0..NODES, 0..NODES, clients()).prop_map(|(node, to, whom)| Step::Move(node, to, whom)),
        2 => select(vec![0, 1, 10, 59, 60, 61, 599, 601]).prop_map(Step::Wait),
    ]
}

fn asking() -> impl Strategy<Value = Asking> {
    let shown = prop_oneof![
        4 => Just(Shown::Nothing),
        1 => Just(Shown::Unchecked),
        2 => (0..2_u8).prop_map(Shown::Right),
        1 => (0..2_u8).prop_map(Shown::New),
    ];
    let returning = prop::option::weighted(0.3, any::<u8>());
    (0..PEOPLE, passport(), seldom(), shown, any::<u8>(), 0..NODES, returning).prop_map(
        |(who, passport, banned, shown, key, node, returning)| {
            // Few of them, so that many are found again; each has an owner, as nobody else could draw it.
            let key = key % 4 * PEOPLE + who;
            let returning = returning.map(|key| key % (4 * PEOPLE));
            Asking { who, passport, banned, shown, key, node, returning }
        },
    )
}

fn passport() -> impl Strategy<Value = Passport> {
    let granted =
        prop_oneof![2 => Just(Role::Guest), 6 => Just(Role::Member), 2 => Just(Role::Host)];
    (prop::option::of(0..2_u8), seldom(), granted).prop_map(|(name, vouched, granted)| Passport {
        name,
        vouched,
        granted,
    })
}

fn rules() -> impl Strategy<Value = Rules> {
    (1..5_usize, seldom(), 1..90_u64, prop::option::weighted(0.3, 0..2_u8), seldom()).prop_map(
        |(seats, locked, timeout, password, lobby)| Rules {
            seats,
            locked,
            timeout,
            password,
            lobby,
        },
    )
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let switch = || prop::option::weighted(0.4, any::<bool>());
    let password = prop::option::weighted(0.3, prop::option::of(0..2_u8));
    let timeout = prop::option::weighted(0.2, 0..90_u64);
    (prop::option::weighted(0.3, 1..5_usize), switch(), timeout, password, switch()).prop_map(
        |(seats, locked, timeout, password, lobby)| Wanted {
            seats,
            locked,
            timeout,
            password,
            lobby,
        },
    )
}

fn seldom() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.2)
}

pub(super) fn command(step: &Step, room: &Room) -> Command {
    let ids = |people: &[u8]| people.iter().copied().map(id).collect();
    match step {
        Step::Join(asking) => Command::Join {
            entrant: Entrant {
                client_id: id(asking.who),
                identity: identity(asking.passport),
                metadata: None,
                vouched: vouched(asking.passport),
                granted: asking.passport.granted,
                return_key: key(asking.key),
                node: node(asking.node),
            },
            banned: asking.banned,
            proof: match asking.shown {
                Shown::Nothing => Proof::None,
                Shown::Unchecked => Proof::Unchecked,
                Shown::Right(password) => Proof::Right(hash(password)),
                Shown::New(password) => Proof::New(hash(password)),
            },
            returning: asking.returning.map(key),
        },
        Step::Leave(who, reason) => Command::Leave { client_id: id(*who), reason: *reason },
        Step::Rename(who, passport, banned) => Command::Rename {
            client_id: id(*who),
            identity: identity(*passport),
            vouched: vouched(*passport),
            granted: passport.granted,
            banned: *banned,
        },
        Step::Create(rules) => Command::Create { settings: settings(rules) },
        Step::Update(orderer, wanted, meant, banned) => {
            let update = Update {
                max_members: wanted.seats,
                locked: wanted.locked,
                metadata: None,
                empty_timeout: wanted.timeout.map(Duration::from_secs),
                password: wanted.password.map(|password| password.map(hash)),
                lobby: wanted.lobby,
            };
            let settled_at = settled_at(*meant, room);
            Command::Update { by: by(*orderer), update, settled_at, banned: ids(banned) }
        }
        Step::SetRole(orderer, who, host) => {
            Command::SetRole { by: by(*orderer), target: id(*who), host: *host }
        }
        Step::Remove(orderer, who) => Command::Remove { by: by(*orderer), target: id(*who) },
        Step::Admit(orderer, who, banned) => {
            Command::Admit { by: by(*orderer), target: who.map(id), banned: ids(banned) }
        }
        Step::Deny(orderer, who) => Command::Deny { by: by(*orderer), target: id(*who) },
        Step::Close(meant) => Command::Close { settled_at: settled_at(*meant, room) },
        Step::NodeLost(lost) => Command::NodeLost { node: node(*lost) },
        Step::Move(from, to, clients) => {
            Command::Move { node: node(*from), to: node(*to), clients: ids(clients) }
        }
        Step::Wait(_) => Command::Expire,
    }
}

pub(super) fn settings(rules: &Rules) -> Settings {
    Settings {
        locked: rules.locked,
        empty_timeout: Duration::from_secs(rules.timeout),
        password: rules.password.map(hash),
        lobby: rules.lobby,
        ..Settings::open(rules.seats)
    }
}

pub(super) fn id(who: u8) -> ClientId {
    ClientId::from(u128::from(who))
}

pub(super) fn node(number: u8) -> Incarnation {
    Incarnation(number.into())
}

pub(super) fn hash(password: u8) -> PasswordHash {
    PasswordHash::new(&password.to_string())
}

pub(super) fn key(number: u8) -> ReturnKey {
    ReturnKey([number; 16])
}

fn identity(passport: Passport) -> Identity {
    let user_id = passport.name.map(|name| name.to_string().parse().unwrap());
    Identity { user_id, display_name: None }
}

fn vouched(passport: Passport) -> Option<Arc<Vouched>> {
    passport.vouched.then(Arc::default)
}

fn by(orderer: Orderer) -> By {
    orderer.map_or(By::Administrator, |who| By::Client(id(who)))
}

fn settled_at(meant: Meant, room: &Room) -> Option<Position> {
    let present = room.summary().map_or(Position::ZERO, |room| room.settled_at);
    match meant {
        Meant::Any => None,
        Meant::Present => Some(present),
        Meant::Other => Some(Position(present.0 + 1)),
    }
}
