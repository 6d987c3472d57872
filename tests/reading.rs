//! However the bytes of messages are cut, the same messages come out, also while others use the same thread's codec.

#[path = "support/pipe.rs"]
mod pipe;

use std::sync::Arc;

use clap::Parser;
use pipe::{Pipe, frame};
use signalpost::{config::Config, hub::Hub};

fn hub() -> Arc<Hub> {
    Arc::new(Hub::new(Arc::new(Config::try_parse_from(["signalpost"]).expect("the defaults"))))
}

fn ping(id: &str) -> Vec<u8> {
    frame(&format!(r#"{{"type":"ping","requestId":"{id}"}}"#))
}

/// The answer to a `ping`; those to WebSocket pings, which are empty here, may come before.
async fn hears_pong(pipe: &mut Pipe, id: &str) {
    let mut heard = Vec::new();
    while heard.is_empty() {
        heard = pipe.hear().await;
    }
    let heard = String::from_utf8(heard).expect("UTF-8");
    assert_eq!(heard, format!(r#"{{"type":"pong","requestId":"{id}"}}"#));
}

#[tokio::test]
async fn messages_cut_anywhere_are_whole_and_disturb_no_other_client() {
    let hub = hub();
    let (mut a, mut b) = (Pipe::join(&hub, "a").await, Pipe::join(&hub, "b").await);
    let control_between = [&[0x89, 0x80, 0, 0, 0, 0][..], &ping("2")].concat();
    let both = [ping("1"), control_between].concat();
    for cut in 1..both.len() {
        a.say(&both[..cut]).await;
        // Until the server has read the first part, and holds it.
        for round in 0..3 {
            let id = format!("{cut}-{round}");
            b.say(&ping(&id)).await;
            hears_pong(&mut b, &id).await;
        }
        a.say(&both[cut..]).await;
        hears_pong(&mut a, "1").await;
        hears_pong(&mut a, "2").await;
    }
}

#[tokio::test]
async fn a_burst_comes_out_whole_and_in_order() {
    let hub = hub();
    let mut a = Pipe::join(&hub, "a").await;
    let burst: Vec<u8> = (0..2000).flat_map(|n| ping(&n.to_string())).collect();
    a.say(&burst).await;
    for n in 0..2000 {
        hears_pong(&mut a, &n.to_string()).await;
    }
}

#[tokio::test]
async fn a_long_message_after_fragments_comes_out_whole() {
    let hub = hub();
    let (mut a, mut b) = (Pipe::join(&hub, "r").await, Pipe::join(&hub, "r").await);
    a.pass_over().await;
    let content = "x".repeat(200_000);
    let text = format!(r#"{{"type":"message","content":"{content}"}}"#);
    // Three fragments (RFC 6455, section 5.4), each cut out of a whole frame, with a ping between.
    let (first, rest) = text.split_at(70_000);
    let (second, third) = rest.split_at(70_000);
    let fragment = |opcode: u8, text: &str| {
        let mut bytes = frame(text);
        bytes[0] = opcode;
        bytes
    };
    a.say(&fragment(0x01, first)).await;
    a.say(&[0x89, 0x80, 0, 0, 0, 0]).await;
    a.say(&fragment(0x00, second)).await;
    a.say(&fragment(0x80, third)).await;
    let heard = String::from_utf8(b.hear().await).expect("UTF-8");
    assert!(heard.ends_with(&format!(r#","content":"{content}"}}"#)));
    assert!(a.hear().await.is_empty(), "the pong");
}
