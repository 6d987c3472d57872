//! A turn: one poll of a connection's task. Whatever it says to others is flushed once, at its end, by itself:
//! messages that belong together go out together, and nobody has to be woken to send them.

use std::{cell::RefCell, sync::Arc};

use super::Client;

/// Flushes in one turn. A thousand system calls in a row would hold up every other room on the thread by
/// milliseconds; beyond this many, each client's own task sends, and other tasks come between.
const MOST_FLUSHES: usize = 128;

thread_local! {
    /// Whom the turn on this thread has said something to; None between turns.
    static TURN: RefCell<Option<Vec<Arc<Client>>>> = const { RefCell::new(None) };
}

/// Runs `poll` as one turn. Turns do not nest.
pub fn turn<T>(poll: impl FnOnce() -> T) -> T {
    let _end = End;
    TURN.set(Some(SPARE.take()));
    poll()
}

/// Flushes `client` at the end of the turn; outside of one, its own task does.
pub(super) fn flush_later(client: &Arc<Client>) {
    let outside = TURN.with_borrow_mut(|turn| match turn {
        Some(clients) => {
            clients.push(Arc::clone(client));
            false
        }
        None => true,
    });
    if outside {
        client.outbox.wake();
    }
}

thread_local! {
    /// The last turn's list, for the next one.
    static SPARE: RefCell<Vec<Arc<Client>>> = const { RefCell::new(Vec::new()) };
}

/// Ends the turn, even one that panics.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        let Some(mut clients) = TURN.take() else { return };
        clients.drain(..MOST_FLUSHES.min(clients.len())).for_each(|client| client.flush());
        clients.drain(..).for_each(|client| client.outbox.wake());
        SPARE.set(clients);
    }
}
