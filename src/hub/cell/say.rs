//! What is said in a room, and changes nothing.

use std::sync::Arc;

use super::RoomCell;
use crate::{
    hub::{Client, NotFound, outbox::Entry},
    id::ClientId,
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

impl RoomCell {
    /// Hands a signal to one room-mate.
    pub(in crate::hub) fn route(
        &self,
        from: ClientId,
        to: ClientId,
        frame: Frame,
    ) -> Result<(), Unroutable> {
        let inner = self.inner.lock();
        let sender = inner.room.seat_of(from).ok_or(Unroutable::SenderNotSeated)?;
        let target = inner.room.seat_of(to).ok_or(Unroutable::TargetNotSeated)?;
        inner.clients[target].push_from(&inner.clients[sender], Entry::Frame(frame));
        Ok(())
    }

    /// Hands a message to every room-mate.
    pub(in crate::hub) fn fan_out(&self, from: ClientId, frame: &Frame) -> Result<(), Unroutable> {
        let inner = self.inner.lock();
        let sender = inner.room.seat_of(from).ok_or(Unroutable::SenderNotSeated)?;
        let sender = &inner.clients[sender];
        for client in inner.clients.iter().filter(|client| client.id != from) {
            client.push_from(sender, Entry::Frame(frame.clone()));
        }
        Ok(())
    }

    /// Has a member know that a host wants it to be silent.
    pub(in crate::hub) fn ask_to_mute(
        &self,
        host: &Arc<Client>,
        target: ClientId,
    ) -> Result<(), Denied> {
        let request = Reply::MuteRequested { from_id: host.id }.encode();
        let inner = self.inner.lock();
        inner.room.may(By::Client(host.id))?;
        let seat = inner.room.seat_of(target).ok_or(Denied::NotAMember)?;
        inner.clients[seat].push_from(host, Entry::Frame(request));
        Ok(())
    }

    /// Hands a message to every member but those who are left out, and counts them.
    pub(in crate::hub) fn announce(
        &self,
        frame: &Frame,
        is_left_out: impl Fn(ClientId) -> bool,
    ) -> Result<usize, NotFound> {
        let inner = self.inner.lock();
        if !inner.room.exists() {
            return Err(NotFound::Room);
        }
        let meant = inner.clients.iter().filter(|client| !is_left_out(client.id));
        Ok(meant.map(|client| client.push(Entry::Frame(frame.clone()))).count())
    }
}
