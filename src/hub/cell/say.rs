//! What is said in a room, and changes nothing.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use tokio::time::Instant;

use super::{Inner, RoomCell};
use crate::{
    config::limits,
    event::Position,
    hub::{Client, NotFound, outbox::Entry},
    id::{ClientId, Incarnation, RoomId},
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

/// What another server has for members who are connected to this one.
#[derive(Debug)]
pub(in crate::hub) struct Said {
    pub(in crate::hub) room_id: RoomId,
    /// See [`Away`].
    pub(in crate::hub) at: Position,
    /// None: an administrator.
    pub(in crate::hub) from: Option<ClientId>,
    /// None: all.
    pub(in crate::hub) to: Option<ClientId>,
    pub(in crate::hub) but: BTreeSet<ClientId>,
    pub(in crate::hub) frame: Frame,
}

/// What came before its time, in its order, and when.
#[derive(Debug, Default)]
pub(super) struct Kept {
    said: VecDeque<(Said, Instant)>,
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

    /// Hands on what another server has for members here, as soon as the room is as it was there: so nobody hears a
    /// signal before it hears of its sender. Returns whether it is kept until then, as the first one.
    pub(in crate::hub) fn deliver(&self, said: Said) -> bool {
        let mut inner = self.inner.lock();
        if !inner.is_late(&said) {
            inner.hand_on(said);
            return false;
        }
        let Some(replica) = &mut inner.replica else { return false };
        let is_first = replica.kept.said.is_empty();
        replica.kept.push(said);
        is_first
    }

    /// Since when the first signal is kept, if any is.
    pub(in crate::hub) fn kept_since(&self) -> Option<Instant> {
        self.inner.lock().replica().kept.said.front().map(|(_, since)| *since)
    }

    /// Hands on what is kept since then, or longer: what it waits for is known, or was lost. Returns whether those here see
    /// what the log has; otherwise nothing is handed on.
    pub(in crate::hub) fn hand_on_since(&self, since: Instant) -> bool {
        let mut inner = self.inner.lock();
        if inner.is_split() || !inner.replica().is_loaded() {
            return false;
        }
        while let Some(said) = inner.replica().kept.take_since(since) {
            inner.hand_on(said);
        }
        inner.hand_on_kept();
        true
    }
}

impl Kept {
    fn push(&mut self, said: Said) {
        // The room may have ended before it came.
        if self.said.len() >= limits::MOTIONS {
            self.said.pop_front();
        }
        self.said.push_back((said, Instant::now()));
    }

    fn take_since(&mut self, since: Instant) -> Option<Said> {
        self.said.pop_front_if(|(_, came)| *came <= since).map(|(said, _)| said)
    }

    /// The first that is too early keeps all others back.
    fn take_known(&mut self, shown: Position) -> Option<Said> {
        self.said.pop_front_if(|(said, _)| said.at <= shown).map(|(said, _)| said)
    }
}

impl Inner {
    /// Hands on what came before its time, as far as that has come.
    pub(super) fn hand_on_kept(&mut self) {
        let shown = self.replica.as_ref().map(|replica| replica.shows(self.room.version()));
        while let (Some(replica), Some(shown)) = (&mut self.replica, shown)
            && let Some(said) = replica.kept.take_known(shown)
        {
            self.hand_on(said);
        }
    }

    /// Whether the room is not as far as it was where this comes from, or what came before this waits for that.
    fn is_late(&self, said: &Said) -> bool {
        self.replica.as_ref().is_some_and(|replica| {
            let shown = replica.shows(self.room.version());
            !replica.is_loaded() || !replica.kept.said.is_empty() || shown < said.at
        })
    }

    fn hand_on(&self, said: Said) {
        let Said { from, to, but, frame, .. } = said;
        // Both must sit here now, as for a signal from this server.
        if from.is_some_and(|from| self.room.seat_of(from).is_none()) {
            return;
        }
        let is_meant = |client: &&Arc<Client>| {
            to.is_none_or(|to| to == client.id)
                && from != Some(client.id)
                && !but.contains(&client.id)
        };
        for client in self.here().filter(is_meant) {
            client.push(Entry::Frame(frame.clone()));
        }
    }

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
        self.replica.as_ref()?;
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_later_is_not_among_what_was_kept() {
        let said = |at| Said {
            room_id: "r".parse().unwrap(),
            at: Position(at),
            from: None,
            to: None,
            but: BTreeSet::new(),
            frame: Frame::of_other(""),
        };
        let at = |said: Option<Said>| said.map(|said| said.at.0);
        let mut kept = Kept::default();
        kept.push(said(5));
        kept.push(said(6));
        let then = Instant::now();
        advance(Duration::from_millis(1)).await;
        assert_eq!(at(kept.take_known(Position(4))), None);
        assert_eq!(at(kept.take_known(Position(5))), Some(5));
        kept.push(said(7));
        assert_eq!(at(kept.take_since(then)), Some(6));
        assert_eq!(at(kept.take_since(then)), None);
        assert_eq!(at(kept.take_since(Instant::now())), Some(7));
    }
}
