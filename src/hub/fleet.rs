//! A server as one of many that share their rooms: what it needs for that, and what it does for as long as it runs.

mod anew;
mod bans;
mod calls;
mod clients;
mod drive;
mod figures;
mod follow;
mod hold;
mod letters;
mod life;
mod nodes;
mod parting;
mod questions;
mod reach;
mod replicas;
mod report;
mod rooms;

use std::{
    collections::{HashMap, VecDeque},
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use parking_lot::{Mutex, RwLock};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinSet,
    time::Instant,
};

use super::{Hub, cell::RoomCell};
use crate::{
    ban::{Ban, BanId},
    event::{Cause, Position},
    id::{Incarnation, RoomId},
    journal::{Journal, stored::pb},
    store::{Entry, Loaded, Store, StoreError, Subject},
};
use bans::Enforcement;
pub use bans::NotBanned;
pub use calls::{Claim, Claimed, NotClaimed};
pub use clients::Listed;
use figures::{Figures, Restored};
use life::Life;
pub use nodes::Node;
pub(super) use {
    hold::{Held, NotHeld},
    letters::Whom,
};

/// See the module.
#[derive(Debug)]
pub struct Fleet {
    store: Store,
    lease: Duration,
    life: RwLock<Arc<Life>>,
    /// What it is called, for those who wait for another name.
    names: watch::Sender<Incarnation>,
    /// Whether Redis answers.
    in_reach: watch::Sender<bool>,
    figures: Figures,
    /// How far the log was followed.
    followed: watch::Sender<Position>,
    /// What Redis' clock is ahead of this one, in nanoseconds.
    ahead: AtomicI64,
    jobs: mpsc::UnboundedSender<Job>,
    todo: Mutex<Option<mpsc::UnboundedReceiver<Job>>>,
    /// The life of the log that is followed.
    epoch: watch::Sender<u64>,
    /// Tells whoever follows the log that it may be in another life.
    doubts: Notify,
    /// One decision about bans at a time.
    bans_turn: tokio::sync::Mutex<()>,
    ended_bans: Mutex<VecDeque<BanId>>,
    /// Who waits for the answers to which question.
    asked: Mutex<HashMap<u64, mpsc::UnboundedSender<(Incarnation, pb::Answer)>>>,
}

/// What the log and the state were when a server came to a fleet.
#[derive(Debug)]
pub struct Beginning {
    fleet: Fleet,
    recent: Vec<Entry>,
    bans: Loaded,
}

/// What is to be done beside everything else.
#[derive(Debug)]
pub(super) enum Job {
    /// Load a room and append what is put before it.
    Drive(Arc<RoomCell>),
    /// Send away whom a ban meets here.
    Enforce(Enforcement),
    /// End the bans that hosts of a room made.
    EndBansOf { room_id: RoomId, cause: Cause },
    /// Take up the bans that the log has, and put back these, of a lost one.
    LoadBans { lost: Vec<Arc<Ban>> },
    /// Say what the log lost of this, and what was put back by then.
    Account { known: Vec<Position>, before: Restored, until: Instant },
    /// Free what seats of this server a lost log has left over.
    Sweep,
    /// End what has its time in a room.
    Expire(RoomId),
    /// Free the seats of a server that is gone.
    Reap(Incarnation),
    /// Take over what the server has under this name, which was its own.
    Move(Incarnation),
    /// Let others make a call that this server did not finish.
    ForgetCall(String),
    /// Hand on in time what is kept of a room.
    HandOn(Arc<RoomCell>),
    /// Answer another server's question.
    Answer { to: Incarnation, question: letters::Question },
}

