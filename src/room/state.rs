//! What a room is, and how it changes.

mod parts;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, SystemTime},
};

use indexmap::IndexMap;

pub use parts::Parts;

use super::{
    Change, Event, LeaveReason, Member, PasswordHash, ReturnKey, Waiter,
    member::{Claim, Entrant},
};
use crate::{
    config::limits,
    event::Position,
    id::{ClientId, IdHasher, RoomId},
    timestamp::Timestamp,
};

/// In a room of this many members, one is found by comparing ids; in a larger one, by its hash.
const COMPARED_AT_MOST: usize = 8;

/// A room, or the vacancy where one may come to be.
#[derive(Debug, Clone)]
pub struct Room {
    id: RoomId,
    version: Position,
    created_at: Timestamp,
    rules: Arc<Rules>,
    settings: Arc<Settings>,
    settled_at: Position,
    empty_since: Option<Timestamp>,
    members_by_id: IndexMap<ClientId, Arc<Member>, IdHasher>,
    /// Most rooms have none of these.
    aside: Option<Box<Aside>>,
}

/// What holds for every room alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The settings of a room that its first member makes.
    pub new_room: Arc<Settings>,
    /// Whether there is always a host where somebody sits who may be one: first whoever came first.
    pub first_is_host: bool,
}

/// What holds for a room as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The most members it takes, at least 1.
    pub max_members: usize,
    /// Whether it refuses whoever is new.
    pub locked: bool,
    /// What it says of itself: JSON text, opaque here.
    pub metadata: Arc<str>,
    /// How long it stays while it is empty; zero: it ends with its last member.
    pub empty_timeout: Duration,
    /// What whoever is new must know.
    pub password: Option<PasswordHash>,
    /// Whether whoever is new waits until a host lets it in.
    pub lobby: bool,
}

/// A room without its members' particulars.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Its name.
    pub id: RoomId,
    /// The position of its last event.
    pub version: Position,
    /// When it came to be.
    pub created_at: SystemTime,
    /// What holds for it.
    pub settings: Arc<Settings>,
    /// The position of the event that made its settings what they are.
    pub settled_at: Position,
    /// When it ends if it stays empty; none while it has members.
    pub expires_at: Option<SystemTime>,
    /// How many sit in it.
    pub member_count: usize,
    /// How many wait for a seat.
    pub waiting_count: usize,
}

/// Who is not seated and yet of concern.
#[derive(Debug, Clone, Default)]
struct Aside {
    /// Who waits, in the order in which they came, and so in that of their times.
    waiting: IndexMap<ClientId, Waiter, IdHasher>,
    /// Who may return and until when, in the order of that.
    lost: VecDeque<(SystemTime, Claim)>,
    /// Until when only they may enter, if it is empty.
    held_until: Option<SystemTime>,
}

impl Settings {
    /// Those of a room for so many, open to everybody.
    pub fn open(max_members: usize) -> Self {
        Self {
            max_members,
            locked: false,
            metadata: "{}".into(),
            empty_timeout: Duration::ZERO,
            password: None,
            lobby: false,
        }
    }

    /// Whether they keep people out who are new, beside its size.
    pub(super) fn keep_out(&self) -> bool {
        self.locked || self.lobby || self.password.is_some()
    }
}

impl Aside {
    fn is_empty(&self) -> bool {
        self.lost.is_empty() && self.waiting.is_empty() && self.held_until.is_none()
    }
}

impl Room {
    /// A room that does not exist yet.
    pub fn vacant(id: RoomId, rules: Arc<Rules>) -> Self {
        Self {
            id,
            version: Position::ZERO,
            created_at: SystemTime::UNIX_EPOCH.into(),
            settings: Arc::clone(&rules.new_room),
            rules,
            settled_at: Position::ZERO,
            empty_since: None,
            members_by_id: IndexMap::default(),
            aside: None,
        }
    }

