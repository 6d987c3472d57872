//! Browsers, as far as a server can tell.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt, future::join_all};
use serde_json::Value;
use tokio::{net::TcpStream, time::sleep};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use crate::running::Running;

pub(crate) struct Client {
    id: String,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    pub(crate) async fn connect(node: &Running) -> Self {
        let (socket, _) = connect_async(format!("ws://{}/", node.http())).await.unwrap();
        let mut client = Self { id: String::new(), socket };
        let welcome: Value = serde_json::from_str(&client.hear().await).unwrap();
        client.id = welcome["clientId"].as_str().unwrap().to_owned();
        client
    }

    /// So many, each at the next one of these servers.
    pub(crate) async fn connect_all(nodes: &[Running], count: usize) -> Vec<Self> {
        let mut clients = Vec::new();
        for nth in 0..count {
            clients.push(Self::connect(&nodes[nth % nodes.len()]).await);
        }
        clients
    }

    /// Those who sit there by then, and how long it took.
    pub(crate) async fn join(&mut self, room: &str) -> (usize, Duration) {
        let begun = Instant::now();
        self.say(format!(r#"{{"type":"join","roomId":"{room}"}}"#)).await;
        let answer = self.hear_of("joined").await;
        let took = begun.elapsed();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        (answer["members"].as_array().unwrap().len(), took)
    }

    pub(crate) async fn leave(&mut self, room: &str) {
        self.say(format!(r#"{{"type":"leave","roomId":"{room}"}}"#)).await;
        self.hear_of("left").await;
    }

    pub(crate) async fn say(&mut self, message: String) {
        self.socket.send(Message::text(message)).await.unwrap();
    }

    /// The next message of this type.
    pub(crate) async fn hear_of(&mut self, kind: &str) -> String {
        let begins = format!(r#"{{"type":"{kind}""#);
        loop {
            let text = self.hear().await;
            assert!(!text.starts_with(r#"{"type":"error""#), "{text}");
            if text.starts_with(&begins) {
                return text;
            }
        }
    }

    async fn hear(&mut self) -> String {
        loop {
            if let Message::Text(text) = self.socket.next().await.unwrap().unwrap() {
                return text.to_string();
            }
        }
    }
}

/// Two who are in a room together.
pub(crate) struct Pair([Client; 2]);

impl Pair {
    /// Each sits at the server of its own that is named.
    pub(crate) async fn seat(nodes: [&Running; 2], room: &str) -> Self {
        let mut one = Client::connect(nodes[0]).await;
        let mut other = Client::connect(nodes[1]).await;
        one.join(room).await;
        other.join(room).await;
        one.hear_of("user-joined").await;
        Self([one, other])
    }

    /// Passes candidates to and fro, each after a pause once the one before it arrived; how long each took.
    async fn pass(&mut self, pause: Duration, until: Instant) -> Vec<Duration> {
        let mut took = Vec::new();
        while Instant::now() < until {
            self.0.reverse();
            let [from, to] = &mut self.0;
            if !pause.is_zero() {
                sleep(pause).await;
            }
            let begun = Instant::now();
            from.say(candidate(&to.id)).await;
            to.hear_of("candidate").await;
            took.push(begun.elapsed());
        }
        took
    }
}

/// All pairs at the same time, for so long.
pub(crate) async fn pass(pairs: &mut [Pair], pause: Duration, long: Duration) -> Vec<Duration> {
    let until = Instant::now() + long;
    let took = join_all(pairs.iter_mut().map(|pair| pair.pass(pause, until))).await;
    let mut took = took.concat();
    took.sort_unstable();
    took
}

/// Of ordinary length, 305 bytes.
fn candidate(target: &str) -> String {
    let candidate = "candidate:842163049 1 udp 1677729535 203.0.113.7 54321 typ srflx raddr 192.168.1.10 \
        rport 54321 generation 0 ufrag bEnC network-cost 999";
    format!(
        r#"{{"type":"candidate","targetId":"{target}","candidate":{{"candidate":"{candidate}","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"bEnC"}}}}"#
    )
}
