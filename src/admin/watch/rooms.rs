//! Rooms as they are at one moment, put together from rooms of many moments and the log of what happened meanwhile.

use std::{collections::BTreeMap, sync::Arc};

use prost::Message;

use crate::{
    admin::{
        convert::room::{member, room, waiting},
        etag::Etags,
        pb,
    },
    config::limits,
    id::RoomId,
    room::{Change, Event, Member, Room, Rules, Settings},
};

/// What a message counts in the one that holds it, beside its bytes: a field's number and a length.
const FIELD_BYTES: usize = 5;

/// See the module. First it gathers, then it is taken, page by page.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    rooms: BTreeMap<RoomId, Room>,
    /// The one whose members did not fit on a page, and the seat of the next.
    begun: Option<(Room, usize)>,
}

impl Rooms {
    /// A room as it was at any moment since the log was first looked at.
    pub(super) fn add(&mut self, room: Room) {
        self.rooms.insert(room.id().clone(), room);
    }

    /// The next event of the log since then.
    pub(super) fn apply(&mut self, id: &RoomId, event: &Event) {
        let Some(room) = self.rooms.get_mut(id) else {
            // It was gone, or not there yet, when it was looked for.
            if let Change::Created { settings } = &event.change {
                let mut room = Room::vacant(id.clone(), rules(Arc::clone(settings)));
                room.apply(event);
                self.add(room);
            }
            return;
        };
        if event.position > room.version() {
            room.apply(event);
            if !room.exists() {
                self.rooms.remove(id);
            }
        }
    }

    /// Leaves only those in which somebody sits or waits of whom `shows` wants to know.
    pub(super) fn retain(&mut self, shows: impl Fn(&Member) -> bool) {
        self.rooms.retain(|_, room| {
            let waiting = room.waiting().map(|waiter| &waiter.member);
            room.members().chain(waiting).any(|member| shows(member))
        });
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.rooms.len()
    }

    /// Takes the next page, in the order of names, of members of whom `shows` wants to know; none after the last.
    pub(super) fn take_page(
        &mut self,
        etags: Etags,
        shows: impl Fn(&Member) -> bool,
    ) -> Option<pb::watch_events_response::Snapshot> {
        let (mut page, mut bytes) = (Vec::new(), 0);
        while bytes < limits::SNAPSHOT_PAGE_BYTES {
            let next = || Some((self.rooms.pop_first()?.1, 0));
            let Some((room, seat)) = self.begun.take().or_else(next) else { break };
            let (part, next) =
                part(&room, seat, limits::SNAPSHOT_PAGE_BYTES - bytes, etags, &shows);
            bytes += part.encoded_len() + FIELD_BYTES;
            // One of whom nobody fits goes on another page, unless it would be alone here too.
            if next.is_none() || !part.members.is_empty() || page.is_empty() {
                page.push(part);
            }
            if let Some(seat) = next {
                self.begun = Some((room, seat));
                break;
            }
        }
        (!page.is_empty()).then_some(pb::watch_events_response::Snapshot { rooms: page })
    }
}

/// A room with those who sit from `seat` on, as many as fit in `most` bytes, and whose seat is the first that does not.
/// Those who wait go with the first seat. A page of its own is enough for all of them and one member.
fn part(
    room: &Room,
    seat: usize,
    most: usize,
    etags: Etags,
    shows: impl Fn(&Member) -> bool,
) -> (pb::Room, Option<usize>) {
    let summary = room.summary().expect("only rooms that exist are kept");
    let mut part = self::room(&summary, etags);
    if seat == 0 {
        let waiting = room.waiting().filter(|waiter| shows(&waiter.member));
        part.waiting = waiting.map(self::waiting).collect();
    }
    let mut bytes = part.encoded_len();
    if bytes > most {
        return (part, Some(seat));
    }
    let members = room.members().enumerate().skip(seat);
    for (seat, shown) in members.filter(|(_, member)| shows(member)) {
        let shown = member(shown);
        bytes += shown.encoded_len() + FIELD_BYTES;
        if bytes > most {
            return (part, Some(seat));
        }
        part.members.push(shown);
    }
    (part, None)
}

/// Nothing is decided here, so they make no difference.
fn rules(new_room: Arc<Settings>) -> Arc<Rules> {
    Arc::new(Rules { new_room, first_is_host: false })
}

#[cfg(test)]
mod tests;
