//! Administrators' programs that watch: every node tells the same, and a cursor is good on all of them.

use serde_json::json;
use signalpost::admin::pb::{
    CreateRoomRequest, Event, ListRoomsRequest, WatchEventsRequest,
    admin_service_client::AdminServiceClient, event::What, watch_events_request::Start,
    watch_events_response,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::{Status, transport::Channel};

use crate::{
    fleet::Fleet,
    redis::Kind,
    support::{Client, within},
};

#[path = "../watch/mirror.rs"]
mod mirror;

use mirror::{Mirror, lasting};

on_both_kinds![
    every_node_tells_the_same_events_in_the_same_order,
    whoever_goes_from_node_to_node_misses_nothing_and_sees_nothing_twice,
];

async fn every_node_tells_the_same_events_in_the_same_order(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let mut watching = Vec::new();
    for node in 0..3 {
        let (mut admin, mut watcher) = (fleet.admin(node).await, Watcher::default());
        watcher.stands_before_everything(&mut admin).await;
        watching.push(tokio::spawn(async move {
            watcher.follow(&mut admin).await.unwrap();
            watcher
        }));
    }
    let mut churn = JoinSet::new();
    let enough = CancellationToken::new();
    for nth in 0..9 {
        churn.spawn(come_and_go(fleet.client(nth % 3).await, nth / 3, enough.clone()));
    }
    for nth in 0..30 {
        let make = CreateRoomRequest { room_id: format!("made {nth}"), ..Default::default() };
        fleet.admin(nth % 3).await.create_room(make).await.unwrap();
    }
    enough.cancel();
    within(churn.join_all()).await;
    end(&fleet).await;
    let mut told = Vec::new();
    for watcher in watching {
        told.push(within(watcher).await.unwrap().seen);
    }
    assert!(told[0].len() > 30);
    assert!(told[0].is_sorted_by(|one, next| one.position < next.position));
    assert_eq!(told[1], told[0]);
    assert_eq!(told[2], told[0]);
}

async fn whoever_goes_from_node_to_node_misses_nothing_and_sees_nothing_twice(kind: Kind) {
    const NODES_VISITED: usize = 20;
    const EVENTS_A_VISIT: usize = 20;
    let fleet = Fleet::start(kind).await;
    let (mut churn, enough) = (JoinSet::new(), CancellationToken::new());
    for nth in 0..9 {
        churn.spawn(come_and_go(fleet.client(nth % 3).await, nth / 3, enough.clone()));
    }
    let _stays = fleet.member(1, "stays").await;
    let mut mirror = Mirror::default();
    for visit in 0..NODES_VISITED {
        let start = mirror.start();
        let request = WatchEventsRequest { start, ..Default::default() };
        let mut admin = fleet.admin(visit % 3).await;
        let mut events = within(admin.watch_events(request)).await.unwrap().into_inner();
        let seen = mirror.seen.len();
        while mirror.seen.len() < seen + EVENTS_A_VISIT {
            mirror.take(within(events.message()).await.unwrap().unwrap());
        }
    }
    enough.cancel();
    within(churn.join_all()).await;
    end(&fleet).await;
    let request = WatchEventsRequest { start: mirror.start(), ..Default::default() };
    let mut admin = fleet.admin(0).await;
    let mut events = within(admin.watch_events(request)).await.unwrap().into_inner();
    while mirror.seen.last().is_none_or(|(_, room)| room != "end") {
        mirror.take(within(events.message()).await.unwrap().unwrap());
    }
    // What was told, taken together, is what every node lists.
    for node in 0..3 {
        let listed = fleet.admin(node).await.list_rooms(ListRoomsRequest::default()).await;
        let listed: Vec<_> = listed.unwrap().into_inner().rooms.iter().map(lasting).collect();
        let mut told = mirror.rooms();
        told.iter_mut().for_each(|room| room.members.clear());
        assert_eq!(told, listed, "node {node}");
    }
}

/// The last that a [`Watcher`] sees.
pub(crate) async fn end(fleet: &Fleet) {
    let end = CreateRoomRequest { room_id: "end".into(), ..Default::default() };
    fleet.admin(1).await.create_room(end).await.unwrap();
}

/// Joins and leaves a room of this number again and again.
pub(crate) async fn come_and_go(mut client: Client, room: usize, enough: CancellationToken) {
    let room = format!("churn {room}");
    while !enough.is_cancelled() {
        client.join(&room).await;
        client.ask(json!({"type": "leave", "roomId": room})).await;
    }
}

/// An administrator's program that keeps its cursor.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watcher {
    pub(crate) seen: Vec<Event>,
    cursor: String,
}

impl Watcher {
    pub(crate) async fn stands_before_everything(
        &mut self,
        admin: &mut AdminServiceClient<Channel>,
    ) {
        let watched = admin.watch_events(WatchEventsRequest::default());
        let mut events = within(watched).await.unwrap().into_inner();
        self.cursor = within(events.message()).await.unwrap().unwrap().cursor;
    }

    /// Goes on where it stood, until room `end` is made or the stream breaks.
    pub(crate) async fn follow(
        &mut self,
        admin: &mut AdminServiceClient<Channel>,
    ) -> Result<(), Status> {
        let start = Some(Start::Cursor(self.cursor.clone()));
        let request = WatchEventsRequest { start, ..Default::default() };
        let mut events = within(admin.watch_events(request)).await?.into_inner();
        loop {
            let told = within(events.message()).await?.expect("it ends with a status");
            self.cursor = told.cursor;
            if let Some(watch_events_response::What::Event(event)) = told.what {
                let ends = event.room_id == "end" && matches!(event.what, Some(What::Created(_)));
                self.seen.push(event);
                if ends {
                    return Ok(());
                }
            }
        }
    }
}
