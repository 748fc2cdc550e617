//! Judgements for people: that a request is permitted and what the certificate would say, or every reason against it.

use maud::{Markup, html};

use super::layout::Site;
use super::parts;
use super::words;
use crate::domain::policy::Problem as Way;
use crate::domain::{Draft, Violation};
use crate::front::Fault;
use crate::x509::{Content, CsrError};

/// What comes of a dry run.
pub(super) fn permitted(site: &Site, draft: &Draft) -> Markup {
    html! {
        div .verdict.good {
            h3 { (parts::badge(parts::Tone::Good, "Permitted")) }
            p { "The policy permits it as it stands. The certificate would say:" }
            (content(site, &draft.content))
            @if !draft.ignored_extensions.is_empty() {
                p .hint { (draft.ignored_extensions.len()) " extensions of the certificate request are not known and are left out." }
            }
        }
    }
}

/// Every reason against a request.
pub(super) fn refused(violations: &[Violation]) -> Markup {
    html! {
        div .verdict.bad {
            h3 { (parts::badge(parts::Tone::Bad, "Refused")) " " (count(violations.len())) }
            (reasons(violations))
        }
    }
}

/// What can not be read, before anybody judges.
pub(super) fn unreadable(faults: &[Fault]) -> Markup {
    html! {
        div .verdict.bad {
            h3 { (parts::badge(parts::Tone::Bad, "Not complete")) " " (count(faults.len())) }
            (self::faults(faults))
        }
    }
}

fn count(reasons: usize) -> String {
    if reasons == 1 { "for 1 reason".to_owned() } else { format!("for {reasons} reasons") }
}

/// Violations, one a line: what, why, by which rule, and what would pass.
pub(super) fn reasons(violations: &[Violation]) -> Markup {
    html! {
        ul .reasons {
            @for Violation { field, problem, rule, seen, allowed } in violations {
                li {
                    p { strong { (field_name(field)) } ": " (sentence(*problem, seen)) }
                    p .why {
                        @if !allowed.is_empty() { "Allowed: " (parts::marked(&allowed.join(", "))) ". " }
                        "Rule " code { (rule) }
                    }
                }
            }
        }
    }
}

fn sentence(problem: Way, seen: &str) -> Markup {
    let quoted = html! { q { (seen) } };
    html! {
        @match problem {
            Way::Denied => { (quoted) " is denied" }
            Way::NotAllowed => { (quoted) " is not allowed" }
            Way::Missing => "it is missing",
            Way::OutOfRange => { (quoted) " is out of bounds" }
            Way::Invalid => { (quoted) " is not valid" }
            _ => (parts::marked(seen)),
        }
    }
}

/// What is wrong with a request, field by field; nothing if nothing is.
pub(super) fn faults(faults: &[Fault]) -> Markup {
    html! {
        @if !faults.is_empty() {
            ul .reasons {
                @for Fault { field, problem, seen, allowed, .. } in faults {
                    li {
                        p {
                            @if !field.is_empty() { strong { (field_name(field)) } ": " }
                            @if seen.is_empty() { (problem) } @else { q { (seen) } @if problem != "invalid" { " " (problem) } @else { " is not valid" } }
                        }
                        @if !allowed.is_empty() { p .why { "Accepted: " (parts::marked(&allowed.join(", "))) } }
                    }
                }
            }
        }
    }
}

/// Why a certificate request is none that is taken.
pub(super) fn csr_faults(error: &CsrError) -> Vec<Fault> {
    error.reasons.iter().map(|reason| Fault::said("csr", &reason.to_string(), "")).collect()
}

/// A field of a request as the form calls it.
fn field_name(field: &str) -> String {
    let (head, rest) = field.find(['.', '[']).map_or((field, ""), |at| field.split_at(at));
    let number = rest.strip_prefix('[').and_then(|rest| rest.split(']').next()?.parse::<usize>().ok());
    match (head, number) {
        ("sans", Some(number)) => format!("Name {}", number + 1),
        ("sans", None) => "Names".to_owned(),
        ("names", _) => "Names and key".to_owned(),
        ("subject", _) => format!("Subject {}", rest.trim_start_matches('.').replace('_', " ")).trim_end().to_owned(),
        ("ttl" | "validity" | "not_after" | "not_before", _) => "Lifetime".to_owned(),
        ("key_algorithm", _) => "Key".to_owned(),
        ("csr", _) => "Certificate request".to_owned(),
        ("metadata", _) => "Tags".to_owned(),
        ("approval", _) => "Approval".to_owned(),
        _ => capital(&field.replace('_', " ")),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What a certificate is to say.
pub(super) fn content(site: &Site, content: &Content) -> Markup {
    let usages: Vec<String> = content.key_usages.iter().map(|usage| usage.to_string()).collect();
    let purposes: Vec<String> = content.extended_key_usages.iter().map(ToString::to_string).collect();
    let dash = |text: String| if text.is_empty() { "none".to_owned() } else { text };
    parts::facts(&[
        ("Subject", html! { (dash(content.subject.to_string())) }),
        ("Names", parts::names(&content.sans)),
        ("Lifetime", html! { (words::length(content.validity.span())) }),
        ("Until", parts::when(site, content.validity.not_after())),
        ("Key", html! { (words::key(content.key_algorithm)) }),
        ("Key usages", html! { (dash(usages.join(", "))) }),
        ("Purposes", html! { (dash(purposes.join(", "))) }),
        ("CA", html! { (content.basic_constraints.to_string()) }),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_called_as_on_the_form() {
        let table = [
            ("sans[0]", "Name 1"),
            ("sans", "Names"),
            ("subject.common_name", "Subject common name"),
            ("subject", "Subject"),
            ("validity", "Lifetime"),
            ("csr.public_key", "Certificate request"),
            ("extended_key_usages", "Extended key usages"),
        ];
        for (field, name) in table {
            assert_eq!(field_name(field), name);
        }
    }
}
