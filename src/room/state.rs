//! What a room is, what it allows, and how it changes.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use indexmap::IndexMap;

use super::{Change, Command, Denied, Event, LeaveReason, Update};
use crate::{
    event::Position,
    id::{ClientId, DisplayName, IdHasher, RoomId, UserId},
};

/// A room, or the vacancy where one may come to be.
#[derive(Debug, Clone)]
pub struct Room {
    id: RoomId,
    version: Position,
    created_at: SystemTime,
    defaults: Arc<Settings>,
    settings: Settings,
    settled_at: Position,
    empty_since: Option<SystemTime>,
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
    /// How long it stays while it is empty; zero: it ends with its last member.
    pub empty_timeout: Duration,
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
    pub settings: Settings,
    /// The position of the event that made its settings what they are.
    pub settled_at: Position,
    /// When it ends if it stays empty; none while it has members.
    pub expires_at: Option<SystemTime>,
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
            settled_at: Position::ZERO,
            empty_since: None,
            members_by_id: IndexMap::default(),
        }
    }

    /// What `command` changes, in order, or why it may not. Changes nothing itself.
    ///
    /// # Errors
    /// [`Denied`], if a rule of the room stands against it. [`Command::Leave`] is never denied.
    pub fn decide(&self, command: Command, now: SystemTime) -> Result<Vec<Change>, Denied> {
        match command {
            Command::Join { client_id, identity, metadata, banned } => {
                let member = Member { client_id, identity, metadata, joined_at: now };
                self.decide_join(member, banned)
            }
            Command::Leave { client_id, reason } => Ok(self.decide_leave(client_id, reason)),
            Command::Rename { client_id, identity, banned } => {
                self.decide_rename(client_id, identity, banned)
            }
            Command::Create { settings } => self.decide_create(settings),
            Command::Update { update, settled_at } => self.decide_update(update, settled_at),
            Command::Lock { locked, settled_at } => self.decide_lock(locked, settled_at),
            Command::Close { settled_at } => self.decide_close(settled_at),
            Command::Expire => Ok(self.decide_expire(now)),
        }
    }

    fn decide_join(&self, member: Member, banned: bool) -> Result<Vec<Change>, Denied> {
        if banned {
            return Err(Denied::Banned);
        }
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
        if self.members_by_id.len() == 1 && self.settings.empty_timeout.is_zero() {
            changes.push(Change::Closed);
        }
        changes
    }

    fn decide_rename(
        &self,
        id: ClientId,
        identity: Identity,
        banned: bool,
    ) -> Result<Vec<Change>, Denied> {
        let member = self.members_by_id.get(&id).ok_or(Denied::NotAMember)?;
        if banned {
            return Err(Denied::Banned);
        }
        if member.identity == identity {
            return Ok(Vec::new());
        }
        let previous = member.identity.user_id.clone();
        let member = Arc::new(Member { identity, ..Member::clone(member) });
        Ok(vec![Change::Renamed { member, previous }])
    }

    fn decide_create(&self, settings: Settings) -> Result<Vec<Change>, Denied> {
        if self.exists() {
            return Err(Denied::Exists);
        }
        Ok(vec![Change::Created { settings }])
    }

    fn decide_update(
        &self,
        update: Update,
        settled_at: Option<Position>,
    ) -> Result<Vec<Change>, Denied> {
        self.is_meant(settled_at)?;
        let now = &self.settings;
        let settings = Settings {
            max_members: update.max_members.unwrap_or(now.max_members),
            locked: now.locked,
            metadata: update.metadata.unwrap_or_else(|| Arc::clone(&now.metadata)),
            empty_timeout: update.empty_timeout.unwrap_or(now.empty_timeout),
        };
        let changes = (settings != *now).then_some(Change::Updated { settings });
        Ok(changes.into_iter().collect())
    }

    fn decide_lock(
        &self,
        locked: bool,
        settled_at: Option<Position>,
    ) -> Result<Vec<Change>, Denied> {
        self.is_meant(settled_at)?;
        Ok(match (self.settings.locked, locked) {
            (false, true) => vec![Change::Locked],
            (true, false) => vec![Change::Unlocked],
            (true, true) | (false, false) => Vec::new(),
        })
    }

    fn decide_close(&self, settled_at: Option<Position>) -> Result<Vec<Change>, Denied> {
        self.is_meant(settled_at)?;
        let members = self.members_by_id.values();
        let leaving = members.map(|member| left(member, LeaveReason::RoomClosed));
        Ok(leaving.chain([Change::Closed]).collect())
    }

    fn decide_expire(&self, now: SystemTime) -> Vec<Change> {
        let due = self.expires_at().is_some_and(|at| at <= now);
        due.then_some(Change::Closed).into_iter().collect()
    }

    /// Whether it exists, with the settings that a command is meant for.
    fn is_meant(&self, settled_at: Option<Position>) -> Result<(), Denied> {
        if !self.exists() {
            return Err(Denied::NoSuchRoom);
        }
        match settled_at {
            Some(meant) if meant != self.settled_at => Err(Denied::Changed),
            _ => Ok(()),
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
                self.settings = settings.clone();
                self.created_at = event.at;
                self.settled_at = event.position;
                self.empty_since = Some(event.at);
            }
            Change::Joined(member) => {
                self.members_by_id.insert(member.client_id, Arc::clone(member));
                self.empty_since = None;
            }
            Change::Renamed { member, .. } => {
                self.members_by_id.insert(member.client_id, Arc::clone(member));
            }
            Change::Updated { settings } => {
                self.settings = settings.clone();
                self.settled_at = event.position;
            }
            Change::Locked | Change::Unlocked => {
                self.settings.locked = matches!(event.change, Change::Locked);
                self.settled_at = event.position;
            }
            Change::Left { client_id, .. } => {
                self.members_by_id.shift_remove(client_id);
                if self.members_by_id.is_empty() {
                    self.empty_since = Some(event.at);
                }
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

    /// Whether it came to be, and did not end.
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
            settled_at: self.settled_at,
            expires_at: self.expires_at(),
            member_count: self.members_by_id.len(),
        })
    }

    /// When it ends if it stays empty; none while it has members, or where it does not exist.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.empty_since?.checked_add(self.settings.empty_timeout)
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
