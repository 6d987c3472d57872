//! A room taken apart, and put together again: for whoever stores it.

use std::{sync::Arc, time::SystemTime};

use super::{Aside, Room, Rules, Settings};
use crate::{
    event::Position,
    id::RoomId,
    room::{Claim, Member, Waiter},
};

/// What a room that exists consists of, beside its name and what holds for every room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// See [`Room::version`].
    pub version: Position,
    /// See [`Room::settled_at`].
    pub settled_at: Position,
    /// See [`Room::created_at`].
    pub created_at: SystemTime,
    /// See [`Room::settings`].
    pub settings: Arc<Settings>,
    /// See [`Room::empty_since`].
    pub empty_since: Option<SystemTime>,
    /// See [`Room::held_until`].
    pub held_until: Option<SystemTime>,
    /// Who sits in it, in any order: they stand in that of their times.
    pub members: Vec<Arc<Member>>,
    /// Who waits for a seat, likewise.
    pub waiting: Vec<Waiter>,
    /// See [`Room::lost`].
    pub lost: Vec<(SystemTime, Claim)>,
}

impl Room {
    /// The room that consists of `parts`.
    pub fn restored(id: RoomId, rules: Arc<Rules>, parts: Parts) -> Self {
        let Parts { version, settled_at, created_at, settings, empty_since, held_until, .. } =
            parts;
        let Parts { mut members, mut waiting, lost, .. } = parts;
        members.sort_by_key(|member| member.joined_at);
        waiting.sort_by_key(|waiter| waiter.member.joined_at);
        let members = members.into_iter().map(|member| (member.client_id, member));
        let waiting = waiting.into_iter().map(|waiter| (waiter.member.client_id, waiter));
        let aside = Aside { waiting: waiting.collect(), lost: lost.into(), held_until };
        let aside = (!aside.is_empty()).then(|| Box::new(aside));
        let members_by_id = members.collect();
        Self {
            id,
            version,
            created_at: created_at.into(),
            rules,
            settings,
            settled_at,
            empty_since: empty_since.map(Into::into),
            members_by_id,
            aside,
        }
    }

    /// When it came to be.
    pub fn created_at(&self) -> SystemTime {
        self.created_at.into()
    }

    /// Since when it is empty; none while it has members, or where it does not exist.
    pub fn empty_since(&self) -> Option<SystemTime> {
        self.empty_since.map(Into::into)
    }

    /// Which seats may be returned to and until when, in the order of that.
    pub fn lost(&self) -> impl Iterator<Item = &(SystemTime, Claim)> {
        self.aside.iter().flat_map(|aside| &aside.lost)
    }
}

/// Whether both are the same in everything, the order of their people included.
impl PartialEq for Room {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
            && self.version == other.version
            && self.created_at == other.created_at
            && self.rules == other.rules
            && self.settings == other.settings
            && self.settled_at == other.settled_at
            && self.empty_since == other.empty_since
            && self.held_until() == other.held_until()
            && self.members().eq(other.members())
            && self.waiting().eq(other.waiting())
            && self.lost().eq(other.lost())
    }
}
