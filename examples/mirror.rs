//! Mirrors the rooms of a Signalpost server into a JSON file: see README.md here for the file's form.
//! `cargo run --example mirror http://localhost:50051 rooms.json`

use std::{collections::BTreeMap, collections::BTreeSet, env, error::Error, fs, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::json;
use signalpost::admin::pb::{
    self, WatchEventsRequest, admin_service_client::AdminServiceClient as Client, event::Settings,
    event::What as Change, watch_events_request::Start, watch_events_response::What,
};
use tonic::{Code, Status, transport::Channel, transport::Endpoint};

#[derive(Default, Serialize, Deserialize)]
struct State {
    cursor: Option<String>,
    rooms: BTreeMap<String, Room>,
}

#[derive(Default, Serialize, Deserialize)]
struct Room {
    max_members: u32,
    locked: bool,
    metadata_json: String,
    members: BTreeSet<String>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let [address, path] = [1, 2].map(|n| env::args().nth(n).expect("an address and a file"));
    let saved = if fs::exists(&path)? { fs::read(&path)? } else { br#"{"rooms": {}}"#.into() };
    let mut state: State = serde_json::from_slice(&saved)?;
    // Pings find out that a server is gone which could not say so.
    let endpoint = Endpoint::new(address)?.http2_keep_alive_interval(Duration::from_secs(20));
    let mut admin = Client::new(endpoint.connect_lazy());
    let mut pause = Duration::ZERO;
    loop {
        let begun = state.cursor.clone();
        match follow(&mut admin, &mut state, &path).await.map_err(|status| status.code()) {
            // What followed the cursor is gone, or the server never gave it out: take a snapshot.
            Err(Code::OutOfRange | Code::InvalidArgument) => state = State::default(),
            _ if state.cursor.is_none() => state = State::default(),
            _ if state.cursor != begun => pause = Duration::ZERO,
            _ => {}
        }
        pause = (2 * pause).clamp(Duration::from_millis(100), Duration::from_secs(5));
        tokio::time::sleep(pause).await;
    }
}

/// Saves the rooms after each message, with the cursor that stands for them, until the stream ends.
async fn follow(admin: &mut Client<Channel>, state: &mut State, path: &str) -> Result<(), Status> {
    let start = state.cursor.clone().map_or(Start::Snapshot(true), Start::Cursor);
    let request = WatchEventsRequest { start: Some(start), ..Default::default() };
    let mut stream = admin.watch_events(request).await?.into_inner();
    while let Some(message) = stream.message().await? {
        match message.what {
            Some(What::Event(event)) => apply(&mut state.rooms, event),
            Some(What::Snapshot(part)) => part.rooms.into_iter().for_each(|room| {
                // A room with very many members comes in several parts.
                let shown = state.rooms.entry(room.room_id).or_default();
                shown.members.extend(room.members.into_iter().map(|member| member.client_id));
                let pb::Room { max_members, locked, metadata_json, .. } = room;
                set(shown, Settings { max_members, locked, metadata_json, ..Default::default() });
            }),
            _ => {}
        }
        // Between two parts of a snapshot there is nothing to come back to.
        if !message.cursor.is_empty() {
            state.cursor = Some(message.cursor);
            // In one write, so that both are of one moment whenever this process is killed.
            fs::write(format!("{path}.new"), json!(state).to_string()).expect("it can be written");
            fs::rename(format!("{path}.new"), path).expect("it was just written");
        }
    }
    Ok(())
}

fn apply(rooms: &mut BTreeMap<String, Room>, event: pb::Event) {
    if let Some(Change::Created(_)) = event.what {
        rooms.insert(event.room_id.clone(), Room::default());
    }
    let Some(room) = rooms.get_mut(&event.room_id) else { return };
    match event.what {
        Some(Change::Created(created)) => set(room, created.settings.unwrap_or_default()),
        Some(Change::RoomUpdated(updated)) => set(room, updated.settings.unwrap_or_default()),
        Some(Change::Locked(_)) => room.locked = true,
        Some(Change::Unlocked(_)) => room.locked = false,
        Some(Change::Joined(joined)) => room.members.extend(joined.member.map(|new| new.client_id)),
        Some(Change::Left(left)) => drop(room.members.remove(&left.client_id)),
        Some(Change::Closed(_)) => drop(rooms.remove(&event.room_id)),
        _ => {} // Names, roles, lobbies and bans are not in the file; and later servers have other events.
    }
}

fn set(room: &mut Room, new: Settings) {
    (room.max_members, room.locked) = (new.max_members, new.locked);
    room.metadata_json = new.metadata_json;
}
