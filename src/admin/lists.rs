//! The lists: pages of rooms, clients and bans that pass a filter.

use std::{borrow::Cow, fmt::Display, num::NonZeroUsize, str::FromStr};

use super::{
    convert::{ban, client, count, room},
    filter::{Field, Filter, Kind, Value},
    page::{self, Pages},
    pb,
    problem::{Faults, Problem},
    service::Service,
};
use crate::{
    ban::{Ban, BanId, Subject},
    hub::{Listed, Report},
    id::{ClientId, RoomId},
    room::Summary,
};

const ROOM_FIELDS: &[Field] = &[
    ("room_id", Kind::Text),
    ("locked", Kind::Boolean),
    ("lobby", Kind::Boolean),
    ("password_set", Kind::Boolean),
    ("member_count", Kind::Number),
    ("max_members", Kind::Number),
    ("waiting_count", Kind::Number),
];
const CLIENT_FIELDS: &[Field] = &[
    ("room_id", Kind::Text),
    ("user_id", Kind::Text),
    ("display_name", Kind::Text),
    ("address", Kind::Text),
];
const BAN_FIELDS: &[Field] =
    &[("room_id", Kind::Text), ("user_id", Kind::Text), ("address", Kind::Text)];

impl Service {
    pub(super) async fn list_of_rooms(
        &self,
        request: &pb::ListRoomsRequest,
    ) -> Result<pb::ListRoomsResponse, Problem> {
        let pb::ListRoomsRequest { page_size, page_token, filter } = request;
        let wanted: Wanted<'_, RoomId> =
            Wanted::read("ListRooms", ROOM_FIELDS, *page_size, page_token, filter)?;
        let Wanted { pages, max, after, filter } = wanted;
        let begins = filter.equal("room_id").or_else(|| filter.prefix_of("room_id"));
        let keep = |room: &Summary| filter.matches(|field| room_field(room, field));
        let rooms = self.hub.rooms(after.as_ref(), max, begins.unwrap_or(""), keep);
        let (rooms, more) = rooms.await?;
        Ok(pb::ListRoomsResponse {
            next_page_token: more.map(|last| pages.token(&last)).unwrap_or_default(),
            rooms: rooms.iter().map(|room| room::room(room, self.etags())).collect(),
        })
    }

    pub(super) async fn list_of_clients(
        &self,
        request: &pb::ListClientsRequest,
    ) -> Result<pb::ListClientsResponse, Problem> {
        let pb::ListClientsRequest { page_size, page_token, filter } = request;
        let wanted: Wanted<'_, ClientId> =
            Wanted::read("ListClients", CLIENT_FIELDS, *page_size, page_token, filter)?;
        let Wanted { pages, max, after, filter } = wanted;
        let keep = |client: &Report| filter.matches(|field| client_field(client, field));
        let Listed { clients, more, silent } = self.hub.clients_anywhere(after, max, keep).await?;
        Ok(pb::ListClientsResponse {
            next_page_token: more.map(|last| pages.token(&last)).unwrap_or_default(),
            clients: clients.iter().map(client::client).collect(),
            unanswered_nodes: silent.iter().map(ToString::to_string).collect(),
        })
    }

    pub(super) async fn list_of_bans(
        &self,
        request: &pb::ListBansRequest,
    ) -> Result<pb::ListBansResponse, Problem> {
        let pb::ListBansRequest { page_size, page_token, filter } = request;
        let wanted: Wanted<'_, BanId> =
            Wanted::read("ListBans", BAN_FIELDS, *page_size, page_token, filter)?;
        let Wanted { pages, max, after, filter } = wanted;
        let keep = |ban: &Ban| filter.matches(|field| ban_field(ban, field));
        self.hub.catch_up().await?;
        // One more than there is room for tells whether it is the last page.
        let mut bans = self.hub.bans(after, max.get() + 1, keep);
        let more = bans.len() > max.get();
        bans.truncate(max.get());
        let last = bans.last().filter(|_| more);
        Ok(pb::ListBansResponse {
            next_page_token: last.map(|last| pages.token(&last.id)).unwrap_or_default(),
            bans: bans.iter().map(|listed| ban::ban(listed)).collect(),
        })
    }
}

/// What a list is asked for.
struct Wanted<'a, K> {
    pages: Pages<'a>,
    max: NonZeroUsize,
    after: Option<K>,
    filter: Filter,
}

impl<'a, K: FromStr + Display> Wanted<'a, K> {
    fn read(
        method: &'static str,
        fields: &[Field],
        page_size: i32,
        page_token: &str,
        filter: &'a str,
    ) -> Result<Self, Problem> {
        let pages = Pages::new(method, filter);
        Faults::gather(|faults| {
            let max = faults.check("page_size", page::size(page_size));
            let after = faults.check("page_token", pages.after(page_token));
            let filter = faults.check("filter", Filter::parse(filter, fields));
            Some(Self { pages, max: max?, after: after?, filter: filter? })
        })
    }
}

fn room_field<'a>(room: &'a Summary, field: &str) -> Value<'a> {
    match field {
        "locked" => Value::Boolean(room.settings.locked),
        "lobby" => Value::Boolean(room.settings.lobby),
        "password_set" => Value::Boolean(room.settings.password.is_some()),
        "waiting_count" => Value::Number(count(room.waiting_count).into()),
        "member_count" => Value::Number(count(room.member_count).into()),
        "max_members" => Value::Number(count(room.settings.max_members).into()),
        _ => text(room.id.as_str()),
    }
}

fn client_field<'a>(client: &'a Report, field: &str) -> Value<'a> {
    match field {
        "user_id" => text(client.identity.user_id.as_ref().map_or("", |id| id.as_str())),
        "display_name" => {
            text(client.identity.display_name.as_ref().map_or("", |name| name.as_str()))
        }
        "address" => Value::Text(Cow::Owned(client.address.to_string())),
        _ => text(client.room_id.as_ref().map_or("", |id| id.as_str())),
    }
}

fn ban_field<'a>(listed: &'a Ban, field: &str) -> Value<'a> {
    match (field, &listed.subject) {
        ("room_id", _) => text(listed.room_id.as_ref().map_or("", |id| id.as_str())),
        ("user_id", Subject::User(user_id)) => text(user_id.as_str()),
        ("address", Subject::Network(network)) => Value::Text(Cow::Owned(ban::address(network))),
        _ => text(""),
    }
}

fn text(text: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(text))
}
