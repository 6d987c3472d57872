//! An encoded message, shared by all who receive it.

use std::sync::{Arc, OnceLock};

use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{Joined, Reply};
use crate::{
    id::{ClientId, UserId},
    room::{Change, Event, LeaveReason, Member, Settings},
};

/// One encoded message. Cloning it copies no byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame(Utf8Bytes);

impl Frame {
    pub(super) fn new(text: String) -> Self {
        Self(text.into())
    }

    /// The message as JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A message about a room that is put together under the room's lock and encoded under no room's: once, by
/// whoever first sends it to one of its receivers.
#[derive(Debug)]
pub struct Announcement {
    what: What,
    frame: OnceLock<Frame>,
}

#[derive(Debug)]
enum What {
    Joined(Joined),
    UserJoined(Arc<Member>),
    UserUpdated(Arc<Member>),
    UserLeft { client_id: ClientId, user_id: Option<UserId>, reason: LeaveReason },
    RoomUpdated(Settings),
}

impl Announcement {
    /// What the joiner hears: who is there.
    pub fn joined(joined: Joined) -> Self {
        What::Joined(joined).into()
    }

    /// What the room-mates of whomever it concerns hear of `event`, the room's settings being `settings` after it.
    pub fn of(event: &Event, settings: &Settings) -> Option<Self> {
        Some(Self::from(match &event.change {
            Change::Joined(member) => What::UserJoined(Arc::clone(member)),
            Change::Renamed(member) => What::UserUpdated(Arc::clone(member)),
            Change::Left { client_id, user_id, reason } => {
                What::UserLeft { client_id: *client_id, user_id: user_id.clone(), reason: *reason }
            }
            Change::Locked | Change::Unlocked => What::RoomUpdated(settings.clone()),
            Change::Created { .. } | Change::Closed => return None,
        }))
    }

    /// The encoded message.
    pub fn frame(&self) -> Frame {
        self.frame.get_or_init(|| self.what.encode()).clone()
    }

    /// About how many bytes it will take, told without encoding it.
    pub fn weight(&self) -> usize {
        const FIELDS: usize = 200;
        match &self.what {
            What::Joined(joined) => {
                joined.peers.iter().map(|peer| FIELDS + peer.weight()).sum::<usize>() + FIELDS
            }
            What::UserJoined(member) | What::UserUpdated(member) => FIELDS + member.weight(),
            What::UserLeft { .. } => FIELDS,
            What::RoomUpdated(settings) => FIELDS + settings.metadata.len(),
        }
    }
}

impl From<What> for Announcement {
    fn from(what: What) -> Self {
        Self { what, frame: OnceLock::new() }
    }
}

impl What {
    fn encode(&self) -> Frame {
        match self {
            Self::Joined(joined) => joined.encode(),
            Self::UserJoined(member) => Reply::user_joined(member).encode(),
            Self::UserUpdated(member) => Reply::user_updated(member).encode(),
            Self::UserLeft { client_id, user_id, reason } => Reply::UserLeft {
                user_id: user_id.as_ref(),
                client_id: *client_id,
                reason: reason.as_str(),
            }
            .encode(),
            Self::RoomUpdated(settings) => Reply::RoomUpdated { room: settings.into() }.encode(),
        }
    }
}
