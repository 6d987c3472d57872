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

/// Flushes in a row. A thousand system calls would hold up every other room on the thread by milliseconds;
/// after this many, other tasks come first.
const MOST_FLUSHES: usize = 64;

thread_local! {
    /// The turn on this thread.
    static TURN: RefCell<Turn> =
        const { RefCell::new(Turn { told: Vec::new(), pressing: false, under_way: false }) };
}

struct Turn {
    /// Whom it has said something to. Between turns, an empty list for the next one.
    told: Vec<Arc<Client>>,
    /// Whether one of them has to be flushed before it is told more.
    pressing: bool,
    under_way: bool,
}

/// Runs `future`, each poll of it one turn. Turns do not nest.
pub fn turns<F: Future + Unpin>(mut future: F) -> impl Future<Output = F::Output> {
    let mut unflushed = Unflushed(Vec::new());
    let mut result = Poll::Pending;
    poll_fn(move |cx| {
        let begins = unflushed.0.is_empty();
        if begins {
            result = unflushed.turn(&mut future, cx);
        }
        unflushed.flush_some();
        if unflushed.0.is_empty() && (begins || result.is_ready()) {
            return mem::replace(&mut result, Poll::Pending);
        }
        // Also behind the last flush: what woke the task meanwhile may have been meant for the future.
        // It wakes this task when all others, and the sockets, had their turn.
        let _ = pin!(yield_now()).poll(cx);
        Poll::Pending
    })
}

/// Whether this turn has said so much that it should end before another message is handled.
pub fn turn_is_full() -> bool {
    TURN.with_borrow(|turn| turn.pressing || turn.told.len() >= MOST_FLUSHES)
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
    fn turn<F: Future + Unpin>(&mut self, future: &mut F, cx: &mut Context<'_>) -> Poll<F::Output> {
        TURN.with_borrow_mut(|turn| turn.under_way = true);
        let _end = End(self);
        Pin::new(future).poll(cx)
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
            (turn.under_way, turn.pressing) = (false, false);
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
