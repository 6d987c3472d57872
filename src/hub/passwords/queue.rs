//! Who waits, in turns by who asks: each asker's things in their order, one of each asker before a second one of any.

use std::collections::{HashMap, VecDeque};

use super::Asker;

/// See the module. Bounded for each asker, and in all.
#[derive(Debug)]
pub(super) struct Queue<T> {
    of_each: usize,
    in_all: usize,
    /// Of those only who wait for something.
    lanes: HashMap<Asker, VecDeque<T>>,
    /// Each of them once: the first is next.
    turns: VecDeque<Asker>,
    waiting: usize,
}

impl<T> Queue<T> {
    pub(super) fn new(of_each: usize, in_all: usize) -> Self {
        Self { of_each, in_all, lanes: HashMap::new(), turns: VecDeque::new(), waiting: 0 }
    }

    pub(super) fn is_full_for(&self, asker: Asker) -> bool {
        self.waiting >= self.in_all || self.waiting_of(asker) >= self.of_each
    }

    /// Adds a thing. Where all places are taken, the last one of whoever has the most of them makes room for who has
    /// less.
    ///
    /// # Errors
    /// The thing that has no place: this one, or the other.
    pub(super) fn push(&mut self, asker: Asker, thing: T) -> Result<(), T> {
        if self.waiting_of(asker) >= self.of_each {
            return Err(thing);
        }
        let displaced = if self.waiting >= self.in_all {
            match self.displace(self.waiting_of(asker) + 1) {
                Some(other) => Some(other),
                None => return Err(thing),
            }
        } else {
            None
        };
        let lane = self.lanes.entry(asker).or_default();
        if lane.is_empty() {
            self.turns.push_back(asker);
        }
        lane.push_back(thing);
        self.waiting += 1;
        displaced.map_or(Ok(()), Err)
    }

    /// The next thing.
    pub(super) fn pop(&mut self) -> Option<T> {
        let asker = self.turns.pop_front()?;
        let lane = self.lanes.get_mut(&asker).expect("who has a turn has something");
        let thing = lane.pop_front().expect("who has a turn has something");
        if lane.is_empty() {
            self.lanes.remove(&asker);
        } else {
            self.turns.push_back(asker);
        }
        self.waiting -= 1;
        Some(thing)
    }

    /// Leaves out what nobody waits for any more.
    pub(super) fn retain(&mut self, mut is_wanted: impl FnMut(&T) -> bool) {
        self.lanes.values_mut().for_each(|lane| lane.retain(&mut is_wanted));
        self.lanes.retain(|_, lane| !lane.is_empty());
        self.turns.retain(|asker| self.lanes.contains_key(asker));
        self.waiting = self.lanes.values().map(VecDeque::len).sum();
    }

    fn waiting_of(&self, asker: Asker) -> usize {
        self.lanes.get(&asker).map_or(0, VecDeque::len)
    }

    /// Takes the last thing of whoever has the most, if they have more than so many.
    fn displace(&mut self, more_than: usize) -> Option<T> {
        let longest = self.lanes.values_mut().max_by_key(|lane| lane.len())?;
        // Two at least, so the lane is not empty afterwards.
        let thing = if longest.len() > more_than { longest.pop_back() } else { None };
        self.waiting -= usize::from(thing.is_some());
        thing
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::hub::Network;

    fn asker(nth: u8) -> Asker {
        match nth {
            0 => Asker::Administrator,
            _ => Asker::Client(Network::of(std::net::Ipv4Addr::from([192, 0, 2, nth]).into())),
        }
    }

    #[test]
    fn who_asks_for_much_does_not_delay_others_by_more_than_one() {
        let mut queue = Queue::new(100, 1000);
        for nth in 0..100 {
            queue.push(asker(1), (1, nth)).unwrap();
        }
        queue.push(asker(2), (2, 0)).unwrap();
        queue.push(asker(3), (3, 0)).unwrap();
        queue.push(asker(2), (2, 1)).unwrap();
        let first: Vec<_> = std::iter::from_fn(|| queue.pop()).take(6).collect();
        assert_eq!(first, [(1, 0), (2, 0), (3, 0), (1, 1), (2, 1), (1, 2)]);
    }

    #[test]
    fn who_has_the_most_places_makes_room_and_who_has_as_many_does_not() {
        let mut queue = Queue::new(3, 4);
        for (who, thing, displaced) in [
            (1, "a", Ok(())),
            (1, "b", Ok(())),
            (1, "c", Ok(())),
            (1, "d", Err("d")),
            (2, "e", Ok(())),
            (3, "f", Err("c")),
            (4, "g", Err("b")),
            (5, "h", Err("h")),
        ] {
            assert_eq!(queue.push(asker(who), thing), displaced, "{thing}");
        }
        let left: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(left, ["a", "e", "f", "g"]);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push(u8),
        Pop,
        /// Whatever of this asker is in an even place of all that came.
        Forget(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0..6_u8).prop_map(Step::Push),
            4 => Just(Step::Pop),
            1 => (0..6_u8).prop_map(Step::Forget),
        ]
    }

    proptest! {
        /// Against a plain list in which each thing notes whom it has seen served since it came.
        #[test]
        fn turns_are_fair_and_bounded(steps in vec(step(), 0..200)) {
            const OF_EACH: usize = 4;
            const IN_ALL: usize = 10;
            let mut queue = Queue::new(OF_EACH, IN_ALL);
            let mut model: BTreeMap<u8, VecDeque<usize>> = BTreeMap::new();
            let mut served_since: BTreeMap<u8, BTreeMap<u8, usize>> = BTreeMap::new();
            for (nth, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Push(who) => {
                        let own = model.get(&who).map_or(0, VecDeque::len);
                        let all: usize = model.values().map(VecDeque::len).sum();
                        let most = model.values().map(VecDeque::len).max().unwrap_or(0);
                        let pushed = queue.push(asker(who), (who, nth));
                        let is_refused = pushed == Err((who, nth));
                        let no_place = all >= IN_ALL && most <= own + 1;
                        prop_assert_eq!(is_refused, own >= OF_EACH || no_place);
                        if let Err((other, thing)) = pushed && !is_refused {
                            prop_assert_eq!(model.get_mut(&other).unwrap().pop_back(), Some(thing));
                            prop_assert_eq!(model[&other].len() + 1, most);
                        }
                        if !is_refused {
                            model.entry(who).or_default().push_back(nth);
                        }
                    }
                    Step::Pop => {
                        let Some((who, thing)) = queue.pop() else {
                            prop_assert!(model.is_empty());
                            continue;
                        };
                        prop_assert_eq!(model.get_mut(&who).unwrap().pop_front(), Some(thing));
                        served_since.remove(&who);
                        for waits in model.keys().filter(|waits| **waits != who) {
                            let times = served_since.entry(*waits).or_default().entry(who).or_default();
                            *times += 1;
                            prop_assert!(*times <= 1, "{who} had {times} turns while {waits} waited");
                        }
                    }
                    Step::Forget(who) => {
                        queue.retain(|(of, thing)| *of != who || thing % 2 == 1);
                        if let Some(lane) = model.get_mut(&who) {
                            lane.retain(|thing| thing % 2 == 1);
                        }
                    }
                }
                model.retain(|_, lane| !lane.is_empty());
                served_since.retain(|who, _| model.contains_key(who));
            }
        }
    }
}
