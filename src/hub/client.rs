//! One connected client, as everyone but its own connection sees it.

use std::{
    fmt::Debug,
    net::IpAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU16, AtomicU32, Ordering},
    },
};

use parking_lot::Mutex;

use super::{
    Hub, Network,
    cell::RoomCell,
    heartbeat::TICKS_A_SECOND,
    outbox::{Cause, Entry, Flush, Outbox, Pushed},
    session::Names,
    turn,
};
use crate::{config::limits, id::ClientId};

/// Its name, what is due to it and how that gets there, and when it was last heard of.
#[derive(Debug)]
pub struct Client {
    /// The server's name for it.
    pub id: ClientId,
    /// Where it comes from, as far as that is known.
    pub(super) address: IpAddr,
    shown: Mutex<Shown>,
    /// What is due to it.
    pub outbox: Outbox,
    link: OnceLock<Arc<dyn Link>>,
    heard_at: AtomicU32,
    /// How many outboxes it has to wait for, before it may say more: at most one for each room-mate.
    held_by: AtomicU16,
    /// Bytes of a message that it did not finish yet, and the tick in which it began it.
    unfinished: AtomicU32,
    begun_at: AtomicU32,
    /// Whether [`super::keep::Keep`] has it on its list.
    enlisted: AtomicBool,
}

/// What its session knows of it, for all others.
#[derive(Debug, Default)]
struct Shown {
    names: Option<Arc<Names>>,
    seat: Option<Arc<RoomCell>>,
}

/// The way from an outbox to its client's socket, for those who do not own the connection.
pub trait Link: Debug + Send + Sync {
    /// Sends what is due as far as the socket takes it at once. What it does not take is left to the
    /// connection's own task.
    fn flush(&self, outbox: &Outbox);

    /// How many bytes the socket has taken in all, modulo 2^32.
    fn taken(&self) -> u32;
}

impl Client {
    pub(super) fn new(hub: &Arc<Hub>, address: IpAddr) -> Self {
        hub.keep.adjust(0, limits::CLIENT_BYTES);
        Self {
            id: ClientId::random(),
            address,
            shown: Mutex::default(),
            outbox: Outbox::new(Arc::clone(hub)),
            link: OnceLock::new(),
            heard_at: AtomicU32::new(0),
            held_by: AtomicU16::new(0),
            unfinished: AtomicU32::new(0),
            begun_at: AtomicU32::new(0),
            enlisted: AtomicBool::new(false),
        }
    }

    /// The address or network whose share of what is limited it takes.
    pub(super) fn network(&self) -> Network {
        Network::of(self.address)
    }

    /// What it goes by since it registered.
    pub(super) fn names(&self) -> Option<Arc<Names>> {
        self.shown.lock().names.clone()
    }

    pub(super) fn show_names(&self, names: Option<Arc<Names>>) {
        self.shown.lock().names = names;
    }

    /// The room in which it sits, or sat a moment ago, or is about to sit.
    pub(super) fn seat(&self) -> Option<Arc<RoomCell>> {
        self.shown.lock().seat.clone()
    }

    pub(super) fn show_seat(&self, seat: Option<Arc<RoomCell>>) {
        self.shown.lock().seat = seat;
    }

    /// From now on, whoever has something to say to this client flushes `link` at the end of its turn.
    pub fn attach(&self, link: Arc<dyn Link>) {
        let attached = self.link.set(link);
        debug_assert!(attached.is_ok(), "a client has one connection");
    }

    /// Says something to the client: it is sent at the end of the caller's turn, or by the client's own task.
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

    /// How many bytes its socket has taken in all, modulo 2^32.
    pub(super) fn taken(&self) -> u32 {
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

impl Drop for Client {
    fn drop(&mut self) {
        self.outbox.keep().adjust(limits::CLIENT_BYTES + self.unfinished_bytes(), 0);
    }
}
