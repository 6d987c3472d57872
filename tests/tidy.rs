//! Rules that the source keeps.

#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test lists its cases, and panics where it fails"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Each module may name those on later lines, and itself.
const LAYERS: [&[&str]; 10] = [
    &["main"],
    &["server", "bench", "gen_token", "check_token"],
    &["http", "admin"],
    &["ws", "telemetry"],
    &["hub"],
    &["metrics"],
    &["protocol", "journal", "turn", "auth"],
    &["room", "ban", "store"],
    &["event", "password"],
    &["id", "timestamp"],
];

fn files(folder: &str, ends: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("node_modules") && !path.ends_with("output") {
                folders.push(path);
            } else if path.extension().is_some_and(|end| ends.iter().any(|e| end == *e)) {
                found.push(path);
            }
        }
    }
    found
}

fn layer(module: &str) -> usize {
    let of = LAYERS.iter().position(|layer| layer.contains(&module));
    of.unwrap_or_else(|| {
        if module == "config" { LAYERS.len() } else { panic!("no layer for {module}") }
    })
}

#[test]
fn modules_name_only_what_is_below_them() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut named = 0;
    for file in files("src", &["rs"]) {
        let inside = file.strip_prefix(&src).unwrap().with_extension("");
        let module = inside.components().next().unwrap().as_os_str().to_str().unwrap().to_owned();
        if module == "lib" || module == "main" {
            continue;
        }
        // `use crate::{…}` is read to its end; rustfmt puts each module on a line or in one list.
        let text: String = fs::read_to_string(&file).unwrap().split_whitespace().collect();
        for (at, _) in text.match_indices("crate::") {
            for name in names(&text[at + "crate::".len()..]) {
                named += 1;
                let (own, other) = (layer(&module), layer(&name));
                assert!(
                    name == module || other > own,
                    "{} names crate::{name}, which is not below {module}",
                    file.display()
                );
            }
        }
    }
    assert!(named > 50, "the scan found only {named} paths");
}

/// The first names of the paths that follow `crate::`.
fn names(text: &str) -> Vec<String> {
    let word = |text: &str| {
        text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap().to_owned()
    };
    let Some(list) = text.strip_prefix('{') else { return vec![word(text)] };
    let (mut depth, mut names, mut start) = (0, Vec::new(), true);
    for (at, c) in list.char_indices() {
        if start && depth == 0 && c.is_alphabetic() {
            names.push(word(&list[at..]));
        }
        start = depth == 0 && c == ',';
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            _ => {}
        }
    }
    names
}

#[test]
fn no_file_is_longer_than_400_lines() {
    let mut all = files("src", &["rs"]);
    all.extend(files("tests", &["rs", "js", "sh"]));
    all.extend(files("benches", &["rs", "js", "mjs", "sh"]));
    all.extend(files("client", &["js", "css", "html"]));
    all.extend(files("proto", &["proto"]));
    assert!(all.len() > 40);
    for file in all {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 400, "{} has {lines} lines", file.display());
    }
}
