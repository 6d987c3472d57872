//! Who is kept out: the bans behind one lock, and what becomes of those whom a new one meets.
//!
//! A ban stands before those are looked for whom it meets. Whoever connects shows who it is before it asks for bans;
//! whoever joins or registers does so while no ban can come in between. So one of the two always finds the other.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use parking_lot::RwLock;

use super::{Client, Ending, Hub, NotBanned};
use crate::{
    ban::{Ban, BanId, Bans, Command, Denied, Event},
    config::limits,
    event::{Administrator, Cause, Position},
    id::{ClientId, RoomId},
    journal::Decision,
    room::{Identity, LeaveReason},
};

/// See the module. Locked after a room and before the log.
#[derive(Debug)]
pub(super) struct BanBook {
    bans: RwLock<Bans>,
    /// Of which life of a fleet's log they are.
    epoch: AtomicU64,
    /// How many there are: most of the time none, and nobody need ask.
    count: AtomicUsize,
}

/// What became of an event that the log of a fleet has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Learnt {
    /// It was known.
    Before,
    /// It has happened now.
    Now,
    /// It follows what is not known here.
    Not,
}

/// A decision about bans that is in the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Committed {
    /// Up to where the log has it.
    pub(super) at: Position,
    /// Whether every server that lives knows of it, and has done what it says.
    pub(super) is_known: bool,
}

impl Committed {
    /// The same, where what it says is done here, or not.
    pub(super) fn with(self, is_done: bool) -> Self {
        Self { is_known: self.is_known && is_done, ..self }
    }
}

impl Hub {
    /// Keeps somebody out: all of these, or none. Whoever is met by one is sent away before this returns.
    ///
    /// # Errors
    /// [`NotBanned`].
    pub async fn ban(&self, by: &Administrator, bans: Vec<Arc<Ban>>) -> Result<(), NotBanned> {
        let made = self.ban_all(by, bans, None).await?;
        self.bans_hold(made).await
    }

    /// The same, where the caller sees to one of those whom they meet, and to whether they hold.
    pub(super) async fn ban_all(
        &self,
        by: &Administrator,
        bans: Vec<Arc<Ban>>,
        but: Option<ClientId>,
    ) -> Result<Committed, NotBanned> {
        let cause = Cause::Administrator(by.clone());
        let mut made = self.commit_bans(Command::Create(bans.clone()), cause).await?;
        for ban in bans {
            let is_met = |client: &Client| Some(client.id) != but && client.is_met_by(&ban);
            made = made.with(self.enforce(by, &ban, is_met).await);
        }
        Ok(made)
    }

    /// Whether what was decided holds everywhere, and is not lost.
    pub(super) async fn bans_hold(
        &self,
        Committed { at, is_known }: Committed,
    ) -> Result<(), NotBanned> {
        if !is_known {
            return Err(NotBanned::NotConfirmed);
        }
        self.is_replicated(at).await.then_some(()).ok_or(NotBanned::NotReplicated)
    }

    /// Sends away, of those who are connected here, whom a ban meets. Returns whether it is sure that they have no seats
    /// any more: where the log cannot be reached, they lose them later.
    pub(super) async fn enforce(
        &self,
        by: &Administrator,
        ban: &Ban,
        is_met: impl Fn(&Client) -> bool,
    ) -> bool {
        let text = ban.reason.as_deref();
        let Some(room_id) = &ban.room_id else {
            let mut met = Vec::new();
            self.clients.for_each(|client| met.extend(is_met(client).then(|| Arc::clone(client))));
            for client in met {
                self.disconnect(by, &client, Ending::Banned, text).await;
            }
            return true;
        };
        let Some(cell) = self.directory.find(room_id) else { return true };
        let mut have_gone = true;
        for client in cell.people(is_met) {
            let cause = Cause::Administrator(by.clone());
            have_gone &= self.unseat(cause, client.id, &cell, LeaveReason::Banned, text).await;
        }
        have_gone
    }

    /// Ends a ban before its time.
    ///
    /// # Errors
    /// [`NotBanned`].
    pub async fn lift_ban(&self, by: &Administrator, id: BanId) -> Result<(), NotBanned> {
        let cause = Cause::Administrator(by.clone());
        let lifted = self.commit_bans(Command::Delete(id), cause).await?;
        self.bans_hold(lifted).await
    }

    /// Has a decision about bans be in the log.
    pub(super) async fn commit_bans(
        &self,
        command: Command,
        cause: Cause,
    ) -> Result<Committed, NotBanned> {
        match &self.fleet {
            None => {
                self.bans.commit(self, command, cause, self.now())?;
                Ok(Committed { at: self.journal.head(), is_known: true })
            }
            // In a box: most servers stand alone.
            Some(fleet) => Box::pin(self.commit_shared_bans(fleet, command, cause)).await,
        }
    }

    /// One that stands.
    ///
    /// # Errors
    /// [`Denied::NoSuchBan`].
    pub fn ban_of(&self, id: BanId) -> Result<Arc<Ban>, Denied> {
        self.bans.bans.read().get(id, self.now()).cloned().ok_or(Denied::NoSuchBan)
    }

    /// At most `max` of those that stand and come after `after`, in the order of their names, of which `keep` wants
    /// to know.
    pub fn bans(
        &self,
        after: Option<BanId>,
        max: usize,
        keep: impl Fn(&Ban) -> bool,
    ) -> Vec<Arc<Ban>> {
        let bans = self.bans.bans.read();
        let kept = bans.after(after, self.now()).filter(|ban| keep(ban));
        kept.take(max).cloned().collect()
    }

