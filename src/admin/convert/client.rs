//! Connected clients.

use super::{count, duration, timestamp};
use crate::{admin::pb, hub::Report};

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
        round_trip: client.round_trip.and_then(duration),
    }
}
