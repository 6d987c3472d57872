//! Bans of a fleet: decided on any server, known to all, and carried out by each for its own clients.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::{sleep, timeout};

use super::{
    Fleet, Job,
    questions::{Expected, PATIENCE},
};
use crate::{
    ban::{self, Ban, BanId, Bans, Change, Command, Event},
    config::limits,
    event::{Administrator, Cause, Position},
    hub::{
        Client, Hub,
        bans::{Committed, Learnt},
        cell::Motion,
        rooms::{NOT_REPLICATED, UNSETTLED},
    },
    id::{Incarnation, RoomId},
    journal::{
        self,
        stored::{self, pb},
    },
    room,
    store::{Appended, Batch, BatchId, Entry, Fresh, Loaded, StoreError, Subject},
};

/// So many times somebody else may come first.
const CONFLICTS: u32 = 24;
/// So many bans that ended of late are known as such.
const ENDED: usize = 1024;
/// How often it is looked whether those live who have not answered.
const LOOK: Duration = Duration::from_millis(250);

/// Why a command about bans came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotBanned {
    /// The rules stand against it.
    #[error(transparent)]
    Denied(#[from] ban::Denied),
    /// What the servers share cannot be reached.
    #[error("what the servers share cannot be reached now")]
    Unavailable,
    /// The same, and it may have been done.
    #[error("{UNSETTLED}")]
    Unsettled,
    /// It is done, and some server may not know of it yet.
    #[error("it is done, but a server of the fleet has not said yet that it knows of it")]
    NotConfirmed,
    /// It is done, and may be lost.
    #[error("{NOT_REPLICATED}")]
    NotReplicated,
}

/// The server goes by another name now.
struct NameLost;

/// Whom a ban meets is to be sent away here.
#[derive(Debug)]
pub(in crate::hub) struct Enforcement {
    pub(in crate::hub) ban: Arc<Ban>,
    pub(in crate::hub) cause: Cause,
    /// For so long somebody else may see to it.
    pub(in crate::hub) after: Duration,
    /// The server that waits for that, by its question.
    pub(in crate::hub) tells: Option<(Incarnation, u64)>,
}

impl Hub {
    /// Returns those that were not known here.
    pub(super) fn load_bans(&self, loaded: Loaded, epoch: u64) -> Vec<Arc<Ban>> {
        let limits = (limits::BANS, limits::NETWORK_BANS);
        match stored::bans(limits, loaded.version, loaded.fields) {
            Ok(bans) => self.bans.become_like(bans, epoch, self.now()),
            Err(error) => {
                tracing::error!(%error, "the bans cannot be read");
                Vec::new()
            }
        }
    }

    /// Has a decision about bans be in the log, and known here. A new ban is known to all servers that live, and they
    /// have sent away whom it meets. Returns up to where the log has it.
    pub(in crate::hub) async fn commit_shared_bans(
        &self,
        fleet: &Fleet,
        command: Command,
        cause: Cause,
    ) -> Result<Committed, NotBanned> {
        let _turn = fleet.bans_turn.lock().await;
        let id = batch_of(fleet.node());
        // Of one that is put back all knew when it was made.
        let is_new = cause != Cause::Server;
        let bans_someone =
            is_new && matches!(command, Command::Create(_) | Command::CreateByHost(_));
        let (_expecting, mut answers) = fleet.expect_answers(question_of(id));
        let Some(at) = self.append_bans(fleet, id, command, cause).await? else {
            // The log has all of it already: nobody hears of it anew.
            let at = self.bans.during(Bans::version);
            return Ok(Committed { at, is_known: true });
        };
        let mut is_known = true;
        if bans_someone {
            let all = fleet.answered_by_all_who_live(server_of(id), &mut answers);
            let decided = async {
                self.decided_by_now(fleet, None).await;
                Ok(())
            };
            let known_and_decided = async { tokio::try_join!(all, decided) };
            let done = timeout(fleet.lease + PATIENCE, known_and_decided).await;
            is_known = matches!(done, Ok(Ok(_)));
        }
        Ok(Committed { at, is_known })
    }

    /// Waits for what is on its way into the log, and was decided before the bans that are known here: whoever comes by
    /// that is here then.
    async fn decided_by_now(&self, fleet: &Fleet, room_id: Option<&RoomId>) {
        let (node, mut decided) = (fleet.node(), Vec::new());
        self.directory.for_each(|cell| {
            if room_id.is_none_or(|id| cell.id() == id) && cell.is_in_flight() {
                // It changes nothing, and is answered after the batch before it.
                let nobody = room::Command::Move { node, to: node, clients: Vec::new() };
                let motion = Motion::new(nobody, Cause::Server);
                decided.extend(self.propose(fleet, cell.id(), motion).ok());
            }
        });
        for decided in decided {
            let _ = decided.await;
        }
    }

