//! A JWK Set behind an https address, whose keys change while people come in.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use parking_lot::Mutex;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

use crate::{
    authority::Authority,
    issuer::claims,
    running::{Running, anywhere},
    support::{Client, within},
};

const PEOPLE: usize = 8;

/// A key with its name.
struct Key {
    kid: &'static str,
    pair: KeyPair,
}

impl Key {
    fn new(kid: &'static str) -> Self {
        Self { kid, pair: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap() }
    }

    fn public(&self) -> Value {
        let (x, y) = self.pair.der_bytes()[1..].split_at(32);
        let part = |bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        json!({"kty": "EC", "crv": "P-256", "kid": self.kid, "x": part(x), "y": part(y)})
    }

    fn token(&self, sub: &str) -> String {
        let header = Header { kid: Some(self.kid.to_owned()), ..Header::new(Algorithm::ES256) };
        let key = EncodingKey::from_ec_pem(self.pair.serialize_pem().as_bytes()).unwrap();
        encode(&header, &claims(sub, json!({})), &key).unwrap()
    }
}

/// What an address answers, with a certificate of an authority that only its friends know.
struct Source {
    answer: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
    port: u16,
    serving: JoinHandle<()>,
}

impl Source {
    async fn start(authority: &Authority) -> Self {
        let (certificate, key) = authority.issue(&[("CN", "localhost")]);
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(ring::default_provider().into());
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (answer, asked) = (Arc::<Mutex<String>>::default(), Arc::<AtomicUsize>::default());
        let (shown, counted) = (Arc::clone(&answer), Arc::clone(&asked));
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                counted.fetch_add(1, Ordering::SeqCst);
                let _ = stream.read(&mut [0; 4096]).await;
                let answer = shown.lock().clone();
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { answer, asked, port, serving }
    }

    fn has(&self, keys: &[&Key]) {
        let keys: Vec<_> = keys.iter().map(|key| key.public()).collect();
        let body = json!({"keys": keys}).to_string();
        *self.answer.lock() = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{body}");
    }

    fn url(&self) -> String {
        format!("https://localhost:{}/keys", self.port)
    }
}

async fn register(client: &mut Client, token: &str) -> Value {
    client.ask(json!({"type": "register", "token": token})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_rotate_under_load_keep_everybody_in() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = folder.path().join("ca.pem");
    let authority = Authority::new();
    fs::write(&trusted, authority.pem()).unwrap();
    let source = Source::start(&authority).await;
    let (old, new) = (Arc::new(Key::new("old")), Arc::new(Key::new("new")));
    source.has(&[&old]);
    let server = Running::start(
        anywhere()
            .args(["--rate-limit", "0", "--jwks", &source.url()])
            .env("SSL_CERT_FILE", &trusted),
    );
    let url = format!("ws://{}/ws", server.http());

    let (rotate, rotated) = watch::channel(false);
    let (is_in, mut are_in) = mpsc::channel(PEOPLE);
    let people = (0..PEOPLE).map(|nth| {
        let (url, old, new) = (url.clone(), Arc::clone(&old), Arc::clone(&new));
        let (rotated, is_in) = (rotated.clone(), is_in.clone());
        tokio::spawn(async move {
            let sub = format!("user {nth}");
            let mut stays = Client::connect(&url).await;
            let mut rounds = [0, 0];
            // They go on with the old key until the new one is there, and then for two rounds more.
            while rounds[1] < 2 {
                let is_new = *rotated.borrow();
                let token = if is_new { new.token(&sub) } else { old.token(&sub) };
                let mut comes = Client::connect(&url).await;
                for client in [&mut stays, &mut comes] {
                    let answer = register(client, &token).await;
                    assert_eq!(answer["type"], "registered", "{answer}");
                }
                rounds[usize::from(is_new)] += 1;
                if rounds == [1, 0] {
                    stays.join("r").await;
                    is_in.send(()).await.unwrap();
                }
            }
            // Nobody was cut off on the way.
            stays.ask(json!({"type": "ping"})).await;
        })
    });
    let people: Vec<_> = people.collect();
    for _ in 0..PEOPLE {
        within(are_in.recv()).await.unwrap();
    }
    assert_eq!(source.asked.load(Ordering::SeqCst), 1);
    // The new key is there before it is used, the old one for as long as it may be.
    source.has(&[&old, &new]);
    rotate.send_replace(true);
    for person in people {
        within(person).await.unwrap();
    }
    assert_eq!(source.asked.load(Ordering::SeqCst), 2, "one fetch for all who came with the key");

    // No answer is as good as none.
    *source.answer.lock() = "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n".to_owned();
    let answer = register(&mut Client::connect(&url).await, &Key::new("x").token("eve")).await;
    assert_eq!(answer["code"], "unauthenticated");
    source.serving.abort();
    let answer = register(&mut Client::connect(&url).await, &new.token("ann")).await;
    assert_eq!(answer["type"], "registered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_with_another_certificate_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = folder.path().join("ca.pem");
    fs::write(&trusted, Authority::new().pem()).unwrap();
    let source = Source::start(&Authority::new()).await;
    let key = Key::new("1");
    source.has(&[&key]);
    let mut server =
        Running::start(anywhere().args(["--jwks", &source.url()]).env("SSL_CERT_FILE", &trusted));
    let line = server.logs("the keys of before stay");
    assert!(line.contains("--jwks https://localhost"), "{line}");
    let url = format!("ws://{}/ws", server.http());
    let answer = register(&mut Client::connect(&url).await, &key.token("ann")).await;
    assert_eq!(answer["code"], "unauthenticated");
    assert_eq!(source.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_set_is_not_taken_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = folder.path().join("ca.pem");
    let authority = Authority::new();
    fs::write(&trusted, authority.pem()).unwrap();
    let source = Source::start(&authority).await;
    let elsewhere =
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    let long = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", " ".repeat(300 << 10));
    for (answer, why) in [
        (elsewhere, "302 Found; redirects are not followed"),
        (&*long, "length limit exceeded"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "no JWK Set"),
        ("hello", "invalid HTTP"),
    ] {
        *source.answer.lock() = answer.to_owned();
        let mut command = anywhere();
        command.args(["--jwks", &source.url()]).env("SSL_CERT_FILE", &trusted);
        let line = Running::start(&mut command).logs("the keys of before stay");
        assert!(line.contains(why), "{line}");
    }
}
