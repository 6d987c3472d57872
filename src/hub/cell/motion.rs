//! What is put before a room: a command, who or what brings it about, and what those hear whom it concerns.

use std::{sync::Arc, time::SystemTime};

use super::{Arrival, Inner, Knocker};
use crate::{
    ban::{Ban, Bans, Subject},
    event::{Administrator, Cause, Position},
    hub::{Client, Ending, Hub, client::Names},
    id::ClientId,
    protocol::Code,
    room::{
        By, Change, Command, Denied, Identity, LeaveReason, Proof, Role, Summary, Vouched, Waiter,
    },
};

/// See the module.
#[derive(Debug)]
pub(in crate::hub) struct Motion {
    pub(super) command: Command,
    pub(super) cause: Cause,
    /// Whoever asks for a seat.
    pub(super) arrival: Option<Arc<Arrival>>,
    /// Whoever is not listened to while the others have more news to take than they can.
    pub(super) client: Option<Arc<Client>>,
    /// What those hear who lose their seats by it.
    pub(super) word: Option<Word>,
    /// What the client goes by as soon as the log has it.
    pub(super) names: Option<Arc<Names>>,
}

/// What somebody hears who loses its seat by the will of others.
#[derive(Debug, Clone)]
pub(in crate::hub) struct Word {
    pub(super) code: Code,
    /// In these words for people, or in the usual ones.
    pub(super) text: Option<Arc<str>>,
    /// How its connection ends then; none: it stays.
    pub(super) ending: Option<Ending>,
}

/// What became of a motion.
#[derive(Debug, Clone)]
pub(in crate::hub) struct Done {
    /// Whether anything changed.
    pub(in crate::hub) changed: bool,
    /// Up to where the log was known then.
    pub(in crate::hub) at: Position,
    /// The room as it was then, for an administrator, unless it ended.
    pub(in crate::hub) room: Option<Box<Summary>>,
}

/// Why a motion came to nothing.
#[derive(Debug, Clone)]
pub(in crate::hub) enum Refused {
    /// The room does not want it.
    Denied(Denied),
    /// A ban stands against whom it is about.
    Banned(Arc<Ban>),
    /// The connection of whoever asks is at its end.
    Ending,
    /// The cell's room ended. Another cell may stand in its place.
    CellClosed,
    /// The room is shared with other servers, and what they share cannot be reached, or too much waits for it.
    Unavailable,
    /// The same, and it may have been done.
    Unsettled,
}

impl Refused {
    /// Whether it may come about all the same.
    pub(in crate::hub) fn is_open(&self) -> bool {
        matches!(self, Self::Unsettled)
    }

    /// A room's refusal, beside the ban that stands against whom it is about.
    pub(super) fn of(denied: Denied, ban: Option<Arc<Ban>>) -> Self {
        match ban {
            Some(ban) if denied == Denied::Banned => Self::Banned(ban),
            _ => Self::Denied(denied),
        }
    }
}

/// Whoever wants something that not everybody may.
#[derive(Debug, Clone, Copy)]
pub(in crate::hub) enum Commander<'a> {
    /// May all.
    Administrator(&'a Administrator),
    /// Must be a host.
    Client(&'a Arc<Client>),
}

impl Commander<'_> {
    pub(in crate::hub) fn by(self) -> By {
        match self {
            Self::Administrator(_) => By::Administrator,
            Self::Client(client) => By::Client(client.id),
        }
    }
}

impl Motion {
    /// Take a seat, or wait for one.
    pub(in crate::hub) fn join(arrival: &Arc<Arrival>, proof: Proof) -> Self {
        let (client, arrival) = (Arc::clone(&arrival.client), Arc::clone(arrival));
        let (command, cause) = (arrival.command(proof, false), Cause::Client(client.id));
        Self { arrival: Some(arrival), client: Some(client), ..Self::new(command, cause) }
    }

