//! The scanner against serde_json: the same is taken, and the same is found.

use std::fmt;

use proptest::{collection, prelude::*, sample::select};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{Json, members};

/// The members of an object as serde_json finds them.
struct Model<'a>(Vec<(String, &'a str)>);

impl<'de> Deserialize<'de> for Model<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Model<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    members.push((name, value.get()));
                }
                Ok(Model(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// Both say the same of a text, be it JSON or not.
fn agree(text: &str) {
    let model = serde_json::from_str::<&RawValue>(text).ok().map(RawValue::get);
    assert_eq!(Json::of(text).map(Json::get), model, "{text}");
    let model = serde_json::from_str::<Model<'_>>(text).ok().map(|Model(members)| members);
    let mut found = Vec::new();
    let whole = members(text, |name, value| {
        found.push((name.string().ok()?.into_owned(), value.get()));
        Some(())
    });
    assert_eq!(whole.map(|()| found), model, "{text}");
}

#[test]
fn hard_cases_are_as_serde_json_has_them() {
    let literals =
        ["", " ", "null", "nul", "nulll", "true false", "+1", "01", "-", "-0", "1.", ".1"];
    let numbers = ["1e", "1e+", "-1.5E-07", "1e999", "0x1", "1,", "--1", "-a", "1.e1", "00"];
    let strings =
        [r#"""#, r#""\"#, r#""\u12"#, r#""\u12g4""#, r#""\ud800""#, r#""\x""#, "\"\u{7f}\""];
    let arrays = ["[", "[]", "[,]", "[1,]", "[1 2]", "[1}", "]", "[]]", "\u{feff}[]", "[\u{a0}]"];
    let objects = [
        "{",
        "{}",
        "{,}",
        "{1:2}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{"a":1"b":2}"#,
        r#"{"a":1]"#,
        r#"{"a":{"b":[{"c":[]},{}]},"a":0}"#,
        r#" { "\u0061\ud83d\ude00" : [ ] } "#,
        r#"{"\ud800":1}"#,
        "{}x",
        "{} {}",
        r#"{"é":"é"}"#,
        r#"["a":1]"#,
        r#"{"a":1,"b"}"#,
    ];
    for text in literals.into_iter().chain(numbers).chain(strings).chain(arrays).chain(objects) {
        agree(text);
    }
}

#[test]
fn any_byte_is_found_at_any_place() {
    for place in 0..70 {
        for byte in 0..0x80_u8 {
            let text = format!(r#""{}{}é{}""#, "x".repeat(place), char::from(byte), "y".repeat(9));
            agree(&text);
            agree(&format!(r#"{{{text}:{text}}}"#));
            agree(&format!(r#""\n{}\{}{}""#, "x".repeat(place), char::from(byte), "y".repeat(9)));
        }
    }
}

#[test]
fn backslashes_escape_each_other_wherever_they_stand() {
    for place in 0..140 {
        for run in 0..140 {
            let (before, backslashes) = ("x".repeat(place), "\\".repeat(run));
            agree(&format!(r#""{before}{backslashes}""#));
            agree(&format!(r#""{before}{backslashes}"x""#));
            agree(&format!(r#""\t{before}{backslashes}n""#));
            agree(&format!(r#""\t{before}{backslashes}u00e9""#));
        }
    }
}

fn piece() -> impl Strategy<Value = &'static str> {
    select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\\n",
        "\\u00e9",
        "\\ud83d\\ude00",
        "\\ud83d",
        " ",
        "\n",
        "\t",
        "0",
        "1",
        "9",
        "-",
        "+",
        ".",
        "e",
        "E",
        "true",
        "false",
        "null",
        "\"a\"",
        "\"type\"",
        "é",
        "\u{1f}",
        "\u{7f}",
        "plain text of some length",
    ])
}

fn json() -> impl Strategy<Value = String> {
    let string = collection::vec(
        select(vec!["x", "é", "\\r\\n", "\\\\", "\\\"", "\\u0041", "long enough"]),
        0..40,
    )
    .prop_map(|parts| format!("\"{}\"", parts.concat()));
    let leaf = prop_oneof![
        string.clone(),
        any::<f64>()
            .prop_filter("JSON has no NaN", |number| number.is_finite())
            .prop_map(|number| format!("{number:e}")),
        any::<i32>().prop_map(|number| number.to_string()),
        select(vec!["null", "true", "false", " null\n"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(5, 40, 5, move |value| {
        prop_oneof![
            collection::vec(value.clone(), 0..5)
                .prop_map(|values| format!("[{}]", values.join(" ,"))),
            collection::vec((string.clone(), value), 0..5).prop_map(|members| {
                let members: Vec<_> =
                    members.iter().map(|(name, value)| format!("{name} : {value}")).collect();
                format!("{{ {} }}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn anything_is_as_serde_json_has_it(pieces in collection::vec(piece(), 0..24)) {
        agree(&pieces.concat());
    }

    #[test]
    fn json_is_as_serde_json_has_it_whole_and_damaged(
        text in json(),
        place in any::<prop::sample::Index>(),
        other in piece(),
    ) {
        agree(&text);
        let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
        let place = places[place.index(places.len())];
        agree(&text[..place]);
        agree(&text[place..]);
        agree(&format!("{}{other}{}", &text[..place], &text[place..]));
        let rest = text[place..].chars().next().map_or(0, char::len_utf8);
        agree(&format!("{}{other}{}", &text[..place], &text[place + rest..]));
    }
}
