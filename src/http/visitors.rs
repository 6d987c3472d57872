//! How many connections may speak HTTP at a time, apart from those that are WebSockets. Where there are too
//! many, the one that has had nothing to answer for the longest time goes first.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::hub::{Guest, NotLetIn};

/// See the module.
#[derive(Debug)]
pub(super) struct Visitors {
    most: usize,
    most_refused: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    count: usize,
    refused: usize,
    next: u64,
    /// Those that have nothing to answer, in the order in which that began.
    idle: BTreeMap<u64, Arc<Notify>>,
}

/// A connection's place, given back when dropped.
#[derive(Debug)]
pub struct Visitor {
    visitors: Arc<Visitors>,
    /// Whether it holds one of the places for those that are only told that they are not let in.
    stands_outside: bool,
    /// What it is told instead of any answer.
    pub(super) refused: Option<NotLetIn>,
    /// How it counts for its address, where that is known.
    pub(super) guest: Option<Guest>,
    stand: Mutex<Stand>,
    sent_away: Arc<Notify>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    /// It is being answered.
    Busy,
    /// It has nothing to answer, since that place in the order.
    Idle(u64),
    /// Another has its place.
    Gone,
}

impl Visitors {
    pub(super) fn new(most: usize, most_refused: usize) -> Arc<Self> {
        Arc::new(Self { most, most_refused, state: Mutex::default() })
    }

    /// A place for a new connection, or to be told why there is none; none at all where too many are told.
    pub(super) fn enter(
        self: &Arc<Self>,
        guest: Result<Option<Guest>, NotLetIn>,
    ) -> Option<Visitor> {
        let mut state = self.state.lock();
        let guest = guest.and_then(|guest| state.make_room(self.most).map(|()| guest));
        let (guest, refused) =
            guest.map_or_else(|refused| (None, Some(refused)), |guest| (guest, None));
        let stands_outside = refused.is_some();
        if stands_outside {
            if state.refused == self.most_refused {
                return None;
            }
            state.refused += 1;
        }
        drop(state);
        let visitor = Visitor {
            visitors: Arc::clone(self),
            stands_outside,
            refused,
            guest,
            stand: Mutex::new(Stand::Busy),
            sent_away: Arc::new(Notify::new()),
        };
        visitor.rest();
        Some(visitor)
    }
}

impl State {
    fn make_room(&mut self, most: usize) -> Result<(), NotLetIn> {
        if self.count >= most {
            let (_, oldest) = self.idle.pop_first().ok_or(NotLetIn::Full)?;
            // It is gone in a moment, and does not count any more.
            oldest.notify_one();
            self.count -= 1;
        }
        self.count += 1;
        Ok(())
    }
}

impl Visitor {
    /// From now on it has nothing to answer.
    pub(super) fn rest(&self) {
        let state = &mut *self.visitors.state.lock();
        let stand = &mut *self.stand.lock();
        if *stand == Stand::Busy && !self.stands_outside {
            state.next += 1;
            state.idle.insert(state.next, Arc::clone(&self.sent_away));
            *stand = Stand::Idle(state.next);
        }
    }

    /// It has something to answer. Returns false where its place is another's by now.
    pub(super) fn rise(&self) -> bool {
        let state = &mut *self.visitors.state.lock();
        let stand = &mut *self.stand.lock();
        if let Stand::Idle(since) = *stand {
            *stand = if state.idle.remove(&since).is_some() { Stand::Busy } else { Stand::Gone };
        }
        *stand != Stand::Gone
    }

    /// Done when another takes its place.
    pub async fn sent_away(&self) {
        self.sent_away.notified().await;
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        let counts = self.rise();
        let state = &mut *self.visitors.state.lock();
        if self.stands_outside {
            state.refused -= 1;
        } else if counts {
            state.count -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_is_idle_for_longest_makes_room_and_nobody_who_is_being_answered() {
        let visitors = Visitors::new(3, 9);
        let enter = || visitors.enter(Ok(None)).unwrap();
        let [a, b, c] = [(); 3].map(|()| enter());
        assert!(a.rise() && b.rise() && c.rise());
        let refused = enter();
        assert_eq!(refused.refused, Some(NotLetIn::Full), "all of them are being answered");
        b.rest();
        a.rest();
        let d = enter();
        assert_eq!(d.refused, None);
        assert!(!b.rise(), "it was the first to rest");
        assert!(a.rise() && d.rise());
        assert!(enter().refused.is_some());
        drop(b);
        assert!(enter().refused.is_some(), "its place was given away already");
        drop(c);
        assert_eq!(enter().refused, None);
    }

    #[test]
    fn few_are_refused_with_words_at_a_time_and_take_nobodys_place() {
        let visitors = Visitors::new(1, 2);
        let inside = visitors.enter(Ok(None)).unwrap();
        let refuse = || visitors.enter(Err(NotLetIn::Address));
        let outside = [refuse().unwrap(), refuse().unwrap()];
        assert!(outside.iter().all(|visitor| visitor.refused == Some(NotLetIn::Address)));
        assert!(refuse().is_none());
        assert!(inside.rise());
        drop(outside);
        assert!(refuse().is_some());
    }
}
