//! What a room is, what it allows, and how it changes.

use std::{sync::Arc, time::SystemTime};

use indexmap::IndexMap;

use super::{Change, Command, Denied, Event, LeaveReason, Position};
use crate::id::{ClientId, DisplayName, IdHasher, RoomId, UserId};

/// A room, or the vacancy where one may come to be.
#[derive(Debug, Clone)]
pub struct Room {
    id: RoomId,
    version: Position,
    created_at: SystemTime,
    defaults: Arc<Settings>,
    settings: Settings,
    members_by_id: IndexMap<ClientId, Arc<Member>, IdHasher>,
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
}

/// A room without its members' particulars.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Its name.
    pub id: RoomId,
    /// The position of its last event.
    pub version: Position,
    /// When its first member made it.
    pub created_at: SystemTime,
    /// What holds for it.
    pub settings: Settings,
    /// How many sit in it.
    pub member_count: usize,
}

/// Whoever sits in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The connection.
    pub client_id: ClientId,
    /// The names it goes by.
    pub identity: Identity,
    /// What it said of itself on joining: JSON text, opaque here.
    pub metadata: Option<Arc<str>>,
    /// When it took its seat.
    pub joined_at: SystemTime,
}

impl Member {
    /// About how many bytes of text it holds.
    pub fn weight(&self) -> usize {
        let Identity { user_id, display_name } = &self.identity;
        user_id.as_ref().map_or(0, |id| id.as_str().len())
            + display_name.as_ref().map_or(0, |name| name.as_str().len())
            + self.metadata.as_ref().map_or(0, |json| json.len())
    }
}

/// The names a client goes by; none until it registers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// Its own name for itself.
    pub user_id: Option<UserId>,
    /// What to show to people.
    pub display_name: Option<DisplayName>,
}

impl Room {
    /// A room that does not exist yet; `defaults` become its settings when its first member makes it.
    pub fn vacant(id: RoomId, defaults: Arc<Settings>) -> Self {
        Self {
            id,
            version: Position::ZERO,
            created_at: SystemTime::UNIX_EPOCH,
            settings: Settings::clone(&defaults),
            defaults,
            members_by_id: IndexMap::default(),
        }
    }

    /// What `command` changes, in order, or why it may not. Changes nothing itself.
    ///
    /// # Errors
    /// [`Denied`], if a rule of the room stands against it. [`Command::Leave`] is never denied.
    pub fn decide(&self, command: Command, now: SystemTime) -> Result<Vec<Change>, Denied> {
        match command {
            Command::Join { client_id, identity, metadata } => {
                let member = Member { client_id, identity, metadata, joined_at: now };
                self.decide_join(member)
            }
            Command::Leave { client_id, reason } => Ok(self.decide_leave(client_id, reason)),
            Command::Rename { client_id, identity } => self.decide_rename(client_id, identity),
            Command::Lock { locked } => self.decide_lock(locked),
        }
    }

    fn decide_join(&self, member: Member) -> Result<Vec<Change>, Denied> {
        let mut changes = Vec::with_capacity(2);
        if !self.exists() {
            changes.push(Change::Created { settings: Settings::clone(&self.defaults) });
        } else if let Some(seated) = self.members_by_id.get(&member.client_id) {
            changes.push(left(seated, LeaveReason::Rejoined));
        } else if self.members_by_id.len() >= self.settings.max_members {
            return Err(Denied::Full);
        } else if self.settings.locked {
            return Err(Denied::Locked);
        }
        changes.push(Change::Joined(Arc::new(member)));
        Ok(changes)
    }

    fn decide_leave(&self, client_id: ClientId, reason: LeaveReason) -> Vec<Change> {
        let Some(member) = self.members_by_id.get(&client_id) else { return Vec::new() };
        let mut changes = vec![left(member, reason)];
        if self.members_by_id.len() == 1 {
            changes.push(Change::Closed);
        }
        changes
    }

    fn decide_rename(&self, id: ClientId, identity: Identity) -> Result<Vec<Change>, Denied> {
        let member = self.members_by_id.get(&id).ok_or(Denied::NotAMember)?;
        if member.identity == identity {
            return Ok(Vec::new());
        }
        Ok(vec![Change::Renamed(Arc::new(Member { identity, ..Member::clone(member) }))])
    }

    fn decide_lock(&self, locked: bool) -> Result<Vec<Change>, Denied> {
        if !self.exists() {
            return Err(Denied::NoSuchRoom);
        }
        Ok(match (self.settings.locked, locked) {
            (false, true) => vec![Change::Locked],
            (true, false) => vec![Change::Unlocked],
            (true, true) | (false, false) => Vec::new(),
        })
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
                self.settings = settings.clone();
                self.created_at = event.at;
            }
            Change::Joined(member) | Change::Renamed(member) => {
                self.members_by_id.insert(member.client_id, Arc::clone(member));
            }
            Change::Locked => self.settings.locked = true,
            Change::Unlocked => self.settings.locked = false,
            Change::Left { client_id, .. } => {
                self.members_by_id.shift_remove(client_id);
            }
            Change::Closed => {
                *self = Self::vacant(self.id.clone(), Arc::clone(&self.defaults));
                return;
            }
        }
        self.version = event.position;
    }

    /// Its name.
    pub fn id(&self) -> &RoomId {
        &self.id
    }

    /// The position of its last event; zero if it does not exist.
    pub fn version(&self) -> Position {
        self.version
    }

    /// Whether anybody sits in it.
    pub fn exists(&self) -> bool {
        self.version != Position::ZERO
    }

    /// The room without its members' particulars; none if it does not exist.
    pub fn summary(&self) -> Option<Summary> {
        self.exists().then(|| Summary {
            id: self.id.clone(),
            version: self.version,
            created_at: self.created_at,
            settings: self.settings.clone(),
            member_count: self.members_by_id.len(),
        })
    }

    /// What holds for it now.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where in join order a client sits, from 0 on.
    pub fn seat_of(&self, client_id: ClientId) -> Option<usize> {
        self.members_by_id.get_index_of(&client_id)
    }

    /// Who sits in it, in join order.
    pub fn members(&self) -> impl ExactSizeIterator<Item = &Arc<Member>> {
        self.members_by_id.values()
    }
}

fn left(member: &Member, reason: LeaveReason) -> Change {
    let user_id = member.identity.user_id.clone();
    Change::Left { client_id: member.client_id, user_id, reason }
}
