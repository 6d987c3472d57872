//! Who is host of a room, by an administrator's word.

use serde_json::{Value, json};
use signalpost::admin::pb::{GetRoomRequest, Role, SetRoleRequest};

use super::{
    Admin, NOBODY, come, fails,
    support::{TestServer, events::Events},
};

fn set(client_id: &str, room_id: &str, role: Role) -> SetRoleRequest {
    let (client_id, room_id) = (client_id.to_owned(), room_id.to_owned());
    SetRoleRequest { client_id, room_id, role: role.into() }
}

/// Of the members, in join order.
async fn roles(admin: &mut Admin) -> Vec<Role> {
    let room = admin.get_room(GetRoomRequest { room_id: "r".into() }).await.unwrap().into_inner();
    room.members.iter().map(signalpost::admin::pb::Member::role).collect()
}

fn changed(client_id: &str, role: &str) -> Value {
    json!({"type": "role-changed", "clientId": client_id, "role": role})
}

#[tokio::test]
async fn a_member_is_made_host_and_member_again_and_the_room_hears_so() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let (mut ann, mut bob) = (server.member("r").await, server.member("r").await);
    ann.hear_of("user-joined").await;
    assert_eq!(roles(&mut admin).await, [Role::Host, Role::Member]);
    let mut events = Events::all(&mut admin).await;
    let member = admin.set_role(set(&bob.id, "r", Role::Host)).await.unwrap().into_inner();
    assert_eq!((&member.client_id, member.role()), (&bob.id, Role::Host));
    assert_eq!(member.granted_role(), Role::Member, "as everybody has it without a token");
    for client in [&mut ann, &mut bob] {
        assert_eq!(client.hear().await, changed(&member.client_id, "host"));
    }
    come(&mut events, &["r role ROLE_HOST by administrator"]).await;
    // What it is already.
    let again = admin.set_role(set(&bob.id, "", Role::Host)).await.unwrap().into_inner();
    assert_eq!(again, member);
    ann.hears_nothing().await;
    let relieved = admin.set_role(set(&bob.id, "", Role::Member)).await.unwrap().into_inner();
    assert_eq!(relieved.role(), Role::Member);
    assert_eq!(ann.hear().await, changed(&bob.id, "member"));
    come(&mut events, &["r role ROLE_MEMBER by administrator"]).await;
}

#[tokio::test]
async fn the_last_host_stays_one_until_there_is_another() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let (mut ann, mut bob) = (server.member("r").await, server.member("r").await);
    let mut events = Events::all(&mut admin).await;
    fails(admin.set_role(set(&ann.id, "", Role::Member)).await, "LAST_HOST", "");
    admin.set_role(set(&bob.id, "", Role::Host)).await.unwrap();
    admin.set_role(set(&ann.id, "", Role::Member)).await.unwrap();
    assert_eq!(roles(&mut admin).await, [Role::Member, Role::Host]);
    // It passes to the longest seated when the last host goes.
    bob.ask(json!({"type": "leave", "roomId": "r"})).await;
    assert_eq!(roles(&mut admin).await, [Role::Host]);
    come(
        &mut events,
        &[
            "r role ROLE_HOST by administrator",
            "r role ROLE_MEMBER by administrator",
            "r left left by client",
            "r role ROLE_HOST by client",
        ],
    )
    .await;
    ann.hear_of("user-left").await;
    assert_eq!(ann.hear().await, changed(&ann.id, "host"));
}

#[tokio::test]
async fn who_sits_elsewhere_or_nowhere_has_no_role() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let (ann, bob) = (server.member("r").await, server.client().await);
    for (request, reason, fault) in [
        (set(&bob.id, "", Role::Host), "NOT_IN_ROOM", ""),
        (set(&ann.id, "s", Role::Host), "NOT_IN_ROOM", ""),
        (set(NOBODY, "", Role::Host), "CLIENT_NOT_FOUND", ""),
        (set("x", "", Role::Host), "BAD_REQUEST", "client_id"),
        (set(&ann.id, &"x".repeat(129), Role::Host), "BAD_REQUEST", "room_id"),
        (set(&ann.id, "", Role::Unspecified), "BAD_REQUEST", "role"),
        (set(&ann.id, "", Role::Guest), "BAD_REQUEST", "role"),
        (SetRoleRequest { role: 99, ..set(&ann.id, "", Role::Host) }, "BAD_REQUEST", "role"),
    ] {
        fails(admin.set_role(request).await, reason, fault);
    }
}
