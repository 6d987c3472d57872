//! Keys as they are read, and tokens by what they say.

use std::time::{Duration, UNIX_EPOCH};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use pem::Pem;
use serde_json::{Value, json};

use super::{key::Curve, *};
use crate::{config::limits, id::RoomId, room::Role};

const SECRET: &[u8] = b"9Hk2vQ7pX4sL0wZ8tB6nR1yC5mD3fGjA9Hk2vQ7pX4sL0wZ8tB6nR1yC5mD3fGj+";
const NOW: u64 = 1_800_000_000;

fn secret() -> Key {
    Key::from_secret(&Secret::of(SECRET).unwrap())
}

/// An authority that knows this key.
fn authority(key: Key, expected: Expected) -> Authority {
    let files = Files { secret: None, public: Vec::new(), jwks: None };
    Authority { is_required: true, expected, files, keys: RwLock::new([key].into()), remote: None }
}

fn signed(header: &Header, claims: &Value) -> String {
    encode(header, claims, &EncodingKey::from_secret(SECRET)).unwrap()
}

fn check(claims: &Value) -> Result<Pass, Refused> {
    let text = signed(&Header::default(), claims);
    let now = UNIX_EPOCH + Duration::from_secs(NOW);
    authority(secret(), Expected::default()).verify(&Token::read(&text).unwrap(), now)
}

/// The claims that every token has, with these instead or beside.
fn with(more: Value) -> Value {
    let mut claims = json!({"sub": "ann", "exp": NOW + 60});
    let Value::Object(more) = more else { panic!("an object") };
    claims.as_object_mut().unwrap().extend(more);
    claims
}

