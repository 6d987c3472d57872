//! One connected client, as everyone but its own connection sees it.

use std::{
    fmt::Debug,
    mem,
    net::IpAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;

use super::{
    Guesses, Hub, Network,
    cell::RoomCell,
    heartbeat::TICKS_A_SECOND,
    outbox::{Cause, Entry, Flush, Outbox, Pushed},
    turn,
};
use crate::{
    auth::Pass, config::limits, id::ClientId, protocol::UserIdJson, room::Identity,
    timestamp::Timestamp,
};

/// No client takes 71 minutes to answer: it would be closed long before.
const UNKNOWN: u32 = u32::MAX;

/// Where a client comes from. An address alone says nothing of the program.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// Its address, as a trusted proxy says it where there is one.
    pub address: IpAddr,
    /// The User-Agent of its handshake (RFC 9110, section 10.1.5), of which
    /// [`limits::USER_AGENT_BYTES`] are kept.
    pub user_agent: Option<&'a str>,
}

impl<A: Into<IpAddr>> From<A> for Origin<'_> {
    fn from(address: A) -> Self {
        Self { address: address.into(), user_agent: None }
    }
}

/// Its name, what is due to it and how that gets there, and when it was last heard of.
#[derive(Debug)]
pub struct Client {
    /// The server's name for it.
    pub id: ClientId,
    /// Where it comes from.
    pub(super) address: IpAddr,
    /// The User-Agent of its handshake.
    pub(super) user_agent: Option<Arc<str>>,
    /// When it connected.
    connected_at: Timestamp,
    /// What it sent. What it got is counted by its outbox and its link.
    pub(super) messages_in: Counter,
    pub(super) bytes_in: Counter,
    /// From its last ping to the answer, in microseconds, or [`UNKNOWN`].
    round_trip: AtomicU32,
    /// What is due to it.
    pub outbox: Outbox,
    public: Mutex<Public>,
    link: OnceLock<Arc<dyn Link>>,
    heard_at: AtomicU32,
    /// How many outboxes it has to wait for, before it may say more: at most one for each room-mate.
    held_by: AtomicU16,
    /// Bytes of a message that it did not finish yet, and the tick in which it began it.
    unfinished: AtomicU32,
    begun_at: AtomicU32,
    /// Whether [`super::keep::Keep`] has it on its list.
    enlisted: AtomicBool,
    /// See [`Client::guesses`]. Here it takes no room: it stands where nothing else fits.
    guesses: AtomicU32,
}

/// What its session lets others know. The session has its own copies, which it reads for each signal.
#[derive(Debug, Default)]
struct Public {
    names: Option<Arc<Names>>,
    seat: Option<Arc<RoomCell>>,
}

/// What a client goes by since it registered.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) identity: Identity,
    pub(super) user_id: UserIdJson,
    /// The token that says so, if one does. Not in the session: most that only wait have none.
    pub(super) pass: Option<Arc<Pass>>,
}

/// A count to which only one task adds, and which others may read.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

/// The way from an outbox to its client's socket, for those who do not own the connection.
pub trait Link: Debug + Send + Sync {
    /// Sends what is due as far as the socket takes it at once. What it does not take is left to the
    /// connection's own task.
    fn flush(&self, outbox: &Outbox);

    /// How many bytes the socket has taken in all.
    fn taken(&self) -> u64;
}

impl Client {
    pub(super) fn new(hub: &Arc<Hub>, origin: Origin<'_>) -> Self {
        hub.keep.adjust(0, limits::CLIENT_BYTES);
        Self {
            id: ClientId::random(),
            address: origin.address.to_canonical(),
            user_agent: origin.user_agent.and_then(|agent| hub.agents.enter(agent)),
            connected_at: SystemTime::now().into(),
            outbox: Outbox::new(Arc::clone(hub)),
            messages_in: Counter::default(),
            bytes_in: Counter::default(),
            round_trip: AtomicU32::new(UNKNOWN),
            public: Mutex::default(),
            link: OnceLock::new(),
            heard_at: AtomicU32::new(0),
            held_by: AtomicU16::new(0),
            unfinished: AtomicU32::new(0),
            begun_at: AtomicU32::new(0),
            enlisted: AtomicBool::new(false),
            guesses: AtomicU32::new(0),
        }
    }

