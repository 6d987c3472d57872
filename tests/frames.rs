//! Our reader of frames against the library's, on what a fuzzer found and on frames of every kind.

#[path = "support/frames.rs"]
mod frames;

use std::{fs, path::Path};

use frames::{agree, from_fuzzer};
use proptest::{collection, prelude::*, sample::select};

#[test]
fn what_the_fuzzer_found_is_read_as_the_library_reads_it() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/frames");
    let mut replayed = 0;
    for file in fs::read_dir(corpus).expect("the corpus is part of the source") {
        let data = fs::read(file.expect("a file").path()).expect("a file");
        if let Some((max_message_bytes, cut, bytes)) = from_fuzzer(&data) {
            agree(max_message_bytes, cut, bytes);
            // However it is cut.
            for cut in [0, 1, 2, 7] {
                agree(max_message_bytes, cut, bytes);
            }
            replayed += 1;
        }
    }
    assert!(replayed > 50, "only {replayed} inputs");
}

#[derive(Debug, Clone)]
struct Frame {
    first: u8,
    mask: Option<[u8; 4]>,
    /// The least bytes that its length takes: 1, 3 or 9.
    length_bytes: usize,
    payload: Vec<u8>,
}

impl Frame {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.first];
        let masked = if self.mask.is_some() { 0x80 } else { 0 };
        let length = self.payload.len() as u64;
        match (self.length_bytes, u8::try_from(length), u16::try_from(length)) {
            (1, Ok(short @ 0..126), _) => bytes.push(masked | short),
            (1 | 3, _, Ok(middle)) => {
                bytes.push(masked | 126);
                bytes.extend_from_slice(&middle.to_be_bytes());
            }
            _ => {
                bytes.push(masked | 127);
                bytes.extend_from_slice(&length.to_be_bytes());
            }
        }
        let mask = self.mask.unwrap_or_default();
        if self.mask.is_some() {
            bytes.extend_from_slice(&mask);
        }
        bytes.extend(self.payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    let texts = select(vec!["", "{}", "é", "語", "a longer text of some kind", "\u{1f600}"]);
    let cut_characters = select(vec![&b"\xe2\x82"[..], b"\xac", b"\xf0\x9f", b"\x98\x80", b"\xff"]);
    prop_oneof![
        4 => collection::vec(texts, 0..4).prop_map(|texts| texts.concat().into_bytes()),
        1 => cut_characters.prop_map(<[u8]>::to_vec),
        1 => (0..5000_u16).prop_map(|code| code.to_be_bytes().to_vec()),
        1 => (0..70_000_usize).prop_map(|length| vec![b'x'; length]),
        1 => (60_000..70_000_usize).prop_map(|length| vec![b'y'; length]),
    ]
}

fn frame() -> impl Strategy<Value = Frame> {
    let first = prop_oneof![
        // Texts, whole and in fragments, and control frames.
        12 => select(vec![0x81, 0x81, 0x81, 0x01, 0x00, 0x00, 0x80, 0x89, 0x8a, 0x88]),
        1 => any::<u8>(),
    ];
    let mask = prop_oneof![12 => any::<[u8; 4]>().prop_map(Some), 1 => Just(None)];
    (first, mask, select(vec![1, 1, 3, 9]), payload()).prop_map(
        |(first, mask, length_bytes, payload)| Frame { first, mask, length_bytes, payload },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn frames_of_every_kind_are_read_as_the_library_reads_them(
        frames in collection::vec(frame(), 0..12),
        unfinished in 0..20_usize,
        max_message_bytes in select(vec![10, 1000, 66_000, 1 << 18]),
        cut in select(vec![0, 0, 1009, 4096, 30_001, 65_536]),
    ) {
        let mut bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        bytes.truncate(bytes.len().saturating_sub(unfinished));
        agree(max_message_bytes, cut, &bytes);
    }
}
