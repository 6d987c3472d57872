//! What becomes of a node's seats when it is gone, or goes by another name.

use std::{sync::Arc, time::SystemTime};

use super::{
    Change, LeaveReason, Member, Room, Waiter, WaitingEnd,
    decide::{joined, left, no_longer_waits},
};
use crate::id::{ClientId, Incarnation};

impl Room {
    pub(super) fn decide_node_lost(&self, node: Incarnation) -> Vec<Change> {
        self.settled(self.without(|member| member.node == node))
    }

    /// What leaves only those who are not gone, and ends a room that they leave empty.
    fn without(&self, is_gone: impl Fn(&Member) -> bool) -> Vec<Change> {
        let reason = LeaveReason::NodeLost;
        // First of all, so that the room does not wait for them when it is empty.
        let waited = self.waiting().filter(|waiter| is_gone(&waiter.member));
        let waited = waited.map(|waiter| no_longer_waits(waiter, WaitingEnd::Gone(reason)));
        let sat = self.members().filter(|member| is_gone(member));
        let mut changes: Vec<_> = waited.chain(sat.map(|member| left(member, reason))).collect();
        let is_left_empty =
            self.members().len() > 0 && self.members().all(|member| is_gone(member));
        let others_wait = self.waiting().any(|waiter| !is_gone(&waiter.member));
        let outlives = self.settings().keep_out() || others_wait;
        if is_left_empty && self.settings().empty_timeout.is_zero() && !outlives {
            changes.push(Change::Closed);
        }
        changes
    }

    pub(super) fn decide_move(
        &self,
        node: Incarnation,
        to: Incarnation,
        clients: &[ClientId],
    ) -> Vec<Change> {
        let moved = |member: &Arc<Member>| {
            (member.node == node && node != to)
                .then(|| Arc::new(Member { node: to, ..Member::clone(member) }))
        };
        let change = |id: &ClientId| {
            if let Some(member) = self.member(*id) {
                return Some(Change::Moved { member: moved(member)? });
            }
            let Waiter { member, until } = self.waiter(*id)?;
            Some(Change::Waiting(Waiter { member: moved(member)?, until: *until }))
        };
        clients.iter().filter_map(change).collect()
    }

    pub(super) fn decide_restore(
        &self,
        lost: &Self,
        clients: &[ClientId],
        leaving: &[ClientId],
        node: Incarnation,
    ) -> Vec<Change> {
        let is_missing = |member: &Member| {
            let id = member.client_id;
            clients.contains(&id) && self.member(id).is_none() && self.waiter(id).is_none()
        };
        let stays = |id: ClientId| clients.contains(&id) || leaving.contains(&id);
        let is_ghost = |member: &Member| member.node == node && !stays(member.client_id);
        let missing = lost.members().chain(lost.waiting().map(|waiter| &waiter.member));
        if missing.filter(|member| is_missing(member)).count() == 0 {
            let mut changes = self.resettled(lost);
            changes.extend(self.without(is_ghost));
            return self.settled(changes);
        }
        let mut changes = self.resettled(lost);
        if !self.exists() {
            changes.push(Change::Created { settings: Arc::clone(lost.settings()) });
        }
        let mut earliest = self.next_joined_at(SystemTime::UNIX_EPOCH);
        for member in lost.members().filter(|member| is_missing(member)) {
            let joined_at = member.joined_at.max(earliest);
            earliest = joined_at.next();
            changes.push(joined(Member { node, joined_at, ..Member::clone(member) }));
        }
        let mut earliest = self.next_waits_since(SystemTime::UNIX_EPOCH);
        for Waiter { member, until } in lost.waiting().filter(|waiter| is_missing(&waiter.member)) {
            let joined_at = member.joined_at.max(earliest);
            earliest = joined_at.next();
            let member = Arc::new(Member { node, joined_at, ..Member::clone(member) });
            changes.push(Change::Waiting(Waiter { member, until: *until }));
        }
        let ghosts = self.without(is_ghost);
        changes.extend(ghosts.into_iter().filter(|change| !matches!(change, Change::Closed)));
        self.settled(changes)
    }

    /// What gives the room the settings that it had, unless it has later ones.
    fn resettled(&self, lost: &Self) -> Vec<Change> {
        let is_older = self.exists() && lost.settled_at() > self.settled_at();
        let updated = || Change::Updated { settings: Arc::clone(lost.settings()) };
        is_older.then(updated).into_iter().collect()
    }
}
