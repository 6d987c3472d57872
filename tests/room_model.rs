//! The room's rules against a model that is too simple to be wrong, under random commands.

#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test lists its cases, and panics where it fails"
)]

use std::{sync::Arc, time::SystemTime};

use proptest::prelude::*;
use signalpost::{
    id::{ClientId, RoomId},
    room::{Change, Command, Denied, Event, Identity, LeaveReason, Position, Room, Settings},
};

const SEATS: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    Join(u8),
    Leave(u8),
    Rename(u8, u8),
    Lock(bool),
}

/// Who sits where, under which name; no room without members.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    members: Vec<(u8, Option<u8>)>,
    locked: bool,
}

impl Model {
    fn step(&mut self, step: &Step) -> Result<(), Denied> {
        let seat = |who| self.members.iter().position(|(member, _)| member == who);
        match step {
            Step::Join(who) => {
                match seat(who) {
                    Some(seat) => drop(self.members.remove(seat)),
                    None if self.members.len() == SEATS => return Err(Denied::Full),
                    None if self.locked => return Err(Denied::Locked),
                    None => {}
                }
                self.members.push((*who, None));
            }
            Step::Leave(who) => {
                self.members.retain(|(member, _)| member != who);
                self.locked &= !self.members.is_empty();
            }
            Step::Rename(who, name) => {
                let seat = seat(who).ok_or(Denied::NotAMember)?;
                self.members[seat].1 = Some(*name);
            }
            Step::Lock(_) if self.members.is_empty() => return Err(Denied::NoSuchRoom),
            Step::Lock(locked) => self.locked = *locked,
        }
        Ok(())
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6_u8).prop_map(Step::Join),
        3 => (0..6_u8).prop_map(Step::Leave),
        1 => (0..6_u8, 0..3_u8).prop_map(|(who, name)| Step::Rename(who, name)),
        1 => any::<bool>().prop_map(Step::Lock),
    ]
}

fn command(step: &Step) -> Command {
    let client_id = |who: &u8| ClientId::from(u128::from(*who));
    match step {
        Step::Join(who) => Command::Join {
            client_id: client_id(who),
            identity: Identity::default(),
            metadata: None,
        },
        Step::Leave(who) => Command::Leave { client_id: client_id(who), reason: LeaveReason::Left },
        Step::Rename(who, name) => {
            let user_id = Some(name.to_string().parse().unwrap());
            let identity = Identity { user_id, display_name: None };
            Command::Rename { client_id: client_id(who), identity }
        }
        Step::Lock(locked) => Command::Lock { locked: *locked },
    }
}

fn vacant() -> Room {
    let settings = Settings { max_members: SEATS, locked: false, metadata: "{}".into() };
    Room::vacant("room".parse::<RoomId>().unwrap(), Arc::new(settings))
}

fn view(room: &Room) -> Model {
    let id = |who: u8| ClientId::from(u128::from(who));
    let who = |client_id| (0..6).find(|who| id(*who) == client_id).unwrap();
    let name = |identity: &Identity| Some(identity.user_id.as_ref()?.as_str().parse().unwrap());
    Model {
        members: room.members().map(|m| (who(m.client_id), name(&m.identity))).collect(),
        locked: room.settings().locked,
    }
}

/// Puts what was decided in order, as a journal that others write to as well.
fn sequence(room: &Room, changes: Vec<Change>, head: &mut u64) -> Vec<Event> {
    let mut prev = room.version();
    let mut event = |change| {
        *head += 2;
        let event = Event { position: Position(*head), prev, at: SystemTime::UNIX_EPOCH, change };
        prev = event.position;
        event
    };
    changes.into_iter().map(&mut event).collect()
}

proptest! {
    #[test]
    fn the_room_agrees_with_the_model(steps in prop::collection::vec(step(), 1..60)) {
        let (mut room, mut model, mut head) = (vacant(), Model::default(), 0);
        let mut history = Vec::new();
        for step in &steps {
            let before = room.version();
            let decided = room.decide(command(step), SystemTime::UNIX_EPOCH);
            let expected = model.step(step);
            prop_assert_eq!(decided.as_ref().map(drop), expected.as_ref().map(drop), "{:?}", step);

            for event in sequence(&room, decided.unwrap_or_default(), &mut head) {
                prop_assert!(event.prev >= before);
                room.apply(&event);
                history.push(event);
            }
            prop_assert_eq!(view(&room), model.clone(), "after {:?}", step);
            prop_assert!(room.members().len() <= SEATS);
            prop_assert_eq!(room.exists(), room.members().len() > 0);
        }

        let mut replayed = vacant();
        history.iter().for_each(|event| replayed.apply(event));
        prop_assert_eq!(view(&replayed), view(&room));
        prop_assert_eq!(replayed.version(), room.version());
    }

    #[test]
    fn a_refusal_or_a_question_changes_nothing(steps in prop::collection::vec(step(), 1..30)) {
        let mut room = vacant();
        let mut head = 0;
        for step in &steps {
            let (before, version) = (view(&room), room.version());
            let decided = room.decide(command(step), SystemTime::UNIX_EPOCH);
            prop_assert_eq!(view(&room), before);
            prop_assert_eq!(room.version(), version);
            for event in sequence(&room, decided.unwrap_or_default(), &mut head) {
                room.apply(&event);
            }
        }
    }
}
