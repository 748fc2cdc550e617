//! Settings of ACME enrollment on an attachment.

use serde::{Deserialize, Serialize};

use super::ChallengeKind;
use crate::domain::renewal::RenewalSetting;
use crate::domain::{AutoRenewal, Span};
use crate::x509::{DnsName, InvalidValue, Uri};

/// Settings of ACME enrollment.
///
/// ```
/// use chancery::domain::AcmeSettings;
/// let settings: AcmeSettings = serde_json::from_str(r#"{
///     "terms": "https://ca.example.com/terms",
///     "networks": "also_private",
///     "caa": ["ca.example.com"],
///     "limits": { "orders_per_identifier": { "count": 10, "per": "1h" } }
/// }"#)?;
/// assert!(settings.faults().is_empty());
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AcmeSettings {
    /// What clients must prove.
    pub checks: AcmeChecks,
    /// Where the terms of service stand, https; clients must agree to them to get an account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms: Option<String>,
    /// A page for people about this server, https.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub website: Option<String>,
    /// By which challenges control may be proved.
    pub challenges: Vec<ChallengeKind>,
    /// Into which networks the verifier may look.
    pub networks: AcmeNetworks,
    /// The domain names by which CAA records name this office (RFC 8659 section 4.2); without any, CAA records are not asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub caa: Vec<String>,
    /// How often a challenge is looked at before it is invalid, 1 to 10.
    pub attempts: u8,
    /// How long orders, and authorizations that wait for their proof, live: 10 minutes to 30 days.
    pub order_life: Span,
    /// How long a proof of control is good for further orders of the same account: up to 90 days, with `caa` up to 8 hours
    /// (RFC 8659 section 7).
    pub proof_life: Span,
    /// In which part of a certificate's life its client is told to renew (ARI, RFC 9773); absent takes the profile's `auto_renew`, or
    /// else `2/3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewal: Option<RenewalSetting>,
    /// How much may be asked.
    #[serde(skip_serializing_if = "AcmeLimits::is_unlimited")]
    pub limits: AcmeLimits,
}

/// What ACME clients must prove. That both checks are skipped can not be said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AcmeChecks {
    /// An account binding and control of each identifier.
    #[default]
    All,
    /// Only an account binding.
    SkipOwnership,
    /// Only control of each identifier.
    SkipAccountBinding,
}

impl AcmeChecks {
    /// Whether accounts are made only with an external account binding.
    pub fn needs_binding(self) -> bool {
        self != Self::SkipAccountBinding
    }

    /// Whether control of each identifier must be proved.
    pub fn needs_ownership(self) -> bool {
        self != Self::SkipOwnership
    }
}

/// Into which networks a challenge verifier may look for this attachment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AcmeNetworks {
    /// Public addresses alone.
    #[default]
    Public,
    /// Private ones, too: for a CA of internal names.
    AlsoPrivate,
}

/// How much may be asked; `None` without limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AcmeLimits {
    /// New orders of one account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orders_per_account: Option<Rate>,
    /// New orders that name one identifier, over all accounts of the attachment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orders_per_identifier: Option<Rate>,
}

impl AcmeLimits {
    fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }
}

/// So many in such a time. They may come at once; then they come back evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many, at least 1.
    pub count: u32,
    /// In which time, at least a second for each.
    pub per: Span,
}

impl Default for AcmeSettings {
    fn default() -> Self {
        Self {
            checks: AcmeChecks::default(),
            terms: None,
            website: None,
            challenges: ChallengeKind::ALL.to_vec(),
            networks: AcmeNetworks::default(),
            caa: Vec::new(),
            attempts: 3,
            order_life: Span::hours(24),
            proof_life: Span::hours(8),
            renewal: None,
            limits: AcmeLimits::default(),
        }
    }
}

/// The longest time between a look at CAA records and the certificate (RFC 8659 section 7: 8 hours at most).
const LONGEST_CAA: Span = Span::hours(8);

