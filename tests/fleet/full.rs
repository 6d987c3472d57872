//! A Redis whose memory is full: nobody comes, and who is there talks on, and may go.

use serde_json::json;

use crate::{
    fleet::{Fleet, LEASE, in_time},
    redis::Kind,
};

on_both_kinds![who_is_there_talks_on_and_leaves_while_redis_is_full];

async fn who_is_there_talks_on_and_leaves_while_redis_is_full(kind: Kind) {
    let mut fleet = Fleet::mortal(kind).await;
    let (mut a, mut b) = (fleet.member(0, "r").await, fleet.member(0, "r").await);
    let mut c = fleet.member(1, "r").await;
    let (mut leaver, vanisher) = (fleet.member(1, "r").await, fleet.member(2, "r").await);
    while a.hear_of("user-joined").await["clientId"] != vanisher.id {}
    for _ in 0..3 {
        b.hear_of("user-joined").await;
    }

    fleet.redis.take_no_more(true).await;
    let mut newcomer = fleet.client(2).await;
    let refused = newcomer.ask(json!({"type": "join", "roomId": "r"})).await;
    assert_eq!(refused["code"], "unavailable", "{refused}");
    a.say(json!({"type": "offer", "targetId": b.id, "sdp": "local"})).await;
    assert_eq!(b.hear_of("offer").await["sdp"], "local");
    a.say(json!({"type": "message", "targetId": c.id, "content": "waits"})).await;
    // By themselves, and with their node.
    assert_eq!(leaver.ask(json!({"type": "leave", "roomId": "r"})).await["type"], "left");
    // Dropped, a node is killed.
    drop(fleet.nodes.pop());
    drop(vanisher);
    let left = [&a, &b, &c].map(|member| member.id.clone());
    in_time(LEASE * 5, async || {
        let room = fleet.try_room(0, "r").await.ok()?;
        (room.members.iter().map(|member| &member.client_id).eq(&left)).then_some(())
    })
    .await;
    fleet.agrees_on("r", &[&a, &b, &c]).await;

    fleet.redis.take_no_more(false).await;
    assert_eq!(c.hear_of("message").await["content"], "waits");
    let mut newcomer = fleet.client(1).await;
    in_time(LEASE * 5, async || {
        let answer = newcomer.ask(json!({"type": "join", "roomId": "r"})).await;
        (answer["type"] == "joined").then_some(())
    })
    .await;
    fleet.agrees_on("r", &[&a, &b, &c, &newcomer]).await;
}
