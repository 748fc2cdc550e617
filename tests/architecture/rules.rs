//! The house rules, as tables.

use crate::breach::Breach;
use crate::source::{Reference, Source};

const MAX_LINES: usize = 500;

/// Floors from below; a room imports from itself and from strictly lower floors.
const FLOORS: [&[&str]; 5] = [
    &["crypto"],
    &["x509", "store", "clock", "entropy", "sealer"],
    &["challenge", "domain", "signer", "target", "notify"],
    &["engine"],
    &["front"],
];

/// Rooms whose imports are narrower, or other, than their floor allows.
// A target is handed names, tags and ids, which are values of the domain; the domain knows no target.
// So is a challenge verifier with identifiers.
const NARROWER: [(&str, &[&str]); 6] = [
    ("challenge", &["challenge", "domain", "x509", "crypto", "entropy"]),
    ("domain", &["domain", "x509"]),
    ("x509", &["x509", "crypto"]),
    ("crypto", &["crypto", "x509"]),
    ("store", &["store"]),
    ("target", &["target", "domain", "x509", "sealer", "crypto"]),
];

/// Rooms outside the floors: the crate root, its documentation, and what tests are made with.
const OUTSIDE: [&str; 5] = ["lib", "manual", "simulation", "testing", "tool"];

/// What may be named only below the given paths.
// The directory target writes files and waits for a command, on a thread of its own: a future must not block.
const CONFINED: &[(&[&str], &[&str])] = &[
    (&["der", "x509_cert", "cms", "p12_keystore", "spki"], &["x509/", "crypto/"]),
    (
        &[
            "SystemTime::now",
            "OffsetDateTime::now_utc",
            "OffsetDateTime::now_local",
            "UtcDateTime::now",
            "Instant::now",
        ],
        &["clock.rs"],
    ),
    (&["getrandom"], &["entropy.rs", "crypto/"]),
    (&["reqwest"], &["notify/", "challenge/network/"]),
    (&["lettre"], &["notify/"]),
    (&["hickory_resolver"], &["challenge/network/"]),
    (&["hmac"], &["notify/", "crypto/"]),
    // What speaks to a server over the network lives in the host's runtime.
    (&["tokio"], &["notify/", "store/postgres/", "challenge/network/"]),
    (&["tokio_postgres", "deadpool_postgres"], &["store/postgres/"]),
    (&["rustls", "tokio_rustls"], &["store/postgres/", "challenge/network/"]),
    (&["chrono", "chrono_tz"], &["domain/renewal/zone.rs"]),
    // The kit kills a process of the test's own, and waits a little before.
    (&["std::thread"], &["store/sqlite", "target/directory", "simulation/scheduler.rs", "store/conformance/killed.rs"]),
    (&["std::fs"], &["store/sqlite", "target/directory"]),
    (&["std::process"], &["target/directory", "store/conformance/killed.rs"]),
];

const PRINTING: [&str; 5] = ["println!", "eprintln!", "print!", "eprint!", "dbg!"];
const PANICKING: [&str; 5] = [".unwrap(", ".expect(", "panic!", "todo!", "unimplemented!"];

/// Code that may panic, with the reason.
const MAY_PANIC: [(&str, &str); 1] =
    [("store/conformance", "a conformance kit is test code that ships: its checks fail by panicking")];

/// What holds for test code, too.
pub(crate) fn of_every_file(source: &Source) -> Vec<Breach> {
    let mut found = Vec::new();
    let is_readme = source.name == "lib.rs" && source.first_line.starts_with("#![doc = include_str!");
    if !source.first_line.starts_with("//! ") && !is_readme {
        found.push(source.breach(1, "the file does not open with a `//!` sentence"));
    }
    if source.lines > MAX_LINES {
        found.push(source.breach(MAX_LINES, &format!("{} lines; at most {MAX_LINES}", source.lines)));
    }
    found
}

/// What holds for code outside tests.
pub(crate) fn of_shipped_code(source: &Source) -> Vec<Breach> {
    let imports = source.references.iter().filter_map(|reference| forbidden_import(source, reference));
    let names = source.references.iter().filter_map(|reference| confined(source, reference));
    imports.chain(names).chain(forbidden_words(source)).collect()
}

fn forbidden_import(source: &Source, reference: &Reference) -> Option<Breach> {
    let target = reference.path.strip_prefix("crate::")?.split("::").next()?;
    let room = source.room();
    if may_import(room, target) {
        return None;
    }
    let known = FLOORS.iter().any(|floor| floor.contains(&target)) || OUTSIDE.contains(&target);
    let what = if known {
        format!("{room} must not import {target} ({})", reference.path)
    } else {
        format!("`{}` is in no known room; inside the crate, import from the room itself", reference.path)
    };
    Some(source.breach(reference.line, &what))
}

fn may_import(room: &str, target: &str) -> bool {
    if OUTSIDE.contains(&room) || room == target {
        return true;
    }
    if let Some((_, allowed)) = NARROWER.iter().find(|(narrow, _)| *narrow == room) {
        return allowed.contains(&target);
    }
    let floor = |name: &str| FLOORS.iter().position(|rooms| rooms.contains(&name));
    floor(room).zip(floor(target)).is_some_and(|(own, other)| other < own)
}

fn confined(source: &Source, reference: &Reference) -> Option<Breach> {
    let (name, places) = CONFINED.iter().find_map(|(names, places)| {
        names.iter().find(|name| names_it(&reference.path, name)).map(|name| (*name, *places))
    })?;
    let at_home = places.iter().any(|place| source.name.starts_with(place));
    let what = || format!("`{name}` belongs under {} only", places.join(" and "));
    (!at_home).then(|| source.breach(reference.line, &what()))
}

/// Types stand anywhere in a path; crates and modules only at its beginning.
fn names_it(path: &str, name: &str) -> bool {
    let is_type = name.starts_with(|c: char| c.is_ascii_uppercase());
    let from_start = path == name || path.strip_prefix(name).is_some_and(|rest| rest.starts_with("::"));
    from_start || is_type && (path.ends_with(&format!("::{name}")))
}

fn forbidden_words(source: &Source) -> Vec<Breach> {
    let may_panic = MAY_PANIC.iter().any(|(place, _)| source.name.starts_with(place));
    let panicking = PANICKING.iter().filter(|_| !may_panic);
    let words = PRINTING.iter().chain(panicking);
    let breaches = |word: &&str| {
        let what = format!("`{word}` in shipped code");
        source.lines_with(word).map(|line| source.breach(line, &what)).collect::<Vec<_>>()
    };
    words.flat_map(breaches).collect()
}
