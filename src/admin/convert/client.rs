//! Connected clients.

use std::time::SystemTime;

use super::{ban, count, duration, named, reason, room::role, timestamp};
use crate::{
    admin::{
        pb::{self, disconnect_client_request::BanOptions},
        problem::Faults,
    },
    hub::{KeepOut, Report},
    id::ClientId,
};

pub(in crate::admin) fn client(client: &Report) -> pb::Client {
    let identity = &client.identity;
    pb::Client {
        client_id: client.id.to_string(),
        user_id: identity.user_id.as_ref().map(ToString::to_string),
        display_name: identity.display_name.as_ref().map(ToString::to_string),
        room_id: client.room_id.as_ref().map(ToString::to_string).unwrap_or_default(),
        address: client.address.to_string(),
        user_agent: client.user_agent.as_deref().unwrap_or_default().to_owned(),
        connect_time: Some(timestamp(client.connected_at)),
        messages_in: client.messages_in,
        messages_out: client.messages_out,
        bytes_in: client.bytes_in,
        bytes_out: client.bytes_out,
        queue_messages: count(client.queue_messages),
        queue_bytes: u64::try_from(client.queue_bytes).unwrap_or(u64::MAX),
        authenticated: client.authenticated,
        role: client.role.map_or(pb::Role::Unspecified, role).into(),
        waiting_room_id: client
            .waiting_room_id
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        token_expire_time: client.token_expires_at.map(timestamp),
        round_trip: client.round_trip.and_then(duration),
    }
}

/// Whose connection a request ends, in which words, and how it is kept out.
pub(in crate::admin) fn ending(
    request: &pb::DisconnectClientRequest,
    now: SystemTime,
) -> Result<(ClientId, Option<&str>, Option<KeepOut>), Faults> {
    let mut faults = Faults::default();
    let id = faults.merge(named("client_id", &request.client_id));
    let reason = faults.merge(reason("reason", &request.reason));
    let keep_out = faults.merge(request.ban.as_ref().map(|ban| keep_out(ban, now)).transpose());
    faults.or(|| Some((id?, reason?, keep_out?)))
}

fn keep_out(options: &BanOptions, now: SystemTime) -> Result<KeepOut, Faults> {
    let BanOptions { user_id, address, room_only, ttl } = *options;
    let mut faults = Faults::default();
    if !user_id && !address {
        faults.add("ban", "must have user_id or address, or both");
    }
    let until = faults.merge(ttl.map(|ttl| ban::until("ban.ttl", ttl, now)).transpose());
    faults.or(|| Some(KeepOut { user_id, address, room_only, until: until? }))
}
