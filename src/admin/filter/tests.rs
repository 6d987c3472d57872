use std::fmt::Write;

use proptest::{collection::vec, prelude::*};

use super::*;

const FIELDS: &[Field] =
    &[("room_id", Kind::Text), ("locked", Kind::Boolean), ("member_count", Kind::Number)];

fn parse(text: &str) -> Result<Filter, Fault> {
    Filter::parse(text, FIELDS)
}

#[derive(Debug, Clone)]
struct Room {
    name: String,
    locked: bool,
    members: i64,
}

impl Room {
    fn passes(&self, filter: &Filter) -> bool {
        filter.matches(|field| match field {
            "room_id" => Value::Text(self.name.as_str().into()),
            "locked" => Value::Boolean(self.locked),
            "member_count" => Value::Number(self.members),
            other => panic!("{other} is not known"),
        })
    }
}

#[test]
fn what_is_compared_and_how() {
    let room = Room { name: r#"team-"a" b\*"#.into(), locked: false, members: 3 };
    for (text, wanted) in [
        ("", true),
        (" \t\n ", true),
        (r#"room_id = "team-*" AND locked = false"#, true),
        ("room_id=team-*", true),
        ("room_id = *", true),
        ("room_id != team-*", false),
        ("room_id = team-", false),
        ("room_id = eam*", false),
        (r#"room_id="team-\"a\" b\\\*""#, true),
        (r#"room_id='team-"a" b\\\*'"#, true),
        (r#"room_id='team-"a" b\\*'"#, true),
        (r"room_id='team-\*'", false),
        (r#"room_id = """#, false),
        (r#"room_id != """#, true),
        (r#"room_id = "*""#, true),
        (r"room_id != 'AND'", true),
        ("member_count = 3", true),
        ("member_count != 3", false),
        ("member_count<3", false),
        ("member_count<=3 AND member_count>=3", true),
        ("member_count > 3", false),
        ("member_count > -1", true),
        ("locked != true", true),
        ("locked = true", false),
        ("locked = false AND member_count > 2 AND room_id = x", false),
    ] {
        assert_eq!(room.passes(&parse(text).unwrap()), wanted, "{text}");
    }
}

#[test]
fn a_fault_says_what_and_where() {
    let texts = "a text; one with spaces or signs in it goes in quotes, and so do AND, OR, NOT";
    let known = "room_id, locked, member_count";
    for (text, at, what) in [
        ("name = x", 1, format!("there is no field name, only {known}")),
        ("locked = true AND 語 = x", 19, format!("there is no field 語, only {known}")),
        ("Room_id = x", 1, format!("there is no field Room_id, only {known}")),
        ("'room_id' = x", 1, format!("a field is expected, one of {known}")),
        ("= x", 1, format!("a field is expected, one of {known}")),
        ("(locked = true)", 1, "( has no meaning here; put texts in quotes".into()),
        ("room_id", 8, "a sign is expected, = or !=".into()),
        ("room_id team", 9, "a sign is expected, = or !=".into()),
        ("member_count 3", 14, "a sign is expected, one of =, !=, <, <=, > and >=".into()),
        ("room_id ! x", 9, "! has no meaning here; put texts in quotes".into()),
        ("room_id < x", 9, "room_id is compared with = or !=".into()),
        ("locked >= true", 8, "locked is compared with = or !=".into()),
        ("room_id =", 10, format!("room_id is compared with {texts}")),
        ("room_id = AND", 11, format!("room_id is compared with {texts}")),
        ("room_id == x", 10, format!("room_id is compared with {texts}")),
        ("locked = yes", 10, "locked is compared with true or false".into()),
        ("locked = 'true'", 10, "locked is compared with true or false".into()),
        ("member_count = 3.5", 16, "member_count is compared with a whole number".into()),
        ("member_count = \"3\"", 16, "member_count is compared with a whole number".into()),
        (
            "member_count < 99999999999999999999",
            16,
            "member_count is compared with a whole number".into(),
        ),
        ("room_id = \"語", 11, "a text begins here that no \" ends".into()),
        (r"room_id = 'a\'", 11, "a text begins here that no ' ends".into()),
        (r"room_id = 'a\n'", 11, r#"after \ in quotes stands one of \, ", ' and *"#.into()),
        (r"room_id = 'a\", 11, r#"after \ in quotes stands one of \, ", ' and *"#.into()),
        ("locked = true AND", 15, "a comparison must follow this AND".into()),
        (
            "locked = true OR locked = false",
            15,
            "AND is expected, which alone joins comparisons".into(),
        ),
        (
            "locked = true and locked = true",
            15,
            "AND is expected, which alone joins comparisons".into(),
        ),
        (
            "locked = true locked = true",
            15,
            "AND is expected, which alone joins comparisons".into(),
        ),
        ("locked = true)", 14, ") has no meaning here; put texts in quotes".into()),
        ("NOT locked = true", 1, format!("there is no field NOT, only {known}")),
        (&"x".repeat(1024), 1, format!("there is no field {}…, only {known}", "x".repeat(40))),
    ] {
        assert_eq!(parse(text), Err(Fault::At { at, what }), "{text}");
    }
    assert_eq!(
        parse("room_id").unwrap_err().to_string(),
        "is not understood at character 8: a sign is expected, = or !="
    );
    let longest = format!("{:1024}", "locked = true");
    assert!(parse(&longest).is_ok());
    assert_eq!(parse(&(longest + " ")), Err(Fault::TooLong));
    assert_eq!(Fault::TooLong.to_string(), "must be at most 1024 bytes long");
}

#[test]
fn a_list_is_told_where_to_look() {
    let filter = parse("locked = true AND room_id = 'team-*' AND room_id != b").unwrap();
    assert_eq!((filter.prefix_of("room_id"), filter.equal("room_id")), (Some("team-"), None));
    let filter = parse("room_id != x* AND room_id = a AND member_count = 3").unwrap();
    assert_eq!((filter.prefix_of("room_id"), filter.equal("room_id")), (None, Some("a")));
    assert_eq!((filter.prefix_of("member_count"), filter.equal("member_count")), (None, None));
}

/// A comparison as the model has it, and how it is written.
#[derive(Debug, Clone)]
enum Said {
    Name { equal: bool, text: String, is_prefix: bool, quote: char },
    Locked { equal: bool, truth: bool },
    Members { sign: &'static str, number: i64 },
}

impl Said {
    fn holds(&self, room: &Room) -> bool {
        match self {
            Self::Name { equal, text, is_prefix: true, .. } => {
                room.name.starts_with(text) == *equal
            }
            Self::Name { equal, text, .. } => (room.name == *text) == *equal,
            Self::Locked { equal, truth } => (room.locked == *truth) == *equal,
            Self::Members { sign, number } => match *sign {
                "=" => room.members == *number,
                "!=" => room.members != *number,
                "<" => room.members < *number,
                "<=" => room.members <= *number,
                ">" => room.members > *number,
                _ => room.members >= *number,
            },
        }
    }

    fn write(&self, space: &str) -> String {
        let sign = |equal| if equal { "=" } else { "!=" };
        match self {
            Self::Name { equal, text, is_prefix, quote } => {
                let mut written = format!("room_id{space}{}{space}{quote}", sign(*equal));
                for c in text.chars() {
                    let escape = if c == *quote || c == '\\' || c == '*' { "\\" } else { "" };
                    write!(written, "{escape}{c}").unwrap();
                }
                written + if *is_prefix { "*" } else { "" } + quote.encode_utf8(&mut [0; 4])
            }
            Self::Locked { equal, truth } => format!("locked{space}{}{space}{truth}", sign(*equal)),
            Self::Members { sign, number } => format!("member_count{space}{sign}{space}{number}"),
        }
    }
}

fn said() -> impl Strategy<Value = Said> {
    let signs = prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]);
    let quote = prop::sample::select(vec!['"', '\'']);
    prop_oneof![
        (any::<bool>(), r#"[ab*\\"' 語]{0,3}"#, any::<bool>(), quote).prop_map(
            |(equal, text, is_prefix, quote)| Said::Name { equal, text, is_prefix, quote }
        ),
        (any::<bool>(), any::<bool>()).prop_map(|(equal, truth)| Said::Locked { equal, truth }),
        (signs, -1..4_i64).prop_map(|(sign, number)| Said::Members { sign, number }),
    ]
}

proptest! {
    #[test]
    fn filters_choose_as_the_model_does(
        comparisons in vec(said(), 0..5),
        space in "[ \t\n]{0,2}",
        rooms in vec((r#"[ab*\\"' 語]{0,4}"#, any::<bool>(), 0..4_i64), 1..20),
    ) {
        let text = comparisons.iter().map(|said| said.write(&space)).join(" AND ");
        let filter = parse(&text).unwrap();
        for (name, locked, members) in rooms {
            let room = Room { name, locked, members };
            let expected = comparisons.iter().all(|said| said.holds(&room));
            prop_assert_eq!(room.passes(&filter), expected, "{} {:?}", text, room);
            if room.passes(&filter) {
                prop_assert!(filter.equal("room_id").is_none_or(|name| room.name == name));
                let prefix = filter.prefix_of("room_id");
                prop_assert!(prefix.is_none_or(|prefix| room.name.starts_with(prefix)));
            }
        }
    }

    #[test]
    fn any_text_is_a_filter_or_a_fault_within_it(
        text in any::<String>(),
        pieces in vec(prop::sample::select(vec![
            "room_id", "locked", "member_count", "AND", " ", "=", "!", "<", "\"", "'", "\\", "*", "true", "3", "語", "(",
        ]), 0..12),
    ) {
        for text in [text, pieces.concat()] {
            if let Err(Fault::At { at, .. }) = parse(&text) {
                prop_assert!((1..=text.chars().count() + 1).contains(&at));
            }
        }
    }
}