impl AcmeSettings {
    /// Every setting out of its bounds, with its path.
    pub fn faults(&self) -> Vec<(String, InvalidValue)> {
        let mut faults = Vec::new();
        let mut expect = |holds: bool, field: &str, seen: String, accepted: &'static str| {
            if !holds {
                faults.push((field.to_owned(), InvalidValue::new("acme", seen, accepted)));
            }
        };
        for (field, url) in [("terms", &self.terms), ("website", &self.website)] {
            let url = url.as_deref().unwrap_or("https://absent.example/");
            expect(
                url.starts_with("https://") && url.parse::<Uri>().is_ok(),
                field,
                url.into(),
                "an absolute https URL",
            );
        }
        expect((1..=10).contains(&self.attempts), "attempts", self.attempts.to_string(), "1 to 10");
        let lives = Span::minutes(10)..=Span::days(30);
        expect(lives.contains(&self.order_life), "order_life", self.order_life.to_string(), "10min to 30d");
        let longest = if self.caa.is_empty() { Span::days(90) } else { LONGEST_CAA };
        let is_short = self.proof_life <= longest && self.proof_life.as_seconds() >= 60;
        expect(is_short, "proof_life", self.proof_life.to_string(), "1min to 90d; to 8h where CAA records are asked");
        let kinds = &self.challenges;
        let is_set = !kinds.is_empty() && (1..kinds.len()).all(|at| !kinds[..at].contains(&kinds[at]));
        expect(is_set, "challenges", format!("{} entries", kinds.len()), "each challenge once, one at least");
        let named = |name: &String| name.parse::<DnsName>().is_ok_and(|name| !name.is_wildcard());
        for (at, name) in self.caa.iter().enumerate() {
            expect(named(name), &format!("caa[{at}]"), name.clone(), "a domain name");
        }
        expect(self.caa.len() <= 10, "caa", format!("{} entries", self.caa.len()), "at most 10 names");
        let asks = self.caa.is_empty() || self.checks.needs_ownership();
        let seen = "CAA records without a check of ownership";
        expect(asks, "caa", seen.into(), "none where ownership is not checked: they are asked when it is");
        let limits = [
            ("limits.orders_per_account", self.limits.orders_per_account),
            ("limits.orders_per_identifier", self.limits.orders_per_identifier),
        ];
        for (field, rate) in limits.into_iter().filter_map(|(field, rate)| Some((field, rate?))) {
            let fits = rate.count > 0 && rate.per.as_seconds() >= u64::from(rate.count);
            expect(fits, field, format!("{} in {}", rate.count, rate.per), "at least 1, and at most one a second");
        }
        let renewal = self.renewal.clone().map(AutoRenewal::On);
        faults.extend(renewal.and_then(|renewal| renewal.fault(None)).map(|error| ("renewal".to_owned(), error)));
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Vec<String> {
        let settings: AcmeSettings = serde_json::from_str(text).unwrap();
        settings.faults().into_iter().map(|(field, _)| field).collect()
    }

    #[test]
    fn the_defaults_are_fine_and_check_everything() {
        let settings: AcmeSettings = serde_json::from_str("{}").unwrap();
        assert_eq!(settings, AcmeSettings::default());
        assert!(settings.checks.needs_binding() && settings.checks.needs_ownership());
        assert!(settings.faults().is_empty());
    }

    #[test]
    fn that_both_checks_are_skipped_can_not_be_said() {
        for checks in [AcmeChecks::All, AcmeChecks::SkipOwnership, AcmeChecks::SkipAccountBinding] {
            assert!(checks.needs_binding() || checks.needs_ownership());
        }
    }

    #[test]
    fn every_fault_at_once() {
        let text = r#"{"terms":"http://a.example/","attempts":0,"order_life":"5min","proof_life":"9h","challenges":[],
            "caa":["*.example.com"],"limits":{"orders_per_account":{"count":0,"per":"1h"}}}"#;
        let expected =
            ["terms", "attempts", "order_life", "proof_life", "challenges", "caa[0]", "limits.orders_per_account"];
        assert_eq!(fields(text), expected);
        assert_eq!(fields(r#"{"checks":"skip_ownership","caa":["ca.example"]}"#), ["caa"]);
    }
}
