//! What is said in a room, and changes nothing.

use std::sync::Arc;

use super::{Inner, RoomCell};
use crate::{
    event::Position,
    hub::{Client, NotFound, outbox::Entry},
    id::{ClientId, Incarnation},
    protocol::{Frame, Reply},
    room::{By, Denied},
};

/// Why a signal went nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::hub) enum Unroutable {
    /// The sender sits here no more.
    SenderNotSeated,
    /// The target does not sit here.
    TargetNotSeated,
}

/// Members who are connected to other servers of the fleet, and are still to be told something.
#[derive(Debug)]
pub(in crate::hub) struct Away {
    /// To which ones, each once.
    pub(in crate::hub) nodes: Vec<Incarnation>,
    /// How many members that are.
    pub(in crate::hub) members: usize,
    /// The version of the room in which they sit there.
    pub(in crate::hub) at: Position,
    /// What.
    pub(in crate::hub) frame: Frame,
}

impl RoomCell {
    /// Hands a signal to one room-mate, unless that is away.
    pub(in crate::hub) fn route(
        &self,
        from: ClientId,
        to: ClientId,
        frame: Frame,
    ) -> Result<Option<Away>, Unroutable> {
        let inner = self.inner.lock();
        let sender = inner.sender(from)?;
        let target = inner.room.seat_of(to).ok_or(Unroutable::TargetNotSeated)?;
        Ok(inner.hand(target, sender, frame))
    }

    /// Hands a message to every room-mate, unless that is away.
    pub(in crate::hub) fn fan_out(
        &self,
        from: ClientId,
        frame: Frame,
    ) -> Result<Option<Away>, Unroutable> {
        let inner = self.inner.lock();
        let sender = inner.sender(from)?;
        for client in inner.here().filter(|client| client.id != from) {
            client.push_from(sender, Entry::Frame(frame.clone()));
        }
        Ok(inner.away(frame, |_| true))
    }

    /// Has a member know that a host wants it to be silent, unless that is away.
    pub(in crate::hub) fn ask_to_mute(
        &self,
        host: &Arc<Client>,
        target: ClientId,
    ) -> Result<Option<Away>, Denied> {
        let request = Reply::MuteRequested { from_id: host.id }.encode();
        let inner = self.inner.lock();
        inner.room.may(By::Client(host.id))?;
        let seat = inner.room.seat_of(target).ok_or(Denied::NotAMember)?;
        Ok(inner.hand(seat, host, request))
    }

    /// Hands a message to every member but those who are left out or away, and counts them.
    pub(in crate::hub) fn announce(
        &self,
        frame: Frame,
        is_left_out: impl Fn(ClientId) -> bool,
    ) -> Result<(usize, Option<Away>), NotFound> {
        let inner = self.inner.lock();
        if !inner.room.exists() {
            return Err(NotFound::Room);
        }
        let meant = inner.here().filter(|client| !is_left_out(client.id));
        let here = meant.map(|client| client.push(Entry::Frame(frame.clone()))).count();
        Ok((here, inner.away(frame, |client_id| !is_left_out(client_id))))
    }
}

impl Inner {
    fn sender(&self, from: ClientId) -> Result<&Arc<Client>, Unroutable> {
        let seat = self.room.seat_of(from).ok_or(Unroutable::SenderNotSeated)?;
        self.clients[seat].as_ref().ok_or(Unroutable::SenderNotSeated)
    }

    fn hand(&self, seat: usize, sender: &Arc<Client>, frame: Frame) -> Option<Away> {
        if let Some(client) = &self.clients[seat] {
            client.push_from(sender, Entry::Frame(frame));
            return None;
        }
        let node = self.room.members().nth(seat).map(|member| member.node);
        let nodes = node.into_iter().collect();
        Some(Away { nodes, members: 1, at: self.room.version(), frame })
    }

    fn away(&self, frame: Frame, is_meant: impl Fn(ClientId) -> bool) -> Option<Away> {
        if self.replica.is_none() {
            return None;
        }
        let (mut nodes, mut members) = (Vec::new(), 0);
        let people = self.room.members().zip(&self.clients).filter(|(_, client)| client.is_none());
        for (member, _) in people.filter(|(member, _)| is_meant(member.client_id)) {
            members += 1;
            if !nodes.contains(&member.node) {
                nodes.push(member.node);
            }
        }
        (members > 0).then(|| Away { nodes, members, at: self.room.version(), frame })
    }
}
