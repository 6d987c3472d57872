//! What administrators do to a room and to those who sit in it.

use std::{sync::Arc, time::SystemTime};

use super::{CellClosed, Departed, RoomCell};
use crate::{
    event::{Administrator, Cause, Position},
    hub::{Client, Ending, Hub, outbox::Entry},
    id::ClientId,
    protocol::{Code, Frame},
    room::{Command, Denied, LeaveReason, Settings, Summary},
};

impl RoomCell {
    /// Makes the room ahead of its members.
    pub(in crate::hub) fn create(
        &self,
        hub: &Hub,
        by: &Administrator,
        settings: Settings,
        now: SystemTime,
    ) -> Result<Result<Summary, Denied>, CellClosed> {
        let mut inner = self.inner.lock();
        if inner.closed {
            return Err(CellClosed);
        }
        let command = Command::Create { settings };
        let created = inner.commit(hub, command, by.into(), now);
        Ok(created.and_then(|()| inner.room.summary().ok_or(Denied::NoSuchRoom)))
    }

    /// Ends the room, and the connections of its members after this `word`.
    pub(in crate::hub) fn close(
        &self,
        hub: &Hub,
        by: &Administrator,
        settled_at: Option<Position>,
        word: &Frame,
        now: SystemTime,
    ) -> Result<(), Denied> {
        let mut inner = self.inner.lock();
        let clients = inner.clients.clone();
        inner.commit(hub, Command::Close { settled_at }, by.into(), now)?;
        // Under the room's lock, so that none of them takes another seat first.
        for client in clients {
            if client.outbox.end_after(Entry::Frame(word.clone()), Ending::RoomClosed) {
                hub.metrics.refusal(Code::RoomClosed);
            }
        }
        Ok(())
    }

    /// Ends what has its time in the room: that somebody waits, or the room itself, if it was empty for long enough.
    /// Returns whether it is closed.
    pub(in crate::hub) fn expire(&self, hub: &Hub, now: SystemTime) -> bool {
        let mut inner = self.inner.lock();
        if inner.room.due_at().is_some_and(|at| at <= now) {
            inner.room.forget(now);
            let expired = inner.commit(hub, Command::Expire, Cause::Timer.into(), now);
            expired.expect("the end of a time is never denied");
        }
        inner.closed
    }

    /// Ends the room if nobody sits in it, since the server stops. Returns whether it is closed.
    pub(in crate::hub) fn end_empty(&self, hub: &Hub, now: SystemTime) -> bool {
        let mut inner = self.inner.lock();
        if inner.room.exists() && inner.clients.is_empty() {
            let close = Command::Close { settled_at: None };
            inner.commit(hub, close, Cause::Server.into(), now).expect("it exists");
        }
        inner.closed
    }

    /// Frees the seat of somebody who did not ask for that, and is told so with `word` before it can take another seat;
    /// or ends its waiting.
    pub(in crate::hub) fn unseat(
        &self,
        hub: &Hub,
        cause: Cause,
        client: &Arc<Client>,
        reason: LeaveReason,
        (code, word): (Code, Frame),
        now: SystemTime,
    ) -> Departed {
        let mut inner = self.inner.lock();
        let sits_here = inner.room.seat_of(client.id).is_some();
        let departed = inner.depart(hub, client.id, reason, cause, now);
        if sits_here {
            client.push(Entry::Frame(word));
            hub.metrics.refusal(code);
        }
        departed
    }

    /// Ends a member's connection after this word, with its code, and frees its seat. Returns whether it sits here.
    pub(in crate::hub) fn disconnect(
        &self,
        hub: &Hub,
        cause: Cause,
        client: &Arc<Client>,
        ending: Ending,
        (code, word): (Code, Frame),
        now: SystemTime,
    ) -> bool {
        let mut inner = self.inner.lock();
        let sits_here = inner.room.seat_of(client.id).is_some();
        if sits_here {
            if client.outbox.end_after(Entry::Frame(word), ending) {
                hub.metrics.refusal(code);
            }
            inner.depart(hub, client.id, ending.leave_reason(), cause, now);
        }
        sits_here
    }

    /// Who is meant of those who sit here or wait.
    pub(in crate::hub) fn people(&self, is_meant: impl Fn(&Client) -> bool) -> Vec<Arc<Client>> {
        let inner = self.inner.lock();
        let waiting = inner.waiting.iter().map(|knocker| &knocker.arrival.client);
        inner.clients.iter().chain(waiting).filter(|client| is_meant(client)).cloned().collect()
    }

    /// Hands a message to every member but those who are left out, and counts them.
    pub(in crate::hub) fn announce(
        &self,
        frame: &Frame,
        is_left_out: impl Fn(ClientId) -> bool,
    ) -> Result<usize, CellClosed> {
        let inner = self.inner.lock();
        if !inner.room.exists() {
            return Err(CellClosed);
        }
        let meant = inner.clients.iter().filter(|client| !is_left_out(client.id));
        Ok(meant.map(|client| client.push(Entry::Frame(frame.clone()))).count())
    }
}
