//! A turn: one poll of a connection's task. Whatever it says to others is flushed by the thread that it ran on:
//! messages that belong together go out together, and nobody has to be woken to send them.
//!
//! That is before the next turn begins, or where the thread says [that it is about to sleep](flush_before_sleep)
//! behind a few of them: to read for several and then to write for all takes up to a tenth less than one by one. Either
//! way nobody says things faster than they are sent.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    mem,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use tokio::task::yield_now;

use super::Client;

/// How many messages a client may have handled before others have their turn.
const MOST_MESSAGES: usize = 64;
/// Flushes in a row. A thousand system calls would hold up every other room on the thread by milliseconds;
/// after this many, other tasks come first.
const MOST_FLUSHES: usize = 64;
/// How many are told something, and how many turns or messages are handled on their thread, before they are flushed
/// where it does not sleep earlier.
const ENOUGH_TOLD: usize = 32;
const ENOUGH_HANDLED: usize = 16;

thread_local! {
    /// The turn on this thread.
    static TURN: RefCell<Turn> = const { RefCell::new(Turn::NONE) };
}

struct Turn {
    under_way: bool,
    /// How many it has handled.
    messages: usize,
    /// Whom it, or one before it, has said something to. Emptied, it is for those to come.
    told: Vec<Arc<Client>>,
    /// Whether one of them has to be flushed before it is told more.
    pressing: bool,
    /// How many messages were handled on this thread since the first of them was told something, a turn without any
    /// being one too.
    handled: usize,
    /// Whether the thread flushes before it sleeps.
    sleeps_flushed: bool,
}

/// Runs `future`, each poll of it one turn. Turns do not nest.
pub fn turns<F: Future + Unpin>(mut future: F) -> impl Future<Output = F::Output> {
    // In a box: few turns say so much that they end before all of it is flushed.
    let mut unfinished: Option<Box<(Unflushed, Poll<F::Output>)>> = None;
    poll_fn(move |cx| {
        let begins = unfinished.is_none();
        let (mut unflushed, result) = match unfinished.take() {
            None => Unflushed::after_turn(&mut future, cx),
            Some(unfinished) => {
                // Others do not wait for one who tells many.
                flush_told();
                *unfinished
            }
        };
        unflushed.flush_some();
        let is_flushed = unflushed.0.is_empty();
        if is_flushed && (begins || result.is_ready()) {
            return result;
        }
        unfinished = (!is_flushed).then(|| Box::new((unflushed, result)));
        // Also behind the last flush: what woke the task meanwhile may have been meant for the future.
        // It wakes this task when all others, and the sockets, had their turn.
        let _ = pin!(yield_now()).poll(cx);
        Poll::Pending
    })
}

/// Whether this turn may handle another message, which it then counts. One that has said too much may not.
pub fn turn_takes_another() -> bool {
    TURN.with_borrow_mut(|turn| {
        turn.messages += 1;
        turn.messages <= MOST_MESSAGES && turn.told.len() < MOST_FLUSHES && !turn.pressing
    })
}

/// For the runtime to call whenever a thread of its own has nothing to do (`on_thread_park`): from then on, turns on it
/// leave their flushes to the next call, for a few of them.
pub fn flush_before_sleep() {
    TURN.with_borrow_mut(|turn| turn.sleeps_flushed = true);
    flush_told();
}

/// Runs `future`, whose polls are no turns: no flush waits for them. What may keep a thread awake, or take a while, is
/// run by this, or calls [`flush_told`].
pub fn beside_turns<F: Future + Unpin>(mut future: F) -> impl Future<Output = F::Output> {
    poll_fn(move |cx| {
        flush_told();
        Pin::new(&mut future).poll(cx)
    })
}

/// Flushes whom turns on this thread have told something.
pub fn flush_told() {
    Unflushed(TURN.with_borrow_mut(Turn::take_told)).flush_some();
}

/// Flushes `client` behind the turn, which is to end soon if that is `pressing`; outside of one, its own task does.
pub(super) fn flush_later(client: &Arc<Client>, pressing: bool) {
    let under_way = TURN.with_borrow_mut(|turn| {
        if turn.under_way {
            turn.told.push(Arc::clone(client));
            turn.pressing |= pressing;
        }
        turn.under_way
    });
    if !under_way {
        client.outbox.summon();
    }
}

impl Turn {
    const NONE: Self = Self {
        under_way: false,
        messages: 0,
        told: Vec::new(),
        pressing: false,
        handled: 0,
        sleeps_flushed: false,
    };

    /// At its end: whom to flush now.
    fn take_due(&mut self) -> Vec<Arc<Client>> {
        // Most ended since the next message was not there.
        let handled = mem::take(&mut self.messages).saturating_sub(1).max(1);
        self.handled += if self.told.is_empty() { 0 } else { handled };
        let waits = self.sleeps_flushed
            && !self.pressing
            && self.told.len() < ENOUGH_TOLD
            && self.handled < ENOUGH_HANDLED;
        if waits { Vec::new() } else { self.take_told() }
    }

    fn take_told(&mut self) -> Vec<Arc<Client>> {
        if self.told.is_empty() {
            return Vec::new();
        }
        (self.pressing, self.handled) = (false, 0);
        mem::take(&mut self.told)
    }

    /// Takes back an empty list, as no turn should have to allocate one.
    fn use_again(&mut self, emptied: Vec<Arc<Client>>) {
        if self.told.is_empty() {
            self.told = emptied;
        }
    }
}

/// Who is still to be flushed, for turns that ended.
struct Unflushed(Vec<Arc<Client>>);

impl Unflushed {
    fn after_turn<F>(future: &mut F, cx: &mut Context<'_>) -> (Self, Poll<F::Output>)
    where
        F: Future + Unpin,
    {
        TURN.with_borrow_mut(|turn| turn.under_way = true);
        let mut unflushed = Self(Vec::new());
        let end = End(&mut unflushed);
        let result = Pin::new(future).poll(cx);
        drop(end);
        (unflushed, result)
    }

    fn flush_some(&mut self) {
        if self.0.is_empty() {
            return;
        }
        let some = self.0.len().min(MOST_FLUSHES);
        self.0.drain(..some).for_each(|client| client.flush());
        if self.0.is_empty() {
            TURN.with_borrow_mut(|turn| turn.use_again(mem::take(&mut self.0)));
        }
    }
}

/// Ends the turn, even one that panics.
struct End<'a>(&'a mut Unflushed);

impl Drop for End<'_> {
    fn drop(&mut self) {
        TURN.with_borrow_mut(|turn| {
            turn.under_way = false;
            self.0.0 = turn.take_due();
        });
    }
}

impl Drop for Unflushed {
    fn drop(&mut self) {
        // A panic or the runtime's end: there will be no more polls to do it in.
        self.0.iter().for_each(|client| client.outbox.summon());
    }
}
