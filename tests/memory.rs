//! What a connection takes while it waits, and while a message is unfinished.

#[path = "support/pipe.rs"]
mod pipe;

use std::sync::Arc;

use clap::Parser;
use pipe::{Pipe, frame};
use signalpost::{
    config::Config,
    hub::{Client, Hub},
    journal::Record,
    room::Member,
    ws,
};
use tokio::net::{TcpListener, TcpStream};

fn hub() -> Arc<Hub> {
    Arc::new(Hub::new(Arc::new(Config::try_parse_from(["signalpost"]).expect("the defaults"))))
}

/// The runtime puts 112 bytes around a task of ours and rounds up to 128; an Arc takes 16.
#[tokio::test]
async fn an_idle_connection_takes_a_task_of_256_bytes_and_a_client_of_256() {
    let session =
        hub().connect(std::net::Ipv4Addr::LOCALHOST.into(), None).expect("the hub has room");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let stream = TcpStream::connect(address).await.expect("it listens");
    let task = ws::run(stream, Vec::new(), session);
    assert!(size_of_val(&task) <= 256 - 112, "{} bytes", size_of_val(&task));
    assert!(size_of::<Client>() <= 256 - 16, "{} bytes", size_of::<Client>());
}

/// The allocator's sizes are 112, 128, 160, 192, 224 and so on; an Arc takes 16.
#[test]
fn whoever_sits_in_a_room_takes_128_bytes_there_and_each_entry_of_the_log_160() {
    assert!(size_of::<Member>() <= 128 - 16, "{} bytes", size_of::<Member>());
    assert!(size_of::<Record>() <= 160 - 16, "{} bytes", size_of::<Record>());
}

#[test]
fn an_unfinished_message_takes_what_arrived_and_not_what_it_declares() {
    const CONNECTIONS: u64 = 500;
    /// A text of 262,000 bytes is announced, and one of them sent: 15 bytes.
    const ANNOUNCED: [u8; 15] = [0x81, 0xff, 0, 0, 0, 0, 0, 3, 0xff, 0x70, 0, 0, 0, 0, b'"'];
    let fragment = {
        let mut bytes = ANNOUNCED.to_vec();
        bytes[0] = 0x01;
        bytes
    };
    let begun_fragments = [&[0x01, 0x81, 0, 0, 0, 0, b'"'][..], &[0x00, 0xff]].concat();
    let half = frame(&"x".repeat(40_000))[..20_000].to_vec();
    let limits = [
        ("a frame", ANNOUNCED.to_vec(), 200),
        ("a fragment", fragment, 200),
        ("a fragment and the head of another", begun_fragments, 300),
        // The pipe itself keeps as much.
        ("20,000 of 40,000 bytes", half, 20_200 + 20_000),
    ];
    for (what, sent, most) in limits {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let hub = hub();
        let mut pipes = runtime.block_on(async {
            let mut pipes = Vec::new();
            for nth in 0..CONNECTIONS {
                pipes.push(Pipe::join(&hub, &format!("room {nth}")).await);
            }
            pipes
        });
        let counted = allocation_counter::measure(|| {
            runtime.block_on(async {
                for pipe in &mut pipes {
                    pipe.say(&sent).await;
                }
                // The answer comes behind all that was said before.
                let mut last = Pipe::join(&hub, "another").await;
                last.say(&frame(r#"{"type":"ping"}"#)).await;
                last.hear().await;
            });
        });
        let each = counted.bytes_current / i64::try_from(CONNECTIONS).expect("few");
        assert!(each > 0, "{what}: was nothing counted?");
        assert!(each <= most, "{what}: {each} bytes a connection");
    }
}
