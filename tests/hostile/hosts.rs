//! Who knocks again and again, and who commands all the time.

use std::time::Duration;

use serde_json::json;
use tokio::{io::AsyncReadExt, net::TcpStream, task::JoinSet, time::Instant};

use crate::{
    attack::{count, have_many_files, hear_slowly, member, websocket},
    beside::{IN_TIME, SLACK, Victim},
    floods::{CLOSED, flood},
    pipe::frame,
    running::{Running, anywhere},
    support::{Client, within},
};

const STORMS: usize = 10;

/// Reads until it has heard so.
async fn hear(stream: &mut TcpStream, words: &str) {
    let mut heard = Vec::new();
    while count(&heard, words) == 0 {
        within(stream.read_buf(&mut heard)).await.unwrap();
    }
}

#[tokio::test]
async fn knocking_storms_are_limited_and_the_host_goes_on() {
    have_many_files();
    // Nobody here answers pings.
    let server = Running::start(anywhere().args(["--ping-seconds", "100"]));
    let victim = Victim::of(&server);
    let mut host = Client::connect(&format!("ws://{}/ws", server.http())).await;
    host.join("r").await;
    let lobby = json!({"type": "update-room", "lobby": true});
    assert_eq!(host.ask(lobby).await["type"], "done");

    let knock = [
        frame(r#"{"type":"join","roomId":"r"}"#),
        frame(r#"{"type":"leave","roomId":"r"}"#),
        frame(r#"{"type":"join","roomId":"r","password":"x"}"#),
        frame(r#"{"type":"join","roomId":"r","returnToken":"x"}"#),
    ];
    let mut storms = JoinSet::new();
    for _ in 0..STORMS {
        let stream = websocket(server.http(), 6, None).await.unwrap();
        storms.spawn(flood("knocks", knock.concat(), stream));
    }
    let (mut knocks, mut slowest) = (0, Duration::ZERO);
    let mut ended = Vec::new();
    while ended.len() < STORMS {
        let asked = Instant::now();
        host.say(json!({"type": "ping"})).await;
        loop {
            let heard = host.hear().await;
            knocks += usize::from(heard["type"] == "knock");
            if heard["type"] == "pong" {
                break;
            }
        }
        slowest = slowest.max(asked.elapsed());
        while let Some(storm) = storms.try_join_next() {
            ended.push(storm.unwrap());
        }
    }
    victim.was_served_in_time("knocking storms");
    println!("{knocks} knocks; the host had its answer after {slowest:?} at most");
    assert!(slowest <= SLACK * IN_TIME, "the host waited for {slowest:?}");
    assert!((STORMS..=STORMS * (20 + 2 * 35)).contains(&knocks), "{knocks} knocks");
    for (_, heard, took) in ended {
        assert_eq!(count(&heard, CLOSED), 1, "{took:?}");
        assert!((29..34).contains(&took.as_secs()), "closed after {took:?}");
        assert!(count(&heard, r#""waiting""#) <= 20 + 2 * 35);
    }
}

#[tokio::test]
async fn commanding_storms_are_limited_and_no_member_is_closed() {
    have_many_files();
    let server = Running::start(anywhere().args(["--ping-seconds", "100"]));
    let victim = Victim::of(&server);
    let (mut mates, mut storms) = (Vec::new(), JoinSet::new());
    for kind in ["update-room", "set-role", "remove", "ask-to-mute", "admit", "deny"] {
        let mut host = member(server.http(), 6, None, kind).await;
        hear(&mut host, r#""role":"host""#).await;
        let url = format!("ws://{}/ws", server.http());
        let mut target = Client::connect(&url).await;
        target.join(kind).await;
        let mate = member(server.http(), 1, Some(32 << 10), kind).await;
        mates.push((kind, tokio::spawn(hear_slowly(mate))));
        let id = &target.id;
        let role = |role| format!(r#"{{"type":"set-role","targetId":"{id}","role":"{role}"}}"#);
        let about = || frame(&format!(r#"{{"type":"{kind}","targetId":"{id}"}}"#));
        let said = match kind {
            "update-room" => [
                frame(r#"{"type":"update-room","locked":true,"password":"x"}"#),
                frame(r#"{"type":"update-room","locked":false,"password":null}"#),
            ]
            .concat(),
            "set-role" => [frame(&role("host")), frame(&role("member"))].concat(),
            _ => about(),
        };
        storms.spawn(flood(kind, said, host));
        // It hears what there is to hear, for as long as the storm lasts.
        tokio::spawn(async move { while !target.hear_text().await.is_empty() {} });
    }
    let ended = storms.join_all().await;
    victim.was_served_in_time("commanding storms");
    for (kind, heard, took) in ended {
        let changes = count(&heard, r#""room-updated""#) + count(&heard, r#""role-changed""#);
        println!("{kind}: {} done, {changes} changes, {took:?}", count(&heard, r#""done""#));
        assert_eq!(count(&heard, CLOSED), 1, "{kind}: {took:?}");
        assert!((29..34).contains(&took.as_secs()), "{kind}: closed after {took:?}");
        assert!(changes <= 2 * (20 + 2 * 35), "{kind}: {changes}");
        assert!(count(&heard, r#""done""#) <= 2000 + 200 * 35, "{kind}");
    }
    for (kind, mate) in mates {
        assert!(!mate.is_finished(), "{kind}: its room-mate is gone");
    }
}
