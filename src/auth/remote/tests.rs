//! A JWK Set that changes, or whose source is away.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use serde_json::{Value, json};

use super::*;

fn jwk(kid: &str) -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": "A".repeat(43)})
}

/// A source that has these keys, or is away, and counts how often it is asked.
#[derive(Default)]
struct Source {
    kids: Mutex<Option<Vec<&'static str>>>,
    asked: AtomicUsize,
}

impl Source {
    fn remote(self: &Arc<Self>) -> Arc<Remote> {
        let source = Arc::clone(self);
        let fetch: Fetch = Box::new(move || {
            source.asked.fetch_add(1, Ordering::SeqCst);
            let kids = source.kids.lock().clone();
            Box::pin(async move {
                // As long as a real one may take.
                sleep(Duration::from_secs(1)).await;
                let kids = kids.ok_or_else(|| NotFetched::NoAnswer("away".into()))?;
                let keys: Vec<_> = kids.iter().map(|kid| jwk(kid)).collect();
                Ok(Bytes::from(json!({"keys": keys}).to_string()))
            })
        });
        let remote = Arc::new(Remote::new("test".into(), fetch));
        let running = Arc::clone(&remote);
        tokio::spawn(async move { running.run().await });
        remote
    }

    fn has(&self, kids: &[&'static str]) {
        *self.kids.lock() = Some(kids.to_vec());
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test(start_paused = true)]
async fn a_set_is_fetched_for_an_unknown_key_every_30_s_at_most() {
    let source = Arc::new(Source::default());
    source.has(&["a"]);
    let remote = source.remote();
    // The first fetch is waited for, by all who come meanwhile.
    assert!(remote.look_for(Some("a")).await);
    assert_eq!(source.asked(), 1);
    assert!(!remote.look_for(Some("a")).await);

    source.has(&["a", "b"]);
    let looking = (0..100).map(|_| {
        let remote = Arc::clone(&remote);
        tokio::spawn(async move { remote.look_for(Some("b")).await })
    });
    for found in looking.collect::<Vec<_>>() {
        assert!(found.await.unwrap());
    }
    assert_eq!((source.asked(), remote.keys().len()), (2, 2));

    let began = Instant::now();
    for nth in 0..29 {
        assert!(!remote.look_for(Some("c")).await, "{nth}");
        sleep(Duration::from_secs(1)).await;
    }
    // Nobody waited in vain.
    assert_eq!((source.asked(), began.elapsed().as_secs()), (2, 29));
    sleep(Duration::from_secs(1)).await;
    assert!(remote.look_for(Some("c")).await);
    assert_eq!(source.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_set_holds_on_while_its_source_is_away_and_is_fetched_anyway() {
    let source = Arc::new(Source::default());
    let remote = source.remote();
    assert!(remote.look_for(None).await);
    assert!(remote.keys().is_empty());
    source.has(&["a"]);
    sleep(limits::JWKS_AGAIN + Duration::from_secs(2)).await;
    assert_eq!(remote.keys().len(), 1);

    *source.kids.lock() = None;
    sleep(limits::JWKS_EVERY + Duration::from_secs(2)).await;
    source.has(&[]);
    sleep(limits::JWKS_AGAIN + Duration::from_secs(2)).await;
    let ids: BTreeSet<_> = remote.keys().iter().map(|key| key.id.clone()).collect();
    assert!(ids.contains(&Some("a".to_owned())), "an empty set is no good one either");

    // What was withdrawn is gone with the next good set.
    source.has(&["b"]);
    let asked = source.asked();
    sleep(limits::JWKS_EVERY).await;
    assert!(source.asked() > asked);
    assert_eq!(remote.keys().iter().map(|key| key.id.as_deref()).collect::<Vec<_>>(), [Some("b")]);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_does_not_answer_holds_nobody_up_for_long() {
    let fetch: Fetch = Box::new(|| Box::pin(std::future::pending()));
    let remote = Arc::new(Remote::new("test".into(), fetch));
    let running = Arc::clone(&remote);
    tokio::spawn(async move { running.run().await });
    let began = Instant::now();
    assert!(!remote.look_for(Some("a")).await);
    assert_eq!(began.elapsed(), limits::JWKS_WAIT);
}
