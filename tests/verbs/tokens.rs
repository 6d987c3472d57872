//! What administrators see of those whose names a token vouches for.

use serde_json::{Value, json};
use signalpost::admin::pb::{
    AdmitClientRequest, GetClientRequest, GetRoomRequest, GetServerInfoRequest, Role, Room,
    SetRoleRequest, UpdateRoomRequest,
};

use super::{
    issuer::{Issuer, now},
    support::{Client, TestServer},
};

async fn with_token(server: &TestServer, token: String) -> Client {
    let mut client = server.client().await;
    let answer = client.ask(json!({"type": "register", "token": token})).await;
    assert_eq!(answer["type"], "registered", "{answer}");
    client
}

fn set(client: &Client, role: Role) -> SetRoleRequest {
    SetRoleRequest { client_id: client.id.clone(), role: role.into(), ..Default::default() }
}

#[tokio::test]
async fn whoever_has_a_token_is_shown_with_what_it_says() {
    let issuer = Issuer::new();
    let server = TestServer::with(&format!("{} --auth optional", issuer.flags()));
    let mut admin = server.admin().await;
    let expires_at = now() + 1000;
    let more = json!({"role": "host", "metadata": {"team": 7}, "exp": expires_at});
    let mut ann = with_token(&server, issuer.token("ann", more)).await;
    ann.join("r").await;
    let shown = GetClientRequest { client_id: ann.id.clone() };
    let shown = admin.get_client(shown).await.unwrap().into_inner();
    assert_eq!((shown.user_id(), shown.authenticated, shown.role()), ("ann", true, Role::Host));
    let expire_time = shown.token_expire_time.unwrap();
    assert_eq!(u64::try_from(expire_time.seconds), Ok(expires_at));

    let lobby = Room { room_id: "r".into(), lobby: true, ..Default::default() };
    let lobby = UpdateRoomRequest { room: Some(lobby), update_mask: None };
    admin.update_room(lobby).await.unwrap();
    let mut bob = with_token(&server, issuer.token("bob", json!({"metadata": [1]}))).await;
    let mut guest = server.client().await;
    for client in [&mut bob, &mut guest] {
        let answer = client.ask(json!({"type": "join", "roomId": "r"})).await;
        assert_eq!(answer["type"], "waiting");
    }
    let get = GetRoomRequest { room_id: "r".into() };
    let room = admin.get_room(get.clone()).await.unwrap().into_inner();
    let of = |vouched: &str| (!vouched.is_empty()).then(|| vouched.to_owned());
    let [member] = &room.members[..] else { panic!("{room:?}") };
    assert_eq!((member.authenticated, member.granted_role()), (true, Role::Host));
    assert_eq!(member.vouched_metadata_json, of(r#"{"team":7}"#));
    let waiting: Vec<_> = room
        .waiting
        .iter()
        .map(|one| (one.authenticated, one.granted_role(), one.vouched_metadata_json.clone()))
        .collect();
    assert_eq!(waiting, [(true, Role::Member, of("[1]")), (false, Role::Guest, None)]);
    let shown = GetClientRequest { client_id: guest.id.clone() };
    let shown = admin.get_client(shown).await.unwrap().into_inner();
    assert_eq!((shown.authenticated, shown.token_expire_time), (false, None));

    // Whoever came as a guest is one again.
    let admit = AdmitClientRequest { client_id: guest.id.clone(), room_id: "r".into() };
    let seated = admin.admit_client(admit).await.unwrap().into_inner();
    assert_eq!((seated.role(), &*seated.room_id), (Role::Guest, "r"));
    let mut roles = Vec::new();
    for role in [Role::Host, Role::Member] {
        roles.push(admin.set_role(set(&guest, role)).await.unwrap().into_inner().role());
    }
    assert_eq!(roles, [Role::Host, Role::Guest]);
    // Only an administrator, or another host by token, makes a member of one.
    guest.hear_of("joined").await;
    let demote =
        |target: &Client| json!({"type": "set-role", "targetId": target.id, "role": "member"});
    admin.set_role(set(&guest, Role::Host)).await.unwrap();
    let answer: Value = guest.ask(demote(&ann)).await;
    assert_eq!(answer["code"], "forbidden", "{answer}");
    let member = admin.set_role(set(&ann, Role::Member)).await.unwrap().into_inner();
    assert_eq!((member.role(), member.granted_role()), (Role::Member, Role::Host));
}

#[tokio::test]
async fn the_server_says_who_needs_a_token_and_so_who_is_host() {
    let issuer = Issuer::new();
    for (flags, auth, first_is_host) in [
        ("", "required", false),
        ("--auth optional", "optional", true),
        ("--auth optional --first-member-is-host=false", "optional", false),
        ("--auth off", "off", true),
    ] {
        let key = if auth == "off" { String::new() } else { issuer.flags() };
        let server = TestServer::with(&format!("{key} {flags}"));
        let mut admin = server.admin().await;
        let info = admin.get_server_info(GetServerInfoRequest {}).await.unwrap().into_inner();
        let limits = info.limits.unwrap();
        assert_eq!((&*limits.auth, limits.first_member_is_host), (auth, first_is_host), "{flags}");
    }
}