#[test]
fn a_token_says_who_somebody_is() {
    let pass = check(&with(json!({
        "name": "Ann", "role": "host", "rooms": ["a", "team-*"], "metadata": {"seat": [1]},
        "iat": NOW, "nbf": NOW, "jti": "x", "azp": {"a": null},
    })))
    .unwrap();
    assert_eq!(pass.user_id.as_str(), "ann");
    assert_eq!(pass.display_name.as_ref().unwrap().as_str(), "Ann");
    assert_eq!(pass.role, Role::Host);
    assert_eq!(pass.vouched.metadata.as_deref(), Some(r#"{"seat":[1]}"#));
    assert_eq!(pass.expires_at, UNIX_EPOCH + Duration::from_secs(NOW + 60));
    let admits = |room: &str| pass.admits(&room.parse::<RoomId>().unwrap());
    for (room, expected) in [
        ("a", true),
        ("aa", false),
        ("A", false),
        ("team-", true),
        ("team-x", true),
        ("tea", false),
    ] {
        assert_eq!(admits(room), expected, "{room}");
    }

    let plain = check(&with(json!({"name": ""}))).unwrap();
    assert!(plain.display_name.is_none() && plain.vouched.metadata.is_none());
    assert_eq!(plain.role, Role::Member);
    assert!(plain.rooms().is_none());
}

#[test]
fn rooms_are_for_all_for_some_or_for_none() {
    for (rooms, admits) in [
        (json!([]), false),
        (json!(["*"]), true),
        (json!(["r"]), true),
        (json!(["r*"]), true),
        (json!(["x", "s*"]), false),
        (json!(["*r"]), false),
    ] {
        let pass = check(&with(json!({"rooms": rooms}))).unwrap();
        assert_eq!(pass.admits(&"r".parse().unwrap()), admits, "{rooms}");
    }
}

#[test]
fn claims_that_are_not_as_they_must_be_are_refused() {
    let long = "x".repeat(129);
    let many: Vec<_> = (0..=limits::TOKEN_ROOMS).map(|nth| nth.to_string()).collect();
    for refused in [
        json!({"exp": null}),
        json!({"exp": (NOW + 60).to_string()}),
        json!({"exp": -1}),
        json!({"exp": 1e300}),
        json!({"exp": true}),
        json!({"exp": [NOW + 60]}),
        json!({"exp": NOW - 30}),
        json!({"nbf": NOW + 31}),
        json!({"nbf": "0"}),
        json!({"iat": NOW + 31}),
        json!({"iat": NOW + 20, "exp": NOW + 10}),
        json!({"iat": "now"}),
        json!({"sub": ""}),
        json!({"sub": 7}),
        json!({"sub": null}),
        json!({"sub": long}),
        json!({"sub": "a\u{0}"}),
        json!({"sub": "a\nb"}),
        json!({"name": 7}),
        json!({"name": null}),
        json!({"metadata": null}),
        json!({"name": "x".repeat(65)}),
        json!({"name": "a\u{1b}[2J"}),
        json!({"role": "admin"}),
        json!({"role": "Host"}),
        json!({"role": null}),
        json!({"rooms": "a"}),
        json!({"rooms": null}),
        json!({"rooms": [""]}),
        json!({"rooms": [7]}),
        json!({"rooms": [long]}),
        json!({"rooms": many}),
        json!({"metadata": "x".repeat(limits::VOUCHED_BYTES - 1)}),
        // Nobody here is anybody's audience.
        json!({"aud": "signalpost"}),
        json!({"aud": []}),
    ] {
        assert!(check(&with(refused.clone())).is_err(), "{refused}");
    }
    for taken in [
        json!({"exp": NOW - 29}),
        json!({"exp": (NOW as f64) + 0.5}),
        json!({"nbf": NOW + 30}),
        json!({"sub": "語".repeat(128)}),
        json!({"rooms": ["語".repeat(128) + "*"]}),
        json!({"rooms": many[1..]}),
        json!({"metadata": "x".repeat(limits::VOUCHED_BYTES - 2)}),
    ] {
        assert!(check(&with(taken.clone())).is_ok(), "{taken}");
    }
    for missing in [json!({"sub": "ann"}), json!({"exp": NOW + 60})] {
        assert!(check(&missing).is_err(), "{missing}");
    }
}

#[test]
fn tokens_are_for_whom_and_of_whom_they_must_be() {
    use clap::Parser as _;

    let flags = "--jwks f --jwt-issuer https://login --jwt-audience calls,chat";
    let flags = ["signalpost"].into_iter().chain(flags.split(' '));
    let config = crate::config::Config::try_parse_from(flags).unwrap();
    let now = UNIX_EPOCH + Duration::from_secs(NOW);
    let check = |claims: Value| {
        let text = signed(&Header::default(), &with(claims));
        let authority = authority(secret(), Expected::of(&config.auth_flags));
        authority.verify(&Token::read(&text).unwrap(), now)
    };
    let issuer = "https://login";
    for taken in
        [json!({"iss": issuer, "aud": "calls"}), json!({"iss": issuer, "aud": ["other", "chat"]})]
    {
        assert!(check(taken.clone()).is_ok(), "{taken}");
    }
    for refused in [
        json!({"iss": issuer}),
        json!({"aud": "calls"}),
        json!({"iss": "https://login/", "aud": "calls"}),
        json!({"iss": [issuer], "aud": "calls"}),
        json!({"iss": issuer, "aud": "call"}),
        json!({"iss": issuer, "aud": []}),
        json!({"iss": issuer, "aud": ["calls", 7]}),
        json!({"iss": issuer, "aud": null}),
    ] {
        assert!(check(refused.clone()).is_err(), "{refused}");
    }
}

#[test]
fn headers_with_two_meanings_are_refused() {
    let encoded = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let claims = encoded(&with(json!({})).to_string());
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"HS257"}"#,
        r#"{"alg":"ES512"}"#,
        r#"{"alg":7}"#,
        r#"{"typ":"JWT"}"#,
        r#"["HS256"]"#,
        r#"{"alg":"HS256","alg":"HS256"}"#,
        r#"{"alg":"HS256","\u0061lg":"none"}"#,
        r#"{"alg":"HS256","x":1,"x":1}"#,
        r#"{"alg":"HS256","crit":[]}"#,
        r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
        r#"{"alg":"HS256","kid":7}"#,
        r#"{"alg":"HS256","typ":"logout+jwt"}"#,
        r#"{"alg":"HS256"} {}"#,
        "",
    ] {
        let text = format!("{}.{claims}.{claims}", encoded(header));
        assert!(Token::read(&text).is_err(), "{header}");
    }
    for text in ["", ".", "..", "a.b", "e30.e30.e30.e30", "e30=.e30.", "é.é.é"] {
        assert!(Token::read(text).is_err(), "{text}");
    }
    for header in
        [r#"{"alg":"HS256","typ":"application/at+jwt","cty":"x"}"#, r#"{"alg":"Ed25519"}"#]
    {
        assert!(Token::read(&format!("{}.{claims}.", encoded(header))).is_ok(), "{header}");
    }
}

#[test]
fn a_secret_of_32_bytes_is_good_for_every_length_of_hash() {
    let every = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
    let shortest = Secret::of(&SECRET[..32]).unwrap();
    assert_eq!(Key::from_secret(&shortest).algorithms, every);
}

#[test]
fn a_token_is_tried_against_8_keys_and_first_against_those_of_its_name() {
    let other = || Key::from_secret(&Secret::of(&SECRET[1..]).unwrap());
    let named = |id: Option<&str>, key: Key| Key { id: id.map(str::to_owned), ..key };
    let is_taken = |others: usize, of: Option<&str>, id: Option<&str>, says: Option<&str>| {
        let keys = (0..others).map(|_| named(of, other())).chain([named(id, secret())]);
        let authority = authority(secret(), Expected::default());
        *authority.keys.write() = keys.collect();
        let header = Header { kid: says.map(str::to_owned), ..Header::default() };
        let text = signed(&header, &with(json!({})));
        let now = UNIX_EPOCH + Duration::from_secs(NOW);
        authority.verify(&Token::read(&text).unwrap(), now).is_ok()
    };
    let most = limits::TOKEN_KEYS;
    for (others, of, id, says, expected) in [
        (most - 1, None, None, None, true),
        (most, None, None, None, false),
        (most, Some("a"), Some("b"), None, false),
        (limits::JWKS_KEYS, Some("a"), Some("b"), Some("b"), true),
        (limits::JWKS_KEYS, None, Some("b"), Some("b"), true),
        (limits::JWKS_KEYS, Some("b"), Some("b"), Some("b"), false),
        (limits::JWKS_KEYS, Some("a"), None, Some("b"), true),
    ] {
        assert_eq!(is_taken(others, of, id, says), expected, "{others} {of:?} {id:?} {says:?}");
    }
}

#[test]
fn more_keys_in_files_than_a_token_is_tried_against_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let read = |keys: usize| {
        let one = rcgen::KeyPair::generate().unwrap();
        std::fs::write(&file, rcgen::PublicKeyData::subject_public_key_info(&one)).unwrap();
        let block = pem::encode(&Pem::new("PUBLIC KEY", std::fs::read(&file).unwrap()));
        std::fs::write(&file, block.repeat(keys)).unwrap();
        Files { secret: None, public: vec![file.clone()], jwks: None }.read()
    };
    assert!(read(limits::TOKEN_KEYS).is_ok());
    let fault = read(limits::TOKEN_KEYS + 1).unwrap_err().to_string();
    assert!(fault.contains("--jwks") && fault.contains("9 keys"), "{fault}");
}

