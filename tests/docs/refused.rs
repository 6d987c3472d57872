//! `docs/security.md`, what is refused at start: each row is what the command says.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, PKCS_ED25519, date_time_ymd};

const SECURITY: &str = include_str!("../../docs/security.md");

/// What the rows' files hold, and who may write them.
fn write_files(folder: &Path) {
    let write = |name: &str, text: &str, mode| {
        let file = folder.join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
    };
    let secret = "9c1185a5c5e9fc54612808977ee8f548b2258d31\n";
    write("secret", secret, 0o600);
    write("writable", secret, 0o602);
    write("short", "hunter2\n", 0o600);
    write("example", "a-string-secret-at-least-256-bits-long\n", 0o600);
    let [key, other] = [KeyPair::generate().unwrap(), KeyPair::generate().unwrap()];
    write("key.pem", &key.serialize_pem(), 0o600);
    write("writable-key.pem", &key.serialize_pem(), 0o602);
    write("other-key.pem", &other.serialize_pem(), 0o600);
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    write("cert.pem", &params.self_signed(&key).unwrap().pem(), 0o600);
    params.not_after = date_time_ymd(2020, 2, 29);
    write("expired.pem", &params.self_signed(&key).unwrap().pem(), 0o600);
    let signing = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    write("private.pem", &signing.serialize_pem(), 0o600);
    write("public.pem", &signing.public_key_pem(), 0o600);
    write("writable-public.pem", &signing.public_key_pem(), 0o602);
    write("short-rsa.pem", RSA_1024, 0o600);
    let jwk = |more: &str| format!(r#"{{"keys":[{{"kty":{more}}}]}}"#);
    write("secret.json", &jwk(r#""oct","k":"hunter2""#), 0o600);
    write("private.json", &jwk(r#""OKP","crv":"Ed25519","x":"AA","d":"hunter2""#), 0o600);
    write("empty.json", r#"{"keys":[]}"#, 0o600);
    let digest = "4e0f5c1d3b".repeat(7)[..64].to_owned();
    write("admins", &format!("ops admin sha256:{digest}\n"), 0o600);
    write("writable-admins", &format!("ops admin sha256:{digest}\n"), 0o602);
    write("nobody", "# nobody yet\n", 0o600);
    write("certified", "ops admin cn:ops.example.org\n", 0o600);
    write("two-roles", &format!("ops admin sha256:{digest}\nops viewer sha256:{digest}\n"), 0o600);
    write("token", "ops admin sp_admin_hunter2\n", 0o600);
    write("servers", "stun:a\nturn:ann:hunter2\n", 0o600);
}

/// Openssl made it.
const RSA_1024: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDMny2F+YnGgk+t5e3ypncOGFBH
FSEPt9dGH7J5MNYEweev1vrKDlESUb4I0Hy8KFBSOAb9ZIs1jQHbFfg0Wf4cx50v
eTOnXgCrieD0i/xbsHGuTQILNOLE7IHOuWTvfLgAiV3eAWi3rEwJpskgONBo9W7b
pD5RjBSWHnbRqR2ZnwIDAQAB
-----END PUBLIC KEY-----
";

/// What the command says where it is started so.
fn said(folder: &Path, flags: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signalpost"));
    command.current_dir(folder).args(flags.split(' '));
    for (flag, own) in [("--listen", "127.0.0.1:0"), ("--admin-listen", "127.0.0.1:0")] {
        if !flags.split(' ').any(|word| word == flag) {
            command.args([flag, own]);
        }
    }
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{flags}: {said}");
    let said = said.lines().last().unwrap();
    let said = said.strip_prefix("signalpost: ").unwrap().strip_suffix(" (see --help)").unwrap();
    said.to_owned()
}

/// As a cell of a table has it.
fn escaped(said: &str) -> String {
    said.replace('<', "\\<").replace('|', "\\|")
}

#[test]
fn what_is_refused_at_start_is_refused_in_these_words() {
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path());
    let table = SECURITY.split("## What is refused at start").nth(1).unwrap();
    let rows: Vec<_> = table.lines().filter(|line| line.starts_with("| `--")).collect();
    assert!(rows.len() > 40, "{} rows were read", rows.len());
    let mut faults = Vec::new();
    for row in rows {
        let (flags, stated) = row.trim_start_matches("| `").split_once("` | ").unwrap();
        let stated = stated.trim_end_matches(" |").replace('\\', "");
        let said = said(folder.path(), flags);
        assert!(!said.contains("hunter2"), "{flags}: {said}");
        if said != stated {
            faults.push(format!("| `{flags}` | {} |", escaped(&said)));
        }
    }
    assert!(faults.is_empty(), "the command says:\n{}", faults.join("\n"));
}