    /// Ends those whose time ran out.
    pub(super) fn end_bans(&self, now: SystemTime) {
        while self.bans.bans.read().is_due(now) {
            let ended = self.bans.commit(self, Command::Expire, Cause::Timer, now);
            ended.expect("the end of a time is never denied");
        }
    }
}

impl BanBook {
    pub(super) fn new() -> Self {
        Self {
            bans: RwLock::new(Bans::new(limits::BANS, limits::NETWORK_BANS)),
            epoch: AtomicU64::new(0),
            count: AtomicUsize::new(0),
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Does what depends on whether a ban stands between somebody and a room, or the server, and on which. It stands or
    /// not until that is done: no other one comes between the question and what `act` shows or puts into the log.
    pub(super) fn decide<T>(
        &self,
        room_id: Option<&RoomId>,
        (identity, is_vouched): (&Identity, bool),
        address: IpAddr,
        now: SystemTime,
        act: impl FnOnce(Option<&Arc<Ban>>) -> T,
    ) -> T {
        let bans = self.bans.read();
        act(bans.against(room_id, (identity.user_id.as_ref(), is_vouched), address, now))
    }

    /// Ends those that hosts of a room made, which ended by this cause.
    pub(super) fn end_of_room(&self, hub: &Hub, room_id: &RoomId, cause: Cause, now: SystemTime) {
        if self.count() > 0 && self.bans.read().has_of_room(room_id) {
            let ended = self.commit(hub, Command::EndOfRoom(room_id.clone()), cause, now);
            ended.expect("the end of a room is never denied");
        }
    }

    /// They are these from now on, unless what was learnt in the same epoch of the log is newer. Returns those of them
    /// that are new here.
    pub(super) fn become_like(&self, loaded: Bans, epoch: u64, now: SystemTime) -> Vec<Arc<Ban>> {
        let mut bans = self.bans.write();
        let known = self.epoch.swap(epoch, Ordering::SeqCst);
        if loaded.version() < bans.version() && known == epoch {
            return Vec::new();
        }
        let is_new = |ban: &&Arc<Ban>| bans.get(ban.id, now).is_none();
        let new = loaded.after(None, now).filter(is_new).cloned().collect();
        self.count.store(loaded.len(), Ordering::SeqCst);
        *bans = loaded;
        new
    }

    /// Lets happen what the log of a fleet tells in this epoch, unless it has already, or something before it is missing.
    pub(super) fn learn(&self, hub: &Hub, event: &Event, epoch: u64) -> Learnt {
        let mut bans = self.bans.write();
        if event.position <= bans.version() && self.epoch.load(Ordering::SeqCst) == epoch {
            return Learnt::Before;
        }
        if event.prev != bans.version() {
            return Learnt::Not;
        }
        self.epoch.store(epoch, Ordering::SeqCst);
        hub.metrics.event((&event.change).into());
        bans.apply(event);
        self.count.store(bans.len(), Ordering::SeqCst);
        Learnt::Now
    }

    /// Does something while no ban comes or goes.
    pub(super) fn during<T>(&self, act: impl FnOnce(&Bans) -> T) -> T {
        act(&self.bans.read())
    }

    /// Has somebody go by other names, which `publish` shows to everybody, unless a ban stands against these.
    ///
    /// # Errors
    /// Which ban that is.
    pub(super) fn admit(
        &self,
        room_id: Option<&RoomId>,
        (identity, is_vouched): (&Identity, bool),
        address: IpAddr,
        now: SystemTime,
        publish: impl FnOnce(),
    ) -> Result<(), Arc<Ban>> {
        self.decide(room_id, (identity, is_vouched), address, now, |ban| match ban {
            Some(ban) => Err(Arc::clone(ban)),
            None => {
                publish();
                Ok(())
            }
        })
    }

    /// Whether one stands between somebody and a room, or the server.
    pub(super) fn meet(
        &self,
        room_id: Option<&RoomId>,
        (identity, is_vouched): (&Identity, bool),
        address: IpAddr,
        now: SystemTime,
    ) -> bool {
        self.against(room_id, (identity, is_vouched), address, now).is_some()
    }

    /// Which that is.
    pub(super) fn against(
        &self,
        room_id: Option<&RoomId>,
        (identity, is_vouched): (&Identity, bool),
        address: IpAddr,
        now: SystemTime,
    ) -> Option<Arc<Ban>> {
        if self.count() == 0 {
            return None;
        }
        let bans = self.bans.read();
        bans.against(room_id, (identity.user_id.as_ref(), is_vouched), address, now).cloned()
    }

    fn commit(
        &self,
        hub: &Hub,
        command: Command,
        cause: Cause,
        now: SystemTime,
    ) -> Result<(), Denied> {
        let mut bans = self.bans.write();
        let changes = bans.decide(command, now)?;
        let decision = Decision { decided_on: bans.version(), changes, cause, now };
        hub.journal.append_of_bans(decision, |event| {
            hub.metrics.event((&event.change).into());
            bans.apply(event);
        });
        self.count.store(bans.len(), Ordering::SeqCst);
        Ok(())
    }
}

impl Client {
    pub(super) fn is_met_by(&self, ban: &Ban) -> bool {
        let names = self.names();
        let is_vouched = names.as_ref().is_some_and(|names| names.pass.is_some());
        !ban.spares(is_vouched)
            && ban.meets(names.as_ref().and_then(|names| names.user_id()), self.address)
    }
}
