//! Who asks for some only.

use std::collections::BTreeSet;

use serde_json::json;
use signalpost::admin::pb::{
    self, EventKind, WatchEventsRequest, admin_service_client::AdminServiceClient, event::What,
    watch_events_request::Start, watch_events_response::What as Told,
};
use tonic::{Code, transport::Channel};

use super::{
    Events, next,
    support::{TestServer, within},
};

fn shown(event: &pb::Event) -> String {
    let what = match event.what.as_ref().unwrap() {
        What::Joined(joined) => format!("joined {}", joined.member.as_ref().unwrap().user_id()),
        What::Updated(new) => {
            let member = new.member.as_ref().unwrap();
            format!("updated {} from {}", member.user_id(), new.previous_user_id())
        }
        What::RoleChanged(changed) => {
            let member = changed.member.as_ref().unwrap();
            format!("{} is {}", member.user_id(), member.role().as_str_name())
        }
        What::WaitingStarted(new) => {
            format!("{} waits", new.waiting.as_ref().unwrap().user_id())
        }
        What::WaitingEnded(ended) => format!("{} waited {}", ended.user_id(), ended.reason),
        What::Left(left) => format!("left {} {}", left.user_id(), left.reason),
        What::BanCreated(made) => format!("out: {:?}", made.ban.as_ref().unwrap().subject),
        What::BanDeleted(_) => "in again".into(),
        What::Created(_) => "created".into(),
        What::Locked(_) => "locked".into(),
        What::Unlocked(_) => "unlocked".into(),
        What::RoomUpdated(_) => "room updated".into(),
        What::Closed(_) => "closed".into(),
    };
    format!("{}: {what}", event.room_id)
}

/// Every kind that there is.
fn kinds() -> impl Iterator<Item = EventKind> {
    (1..).map_while(|number| EventKind::try_from(number).ok())
}

