//! A server in this process, and clients that speak to it over real sockets.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]
#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test lists its cases, and panics where it fails"
)]

pub mod events;

use std::time::Duration;

use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use signalpost::{
    admin::pb::admin_service_client::AdminServiceClient,
    config::Config,
    server::{Addresses, Renewal, Server},
};
use tokio::{net::TcpStream, sync::oneshot, task::JoinHandle, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message},
};
use tonic::transport::Channel;

/// Longer than anything takes here; a test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn config(flags: &str) -> Config {
    let own = ["signalpost", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    Config::try_parse_from(own.into_iter().chain(flags.split_whitespace())).unwrap()
}

/// Stops when dropped.
pub struct TestServer {
    pub addresses: Addresses,
    pub renewal: Renewal,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

impl TestServer {
    pub fn start() -> Self {
        Self::with("")
    }

    pub fn with(flags: &str) -> Self {
        Self::run(Server::bind(config(flags)).unwrap())
    }

    /// One that shares its rooms, as the flags say.
    pub async fn of_fleet(flags: &str) -> Self {
        Self::run(Server::start(config(flags)).await.unwrap())
    }

    fn run(server: Server) -> Self {
        let (addresses, renewal) = (server.addresses().clone(), server.renewal());
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(server.run(async move { drop(stopped.await) }));
        Self { addresses, renewal, stop: Some(stop), running }
    }

    /// Stops it as a signal would, and waits until it has.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        within(self.running).await.unwrap();
    }

    /// Ends it as a power cut does, as far as others see it.
    pub fn kill(self) {
        self.running.abort();
    }

    /// Asks it to stop; [`TestServer::stop`] waits.
    pub fn begin_stop(&mut self) {
        drop(self.stop.take());
    }

    pub fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.addresses.http[0])
    }

    pub async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.addresses.http[0]).await.unwrap()
    }

    pub async fn client(&self) -> Client {
        Client::connect(&self.url("/")).await
    }

    /// A client that sits in `room` already.
    pub async fn member(&self, room: &str) -> Client {
        let mut client = self.client().await;
        client.join(room).await;
        client
    }

    pub async fn admin(&self) -> AdminServiceClient<Channel> {
        AdminServiceClient::connect(format!("http://{}", self.addresses.admin)).await.unwrap()
    }
}

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A client of the browser protocol that has read its `welcome`.
pub struct Client {
    pub id: String,
    pub welcome: Value,
    pub socket: Socket,
}

impl Client {
    pub async fn connect(url: &str) -> Self {
        let (socket, _) = within(connect_async(url)).await.unwrap();
        let mut client = Self { id: String::new(), welcome: Value::Null, socket };
        client.welcome = client.hear().await;
        assert_eq!(client.welcome["type"], "welcome");
        client.id = client.welcome["clientId"].as_str().unwrap().to_owned();
        client
    }

    pub async fn say(&mut self, message: Value) {
        self.say_text(&message.to_string()).await;
    }

    pub async fn say_text(&mut self, text: &str) {
        within(self.socket.send(Message::text(text))).await.unwrap();
    }

    /// The next message, whatever it is.
    pub async fn hear(&mut self) -> Value {
        serde_json::from_str(&self.hear_text().await).unwrap()
    }

    /// The next message as it came. Pings and pongs are passed over.
    pub async fn hear_text(&mut self) -> String {
        loop {
            match within(self.socket.next()).await {
                Some(Ok(Message::Text(text))) => return text.to_string(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("expected a message, got {other:?}"),
            }
        }
    }

    /// The next message of this type; others before it are passed over.
    pub async fn hear_of(&mut self, kind: &str) -> Value {
        loop {
            let message = self.hear().await;
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// Nothing else was due: the answer to a ping is the next message.
    pub async fn hears_nothing(&mut self) {
        self.say(json!({"type": "ping", "requestId": "nothing?"})).await;
        assert_eq!(self.hear().await, json!({"type": "pong", "requestId": "nothing?"}));
    }

    /// The reply to `request`, others before it passed over.
    pub async fn ask(&mut self, mut request: Value) -> Value {
        request["requestId"] = json!("asked");
        self.say(request).await;
        loop {
            let mut message = self.hear().await;
            if message["requestId"] == "asked" {
                message.as_object_mut().unwrap().remove("requestId");
                return message;
            }
        }
    }

    pub async fn join(&mut self, room: &str) -> Value {
        let joined = self.ask(json!({"type": "join", "roomId": room})).await;
        assert_eq!(joined["type"], "joined", "{joined}");
        joined
    }

    /// How the server closes, messages before it passed over; None if there is no close frame.
    pub async fn closed(&mut self) -> Option<u16> {
        loop {
            match within(self.socket.next()).await {
                Some(Ok(Message::Close(frame))) => {
                    // The library answers while it is polled to the end.
                    while let Some(Ok(_)) = within(self.socket.next()).await {}
                    return frame.map(|frame| frame.code.into());
                }
                Some(Ok(_)) => {}
                Some(Err(Error::Io(_) | Error::Protocol(_))) | None => return None,
                Some(Err(error)) => panic!("{error}"),
            }
        }
    }

    /// Goes without a word.
    pub fn vanish(self) {
        drop(self);
    }
}

pub async fn within<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("took too long")
}
