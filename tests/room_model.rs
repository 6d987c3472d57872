//! The room's rules against a model that is too simple to be wrong, under random commands.

#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test lists its cases, and panics where it fails"
)]

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use proptest::prelude::*;
use signalpost::{
    event::{Cause, Position},
    id::{ClientId, RoomId},
    room::{Change, Command, Denied, Event, Identity, LeaveReason, Room, Settings, Update},
};

const SEATS: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    Join(u8, bool),
    Leave(u8),
    Rename(u8, u8, bool),
    Create(usize, bool, u64),
    Update(Option<usize>, Option<u64>, Meant),
    Lock(bool, Meant),
    Close(Meant),
    /// So many seconds pass, and the timer looks.
    Wait(u64),
}

/// Which settings a command is meant for.
#[derive(Debug, Clone, Copy)]
enum Meant {
    Any,
    Present,
    Other,
}

/// Who sits where, under which name, in a room that exists.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    exists: bool,
    members: Vec<(u8, Option<u8>)>,
    seats: usize,
    locked: bool,
    timeout: u64,
    /// When it was left empty, in seconds.
    empty_since: Option<u64>,
}

impl Model {
    fn step(&mut self, step: &Step, now: u64) -> Result<(), Denied> {
        let seat = |who| self.members.iter().position(|(member, _)| member == who);
        match step {
            Step::Join(_, true) => return Err(Denied::Banned),
            Step::Join(who, false) => {
                match seat(who) {
                    Some(seat) => drop(self.members.remove(seat)),
                    None if !self.exists => *self = Self::new(SEATS, false, 0),
                    None if self.members.len() >= self.seats => return Err(Denied::Full),
                    None if self.locked => return Err(Denied::Locked),
                    None => {}
                }
                self.members.push((*who, None));
                self.empty_since = None;
            }
            Step::Leave(who) => {
                let Some(seat) = seat(who) else { return Ok(()) };
                self.members.remove(seat);
                if self.members.is_empty() {
                    self.empty_since = Some(now);
                    if self.timeout == 0 {
                        *self = Self::default();
                    }
                }
            }
            Step::Rename(who, name, banned) => {
                let seat = seat(who).ok_or(Denied::NotAMember)?;
                if *banned {
                    return Err(Denied::Banned);
                }
                self.members[seat].1 = Some(*name);
            }
            Step::Create(..) if self.exists => return Err(Denied::Exists),
            Step::Create(seats, locked, timeout) => {
                *self = Self { empty_since: Some(now), ..Self::new(*seats, *locked, *timeout) };
            }
            Step::Wait(_) => {
                if self.empty_since.is_some_and(|since| since + self.timeout <= now) {
                    *self = Self::default();
                }
            }
            Step::Update(.., meant) | Step::Lock(_, meant) | Step::Close(meant) => {
                if !self.exists {
                    return Err(Denied::NoSuchRoom);
                }
                if let Meant::Other = meant {
                    return Err(Denied::Changed);
                }
                match step {
                    Step::Update(seats, timeout, _) => {
                        self.seats = seats.unwrap_or(self.seats);
                        self.timeout = timeout.unwrap_or(self.timeout);
                    }
                    Step::Lock(locked, _) => self.locked = *locked,
                    _ => *self = Self::default(),
                }
            }
        }
        Ok(())
    }

