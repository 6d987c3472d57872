//! Administrators, who may ask any node about everything.

use std::collections::BTreeSet;

use serde_json::json;
use signalpost::admin::pb::{
    Ban, BroadcastRequest, CreateBanRequest, CreateRoomRequest, DeleteBanRequest,
    DeleteRoomRequest, DisconnectClientRequest, GetBanRequest, GetClientRequest,
    GetServerInfoRequest, ListBansRequest, ListClientsRequest, ListNodesRequest, ListRoomsRequest,
    RemoveClientRequest, Room, UpdateRoomRequest,
    ban::Subject,
    broadcast_request::{Body, Rooms, Target},
    disconnect_client_request::BanOptions,
};
use tonic::Code;
use tonic_types::StatusExt;

use crate::{
    fleet::{Fleet, ids},
    redis::Kind,
    support::Client,
};

on_both_kinds![
    rooms_are_listed_by_every_node_page_by_page,
    a_room_is_made_changed_and_deleted_at_any_node,
    a_call_with_the_same_request_id_acts_once_in_the_fleet,
    clients_are_found_and_ended_wherever_they_are,
    clients_are_listed_by_every_node_page_by_page,
    a_client_is_disconnected_and_banned_by_another_node,
    the_nodes_are_listed_with_what_each_has,
    nodes_that_do_not_answer_are_named,
    a_broadcast_reaches_whom_it_is_for_on_every_node,
    bans_stand_on_every_node_and_end_at_any,
];

