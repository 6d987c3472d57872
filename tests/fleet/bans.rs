//! Bans, on nodes that miss them, by calls that are cut short, and by clocks that are off.

use std::{fs, time::Duration};

use serde_json::{Value, json};
use signalpost::admin::pb::{
    Ban, CreateBanRequest, DeleteBanRequest, GetBanRequest,
    ban::{Expiration, Subject},
};
use tokio::time::{sleep, timeout};
use tonic::Code;

use crate::{
    fleet::{Fleet, LEASE, ids, in_time},
    redis::Kind,
    support::{Client, within},
};

on_both_kinds![
    a_ban_is_carried_out_though_its_call_is_cut_short,
    a_ban_holds_on_a_node_that_missed_a_part_of_the_log,
    a_ban_that_was_lifted_sends_nobody_away_later,
    an_ended_ban_is_not_read_on_any_node,
    a_ban_lasts_as_long_whatever_the_clock_of_its_node_says,
    a_hosts_ban_that_is_put_back_spares_who_sits_there,
    a_ban_waits_for_no_answers_to_a_name_that_is_lost,
];

/// It waits for a node that does not answer, and its caller does not wait for that.
async fn a_ban_is_carried_out_though_its_call_is_cut_short(kind: Kind) {
    let fleet = Fleet::mortal(kind).await;
    let mut eve = named(&fleet, 0, "eve").await;
    fleet.nodes[2].pause();
    let banning = ban(&fleet, 0, "eve", None);
    timeout(LEASE / 4, banning).await.unwrap_err();
    assert_eq!(within(eve.hear_of("removed")).await["code"], "banned");
    assert_eq!(eve.closed().await, Some(4501));
    fleet.nodes[2].go_on();
    let mut again = fleet.client(1).await;
    assert_eq!(register(&mut again, "eve").await["code"], "banned");
}

/// By its next heartbeat, not when the lease is over of the one that does not answer.
async fn a_ban_waits_for_no_answers_to_a_name_that_is_lost(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let entered = fleet.nodes[2].logged("in the fleet by this name");
    let (_, name) = entered.trim().rsplit_once('=').unwrap();
    fleet.nodes[1].pause();
    let banning = timeout(Duration::from_secs(8), ban(&fleet, 2, "eve", None));
    let losing = async {
        in_time(5 * LEASE, async || (fleet.bans(0).await == ["eve"]).then_some(())).await;
        fleet.redis.loses_the_inbox_of(name).await;
    };
    let (status, ()) = tokio::join!(banning, losing);
    let status = status.expect("it waits in vain").unwrap_err();
    assert!(status.message().contains("it is done, but"), "{status:?}");
    fleet.nodes[1].go_on();
}

/// More is in the log by the time it goes on than that reaches back.
async fn a_ban_holds_on_a_node_that_missed_a_part_of_the_log(kind: Kind) {
    const KEPT: usize = 1000;
    let flags = format!("--redis-log-events {KEPT} --node-lease-seconds {}", LEASE.as_secs());
    let fleet = Fleet::with(kind, &flags).await;
    let mut eve = named(&fleet, 2, "eve").await;
    ban(&fleet, 0, "mallory", None).await.unwrap();
    fleet.nodes[2].pause();
    // It returns when that node's lease is over.
    ban(&fleet, 0, "eve", None).await.unwrap();
    let mut comes = fleet.client(1).await;
    for _ in 0..KEPT {
        comes.join("r").await;
        comes.ask(json!({"type": "leave", "roomId": "r"})).await;
    }
    fleet.nodes[2].go_on();
    assert_eq!(eve.closed().await, Some(4501));
    let mut again = fleet.client(2).await;
    assert_eq!(register(&mut again, "eve").await["code"], "banned");
    assert_eq!(fleet.bans(2).await, ["eve", "mallory"]);
}

/// Its node looks again, in case its call was cut short.
async fn a_ban_that_was_lifted_sends_nobody_away_later(kind: Kind) {
    let fleet = Fleet::mortal(kind).await;
    let made = ban(&fleet, 0, "eve", None).await.unwrap();
    let request = DeleteBanRequest { ban_id: made.ban_id };
    within(fleet.admin(1).await.delete_ban(request)).await.unwrap();
    let mut eve = fleet.client(0).await;
    // Its node may hear of that a moment later.
    in_time(LEASE, async || {
        (register(&mut eve, "eve").await["type"] == "registered").then_some(())
    })
    .await;
    eve.join("r").await;
    sleep(LEASE * 4).await;
    eve.hears_nothing().await;
}

