//! Redis with a replica: what administrators change waits for it where that is wanted, and what a failover lost is put
//! back.

use std::time::Duration;

use serde_json::{Value, json};
use signalpost::admin::pb::{
    Ban, CreateBanRequest, DeleteRoomRequest, LockRoomRequest, Room, ban::Subject,
};
use tokio::time::{Instant, timeout};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{
    fleet::{Fleet, Node, ids, in_time},
    redis::{Kind, Replica},
    support::{Client, within},
    watching::Watcher,
};

const TIMEOUT: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(20);

on_both_kinds![what_administrators_and_hosts_change_waits_for_a_replica];

async fn what_administrators_and_hosts_change_waits_for_a_replica(kind: Kind) {
    let fleet = Fleet::with(kind, "--redis-wait-replicas 1 --redis-timeout-ms 1000").await;
    let replica = fleet.redis.replica().await;
    let (mut host, mut target) = (fleet.member(0, "r").await, fleet.member(1, "r").await);
    assert_eq!(host.ask(json!({"type": "update-room", "lobby": true})).await["type"], "done");
    assert!(lock(&fleet, "r", true).await.unwrap().locked);
    ban(&fleet, "eve").await.unwrap();

    replica.signal("-STOP").await;
    let asked = Instant::now();
    let unlocking = lock(&fleet, "r", false);
    // Nobody else waits.
    let joining = async {
        let mut other = fleet.client(1).await;
        other.join("s").await;
        assert!(asked.elapsed() < TIMEOUT);
        other
    };
    let (unlocked, _other) = tokio::join!(unlocking, joining);
    assert!(asked.elapsed() >= TIMEOUT && asked.elapsed() < TIMEOUT * 3);
    is_done_and_unsafe(&unlocked.unwrap_err());
    assert!(!fleet.room(2, "r").await.locked);
    // What is as it shall be is no safer for that.
    is_done_and_unsafe(&lock(&fleet, "r", false).await.unwrap_err());
    is_done_and_unsafe(&ban(&fleet, "mallory").await.unwrap_err());
    let delete = DeleteRoomRequest { room_id: "s".into(), ..Default::default() };
    let deleted = within(fleet.admin(0).await.delete_room(delete)).await;
    is_done_and_unsafe(&deleted.unwrap_err());
    assert_eq!(fleet.try_room(1, "s").await.unwrap_err().code(), Code::NotFound);

    let update = json!({"type": "update-room", "lobby": false});
    is_done_and_unsafe_for(&host.ask(update.clone()).await);
    assert!(!fleet.room(2, "r").await.lobby);
    let remove = json!({"type": "remove", "targetId": target.id, "seconds": 60});
    is_done_and_unsafe_for(&host.ask(remove).await);
    target.hear_of("removed").await;
    assert_eq!(ids(&fleet.room(2, "r").await), [&*host.id]);

    replica.signal("-CONT").await;
    assert_eq!(host.ask(update).await["type"], "done");
    assert!(lock(&fleet, "r", true).await.unwrap().locked);
    ban(&fleet, "trudy").await.unwrap();
}

async fn lock(fleet: &Fleet, room: &str, locked: bool) -> Result<Room, Status> {
    let request = LockRoomRequest { room_id: room.to_owned(), locked, ..Default::default() };
    let locked = within(fleet.admin(1).await.lock_room(request)).await;
    locked.map(|room| room.into_inner())
}

async fn ban(fleet: &Fleet, user: &str) -> Result<(), Status> {
    let ban = Ban { subject: Some(Subject::UserId(user.to_owned())), ..Default::default() };
    let request = CreateBanRequest { ban: Some(ban), ..Default::default() };
    within(fleet.admin(2).await.create_ban(request)).await.map(drop)
}