#[test]
fn keys_of_other_kinds_are_refused_by_name() {
    let pem = |tag: &str, bytes: &[u8]| pem::encode(&Pem::new(tag, bytes));
    let private = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let p521 = "-----BEGIN PUBLIC KEY-----
MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBtvvPVWV/Omt5ymHjdj/TuvDgKPbE
fegh45X5peBq1aiaPIMj3/StPYuHijc1K+v9TzQ4bAeZ1553KCorlKfDn3oB1V+O
5z9rM6axsKqpxZMXFT5DzZG1GjofloQuRNqXBNyjlKieNw2c8e0uxk7oSuvl/4N/
czFK+ZBI3mG2aFVKcbI=
-----END PUBLIC KEY-----";
    for (text, why) in [
        (String::new(), "holds no key"),
        ("hello".to_owned(), "holds no key"),
        (private, "private key"),
        (pem("RSA PRIVATE KEY", b"x"), "private key"),
        (pem("CERTIFICATE", b"x"), "certificate"),
        (pem("PUBLIC KEY", b"x"), "no proper public key"),
        (pem("RSA PUBLIC KEY", b"x"), "no proper RSA key"),
        (pem("DH PARAMETERS", b"x"), "something else"),
        (p521.to_owned(), "P-521"),
    ] {
        let fault = Key::from_pem(text.as_bytes()).unwrap_err().to_string();
        assert!(fault.contains(why), "{fault}, not {why}");
    }
    for (modulus, why) in [(vec![255; 255], "less than 2048"), (vec![255; 513], "more than 4096")] {
        assert!(Key::from_rsa(&modulus, &[1, 0, 1]).unwrap_err().to_string().contains(why));
    }
    assert!(Key::from_rsa(&[&[0][..], &[255; 256]].concat(), &[1, 0, 1]).is_ok());
    for (last, exponent) in
        [(254, &[1, 0, 1][..]), (255, &[1]), (255, &[0, 1]), (255, &[4]), (255, &[])]
    {
        let modulus = [&[255; 255][..], &[last]].concat();
        assert!(Key::from_rsa(&modulus, exponent).is_err(), "{last} {exponent:?}");
    }
    assert!(Key::from_rsa(&[255; 256], &[3]).is_ok());
    assert!(Key::from_point(Curve::P256, &[4; 65]).is_err());
    assert!(Key::from_point(Curve::P256, &[4; 97]).is_err());
    assert!(Key::from_point(Curve::P384, &[2; 97]).is_err());
}