    fn new(seats: usize, locked: bool, timeout: u64) -> Self {
        Self { exists: true, seats, locked, timeout, ..Self::default() }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..6_u8;
    let seldom = || prop::bool::weighted(0.2);
    let meant = || prop_oneof![Just(Meant::Any), Just(Meant::Present), Just(Meant::Other)];
    let some = prop::option::of::<std::ops::Range<usize>>;
    prop_oneof![
        6 => (who(), seldom()).prop_map(|(who, banned)| Step::Join(who, banned)),
        4 => who().prop_map(Step::Leave),
        1 => (who(), 0..3_u8, seldom()).prop_map(|(who, name, banned)| Step::Rename(who, name, banned)),
        2 => (1..5_usize, seldom(), 1..20_u64).prop_map(|(n, locked, t)| Step::Create(n, locked, t)),
        1 => (some(1..5), prop::option::of(0..20_u64), meant()).prop_map(|(n, t, m)| Step::Update(n, t, m)),
        1 => (any::<bool>(), meant()).prop_map(|(locked, meant)| Step::Lock(locked, meant)),
        1 => meant().prop_map(Step::Close),
        2 => (0..15_u64).prop_map(Step::Wait),
    ]
}

fn command(step: &Step, room: &Room) -> Command {
    let client_id = |who: &u8| ClientId::from(u128::from(*who));
    let settled_at = |meant: &Meant| {
        let present = room.summary().map_or(Position::ZERO, |room| room.settled_at);
        match meant {
            Meant::Any => None,
            Meant::Present => Some(present),
            Meant::Other => Some(Position(present.0 + 1)),
        }
    };
    match step {
        Step::Join(who, banned) => Command::Join {
            client_id: client_id(who),
            identity: Identity::default(),
            metadata: None,
            banned: *banned,
        },
        Step::Leave(who) => Command::Leave { client_id: client_id(who), reason: LeaveReason::Left },
        Step::Rename(who, name, banned) => {
            let user_id = Some(name.to_string().parse().unwrap());
            let identity = Identity { user_id, display_name: None };
            Command::Rename { client_id: client_id(who), identity, banned: *banned }
        }
        Step::Create(seats, locked, timeout) => {
            Command::Create { settings: settings(*seats, *locked, *timeout) }
        }
        Step::Update(max_members, timeout, meant) => {
            let empty_timeout = timeout.map(Duration::from_secs);
            let update = Update { max_members: *max_members, metadata: None, empty_timeout };
            Command::Update { update, settled_at: settled_at(meant) }
        }
        Step::Lock(locked, meant) => {
            Command::Lock { locked: *locked, settled_at: settled_at(meant) }
        }
        Step::Close(meant) => Command::Close { settled_at: settled_at(meant) },
        Step::Wait(_) => Command::Expire,
    }
}

fn settings(max_members: usize, locked: bool, timeout: u64) -> Settings {
    let empty_timeout = Duration::from_secs(timeout);
    Settings { max_members, locked, metadata: "{}".into(), empty_timeout }
}

fn vacant() -> Room {
    Room::vacant("room".parse::<RoomId>().unwrap(), Arc::new(settings(SEATS, false, 0)))
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn view(room: &Room) -> Model {
    if !room.exists() {
        assert_eq!(room.members().len(), 0);
        return Model::default();
    }
    let id = |who: u8| ClientId::from(u128::from(who));
    let who = |client_id| (0..6).find(|who| id(*who) == client_id).unwrap();
    let name = |identity: &Identity| Some(identity.user_id.as_ref()?.as_str().parse().unwrap());
    let Settings { max_members, locked, empty_timeout, .. } = room.settings();
    let since = |ends: SystemTime| (ends - *empty_timeout).duration_since(at(0)).unwrap().as_secs();
    Model {
        exists: true,
        members: room.members().map(|m| (who(m.client_id), name(&m.identity))).collect(),
        seats: *max_members,
        locked: *locked,
        timeout: empty_timeout.as_secs(),
        empty_since: room.expires_at().map(since),
    }
}

/// Puts what was decided in order, as a journal that others write to as well.
fn sequence(room: &Room, changes: Vec<Change>, head: &mut u64, now: u64) -> Vec<Event> {
    let mut prev = room.version();
    let mut event = |change| {
        *head += 2;
        let (position, at, cause) = (Position(*head), at(now), Cause::Server);
        let event = Event { position, prev, at, cause, change };
        prev = event.position;
        event
    };
    changes.into_iter().map(&mut event).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_room_agrees_with_the_model(steps in prop::collection::vec(step(), 1..60)) {
        let (mut room, mut model, mut head, mut now) = (vacant(), Model::default(), 0, 0);
        let mut history = Vec::new();
        for step in &steps {
            if let Step::Wait(seconds) = step {
                now += seconds;
            }
            let before = room.version();
            let decided = room.decide(command(step, &room), at(now));
            let expected = model.step(step, now);
            prop_assert_eq!(decided.as_ref().map(drop), expected.as_ref().map(drop), "{:?}", step);

            for event in sequence(&room, decided.unwrap_or_default(), &mut head, now) {
                prop_assert!(event.prev >= before);
                room.apply(&event);
                history.push(event);
            }
            prop_assert_eq!(view(&room), model.clone(), "after {:?}", step);
        }

        let mut replayed = vacant();
        history.iter().for_each(|event| replayed.apply(event));
        prop_assert_eq!(view(&replayed), view(&room));
        prop_assert_eq!(replayed.version(), room.version());
        let settled_at = |room: &Room| room.summary().map(|room| room.settled_at);
        prop_assert_eq!(settled_at(&replayed), settled_at(&room));
    }

    #[test]
    fn nobody_comes_into_a_room_that_is_full_locked_or_not_for_them(
        steps in prop::collection::vec(step(), 1..60)
    ) {
        let (mut room, mut head) = (vacant(), 0);
        for step in &steps {
            let (seated, full, locked) = (
                room.members().len(),
                room.members().len() >= room.settings().max_members,
                room.settings().locked && room.exists(),
            );
            let changes = room.decide(command(step, &room), at(0)).unwrap_or_default();
            for event in sequence(&room, changes, &mut head, 0) {
                room.apply(&event);
            }
            let grew = room.members().len() > seated;
            prop_assert!(!grew || !full && !locked && !matches!(step, Step::Join(_, true)));
        }
    }

    #[test]
    fn settings_have_a_name_that_no_join_changes(steps in prop::collection::vec(step(), 1..60)) {
        let (mut room, mut head) = (vacant(), 0);
        for step in &steps {
            let before = room.summary();
            let changes = room.decide(command(step, &room), at(0)).unwrap_or_default();
            for event in sequence(&room, changes, &mut head, 0) {
                room.apply(&event);
            }
            if let (Some(before), Some(after)) = (before, room.summary())
                && before.created_at == after.created_at
            {
                let same = before.settings == after.settings;
                prop_assert_eq!(same, before.settled_at == after.settled_at, "{:?}", step);
            }
        }
    }

    #[test]
    fn a_refusal_or_a_question_changes_nothing(steps in prop::collection::vec(step(), 1..30)) {
        let mut room = vacant();
        let mut head = 0;
        for step in &steps {
            let (before, version) = (view(&room), room.version());
            let decided = room.decide(command(step, &room), at(0));
            prop_assert_eq!(view(&room), before);
            prop_assert_eq!(room.version(), version);
            for event in sequence(&room, decided.unwrap_or_default(), &mut head, 0) {
                room.apply(&event);
            }
        }
    }
}
