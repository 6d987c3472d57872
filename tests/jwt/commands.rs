//! `signalpost gen-token user` and `signalpost check-token`.

use std::{
    fs,
    io::Write,
    process::{Command, Output, Stdio},
};

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use serde_json::{Value, json};

use crate::{
    issuer::{Issuer, SECRET},
    running::signalpost,
    support::TestServer,
};

fn make(words: &[&str]) -> Output {
    signalpost().args(["gen-token", "user"]).args(words).output().unwrap()
}

fn said(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn check(token: &str, words: &[&str]) -> Output {
    let mut command: Command = signalpost();
    command.arg("check-token").args(words).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Who has nothing to read it for may have gone already.
    let _ = child.stdin.take().unwrap().write_all(token.as_bytes());
    child.wait_with_output().unwrap()
}

#[tokio::test]
async fn a_token_that_is_made_is_taken_and_shown_as_it_was_made() {
    let issuer = Issuer::new();
    let file = issuer.file.to_str().unwrap();
    let token = said(&make(&[
        "--jwt-secret-file",
        file,
        "--sub",
        "ann",
        "--name",
        "Ann",
        "--rooms",
        "a,team-*",
        "--role",
        "host",
        "--ttl",
        "120",
        "--issuer",
        "i",
        "--audience",
        "x",
        "--metadata",
        r#"{"seat": 1}"#,
        "--kid",
        "1",
    ]));
    let flags = ["--jwt-secret-file", file, "--jwt-issuer", "i", "--jwt-audience", "x"];
    let mut shown: Value = serde_json::from_str(&said(&check(&token, &flags))).unwrap();
    let expires_at = shown.as_object_mut().unwrap().remove("expiresAt").unwrap();
    assert!(expires_at.as_str().unwrap().ends_with('Z'), "{expires_at}");
    assert_eq!(
        shown,
        json!({
            "userId": "ann", "displayName": "Ann", "role": "host", "rooms": ["a", "team-*"],
            "metadata": {"seat": 1},
        })
    );
    let server = TestServer::with(&flags.join(" "));
    let request = json!({"type": "register", "token": token.trim()});
    assert_eq!(server.client().await.ask(request).await["role"], "host");

    let refused = check(&token, &["--jwt-secret-file", file]);
    let why = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(why.contains("`aud` names no --jwt-audience"), "{why}");
}

#[test]
fn private_keys_sign_by_what_is_usual_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let rsa = include_str!("../fixtures/jwt/rsa.pem").to_owned();
    let rsa = (rsa, include_str!("../fixtures/jwt/rsa.pub.pem").to_owned());
    let pair = |algorithm| {
        let pair = KeyPair::generate_for(algorithm).unwrap();
        (pair.serialize_pem(), pair.public_key_pem())
    };
    for (private, public) in
        [rsa, pair(&PKCS_ECDSA_P256_SHA256), pair(&PKCS_ECDSA_P384_SHA384), pair(&PKCS_ED25519)]
    {
        let [key, known] = ["key.pem", "known.pem"].map(|name| folder.path().join(name));
        fs::write(&key, private).unwrap();
        fs::write(&known, public).unwrap();
        let (key, known) = (key.to_str().unwrap(), known.to_str().unwrap());
        let token = said(&make(&["--jwt-private-key-file", key, "--sub", "ann"]));
        let file = folder.path().join("token");
        fs::write(&file, token).unwrap();
        let output = check("", &[file.to_str().unwrap(), "--jwt-public-key-file", known]);
        assert!(said(&output).contains("\"ann\""));
    }
}

#[test]
fn what_cannot_be_made_or_checked_says_why_and_repeats_no_secret() {
    let issuer = Issuer::new();
    let file = issuer.file.to_str().unwrap();
    for (words, mend) in [
        (&["--sub", "ann"][..], "--jwt-secret-file"),
        (&["--jwt-secret-file", file], "--sub"),
        (&["--jwt-secret-file", file, "--sub", ""], "no server would take it: `sub`"),
        (&["--jwt-secret-file", file, "--sub", "a", "--role", "boss"], "guest, member and host"),
        (&["--jwt-secret-file", file, "--sub", "a", "--ttl", "0"], "--ttl"),
        (&["--jwt-secret-file", file, "--sub", "a", "--metadata", "{"], "--metadata"),
        (&["--jwt-private-key-file", file, "--sub", "a"], "it is no private key"),
        (&["--jwt-secret-file", SECRET, "--sub", "a"], "No such file"),
    ] {
        let output = make(words);
        let why = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout), (Some(2), Vec::new()), "{words:?}");
        assert!(why.contains(mend) && !why.contains(SECRET), "{words:?}: {why}");
    }
    let token = issuer.token("ann", json!({}));
    for (words, mend, code) in [
        (&[][..], "no key is given", 2),
        (&[&*token, "--jwt-secret-file", file], "a token is no argument", 2),
        (&["--auth", "required"], "no key says whose count", 2),
        (&["--jwt-secret-file", SECRET], "No such file", 2),
    ] {
        let output = check(&token, words);
        let why = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {why}");
        assert!(why.contains(mend) && !why.contains(SECRET) && !why.contains(&token), "{why}");
    }
}

#[test]
fn a_key_in_place_of_a_file_s_name_is_not_repeated_out_of_a_variable() {
    let key = KeyPair::generate().unwrap().serialize_pem();
    let body = key.lines().nth(1).unwrap();
    for name in ["SIGNALPOST_JWT_PUBLIC_KEY_FILE", "SIGNALPOST_JWT_SECRET_FILE", "SIGNALPOST_JWKS"]
    {
        let output = signalpost().arg("check-token").env(name, &key).output().unwrap();
        let why = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {why}");
        assert!(why.contains("write it to a file") && !why.contains(body), "{name}: {why}");
    }
}

#[test]
fn keys_that_are_no_good_are_refused_at_start_by_flag_and_with_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let path = file.to_str().unwrap();
    let oct = r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#;
    for (flag, held, mend) in [
        ("--jwt-secret-file", "short", "openssl rand"),
        ("--jwt-secret-file", "secretsecretsecretsecretsecretsecret", "easy to guess"),
        ("--jwt-secret-file", "a-string-secret-at-least-256-bits-long", "easy to guess"),
        ("--jwt-public-key-file", include_str!("../fixtures/jwt/rsa.pem"), "openssl pkey"),
        ("--jwt-public-key-file", "", "BEGIN PUBLIC KEY"),
        ("--jwks", r#"{"keys":[]}"#, "no key"),
        ("--jwks", oct, "--jwt-secret-file"),
        ("--jwks", "{}", "no JWK Set"),
    ] {
        fs::write(&file, held).unwrap();
        let output = signalpost().args([flag, path]).output().unwrap();
        let why = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{held}: {why}");
        assert!(why.contains(flag) && why.contains(mend), "{held}: {why}");
    }
    fs::write(&file, SECRET).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o646);
    fs::set_permissions(&file, open).unwrap();
    let output = signalpost().args(["--jwt-secret-file", path]).output().unwrap();
    let why = String::from_utf8(output.stderr).unwrap();
    assert!(why.contains("--jwt-secret-file") && why.contains("chmod o-w"), "{why}");
}