fn is_done_and_unsafe_for(answer: &Value) {
    assert_eq!(answer["code"], "unavailable", "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("was done, but"), "{answer}");
}

fn is_done_and_unsafe(status: &Status) {
    assert_eq!(status.get_details_error_info().unwrap().reason, "FLEET_UNAVAILABLE");
    let text = status.message();
    assert!(text.contains("was made") && text.contains("--redis-wait-replicas"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_failover_lost_is_put_back() {
    let cut = async |replica: &mut Replica| replica.stands_alone().await;
    let replace = async |fleet: &mut Fleet, replica| fleet.redis.is_replaced_by(replica).await;
    loses_writes(Kind::Standalone, cut, replace).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_older_disk_lacks_is_put_back() {
    let cut = async |replica: &mut Replica| replica.stands_alone().await;
    let replace = async |fleet: &mut Fleet, replica| fleet.redis.is_restored_from(replica).await;
    loses_writes(Kind::Standalone, cut, replace).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_failover_of_a_cluster_lost_is_put_back() {
    let cut = async |replica: &mut Replica| replica.stops().await;
    let replace = async |fleet: &mut Fleet, replica| fleet.redis.fails_over_to(replica).await;
    loses_writes(Kind::Cluster, cut, replace).await;
}

/// A replica that has all takes its master's place: what was shown to those who watch may have been more, but nobody who
/// is left knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_that_lost_nothing_changes_nothing_in_rooms() {
    let mut fleet = Fleet::start(Kind::Standalone).await;
    let replica = fleet.redis.replica().await;
    // Its lineage is another one since it has a replica, which is looked at again now and then.
    fleet.redis.cut_connections().await;
    let (mut admin, mut watcher) = (fleet.admin(0).await, Watcher::default());
    let (mut ann, mut bob) = (fleet.member(0, "r").await, fleet.member(1, "r").await);
    let (mut cid, mut dan) = (fleet.member(0, "r").await, fleet.member(1, "r").await);
    let (eve, fay) = (fleet.member(0, "r").await, fleet.member(1, "r").await);
    let gone = [eve.id.clone(), fay.id.clone()];
    watcher.stands_before_everything(&mut admin).await;
    replica.has_all_of(&fleet.redis).await;
    replica.stands_alone().await;
    // Who goes while nobody can write that down has gone by what it did, too.
    fleet.redis.holds_back(60_000).await;
    eve.vanish();
    let mut heard_by_ann = vec![hears_of_an_end(&mut ann).await];
    fay.vanish();
    fleet.redis.is_replaced_by(replica).await;
    heard_by_ann.push(hears_of_an_end(&mut ann).await);
    assert_eq!(heard_by_ann, gone);
    for member in [&mut bob, &mut cid, &mut dan] {
        let heard = [hears_of_an_end(member).await, hears_of_an_end(member).await];
        assert!(gone.iter().all(|id| heard.contains(id)), "{heard:?}");
    }
    in_time(LIMIT, async || {
        let logged = |node: &Node| node.logged("the log is not the one that was followed");
        fleet.nodes.iter().all(|node| !logged(node).is_empty()).then_some(())
    })
    .await;
    // Whoever goes before all have put back what is theirs has gone, for all, by what it did.
    for leaver in [&mut cid, &mut dan] {
        leaver.ask(json!({"type": "leave", "roomId": "r"})).await;
    }
    for member in [&mut ann, &mut bob] {
        for leaver in [&cid, &dan] {
            let left = member.hear_of("user-left").await;
            assert_eq!((&left["clientId"], &left["reason"]), (&json!(leaver.id), &json!("left")));
        }
    }
    in_time(LIMIT, async || {
        let logged = |node: &Node| node.logged("the log had lost events");
        let is_told = |node| logged(node).contains(" lost=0 seats=0 rooms=0 settings=0 bans=0");
        fleet.nodes.iter().all(is_told).then_some(())
    })
    .await;
    is_of_another_life(&watcher.follow(&mut fleet.admin(1).await).await.unwrap_err());
    fleet.agrees_on("r", &[&ann, &bob]).await;
    ann.say(json!({"type": "offer", "targetId": bob.id, "sdp": 1})).await;
    assert_eq!(bob.hear().await["type"], "offer");
    bob.say(json!({"type": "answer", "targetId": ann.id, "sdp": 1})).await;
    assert_eq!(ann.hear().await["type"], "answer");
    for leaver in [&mut cid, &mut dan] {
        leaver.hears_nothing().await;
    }
}

/// A replica that took nothing for a while takes its master's place.
async fn loses_writes(
    kind: Kind,
    cut: impl AsyncFnOnce(&mut Replica),
    replace: impl AsyncFnOnce(&mut Fleet, Replica),
) {
    // A Redis Cluster takes servers for dead that do not get the processor for two seconds.
    let mut fleet = Fleet::alone_with(kind, "--redis-wait-replicas 1").await;
    let mut replica = fleet.redis.replica().await;
    let (mut admin, mut watcher) = (fleet.admin(0).await, Watcher::default());
    let (mut ann, gone) = (fleet.member(0, "r").await, fleet.member(2, "r").await);
    assert_eq!(ann.hear().await["clientId"], gone.id);
    let alone = fleet.member(1, "left").await;
    ban(&fleet, "eve").await.unwrap();
    cut(&mut replica).await;
    let (mut bob, mut cid) = (fleet.member(1, "r").await, fleet.member(2, "r").await);
    let dan = fleet.member(2, "lost").await;
    alone.vanish();
    gone.vanish();
    for member in [&mut ann, &mut bob, &mut cid] {
        member.hear_of("user-left").await;
    }
    in_time(LIMIT, async || fleet.try_room(0, "left").await.is_err().then_some(())).await;
    // It stands, whatever becomes of it.
    is_done_and_unsafe(&ban(&fleet, "mallory").await.unwrap_err());
    is_done_and_unsafe(&lock(&fleet, "r", true).await.unwrap_err());
    watcher.stands_before_everything(&mut admin).await;
    let mut live = watcher.clone();
    let mut elsewhere = fleet.admin(2).await;
    let living = tokio::spawn(async move { live.follow(&mut elsewhere).await });

    replace(&mut fleet, replica).await;

    is_of_another_life(&within(living).await.unwrap().unwrap_err());
    in_time(LIMIT, async || {
        for node in 0..3 {
            let room = fleet.try_room(node, "r").await.ok()?;
            let all = [&ann.id, &bob.id, &cid.id];
            let whole = all.iter().all(|id| ids(&room).contains(&&***id));
            (whole && ids(&room).len() == 3 && room.locked).then_some(())?;
            let lost = fleet.try_room(node, "lost").await.ok()?;
            (ids(&lost) == [&*dan.id]).then_some(())?;
            // Who was there before, and had gone.
            fleet.try_room(node, "left").await.is_err().then_some(())?;
            (fleet.bans(node).await == ["eve", "mallory"]).then_some(())?;
        }
        Some(())
    })
    .await;
    // Who was not the first to put back a ban waits for nobody's answer to that. Its node lost the letters in its inbox,
    // and may be about to take another name, to which nobody answers what the former one asked.
    let mut users = 0..;
    in_time(Duration::from_secs(6), async || {
        let user = format!("trudy-{}", users.next()?);
        let status = ban(&fleet, &user).await.unwrap_err();
        status.message().contains("was made").then_some(())
    })
    .await;
    in_time(LIMIT, async || {
        let logs = fleet.nodes.iter().map(|node| node.logged("the log had lost events"));
        let logs: Vec<_> = logs.collect();
        let told = |node: usize, words: &str| logs[node].contains(words);
        let is_told = told(1, " seats=1 rooms=0 ") && told(2, " seats=2 rooms=1 ");
        (is_told && (0..3).all(|node| !told(node, " lost=0 "))).then_some(())
    })
    .await;
    is_of_another_life(&watcher.follow(&mut fleet.admin(1).await).await.unwrap_err());
    // They heard of nobody who went or came.
    for member in [&mut ann, &mut bob] {
        in_time(LIMIT, async || {
            // A node whose inbox was lost goes on by another name, and loses what was on its way.
            cid.say(json!({"type": "message", "content": "still"})).await;
            let heard = timeout(TIMEOUT, member.hear()).await.ok()?;
            assert!(!heard["type"].as_str().unwrap().starts_with("user-"), "{heard}");
            (heard["content"] == "still").then_some(())
        })
        .await;
    }
}

/// Returns whose.
async fn hears_of_an_end(member: &mut Client) -> String {
    let left = member.hear_of("user-left").await;
    assert_eq!(left["reason"], "disconnected", "{left}");
    left["clientId"].as_str().unwrap().to_owned()
}

fn is_of_another_life(status: &Status) {
    assert_eq!(status.get_details_error_info().unwrap().reason, "EPOCH_CHANGED");
}
