//! Tokens that expire while their owners are in a call. Time is the test's own.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use signalpost::{auth::Authority, hub::Hub};
use tokio::time::{Instant, sleep};

use crate::{
    issuer::{Issuer, now},
    pipe::{Pipe, frame},
    support::config,
};

const EXPIRED: &[u8] = b"\x11\x97token-expired: come back with a new one";
const UNAUTHENTICATED: &[u8] = b"\x11\x97unauthenticated: register with a token";

/// A hub that asks for tokens, and who makes them.
struct Door {
    hub: Arc<Hub>,
    issuer: Issuer,
}

impl Door {
    fn open(flags: &str) -> Self {
        let issuer = Issuer::new();
        let config = config(&format!("{} --ping-seconds 3600 {flags}", issuer.flags()));
        let authority = Authority::of(&config.auth_flags).unwrap().map(Arc::new);
        let hub = Arc::new(Hub::new(Arc::new(config)).asking(authority));
        let running = Arc::clone(&hub);
        tokio::spawn(async move { running.run().await });
        Self { hub, issuer }
    }

    /// Somebody whose token has so many seconds left, in a room.
    async fn member(&self, sub: &str, seconds: i64) -> Pipe {
        let mut pipe = Pipe::connect(&self.hub).await;
        assert_eq!(self.register(&mut pipe, sub, seconds).await["type"], "registered");
        pipe
    }

    async fn register(&self, pipe: &mut Pipe, sub: &str, seconds: i64) -> Value {
        let exp = now().checked_add_signed(seconds).unwrap();
        let token = self.issuer.token(sub, json!({"exp": exp}));
        say(pipe, json!({"type": "register", "token": token})).await;
        hear(pipe).await
    }
}

async fn say(pipe: &mut Pipe, message: Value) {
    pipe.say(&frame(&message.to_string())).await;
}

async fn hear(pipe: &mut Pipe) -> Value {
    serde_json::from_slice(&pipe.hear().await).unwrap()
}

async fn join(pipe: &mut Pipe) {
    say(pipe, json!({"type": "join", "roomId": "r"})).await;
    assert_eq!(hear(pipe).await["type"], "joined");
}

/// What comes next, at about so many seconds after `begun`: a token's times are whole seconds, and so are the hub's.
async fn hear_at(pipe: &mut Pipe, begun: Instant, seconds: u64) -> Value {
    let heard = hear(pipe).await;
    is_about(begun, seconds);
    heard
}

fn is_about(begun: Instant, seconds: u64) {
    let elapsed = begun.elapsed().as_secs_f64();
    assert!((elapsed - seconds as f64).abs() <= 1.5, "{elapsed}, not {seconds}");
}

fn milliseconds_left(heard: &Value) -> u64 {
    assert_eq!(heard["type"], "token-expiring", "{heard}");
    heard["expiresInMs"].as_u64().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_token_that_expires_in_a_call_ends_its_connection_and_room_mates_hear_why() {
    let door = Door::open("");
    let begun = Instant::now();
    let (mut ann, mut bob) = (door.member("ann", 100).await, door.member("bob", 3600).await);
    join(&mut ann).await;
    join(&mut bob).await;
    assert_eq!(hear(&mut ann).await["type"], "user-joined");

    let left = milliseconds_left(&hear_at(&mut ann, begun, 40).await);
    assert!((58_500..=60_000).contains(&left), "{left}");
    let error = hear_at(&mut ann, begun, 100).await;
    let text = "The token expired; come back with a new one";
    assert_eq!(error, json!({"type": "error", "code": "token-expired", "message": text}));
    assert_eq!(ann.hear().await, EXPIRED);
    let gone = hear_at(&mut bob, begun, 100).await;
    assert_eq!((&gone["type"], &gone["reason"]), (&json!("user-left"), &json!("token-expired")));
    assert_eq!(gone["clientId"], ann.id);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_renewed_in_time_is_noticed_by_nobody() {
    let door = Door::open("");
    let begun = Instant::now();
    let (mut ann, mut bob) = (door.member("ann", 70).await, door.member("bob", 36_000).await);
    join(&mut ann).await;
    join(&mut bob).await;
    assert_eq!(hear(&mut ann).await["type"], "user-joined");
    milliseconds_left(&hear_at(&mut ann, begun, 10).await);
    // Another one's is no renewal, nor one that is not taken.
    assert_eq!(door.register(&mut ann, "bob", 3600).await["code"], "forbidden");
    assert_eq!(door.register(&mut ann, "ann", -60).await["code"], "unauthenticated");
    assert_eq!(door.register(&mut ann, "ann", 1200).await["type"], "registered");
    let renewed = Instant::now();

    sleep(Duration::from_secs(900)).await;
    say(&mut ann, json!({"type": "message", "content": 1})).await;
    assert_eq!(hear(&mut bob).await["content"], 1);
    milliseconds_left(&hear_at(&mut ann, renewed, 1140).await);
    assert_eq!(door.register(&mut ann, "ann", 7200).await["type"], "registered");
}

#[tokio::test(start_paused = true)]
async fn who_has_less_than_a_minute_left_hears_so_at_once() {
    let door = Door::open("");
    for (seconds, least, most, ends_after) in
        [(20, 18_500, 20_000, 20), (59, 57_500, 59_000, 59), (-10, 18_500, 20_000, 20)]
    {
        let begun = Instant::now();
        let mut ann = door.member("ann", seconds).await;
        let left = milliseconds_left(&hear_at(&mut ann, begun, 0).await);
        assert!((least..=most).contains(&left), "{left} of {seconds} s");
        assert_eq!(hear_at(&mut ann, begun, ends_after).await["code"], "token-expired");
        assert_eq!(ann.hear().await, EXPIRED);
    }
}

#[tokio::test(start_paused = true)]
async fn who_shows_no_token_is_closed_after_ten_seconds() {
    let door = Door::open("");
    let begun = Instant::now();
    let mut stranger = Pipe::connect(&door.hub).await;
    let mut late = Pipe::connect(&door.hub).await;
    sleep(Duration::from_secs(8)).await;
    // A token that is not taken gains no time.
    assert_eq!(door.register(&mut stranger, "ann", -60).await["code"], "unauthenticated");
    assert_eq!(door.register(&mut late, "ann", 3600).await["type"], "registered");
    let error = hear_at(&mut stranger, begun, 10).await;
    assert_eq!(error["code"], "unauthenticated");
    assert_eq!(stranger.hear().await, UNAUTHENTICATED);
    sleep(Duration::from_secs(60)).await;
    join(&mut late).await;
}

#[tokio::test(start_paused = true)]
async fn a_guest_is_not_closed_for_want_of_a_token() {
    let door = Door::open("--auth optional");
    let mut guest = Pipe::connect(&door.hub).await;
    sleep(Duration::from_secs(60)).await;
    join(&mut guest).await;
}

#[tokio::test(start_paused = true)]
async fn who_goes_leaves_no_appointment_behind() {
    let door = Door::open("");
    for _ in 0..100 {
        drop(door.member("ann", 36_000).await);
        drop(Pipe::connect(&door.hub).await);
    }
    sleep(Duration::from_secs(60)).await;
    assert!(format!("{:?}", door.hub).contains("by_client: {}"), "nothing is due any more");
}
