use super::*;

/// A token that is long enough.
const TOKEN: &str = "sp_admin_0123456789012345678901234567890123456789012";

fn line(name: &str, role: Role, token: &str) -> String {
    line_of(&name.parse().unwrap(), role, token)
}

#[test]
fn a_token_is_known_by_its_digest_only() {
    let other = TOKEN.replace('0', "1");
    let file = format!(
        "# who may\n\n  {}  \r\n{}\n{}",
        line("ann", Role::Viewer, TOKEN),
        line("ops", Role::Admin, &other),
        // While a token is replaced, both are taken.
        line("ops", Role::Admin, &other.replace('1', "2")),
    );
    assert!(!file.contains(TOKEN) && !file.contains(&other));
    let credentials: Credentials = file.parse().unwrap();
    let known = |token: &str| {
        credentials.of_token(token.as_bytes()).map(|(name, role)| (name.to_string(), role))
    };
    assert_eq!(known(TOKEN), Some(("ann".into(), Role::Viewer)));
    assert_eq!(known(&other), Some(("ops".into(), Role::Admin)));
    for wrong in ["", &TOKEN[1..], &format!("{TOKEN}x"), &TOKEN.to_uppercase(), &file] {
        assert_eq!(known(wrong), None, "{wrong}");
    }
    assert_eq!(credentials.role_of(&"ann".parse().unwrap()), Some(Role::Viewer));
    assert_eq!(credentials.role_of(&"bob".parse().unwrap()), None);
}

#[test]
fn a_short_secret_is_no_token_whatever_the_file_says() {
    let file = line("ops", Role::Admin, "hunter2");
    let credentials: Credentials = file.parse().unwrap();
    assert!(credentials.of_token(b"hunter2").is_none());
}

#[test]
fn a_line_that_cannot_be_read_is_named_and_never_repeated() {
    let good = line("ann", Role::Viewer, TOKEN);
    for (bad, words) in [
        (String::new(), "name nobody"),
        ("ann".into(), "line 1 must have a name"),
        ("ann viewer".into(), "line 1 must have a name"),
        (format!("ann boss {TOKEN}"), "line 1 must have a name"),
        (format!("ann Viewer sha256:{}", "0".repeat(64)), "viewer or admin"),
        (format!("ann admin {TOKEN}"), "one of sha256:HEX"),
        (format!("ann admin sha256:{TOKEN}"), "never the token"),
        (format!("ann admin sha256:{}", "é".repeat(32)), "64 hexadecimal digits"),
        ("ann admin sha256:".into(), "64 hexadecimal digits"),
        ("ann admin cn:".into(), "cn:NAME"),
        ("ann admin md5:x".into(), "one of sha256:HEX"),
        (format!("{TOKEN} admin cn:x"), "not a token"),
        (format!("{} admin cn:x", "x".repeat(65)), "at most 64"),
        ("a\u{7}nn admin cn:x".into(), "at most 64"),
        (format!("{good}\n# no\nann admin cn:x"), "line 3 gives a name another role"),
        (format!("{good}\n{}", good.replace("ann", "bob")), "line 2 has the credential"),
    ] {
        let fault = bad.parse::<Credentials>().unwrap_err().to_string();
        assert!(fault.contains(words), "{bad}: {fault}");
        assert!(!fault.contains("0123456789"), "{fault}");
    }
}
