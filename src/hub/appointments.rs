//! Times at which something is due for one client. Who has no appointment costs nothing.

use std::collections::{BTreeSet, HashMap};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::Hub;
use crate::id::{ClientId, IdHasher};

/// See the module. A client has one for each kind at most.
#[derive(Debug, Default)]
pub(super) struct Appointments(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    in_order: BTreeSet<(Instant, ClientId, Due)>,
    by_client: HashMap<(ClientId, Due), Instant, IdHasher>,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Due {
    /// What it was told of ICE servers is about to end.
    IceServers,
}

impl Due {
    const ALL: [Self; 1] = [Self::IceServers];
}

impl Appointments {
    /// Takes the place of the client's appointment of the same kind.
    pub(super) fn make(&self, at: Instant, client: ClientId, what: Due) {
        let book = &mut *self.0.lock();
        book.cancel(client, what);
        book.in_order.insert((at, client, what));
        book.by_client.insert((client, what), at);
    }

    /// Nothing more is due to a client.
    pub(super) fn forget(&self, client: ClientId) {
        let book = &mut *self.0.lock();
        Due::ALL.into_iter().for_each(|what| book.cancel(client, what));
    }

    /// Those whose time has come, which they leave with.
    fn take_due(&self, now: Instant) -> Vec<(ClientId, Due)> {
        let book = &mut *self.0.lock();
        let mut due = Vec::new();
        while book.in_order.first().is_some_and(|(at, ..)| *at <= now)
            && let Some((_, client, what)) = book.in_order.pop_first()
        {
            book.by_client.remove(&(client, what));
            due.push((client, what));
        }
        due
    }
}

impl Book {
    fn cancel(&mut self, client: ClientId, what: Due) {
        if let Some(at) = self.by_client.remove(&(client, what)) {
            self.in_order.remove(&(at, client, what));
        }
    }
}

impl Hub {
    /// Does what is due. Some of whom it concerns may have gone since.
    pub(super) fn keep_appointments(&self) {
        for (client, what) in self.appointments.take_due(Instant::now()) {
            let Some(client) = self.clients.find(client) else { continue };
            match what {
                Due::IceServers => self.renew_ice_servers(&client),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_later_appointment_takes_the_place_of_the_one_before_and_none_outlives_its_client() {
        let appointments = Appointments::default();
        let (ann, bob, eve) = (ClientId::random(), ClientId::random(), ClientId::random());
        let at = |seconds| Instant::now() + Duration::from_secs(seconds);
        let (soon, later, late) = (at(10), at(20), at(30));
        appointments.make(soon, ann, Due::IceServers);
        appointments.make(late, ann, Due::IceServers);
        appointments.make(later, bob, Due::IceServers);
        appointments.make(soon, eve, Due::IceServers);
        appointments.forget(eve);
        assert_eq!(appointments.take_due(soon), []);
        assert_eq!(appointments.take_due(later), [(bob, Due::IceServers)]);
        assert_eq!(appointments.take_due(late), [(ann, Due::IceServers)]);
        assert_eq!(appointments.take_due(late), []);
        let book = appointments.0.lock();
        assert!(book.in_order.is_empty() && book.by_client.is_empty());
    }
}