fn jwk(more: Value) -> Value {
    // The curve's base point (FIPS 186-4, appendix D.1.2.3).
    let x = "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY";
    let y = "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU";
    let mut jwk = json!({"kty": "EC", "crv": "P-256", "kid": "1", "x": x, "y": y});
    let Value::Object(more) = more else { panic!("an object") };
    jwk.as_object_mut().unwrap().extend(more);
    jwk
}

#[test]
fn a_set_gives_the_keys_that_are_for_signatures() {
    let read = |keys: Value| jwk_set::read(json!({"keys": keys}).to_string().as_bytes());
    let other = json!([
        jwk(json!({"use": "enc"})),
        jwk(json!({"key_ops": ["sign"]})),
        jwk(json!({"alg": "ES384"})),
        jwk(json!({"crv": "secp256k1"})),
        jwk(json!({"crv": "P-521"})),
        jwk(json!({"kty": "OKP", "crv": "X25519"})),
        jwk(json!({"kty": "new"})),
        jwk(json!({"kty": 7})),
        7,
    ]);
    let mut all = other.clone();
    all.as_array_mut().unwrap().extend([
        jwk(json!({"use": "sig", "alg": "ES256"})),
        jwk(json!({"kid": null, "key_ops": ["verify"]})),
        jwk(json!({"kty": "OKP", "crv": "Ed25519", "kid": "2"})),
    ]);
    let keys = read(all).unwrap();
    let keys: Vec<_> = keys.iter().map(|key| (key.id.as_deref(), &*key.algorithms)).collect();
    let (es, ed) = ([Algorithm::ES256], [Algorithm::EdDSA]);
    assert_eq!(keys, [(Some("1"), &es[..]), (None, &es), (Some("2"), &ed)]);

    let short = BASE64_URL_SAFE_NO_PAD.encode([255; 128]);
    for refused in [
        other,
        json!([]),
        json!([jwk(json!({})), {"kty": "oct", "k": "c2VjcmV0"}]),
        json!([jwk(json!({})), {"kty": "oct", "k": "c2VjcmV0", "kid": 7}]),
        json!([jwk(json!({"d": "x"}))]),
        json!([jwk(json!({})), jwk(json!({"kid": 7, "d": "x"}))]),
        json!([jwk(json!({})), {"kty": "RSA", "n": "x", "e": "AQAB", "q": "x"}]),
        json!([jwk(json!({"y": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY"}))]),
        json!([jwk(json!({"x": "?"}))]),
        json!([jwk(json!({"y": null}))]),
        json!([jwk(json!({"crv": "P-384"}))]),
        json!([{"kty": "RSA", "n": short, "e": "AQAB"}]),
        json!(vec![jwk(json!({})); limits::JWKS_KEYS + 1]),
    ] {
        assert!(read(refused.clone()).is_err(), "{refused}");
    }
    assert!(jwk_set::read(b"[]").is_err() && jwk_set::read(b"").is_err());
}
