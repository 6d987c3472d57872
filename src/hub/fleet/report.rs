//! What is known of a client, as servers of a fleet tell each other.

use std::time::{Duration, SystemTime};

use crate::{
    hub::Report,
    id::ClientId,
    journal::stored::{StoredError, pb},
    room::{Identity, Role},
    timestamp::Timestamp,
};

const DAMAGED: StoredError = StoredError::Damaged("what is known of a client");

pub(super) fn written(report: &Report) -> pb::Client {
    let text = |text: &dyn ToString| text.to_string();
    let role = match report.role {
        None => pb::Role::Unspecified,
        Some(Role::Guest) => pb::Role::Guest,
        Some(Role::Member) => pb::Role::Member,
        Some(Role::Host) => pb::Role::Host,
    };
    pb::Client {
        client_id: u128::from(report.id).to_be_bytes().to_vec(),
        user_id: report.identity.user_id.as_ref().map(|id| text(id)),
        display_name: report.identity.display_name.as_ref().map(|name| text(name)),
        authenticated: report.authenticated,
        token_expires_at: report.token_expires_at.map(nanoseconds),
        room_id: report.room_id.as_ref().map(|id| text(id)),
        role: role.into(),
        waiting_room_id: report.waiting_room_id.as_ref().map(|id| text(id)),
        address: report.address.to_string(),
        user_agent: report.user_agent.as_deref().map(Into::into),
        connected_at: nanoseconds(report.connected_at),
        messages_in: report.messages_in,
        messages_out: report.messages_out,
        bytes_in: report.bytes_in,
        bytes_out: report.bytes_out,
        queue_messages: report.queue_messages as u64,
        queue_bytes: report.queue_bytes as u64,
        round_trip: report.round_trip.and_then(|took| took.as_micros().try_into().ok()),
    }
}

pub(super) fn read(client: pb::Client) -> Result<Report, StoredError> {
    fn name<N: std::str::FromStr>(text: Option<String>) -> Result<Option<N>, StoredError> {
        text.map(|text| text.parse().map_err(|_| DAMAGED)).transpose()
    }
    let role = match pb::Role::try_from(client.role) {
        Ok(pb::Role::Unspecified) => None,
        Ok(pb::Role::Guest) => Some(Role::Guest),
        Ok(pb::Role::Member) => Some(Role::Member),
        Ok(pb::Role::Host) => Some(Role::Host),
        Err(_) => return Err(StoredError::NewerRelease("a role")),
    };
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Ok(Report {
        id: client_id(&client.client_id).ok_or(DAMAGED)?,
        identity: Identity {
            user_id: name(client.user_id)?,
            display_name: name(client.display_name)?,
        },
        authenticated: client.authenticated,
        token_expires_at: client.token_expires_at.map(time),
        room_id: name(client.room_id)?,
        role,
        waiting_room_id: name(client.waiting_room_id)?,
        address: client.address.parse().map_err(|_| DAMAGED)?,
        user_agent: client.user_agent.map(Into::into),
        connected_at: time(client.connected_at),
        messages_in: client.messages_in,
        messages_out: client.messages_out,
        bytes_in: client.bytes_in,
        bytes_out: client.bytes_out,
        queue_messages: number(client.queue_messages),
        queue_bytes: number(client.queue_bytes),
        round_trip: client.round_trip.map(Duration::from_micros),
    })
}

pub(super) fn client_id(bytes: &[u8]) -> Option<ClientId> {
    Some(u128::from_be_bytes(bytes.try_into().ok()?).into())
}

pub(super) fn nanoseconds(at: SystemTime) -> u64 {
    Timestamp::from(at).into()
}

pub(super) fn time(nanoseconds: u64) -> SystemTime {
    Timestamp::from(nanoseconds).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_server_knows_what_this_one_does() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::new(seconds, 5);
        let bare = Report {
            id: ClientId::random(),
            identity: Identity::default(),
            authenticated: false,
            token_expires_at: None,
            room_id: None,
            role: None,
            waiting_room_id: None,
            address: [127, 0, 0, 1].into(),
            user_agent: None,
            connected_at: at(1),
            messages_in: 1,
            messages_out: 2,
            bytes_in: 3,
            bytes_out: 4,
            queue_messages: 5,
            queue_bytes: 6,
            round_trip: None,
        };
        let (user_id, display_name) = ("ann".parse().ok(), "Ann".parse().ok());
        let whole = Report {
            identity: Identity { user_id, display_name },
            authenticated: true,
            token_expires_at: Some(at(2)),
            room_id: "r".parse().ok(),
            role: Some(Role::Guest),
            waiting_room_id: "w".parse().ok(),
            address: "2001:db8::1".parse().unwrap(),
            user_agent: Some("a browser".into()),
            round_trip: Some(Duration::from_micros(7)),
            ..bare
        };
        for report in [bare, whole] {
            let told = read(written(&report)).unwrap();
            assert_eq!(format!("{told:?}"), format!("{report:?}"));
        }
    }
}
