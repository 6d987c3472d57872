//! What is counted of those who wait in a lobby in vain.

use serde_json::json;
use signalpost::admin::pb::{
    Ban, CreateBanRequest, DenyClientRequest, DisconnectClientRequest, Room, UpdateRoomRequest,
    ban::Subject, disconnect_client_request::BanOptions,
};

use crate::{
    scrape::{scrape, value},
    support::TestServer,
};

#[tokio::test]
async fn whoever_is_refused_after_waiting_is_counted_once() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let _ann = server.member("r").await;
    let room = Room { room_id: "r".into(), lobby: true, ..Default::default() };
    admin.update_room(UpdateRoomRequest { room: Some(room), update_mask: None }).await.unwrap();
    let mut clients = Vec::new();
    for name in ["bob", "cid", "dan"] {
        let mut client = server.client().await;
        client.ask(json!({"type": "register", "userId": name})).await;
        assert_eq!(client.ask(json!({"type": "join", "roomId": "r"})).await["type"], "waiting");
        clients.push(client);
    }
    let [bob, cid, dan] = &mut clients[..] else { panic!("three") };
    let deny = DenyClientRequest { client_id: bob.id.clone(), ..Default::default() };
    admin.deny_client(deny).await.unwrap();
    assert_eq!(bob.hear().await["code"], "denied");
    let subject = Some(Subject::UserId("cid".into()));
    let from_room = Ban { room_id: "r".into(), subject, ..Default::default() };
    let ban = CreateBanRequest { ban: Some(from_room), ..Default::default() };
    admin.create_ban(ban).await.unwrap();
    assert_eq!(cid.hear().await["code"], "banned");
    let refusals = |families: &_, code| value(families, "signalpost_refusals_total", &[code]);
    let families = scrape(&server).await;
    assert_eq!((refusals(&families, "denied"), refusals(&families, "banned")), (1.0, 1.0));
    let end = DisconnectClientRequest {
        client_id: dan.id.clone(),
        ban: Some(BanOptions { user_id: true, ..Default::default() }),
        ..Default::default()
    };
    admin.disconnect_client(end).await.unwrap();
    assert_eq!(dan.closed().await, Some(4501));
    assert_eq!(refusals(&scrape(&server).await, "banned"), 2.0);
}
