//! Lists: pages and filters.

use serde_json::json;
use signalpost::admin::pb::{
    Ban, CreateBanRequest, CreateRoomRequest, ListBansRequest, ListClientsRequest,
    ListRoomsRequest, LockRoomRequest, Room, UpdateRoomRequest, ban::Subject,
};

use super::{Admin, fails, support::TestServer};

async fn rooms(admin: &mut Admin, filter: &str) -> Vec<String> {
    let request = ListRoomsRequest { filter: filter.into(), ..Default::default() };
    let page = admin.list_rooms(request).await.unwrap().into_inner();
    assert_eq!(page.next_page_token, "");
    page.rooms.into_iter().map(|room| room.room_id).collect()
}

async fn clients(admin: &mut Admin, filter: &str) -> Vec<String> {
    let request = ListClientsRequest { filter: filter.into(), ..Default::default() };
    let page = admin.list_clients(request).await.unwrap().into_inner();
    assert!(page.clients.is_sorted_by_key(|client| client.client_id.clone()));
    let mut names: Vec<_> = page
        .clients
        .into_iter()
        .map(|client| client.user_id.unwrap_or_else(|| "-".into()))
        .collect();
    names.sort();
    names
}

async fn bans(admin: &mut Admin, filter: &str) -> Vec<String> {
    let request = ListBansRequest { filter: filter.into(), ..Default::default() };
    let page = admin.list_bans(request).await.unwrap().into_inner();
    assert!(page.bans.is_sorted_by_key(|ban| ban.ban_id.clone()));
    let name = |ban: Ban| match ban.subject.unwrap() {
        Subject::UserId(name) | Subject::Address(name) => name,
    };
    let mut names: Vec<_> = page.bans.into_iter().map(name).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_filter_keeps_what_it_says() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    for (room_id, max_members, password) in
        [("a", 2, ""), ("team-1", 3, ""), ("team-2", 10, "secret")]
    {
        let password = password.to_owned();
        let room = Some(Room { max_members, password, ..Default::default() });
        let room_id = room_id.to_owned();
        admin.create_room(CreateRoomRequest { room_id, room, ..Default::default() }).await.unwrap();
    }
    let lock = LockRoomRequest { room_id: "team-2".into(), locked: true, ..Default::default() };
    let mut connected = Vec::new();
    for (name, room) in [("ann", "a"), ("bob", "team-1"), ("bea", "team-1")] {
        let mut client = server.member(room).await;
        let display_name = name.to_uppercase();
        client.ask(json!({"type": "register", "userId": name, "displayName": display_name})).await;
        connected.push(client);
    }
    connected.push(server.client().await);
    admin.lock_room(lock).await.unwrap();
    let lobby = Room { room_id: "a".into(), lobby: true, ..Default::default() };
    let lobby = UpdateRoomRequest { room: Some(lobby), ..Default::default() };
    admin.update_room(lobby).await.unwrap();
    let waiting = connected[3].ask(json!({"type": "join", "roomId": "a"})).await;
    assert_eq!(waiting["type"], "waiting");
    for (filter, expected) in [
        ("", &["a", "team-1", "team-2"][..]),
        ("room_id = \"team-*\"", &["team-1", "team-2"]),
        ("room_id = \"team-*\" AND locked = false", &["team-1"]),
        ("locked = true", &["team-2"]),
        ("member_count > 1", &["team-1"]),
        ("member_count = 0", &["team-2"]),
        ("lobby = true", &["a"]),
        ("password_set = true", &["team-2"]),
        ("password_set != true AND lobby = false", &["team-1"]),
        ("waiting_count >= 1", &["a"]),
        ("max_members <= 3 AND room_id != \"a\"", &["team-1"]),
        ("room_id = \"nowhere\"", &[]),
    ] {
        assert_eq!(rooms(&mut admin, filter).await, expected, "{filter}");
    }
    for (filter, expected) in [
        ("", &["-", "ann", "bea", "bob"][..]),
        ("room_id = \"team-*\"", &["bea", "bob"]),
        ("room_id = \"\"", &["-"]),
        ("user_id = \"b*\"", &["bea", "bob"]),
        ("display_name = \"BOB\"", &["bob"]),
        ("address = \"127.0.0.1\" AND user_id != \"\"", &["ann", "bea", "bob"]),
        ("address = \"192.0.2.1\"", &[]),
    ] {
        assert_eq!(clients(&mut admin, filter).await, expected, "{filter}");
    }
    let user = |name: &str| Some(Subject::UserId(name.to_owned()));
    let network = Some(Subject::Address("192.0.2.1/24".into()));
    for (room_id, subject) in [("", user("eve")), ("a", user("max")), ("a", network)] {
        let ban = Some(Ban { room_id: room_id.into(), subject, ..Default::default() });
        admin.create_ban(CreateBanRequest { ban, ..Default::default() }).await.unwrap();
    }
    for (filter, expected) in [
        ("", &["192.0.2.0/24", "eve", "max"][..]),
        ("room_id = \"a\"", &["192.0.2.0/24", "max"]),
        ("room_id = \"\"", &["eve"]),
        ("address = \"192.0.2.*\"", &["192.0.2.0/24"]),
        ("user_id = \"\"", &["192.0.2.0/24"]),
        ("user_id != \"\" AND address = \"\"", &["eve", "max"]),
    ] {
        assert_eq!(bans(&mut admin, filter).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn bans_come_in_pages_and_what_is_no_filter_or_token_is_refused() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    for n in 0..7 {
        let subject = Some(Subject::UserId(n.to_string()));
        let ban = Some(Ban { subject, ..Default::default() });
        admin.create_ban(CreateBanRequest { ban, ..Default::default() }).await.unwrap();
    }
    let (mut seen, mut sizes, mut page_token) = (Vec::new(), Vec::new(), String::new());
    loop {
        let request = ListBansRequest { page_size: 3, page_token, ..Default::default() };
        let page = admin.list_bans(request).await.unwrap().into_inner();
        sizes.push(page.bans.len());
        seen.extend(page.bans.into_iter().map(|ban| ban.ban_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(sizes, [3, 3, 1]);
    assert!(seen.is_sorted());
    seen.dedup();
    assert_eq!(seen.len(), 7);

    let first = ListBansRequest { page_size: 3, ..Default::default() };
    let token = admin.list_bans(first).await.unwrap().into_inner().next_page_token;
    let other = "user_id = \"x\"";
    for (page_size, page_token, filter, fault) in [
        (-1, "", "", "page_size"),
        (0, &*token, other, "page_token"),
        (0, "junk", "", "page_token"),
        (0, "", "color = \"red\"", "filter"),
        (0, "", "user_id", "filter"),
        (0, "", &"x".repeat(1025), "filter"),
    ] {
        let (page_token, filter) = (page_token.to_owned(), filter.to_owned());
        let bans =
            ListBansRequest { page_size, page_token: page_token.clone(), filter: filter.clone() };
        fails(admin.list_bans(bans).await, "BAD_REQUEST", fault);
        let clients = ListClientsRequest {
            page_size,
            page_token: page_token.clone(),
            filter: filter.clone(),
        };
        fails(admin.list_clients(clients).await, "BAD_REQUEST", fault);
        if filter != other {
            let rooms = ListRoomsRequest { page_size, page_token, filter };
            fails(admin.list_rooms(rooms).await, "BAD_REQUEST", fault);
        }
    }
    // One of another list.
    let request = ListClientsRequest { page_token: token, ..Default::default() };
    fails(admin.list_clients(request).await, "BAD_REQUEST", "page_token");
}