    /// Whose share of what is limited by address it takes.
    pub(super) fn network(&self) -> Network {
        Network::of(self.address)
    }

    pub(super) fn connected_at(&self) -> SystemTime {
        self.connected_at.into()
    }

    /// What it goes by from now on: before it acts under these names.
    pub(super) fn publish_names(&self, names: Option<Arc<Names>>) {
        self.public.lock().names = names;
    }

    /// Where it sits from now on. Published before it takes the seat and until it gave it up: whoever sits in a room
    /// can be found by its seat, and whether it sits there is for [`RoomCell::seats`] to say.
    pub(super) fn publish_seat(&self, seat: Option<&Arc<RoomCell>>) {
        let former = mem::replace(&mut self.public.lock().seat, seat.cloned());
        // Without the lock: it may be the last to know of the room.
        drop(former);
    }

    /// What it goes by, once it has registered.
    pub(super) fn names(&self) -> Option<Arc<Names>> {
        self.public.lock().names.clone()
    }

    /// Where it sits, or is about to, or sat a moment ago.
    pub(super) fn seat(&self) -> Option<Arc<RoomCell>> {
        self.public.lock().seat.clone()
    }

    /// Wrong passwords that it may still give, of which only its session takes.
    pub(super) fn guesses(&self) -> Guesses {
        self.guesses.load(Ordering::Relaxed).into()
    }

    pub(super) fn note_guesses(&self, guesses: Guesses) {
        self.guesses.store(guesses.into(), Ordering::Relaxed);
    }

    /// It answered its last ping, for the first time, after so long.
    pub fn answered(&self, round_trip: Duration) {
        let micros = u32::try_from(round_trip.as_micros()).unwrap_or(UNKNOWN);
        self.round_trip.store(micros, Ordering::Relaxed);
        self.outbox.hub.metrics.ping_round_trip(round_trip);
    }