    /// Go by other names, or by another token.
    pub(in crate::hub) fn rename(
        client: &Arc<Client>,
        names: &Arc<Names>,
        vouched: Option<Arc<Vouched>>,
        granted: Role,
    ) -> Self {
        let (client_id, identity) = (client.id, names.identity.clone());
        let command = Command::Rename { client_id, identity, vouched, granted, banned: false };
        Self { names: Some(Arc::clone(names)), ..Self::by(Commander::Client(client), command) }
    }

    /// Free a seat, or end somebody's waiting.
    pub(in crate::hub) fn leave(client_id: ClientId, reason: LeaveReason, cause: Cause) -> Self {
        Self::new(Command::Leave { client_id, reason }, cause)
    }

    /// What a host wants, or an administrator. Who waits and is banned is added when it is decided.
    pub(in crate::hub) fn by(commander: Commander<'_>, command: Command) -> Self {
        match commander {
            Commander::Administrator(by) => Self::new(command, Cause::Administrator(by.clone())),
            Commander::Client(client) => {
                let cause = Cause::Client(client.id);
                Self { client: Some(Arc::clone(client)), ..Self::new(command, cause) }
            }
        }
    }

    /// What nobody in particular wants.
    pub(in crate::hub) fn new(command: Command, cause: Cause) -> Self {
        Self { command, cause, arrival: None, client: None, word: None, names: None }
    }

    /// Those who lose their seats by it hear this.
    pub(in crate::hub) fn saying(self, word: Word) -> Self {
        Self { word: Some(word), ..self }
    }

    /// Whether it can be what brings a room about.
    pub(super) fn is_for_a_vacancy(&self) -> bool {
        matches!(self.command, Command::Join { .. } | Command::Create { .. })
    }

    /// Whether it is what brought this about, for a client here.
    pub(super) fn is_about(&self, change: &Change) -> bool {
        if let Change::Left { client_id, reason, .. } = change {
            let rejoins = *reason == LeaveReason::Rejoined && self.arrives() == Some(*client_id);
            return rejoins || self.leaves() == Some((*client_id, *reason));
        }
        change.arrives().is_some() && change.arrives() == self.arrives()
    }

    /// Who asks for a seat by it.
    pub(super) fn arrives(&self) -> Option<ClientId> {
        self.arrival.as_ref().map(|arrival| arrival.client.id)
    }

    /// Whose departure it is, and why.
    pub(super) fn leaves(&self) -> Option<(ClientId, LeaveReason)> {
        if let Command::Leave { client_id, reason } = self.command {
            Some((client_id, reason))
        } else {
            None
        }
    }

    /// Whose connection ends by it.
    pub(super) fn ends(&self) -> Option<ClientId> {
        let (client_id, _) = self.leaves()?;
        self.word.as_ref().is_some_and(Word::ends).then_some(client_id)
    }

    /// Whether it is a departure, which the log has to have sooner or later.
    pub(in crate::hub) fn is_owed(&self) -> bool {
        matches!(
            self.command,
            Command::Leave { .. }
                | Command::NodeLost { .. }
                | Command::Move { .. }
                | Command::Restore { .. }
        )
    }

    /// Whether it is for another seat in place of one in the same room.
    pub(super) fn arrives_anew(&self) -> bool {
        self.arrival.as_ref().is_some_and(|arrival| arrival.left.is_some())
    }

    /// Whether whoever wants it is shown the room.
    pub(super) fn is_shown(&self) -> bool {
        matches!(self.cause, Cause::Administrator(_))
    }
}

/// A client goes by these names from now on, where a motion is about such.
pub(super) fn publish_names(client: Option<&Arc<Client>>, names: Option<Arc<Names>>) {
    if let (Some(client), Some(names)) = (client, names) {
        client.publish_names(Some(names));
    }
}

impl Word {
    /// For whoever is removed, in these words or the usual ones, and stays connected.
    pub(in crate::hub) fn new(code: Code, text: Option<&str>) -> Self {
        Self { code, text: text.map(Into::into), ending: None }
    }

