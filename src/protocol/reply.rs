//! What the server says. Field order is the tutorial's; additions follow.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use super::{Code, Frame, RequestId, ReturnToken};
use crate::{
    config::IceServer,
    id::{ClientId, DisplayName, RoomId, UserId},
    room::{Identity, Member, Role, Settings},
};

/// The version of the protocol that `welcome` names.
pub const VERSION: u32 = 1;

/// A message of the server's.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[expect(missing_docs, reason = "PROTOCOL.md explains messages and fields, and a test compares")]
pub enum Reply<'a> {
    Welcome {
        client_id: ClientId,
        protocol: u32,
        heartbeat_ms: u64,
        ice_servers: &'a [IceServer],
    },
    Registered {
        user_id: &'a UserId,
        #[serde(skip_serializing_if = "Option::is_none")]
        role: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<&'a RequestId>,
    },
    Joined {
        room_id: &'a RoomId,
        members: Vec<ClientId>,
        peers: Vec<Peer<'a>>,
        room: RoomInfo<'a>,
        role: &'a str,
        return_token: &'a ReturnToken,
        #[serde(skip_serializing_if = "Option::is_none")]
        ice_servers: Option<&'a [IceServer]>,
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<&'a RequestId>,
    },
    JoinError {
        error: &'a str,
        code: Code,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<&'a RequestId>,
    },
    Waiting {
        room_id: &'a RoomId,
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<&'a RequestId>,
    },
    Left {
        room_id: &'a RoomId,
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<&'a RequestId>,
    },
    Done {
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<&'a RequestId>,
    },
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<&'a RequestId>,
    },
    Error {
        code: Code,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<&'a RequestId>,
    },
    UserJoined {
        user_id: Option<&'a UserId>,
        client_id: ClientId,
        display_name: Option<&'a DisplayName>,
        metadata: Option<&'a RawValue>,
        role: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        vouched: Option<&'a RawValue>,
    },
    UserUpdated {
        user_id: Option<&'a UserId>,
        client_id: ClientId,
        display_name: Option<&'a DisplayName>,
        role: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        vouched: Option<&'a RawValue>,
    },
    RoleChanged {
        client_id: ClientId,
        role: &'a str,
    },
    Knock {
        client_id: ClientId,
        user_id: Option<&'a UserId>,
        display_name: Option<&'a DisplayName>,
        metadata: Option<&'a RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        vouched: Option<&'a RawValue>,
    },
    KnockEnded {
        client_id: ClientId,
        reason: &'a str,
    },
    MuteRequested {
        from_id: ClientId,
    },
    UserLeft {
        user_id: Option<&'a UserId>,
        client_id: ClientId,
        reason: &'a str,
    },
    RoomUpdated {
        room: RoomInfo<'a>,
    },
    Broadcast {
        content: &'a RawValue,
    },
    IceServers {
        ice_servers: &'a [IceServer],
    },
    GoingAway {
        retry_after_ms: u64,
    },
    TokenExpiring {
        expires_in_ms: u64,
    },
    Removed {
        code: Code,
        reason: &'a str,
        room_id: Option<&'a RoomId>,
    },
}

/// A member as `joined` lists it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Peer<'a> {
    client_id: ClientId,
    user_id: Option<&'a UserId>,
    display_name: Option<&'a DisplayName>,
    metadata: Option<&'a RawValue>,
    role: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    vouched: Option<&'a RawValue>,
}

/// What members see of a room's settings.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomInfo<'a> {
    locked: bool,
    max_members: usize,
    metadata: &'a RawValue,
    has_password: bool,
    lobby: bool,
}

/// What a joiner is told, kept as it was in that moment.
#[derive(Debug)]
pub struct Joined {
    /// The room.
    pub room_id: RoomId,
    /// Who else sits there, in join order.
    pub peers: Vec<Arc<Member>>,
    /// What holds there.
    pub settings: Arc<Settings>,
    /// The joiner's role.
    pub role: Role,
    /// What the joiner may return by.
    pub return_token: ReturnToken,
    /// The request that asked for the seat.
    pub request_id: Option<RequestId>,
    /// What its connections may go by, unless `welcome` said it.
    pub ice_servers: Option<Arc<[IceServer]>>,
}

impl Joined {
    pub(super) fn encode(&self) -> Frame {
        let peer = |member: &'_ Arc<Member>| member.client_id;
        Reply::Joined {
            room_id: &self.room_id,
            members: self.peers.iter().map(peer).collect(),
            peers: self.peers.iter().map(|member| Peer::from(&**member)).collect(),
            room: (&*self.settings).into(),
            role: self.role.as_str(),
            return_token: &self.return_token,
            ice_servers: self.ice_servers.as_deref(),
            request_id: self.request_id.as_ref(),
        }
        .encode()
    }
}

impl<'a> Reply<'a> {
    pub(super) fn user_joined(member: &'a Member) -> Self {
        let Peer { client_id, user_id, display_name, metadata, role, vouched } = member.into();
        Self::UserJoined { user_id, client_id, display_name, metadata, role, vouched }
    }

    pub(super) fn user_updated(member: &'a Member) -> Self {
        let Peer { client_id, user_id, display_name, role, vouched, .. } = member.into();
        Self::UserUpdated { user_id, client_id, display_name, role, vouched }
    }

    pub(super) fn knock(waiting: &'a Member) -> Self {
        let Peer { client_id, user_id, display_name, metadata, vouched, .. } = waiting.into();
        Self::Knock { client_id, user_id, display_name, metadata, vouched }
    }

    /// The message as it goes over the wire.
    pub fn encode(&self) -> Frame {
        let text = serde_json::to_string(self).expect("string keys and no failing Serialize");
        Frame::new(&[&text])
    }
}

impl<'a> From<&'a Member> for Peer<'a> {
    fn from(member: &'a Member) -> Self {
        let Identity { user_id, display_name } = &member.identity;
        Self {
            client_id: member.client_id,
            user_id: user_id.as_ref(),
            display_name: display_name.as_ref(),
            metadata: member.metadata.as_deref().map(raw),
            role: member.standing.role.as_str(),
            vouched: member.vouched_metadata().map(raw),
        }
    }
}

impl<'a> From<&'a Settings> for RoomInfo<'a> {
    fn from(settings: &'a Settings) -> Self {
        let Settings { max_members, locked, metadata, password, lobby, .. } = settings;
        Self {
            locked: *locked,
            max_members: *max_members,
            metadata: raw(metadata),
            has_password: password.is_some(),
            lobby: *lobby,
        }
    }
}

fn raw(json: &str) -> &RawValue {
    serde_json::from_str(json).expect("checked when it came in")
}
