//! The User-Agents of all connected clients: each is kept once, and no longer than a client that sent it.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use crate::config::limits;

/// See the module. Asked only when a client comes and when it goes.
#[derive(Debug, Default)]
pub(super) struct Agents(Mutex<HashMap<Arc<str>, usize>>);

impl Agents {
    /// Counts a client that sent this, cut off where it is too long. None where it says nothing.
    pub(super) fn enter(&self, agent: &str) -> Option<Arc<str>> {
        let agent = &agent[..agent.floor_char_boundary(limits::USER_AGENT_BYTES)];
        if agent.is_empty() {
            return None;
        }
        let mut clients = self.0.lock();
        let known = clients.get_key_value(agent).map(|(known, _)| Arc::clone(known));
        let agent = known.unwrap_or_else(|| agent.into());
        *clients.entry(Arc::clone(&agent)).or_default() += 1;
        Some(agent)
    }

    /// One of its clients is gone. Counted, since others than clients may hold the text for a while.
    pub(super) fn leave(&self, agent: &str) {
        let mut clients = self.0.lock();
        if let Some(count) = clients.get_mut(agent) {
            *count -= 1;
            if *count == 0 {
                clients.remove(agent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_with_the_same_agent_share_it_and_the_last_one_takes_it_along() {
        let agents = Agents::default();
        let [one, other] = [(); 2].map(|()| agents.enter("Firefox").unwrap());
        assert!(Arc::ptr_eq(&one, &other));
        agents.leave(&one);
        assert_eq!(agents.0.lock().len(), 1);
        agents.leave(&other);
        assert_eq!(agents.0.lock().len(), 0, "though the text is still held");
    }

    #[test]
    fn an_agent_is_cut_off_between_characters() {
        let agents = Agents::default();
        for (agent, expected) in [
            ("x".repeat(257), Some("x".repeat(256))),
            ("x".repeat(256), Some("x".repeat(256))),
            ("語".repeat(100), Some("語".repeat(85))),
            (String::new(), None),
        ] {
            assert_eq!(agents.enter(&agent).as_deref(), expected.as_deref());
        }
    }
}
