//! No token, and no secret, shows anywhere but where its owner put it.

use std::{fs, iter, process::Command, thread};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::connect_async;

use crate::{
    issuer::{Issuer, SECRET},
    running::{Running, anywhere},
    support::{Client, within},
};

/// Planted in tokens, and in their signatures by way of them.
const PLANTED: &str = "qzplantedqz";

#[tokio::test(flavor = "multi_thread")]
async fn no_log_has_a_token_even_at_its_most_verbose() {
    let issuer = Issuer::new();
    let flags = ["--log", "trace", "--auth", "optional", "--jwt-secret-file"];
    let mut server = Running::start(anywhere().args(flags).arg(&issuer.file));
    let (address, id) = (server.http(), server.child.id());
    // Read as it comes: a pipe that is full would hold the server up.
    let log = thread::spawn(move || iter::from_fn(|| server.next_log()).collect::<Vec<_>>());
    let url = |path: &str| format!("ws://{address}{path}");
    let good = issuer.token("ann", json!({"jti": PLANTED}));
    let bad = [
        issuer.token("ann", json!({"jti": PLANTED, "exp": 1})),
        issuer.token("ann", json!({"role": PLANTED})),
        issuer.token("ann", json!({"aud": PLANTED})),
        format!("{good}{PLANTED}"),
        PLANTED.to_owned(),
    ];
    let mut heard = Vec::new();
    for token in bad.iter().chain([&good]) {
        let mut client = Client::connect(&url("/ws")).await;
        let answer = client.ask(json!({"type": "register", "token": token})).await;
        heard.push(answer.to_string());
        heard.push(client.ask(json!({"type": "nonsense", "token": token})).await.to_string());
        client.say_text(&format!(r#"{{"type": "register", "token": "{token}""#)).await;
        heard.push(client.hear().await.to_string());
        heard.push(client.join("r").await.to_string());
        client.vanish();
        let upgraded = within(connect_async(url(&format!("/ws?access_token={token}")))).await;
        heard.push(format!("{:?}", upgraded.map(drop)));
        let mut plain = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET /nowhere?access_token={token} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             Connection: close\r\n\r\n"
        );
        plain.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        plain.read_to_string(&mut answer).await.unwrap();
        heard.push(answer);
    }
    let arguments = fs::read(format!("/proc/{id}/cmdline")).unwrap();
    heard.push(String::from_utf8_lossy(&arguments).into_owned());

    assert!(Command::new("kill").arg(id.to_string()).status().unwrap().success());
    let log = log.join().unwrap();
    assert!(log.iter().any(|line| line.contains("a token is not taken")), "{log:#?}");
    let signatures = bad.iter().chain([&good]).filter_map(|token| token.rsplit('.').next());
    let secrets: Vec<_> = signatures.chain([PLANTED, SECRET, "eyJ"]).collect();
    for line in log.iter().chain(&heard) {
        let shown = secrets.iter().find(|secret| line.contains(**secret));
        assert_eq!(shown, None, "{line}");
    }
}
