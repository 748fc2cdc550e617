//! External account bindings: keys that let clients make accounts (RFC 8555 section 7.3.4).

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{AcmeProblem, Identifier};
use crate::domain::policy::{NamePattern, Table};
use crate::domain::{AcmeBindingId, ApplicationId, Principal, ProfileId, Span};
use crate::x509::{InvalidValue, SanKind};

/// How a binding is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BindingMac {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

/// A binding key to be made.
///
/// ```
/// use chancery::domain::acme::BindingSpec;
/// let spec: BindingSpec = serde_json::from_str(r#"{
///     "name": "edge fleet", "uses": "many", "ttl": "30d",
///     "identifiers": { "dns_name": ["**.edge.example.com"], "ip_address": ["10.0.0.0/8"] }
/// }"#)?;
/// assert!(spec.faults().is_empty());
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BindingSpec {
    /// What it is for, 1 to 100 characters.
    pub name: String,
    /// For how many accounts it is good.
    #[serde(default)]
    pub uses: BindingUses,
    /// How long accounts can be made with it, at least a minute; absent until it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Span>,
    /// What the accounts may order.
    #[serde(default, skip_serializing_if = "BindingScope::is_whole")]
    pub identifiers: BindingScope,
}

/// For how many accounts a binding key is good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BindingUses {
    /// One.
    #[default]
    Once,
    /// Any number.
    Many,
}

/// Which identifiers the accounts of a binding may order: patterns by kind, `dns_name` and `ip_address`, that read as those which
/// a policy allows. Empty bounds nothing; a kind that is not named is not allowed beside one that is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BindingScope(pub Table<SanKind, Vec<String>>);

impl BindingScope {
    /// Whether it bounds nothing.
    pub fn is_whole(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an identifier may be ordered; a wildcard only if all that it stands for may be.
    pub fn covers(&self, identifier: &Identifier) -> bool {
        let san = identifier.to_san();
        let patterns = self.0.get(&san.kind()).into_iter().flatten();
        // Read when the key was made: one that can not be read any more lets nothing pass.
        let mut patterns = patterns.filter_map(|text| NamePattern::parse(san.kind(), text).ok());
        self.is_whole() || patterns.any(|pattern| pattern.covers(&san))
    }

    fn faults(&self) -> Vec<(String, InvalidValue)> {
        let mut faults = Vec::new();
        let mut entries = 0;
        for (kind, texts) in self.0.iter() {
            entries += texts.len();
            if !matches!(kind, SanKind::DnsName | SanKind::IpAddress) {
                let error = InvalidValue::new("binding", kind.as_str(), "`dns_name` and `ip_address`");
                faults.push((format!("identifiers.{kind}"), error));
            }
            for (at, text) in texts.iter().enumerate() {
                let error = NamePattern::parse(*kind, text).err();
                faults.extend(error.map(|error| (format!("identifiers.{kind}[{at}]"), error)));
            }
        }
        if entries > 100 {
            let error = InvalidValue::new("binding", entries.to_string(), "at most 100 patterns");
            faults.push(("identifiers".into(), error));
        }
        faults
    }
}

impl BindingSpec {
    /// A key for one account, without bounds.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), uses: BindingUses::Once, ttl: None, identifiers: BindingScope::default() }
    }

    /// Every fault with its path.
    pub fn faults(&self) -> Vec<(String, InvalidValue)> {
        let mut faults = Vec::new();
        let is_named = (1..=100).contains(&self.name.chars().count()) && !self.name.chars().any(char::is_control);
        if !is_named {
            let accepted = "1 to 100 characters without control characters";
            faults.push(("name".into(), InvalidValue::new("binding", &self.name, accepted)));
        }
        if let Some(ttl) = self.ttl.filter(|ttl| *ttl < Span::minutes(1)) {
            faults.push(("ttl".into(), InvalidValue::new("binding", ttl.to_string(), "at least 1min")));
        }
        faults.extend(self.identifiers.faults());
        faults
    }
}

/// A binding key as it is shown, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Its id: the `kid` of the binding.
    pub id: AcmeBindingId,
    /// The Application whose accounts it makes.
    pub application: ApplicationId,
    /// The profile at whose directory.
    pub profile: ProfileId,
    /// What it is for.
    pub name: String,
    /// For how many accounts it is good.
    pub uses: BindingUses,
    /// How many were made with it.
    pub used: u32,
    /// What they may order.
    #[serde(default, skip_serializing_if = "BindingScope::is_whole")]
    pub scope: BindingScope,
    /// Who made it.
    pub made_by: Principal,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Until when accounts can be made with it.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<OffsetDateTime>,
}

impl Binding {
    /// The same after it made one more account.
    ///
    /// # Errors
    /// `unauthorized`: its time has passed, or it was good for one account and has made it.
    pub fn used(self, now: OffsetDateTime) -> Result<Self, AcmeProblem> {
        if self.expires_at.is_some_and(|end| end <= now) {
            return Err(AcmeProblem::unauthorized("the external account binding's key has expired"));
        }
        if self.uses == BindingUses::Once && self.used > 0 {
            return Err(AcmeProblem::unauthorized("the external account binding's key has been used"));
        }
        Ok(Self { used: self.used.saturating_add(1), ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> BindingScope {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_scope_covers_what_its_patterns_take_in() {
        let scoped = scope(r#"{"dns_name":["*.example.com","**.deep.example.com","one.example"]}"#);
        for (name, covered) in [
            ("a.example.com", true),
            ("*.example.com", true),
            ("a.b.example.com", false),
            ("a.b.deep.example.com", true),
            ("*.b.deep.example.com", true),
            ("one.example", true),
            ("*.one.example", false),
            ("example.com", false),
        ] {
            assert_eq!(scoped.covers(&Identifier::dns(name).unwrap()), covered, "{name}");
        }
        assert!(!scoped.covers(&Identifier::ip("10.0.0.1").unwrap()), "a kind that is not named");
        assert!(scope(r#"{"ip_address":["10.0.0.0/8"]}"#).covers(&Identifier::ip("10.1.2.3").unwrap()));
        assert!(scope("{}").covers(&Identifier::dns("anything.example").unwrap()));
        assert!(!scope(r#"{"dns_name":[]}"#).covers(&Identifier::dns("anything.example").unwrap()));
    }

    #[test]
    fn every_fault_at_once() {
        let text = r#"{"name":"","ttl":"5s","identifiers":{"email":["a@b.example"],"dns_name":["a.*.b"]}}"#;
        let spec: BindingSpec = serde_json::from_str(text).unwrap();
        let fields: Vec<String> = spec.faults().into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["name", "ttl", "identifiers.dns_name[0]", "identifiers.email"]);
    }
}