async fn rooms_are_listed_by_every_node_page_by_page(kind: Kind) {
    const ROOMS: usize = 25;
    let fleet = Fleet::start(kind).await;
    let mut members = Vec::new();
    let mut names = BTreeSet::new();
    for nth in 0..ROOMS {
        let name = format!("room {nth:02}");
        if nth % 5 == 0 {
            let make = CreateRoomRequest { room_id: name.clone(), ..Default::default() };
            fleet.admin(nth % 3).await.create_room(make).await.unwrap();
        } else {
            members.push(fleet.member(nth % 3, &name).await);
        }
        names.insert(name);
    }
    for first in 0..3 {
        let (mut listed, mut page_token, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            // Each page by another node.
            let mut admin = fleet.admin((first + pages) % 3).await;
            let request = ListRoomsRequest { page_size: 10, page_token, ..Default::default() };
            let page = admin.list_rooms(request).await.unwrap().into_inner();
            listed.extend(page.rooms);
            pages += 1;
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(pages, 3);
        assert!(listed.iter().map(|room| &room.room_id).eq(&names), "from node {first}");
        for (nth, room) in listed.iter().enumerate() {
            assert_eq!(room.member_count, u32::from(nth % 5 != 0), "{}", room.room_id);
        }
    }
    let filter = r#"room_id = "room 1*" AND member_count > 0"#.to_owned();
    let request = ListRoomsRequest { filter, ..Default::default() };
    let some = fleet.admin(1).await.list_rooms(request).await.unwrap().into_inner();
    assert_eq!(some.rooms.len(), 8);
}

async fn a_room_is_made_changed_and_deleted_at_any_node(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let make = CreateRoomRequest {
        room_id: "r".into(),
        room: Some(Room { max_members: 3, metadata_json: "[1]".into(), ..Default::default() }),
        ..Default::default()
    };
    let made = fleet.admin(0).await.create_room(make.clone()).await.unwrap().into_inner();
    let again = fleet.admin(1).await.create_room(make).await.unwrap_err();
    assert_eq!(again.code(), Code::AlreadyExists);
    for node in 0..3 {
        assert_eq!(fleet.room(node, "r").await, made, "node {node}");
    }

    let (mut a, mut c) = (fleet.member(0, "r").await, fleet.member(2, "r").await);
    let update = |etag: &str| UpdateRoomRequest {
        room: Some(Room {
            room_id: "r".into(),
            metadata_json: "[2]".into(),
            etag: etag.to_owned(),
            ..Default::default()
        }),
        update_mask: None,
    };
    let updated = fleet.admin(1).await.update_room(update(&made.etag)).await.unwrap().into_inner();
    let stale = fleet.admin(2).await.update_room(update(&made.etag)).await.unwrap_err();
    assert_eq!(stale.code(), Code::Aborted);
    for member in [&mut a, &mut c] {
        assert_eq!(member.hear_of("room-updated").await["room"]["metadata"], json!([2]));
    }
    for node in 0..3 {
        let room = fleet.room(node, "r").await;
        assert_eq!((&room.etag, &*room.metadata_json), (&updated.etag, "[2]"), "node {node}");
        assert_eq!(ids(&room), [&*a.id, &*c.id], "node {node}");
    }

    let delete = DeleteRoomRequest { room_id: "r".into(), ..Default::default() };
    fleet.admin(1).await.delete_room(delete.clone()).await.unwrap();
    for member in [&mut a, &mut c] {
        assert_eq!(member.hear_of("removed").await["code"], "room-closed");
        assert_eq!(member.closed().await, Some(4502));
    }
    for node in 0..3 {
        assert_eq!(fleet.try_room(node, "r").await.unwrap_err().code(), Code::NotFound);
        let again = fleet.admin(node).await.delete_room(delete.clone()).await.unwrap_err();
        assert_eq!(again.code(), Code::NotFound);
    }
}

async fn a_call_with_the_same_request_id_acts_once_in_the_fleet(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let make =
        CreateRoomRequest { room_id: "r".into(), request_id: "5f1f".into(), ..Default::default() };
    let made = fleet.admin(0).await.create_room(make.clone()).await.unwrap().into_inner();
    for node in 0..3 {
        let again = fleet.admin(node).await.create_room(make.clone()).await.unwrap().into_inner();
        assert_eq!(again, made, "node {node}");
    }
}

async fn clients_are_found_and_ended_wherever_they_are(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let (mut a, mut b) = (fleet.member(0, "r").await, fleet.member(1, "r").await);
    let mut idle = fleet.client(2).await;
    let expected = BTreeSet::from([a.id.clone(), b.id.clone(), idle.id.clone()]);
    for node in 0..3 {
        let mut admin = fleet.admin(node).await;
        let listed = admin.list_clients(ListClientsRequest::default()).await.unwrap().into_inner();
        let listed = listed.clients.into_iter().map(|client| client.client_id);
        assert!(listed.eq(expected.iter().cloned()), "node {node}");
        for (client, room) in [(&a, "r"), (&b, "r"), (&idle, "")] {
            let get = GetClientRequest { client_id: client.id.clone() };
            let shown = admin.get_client(get).await.unwrap().into_inner();
            assert_eq!((&shown.client_id, &*shown.room_id), (&client.id, room), "node {node}");
        }
    }

    let remove = RemoveClientRequest { client_id: b.id.clone(), ..Default::default() };
    let removed = fleet.admin(2).await.remove_client(remove).await.unwrap().into_inner();
    assert_eq!((&*removed.client_id, &*removed.room_id), (&*b.id, ""));
    fleet.agrees_on("r", &[&a]).await;
    assert_eq!(b.hear().await["code"], "removed");
    while a.hear_of("user-left").await["clientId"] != b.id {}
    b.join("r").await;

    for (client, node) in [(&mut b, 0), (&mut idle, 1)] {
        let disconnect = DisconnectClientRequest {
            client_id: client.id.clone(),
            reason: "Good night".into(),
            ..Default::default()
        };
        fleet.admin(node).await.disconnect_client(disconnect).await.unwrap();
        assert_eq!(client.hear_of("removed").await["reason"], "Good night");
        assert_eq!(client.closed().await, Some(4501));
    }
    fleet.agrees_on("r", &[&a]).await;
    for node in 0..3 {
        let get = GetClientRequest { client_id: b.id.clone() };
        let gone = fleet.admin(node).await.get_client(get).await.unwrap_err();
        assert_eq!(gone.code(), Code::NotFound);
    }
}

async fn clients_are_listed_by_every_node_page_by_page(kind: Kind) {
    const CLIENTS: usize = 40;
    let fleet = Fleet::start(kind).await;
    let mut clients = Vec::new();
    for node in 0..3 {
        clients.extend(fleet.clients(node, CLIENTS / 3 + usize::from(node == 0)).await);
    }
    for (nth, client) in clients.iter_mut().enumerate() {
        client.ask(json!({"type": "register", "userId": format!("user {}", nth % 4)})).await;
    }
    let all: BTreeSet<_> = clients.iter().map(|client| client.id.clone()).collect();
    for (filter, expected) in [("", CLIENTS), (r#"user_id = "user 1""#, CLIENTS / 4)] {
        for first in 0..3 {
            let (mut listed, mut page_token, mut pages) = (Vec::new(), String::new(), 0);
            loop {
                let filter = filter.to_owned();
                let request = ListClientsRequest { page_size: 7, page_token, filter };
                let mut admin = fleet.admin((first + pages) % 3).await;
                let page = admin.list_clients(request).await.unwrap().into_inner();
                assert_eq!(page.unanswered_nodes, [""; 0]);
                assert!(page.clients.len() <= 7);
                listed.extend(page.clients.into_iter().map(|client| client.client_id));
                pages += 1;
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    break;
                }
            }
            assert_eq!((listed.len(), pages), (expected, expected.div_ceil(7)));
            assert!(listed.is_sorted() && listed.iter().all(|id| all.contains(id)));
        }
    }
}

async fn a_client_is_disconnected_and_banned_by_another_node(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let mut eve = fleet.client(0).await;
    let disconnect = |user_id, room_only| DisconnectClientRequest {
        client_id: eve.id.clone(),
        ban: Some(BanOptions { user_id, address: !user_id, room_only, ttl: None }),
        ..Default::default()
    };
    let orders = [disconnect(true, false), disconnect(false, true)];
    for (order, message) in orders
        .into_iter()
        .zip(["the client has not registered a userId", "the client does not sit in that room"])
    {
        let refused = fleet.admin(1).await.disconnect_client(order).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::FailedPrecondition, message));
    }
    eve.ask(json!({"type": "register", "userId": "eve"})).await;
    eve.join("r").await;
    let order = DisconnectClientRequest {
        client_id: eve.id.clone(),
        ban: Some(BanOptions { user_id: true, ..Default::default() }),
        request_id: "once".into(),
        ..Default::default()
    };
    let ended = fleet.admin(1).await.disconnect_client(order.clone()).await.unwrap().into_inner();
    let [ban] = &ended.bans[..] else { panic!("{ended:?}") };
    assert_eq!(ban.subject, Some(Subject::UserId("eve".into())));
    assert_eq!(eve.hear_of("removed").await["code"], "banned");
    assert_eq!(fleet.try_room(1, "r").await.unwrap_err().code(), Code::NotFound);
    let again = fleet.admin(2).await.disconnect_client(order).await.unwrap().into_inner();
    assert_eq!(again, ended);
    let mut again = fleet.client(2).await;
    let register = json!({"type": "register", "userId": "eve"});
    assert_eq!(again.ask(register).await["code"], "banned");
}

