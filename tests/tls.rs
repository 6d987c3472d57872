//! Keys and certificates: which are taken, what is said of others, and their renewal.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use rcgen::{
    CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
};
use signalpost::server::{Certificate, Server};
use support::{config, within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls");

/// A certificate and its key, as PEM.
fn made(key: &KeyPair) -> (String, String) {
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    (params.self_signed(key).unwrap().pem(), key.serialize_pem())
}

fn bound(cert: &Path, key: &Path) -> Result<Server, String> {
    let flags = format!("--tls-cert {} --tls-key {}", cert.display(), key.display());
    Server::bind(config(&flags)).map_err(|fault| fault.to_string())
}

#[tokio::test]
async fn usual_keys_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    for kind in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
        let (cert_text, key_text) = made(&KeyPair::generate_for(kind).unwrap());
        fs::write(&cert, cert_text).unwrap();
        fs::write(&key, key_text).unwrap();
        bound(&cert, &key).unwrap();
    }
    let rsa = Path::new(FIXTURES).join("rsa2048.pem");
    bound(&rsa, &rsa).unwrap();
}

#[tokio::test]
async fn what_cannot_be_used_is_named_with_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    let (good, other) = (folder.path().join("good.pem"), folder.path().join("other.pem"));
    for file in [&good, &other] {
        let (cert, key) = made(&KeyPair::generate().unwrap());
        fs::write(file, cert + &key).unwrap();
    }
    let (old, open) = (folder.path().join("old.pem"), folder.path().join("open.pem"));
    let (key, mut params) = (KeyPair::generate().unwrap(), CertificateParams::default());
    params.not_after = rcgen::date_time_ymd(2020, 2, 29);
    fs::write(&old, params.self_signed(&key).unwrap().pem() + &key.serialize_pem()).unwrap();
    fs::copy(&good, &open).unwrap();
    fs::set_permissions(&open, PermissionsExt::from_mode(0o646)).unwrap();
    let fixture = |name: &str| Path::new(FIXTURES).join(name);
    let kinds = ["P-256 or P-384", "Ed25519", "RSA of 2048 to 4096 bits"];
    for (cert, key, words) in [
        (&good, &fixture("p521.key.pem"), &kinds[..]),
        (&good, &fixture("rsa1024.key.pem"), &kinds[..]),
        (&good, &fixture("encrypted.key.pem"), &["encrypted", "openssl pkey -in"]),
        (&good, &fixture("encrypted-pkcs1.key.pem"), &["encrypted", "openssl pkey -in"]),
        (&fixture("v1.pem"), &fixture("v1.pem"), &["--tls-cert", "version 3"]),
        (&old, &old, &["--tls-cert", "old.pem", "expired on 2020-02-29"]),
        (&good, &open, &["--tls-key", "open.pem", "chmod o-w"]),
        (&good, &other, &["--tls-key", "--tls-cert", "other.pem", "own key"]),
        (&fixture("p521.key.pem"), &good, &["--tls-cert", "a certificate chain"]),
        (&good, &fixture("README.md"), &["--tls-key", "a private key"]),
        (&good, &folder.path().join("a\u{7}b"), &["--tls-key", r"a\u{7}b"]),
    ] {
        let fault = bound(cert, key).unwrap_err();
        assert!(words.iter().all(|word| fault.contains(word)), "{fault}");
        assert_eq!(fault.lines().count(), 1, "{fault}");
    }
}

/// A connection by a client that trusts `roots`, and has no session to resume.
async fn connect(address: SocketAddr, roots: &[&str]) -> TlsStream<TcpStream> {
    let mut trusted = RootCertStore::empty();
    for root in roots {
        trusted.add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap()).unwrap();
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(trusted)
        .with_no_client_auth();
    let tcp = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    within(TlsConnector::from(Arc::new(tls)).connect(name, tcp)).await.unwrap()
}

fn shown(stream: &TlsStream<TcpStream>) -> &[u8] {
    &stream.get_ref().1.peer_certificates().unwrap()[0]
}

async fn is_answered(stream: &mut TlsStream<TcpStream>) {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(b"ok\n") {
        assert_ne!(within(stream.read_buf(&mut heard)).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_and_nobody_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("both.pem");
    let (old, old_key) = made(&KeyPair::generate().unwrap());
    let (new, new_key) = made(&KeyPair::generate_for(&PKCS_ED25519).unwrap());
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    fs::write(&file, old.clone() + &old_key).unwrap();
    let server = bound(&file, &file).unwrap();
    let (address, certificate) = (server.addresses().http[0], server.certificate().unwrap());
    let running = tokio::spawn(server.run(std::future::pending()));
    let reload = |certificate: &Certificate| certificate.reload().map_err(|f| f.to_string());

    let roots = [old.as_str(), new.as_str()];
    let mut before = connect(address, &roots).await;
    assert_eq!(shown(&before), &*der(&old));
    is_answered(&mut before).await;

    fs::write(&file, new.clone() + &old_key).unwrap();
    assert!(reload(&certificate).unwrap_err().contains("--tls-key"));
    assert_eq!(shown(&connect(address, &roots).await), &*der(&old), "the good one stays");

    fs::write(&file, new.clone() + &new_key).unwrap();
    assert_eq!(reload(&certificate), Ok(()));
    let mut after = connect(address, &roots).await;
    assert_eq!(shown(&after), &*der(&new));
    is_answered(&mut after).await;
    is_answered(&mut before).await;
    running.abort();
}