async fn an_ended_ban_is_not_read_on_any_node(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    for _ in 0..5 {
        let made = ban(&fleet, 0, "eve", None).await.unwrap();
        fleet.nodes[1].pause();
        let request = DeleteBanRequest { ban_id: made.ban_id.clone() };
        within(fleet.admin(0).await.delete_ban(request)).await.unwrap();
        fleet.nodes[1].go_on();
        let request = GetBanRequest { ban_id: made.ban_id };
        let read = within(fleet.admin(1).await.get_ban(request)).await;
        assert_eq!(read.unwrap_err().code(), Code::NotFound);
        assert_eq!(fleet.bans(1).await, Vec::<String>::new());
    }
}

async fn a_ban_lasts_as_long_whatever_the_clock_of_its_node_says(kind: Kind) {
    const SHORT: Duration = Duration::from_secs(3);
    for offset in ["-600s", "+600s"] {
        let mut fleet = Fleet::start(kind).await;
        let off = fleet.add_by_clock(&shifting_library(), offset);
        let (mut host, mut target) = (fleet.client(off).await, fleet.client(0).await);
        assert_eq!(host.join("r").await["role"], "host");
        target.join("r").await;
        let remove = json!({"type": "remove", "targetId": target.id, "seconds": 300});
        assert_eq!(host.ask(remove).await["type"], "done");
        target.hear_of("removed").await;
        ban(&fleet, off, "eve", Some(Duration::from_secs(300))).await.unwrap();
        ban(&fleet, off, "bob", Some(SHORT)).await.unwrap();
        let (mut waits, mut early) = (fleet.client(1).await, fleet.client(off).await);
        assert_eq!(register(&mut early, "bob").await["code"], "banned", "{offset}");
        // The others end it, by their clocks.
        in_time(SHORT * 3, async || {
            (register(&mut waits, "bob").await["type"] == "registered").then_some(())
        })
        .await;
        for node in [0, off] {
            let mut eve = fleet.client(node).await;
            assert_eq!(register(&mut eve, "eve").await["code"], "banned", "{offset}, {node}");
            let back = eve.ask(json!({"type": "join", "roomId": "r"})).await;
            assert_eq!(back["code"], "banned", "{offset}, {node}");
        }
    }
}

/// It is of an address, which all here have.
async fn a_hosts_ban_that_is_put_back_spares_who_sits_there(kind: Kind) {
    let mut fleet = Fleet::start(kind).await;
    let (mut host, mut stays) = (fleet.member(0, "r").await, fleet.member(1, "r").await);
    let mut target = fleet.member(2, "r").await;
    let remove = json!({"type": "remove", "targetId": target.id, "seconds": 300});
    assert_eq!(host.ask(remove).await["type"], "done");
    assert_eq!(target.hear_of("removed").await["code"], "removed");
    assert_eq!(stays.hear_of("user-left").await["clientId"], target.id);

    fleet.redis.stop().await;
    fleet.redis.forget();
    fleet.redis.start_again().await;
    for node in 0..3 {
        let mut again = fleet.client(node).await;
        in_time(LEASE * 10, async || {
            let back = again.ask(json!({"type": "join", "roomId": "r"})).await;
            assert_ne!(back["type"], "joined", "node {node}");
            (back["code"] == "banned").then_some(())
        })
        .await;
    }
    in_time(LEASE * 10, async || {
        for node in 0..3 {
            let room = fleet.try_room(node, "r").await.ok()?;
            let sits = |member: &Client| ids(&room).contains(&&*member.id);
            (sits(&host) && sits(&stays)).then_some(())?;
        }
        Some(())
    })
    .await;
    for member in [&mut host, &mut stays] {
        member.hears_nothing().await;
    }
}

/// Of Debian's package, wherever it has it on this kind of machine.
fn shifting_library() -> String {
    let folders = fs::read_dir("/usr/lib").unwrap().map(|folder| folder.unwrap().path());
    let mut libraries = folders.map(|folder| folder.join("faketime/libfaketime.so.1"));
    let library = libraries.find(|library| library.exists()).expect("libfaketime is installed");
    library.to_str().unwrap().to_owned()
}

async fn ban(
    fleet: &Fleet,
    node: usize,
    user: &str,
    ttl: Option<Duration>,
) -> Result<Ban, tonic::Status> {
    let subject = Some(Subject::UserId(user.to_owned()));
    let expiration = ttl.map(|ttl| Expiration::Ttl(ttl.try_into().unwrap()));
    let ban = Ban { subject, expiration, ..Default::default() };
    let request = CreateBanRequest { ban: Some(ban), ..Default::default() };
    within(fleet.admin(node).await.create_ban(request)).await.map(|made| made.into_inner())
}

async fn named(fleet: &Fleet, node: usize, user: &str) -> Client {
    let mut client = fleet.client(node).await;
    assert_eq!(register(&mut client, user).await["type"], "registered");
    client
}

async fn register(client: &mut Client, user: &str) -> Value {
    client.ask(json!({"type": "register", "userId": user})).await
}
