//! What the hub shows a scraper of this moment, beside what is counted.

use super::Hub;
use crate::metrics::{Exposition, Source};

impl Source for Hub {
    fn expose(&self, to: &mut Exposition) {
        self.metrics.expose(to);
        if let Some(fleet) = &self.fleet {
            fleet.expose(to);
        }
        to.gauge(
            "signalpost_connections",
            "Clients that are connected.",
            self.clients.count() as u64,
        );
        to.gauge("signalpost_rooms", "Rooms that exist here.", self.directory.count() as u64);
        let waiting = self.metrics.waiting();
        to.gauge("signalpost_waiting_clients", "Clients that wait for a seat.", waiting);
        to.gauge("signalpost_bans", "Bans that stand.", self.bans.count() as u64);
        let (mut messages, mut bytes, mut most_bytes, mut pressed) = (0, 0, 0, 0);
        let mut seated = 0;
        self.clients.for_each(|client| {
            let depth = client.outbox.depth();
            messages += depth.messages as u64;
            bytes += depth.bytes as u64;
            most_bytes = most_bytes.max(depth.bytes as u64);
            pressed += u64::from(depth.is_pressed);
            seated += u64::from(self.fleet.is_some() && client.seat().is_some());
        });
        // Of a fleet's rooms, events tell of members who came before the room was held here, and of others' members.
        let members = match &self.fleet {
            Some(_) => seated.saturating_sub(waiting),
            None => self.metrics.members(),
        };
        to.gauge("signalpost_members", "Members of all rooms that are connected here.", members);
        to.gauge("signalpost_outbox_messages", "Messages due to clients.", messages);
        to.gauge("signalpost_outbox_bytes", "What these count, in bytes.", bytes);
        to.gauge("signalpost_outbox_max_bytes", "What the fullest outbox counts.", most_bytes);
        to.gauge("signalpost_outbox_pressed", "Outboxes whose clients have to take more.", pressed);
        to.gauge("signalpost_kept_bytes", "What is kept for all clients.", self.keep.bytes());
        let (watchers, lag) = self.metrics.watchers(self.journal.head());
        to.gauge("signalpost_watchers", "Watchers of the log.", watchers as u64);
        to.gauge("signalpost_watcher_lag_events", "How far the last watcher is behind.", lag);
    }
}