async fn the_nodes_are_listed_with_what_each_has(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let _members = [fleet.member(0, "r").await, fleet.member(0, "s").await];
    let (_member, _idle) = (fleet.member(1, "r").await, fleet.client(1).await);
    let mut lists = Vec::new();
    for node in 0..3 {
        let mut admin = fleet.admin(node).await;
        let listed = admin.list_nodes(ListNodesRequest {}).await.unwrap().into_inner().nodes;
        let info = admin.get_server_info(GetServerInfoRequest {}).await.unwrap().into_inner();
        let own = listed.iter().find(|listed| listed.name == info.node).unwrap();
        let (clients, members) = [(2, 2), (2, 1), (0, 0)][node];
        let counts = own.counts.unwrap();
        assert_eq!((counts.clients, counts.members), (clients, members), "node {node}");
        let own = info.counts.unwrap();
        assert_eq!((own.clients, own.members), (clients, members), "node {node}");
        let all = info.fleet.unwrap();
        assert_eq!((all.nodes, all.clients, all.rooms, all.members), (3, 4, 2, 3));
        assert_eq!(all.unanswered_nodes, [""; 0]);
        lists.push(listed);
    }
    assert_eq!(lists[0].len(), 3);
    assert!(lists[0].is_sorted_by(|one, next| one.name < next.name));
    for node in &lists[0] {
        assert!(node.live && node.start_time.is_some() && !node.host.is_empty());
        assert_eq!(node.version, env!("CARGO_PKG_VERSION"));
    }
    assert!(lists.iter().all(|listed| listed == &lists[0]));
}