impl Fleet {
    /// Comes to the fleet that shares this store, with a lease of so long. At most `most` of its latest events are
    /// shown to watchers.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn join(store: Store, lease: Duration, most: usize) -> Result<Beginning, StoreError> {
        let life = Life::begin(&store, lease, None).await?;
        let recent = store.recent(most).await?;
        let bans = store.load(Subject::Bans).await?;
        let head = recent.last().map_or(Position::ZERO, |entry| entry.position);
        let (jobs, todo) = mpsc::unbounded_channel();
        let fleet = Self {
            lease,
            names: watch::Sender::new(life.node),
            in_reach: watch::Sender::new(true),
            figures: Figures::default(),
            life: RwLock::new(Arc::new(life)),
            followed: watch::Sender::new(head),
            ahead: AtomicI64::new(0),
            jobs,
            todo: Mutex::new(Some(todo)),
            epoch: watch::Sender::new(store.epoch()),
            doubts: Notify::new(),
            bans_turn: tokio::sync::Mutex::default(),
            ended_bans: Mutex::default(),
            asked: Mutex::default(),
            store,
        };
        Ok(Beginning { fleet, recent, bans })
    }

    /// What this server is called now.
    pub(super) fn node(&self) -> Incarnation {
        self.life().node
    }

    fn epoch(&self) -> u64 {
        *self.epoch.borrow()
    }

    fn life(&self) -> Arc<Life> {
        Arc::clone(&self.life.read())
    }

    fn now(&self) -> SystemTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let ahead = self.ahead.load(Ordering::Relaxed);
        let moved = Duration::from_nanos(ahead.unsigned_abs());
        let since = if ahead < 0 { since.saturating_sub(moved) } else { since + moved };
        UNIX_EPOCH + since
    }

    /// Takes Redis' clock as everybody's.
    async fn set_clock(&self) {
        let before = SystemTime::now();
        let Ok(theirs) = self.store.time().await else { return };
        let ours = before + before.elapsed().unwrap_or_default() / 2;
        let nanos = |ahead: Duration| i64::try_from(ahead.as_nanos()).unwrap_or(i64::MAX);
        let ahead = match theirs.duration_since(ours) {
            Ok(ahead) => nanos(ahead),
            Err(behind) => -nanos(behind.duration()),
        };
        self.ahead.store(ahead, Ordering::Relaxed);
    }

    pub(super) fn do_soon(&self, job: Job) {
        // Whoever would do it may have ended, and the server with it.
        let _ = self.jobs.send(job);
    }
}

impl Hub {
    /// The hub of a server that shares its rooms.
    #[must_use]
    pub fn sharing(self, Beginning { fleet, recent, bans }: Beginning) -> Self {
        let epoch = fleet.store.epoch();
        let journal = Journal::mirror(self.config.log_limits(), epoch);
        let hub = Self { journal, fleet: Some(fleet), ..self };
        for entry in recent {
            hub.show(&entry);
        }
        hub.load_bans(bans, epoch);
        hub
    }

    /// Whether its rooms are those of other servers too.
    pub(super) fn is_shared(&self) -> bool {
        self.fleet.is_some()
    }

    /// What time it is, for whatever has its time: in a fleet, by Redis' clock.
    pub(crate) fn now(&self) -> SystemTime {
        self.fleet.as_ref().map_or_else(SystemTime::now, Fleet::now)
    }

    /// Does what a server of a fleet does, for as long as it is polled.
    pub(super) async fn run_fleet(self: &Arc<Self>) {
        let Some(fleet) = &self.fleet else { return pending().await };
        tokio::join!(
            Box::pin(self.follow(fleet)),
            Box::pin(self.live(fleet)),
            self.work(fleet),
            Box::pin(self.end_what_is_due_in_the_fleet(fleet))
        );
    }

    async fn work(self: &Arc<Self>, fleet: &Fleet) {
        let todo = fleet.todo.lock().take();
        let Some(mut todo) = todo else { return };
        let mut doing = JoinSet::new();
        loop {
            tokio::select! {
                Some(job) = todo.recv() => {
                    doing.spawn(Arc::clone(self).do_job(job));
                }
                Some(done) = doing.join_next() => {
                    if let Err(error) = done {
                        tracing::error!(%error, "a part of the fleet's work failed");
                    }
                }
                else => return,
            }
        }
    }

    async fn do_job(self: Arc<Self>, job: Job) {
        let Some(fleet) = &self.fleet else { return };
        match job {
            Job::Drive(cell) => self.drive(fleet, &cell).await,
            Job::Enforce(enforcement) => self.enforce_here(fleet, enforcement).await,
            Job::EndBansOf { room_id, cause } => self.end_bans_of(fleet, room_id, cause).await,
            Job::LoadBans { lost } => self.take_up_bans(fleet, lost).await,
            Job::Account { known, before, until } => {
                self.account(fleet, known, before, until).await;
            }
            Job::Sweep => self.sweep(fleet).await,
            Job::Expire(room_id) => self.expire_shared(&room_id).await,
            Job::Reap(node) => self.reap(fleet, node).await,
            Job::Move(from) => self.move_over(fleet, from).await,
            Job::ForgetCall(name) => fleet.forget_call(&name).await,
            Job::HandOn(cell) => self.hand_on_in_time(&cell).await,
            Job::Answer { to, question } => self.answer(fleet, to, question).await,
        }
    }
}
