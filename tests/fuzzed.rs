//! What fuzzers found, replayed: requests, sessions, page tokens. See `fuzz/`; frames have a test of their own.

#[path = "support/envelope.rs"]
mod envelope;
#[path = "support/page_token.rs"]
mod page_token;
#[path = "support/session.rs"]
mod session;

use std::{fs, path::Path};

use proptest::{collection, prelude::*};

fn replay(target: &str, mut check: impl FnMut(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut replayed = 0;
    for file in fs::read_dir(corpus).expect("the corpus is part of the source") {
        check(&fs::read(file.expect("a file").path()).expect("a file"));
        replayed += 1;
    }
    assert!(replayed > 10, "only {replayed} inputs");
}

fn as_text(check: fn(&str)) -> impl FnMut(&[u8]) {
    move |bytes| {
        if let Ok(text) = std::str::from_utf8(bytes) {
            check(text);
        }
    }
}

#[test]
fn requests_are_read_as_serde_json_reads_them() {
    replay("envelope", as_text(envelope::agree));
}

#[test]
fn page_tokens_come_back_and_junk_does_not_pass() {
    replay("page_token", as_text(page_token::agree));
    for text in [
        "",
        "x",
        "junk",
        "YWZ0ZXI6",
        "YmVmb3JlOmE",
        "%%%",
        "YWZ0ZXI6YQ",
        "a room, 語",
        "locked = true",
    ] {
        page_token::agree(text);
    }
}

#[test]
fn sessions_go_as_the_model_has_it() {
    replay("session", session::play);
}

/// A step as the bytes that say it: more often than not people come to one room, and its hosts command.
fn step() -> impl Strategy<Value = [u8; 3]> {
    let what = prop_oneof![
        6 => prop::sample::select(vec![0, 3, 3, 3, 6, 8]),
        5 => 240..=255_u8,
        1 => Just(38),
        4 => 0..240_u8,
    ];
    let which = prop_oneof![3 => (0..80_u8).prop_map(|nth| 3 * nth), 1 => any::<u8>()];
    (what, any::<u8>(), which).prop_map(|(what, who, which)| [what, who, which])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn sessions_of_any_kind_go_as_the_model_has_it(steps in collection::vec(step(), 0..200)) {
        session::play(&steps.concat());
    }
}