    /// Lets `event` have happened. It must be the next one of this room.
    pub fn apply(&mut self, event: &Event) {
        debug_assert_eq!(
            self.version, event.prev,
            "an event of {:?} is missing or came twice",
            self.id
        );
        match &event.change {
            Change::Created { settings } => {
                self.settings = Arc::clone(settings);
                self.created_at = event.at.into();
                self.settled_at = event.position;
                self.empty_since = Some(event.at.into());
            }
            Change::Joined(member) => self.seat(member),
            Change::Renamed { member, .. }
            | Change::RoleChanged { member, .. }
            | Change::Moved { member } => {
                self.members_by_id.insert(member.client_id, Arc::clone(member));
            }
            Change::Waiting(waiter) => {
                let client_id = waiter.member.client_id;
                self.aside_mut().waiting.insert(client_id, waiter.clone());
            }
            Change::WaitingEnded { client_id, .. } => {
                self.aside_mut().waiting.shift_remove(client_id);
            }
            Change::Updated { settings } => {
                self.settings = Arc::clone(settings);
                self.settled_at = event.position;
            }
            Change::Locked | Change::Unlocked => {
                let locked = matches!(event.change, Change::Locked);
                Arc::make_mut(&mut self.settings).locked = locked;
                self.settled_at = event.position;
            }
            Change::Left { client_id, reason, .. } => {
                self.unseat(*client_id, *reason, event.at);
            }
            Change::Closed => {
                *self = Self::vacant(self.id.clone(), Arc::clone(&self.rules));
                return;
            }
        }
        self.forget(event.at);
        self.version = event.position;
    }

    fn seat(&mut self, member: &Arc<Member>) {
        self.members_by_id.insert(member.client_id, Arc::clone(member));
        self.empty_since = None;
        if let Some(aside) = &mut self.aside {
            aside.held_until = None;
            aside.lost.retain(|(_, claim)| claim.key != member.return_key);
        }
    }

    fn unseat(&mut self, client_id: ClientId, reason: LeaveReason, now: SystemTime) {
        let Some(member) = self.members_by_id.shift_remove(&client_id) else { return };
        let is_empty = self.members_by_id.is_empty();
        if is_empty {
            self.empty_since = Some(now.into());
        }
        if !reason.is_loss() {
            // A seat that it lost before opens the room no more to whoever had to go.
            if let Some(aside) = self.aside.as_mut().filter(|_| reason.is_others()) {
                aside.lost.retain(|(_, claim)| !claim.may_be_of(&member));
            }
            return;
        }
        let until = now + limits::RETURN;
        let is_held = is_empty && self.is_guarded();
        let aside = self.aside_mut();
        aside.held_until = is_held.then_some(until);
        aside.lost.push_back((until, Claim::of(&member)));
        if aside.lost.len() > limits::RETURNERS {
            aside.lost.pop_front();
        }
    }

    fn aside_mut(&mut self) -> &mut Aside {
        self.aside.get_or_insert_default()
    }

    /// Its name.
    pub fn id(&self) -> &RoomId {
        &self.id
    }

    /// The position of its last event; zero if it does not exist.
    pub fn version(&self) -> Position {
        self.version
    }

    /// Whether it came to be, and did not end.
    pub fn exists(&self) -> bool {
        self.version != Position::ZERO
    }

    /// The room without its members' particulars; none if it does not exist.
    pub fn summary(&self) -> Option<Summary> {
        self.exists().then(|| Summary {
            id: self.id.clone(),
            version: self.version,
            created_at: self.created_at(),
            settings: Arc::clone(&self.settings),
            settled_at: self.settled_at,
            expires_at: self.expires_at(),
            member_count: self.members_by_id.len(),
            waiting_count: self.waiting().len(),
        })
    }

    /// When it ends if it stays empty; none while it has members, or where it does not exist.
    pub fn expires_at(&self) -> Option<SystemTime> {
        let over = self.empty_since()?.checked_add(self.settings.empty_timeout)?;
        Some(self.held_until().map_or(over, |held| held.max(over)))
    }