    /// From its last ping that it answered to the answer; none before the first answer.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        let micros = self.round_trip.load(Ordering::Relaxed);
        (micros != UNKNOWN).then(|| Duration::from_micros(micros.into()))
    }

    /// From now on, whoever has something to say to this client flushes `link` behind its turn.
    pub fn attach(&self, link: Arc<dyn Link>) {
        let attached = self.link.set(link);
        debug_assert!(attached.is_ok(), "a client has one connection");
    }

    /// Says something to the client: it is sent behind the caller's turn, or by the client's own task.
    pub(super) fn push(self: &Arc<Self>, entry: Entry) {
        self.see_to(self.outbox.push(entry, Cause::Server));
    }

    /// The same for another client, or for this one's own request: should the outbox be half full, `sender` is not
    /// listened to until it drains.
    pub(super) fn push_from(self: &Arc<Self>, sender: &Arc<Self>, entry: Entry) {
        self.see_to(self.outbox.push(entry, Cause::Said(sender)));
    }

    /// The same for news of another client, which is not listened to only where the outbox is more than full.
    pub(super) fn push_news_of(self: &Arc<Self>, changed: &Arc<Self>, entry: Entry) {
        self.see_to(self.outbox.push(entry, Cause::Changed(changed)));
    }

    fn see_to(self: &Arc<Self>, Pushed { flush, is_heavy }: Pushed) {
        if is_heavy {
            self.enlist();
        }
        match flush {
            Flush::Scheduled => {}
            Flush::Later => turn::flush_later(self, false),
            Flush::Soon => turn::flush_later(self, true),
        }
    }

    pub(super) fn flush(&self) {
        match self.link.get() {
            Some(link) => link.flush(&self.outbox),
            None => self.outbox.summon(),
        }
    }

    /// How many bytes its socket has taken in all.
    pub(super) fn taken(&self) -> u64 {
        self.link.get().map_or(0, |link| link.taken())
    }

    pub(super) fn heard(&self, tick: u32) {
        self.heard_at.store(tick, Ordering::Relaxed);
    }

    /// From now on it cannot be heard, for no fault of its own.
    pub(super) fn not_listened_to(&self) {
        self.heard(u32::MAX);
    }

    /// It can be heard again, after so many ticks in which it could not go on with what it began.
    pub(super) fn listened_to_again(&self, tick: u32, silenced_for: u32) {
        self.heard(tick);
        self.begun_at.fetch_add(silenced_for, Ordering::Relaxed);
    }

    /// The heartbeat's tick in which it last sent anything, a pong included.
    pub(super) fn heard_at(&self) -> u32 {
        self.heard_at.load(Ordering::Relaxed)
    }

    /// Not listened to until [`Client::let_go`] is called as often.
    pub(super) fn hold(&self) {
        self.held_by.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn let_go(&self) {
        if self.held_by.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.outbox.summon();
        }
    }

    /// Whether somebody's outbox has to drain first.
    pub fn is_held(&self) -> bool {
        self.held_by.load(Ordering::Relaxed) > 0
    }

    /// Notes how many bytes of an unfinished message are kept. `anew` says that it was begun just now.
    pub(super) fn note_unfinished(self: &Arc<Self>, bytes: usize, anew: bool, now: u32) {
        let before = self.unfinished_bytes();
        if bytes == 0 && before == 0 {
            return;
        }
        if bytes > 0 && (before == 0 || anew) {
            self.begun_at.store(now, Ordering::Relaxed);
        }
        if bytes != before {
            self.unfinished.store(u32::try_from(bytes).unwrap_or(u32::MAX), Ordering::Relaxed);
            self.outbox.keep().adjust(before, self.unfinished_bytes());
            self.enlist();
        }
    }

    pub(super) fn unfinished_bytes(&self) -> usize {
        self.unfinished.load(Ordering::Relaxed) as usize
    }

    /// Whether a message that was begun comes too slowly. While the client is not listened to, it cannot finish.
    pub(super) fn unfinished_is_overdue(&self, now: u32) -> bool {
        let bytes = self.unfinished_bytes();
        if bytes == 0 || self.heard_at() == u32::MAX {
            return false;
        }
        let begun_at = self.begun_at.load(Ordering::Relaxed);
        let seconds = now.saturating_sub(begun_at) / TICKS_A_SECOND;
        let late = seconds.saturating_sub(limits::MESSAGE_SECONDS) as usize;
        bytes < late * limits::MESSAGE_BYTES_A_SECOND
    }

    fn enlist(self: &Arc<Self>) {
        if !self.enlisted.swap(true, Ordering::AcqRel) {
            self.outbox.keep().enlist(self);
        }
    }

    /// Whether anything is kept for it that is to be looked after.
    pub(super) fn owes(&self) -> bool {
        self.unfinished_bytes() > 0 || self.outbox.is_heavy()
    }

    /// Takes it off the list. Returns false where it has to stay: it owes again.
    pub(super) fn strike_off(&self) -> bool {
        self.enlisted.store(false, Ordering::Release);
        !self.owes() || self.enlisted.swap(true, Ordering::AcqRel)
    }
}

impl Counter {
    /// No read-modify-write, as there is no other writer.
    pub(super) fn add(&self, more: u64) {
        self.0.store(self.get().wrapping_add(more), Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.outbox.keep().adjust(limits::CLIENT_BYTES + self.unfinished_bytes(), 0);
        if let Some(agent) = &self.user_agent {
            self.outbox.hub.agents.leave(agent);
        }
    }
}
