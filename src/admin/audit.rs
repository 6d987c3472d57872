//! The audit log: a line for each call that changes something, with who made it, on whom, and how it went. What was
//! said in it is not repeated.

use tonic::{Request, Response, Status};
use tonic_types::StatusExt;

use super::pb::{self, ban::Subject, broadcast_request::Target};
use crate::event::Administrator;

/// What of a line is somebody else's text is cut off after so many characters.
const SHOWN_CHARS: usize = 128;

/// A request that changes something.
pub(super) trait Order {
    /// The call's name, with what it does where that is not always the same.
    fn call(&self) -> &'static str;

    /// Whom it is about, as far as the caller says so.
    fn on(&self) -> String;
}

/// A call under way. However it ends, that is a line of the log.
#[derive(Debug)]
pub(super) struct Audit {
    by: Administrator,
    call: &'static str,
    on: String,
    is_over: bool,
}

impl Audit {
    /// A call begins.
    pub(super) fn begin<M: Order>(request: Request<M>) -> (Self, M) {
        let by = request.extensions().get::<Administrator>().cloned().unwrap_or_default();
        let request = request.into_inner();
        let audit = Self { by, call: request.call(), on: shown(&request.on()), is_over: false };
        (audit, request)
    }

    /// Who makes it.
    pub(super) fn by(&self) -> &Administrator {
        &self.by
    }

    /// It is answered.
    pub(super) fn end<A>(
        mut self,
        result: Result<A, impl Into<Status>>,
    ) -> Result<Response<A>, Status> {
        self.is_over = true;
        match result {
            Ok(answer) => {
                self.write("OK");
                Ok(Response::new(answer))
            }
            Err(error) => {
                let status = error.into();
                let details = status.get_error_details();
                self.write(details.error_info().map_or("UNKNOWN", |info| &info.reason));
                Err(status)
            }
        }
    }

    fn write(&self, result: &str) {
        write(&self.by, self.call, &self.on, result);
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        if !self.is_over {
            // Its caller went, or it took too long: it may have been carried out.
            self.write("UNANSWERED");
        }
    }
}

/// Somebody known made a call, and may not. It was not read on whom.
pub(super) fn forbidden(by: &Administrator, path: &str) {
    let call = path.rsplit('/').next().unwrap_or_default();
    write(by, &shown(call), "", "FORBIDDEN");
}

fn write(by: &Administrator, call: &str, on: &str, result: &str) {
    let by = by.to_string();
    // Nobody has that name.
    let by = if by.is_empty() { "(anybody)" } else { &by };
    tracing::info!(target: "audit", by, call, on, result, "an administrator's call");
}

/// A text of somebody else's, which is to stay within its line.
fn shown(text: &str) -> String {
    let visible = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().take(SHOWN_CHARS).map(visible).collect()
}

macro_rules! orders {
    ($($request:ident $call:literal $on:expr,)*) => {
        $(impl Order for pb::$request {
            fn call(&self) -> &'static str {
                $call
            }

            fn on(&self) -> String {
                let on: fn(&Self) -> String = $on;
                on(self)
            }
        })*
    };
}

orders! {
    CreateRoomRequest "CreateRoom" |order| {
        let named = order.room.as_ref().filter(|_| order.room_id.is_empty());
        named.map_or(&order.room_id, |room| &room.room_id).clone()
    },
    UpdateRoomRequest "UpdateRoom" |order| {
        order.room.as_ref().map_or_else(String::new, |room| room.room_id.clone())
    },
    DeleteRoomRequest "DeleteRoom" |order| order.room_id.clone(),
    DisconnectClientRequest "DisconnectClient" |order| order.client_id.clone(),
    RemoveClientRequest "RemoveClient" |order| order.client_id.clone(),
    AdmitClientRequest "AdmitClient" |order| order.client_id.clone(),
    DenyClientRequest "DenyClient" |order| order.client_id.clone(),
    CreateBanRequest "CreateBan" |order| {
        let Some(ban) = &order.ban else { return String::new() };
        let subject = match &ban.subject {
            Some(Subject::UserId(subject) | Subject::Address(subject)) => subject,
            None => "",
        };
        if ban.room_id.is_empty() { subject.to_owned() } else { format!("{subject} in {}", ban.room_id) }
    },
    DeleteBanRequest "DeleteBan" |order| order.ban_id.clone(),
    BroadcastRequest "Broadcast" |order| match &order.target {
        Some(Target::RoomId(id) | Target::ClientId(id)) => id.clone(),
        Some(Target::Rooms(rooms)) => rooms.room_ids.join(", "),
        Some(Target::Everyone(_)) => "everyone".to_owned(),
        None => String::new(),
    },
    DrainRequest "Drain" |_| "everyone".to_owned(),
    CancelDrainRequest "CancelDrain" |_| "everyone".to_owned(),
}

impl Order for pb::LockRoomRequest {
    fn call(&self) -> &'static str {
        if self.locked { "LockRoom" } else { "LockRoom (unlock)" }
    }

    fn on(&self) -> String {
        self.room_id.clone()
    }
}

impl Order for pb::SetRoleRequest {
    fn call(&self) -> &'static str {
        match self.role() {
            pb::Role::Host => "SetRole (host)",
            pb::Role::Member => "SetRole (member)",
            pb::Role::Unspecified | pb::Role::Guest => "SetRole",
        }
    }

    fn on(&self) -> String {
        self.client_id.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_leaves_its_line_or_makes_it_long() {
        assert_eq!(shown("team \"a\" 語"), "team \"a\" 語");
        assert_eq!(shown("a\nby=ops\u{1b}[31m"), "a\u{fffd}by=ops\u{fffd}[31m");
        assert_eq!(shown(&"語".repeat(1 << 20)), "語".repeat(128));
    }
}
