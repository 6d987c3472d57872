//! What is due to single clients at a time of their own: most have nothing, and cost nothing.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Client, Ending, Hub, outbox::Entry};
use crate::{
    config::limits,
    id::ClientId,
    protocol::{Code, Rejected, Reply},
};

/// What is due to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// Its end, as it has shown no token.
    Unauthenticated,
    /// Word that its token is about to expire. That follows by itself, [`limits::TOKEN_EXPIRING`] later.
    TokenExpiring,
    /// Its end, as its token has expired.
    TokenExpired,
    /// What it was told of ICE servers is about to end.
    IceServers,
}

/// What an appointment is about. A client has one for each of these at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Matter {
    Token,
    IceServers,
}

/// See the module. Looked at each second.
#[derive(Debug, Default)]
pub(super) struct Appointments(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    by_time: BTreeSet<(Instant, ClientId, Due)>,
    by_client: HashMap<(ClientId, Matter), (Instant, Due)>,
}

impl Hub {
    /// Does what is due.
    pub(super) fn keep_appointments(&self) {
        let now = Instant::now();
        for (at, id, what) in self.appointments.due(now) {
            // It may have gone just now.
            let Some(client) = self.clients.find(id) else { continue };
            match what {
                Due::Unauthenticated => {
                    self.end_with(&client, Ending::Unauthenticated, &unauthenticated());
                }
                Due::TokenExpiring => {
                    let left = (at + limits::TOKEN_EXPIRING).saturating_duration_since(now);
                    client.push(Entry::Frame(token_expiring(left).encode()));
                }
                Due::TokenExpired => {
                    let text = "The token expired; come back with a new one";
                    let expired = Rejected::new(Code::TokenExpired, text);
                    self.end_with(&client, Ending::TokenExpired, &expired);
                }
                Due::IceServers => self.renew_ice_servers(&client),
            }
        }
    }

    /// Whoever needs a token has so long to show one.
    pub(super) fn expect_token(&self, client: ClientId) {
        if self.authority.as_ref().is_some_and(|authority| authority.is_required()) {
            let at = Instant::now() + limits::UNAUTHENTICATED;
            self.appointments.make(at, client, Due::Unauthenticated);
        }
    }

    fn end_with(&self, client: &Client, ending: Ending, word: &Rejected) {
        let Rejected { code, message, .. } = word;
        let word = Reply::Error { code: *code, message, retry_after_ms: None, request_id: None };
        if client.outbox.end_after(Entry::Frame(word.encode()), ending) {
            self.metrics.refusal(*code);
        }
    }
}

impl Appointments {
    /// What is due to a client at this time, in place of what was about the same.
    pub(super) fn make(&self, at: Instant, client: ClientId, what: Due) {
        self.0.lock().make(at, client, what);
    }

    /// Nothing more is due to a client.
    pub(super) fn forget(&self, client: ClientId) {
        let mut book = self.0.lock();
        Matter::ALL.into_iter().for_each(|matter| book.cancel(client, matter));
    }

    /// What is due by now, in the order of time. It is no more afterwards.
    fn due(&self, now: Instant) -> Vec<(Instant, ClientId, Due)> {
        let mut book = self.0.lock();
        let mut due = Vec::new();
        while let Some(&(at, client, what)) = book.by_time.first().filter(|(at, ..)| *at <= now) {
            due.push((at, client, what));
            book.cancel(client, what.matter());
            if what == Due::TokenExpiring {
                // Under the same lock: a renewal comes before or after both.
                book.make(at + limits::TOKEN_EXPIRING, client, Due::TokenExpired);
            }
        }
        due
    }
}

impl Book {
    fn make(&mut self, at: Instant, client: ClientId, what: Due) {
        self.cancel(client, what.matter());
        self.by_client.insert((client, what.matter()), (at, what));
        self.by_time.insert((at, client, what));
    }

    fn cancel(&mut self, client: ClientId, matter: Matter) {
        if let Some((at, what)) = self.by_client.remove(&(client, matter)) {
            self.by_time.remove(&(at, client, what));
        }
    }
}

impl Due {
    fn matter(self) -> Matter {
        match self {
            Self::Unauthenticated | Self::TokenExpiring | Self::TokenExpired => Matter::Token,
            Self::IceServers => Matter::IceServers,
        }
    }
}

impl Matter {
    const ALL: [Self; 2] = [Self::Token, Self::IceServers];
}

/// What somebody is told who needs a token and has shown none.
pub(super) fn unauthenticated() -> Rejected {
    Rejected::new(Code::Unauthenticated, "Register with a token first")
}

/// Word that a token expires in so long.
pub(super) fn token_expiring(left: Duration) -> Reply<'static> {
    let expires_in_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    Reply::TokenExpiring { expires_in_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_appointment_about_the_same_stands_for_the_former_one() {
        let (appointments, now) = (Appointments::default(), Instant::now());
        let [a, b, c] = [1, 2, 3].map(ClientId::from);
        let after = |seconds| now + Duration::from_secs(seconds);
        appointments.make(after(10), a, Due::Unauthenticated);
        appointments.make(after(5), b, Due::TokenExpired);
        appointments.make(after(7), c, Due::TokenExpired);
        appointments.make(after(20), a, Due::TokenExpiring);
        appointments.forget(c);
        assert_eq!(appointments.due(after(4)), []);
        assert_eq!(appointments.due(after(12)), [(after(5), b, Due::TokenExpired)]);
        assert_eq!(appointments.due(after(20)), [(after(20), a, Due::TokenExpiring)]);
        assert_eq!(appointments.due(after(79)), []);
        assert_eq!(appointments.due(after(80)), [(after(80), a, Due::TokenExpired)]);
        let book = appointments.0.lock();
        assert!(book.by_client.is_empty() && book.by_time.is_empty());
    }

    #[test]
    fn a_renewal_puts_the_end_off() {
        let (appointments, now) = (Appointments::default(), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        let client = ClientId::from(1);
        appointments.make(after(10), client, Due::TokenExpiring);
        assert_eq!(appointments.due(after(11)).len(), 1);
        appointments.make(after(100), client, Due::TokenExpiring);
        assert_eq!(appointments.due(after(99)), []);
        assert_eq!(appointments.due(after(1000)).len(), 2);
    }
}
