//! Who is not let in, and what it is told: before a WebSocket is there, with HTTP's own words.

use std::sync::atomic::{AtomicBool, Ordering};

use hyper::{
    HeaderMap, StatusCode,
    header::{CONNECTION, FORWARDED, HeaderValue, RETRY_AFTER},
};

use super::{Response, plain};
use crate::{
    hub::NotLetIn,
    metrics::{Exposition, Source},
    telemetry::Tally,
};

/// See the module.
#[derive(Debug)]
pub struct Refusals {
    full: Tally,
    memory: Tally,
    address: Tally,
    rate: Tally,
    /// So many at a time that they were not even told.
    pub without_words: Tally,
    /// No connection could be accepted.
    pub not_accepted: Tally,
    /// `--proxy-protocol`, and no header of a trusted proxy.
    pub not_of_a_proxy: Tally,
    /// Whether it is known whose connections come through a proxy, or was said that it is not.
    proxies_are_known: AtomicBool,
}

impl Refusals {
    pub(super) fn new(trusts_proxies: bool) -> Self {
        Self {
            full: Tally::new("connections were refused: there are as many as fit"),
            memory: Tally::new("connections were refused: near --memory-budget"),
            address: Tally::new("connections were refused: --max-connections-per-address"),
            rate: Tally::new("connections were refused: too many new ones of one address"),
            without_words: Tally::new(
                "connections were closed without a word: too many were refused",
            ),
            not_accepted: Tally::new("connections could not be accepted"),
            not_of_a_proxy: Tally::new(
                "connections were closed: --proxy-protocol, and no header of a --trusted-proxy came",
            ),
            proxies_are_known: AtomicBool::new(trusts_proxies),
        }
    }

    /// Counts somebody who is not let in.
    pub(super) fn count(&self, refused: NotLetIn) {
        match refused {
            NotLetIn::Full => self.full.count(),
            NotLetIn::Memory => self.memory.count(),
            NotLetIn::Address => self.address.count(),
            NotLetIn::Rate => self.rate.count(),
        }
    }

    /// Says how many there were since it was last said.
    pub fn say(&self) {
        self.all().into_iter().for_each(|(_, tally)| tally.say());
    }

    fn all(&self) -> [(&'static str, &Tally); 7] {
        [
            ("full", &self.full),
            ("memory", &self.memory),
            ("address", &self.address),
            ("rate", &self.rate),
            ("without-words", &self.without_words),
            ("not-accepted", &self.not_accepted),
            ("not-of-a-proxy", &self.not_of_a_proxy),
        ]
    }

    /// The last answer on its connection.
    pub(super) fn answer(&self, refused: NotLetIn, headers: &HeaderMap) -> Response {
        let by_address = matches!(refused, NotLetIn::Address | NotLetIn::Rate);
        let passed_on = headers.contains_key("x-forwarded-for") || headers.contains_key(FORWARDED);
        if by_address && passed_on && !self.proxies_are_known.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "a connection of a proxy was refused, since all its clients count as one address; \
                 name the proxy with --trusted-proxy"
            );
        }
        let (status, retry_after) = match refused {
            NotLetIn::Full | NotLetIn::Memory => (StatusCode::SERVICE_UNAVAILABLE, "5"),
            NotLetIn::Address => (StatusCode::TOO_MANY_REQUESTS, "5"),
            NotLetIn::Rate => (StatusCode::TOO_MANY_REQUESTS, "1"),
        };
        let mut response = plain(status, &refused.to_string());
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(retry_after));
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

impl Source for Refusals {
    fn expose(&self, to: &mut Exposition) {
        to.counters(
            "signalpost_turned_away_total",
            "Connections that were not let in, by reason.",
            ["reason"],
            self.all().map(|(reason, tally)| ([reason], tally.times())),
        );
    }
}
