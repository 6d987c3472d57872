//! The log as it grows: the one way by which changes reach a server of a fleet, its own among them.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};

use super::{Fleet, Job};
use crate::{
    event::{Cause, Event, Position},
    hub::{
        Ending, Hub,
        cell::{Motion, Told, Word},
    },
    id::RoomId,
    journal::{self, stored},
    protocol::Code,
    room::{Change, Command, LeaveReason},
    store::{Entry, StoreError},
};

/// In how many rooms something ends at once for its time.
const EXPIRED_AT_ONCE: usize = 1000;

impl Hub {
    /// Follows the log, for as long as it is polled.
    pub(super) async fn follow(self: &Arc<Self>, fleet: &Fleet) {
        let mut last = *fleet.followed.borrow();
        let mut tail = fleet.store.tail(last);
        loop {
            let epoch = fleet.epoch();
            let read = tokio::select! {
                read = tail.next() => read,
                () = fleet.doubts.notified() => {
                    if let Err(error) = fleet.store.reopen().await {
                        tracing::debug!(%error, "no other log yet");
                    }
                    Ok(Vec::new())
                }
            };
            let is_whole = match read {
                Ok(entries) => {
                    fleet.figures.log_read();
                    self.learn_all(fleet, entries, &mut last)
                }
                Err(StoreError::Lost(_)) => false,
                Err(error) => {
                    tracing::debug!(%error, "the log cannot be followed");
                    true
                }
            };
            if !is_whole {
                fleet.renew_epoch(epoch).await;
            }
            if self.begin_anew(fleet, last).await {
                last = fleet.store.epoch_begins_at();
                tail = fleet.store.tail(last);
                fleet.followed.send_replace(last);
            }
        }
    }

    /// False: the log lost something, and these do not follow what was read of it.
    fn learn_all(&self, fleet: &Fleet, entries: Vec<Entry>, last: &mut Position) -> bool {
        for entry in entries {
            if !fleet.store.follows(&entry, *last) {
                return false;
            }
            if entry.log_prev > *last {
                tracing::warn!(?last, next = ?entry.position, "the log was trimmed");
                self.load_all_anew(fleet);
                fleet.do_soon(Job::LoadBans { lost: Vec::new() });
            }
            *last = entry.position;
            self.learn(fleet, entry);
            fleet.followed.send_replace(*last);
        }
        true
    }

    fn load_all_anew(&self, fleet: &Fleet) {
        self.directory.for_each(|cell| {
            if cell.unload() {
                fleet.do_soon(Job::Drive(Arc::clone(cell)));
            }
        });
    }

    fn learn(&self, fleet: &Fleet, entry: Entry) {
        let shown = self.show(&entry);
        if entry.room.is_none() {
            return self.learn_ban(fleet, &entry);
        }
        if let Some((room_id, told)) = shown
            && let Some(cell) = self.directory.find(&room_id)
        {
            if cell.told(self, told) {
                fleet.do_soon(Job::Drive(Arc::clone(&cell)));
            }
            self.directory.forget_if_idle(&cell);
        }
    }

    /// Shows watchers what the log has. Returns it, if it is about a room.
    pub(super) fn show(&self, entry: &Entry) -> Option<(RoomId, Told)> {
        let Some(id) = entry.room.clone() else {
            self.show_ban(entry);
            return None;
        };
        let told = told_by(entry)?;
        let shown = journal::Entry::Room { id: id.clone(), event: told.event.clone() };
        self.journal.note(entry.log_prev, shown);
        Some((id, told))
    }

    /// Sees to what has its time in rooms, whoever holds them, for as long as it is polled.
    pub(super) async fn end_what_is_due_in_the_fleet(&self, fleet: &Fleet) {
        let mut seconds = interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            seconds.tick().await;
            fleet.set_clock().await;
            self.end_shared_bans(fleet, self.now()).await;
            let Ok(due) = fleet.store.due(self.now(), EXPIRED_AT_ONCE).await else { continue };
            for room_id in due.iter().filter_map(|name| name.parse().ok()) {
                fleet.do_soon(Job::Expire(room_id));
            }
        }
    }

    pub(super) async fn expire_shared(&self, room_id: &RoomId) {
        // Looking for it ends what is due in it.
        let _ = self.cell(room_id).await;
    }

    pub(super) async fn expire_held(&self, held: &super::Held<'_>) {
        // Some other server may have come first.
        let _ = held.submit(self, Motion::new(Command::Expire, Cause::Timer)).await;
    }
}

/// What an entry about a room says, if it can be read.
pub(super) fn told_by(entry: &Entry) -> Option<Told> {
    let Entry { position, prev, batch, order, .. } = *entry;
    match stored::read_entry(&entry.payload) {
        Ok(stored::StoredEntry { cause, at, change, word }) => {
            let event = Event { position, prev, at, cause, change };
            let word = word.map(|word| Word::from_log(&word, &event.change));
            Some(Told { event, batch, order, word })
        }
        Err(error) => {
            tracing::error!(?position, %error, "an entry of the log cannot be read");
            None
        }
    }
}

impl Word {
    fn from_log(word: &stored::Word, change: &Change) -> Self {
        let reason = if let Change::Left { reason, .. } = change { Some(*reason) } else { None };
        let (code, ending) = match reason {
            Some(LeaveReason::RoomClosed) => (Code::RoomClosed, Ending::RoomClosed),
            Some(LeaveReason::Banned) => (Code::Banned, Ending::Banned),
            _ => (Code::Removed, Ending::Removed),
        };
        let said = Self::new(code, word.text.as_deref());
        if word.ends { said.and(ending) } else { said }
    }
}

impl From<&Word> for stored::Word {
    fn from(word: &Word) -> Self {
        Self { text: word.text(), ends: word.ends() }
    }
}
