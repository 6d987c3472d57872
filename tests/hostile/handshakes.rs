//! Handshakes that are never finished.

use std::{fs, net::SocketAddr, time::Duration};

use signalpost::config::limits;
use tokio::{io::AsyncWriteExt, task::JoinSet, time::Instant};

use crate::{
    attack::{connect, ends_after, have_many_files},
    beside::Victim,
    running::{Running, anywhere},
};

/// What is said of a handshake: nothing, a part of a head, a part of a TLS client's first message (RFC 8446,
/// section 5.1).
const BEGUN: [&[u8]; 3] = [b"", b"GET /ws HTTP/1.1\r\nHos", &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc]];

/// So many connections of one address that never finish: when each was ended.
pub(crate) async fn begin(server: SocketAddr, from: u8, many: usize) -> Vec<Duration> {
    let mut open = JoinSet::new();
    for nth in 0..many {
        let began = Instant::now();
        let mut stream = connect(server, from, None).await.unwrap();
        // It may be closed already.
        let _ = stream.write_all(BEGUN[nth % BEGUN.len()]).await;
        open.spawn(ends_after(began, stream));
    }
    open.join_all().await
}

#[tokio::test]
async fn are_limited_by_address_and_end_in_time() {
    have_many_files();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("both.pem");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(&file, made.cert.pem() + &made.signing_key.serialize_pem()).unwrap();
    let mut command = anywhere();
    let secure = Running::start(command.arg("--tls-cert").arg(&file).arg("--tls-key").arg(&file));
    let server = Running::start(&mut anywhere());
    let victim = Victim::of(&server);
    let (ended, ended_of_tls) =
        tokio::join!(begin(server.http(), 2, 2000), begin(secure.http(), 2, 300));
    victim.was_served_in_time("handshakes that are never finished");
    let longest = ended.iter().chain(&ended_of_tls).max().unwrap();
    assert!(*longest < limits::HANDSHAKE + Duration::from_secs(2), "{longest:?}");
    let at_once = ended.iter().filter(|after| **after < limits::HANDSHAKE / 2).count();
    let let_in = limits::CONNECTIONS_PER_ADDRESS + limits::REFUSALS;
    assert!(at_once >= 2000 - let_in, "{at_once} were refused at once");
}
