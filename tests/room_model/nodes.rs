//! What becomes of a node's people in the model of a room.

use signalpost::room::{LeaveReason, WaitingEnd};

use super::{model::Model, seat::Waiting};

impl Model {
    /// All at once: nobody of them becomes host for another's leaving.
    pub(super) fn lose_node(&mut self, node: u8, now: u64) -> Vec<(u8, WaitingEnd)> {
        let (its, still) = self.waiting.iter().partition(|waiting| waiting.node == node);
        self.waiting = still;
        let its: Vec<Waiting> = its;
        let end = WaitingEnd::Gone(LeaveReason::NodeLost);
        let told = its.iter().map(|waiting| (waiting.who, end)).collect();
        let had_members = !self.members.is_empty();
        while let Some(seat) = self.members.iter().position(|seat| seat.node == node) {
            self.unseat(seat, LeaveReason::NodeLost, now);
        }
        let is_left_empty = had_members && self.members.is_empty();
        if is_left_empty && self.rules.timeout == 0 && self.held_until.is_none() {
            self.exists = false;
        }
        self.settle(None);
        told
    }

    pub(super) fn move_to(&mut self, node: u8, to: u8, clients: &[u8]) {
        let is_one = |who: u8, at: u8| clients.contains(&who) && at == node;
        for seat in self.members.iter_mut().filter(|seat| is_one(seat.who, seat.node)) {
            seat.node = to;
        }
        for waiting in self.waiting.iter_mut().filter(|w| is_one(w.who, w.node)) {
            waiting.node = to;
        }
    }
}
