//! A source file as the rules see it: code without comments, literals and tests, and the paths that it names.

use crate::breach::Breach;

pub(crate) struct Source {
    /// The path below `src`.
    pub(crate) name: String,
    pub(crate) first_line: String,
    pub(crate) lines: usize,
    /// Files that this one declares as modules of tests.
    pub(crate) test_files: Vec<String>,
    /// Every path that shipped code names, `use` trees spelled out, `self` and `super` resolved to `crate`.
    pub(crate) references: Vec<Reference>,
    code: String,
}

#[derive(Debug)]
pub(crate) struct Reference {
    pub(crate) path: String,
    pub(crate) line: usize,
}

impl Source {
    pub(crate) fn read(name: &str, text: &str) -> Self {
        let (code, test_files) = without_tests(name, &without_literals(text), text);
        Self {
            name: name.to_owned(),
            first_line: text.lines().next().unwrap_or_default().to_owned(),
            lines: text.lines().count(),
            test_files,
            references: references(&module(name), &code),
            code,
        }
    }

    /// The first part of the module path; `lib` for the crate root.
    pub(crate) fn room(&self) -> &str {
        let first = self.name.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    pub(crate) fn breach(&self, line: usize, what: &str) -> Breach {
        Breach { file: self.name.clone(), line, what: what.to_owned() }
    }

    /// The lines on which `word` begins and no longer word does; an `expect()` that takes nothing is a getter.
    pub(crate) fn lines_with(&self, word: &str) -> impl Iterator<Item = usize> {
        let is_whole = |at: usize| !word.starts_with(is_word) || !self.code[..at].ends_with(is_word);
        let begins = |at: usize| is_whole(at) && !self.code[at..].starts_with(".expect()");
        let places = self.code.match_indices(word).filter(move |(at, _)| begins(*at));
        places.map(|(at, _)| line_of(&self.code, at)).collect::<Vec<_>>().into_iter()
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

fn module(name: &str) -> Vec<String> {
    let path = name.strip_suffix(".rs").unwrap_or(name);
    let parts = path.split('/').filter(|part| !matches!(*part, "mod" | "lib"));
    parts.map(str::to_owned).collect()
}

/// Comments and literals become blanks, byte for byte, so that places stay where they are.
fn without_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = skip(text, at);
        if end == at {
            at += 1;
            continue;
        }
        code[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        at = end;
    }
    // Identifiers beyond ASCII do not occur; what is left of one must not make the text unreadable.
    code.iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b' ');
    String::from_utf8(code).unwrap()
}

/// The end of the comment or literal that begins at `at`; `at` itself where none does.
fn skip(text: &str, at: usize) -> usize {
    let rest = &text.as_bytes()[at..];
    let after_word = at > 0 && is_word(text.as_bytes()[at - 1] as char);
    let find = |end: &str, from: usize| {
        let found = rest[from..].windows(end.len()).position(|window| window == end.as_bytes());
        at + found.map_or(rest.len(), |place| from + place + end.len())
    };
    match rest {
        [b'/', b'/', ..] => find("\n", 0) - usize::from(rest.contains(&b'\n')),
        [b'/', b'*', ..] => find("*/", 2),
        [b'r', b'"' | b'#', ..] if !after_word || text.as_bytes()[at - 1] == b'b' => {
            let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
            let is_string = rest.get(1 + hashes) == Some(&b'"');
            if is_string { find(&format!("\"{}", "#".repeat(hashes)), hashes + 2) } else { at }
        }
        [b'"', ..] => at + quoted(rest, b'"'),
        [b'\'', b'\\', ..] => at + quoted(rest, b'\''),
        [b'\'', ..] => {
            let character = text[at + 1..].chars().next().map_or(1, char::len_utf8);
            if rest.get(1 + character) == Some(&b'\'') { at + character + 2 } else { at }
        }
        _ => at,
    }
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// Blanks every item under `#[cfg(test)]`; tells the files that such items declare.
fn without_tests(name: &str, code: &str, text: &str) -> (String, Vec<String>) {
    let mut shipped = code.as_bytes().to_vec();
    let mut files = Vec::new();
    for mark in ["#[cfg(test)]", "#[cfg(all(test"] {
        for (start, _) in code.match_indices(mark) {
            let end = end_of_item(code, start);
            files.extend(declared_files(name, &code[start..end], &text[start..end]));
            shipped[start..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        }
    }
    (String::from_utf8(shipped).unwrap(), files)
}

fn end_of_item(code: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return at + 1,
            b'}' => depth -= 1,
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

fn declared_files(name: &str, code: &str, text: &str) -> Vec<String> {
    let Some(declared) = code.strip_suffix(';').and_then(|item| item.rsplit_once("mod ")) else { return Vec::new() };
    let directory = name.rsplit_once('/').map_or(String::new(), |(directory, _)| format!("{directory}/"));
    if let Some((_, path)) = text.split_once("#[path = \"") {
        return vec![format!("{directory}{}", path.split('"').next().unwrap_or_default())];
    }
    let inside = module(name).iter().map(|part| format!("{part}/")).collect::<String>();
    let module = declared.1.trim();
    vec![format!("{inside}{module}.rs"), format!("{inside}{module}/mod.rs")]
}

fn references(module: &[String], code: &str) -> Vec<Reference> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = code[at..].find(|c: char| is_word(c)).map(|offset| at + offset) {
        let length = code[start..].find(|c| !is_word(c)).unwrap_or(code.len() - start);
        let mut end = start + length;
        let paths = if &code[start..end] == "use" && !code[..start].ends_with("::") {
            end = code[end..].find(';').map_or(code.len(), |offset| end + offset);
            spell_out(&code[start + length..end])
        } else {
            let tail = code[start..].find(|c| !is_word(c) && c != ':').unwrap_or(code.len() - start);
            end = start + tail;
            let inside = code[..start].trim_end().ends_with("::") && !starts_absolute(&code[..start]);
            if inside { Vec::new() } else { vec![code[start..end].trim_end_matches(':').to_owned()] }
        };
        let line = line_of(code, start);
        let paths = paths.into_iter().filter(|path| path.contains("::") || path == "getrandom");
        found.extend(paths.map(|path| Reference { path: absolute(module, &path), line }));
        at = end;
    }
    found
}

/// Whether the text ends in a `::` that begins a path, as in `use ::time`.
fn starts_absolute(before: &str) -> bool {
    let head = before.trim_end().trim_end_matches("::");
    !head.ends_with(|c: char| is_word(c) || c == '>')
}

/// The paths of a `use` tree: `a::{b, c::d as e}` is `a::b` and `a::c::d`.
fn spell_out(tree: &str) -> Vec<String> {
    let tree = tree.trim().trim_start_matches("::");
    let Some((head, rest)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        let plain: String = path.split_whitespace().collect();
        return if plain.is_empty() { Vec::new() } else { vec![plain.trim_end_matches("::self").to_owned() + "::"] };
    };
    let inside = rest.rsplit_once('}').map_or(rest, |(inside, _)| inside);
    let head: String = head.split_whitespace().collect();
    let branches = top_level(inside).into_iter().flat_map(spell_out);
    branches.map(|branch| if branch == "self::" { head.clone() } else { format!("{head}{branch}") }).collect()
}

fn top_level(list: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    let commas = list.char_indices().filter(|(_, c)| {
        depth += i32::from(*c == '{') - i32::from(*c == '}');
        *c == ',' && depth == 0
    });
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in commas {
        parts.push(&list[start..at]);
        start = at + 1;
    }
    parts.push(&list[start..]);
    parts
}

fn absolute(module: &[String], path: &str) -> String {
    let path = path.trim_end_matches("::");
    let mut depth = module.len();
    let mut rest = path;
    loop {
        if let Some(after) = rest.strip_prefix("super::") {
            depth = depth.saturating_sub(1);
            rest = after;
        } else if let Some(after) = rest.strip_prefix("self::") {
            rest = after;
        } else {
            break;
        }
    }
    if rest.len() == path.len() {
        return path.to_owned();
    }
    let above = module[..depth].iter().map(|part| format!("{part}::")).collect::<String>();
    format!("crate::{above}{rest}")
}
