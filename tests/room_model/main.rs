//! The room's rules against a model that is too simple to be wrong, under random commands.

#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test lists its cases, and panics where it fails"
)]

mod model;
mod nodes;
mod seat;
mod steps;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use model::Model;
use proptest::prelude::*;
use seat::{Seat, Waiting};
use signalpost::{
    event::{Cause, Position},
    id::{ClientId, RoomId},
    room::{
        self, Change, Denied, Event, Identity, LeaveReason, Member, Role, Room, Settings,
        WaitingEnd,
    },
};
use steps::{
    Asking, Meant, PEOPLE, Passport, Rules, Shown, Step, Wanted, command, hash, id, key, node,
    steps,
};

const USUAL: Rules = Rules { seats: 3, locked: false, timeout: 0, password: None, lobby: false };

fn vacant(first_is_host: bool) -> Room {
    let new_room = Settings::open(USUAL.seats).into();
    let rules = room::Rules { new_room, first_is_host };
    Room::vacant("room".parse::<RoomId>().unwrap(), Arc::new(rules))
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// What can be seen of a room.
#[derive(Debug, Clone, PartialEq)]
struct View {
    members: Vec<Seat>,
    waiting: Vec<Waiting>,
    rules: Rules,
    ends_at: Option<u64>,
}

impl View {
    /// What is over is over, whenever that was: a room forgets that it was held.
    fn at(self, now: u64) -> Self {
        Self { ends_at: self.ends_at.map(|at| at.max(now)), ..self }
    }
}

impl From<&Model> for View {
    fn from(model: &Model) -> Self {
        Self {
            members: model.members.clone(),
            waiting: model.waiting.clone(),
            rules: model.rules.clone(),
            ends_at: model.ends_at(),
        }
    }
}

impl From<&Room> for View {
    fn from(room: &Room) -> Self {
        let Settings { max_members, locked, empty_timeout, password, lobby, .. } =
            &**room.settings();
        let password = password.as_ref().map(|hash| hash.as_str().parse().unwrap());
        let waiting = room.waiting().map(|waiter| {
            let Seat { who, passport, key, node, .. } = seat(&waiter.member);
            Waiting { who, passport, key, node, until: seconds(waiter.until) }
        });
        Self {
            members: room.members().map(|member| seat(member)).collect(),
            waiting: waiting.collect(),
            rules: Rules {
                seats: *max_members,
                locked: *locked,
                timeout: empty_timeout.as_secs(),
                password,
                lobby: *lobby,
            },
            ends_at: room.expires_at().map(seconds),
        }
    }
}

fn seat(member: &Member) -> Seat {
    let name = |identity: &Identity| Some(identity.user_id.as_ref()?.as_str().parse().unwrap());
    Seat {
        who: who(member.client_id),
        passport: Passport {
            name: name(&member.identity),
            vouched: member.vouched.is_some(),
            granted: member.standing.granted,
        },
        role: member.standing.role,
        acting: member.standing.acting,
        key: (0..=u8::MAX).find(|number| key(*number) == member.return_key).unwrap(),
        node: (0..=u8::MAX).find(|number| node(*number) == member.node).unwrap(),
    }
}

fn who(client_id: ClientId) -> u8 {
    (0..PEOPLE).find(|who| id(*who) == client_id).unwrap()
}

/// Two rooms look the same, down to what `Debug` does not show.
fn assert_same(one: &Room, other: &Room) {
    assert_eq!(View::from(one), View::from(other));
    assert_eq!(one.settings(), other.settings());
    assert!(one.members().eq(other.members()) && one.waiting().eq(other.waiting()));
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
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

/// A room to which things happen in turn.
struct Life {
    room: Room,
    head: u64,
    now: u64,
    history: Vec<Event>,
}

impl Life {
    fn new(first_is_host: bool) -> Self {
        Self { room: vacant(first_is_host), head: 0, now: 0, history: Vec::new() }
    }

    fn step(&mut self, step: &Step) -> Result<Vec<Change>, Denied> {
        if let Step::Wait(seconds) = step {
            self.now += seconds;
        }
        let changes = self.room.decide(command(step, &self.room), at(self.now))?;
        for event in sequence(&self.room, changes.clone(), &mut self.head, self.now) {
            self.room.apply(&event);
            self.history.push(event);
        }
        Ok(changes)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_room_agrees_with_the_model(steps in steps(80), first_is_host: bool) {
        let mut life = Life::new(first_is_host);
        let mut model = Model::new(USUAL, first_is_host);
        for step in &steps {
            let decided = life.step(step);
            let expected = model.step(step, life.now, &USUAL);
            let told = decided.map(|changes| {
                let ended = |change: &Change| match change {
                    Change::WaitingEnded { client_id, reason, .. } => Some((who(*client_id), *reason)),
                    _ => None,
                };
                changes.iter().filter_map(ended).collect::<Vec<(u8, WaitingEnd)>>()
            });
            prop_assert_eq!(told, expected, "{:?}", step);
            let [room, expected] = [View::from(&life.room), View::from(&model)]
                .map(|view| view.at(life.now));
            prop_assert_eq!(room, expected, "after {:?}", step);
            let sits_since = life.room.members().map(|member| member.joined_at);
            let waits_since = life.room.waiting().map(|waiter| waiter.member.joined_at);
            prop_assert!(sits_since.is_sorted_by(|one, next| one < next), "after {:?}", step);
            prop_assert!(waits_since.is_sorted_by(|one, next| one < next), "after {:?}", step);
        }
        let mut replayed = vacant(first_is_host);
        life.history.iter().for_each(|event| replayed.apply(event));
        assert_same(&replayed, &life.room);
    }

    /// Without the model: each seat that was taken had a reason, and each reason against it was heeded.
    #[test]
    fn nobody_comes_in_whom_the_rules_refuse(steps in steps(80), first_is_host: bool) {
        let mut life = Life::new(first_is_host);
        for step in &steps {
            let before = life.room.clone();
            let (is_member, now) = (|who: u8| before.member(id(who)).is_some(), life.now);
            let Ok(changes) = life.step(step) else { continue };
            let joined = changes.iter().filter(|change| matches!(change, Change::Joined(_))).count();
            let left = changes.iter().filter(|change| matches!(change, Change::Left { .. })).count();
            let seats = life.room.settings().max_members;
            if joined > left {
                prop_assert!(life.room.members().len() <= seats, "{:?}", step);
            }
            let banned = |joined: &Change| match (joined, step) {
                (Change::Joined(member), Step::Admit(.., banned) | Step::Update(.., banned)) => {
                    banned.contains(&who(member.client_id))
                }
                (Change::Joined(_), Step::Join(asking)) => asking.banned,
                _ => false,
            };
            prop_assert!(!changes.iter().any(banned), "{:?}", step);
            let Step::Join(Asking { who, passport, shown, returning, .. }) = step else {
                let admits = matches!(step, Step::Admit(..) | Step::Update(..));
                prop_assert!(joined == 0 || admits, "{:?}", step);
                continue;
            };
            if joined == 0 || !before.exists() || is_member(*who) || passport.granted == Role::Host {
                continue;
            }
            let returns = returning.is_some_and(|shown| {
                let seated = before.members().any(|member| member.return_key == key(shown));
                seated || life.history.iter().any(|event| {
                    matches!(&event.change, Change::Left { reason, .. } if reason.is_loss())
                        && at(now) < event.at + Duration::from_secs(60)
                })
            });
            let Settings { locked, password, lobby, .. } = &**before.settings();
            let proved = password.as_ref().is_none_or(|right| match shown {
                Shown::Right(password) => *right == hash(*password),
                _ => false,
            });
            prop_assert!(returns || !locked && !lobby && proved, "{:?}", step);
        }
    }

    #[test]
    fn there_is_a_host_where_one_is_due(steps in steps(80)) {
        let mut life = Life::new(true);
        for step in &steps {
            let _ = life.step(step);
            let may_act = |member: &Arc<Member>| member.standing.granted >= Role::Member;
            let is_host = |member: &Arc<Member>| member.standing.is_host();
            let (due, has) =
                (life.room.members().any(may_act), life.room.members().any(is_host));
            prop_assert!(!due || has, "{:?}", step);
            let acting = life.room.members().filter(|member| member.standing.acting).count();
            prop_assert!(acting <= 1, "{:?}", step);
        }
    }

    #[test]
    fn settings_have_a_name_that_no_join_changes(steps in steps(60), first_is_host: bool) {
        let mut life = Life::new(first_is_host);
        for step in &steps {
            let before = life.room.summary();
            let _ = life.step(step);
            if let (Some(before), Some(after)) = (before, life.room.summary())
                && before.created_at == after.created_at
                && !matches!(step, Step::Close(_) | Step::Create(_))
            {
                let same = before.settings == after.settings;
                prop_assert_eq!(same, before.settled_at == after.settled_at, "{:?}", step);
            }
        }
    }

    #[test]
    fn a_refusal_or_a_question_changes_nothing(steps in steps(30), first_is_host: bool) {
        let mut life = Life::new(first_is_host);
        for step in &steps {
            let before = life.room.clone();
            let _ = life.room.decide(command(step, &life.room), at(life.now));
            assert_same(&life.room, &before);
            let _ = life.step(step);
        }
    }
}

fn asking(who: u8, node: u8, returning: Option<u8>) -> Step {
    let passport = Passport { name: None, vouched: false, granted: Role::Member };
    let (banned, shown) = (false, Shown::Nothing);
    Step::Join(Asking { who, passport, banned, shown, key: who, node, returning })
}

#[test]
fn the_loss_of_a_node_frees_its_seats_as_the_loss_of_each() {
    let mut life = Life::new(true);
    for step in [asking(0, 1, None), asking(1, 2, None), asking(2, 1, None)] {
        life.step(&step).unwrap();
    }
    life.step(&Step::NodeLost(1)).unwrap();
    let reasons = |change: &Change| match change {
        Change::Left { client_id, reason, .. } => Some((who(*client_id), *reason)),
        _ => None,
    };
    let left: Vec<_> = life.history.iter().filter_map(|event| reasons(&event.change)).collect();
    assert_eq!(left, [(0, LeaveReason::NodeLost), (2, LeaveReason::NodeLost)]);
    assert_eq!(life.room.member(id(1)).unwrap().standing.role, Role::Host);
    // Whoever lost a seat by it comes back to it, through another node, as after any loss.
    life.step(&asking(3, 2, Some(0))).unwrap();
    assert!(life.room.member(id(3)).unwrap().standing.is_host());
    life.step(&Step::NodeLost(1)).unwrap();
    assert_eq!(life.room.members().len(), 2);
    life.step(&Step::NodeLost(2)).unwrap();
    assert!(!life.room.exists(), "nobody keeps it");
}

#[test]
fn a_seat_that_moves_stays_as_it_was() {
    let mut life = Life::new(true);
    let lobby = Wanted { lobby: Some(true), ..Wanted::default() };
    let lobby = Step::Update(None, lobby, Meant::Any, Vec::new());
    for step in [asking(0, 1, None), asking(1, 2, None), lobby, asking(2, 1, None)] {
        life.step(&step).unwrap();
    }
    let before = life.room.clone();
    let changes = life.step(&Step::Move(1, 3, vec![0, 1, 2, 4])).unwrap();
    assert!(matches!(&changes[..], [Change::Moved { .. }, Change::Waiting(_)]), "{changes:?}");
    let nodes = |room: &Room| room.members().map(|member| member.node.0).collect::<Vec<_>>();
    assert_eq!((nodes(&life.room), nodes(&before)), (vec![3, 2], vec![1, 2]));
    assert_eq!(life.room.waiter(id(2)).unwrap().member.node, node(3));
    life.step(&Step::Move(3, 1, vec![0, 2])).unwrap();
    assert!(life.room.members().eq(before.members()) && life.room.waiting().eq(before.waiting()));
    assert!(life.step(&Step::Move(3, 1, vec![0, 1, 2])).unwrap().is_empty(), "none is there");
}

#[test]
fn the_return_of_a_host_that_another_one_made_leaves_that_one_as_it_was() {
    let mut life = Life::new(true);
    let lost = Step::Leave(1, LeaveReason::Disconnected);
    let steps = [asking(0, 0, None), asking(1, 0, None), Step::SetRole(Some(0), 1, true)];
    for step in steps.into_iter().chain([lost, asking(2, 0, Some(1))]) {
        life.step(&step).unwrap();
    }
    let hosts = life.room.members().map(|member| (who(member.client_id), member.standing.role));
    assert_eq!(hosts.collect::<Vec<_>>(), [(0, Role::Host), (2, Role::Host)]);
}