    /// When [`super::Command::Expire`] changes something next, or [`Room::forget`] does.
    pub fn due_at(&self) -> Option<SystemTime> {
        let lost =
            self.aside.as_ref().and_then(|aside| aside.lost.front()).map(|(until, _)| *until);
        self.has_its_time_at().into_iter().chain(lost).min()
    }

    /// When [`super::Command::Expire`] changes something next.
    pub fn has_its_time_at(&self) -> Option<SystemTime> {
        let waiting = self.waiting().next().map(|waiter| waiter.until);
        self.expires_at().into_iter().chain(waiting).min()
    }

    /// Forgets who may return no longer. It is no event: nobody can tell whether that is done.
    pub fn forget(&mut self, now: SystemTime) {
        let Some(aside) = &mut self.aside else { return };
        while aside.lost.front().is_some_and(|(until, _)| *until <= now) {
            aside.lost.pop_front();
        }
        aside.held_until.take_if(|until| *until <= now);
        if aside.is_empty() {
            self.aside = None;
        }
    }

    /// Until when only those may enter who lost a seat in it, since it is empty.
    pub fn held_until(&self) -> Option<SystemTime> {
        self.aside.as_ref()?.held_until
    }

    /// What holds for it now.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Where in join order a client sits, from 0 on.
    pub fn seat_of(&self, client_id: ClientId) -> Option<usize> {
        if self.members_by_id.len() <= COMPARED_AT_MOST {
            return self.members_by_id.keys().position(|member| *member == client_id);
        }
        self.members_by_id.get_index_of(&client_id)
    }

    /// Who sits in it, in join order.
    pub fn members(&self) -> impl ExactSizeIterator<Item = &Arc<Member>> {
        self.members_by_id.values()
    }

    /// Whoever sits in it under this id.
    pub fn member(&self, client_id: ClientId) -> Option<&Arc<Member>> {
        self.members_by_id.get(&client_id)
    }

    /// When somebody takes a seat who takes it now: later than all who sit, whatever clocks say.
    pub(super) fn next_joined_at(&self, now: SystemTime) -> Timestamp {
        let last = self.members_by_id.last().map(|(_, member)| member.joined_at);
        Timestamp::from(now).behind(last)
    }

    /// The same of somebody who begins to wait.
    pub(super) fn next_waits_since(&self, now: SystemTime) -> Timestamp {
        let last = self.aside.as_ref().and_then(|aside| aside.waiting.last());
        Timestamp::from(now).behind(last.map(|(_, waiter)| waiter.member.joined_at))
    }

    /// Who waits for a seat in it, in the order in which they came.
    pub fn waiting(&self) -> impl ExactSizeIterator<Item = &Waiter> {
        // An empty slice stands for none, as both must be one type.
        let waiting = self.aside.as_ref().map(|aside| aside.waiting.as_slice());
        waiting.unwrap_or_default().values()
    }

    /// Whoever waits for a seat under this id.
    pub fn waiter(&self, client_id: ClientId) -> Option<&Waiter> {
        self.aside.as_ref()?.waiting.get(&client_id)
    }

    /// Whether something keeps people out who are new, beside its size: then it goes on without its last member, where
    /// that loses its seat.
    pub(super) fn is_guarded(&self) -> bool {
        self.settings.keep_out() || self.waiting().len() > 0
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The position of the event that made its settings what they are; zero if it does not exist.
    pub fn settled_at(&self) -> Position {
        self.settled_at
    }

    /// The seat that an entrant with this key may take: one in which somebody sits, or one that was lost.
    pub(super) fn claim(
        &self,
        entrant: &Entrant,
        key: ReturnKey,
        now: SystemTime,
    ) -> Option<Claim> {
        let seated = self.members_by_id.values().find(|member| member.return_key == key);
        let lost = || {
            let mut lost = self.aside.as_ref()?.lost.iter().filter(|(until, _)| *until > now);
            lost.find(|(_, claim)| claim.key == key).map(|(_, claim)| claim.clone())
        };
        let claim = seated.map(|member| Claim::of(member)).or_else(lost);
        claim.filter(|claim| claim.is_of(entrant))
    }
}