async fn nodes_that_do_not_answer_are_named(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let (here, away) = (fleet.client(0).await, fleet.client(2).await);
    let mut silent = fleet.admin(2).await;
    let silent = silent.get_server_info(GetServerInfoRequest {}).await.unwrap().into_inner().node;
    let mut admin = fleet.admin(0).await;
    fleet.nodes[2].pause();
    let listed = admin.list_clients(ListClientsRequest::default()).await.unwrap().into_inner();
    let ids: Vec<_> = listed.clients.iter().map(|client| &client.client_id).collect();
    assert_eq!((ids, listed.unanswered_nodes), (vec![&here.id], vec![silent.clone()]));
    let get = |client: &Client| GetClientRequest { client_id: client.id.clone() };
    assert_eq!(admin.get_client(get(&here)).await.unwrap().into_inner().client_id, here.id);
    let unknown = admin.get_client(get(&away)).await.unwrap_err();
    assert_eq!(unknown.code(), Code::Unavailable);
    let details = unknown.get_error_details();
    assert_eq!(details.error_info().unwrap().metadata["unanswered_nodes"], silent);
    let info = admin.get_server_info(GetServerInfoRequest {}).await.unwrap().into_inner();
    assert_eq!(info.fleet.unwrap().unanswered_nodes, [silent]);
    fleet.nodes[2].go_on();
    assert_eq!(admin.get_client(get(&away)).await.unwrap().into_inner().client_id, away.id);
}

async fn a_broadcast_reaches_whom_it_is_for_on_every_node(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let mut clients = Vec::new();
    for (node, room) in [(0, "r"), (1, "r"), (2, "s"), (1, "t")] {
        clients.push(fleet.member(node, room).await);
    }
    clients.push(fleet.client(2).await);
    let rooms = Rooms { room_ids: ["s", "t", "nowhere"].map(str::to_owned).to_vec() };
    let cases = [
        (Target::RoomId("r".into()), [0, 1].as_slice()),
        (Target::RoomId("t".into()), &[3]),
        (Target::ClientId(clients[4].id.clone()), &[4]),
        (Target::Rooms(rooms), &[2, 3]),
        (Target::Everyone(true), &[0, 1, 2, 3, 4]),
    ];
    for node in 0..3 {
        let mut admin = fleet.admin(node).await;
        for (nth, (target, heard)) in cases.iter().enumerate() {
            let content = json!([node, nth]);
            let request = BroadcastRequest {
                target: Some(target.clone()),
                body: Some(Body::ContentJson(content.to_string())),
                ..Default::default()
            };
            let reached = admin.broadcast(request).await.unwrap().into_inner().reached;
            assert_eq!(reached as usize, heard.len(), "node {node}, {target:?}");
            for client in *heard {
                assert_eq!(clients[*client].hear_of("broadcast").await["content"], content);
            }
        }
    }
    let exclude = vec![clients[1].id.clone()];
    let request = BroadcastRequest {
        target: Some(Target::RoomId("r".into())),
        body: Some(Body::ContentJson("0".into())),
        exclude,
        ..Default::default()
    };
    let reached = fleet.admin(2).await.broadcast(request).await.unwrap().into_inner().reached;
    assert_eq!(reached, 1);
    assert_eq!(clients[0].hear().await["content"], 0);
}

async fn bans_stand_on_every_node_and_end_at_any(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let mut made = Vec::new();
    for node in 0..3 {
        let subject = Some(Subject::UserId(format!("eve {node}")));
        let ban = Some(Ban { subject, reason: "No".into(), ..Default::default() });
        let request = CreateBanRequest { ban, ..Default::default() };
        made.push(fleet.admin(node).await.create_ban(request).await.unwrap().into_inner());
    }
    made.sort_by(|one, next| one.ban_id.cmp(&next.ban_id));
    for node in 0..3 {
        let mut admin = fleet.admin(node).await;
        let listed = admin.list_bans(ListBansRequest::default()).await.unwrap().into_inner();
        assert_eq!(listed.bans, made, "node {node}");
        for ban in &made {
            let get = GetBanRequest { ban_id: ban.ban_id.clone() };
            assert_eq!(&admin.get_ban(get).await.unwrap().into_inner(), ban);
        }
    }
    let register = |user: usize| json!({"type": "register", "userId": format!("eve {user}")});
    for node in 0..3 {
        let mut eve = fleet.client(node).await;
        assert_eq!(eve.ask(register((node + 1) % 3)).await["code"], "banned");
    }
    for (nth, ban) in made.iter().enumerate() {
        let delete = DeleteBanRequest { ban_id: ban.ban_id.clone() };
        fleet.admin(nth).await.delete_ban(delete).await.unwrap();
    }
    for node in 0..3 {
        let listed = fleet.admin(node).await.list_bans(ListBansRequest::default()).await.unwrap();
        assert_eq!(listed.into_inner().bans, [], "node {node}");
    }
}
