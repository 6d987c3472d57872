//! Which administrator is ending which connection just now: its own task may be the one that frees its seat, and shall
//! know in whose name.

use std::collections::{HashMap, hash_map::Entry};

use parking_lot::Mutex;

use crate::{event::Administrator, id::ClientId};

/// See the module. Not kept with each client: hardly any is ever ended.
#[derive(Debug, Default)]
pub(super) struct Enders(Mutex<HashMap<ClientId, Administrator>>);

impl Enders {
    /// Runs `end`, after which a client has no seat any more. The first of two administrators is the one.
    pub(super) fn during(&self, by: &Administrator, id: ClientId, end: impl FnOnce()) {
        let is_first = match self.0.lock().entry(id) {
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert(by.clone());
                true
            }
        };
        end();
        if is_first {
            self.0.lock().remove(&id);
        }
    }

    /// Who is ending it; nobody's name where none is.
    pub(super) fn of(&self, id: ClientId) -> Administrator {
        self.0.lock().get(&id).cloned().unwrap_or_default()
    }
}
