//! What the tutorial's server does, message by message, over real sockets: of one server, or of the nodes of a fleet,
//! whichever [`Servers`] the module around this one has.

use serde_json::{Value, json};

use super::Servers;

/// Later versions add fields, which the tutorial's clients ignore; what they know is as it was.
fn assert_holds(message: &Value, expected: &Value) {
    match (message, expected) {
        (Value::Object(message), Value::Object(expected)) => {
            expected.iter().for_each(|(name, value)| assert_holds(&message[name], value));
        }
        _ => assert_eq!(message, expected),
    }
}

#[tokio::test]
async fn joining_shows_who_is_there_in_join_order_and_tells_them() {
    let server = Servers::start().await;
    let mut a = server.client().await;
    a.say(json!({"type": "register", "userId": "ann", "displayName": "Ann"})).await;
    assert_eq!(a.hear().await, json!({"type": "registered", "userId": "ann"}));
    a.say_text(r#"{"type":"join","roomId":"r","metadata":{"z":1,"a":9007199254740993}}"#).await;
    let room = json!({"locked": false, "maxMembers": 10, "metadata": {}});
    let joined = json!({"type": "joined", "roomId": "r", "members": [], "peers": [], "room": room});
    assert_holds(&a.hear().await, &joined);

    let mut b = server.client().await;
    b.say(json!({"type": "join", "roomId": "r"})).await;
    let text = b.hear_text().await;
    assert!(text.contains(r#""metadata":{"z":1,"a":9007199254740993}"#), "{text}");
    let joined: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(joined["members"], json!([a.id]));
    assert_eq!(joined["peers"][0]["userId"], "ann");
    assert_eq!(joined["peers"][0]["displayName"], "Ann");
    let news = json!({"type": "user-joined", "userId": null, "clientId": b.id, "displayName": null, "metadata": null});
    assert_holds(&a.hear().await, &news);

    let mut c = server.client().await;
    assert_eq!(c.join("r").await["members"], json!([a.id, b.id]));
}

#[tokio::test]
async fn payloads_arrive_byte_for_byte() {
    let server = Servers::start().await;
    let (mut a, mut b) = (server.member("r").await, server.member("r").await);
    a.hear_of("user-joined").await;
    let sdp = format!(r#"{{"type":"offer","sdp":"v=0\r\n{}"}}"#, "a=x\\r\\n".repeat(12_000));
    assert!(sdp.len() > 64 << 10);
    for (kind, field, payload) in [
        ("offer", "sdp", sdp.as_str()),
        ("answer", "sdp", r#"{"sdp":"é\"\u2028 語 \ud83d\ude00","type":"answer"}"#),
        ("candidate", "candidate", "null"),
        ("candidate", "candidate", r#"{ "b" : 9007199254740993 , "a" : 1.50e+2, "a" : [ ] }"#),
        ("message", "content", r#""\ud800 alone""#),
        ("message", "content", "-0.0"),
        ("message", "content", r#"{"type":"offer","targetId":"x","content":[]}"#),
    ] {
        let sent = format!(r#"{{"type":"{kind}","targetId":"{}","{field}":{payload}}}"#, b.id);
        a.say_text(&sent).await;
        let user = if kind == "candidate" { "" } else { r#","fromUserId":null"# };
        let from = &a.id;
        let expected =
            format!(r#"{{"type":"{kind}","fromId":"{from}"{user},"{field}":{payload}}}"#);
        assert_eq!(b.hear_text().await, expected);
    }
    a.hears_nothing().await;
}

#[tokio::test]
async fn a_message_goes_to_the_room_without_its_sender_or_to_one() {
    let server = Servers::start().await;
    let (mut a, mut b) = (server.member("r").await, server.member("r").await);
    let (mut c, mut stranger) = (server.member("r").await, server.member("other").await);
    a.hear_of("user-joined").await;
    a.hear_of("user-joined").await;
    b.hear_of("user-joined").await;

    a.say(json!({"type": "message", "content": [1, "two", null]})).await;
    let to_all =
        json!({"type": "message", "fromId": a.id, "fromUserId": null, "content": [1, "two", null]});
    assert_eq!(b.hear().await, to_all);
    assert_eq!(c.hear().await, to_all);

    a.say(json!({"type": "message", "targetId": c.id, "content": "only c"})).await;
    assert_eq!(c.hear().await["content"], "only c");
    a.say(json!({"type": "message", "targetId": null, "content": "again all"})).await;
    assert_eq!(c.hear().await["content"], "again all");
    assert_eq!(b.hear().await["content"], "again all");
    for client in [&mut a, &mut b, &mut c, &mut stranger] {
        client.hears_nothing().await;
    }
}

#[tokio::test]
async fn registering_again_shows_in_later_messages_and_to_room_mates() {
    let server = Servers::start().await;
    let (mut a, mut b) = (server.member("r").await, server.member("r").await);
    a.hear_of("user-joined").await;
    for (request, user_id, name) in [
        (json!({"userId": "ann", "displayName": "Ann"}), "ann", json!("Ann")),
        (json!({"userId": "语"}), "语", Value::Null),
        (json!({}), &*a.id.clone(), Value::Null),
    ] {
        let mut request = request;
        request["type"] = json!("register");
        assert_eq!(a.ask(request).await, json!({"type": "registered", "userId": user_id}));
        let news = json!({"type": "user-updated", "userId": user_id, "clientId": a.id, "displayName": name});
        assert_holds(&b.hear().await, &news);
        a.say(json!({"type": "offer", "targetId": b.id, "sdp": 1})).await;
        assert_eq!(b.hear().await["fromUserId"], user_id);
    }
    for nobody in [json!(null), json!("")] {
        let registered = a.ask(json!({"type": "register", "userId": nobody})).await;
        assert_eq!(registered["userId"], json!(a.id));
    }
    b.hears_nothing().await;
}

#[tokio::test]
async fn ten_seats_then_room_is_full_and_a_freed_seat_can_be_taken_at_once() {
    let server = Servers::start().await;
    let mut members = Vec::new();
    for _ in 0..10 {
        members.push(server.member("r").await);
    }
    let mut late = server.client().await;
    let full = json!({"type": "join-error", "error": "Room is full", "code": "room-full"});
    assert_eq!(late.ask(json!({"type": "join", "roomId": "r"})).await, full);

    let mut leaver = members.pop().unwrap();
    assert_eq!(
        leaver.ask(json!({"type": "leave", "roomId": "r"})).await,
        json!({"type": "left", "roomId": "r"})
    );
    assert_eq!(late.join("r").await["members"].as_array().unwrap().len(), 9);

    // Rejoining takes no seat from anybody.
    members[3].join("r").await;
    assert_eq!(leaver.ask(json!({"type": "join", "roomId": "r"})).await, full);
}

#[tokio::test]
async fn joining_elsewhere_leaves_and_a_refusal_changes_nothing() {
    let server = Servers::with("--max-members 2").await;
    let (mut a, mut b) = (server.member("first").await, server.member("first").await);
    a.hear_of("user-joined").await;
    let (_c, _d) = (server.member("full").await, server.member("full").await);

    b.say(json!({"type": "join", "roomId": "full", "requestId": "1"})).await;
    assert_eq!(
        b.hear().await,
        json!({"type": "join-error", "error": "Room is full", "code": "room-full", "requestId": "1"})
    );
    b.say(json!({"type": "message", "content": "still here"})).await;
    assert_eq!(a.hear().await["content"], "still here");

    b.say(json!({"type": "join", "roomId": "second", "requestId": "2"})).await;
    assert_eq!(b.hear().await, json!({"type": "left", "roomId": "first"}));
    let joined = b.hear().await;
    assert_eq!((&joined["type"], &joined["requestId"]), (&json!("joined"), &json!("2")));
    let gone = json!({"type": "user-left", "userId": null, "clientId": b.id, "reason": "moved"});
    assert_eq!(a.hear().await, gone);
}

#[tokio::test]
async fn joining_the_same_room_again_takes_a_new_seat() {
    let server = Servers::start().await;
    let (mut a, mut b) = (server.member("r").await, server.member("r").await);
    a.hear_of("user-joined").await;
    a.say(json!({"type": "join", "roomId": "r", "metadata": 2})).await;
    assert_eq!(a.hear().await, json!({"type": "left", "roomId": "r"}));
    let joined = a.hear().await;
    assert_eq!((&joined["type"], &joined["members"]), (&json!("joined"), &json!([b.id])));
    assert_eq!(b.hear().await["reason"], "rejoined");
    let news = b.hear().await;
    assert_eq!((&news["type"], &news["metadata"]), (&json!("user-joined"), &json!(2)));
}

#[tokio::test]
async fn leaving_a_room_that_one_is_not_in_is_ignored() {
    let server = Servers::start().await;
    let mut a = server.client().await;
    a.say(json!({"type": "leave", "roomId": "r"})).await;
    a.hears_nothing().await;
    a.join("r").await;
    a.say(json!({"type": "leave", "roomId": "elsewhere"})).await;
    a.hears_nothing().await;
    a.say(json!({"type": "leave", "roomId": "r"})).await;
    assert_eq!(a.hear().await, json!({"type": "left", "roomId": "r"}));
}

#[tokio::test]
async fn however_a_connection_ends_the_others_hear_of_it() {
    let server = Servers::start().await;
    let mut a = server.member("r").await;
    let (mut orderly, abrupt) = (server.member("r").await, server.member("r").await);
    a.hear_of("user-joined").await;
    a.hear_of("user-joined").await;

    let id = orderly.id.clone();
    orderly.socket.close(None).await.unwrap();
    let left =
        json!({"type": "user-left", "userId": null, "clientId": id, "reason": "disconnected"});
    assert_eq!(a.hear().await, left);

    let id = abrupt.id.clone();
    abrupt.vanish();
    let left =
        json!({"type": "user-left", "userId": null, "clientId": id, "reason": "disconnected"});
    assert_eq!(a.hear().await, left);
    assert_eq!(a.join("r").await["members"], json!([]));
}
