//! What shows of messages that hold secrets where they are printed for people.

use std::fmt;

use crate::admin::pb::Room;

/// Without the password, which nobody but the room is told.
impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password = if self.password.is_empty() { "" } else { "…" };
        f.debug_struct("Room")
            .field("room_id", &self.room_id)
            .field("member_count", &self.member_count)
            .field("max_members", &self.max_members)
            .field("locked", &self.locked)
            .field("create_time", &self.create_time)
            .field("position", &self.position)
            .field("members", &self.members)
            .field("metadata_json", &self.metadata_json)
            .field("empty_timeout", &self.empty_timeout)
            .field("expire_time", &self.expire_time)
            .field("etag", &self.etag)
            .field("lobby", &self.lobby)
            .field("password", &password)
            .field("password_set", &self.password_set)
            .field("waiting", &self.waiting)
            .field("waiting_count", &self.waiting_count)
            .finish()
    }
}