    /// For whom others gave up the seat, since this server was away from its fleet.
    pub(super) fn node_lost() -> Self {
        Self::new(Code::NodeLost, None).and(Ending::NodeLost)
    }

    pub(in crate::hub) fn text(&self) -> Option<Arc<str>> {
        self.text.clone()
    }

    pub(in crate::hub) fn ends(&self) -> bool {
        self.ending.is_some()
    }

    /// Its connection ends too.
    pub(in crate::hub) fn and(self, ending: Ending) -> Self {
        Self { ending: Some(ending), ..self }
    }
}

impl Inner {
    /// Does something with a motion that says who is banned, of those whom it is about, while no ban comes or goes.
    pub(super) fn beside_bans<T>(
        &mut self,
        hub: &Hub,
        motion: Motion,
        now: SystemTime,
        act: impl FnOnce(&mut Self, Motion) -> Result<T, Denied>,
    ) -> Result<T, Refused> {
        // No command that asks for bans ends a room, which ends bans.
        if !motion.command.asks_for_bans() {
            return act(self, motion).map_err(Refused::Denied);
        }
        hub.bans.during(|bans| {
            let (ban, who_wait) = self.met_by(bans, &motion, now);
            let command = motion.command.beside_bans(ban.is_some(), who_wait);
            act(self, Motion { command, ..motion }).map_err(|denied| Refused::of(denied, ban))
        })
    }

    /// What a motion asks for of bans: the one against whom it is about, or who waits and is banned.
    pub(super) fn met_by(
        &self,
        bans: &Bans,
        motion: &Motion,
        now: SystemTime,
    ) -> (Option<Arc<Ban>>, Vec<ClientId>) {
        match motion.command.new_names() {
            Some(names) => (self.ban_against(bans, motion, names, now), Vec::new()),
            None if motion.command.asks_for_bans() => (None, self.banned_who_wait(bans, now)),
            None => (None, Vec::new()),
        }
    }

    fn ban_against(
        &self,
        bans: &Bans,
        motion: &Motion,
        (identity, is_vouched): (&Identity, bool),
        now: SystemTime,
    ) -> Option<Arc<Ban>> {
        let client = motion.client.as_ref()?;
        let who = (identity.user_id.as_ref(), is_vouched);
        let ban = bans.against(Some(self.room.id()), who, client.address, now)?;
        // One of its address is no matter of names: whom it is meant for has gone, or is about to.
        let meets = motion.arrival.is_some() || matches!(ban.subject, Subject::User(_));
        meets.then(|| Arc::clone(ban))
    }

    /// Whether a ban stands against somebody of this server, be it there already.
    pub(super) fn is_banned(&self, bans: &Bans, id: ClientId, now: SystemTime) -> bool {
        let waiting = self.waiting.iter().filter_map(Knocker::client);
        let client = self.here().chain(waiting).find(|client| client.id == id);
        let waiter = || self.room.waiter(id).map(|waiter| &waiter.member);
        let (Some(client), Some(member)) = (client, self.room.member(id).or_else(waiter)) else {
            return false;
        };
        let who = (member.identity.user_id.as_ref(), member.vouched.is_some());
        let ban = bans.against(Some(self.room.id()), who, client.address, now);
        // A host's of an address spares who was there before it.
        ban.is_some_and(|ban| ban.host.is_none() || matches!(ban.subject, Subject::User(_)))
    }

    fn banned_who_wait(&self, bans: &Bans, now: SystemTime) -> Vec<ClientId> {
        // Those of other servers are met there.
        let here = self.waiting.iter().filter_map(Knocker::client);
        let banned = here.filter(|client| {
            let Some(Waiter { member, .. }) = self.room.waiter(client.id) else { return false };
            let who = (member.identity.user_id.as_ref(), member.vouched.is_some());
            bans.against(Some(self.room.id()), who, client.address, now).is_some()
        });
        banned.map(|client| client.id).collect()
    }
}
