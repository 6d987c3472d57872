//! The command as an operator runs it: its variables and its signals.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

#[path = "support/running.rs"]
mod running;
#[path = "support/mod.rs"]
mod support;

use std::{
    fs,
    path::Path,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use futures_util::{SinkExt, StreamExt};
use running::{Running, anywhere, signalpost};
use serde_json::{Value, json};
use signalpost::admin::pb::{
    ListRoomsRequest, LockRoomRequest, admin_service_client::AdminServiceClient,
};
use support::Client;
use tokio_tungstenite::{connect_async, tungstenite::Message};

#[test]
fn variables_from_a_file_with_carriage_returns_are_taken() {
    let running = Running::start(
        signalpost()
            .env("SIGNALPOST_LISTEN", "127.0.0.1:0, \r")
            .env("SIGNALPOST_ADMIN_LISTEN", " 127.0.0.1:0\r")
            .env("SIGNALPOST_ICE_SERVER", "stun:a,  turn:u:s@b,\r")
            .env("PORT", "\r")
            .env("SIGNALPOST_TLS_CERT", "")
            .env("SIGNALPOST_LOG", "info\r"),
    );
    assert!(running.greeting[1].contains("http://localhost:"), "{:?}", running.greeting);
}

#[test]
fn what_is_refused_shows_what_cannot_be_seen() {
    for (name, value, shown) in [
        ("SIGNALPOST_MAX_MEMBERS", "5\r5\r", r"'5\r5'"),
        ("SIGNALPOST_CLIENT_DIR", "/no\rwhere", r#""/no\rwhere""#),
        ("SIGNALPOST_LOG", "in\rfo", r#""in\rfo""#),
    ] {
        let output = signalpost().env(name, value).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {said}");
        assert!(said.contains(shown), "{name}: {said}");
    }
}

#[test]
fn a_token_is_shown_once_and_its_line_does_not_hold_it() {
    let made = |words: &[&str]| {
        let output = signalpost().arg("gen-token").args(words).output().unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), lines, said)
    };
    let (code, lines, said) = made(&["admin", "ops", "--role", "viewer"]);
    let (token, line) = lines.trim_end().split_once('\n').unwrap();
    assert_eq!(code, Some(0));
    // 256 bits in base64.
    assert_eq!(token.strip_prefix("sp_admin_").unwrap().len(), 43);
    assert!(line.starts_with("ops viewer sha256:") && line.len() == 18 + 64, "{line}");
    assert!(!line.contains(token) && !said.contains(token));
    assert_ne!(made(&["admin", "ops", "--role", "viewer"]).1, lines);
    for (words, mend) in [
        (&["admin", "ops"][..], "--role"),
        (&["admin", "a b", "--role", "admin"], "at most 64 letters"),
        (&["admin", "ops", "--role", "boss"], "viewer"),
        (&[], "admin"),
    ] {
        let (code, lines, said) = made(words);
        assert_eq!((code, &*lines), (Some(2), ""), "{words:?}");
        assert!(said.contains(mend), "{words:?}: {said}");
    }
}

#[test]
fn no_command_repeats_a_key_in_place_of_a_file() {
    let key = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----";
    for words in [
        &["--tls-cert", "cert.pem", "--tls-key", key][..],
        &["check-token", "--jwt-public-key-file", key],
        &["gen-token", "user", "--sub", "ann", "--jwt-private-key-file", key],
    ] {
        let output = signalpost().args(words).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
        assert!(said.contains("write it to a file") && !said.contains("hunter2"), "{said}");
    }
}

#[test]
fn credentials_for_trying_a_turn_server_are_those_that_clients_get() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    fs::write(&file, "9c1185a5c5e9fc54612808977ee8f548b2258d31\n").unwrap();
    let make = |flags: &[&str]| {
        let mut command = signalpost();
        command.args(["gen-token", "turn", "--turn-secret-file"]).arg(&file).args(flags);
        command.output().unwrap()
    };
    let made = make(&["--ttl", "60", "--name", "ann"]);
    let lines = String::from_utf8(made.stdout).unwrap();
    let (username, credential) = lines.trim_end().split_once('\n').unwrap();
    let (expiry, name) = username.split_once(':').unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let left = expiry.parse::<u64>().unwrap() - now;
    assert!(left <= 60 && name == "ann", "{username}");
    // 160 bits in base64.
    assert_eq!(credential.len(), 28);
    fs::write(&file, "hunter2").unwrap();
    let refused = make(&[]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!((refused.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    assert!(said.contains("--turn-secret-file") && said.contains("openssl rand"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn a_hangup_reloads_the_certificate_and_never_ends_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("both.pem");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let both = made.cert.pem() + &made.signing_key.serialize_pem();
    fs::write(&file, &both).unwrap();
    let mut running =
        Running::start(anywhere().arg("--tls-cert").arg(&file).arg("--tls-key").arg(&file));

    running.signal("-HUP");
    running.logs("handshakes show the reloaded certificate");
    fs::write(&file, "junk").unwrap();
    running.signal("-HUP");
    let fault = running.logs("the certificate of before stays");
    assert!(fault.contains("--tls-cert") && fault.contains("must be a PEM file"), "{fault}");
    fs::write(&file, &both).unwrap();
    running.signal("-HUP");
    running.logs("handshakes show the reloaded certificate");
    running.signal("-TERM");
    assert!(running.child.wait().unwrap().success());
}

#[test]
fn a_hangup_takes_up_the_turn_secret_or_leaves_the_one_of_before() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    fs::write(&file, "9c1185a5c5e9fc54612808977ee8f548b2258d31").unwrap();
    let mut command = anywhere();
    command.args(["--ice-server", "turn:turn.example.org", "--turn-secret-file"]).arg(&file);
    let mut running = Running::start(&mut command);
    running.signal("-HUP");
    running.logs("clients hear of the reloaded ICE servers");
    fs::write(&file, "hunter2").unwrap();
    running.signal("-HUP");
    let fault = running.logs("the ICE servers of before stay");
    assert!(fault.contains("--turn-secret-file: the secret has fewer than 32 bytes"), "{fault}");
    assert!(!fault.contains("hunter2"), "{fault}");
}

#[test]
fn files_that_change_are_read_anew_without_a_hangup() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, admins) = (folder.path().join("both.pem"), folder.path().join("admins"));
    let renew = || {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(&cert, made.cert.pem() + &made.signing_key.serialize_pem()).unwrap();
        let output = signalpost().args(["gen-token", "admin", "ops", "--role", "admin"]).output();
        fs::write(&admins, output.unwrap().stdout.split(|byte| *byte == b'\n').nth(1).unwrap())
            .unwrap();
    };
    renew();
    let mut command = anywhere();
    command.arg("--tls-cert").arg(&cert).arg("--tls-key").arg(&cert);
    command.arg("--admin-tls-cert").arg(&cert).arg("--admin-tls-key").arg(&cert);
    let mut running = Running::start(command.arg("--admin-token-file").arg(&admins));
    renew();
    // In whatever order: it may look while they are being written.
    let (mut certificates, mut administrators) = (0, 0);
    while certificates < 2 || administrators < 1 {
        let line = running.next_log().expect("the process lives until it is said");
        certificates += usize::from(line.contains("handshakes show the reloaded certificate"));
        administrators += usize::from(line.contains("administrators are those of the reloaded"));
    }
}

#[test]
fn a_pipe_in_place_of_a_file_is_refused_and_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("both.pem");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(&file, made.cert.pem() + &made.signing_key.serialize_pem()).unwrap();
    let key = folder.path().join("key");
    fs::copy(&file, &key).unwrap();
    let mut command = anywhere();
    command.arg("--tls-cert").arg(&file).arg("--tls-key").arg(&key);
    let mut running = Running::start(&mut command);
    // At once: the server may look at the file by itself, and sooner.
    let replace_by_pipe = |file: &Path| {
        let pipe = file.with_extension("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        fs::rename(pipe, file).unwrap();
    };
    for (flag, replaced) in [("--tls-key", &key), ("--tls-cert", &file)] {
        replace_by_pipe(replaced);
        running.signal("-HUP");
        // It may have looked at the files by itself, and sooner.
        let fault = running.logs(&format!("fault={flag} "));
        assert!(fault.contains("no regular file"), "{fault}");
    }
    running.signal("-TERM");
    assert!(running.child.wait().unwrap().success());
    for flag in ["--jwt-secret-file", "--jwks", "--admin-token-file", "--ice-server-file"] {
        for file in [&*file, folder.path(), Path::new("/dev/zero")] {
            let output = anywhere().arg(flag).arg(file).output().unwrap();
            let why = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{flag} {file:?}: {why}");
            assert!(why.contains(flag) && why.contains("no regular file"), "{flag}: {why}");
        }
    }
}

#[test]
fn a_hangup_without_tls_is_said_to_change_nothing() {
    let mut running = Running::start(&mut anywhere());
    running.signal("-HUP");
    running.logs("nothing to reload");
    running.signal("-TERM");
    assert!(running.child.wait().unwrap().success());
}

#[tokio::test]
async fn where_there_is_one_processor_one_thread_serves_all() {
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let allowed = own.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    let first = allowed.trim().split(['-', ',']).next().unwrap();
    let mut command = Command::new("taskset");
    command.args(["-c", first, env!("CARGO_BIN_EXE_signalpost")]);
    command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let mut running = Running::start(&mut command);
    let url = format!("ws://{}/", running.http());
    let (mut a, mut b) = (Client::connect(&url).await, Client::connect(&url).await);
    a.join("r").await;
    b.join("r").await;
    a.hear_of("user-joined").await;
    for nth in 0..100 {
        a.say(json!({"type": "message", "content": nth})).await;
        assert_eq!(b.hear_of("message").await["content"], nth);
    }
    let admin = format!("http://{}", running.admin());
    let mut admin = AdminServiceClient::connect(admin).await.unwrap();
    let rooms = admin.list_rooms(ListRoomsRequest::default()).await.unwrap().into_inner().rooms;
    assert_eq!(rooms.len(), 1);
    assert_eq!(running.threads(), 1);
    running.signal("-TERM");
    assert_eq!(a.closed().await, Some(1001));
    assert!(running.child.wait().unwrap().success());
}

#[tokio::test]
async fn json_logs_name_a_room_as_it_is() {
    let mut running = Running::start(anywhere().args(["--log-format", "json"]));
    let (mut member, _) = connect_async(format!("ws://{}/", running.http())).await.unwrap();
    let join = r#"{"type":"join","roomId":"team \"a\""}"#;
    member.send(Message::text(join)).await.unwrap();
    for _ in 0..2 {
        member.next().await.unwrap().unwrap();
    }
    let admin = format!("http://{}", running.admin());
    let mut admin = AdminServiceClient::connect(admin).await.unwrap();
    let request =
        LockRoomRequest { room_id: "team \"a\"".into(), locked: true, ..Default::default() };
    admin.lock_room(request).await.unwrap();
    let line: Value = serde_json::from_str(&running.logs("LockRoom")).unwrap();
    assert_eq!(line["target"], "audit");
    assert_eq!(line["on"], "team \"a\"");
    assert_eq!((&line["by"], &line["result"]), (&json!("(anybody)"), &json!("OK")));
}