    /// None: others had appended all of it.
    async fn append_bans(
        &self,
        fleet: &Fleet,
        id: BatchId,
        command: Command,
        cause: Cause,
    ) -> Result<Option<Position>, NotBanned> {
        let mut may_be_there = None;
        for _ in 0..CONFLICTS {
            let now = self.now();
            let decide = |bans: &Bans| (bans.version(), bans.decide(command.clone(), now));
            let (decided_on, changes) = self.bans.during(decide);
            let changes = changes?;
            let fresh = |change: &Change| Fresh {
                order: 0,
                payload: stored::ban_entry(&cause, now, change),
            };
            let batch = Batch {
                by: fleet.node(),
                subject: Subject::Bans,
                id,
                decided_on,
                entries: changes.iter().map(fresh).collect(),
                fields: stored::ban_delta(&changes),
                exists: true,
                settled_entry: None,
                due: None,
                frees: !changes.iter().any(|change| matches!(change, Change::Created(_))),
                seats: Vec::new(),
            };
            let appended = fleet.store.append(&batch).await;
            fleet.figures.append(&appended);
            match appended {
                Ok(Appended::At(positions)) => {
                    let last = positions.last().copied();
                    if let Some(last) = last {
                        self.bans_reach(fleet, last).await;
                    }
                    return Ok(last.or(may_be_there));
                }
                Ok(Appended::Conflict(version)) => self.bans_reach(fleet, version).await,
                Ok(Appended::Late) => {}
                Ok(Appended::NotLive) => {
                    let reborn = timeout(fleet.patience(), fleet.reborn(batch.by)).await;
                    reborn.map_err(|_| NotBanned::Unavailable)?;
                }
                Ok(Appended::OtherEpoch) => return Err(NotBanned::Unavailable),
                Err(StoreError::Unknown(why)) => {
                    tracing::debug!(%why, "a ban may be in the log");
                    may_be_there = Some(decided_on);
                    let told = timeout(fleet.patience(), fleet.caught_up()).await;
                    // Those that are there by now are not made again.
                    if told.is_err() || !matches!(command, Command::Create(_)) {
                        return Err(NotBanned::Unsettled);
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "a ban is not in the log");
                    return Err(NotBanned::Unavailable);
                }
            }
        }
        Err(NotBanned::Unavailable)
    }

    /// Waits until the bans are as far, or Redis is away.
    async fn bans_reach(&self, fleet: &Fleet, version: Position) {
        let reached = async {
            let mut followed = fleet.followed.subscribe();
            let _ = followed.wait_for(|followed| *followed >= version).await;
        };
        let _ = timeout(fleet.patience(), reached).await;
    }

    pub(super) fn learn_ban(&self, fleet: &Fleet, entry: &Entry) {
        let Ok(stored::StoredEntry { cause, at, change, .. }) =
            stored::read_ban_entry(&entry.payload)
        else {
            return;
        };
        let Entry { position, prev, batch, .. } = *entry;
        let event = Event { position, prev, at, cause: cause.clone(), change };
        match self.bans.learn(self, &event, fleet.epoch()) {
            // Those whom it meets may be here nevertheless, and its maker waits.
            Learnt::Before | Learnt::Now => {}
            Learnt::Not => fleet.do_soon(Job::LoadBans { lost: Vec::new() }),
        }
        if let Change::Deleted(ban) = &event.change {
            fleet.note_end_of(ban.id);
        }
        if let Change::Created(ban) = &event.change {
            let (ban, waits) = (Arc::clone(ban), server_of(batch));
            // Whoever made it here sees to it, unless that was cut short.
            let is_own = waits == fleet.node();
            let after = if is_own { fleet.lease + PATIENCE } else { Duration::ZERO };
            let tells = (!is_own).then(|| (waits, question_of(batch)));
            fleet.do_soon(Job::Enforce(Enforcement { ban, cause, after, tells }));
        }
    }

    /// Shows watchers what the log has of a ban.
    pub(super) fn show_ban(&self, entry: &Entry) {
        match stored::read_ban_entry(&entry.payload) {
            Ok(stored::StoredEntry { cause, at, change, .. }) => {
                let Entry { position, log_prev, prev, .. } = *entry;
                let event = Event { position, prev, at, cause, change };
                self.journal.note(log_prev, journal::Entry::Ban(event));
            }
            Err(error) => {
                tracing::error!(position = ?entry.position, %error, "a ban cannot be read")
            }
        }
    }

