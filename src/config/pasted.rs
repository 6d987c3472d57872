//! Keys and tokens in place of the name of a file: everybody on the machine can read arguments, and start-up errors,
//! which would repeat them, end up in logs.

use std::ffi::OsString;

use clap::error::ErrorKind;

/// How PEM (RFC 7468) begins, and what every JWK (RFC 7517, section 4.1) has.
const MARKS: [&str; 2] = ["-----BEGIN", "\"kty\""];

/// Refuses words of a command line of which one is a key or a token itself.
///
/// # Errors
/// What names the flag, and repeats nothing.
pub fn refuse_pasted(words: &[OsString]) -> Result<(), clap::Error> {
    let texts: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let Some(at) = texts.iter().position(|text| is_secret(text)) else { return Ok(()) };
    let flag = flag_of(&texts[at]).or_else(|| flag_of(texts.get(at.checked_sub(1)?)?));
    let text = format!(
        "{}: this is a key or a token itself, which everybody on the machine can read there; write it to a file, and \
         name that\n",
        flag.unwrap_or("an argument")
    );
    Err(clap::Error::raw(ErrorKind::ValueValidation, text))
}

fn is_secret(word: &str) -> bool {
    let value = flag_of(word).and_then(|_| word.split_once('=')).map_or(word, |(_, value)| value);
    // A JWT's header is an object in base64url, and its parts have dots between (RFC 7515, section 7.1).
    let is_token = value.starts_with("eyJ") && value.matches('.').count() == 2;
    is_token || MARKS.iter().any(|mark| value.contains(mark))
}

fn flag_of(word: &str) -> Option<&str> {
    let name = word.split_once('=').map_or(word, |(name, _)| name);
    let is_letters = |rest: &str| rest.starts_with(char::is_alphabetic) && !rest.contains(' ');
    name.strip_prefix("--").is_some_and(is_letters).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pasted_is_refused_by_its_flag_and_not_repeated() {
        let key = "-----BEGIN PRIVATE KEY-----\nhunter2=\n-----END PRIVATE KEY-----";
        for (words, flag) in [
            (&["--tls-key", key][..], "--tls-key: "),
            (&[&format!("--jwt-public-key-file={key}")], "--jwt-public-key-file: "),
            (&["--jwks", r#"{"keys":[{"kty":"oct","k":"hunter2"}]}"#], "--jwks: "),
            (&["--admin-token-file=eyJhbGciOiJub25lIn0.hunter2."], "--admin-token-file: "),
            (&[key], "an argument: "),
        ] {
            let words: Vec<_> = words.iter().map(Into::into).collect();
            let fault = refuse_pasted(&words).unwrap_err().render().to_string();
            assert!(fault.starts_with(&format!("error: {flag}")), "{fault}");
            assert!(fault.contains("to a file") && !fault.contains("hunter2"), "{fault}");
        }
        for words in
            [&["signalpost", "--jwks", "/eyJ/keys.json"][..], &["--port=80"], &["--a", "eyJ"]]
        {
            assert!(
                refuse_pasted(&words.iter().map(Into::into).collect::<Vec<_>>()).is_ok(),
                "{words:?}"
            );
        }
    }
}
