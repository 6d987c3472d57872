//! How many connections may speak HTTP at a time, apart from those that are WebSockets. Where there are too
//! many, in all or of one address, the one of them that has had nothing to answer for the longest time goes first.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{
    config::Capacity,
    hub::{Guest, Network, NotLetIn},
};

/// See the module.
#[derive(Debug)]
pub(super) struct Visitors {
    most: usize,
    most_of_one: usize,
    most_refused: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    count: usize,
    /// How many of them are of each address, where that is known.
    of_one: HashMap<Network, usize>,
    refused: usize,
    next: u64,
    /// Those that have nothing to answer, in the order in which that began.
    idle: BTreeMap<u64, Idle>,
}

#[derive(Debug)]
struct Idle {
    network: Option<Network>,
    sent_away: Arc<Notify>,
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
    /// Whose share it takes.
    network: Option<Network>,
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
    pub(super) fn new(capacity: &Capacity) -> Arc<Self> {
        Arc::new(Self {
            most: capacity.visitors,
            most_of_one: capacity.visitors_per_address(),
            most_refused: capacity.refusals,
            state: Mutex::default(),
        })
    }

    /// A place for a new connection, or to be told why there is none; none at all where too many are told.
    pub(super) fn enter(
        self: &Arc<Self>,
        guest: Result<Option<Guest>, NotLetIn>,
    ) -> Option<Visitor> {
        let mut state = self.state.lock();
        let network = guest.as_ref().ok().and_then(|guest| Some(guest.as_ref()?.network()));
        let guest = guest.and_then(|guest| state.make_room(self, network).map(|()| guest));
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
            network,
            stand: Mutex::new(Stand::Busy),
            sent_away: Arc::new(Notify::new()),
        };
        visitor.rest();
        Some(visitor)
    }
}

impl State {
    fn make_room(&mut self, most: &Visitors, of: Option<Network>) -> Result<(), NotLetIn> {
        self.make_room_of(most, of)?;
        if self.count >= most.most {
            let oldest = self.idle.first_key_value().map(|(since, _)| *since);
            self.send_away(oldest.ok_or(NotLetIn::Full)?);
        }
        self.count += 1;
        self.count_of(of);
        Ok(())
    }

    fn make_room_of(&mut self, most: &Visitors, of: Option<Network>) -> Result<(), NotLetIn> {
        let theirs = of.and_then(|network| self.of_one.get(&network).copied());
        if theirs.is_some_and(|theirs| theirs >= most.most_of_one) {
            let oldest = self.idle.iter().find(|(_, idle)| idle.network == of);
            let oldest = oldest.map(|(since, _)| *since).ok_or(NotLetIn::Address)?;
            self.send_away(oldest);
        }
        Ok(())
    }

    fn count_of(&mut self, of: Option<Network>) {
        if let Some(network) = of {
            *self.of_one.entry(network).or_default() += 1;
        }
    }

    /// It is gone in a moment, and does not count any more.
    fn send_away(&mut self, idle_since: u64) {
        if let Some(idle) = self.idle.remove(&idle_since) {
            idle.sent_away.notify_one();
            self.leave(idle.network);
        }
    }

    fn leave(&mut self, network: Option<Network>) {
        self.count -= 1;
        if let Some(network) = network
            && let Entry::Occupied(mut theirs) = self.of_one.entry(network)
        {
            *theirs.get_mut() -= 1;
            if *theirs.get() == 0 {
                theirs.remove();
            }
        }
    }
}

impl Visitor {
    /// From now on it has nothing to answer.
    pub(super) fn rest(&self) {
        let state = &mut *self.visitors.state.lock();
        let stand = &mut *self.stand.lock();
        if *stand == Stand::Busy && !self.stands_outside {
            state.next += 1;
            let idle = Idle { network: self.network, sent_away: Arc::clone(&self.sent_away) };
            state.idle.insert(state.next, idle);
            *stand = Stand::Idle(state.next);
        }
    }

    /// It is this guest's, as a proxy said.
    ///
    /// # Errors
    /// [`NotLetIn::Address`], where all places of its address's share are taken.
    pub(super) fn introduce(&mut self, guest: Option<Guest>) -> Result<(), NotLetIn> {
        let network = guest.as_ref().map(Guest::network);
        if !self.stands_outside && self.rise() {
            let visitors = Arc::clone(&self.visitors);
            let mut state = visitors.state.lock();
            state.make_room_of(&visitors, network)?;
            state.count_of(network);
            self.network = network;
        }
        self.guest = guest;
        self.rest();
        Ok(())
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
            state.leave(self.network);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, sync::Arc};

    use clap::Parser;

    use super::*;
    use crate::{config::Config, hub::Hub};

    fn visitors(most: usize, refusals: usize) -> Arc<Visitors> {
        let config = Config::try_parse_from(["signalpost"]).unwrap();
        Visitors::new(&Capacity { visitors: most, refusals, ..config.capacity() })
    }

    #[test]
    fn one_address_takes_half_of_the_places_at_most_and_its_own_idle_ones_go_first() {
        let config = Config::try_parse_from(["signalpost"]).unwrap();
        let hub = Arc::new(Hub::new(Arc::new(config)));
        let visitors = visitors(8, 9);
        let enter = |address: &str| {
            let guest = hub.greet(address.parse::<IpAddr>().unwrap());
            visitors.enter(guest.map(Some)).unwrap()
        };
        let (theirs, ours) = ("192.0.2.1", "192.0.2.2");
        let mine = enter(ours);
        let busy = [(); 4].map(|()| enter(theirs));
        assert!(busy.iter().all(Visitor::rise));
        assert_eq!(enter(theirs).refused, Some(NotLetIn::Address));
        busy[2].rest();
        let more = enter(theirs);
        assert_eq!(more.refused, None);
        assert!(!busy[2].rise() && mine.rise(), "the idle one of the same address went");
        let others = [(); 3].map(|()| enter(ours));
        assert!(others.iter().all(|visitor| visitor.refused.is_none()), "there is room for others");
        drop((busy, more));
        assert_eq!([(); 4].map(|()| enter(theirs).refused), [None; 4]);
        assert_eq!(visitors.state.lock().of_one.len(), 1, "who is gone is forgotten");
    }

    #[test]
    fn the_one_that_is_idle_for_longest_makes_room_and_nobody_who_is_being_answered() {
        let visitors = visitors(3, 9);
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
    fn whose_connection_a_proxy_passes_on_counts_once_that_is_known() {
        let config = Config::try_parse_from(["signalpost"]).unwrap();
        let hub = Arc::new(Hub::new(Arc::new(config)));
        let visitors = visitors(8, 9);
        let pass_on = |address: &str| {
            let mut visitor = visitors.enter(Ok(None)).unwrap();
            let guest = hub.greet(address.parse().unwrap()).unwrap();
            visitor.introduce(Some(guest)).map(|()| visitor)
        };
        let busy = [(); 4].map(|()| pass_on("192.0.2.1").unwrap());
        assert!(busy.iter().all(Visitor::rise));
        assert_eq!(pass_on("192.0.2.1").err(), Some(NotLetIn::Address));
        let others = [(); 4].map(|()| pass_on("192.0.2.2").unwrap());
        drop((busy, others));
        let state = visitors.state.lock();
        assert_eq!((state.count, state.of_one.len(), state.idle.len()), (0, 0, 0));
    }

    #[test]
    fn few_are_refused_with_words_at_a_time_and_take_nobodys_place() {
        let visitors = visitors(1, 2);
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
