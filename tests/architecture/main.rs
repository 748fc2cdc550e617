//! Holds the crate to its floors: who may import whom, and where clock, chance, threads and files may appear.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod breach;
mod rules;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use breach::Breach;
use source::Source;

#[test]
fn the_source_keeps_the_house_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(&path).unwrap())
    };
    let files: Vec<(String, String)> = rust_files(&root).into_iter().map(read).collect();
    assert!(files.len() > 20, "the scanner does not see the source");
    let breaches: Vec<String> = breaches(&files).iter().map(ToString::to_string).collect();
    assert!(breaches.is_empty(), "{} breaches of the house rules:\n{}", breaches.len(), breaches.join("\n"));
}

/// Every breach in a tree of files, given with their paths below `src`.
fn breaches(files: &[(String, String)]) -> Vec<Breach> {
    let sources: Vec<Source> = files.iter().map(|(name, text)| Source::read(name, text)).collect();
    let tests: Vec<String> = sources.iter().flat_map(|source| source.test_files.clone()).collect();
    let shipped = sources.iter().filter(|source| !is_test(&source.name, &tests));
    sources.iter().flat_map(rules::of_every_file).chain(shipped.flat_map(rules::of_shipped_code)).collect()
}

/// Whether a file is declared under `#[cfg(test)]`, or lies in the folder of one that is.
fn is_test(name: &str, tests: &[String]) -> bool {
    let lies_in = |folder: &str| name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    tests.iter().any(|test| test == name || lies_in(test.trim_end_matches("/mod.rs").trim_end_matches(".rs")))
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, text: &str) -> Vec<String> {
        let files = [(name.to_owned(), format!("//! A room.\n{text}"))];
        breaches(&files).iter().map(ToString::to_string).collect()
    }

    /// One breach, on the given line of the text after the opening sentence.
    fn breach(name: &str, text: &str, line: usize, what: &str) {
        let found = found(name, text);
        assert_eq!(found.len(), 1, "{name}: {text:?}: {found:?}");
        assert!(found[0].starts_with(&format!("src/{name}:{}: ", line + 1)), "{found:?}");
        assert!(found[0].contains(what), "{found:?}");
    }

    #[test]
    fn imports_run_down_only() {
        breach("domain/a.rs", "use crate::store::Store;", 1, "domain must not import store");
        breach("domain/a.rs", "use std::fmt;\nuse crate::{\n    x509::San,\n    store::{self},\n};", 2, "store");
        breach("domain/policy/a.rs", "use super::super::super::engine::Engine;", 1, "engine");
        breach("domain/mod.rs", "use super::clock::Clock;", 1, "clock");
        breach("x509/a.rs", "fn f(x: crate::domain::Span) {}", 1, "domain");
        breach("store/a.rs", "pub(crate) use crate::x509::San as Name;", 1, "x509");
        breach("crypto/a.rs", "use crate::entropy::Entropy;", 1, "entropy");
        breach("engine/a.rs", "use crate::front::Auth;", 1, "front");
        breach("engine/a.rs", "use crate::Engine;", 1, "crate::Engine");
        breach("signer/a.rs", "use crate::target::X;", 1, "target");
        for fine in
            ["use crate::{x509::{San, Uri}, domain::Span};", "use super::b::C;", "use self::d::E;", "use ::time::Date;"]
        {
            assert_eq!(found("domain/a.rs", fine), [""; 0], "{fine}");
        }
    }

    #[test]
    fn foreign_crates_stay_in_their_rooms() {
        breach("domain/a.rs", "use der::Encode;", 1, "der");
        breach("store/a.rs", "fn f(x: x509_cert::Certificate) {}", 1, "x509_cert");
        breach("domain/a.rs", "use {std::fmt, spki::Any};", 1, "spki");
        assert_eq!(found("x509/a.rs", "use der::Encode;"), [""; 0]);
        assert_eq!(found("domain/a.rs", "fn f(order: u8) { order::der(); }"), [""; 0]);
    }

    #[test]
    fn clock_chance_threads_and_files_have_their_rooms() {
        breach("domain/a.rs", "fn f() { time::OffsetDateTime::now_utc(); }", 1, "now_utc");
        breach("engine/a.rs", "\nfn f() { Instant::now(); }", 2, "Instant::now");
        breach("engine/a.rs", "use std::{fmt, thread::sleep};", 1, "std::thread");
        breach("store/memory.rs", "use std::fs::File;", 1, "std::fs");
        breach("store/memory.rs", "fn f() { getrandom::fill(); }", 1, "getrandom");
        assert_eq!(found("clock.rs", "fn f() { OffsetDateTime::now_utc(); }"), [""; 0]);
        assert_eq!(found("store/sqlite/writer.rs", "use std::{fs, thread};"), [""; 0]);
    }

    #[test]
    fn shipped_code_neither_panics_nor_prints() {
        for text in ["x.unwrap();", "x.expect(\"y\");", "panic!();", "todo!()", "unimplemented!();", "println!();"] {
            let word = &text[..text.find(['(', '!']).unwrap()];
            breach("x509/a.rs", &format!("fn f() {{\n{text} }}"), 2, word.trim_start_matches('x'));
        }
        let fine = "#[expect(dead_code)]\nfn f() { x.unwrap_or(1); x.expect(); \"panic!()\"; r#\"todo!()\"#; '\"'; } // x.unwrap()";
        assert_eq!(found("x509/a.rs", fine), [""; 0]);
    }

    #[test]
    fn test_code_may() {
        let inline = "#[cfg(test)]\nmod tests {\n    use crate::domain::X;\n    fn f() { x.unwrap(); }\n}";
        assert_eq!(found("x509/a.rs", inline), [""; 0]);
        breach("x509/a.rs", &format!("{inline}\nfn g() {{ x.unwrap(); }}"), 6, "unwrap");
        let files = [
            ("x509/a.rs".to_owned(), "//! A.\n#[cfg(test)]\n#[path = \"a_tests.rs\"]\nmod tests;".to_owned()),
            ("x509/a_tests.rs".to_owned(), "//! T.\nuse crate::domain::X;".to_owned()),
            ("x509/a_tests/deep.rs".to_owned(), "//! T.\nuse crate::domain::X;".to_owned()),
        ];
        assert!(breaches(&files).is_empty());
        assert_eq!(breaches(&files[1..]).len(), 2);
    }

    #[test]
    fn every_file_says_what_it_is_for_and_stays_short() {
        let files = [("x509/a.rs".to_owned(), "use std::fmt;\n".to_owned())];
        assert!(breaches(&files)[0].to_string().contains("//!"));
        breach("x509/a.rs", &"\n".repeat(500), 499, "501 lines");
    }
}
