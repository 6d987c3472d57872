//! A JWK Set behind an https address, whose keys change while people come in.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
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
            .args(["--rate-limit", "0", "--max-members", "40", "--jwks", &source.url()])
            .env("SSL_CERT_FILE", &trusted),
    );
    let url = format!("ws://{}/ws", server.http());

    let (has_rotated, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let people = (0..20).map(|nth| {
        let (url, old, new) = (url.clone(), Arc::clone(&old), Arc::clone(&new));
        let (has_rotated, stop) = (Arc::clone(&has_rotated), Arc::clone(&stop));
        tokio::spawn(async move {
            let sub = format!("user {nth}");
            let mut stays = Client::connect(&url).await;
            let mut times = [0, 0];
            while !stop.load(Ordering::SeqCst) {
                let is_new = has_rotated.load(Ordering::SeqCst);
                let token = if is_new { new.token(&sub) } else { old.token(&sub) };
                let mut comes = Client::connect(&url).await;
                for client in [&mut stays, &mut comes] {
                    let answer = register(client, &token).await;
                    assert_eq!(answer["type"], "registered", "{answer}");
                }
                stays.join("r").await;
                times[usize::from(is_new)] += 1;
            }
            times
        })
    });
    let people: Vec<_> = people.collect();
    let mut watcher = Client::connect(&url).await;
    register(&mut watcher, &old.token("watcher")).await;
    let some_time = async |watcher: &mut Client| {
        for _ in 0..300 {
            watcher.ask(json!({"type": "ping"})).await;
        }
    };
    some_time(&mut watcher).await;
    let before = source.asked.load(Ordering::SeqCst);
    assert_eq!(before, 1);
    // The new key is there before it is used, the old one for as long as it may be.
    source.has(&[&old, &new]);
    has_rotated.store(true, Ordering::SeqCst);
    some_time(&mut watcher).await;
    stop.store(true, Ordering::SeqCst);
    for person in people {
        let times = within(person).await.unwrap();
        assert!(times[0] > 0 && times[1] > 0, "{times:?}");
    }
    assert_eq!(source.asked.load(Ordering::SeqCst), 2, "one fetch for all who came with the key");

    // Nobody has it fetched by names that are made up, and no answer is as good as none.
    *source.answer.lock() = "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n".to_owned();
    for _ in 0..5 {
        let answer = register(&mut Client::connect(&url).await, &Key::new("x").token("eve")).await;
        assert_eq!(answer["code"], "unauthenticated");
    }
    assert_eq!(source.asked.load(Ordering::SeqCst), 2);
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
