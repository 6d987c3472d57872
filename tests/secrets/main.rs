//! No token, password or secret is in any log at its most verbose, metric, event, error or list of processes: they are
//! planted, and looked for.

#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test lists its cases, and panics where it fails"
)]

#[path = "../support/authority.rs"]
mod authority;
#[path = "../support/issuer.rs"]
mod issuer;
#[path = "../support/door.rs"]
mod keys;
mod planted;
mod printed;
#[path = "../support/redis.rs"]
mod redis_server;
#[path = "../support/running.rs"]
mod running;
mod scene;
#[path = "../support/mod.rs"]
mod support;

use std::fs;

use authority::{Authority, Secure};
use issuer::Issuer;
use scene::{Scene, Shares};
use serde_json::{Value, json};
use signalpost::admin::pb::{
    CreateRoomRequest, GetRoomRequest, ListClientsRequest, ListRoomsRequest, ListWaitingRequest,
    Room, UpdateRoomRequest, WatchEventsRequest,
};
use support::within;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::transport::Endpoint;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn none_is_in_the_log_for_eyes_or_anywhere_else() {
    plays("human", None, Shares::Nothing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn none_is_in_the_log_for_programs() {
    plays("json", None, Shares::Nothing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn none_is_in_the_log_where_there_is_tls() {
    plays("human", Some(Authority::new()), Shares::Nothing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn none_is_in_the_log_where_rooms_are_shared() {
    for shares in [Shares::ByFile, Shares::ByVariable] {
        plays("human", None, shares).await;
    }
}

async fn plays(format: &str, authority: Option<Authority>, shares: Shares) {
    let mut scene = Scene::new(format, authority, shares);
    browsers(&scene).await;
    if scene.authority.is_some() {
        administrators_by_tls(&scene).await;
    } else {
        administrators(&scene).await;
    }
    scene.break_redis();
    scene.planted.absent_from("the list of processes", &scene.arguments());
    let weak = scene.planted.plant("weak secret", "weak-but-pl4nted");
    for name in ["jwt", "turn", "ice", "admins"] {
        fs::write(scene.file(name), &weak).unwrap();
    }
    scene.signal("-HUP");
    let (planted, log) = scene.stop();
    assert!(log.len() > 1000 && log.contains("TRACE"), "it says all that it can: {log}");
    assert!(planted.len() > 20);
    planted.absent_from("the log", &log);
}

async fn browsers(scene: &Scene) {
    let (planted, issuer) = (&scene.planted, Issuer::new());
    let token = |sub: &str| planted.plant(&format!("token of {sub}"), issuer.token(sub, json!({})));
    let password =
        |nth: u32| planted.plant(&format!("password {nth}"), format!("pl4nted-password-{nth}"));
    let register = |token: &str| json!({"type": "register", "token": token}).to_string();
    let join = |fields: Value| {
        let mut join = json!({"type": "join", "roomId": "vault"});
        join.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        join.to_string()
    };

    let [first, second] = [password(1), password(2)];
    let mut ann = scene.browser("/", None).await.unwrap();
    ann.ask(register(&token("ann")), &["registered"]).await;
    let seat = ann.ask(join(json!({"password": first})), &["joined"]).await;
    assert_eq!((&seat["role"], &seat["room"]["hasPassword"]), (&json!("host"), &json!(true)));

    let mut bob = scene.browser("/", Some(&token("bob"))).await.unwrap();
    for wrong in [json!({}), json!({"password": password(3)})] {
        bob.ask(join(wrong), &["join-error"]).await;
    }
    bob.ask(join(json!({"password": first})), &["joined"]).await;
    let update = json!({"type": "update-room", "password": second, "lobby": true});
    ann.ask(update.to_string(), &["done"]).await;
    bob.hear_of(&["room-updated"]).await;

    let path = format!("/?access_token={}", token("carl"));
    let mut carl = scene.browser(&path, None).await.unwrap();
    let knock = join(json!({"password": second, "returnToken": seat["returnToken"]}));
    carl.ask(knock, &["waiting"]).await;
    ann.ask(r#"{"type": "admit"}"#, &["done"]).await;
    carl.hear_of(&["joined"]).await;

    // Back to a seat that stands.
    let mut again = scene.browser("/ws", Some(&token("ann"))).await.unwrap();
    let joined = again.ask(join(json!({"returnToken": seat["returnToken"]})), &["joined"]).await;
    assert_eq!(joined["role"], "host");
    ann.hear_out().await;

    let long = planted.plant("long password", "pl4nted-and-long".repeat(20));
    let odd = token("odd");
    for broken in [
        join(json!({"password": [password(4)]})),
        join(json!({"password": long, "returnToken": "pl4nted"})),
        join(
            json!({"returnToken": planted.plant("long return token", "pl4nted-return-token".repeat(20))}),
        ),
        join(json!({"returnToken": {"pl4nted": password(5)}})),
        json!({"type": "register", "token": [odd]}).to_string(),
        json!({"type": "register", "userId": {"token": odd}}).to_string(),
        json!({"type": odd}).to_string(),
        format!(r#"{{"type": "register", "token": "{odd}"#),
        json!({"type": "update-room", "password": {"is": password(6)}}).to_string(),
    ] {
        carl.ask(broken, &["error", "join-error"]).await;
    }

    let forged = planted.plant("forged token", token("mallory") + "A");
    let mut mallory = scene.browser("/", None).await.unwrap();
    let refusal = mallory.ask(register(&forged), &["error"]).await;
    assert_eq!(refusal["code"], "unauthenticated");
    let in_path = format!("/?access_token={forged}");
    for (path, bearer) in [("/", Some(&*forged)), (&*in_path, None)] {
        let Err(refusal) = scene.browser(path, bearer).await else { panic!("it is forged") };
        assert!(refusal.contains("401"), "{refusal}");
        planted.absent_from("a refusal", &refusal);
    }
    let good = token("dora");
    for request in [
        format!("GET /?access_token={good} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
        format!("GET /no?access_token={good} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
        format!("GET /{good} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization : Bearer {good}\r\n\r\n"),
        format!("{good}\r\n\r\n"),
    ] {
        planted.absent_from("an answer by HTTP", &scene.answer(&request).await);
    }
    bob.ask(r#"{"type": "ping"}"#, &["pong"]).await;
}

async fn administrators(scene: &Scene) {
    let planted = &scene.planted;
    let channel = Endpoint::from_shared(format!("http://{}", scene.admin)).unwrap();
    let channel = channel.connect().await.unwrap();
    let mut admin = keys::client(channel.clone(), &scene.ops);
    let said = |answer: &dyn std::fmt::Debug| {
        planted.absent_from("an administrator's answer", &format!("{answer:?}"));
    };
    let mut events = admin.watch_events(WatchEventsRequest::default()).await.unwrap().into_inner();
    let password = |nth: u32| {
        planted
            .plant(&format!("an administrator's password {nth}"), format!("pl4nted-by-ops-{nth}"))
    };
    let room =
        |password: String| Some(Room { room_id: "safe".into(), password, ..Room::default() });
    let request_id = "8b9f5c1e-6f0f-4f43-9d0e-1c9a1f2b3c4d";
    for (nth, request_id) in [(1, request_id), (1, request_id), (2, request_id), (3, "")] {
        let request = CreateRoomRequest {
            room_id: "safe".into(),
            room: room(password(nth)),
            request_id: request_id.into(),
        };
        said(&admin.create_room(request).await);
    }
    let too_long = planted.plant("an administrator's long password", "pl4nted-by-ops".repeat(20));
    for (password, etag, paths) in [
        (password(4), "", &["password"][..]),
        (password(5), "stale", &["password"]),
        (password(6), "", &["password", "no-such"]),
        (too_long, "", &["password"]),
    ] {
        let request = UpdateRoomRequest {
            room: Some(Room { etag: etag.into(), ..room(password).unwrap() }),
            update_mask: Some(prost_types::FieldMask {
                paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            }),
        };
        said(&admin.update_room(request).await);
    }
    let vault = GetRoomRequest { room_id: "vault".into() };
    said(&admin.get_room(vault).await.unwrap());
    said(&admin.list_rooms(ListRoomsRequest::default()).await.unwrap());
    said(&admin.list_clients(ListClientsRequest::default()).await.unwrap());
    let waiting = ListWaitingRequest { room_id: "vault".into(), ..Default::default() };
    said(&admin.list_waiting(waiting).await.unwrap());
    let wrong =
        planted.plant("wrong administrator's token", "sp_admin_".to_owned() + &"pl4nted".repeat(6));
    let rooms = "/signalpost.admin.v1.AdminService/ListRooms";
    for credentials in [&[&*format!("Bearer {wrong}")][..], &[&*scene.ops.bearer(), &*wrong]] {
        said(&keys::call(&channel, rooms, credentials).await);
    }
    for bearer in [scene.ops.bearer(), format!("Bearer {wrong}")] {
        let mut tcp = TcpStream::connect(scene.admin).await.unwrap();
        let request = format!(
            "GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: {bearer}\r\nConnection: close\r\n\r\n"
        );
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within(tcp.read_to_string(&mut answer)).await.unwrap();
        assert_eq!(answer.contains("signalpost_"), bearer == scene.ops.bearer(), "{answer}");
        planted.absent_from("the metrics", &answer);
    }
    loop {
        let message = within(events.message()).await.unwrap().unwrap();
        let text = format!("{message:?}");
        planted.absent_from("an event", &text);
        if text.contains("password_set: true") && text.contains("safe") {
            break;
        }
    }
}

async fn administrators_by_tls(scene: &Scene) {
    let authority = scene.authority.as_ref().unwrap();
    let mut secure = Secure::connect(scene.admin, authority, None).await.unwrap();
    let rooms = "/signalpost.admin.v1.AdminService/ListRooms";
    let wrong = "sp_admin_".to_owned() + &"pl4nted".repeat(6);
    let wrong = scene.planted.plant("wrong administrator's token", wrong);
    for bearer in [scene.ops.bearer(), format!("Bearer {wrong}")] {
        secure.ask(rooms, Some(&bearer)).await.unwrap();
    }
}
