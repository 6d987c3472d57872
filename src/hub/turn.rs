//! A turn: one poll of a connection's task. Whatever it says to others is flushed once, at its end, by itself:
//! messages that belong together go out together, and nobody has to be woken to send them.

use std::{cell::RefCell, sync::Arc};

use tokio::task::yield_now;

use super::Client;

/// Flushes in a row. A thousand system calls would hold up every other room on the thread by milliseconds;
/// after this many, other tasks come first.
const MOST_FLUSHES: usize = 64;

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
        if clients.len() > MOST_FLUSHES {
            let rest = clients.split_off(MOST_FLUSHES);
            tokio::spawn(flush_by_and_by(rest));
        }
        clients.drain(..).for_each(|client| client.flush());
        SPARE.set(clients);
    }
}

/// Cheaper than to wake each client's own task, by a wake-up and a poll for each.
async fn flush_by_and_by(clients: Vec<Arc<Client>>) {
    for some in clients.chunks(MOST_FLUSHES) {
        yield_now().await;
        some.iter().for_each(|client| client.flush());
    }
}
