//! Which rooms are followed, where the log has their entries, and who is to be told of new ones. What happens
//! in a room that nobody named costs one look-up, and wakes nobody.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use itertools::Itertools;
use tokio::sync::Notify;

use super::Lost;
use crate::{event::Position, id::RoomId};

/// See the module. It is a part of the log, under the log's lock.
#[derive(Debug, Default)]
pub(super) struct Index {
    rooms: HashMap<RoomId, Followed>,
    followers: HashMap<Key, Following>,
    keys: Key,
    /// Rooms with entries that their followers were not told of, each once.
    grown: VecDeque<RoomId>,
    /// Who is to be woken once everything up to a position was told.
    flagged: Vec<Key>,
    /// Whatever follows this is not shown to anybody yet: some other room's event may come before it.
    told: Position,
}

/// One follower's name in the index.
pub(super) type Key = u64;

/// A room that somebody follows.
#[derive(Debug, Default)]
struct Followed {
    /// Its entries in the log since then, in order.
    positions: VecDeque<Position>,
    /// The last of those that the log keeps no more.
    lost: Position,
    has_grown: bool,
    followers: BTreeSet<Key>,
}

#[derive(Debug)]
struct Following {
    rooms: Vec<RoomId>,
    /// The rooms it was told of and has not read to their end.
    unread: BTreeSet<RoomId>,
    is_flagged: bool,
    woken: Arc<Notify>,
}

impl Index {
    /// Whether nobody follows any room by its name.
    pub(super) fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }

    pub(super) fn is_followed_by(&self, id: &RoomId, key: Key) -> bool {
        self.rooms.get(id).is_some_and(|room| room.followers.contains(&key))
    }

    /// Enters a follower, and gives it what wakes it.
    pub(super) fn follow(&mut self, rooms: BTreeSet<RoomId>) -> (Key, Arc<Notify>) {
        let key = self.keys;
        self.keys += 1;
        // A name is kept once, however many follow its room.
        let rooms = rooms.into_iter().map(|id| self.enter(id, key)).collect();
        let woken = Arc::<Notify>::default();
        let following = Following {
            rooms,
            unread: BTreeSet::new(),
            is_flagged: false,
            woken: Arc::clone(&woken),
        };
        self.followers.insert(key, following);
        (key, woken)
    }

    fn enter(&mut self, id: RoomId, key: Key) -> RoomId {
        let entry = self.rooms.entry(id);
        let kept = entry.key().clone();
        entry.or_default().followers.insert(key);
        kept
    }

    pub(super) fn unfollow(&mut self, key: Key) {
        let Some(following) = self.followers.remove(&key) else { return };
        for id in following.rooms {
            let Some(room) = self.rooms.get_mut(&id) else { continue };
            room.followers.remove(&key);
            if room.followers.is_empty() {
                self.rooms.remove(&id);
            }
        }
    }

    /// The log has a new entry.
    pub(super) fn push(&mut self, id: &RoomId, position: Position) {
        let Some(room) = self.rooms.get_mut(id) else { return };
        room.positions.push_back(position);
        if !room.has_grown {
            room.has_grown = true;
            self.grown.push_back(id.clone());
        }
    }

    /// The log gave up an entry, the oldest.
    pub(super) fn trim(&mut self, id: &RoomId, position: Position) {
        let Some(room) = self.rooms.get_mut(id) else { return };
        // What happened before anybody followed the room is not in its list.
        if room.positions.pop_front_if(|oldest| *oldest == position).is_some() {
            room.lost = position;
            // What a busy hour took would stay, for each room.
            if room.positions.len() < room.positions.capacity() / 4 {
                room.positions.shrink_to(2 * room.positions.len());
            }
        }
    }

    /// How many rooms have news now.
    pub(super) fn grown(&self) -> usize {
        self.grown.len()
    }

    /// Notes the news of one room for its followers.
    pub(super) fn tell_one(&mut self) {
        let Some(id) = self.grown.pop_front() else { return };
        // Its followers may all be gone since, or others have come.
        let Some(room) = self.rooms.get_mut(&id) else { return };
        room.has_grown = false;
        for key in &room.followers {
            let Some(following) = self.followers.get_mut(key) else { continue };
            following.unread.insert(id.clone());
            if !following.is_flagged {
                following.is_flagged = true;
                self.flagged.push(*key);
            }
        }
    }

    /// All rooms' news up to `head` are noted, if there were any: from now on they can be read, and who has none is
    /// that far. Returns what wakes those whom it concerns.
    pub(super) fn told(&mut self, head: Position) -> Vec<Arc<Notify>> {
        self.told = self.told.max(head);
        let wake = |key| {
            let following = self.followers.get_mut(&key)?;
            following.is_flagged = false;
            Some(Arc::clone(&following.woken))
        };
        self.flagged.drain(..).filter_map(wake).collect()
    }

    /// The log begins anew, behind `head`. Returns what wakes all followers, who have nothing to read any more.
    pub(super) fn begin_anew(&mut self, head: Position) -> Vec<Arc<Notify>> {
        self.told = head;
        self.followers.values().map(|following| Arc::clone(&following.woken)).collect()
    }

    /// At most `max` positions of a follower's rooms after `cursor`, in order, and where the cursor stands
    /// when they are read.
    pub(super) fn read(
        &mut self,
        key: Key,
        cursor: Position,
        max: usize,
    ) -> Result<(Vec<Position>, Position), Lost> {
        let Some(following) = self.followers.get_mut(&key) else { return Ok((vec![], cursor)) };
        let unread = || following.unread.iter().filter_map(|id| self.rooms.get(id));
        if unread().any(|room| room.lost > cursor) {
            return Err(Lost::Trimmed { cursor });
        }
        let after = unread().map(|room| room.after(cursor)).kmerge();
        let positions: Vec<_> =
            after.take_while(|position| *position <= self.told).take(max).collect();
        let cursor = match positions.last() {
            Some(last) if positions.len() == max => *last,
            _ => cursor.max(self.told),
        };
        let has_more = |id: &RoomId| self.rooms.get(id).is_some_and(|room| room.ends_after(cursor));
        following.unread.retain(has_more);
        Ok((positions, cursor))
    }
}

impl Followed {
    fn after(&self, cursor: Position) -> impl Iterator<Item = Position> {
        let start = self.positions.partition_point(|position| *position <= cursor);
        self.positions.range(start..).copied()
    }

    fn ends_after(&self, cursor: Position) -> bool {
        self.positions.back().is_some_and(|last| *last > cursor)
    }
}
