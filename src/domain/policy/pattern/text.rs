//! Patterns over free text, in which `*` stands for any run of characters.

use std::cell::OnceCell;

use super::dns::DnsPattern;
use crate::x509::DnsName;

/// Text in which `*` stands for any run of characters.
#[derive(Clone, Debug)]
pub(in crate::domain::policy) struct TextPattern {
    text: String,
    folded: String,
    /// For a common name that is a host name: the host.
    host: Option<DnsPattern>,
}

impl TextPattern {
    pub(super) fn new(text: &str, host: Option<DnsPattern>) -> Self {
        Self { text: text.to_owned(), folded: fold(text), host }
    }

    /// As written, letter by letter; a host name in either case.
    pub(super) fn covers(&self, value: &SeenText<'_>) -> bool {
        let is_host = |host: &DnsPattern| value.host().is_some_and(|name| host.covers(name));
        matches_glob(&self.text, value.text) || self.host.as_ref().is_some_and(is_host)
    }

    /// Letter case, runs of spaces and invisible characters are looked past, and a `*` in the value stands for anything:
    /// none of them may carry a value past a rule that denies it.
    pub(super) fn overlaps(&self, value: &SeenText<'_>) -> bool {
        let folded = value.folded();
        let same = match folded.contains('*') {
            true => globs_intersect(self.folded.as_bytes(), folded.as_bytes()),
            false => matches_glob(&self.folded, folded),
        };
        same || self.covers(value) || self.host.as_ref().is_some_and(|host| value.may_be_host_of(host))
    }
}

/// A subject attribute's value, with the forms of it that patterns ask for.
pub(in crate::domain::policy) struct SeenText<'a> {
    text: &'a str,
    folded: OnceCell<String>,
    host: OnceCell<Option<DnsName>>,
}

impl<'a> SeenText<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, folded: OnceCell::new(), host: OnceCell::new() }
    }

    pub(in crate::domain::policy) fn as_str(&self) -> &str {
        self.text
    }

    /// The value as a canonical DNS name, if it is one.
    pub(super) fn host(&self) -> Option<&str> {
        self.host.get_or_init(|| self.text.parse().ok()).as_ref().map(DnsName::as_str)
    }

    fn folded(&self) -> &str {
        self.folded.get_or_init(|| fold(self.text))
    }

    /// Whether somebody could take the value for a host of the pattern, be it strictly a DNS name or not: with a dot at
    /// the end, an underscore, or a `*` within a label.
    pub(super) fn may_be_host_of(&self, pattern: &DnsPattern) -> bool {
        if let Some(name) = self.host() {
            return pattern.overlaps(name);
        }
        let loose = self.folded().trim_end_matches('.');
        match loose.contains('*') {
            true => globs_intersect(pattern.glob().as_bytes(), loose.as_bytes()),
            false => {
                pattern.covers(loose) || loose.parse::<DnsName>().is_ok_and(|name| pattern.overlaps(name.as_str()))
            }
        }
    }
}

/// One case (through capitals, so that ſ is s), single inner spaces, no invisible characters (after RFC 4518 section 2).
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        let visible = word.chars().filter(|c| !is_invisible(*c));
        let mut letters = visible.flat_map(char::to_uppercase).flat_map(char::to_lowercase).peekable();
        if letters.peek().is_some() && !folded.is_empty() {
            folded.push(' ');
        }
        folded.extend(letters);
    }
    folded
}

/// Soft hyphen, zero-width and directional marks, variation selectors and tags.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffc}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Linear in the value for each star: after the first part, each next part is taken where it first occurs.
pub(super) fn matches_glob(pattern: &str, value: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = value.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

/// Whether some text fits both globs. Row by row: `fits[j]` says that what was read of `a` and `b[..j]` can be one text.
pub(super) fn globs_intersect(a: &[u8], b: &[u8]) -> bool {
    let mut fits = vec![false; b.len() + 1];
    for i in 0..=a.len() {
        let mut diagonal = false;
        for j in 0..=b.len() {
            let above = fits[j];
            let left = j > 0 && fits[j - 1];
            let (own, other) = (i.checked_sub(1).map(|at| a[at]), j.checked_sub(1).map(|at| b[at]));
            let starred = (own == Some(b'*') || other == Some(b'*')) && (above && i > 0 || left);
            let same = own.is_some() && own == other && diagonal;
            fits[j] = (i, j) == (0, 0) || starred || same;
            diagonal = above;
        }
    }
    fits.last().copied().unwrap_or_default()
}