fn kind(event: &pb::Event) -> EventKind {
    match event.what.as_ref().unwrap() {
        What::Created(_) => EventKind::Created,
        What::Joined(_) => EventKind::Joined,
        What::Updated(_) => EventKind::Updated,
        What::Locked(_) => EventKind::Locked,
        What::Unlocked(_) => EventKind::Unlocked,
        What::Left(_) => EventKind::Left,
        What::Closed(_) => EventKind::Closed,
        What::RoomUpdated(_) => EventKind::RoomUpdated,
        What::BanCreated(_) => EventKind::BanCreated,
        What::BanDeleted(_) => EventKind::BanDeleted,
        What::RoleChanged(_) => EventKind::RoleChanged,
        What::WaitingStarted(_) => EventKind::WaitingStarted,
        What::WaitingEnded(_) => EventKind::WaitingEnded,
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

type Admin = AdminServiceClient<Channel>;

async fn watch(admin: &mut Admin, request: WatchEventsRequest) -> Events {
    admin.watch_events(request).await.unwrap().into_inner()
}

/// What is shown of the rooms, with the userIds of those who are shown and the number of all.
async fn snapshot(admin: &mut Admin, request: WatchEventsRequest) -> Vec<String> {
    let start = Some(Start::Snapshot(true));
    let mut events = watch(admin, WatchEventsRequest { start, ..request }).await;
    let mut shown = Vec::new();
    loop {
        match next(&mut events).await.what.unwrap() {
            Told::Snapshot(page) => shown.extend(page.rooms.into_iter().map(|room| {
                let members = room.members.iter().map(pb::Member::user_id).collect::<Vec<_>>();
                let waiting = room.waiting.iter().map(|one| format!(" and {}", one.user_id()));
                let waiting: String = waiting.collect();
                let (id, members) = (room.room_id, members.join(", "));
                format!("{id}: {members} of {}{waiting}", room.member_count)
            })),
            Told::SnapshotEnd(end) => {
                assert_eq!(end.room_count as usize, shown.len());
                return shown;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn each_sees_what_it_asked_for_and_nothing_else() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let team = WatchEventsRequest { room_ids: names(&["team 1", "team 2"]), ..Default::default() };
    let by_prefix = WatchEventsRequest { room_id_prefix: "team ".into(), ..Default::default() };
    let by_user = WatchEventsRequest { user_ids: names(&["ann", "ron"]), ..Default::default() };
    let both = WatchEventsRequest { user_ids: by_user.user_ids.clone(), ..team.clone() };
    let mut everything = watch(&mut admin, WatchEventsRequest::default()).await;
    let begin = next(&mut everything).await.cursor;

    let mut ann = server.client().await;
    ann.ask(json!({"type": "register", "userId": "ann"})).await;
    ann.join("team 1").await;
    let mut bob = server.client().await;
    bob.ask(json!({"type": "register", "userId": "bob"})).await;
    bob.join("team 1").await;
    bob.ask(json!({"type": "register", "userId": "ron"})).await;
    bob.ask(json!({"type": "register", "userId": "bob"})).await;
    bob.join("elsewhere").await;
    let mut zoe = server.client().await;
    zoe.join("team").await;
    for (request, expected) in [
        (
            WatchEventsRequest::default(),
            vec!["elsewhere: bob of 1", "team:  of 1", "team 1: ann of 1"],
        ),
        (team.clone(), vec!["team 1: ann of 1"]),
        (by_prefix.clone(), vec!["team 1: ann of 1"]),
        (by_user.clone(), vec!["team 1: ann of 1"]),
        (
            WatchEventsRequest { room_id_prefix: "team".into(), ..Default::default() },
            vec!["team:  of 1", "team 1: ann of 1"],
        ),
    ] {
        assert_eq!(snapshot(&mut admin, request.clone()).await, expected, "{request:?}");
    }
    let lobby = pb::Room { room_id: "team 1".into(), lobby: true, ..Default::default() };
    let lobby = pb::UpdateRoomRequest { room: Some(lobby), ..Default::default() };
    admin.update_room(lobby).await.unwrap();
    let set = pb::SetRoleRequest {
        client_id: ann.id.clone(),
        role: pb::Role::Host.into(),
        ..Default::default()
    };
    admin.set_role(set).await.unwrap();
    for name in ["ron", "zoe"] {
        bob.ask(json!({"type": "register", "userId": name})).await;
        assert_eq!(bob.ask(json!({"type": "join", "roomId": "team 1"})).await["type"], "waiting");
        let waiting = if name == "ron" { "team 1: ann of 1 and ron" } else { "team 1: ann of 1" };
        assert_eq!(snapshot(&mut admin, by_user.clone()).await, [waiting]);
        bob.join("elsewhere").await;
    }
    bob.ask(json!({"type": "register", "userId": "bob"})).await;
    ann.join("elsewhere").await;
    // No kind is no snapshot's business.
    let some = WatchEventsRequest { kinds: vec![EventKind::Closed.into()], ..by_user.clone() };
    assert_eq!(snapshot(&mut admin, some).await, ["elsewhere: ann of 2"]);

    for (room_id, user_id) in [("team 2", "ann"), ("", "ann"), ("team 2", "zoe"), ("other", "zoe")]
    {
        let subject = Some(pb::ban::Subject::UserId(user_id.into()));
        let ban = pb::Ban { room_id: room_id.into(), subject, ..Default::default() };
        let ban = pb::CreateBanRequest { ban: Some(ban), ..Default::default() };
        let ban_id = admin.create_ban(ban).await.unwrap().into_inner().ban_id;
        if user_id == "zoe" {
            admin.delete_ban(pb::DeleteBanRequest { ban_id }).await.unwrap();
        }
    }
    ann.closed().await;
    for locked in [true, false] {
        let lock =
            pb::LockRoomRequest { room_id: "elsewhere".into(), locked, ..Default::default() };
        admin.lock_room(lock).await.unwrap();
    }
    let update = pb::Room { room_id: "elsewhere".into(), max_members: 3, ..Default::default() };
    let update = pb::UpdateRoomRequest { room: Some(update), ..Default::default() };
    admin.update_room(update).await.unwrap();
    bob.ask(json!({"type": "leave", "roomId": "elsewhere"})).await;

    let from_begin =
        |request| WatchEventsRequest { start: Some(Start::Cursor(begin.clone())), ..request };
    let of_kind =
        |kind: EventKind| WatchEventsRequest { kinds: vec![kind.into()], ..Default::default() };
    let mut streams = Vec::new();
    for request in [team, by_prefix, by_user, both].into_iter().chain(kinds().map(of_kind)) {
        streams.push(watch(&mut admin, from_begin(request)).await);
    }
    drop((bob, zoe));
    server.stop().await;

    let all = rest(&mut everything).await;
    let seen: BTreeSet<_> = all.iter().map(kind).collect();
    assert_eq!(seen, kinds().collect(), "nothing is left out of this test");
    let of_team = |event: &&pb::Event| event.room_id.starts_with("team ");
    let of_them = |event: &&pb::Event| {
        let shown = shown(event);
        ["ann", "ron"].iter().any(|name| shown.contains(name))
    };
    let mut expected = vec![
        all.iter().filter(of_team).collect::<Vec<_>>(),
        all.iter().filter(of_team).collect(),
        all.iter().filter(of_them).collect(),
        all.iter().filter(of_team).filter(of_them).collect(),
    ];
    let both: Vec<_> = expected[3].iter().map(|event| shown(event)).collect();
    assert_eq!(
        both,
        [
            "team 1: joined ann",
            "team 1: updated ron from bob",
            "team 1: updated bob from ron",
            "team 1: ann is ROLE_HOST",
            "team 1: ron waits",
            "team 1: ron waited moved",
            "team 1: left ann moved",
            r#"team 2: out: Some(UserId("ann"))"#,
        ]
    );
    expected
        .extend(kinds().map(|wanted| all.iter().filter(|event| kind(event) == wanted).collect()));
    for (nth, (mut stream, expected)) in streams.into_iter().zip(expected).enumerate() {
        let heard = rest(&mut stream).await;
        assert!(heard.iter().eq(expected), "{nth}: {heard:?}");
    }
}

/// What is still to come, until the server stops.
async fn rest(events: &mut Events) -> Vec<pb::Event> {
    let mut heard = Vec::new();
    loop {
        match within(events.message()).await {
            Ok(told) => {
                if let Told::Event(event) = told.unwrap().what.unwrap() {
                    heard.push(event);
                }
            }
            Err(status) => {
                assert_eq!(status.code(), Code::Unavailable, "{status}");
                return heard;
            }
        }
    }
}
