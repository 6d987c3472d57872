//! A turn: one poll of a connection's task. Whatever it says to others is flushed once, at its end, by itself:
//! messages that belong together go out together, and nobody has to be woken to send them.
//!
//! All that a turn said is flushed before the next one begins: nobody says things faster than they are sent.

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

thread_local! {
    /// The turn on this thread.
    static TURN: RefCell<Turn> =
        const { RefCell::new(Turn { under_way: false, messages: 0, told: Vec::new(), pressing: false }) };
}

struct Turn {
    under_way: bool,
    /// How many it has handled.
    messages: usize,
    /// Whom it has said something to. Between turns, an empty list for the next one.
    told: Vec<Arc<Client>>,
    /// Whether one of them has to be flushed before it is told more.
    pressing: bool,
}

/// Runs `future`, each poll of it one turn. Turns do not nest.
pub fn turns<F: Future + Unpin>(mut future: F) -> impl Future<Output = F::Output> {
    // In a box: few turns say so much that they end before all of it is flushed.
    let mut unfinished: Option<Box<(Unflushed, Poll<F::Output>)>> = None;
    poll_fn(move |cx| {
        let begins = unfinished.is_none();
        let (mut unflushed, result) = match unfinished.take() {
            None => Unflushed::after_turn(&mut future, cx),
            Some(unfinished) => *unfinished,
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

/// Flushes `client` at the end of the turn, which is to end soon if that is `pressing`; outside of one, its
/// own task does.
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

/// Who is still to be flushed for a turn that ended.
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
            TURN.with_borrow_mut(|turn| turn.told = mem::take(&mut self.0));
        }
    }
}

/// Ends the turn, even one that panics.
struct End<'a>(&'a mut Unflushed);

impl Drop for End<'_> {
    fn drop(&mut self) {
        TURN.with_borrow_mut(|turn| {
            (turn.under_way, turn.messages, turn.pressing) = (false, 0, false);
            if !turn.told.is_empty() {
                self.0.0 = mem::take(&mut turn.told);
            }
        });
    }
}

impl Drop for Unflushed {
    fn drop(&mut self) {
        // A panic or the runtime's end: there will be no more polls to do it in.
        self.0.iter().for_each(|client| client.outbox.summon());
    }
}
