//! Names as indexes hold them.

use crate::crypto;
use crate::domain::CertificateRecord;
use crate::engine::submit::hex;
use crate::store::MAX_KEY_BYTES;
use crate::x509::San;

/// The names that a certificate is found by: subject alternative names, and the common name if it is none of them.
pub(super) fn searchable_names(record: &CertificateRecord) -> Vec<String> {
    let mut names: Vec<String> = record.sans.iter().map(searchable_san).collect();
    if let Some(common_name) = record.subject.common_name() {
        let name = searchable(common_name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn searchable_san(san: &San) -> String {
    match san {
        San::Dns(name) => from_the_top(name.as_str()),
        other => bounded(other.value().to_lowercase()),
    }
}

/// A name as people type it, in the form in which it is indexed.
pub(in crate::engine) fn searchable(name: &str) -> String {
    if let Ok(address) = name.parse::<std::net::IpAddr>() {
        return address.to_string();
    }
    match San::dns(name) {
        Ok(San::Dns(dns)) => from_the_top(dns.as_str()),
        _ => bounded(name.to_lowercase()),
    }
}

/// A tag in the form in which it is indexed.
pub(in crate::engine) fn tag_entry(key: &str, value: &str) -> String {
    bounded(format!("{key}={value}"))
}

/// Index values have a bound in every store: the tail of a longer one becomes its digest.
fn bounded(text: String) -> String {
    const LONGEST: usize = MAX_KEY_BYTES - 100;
    if text.len() <= LONGEST {
        return text;
    }
    let ends = text.char_indices().map(|(at, _)| at);
    let head = ends.take_while(|at| *at <= LONGEST - 65).last().unwrap_or_default();
    format!("{}#{}", &text[..head], hex(&crypto::sha256(text.as_bytes())))
}

/// `api.example.com` as `com.example.api.`: what is under a domain lies together, right behind the domain itself.
fn from_the_top(name: &str) -> String {
    let mut turned = String::with_capacity(name.len() + 1);
    for label in name.rsplit('.') {
        turned.push_str(label);
        turned.push('.');
    }
    turned
}