    pub(super) async fn enforce_here(&self, fleet: &Fleet, enforcement: Enforcement) {
        let Enforcement { ban, cause, after, tells } = enforcement;
        sleep(after).await;
        self.decided_by_now(fleet, ban.room_id.as_ref()).await;
        let is_over = || ban.expires_at.is_some_and(|at| at <= self.now());
        let has_ended = || is_over() || fleet.has_ended(ban.id);
        while !has_ended() && !self.enforce_for(&ban, &cause).await {
            sleep(LOOK).await;
        }
        if let Some((waits, question)) = tells {
            fleet.reply(waits, pb::Answer { id: question, ..Default::default() });
        }
    }

    /// Returns as [`Hub::enforce`] does.
    async fn enforce_for(&self, ban: &Ban, cause: &Cause) -> bool {
        let is_met = |client: &Client| client.is_met_by(ban);
        match cause {
            // Be it put back: whom it meets may have come while the log did not have it.
            _ if ban.host.is_some() => self.enforce_by_host(ban, cause).await,
            Cause::Administrator(by) => self.enforce(by, ban, is_met).await,
            Cause::Client(_) | Cause::Server | Cause::Timer => {
                self.enforce(&Administrator::default(), ban, is_met).await
            }
        }
    }

    /// Ends the bans that hosts of a room made which has ended by this cause.
    pub(in crate::hub) fn end_bans_of_soon(&self, room_id: &RoomId, cause: &Cause) {
        if let Some(fleet) = &self.fleet
            && self.bans.during(|bans| bans.has_of_room(room_id))
        {
            let (room_id, cause) = (room_id.clone(), cause.clone());
            fleet.do_soon(Job::EndBansOf { room_id, cause });
        }
    }

    pub(super) async fn end_bans_of(&self, fleet: &Fleet, room_id: RoomId, cause: Cause) {
        let command = Command::EndOfRoom(room_id);
        // Those that are left end by their own time.
        let _ = self.commit_shared_bans(fleet, command, cause).await;
    }

    pub(super) async fn end_shared_bans(&self, fleet: &Fleet, now: SystemTime) {
        if self.bans.during(|bans| bans.is_due(now)) {
            let _ = self.commit_shared_bans(fleet, Command::Expire, Cause::Timer).await;
        }
    }
}

impl Fleet {
    fn note_end_of(&self, id: BanId) {
        let mut ended = self.ended_bans.lock();
        if ended.len() >= ENDED {
            ended.pop_front();
        }
        ended.push_back(id);
    }

    /// Whether the log told of late that it ended, be it another log by now.
    pub(super) fn has_ended(&self, id: BanId) -> bool {
        self.ended_bans.lock().contains(&id)
    }

    /// Waits until every other server has answered or lost its lease, and with that the right to append anything.
    ///
    /// # Errors
    /// [`NameLost`]: they answer to the name `by` which they were asked.
    async fn answered_by_all_who_live(
        &self,
        by: Incarnation,
        answers: &mut Expected,
    ) -> Result<(), NameLost> {
        let mut left = loop {
            match self.known_others().await {
                Ok(others) => break others,
                Err(_) => sleep(LOOK).await,
            }
        };
        // Its lease may not be over yet.
        left.retain(|node| *node != by);
        while !left.is_empty() {
            let some = async {
                while !left.is_empty() {
                    let Some((from, _)) = answers.recv().await else { return };
                    left.retain(|node| *node != from);
                }
            };
            let some = tokio::select! {
                biased;
                some = timeout(LOOK, some) => some,
                () = self.reborn(by) => return Err(NameLost),
            };
            if some.is_err()
                && let Ok(live) = self.known_others().await
            {
                left.retain(|node| live.contains(node));
            }
        }
        Ok(())
    }
}

/// Names a batch so that all know whom to tell that they have carried out what it says.
fn batch_of(node: Incarnation) -> BatchId {
    (u128::from(node.bits()) << u64::BITS | u128::from(fastrand::u64(..))).to_be_bytes()
}

fn server_of(id: BatchId) -> Incarnation {
    Incarnation::from(u64::from_be_bytes(*id.first_chunk().expect("it has 16 bytes")))
}

/// By which number they tell it.
fn question_of(id: BatchId) -> u64 {
    u64::from_be_bytes(*id.last_chunk().expect("it has 16 bytes"))
}
