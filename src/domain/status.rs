//! How an issuer tells which of its certificates are revoked: its CRLs and its OCSP responder.

use serde::{Deserialize, Serialize};

use super::{IssuerUrls, Span};
use crate::x509::InvalidValue;

/// Most shards of one issuer's CRL.
pub const MAX_CRL_SHARDS: u32 = 256;

/// How an issuer tells which of its certificates are revoked.
///
/// ```
/// use chancery::domain::StatusSettings;
/// let status: StatusSettings = serde_json::from_str(r#"{
///     "crl": { "validity": "7d", "overlap": "2d", "shards": 4 }, "ocsp": { "responder": "delegated" }
/// }"#)?;
/// assert!(status.ocsp.is_some());
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StatusSettings {
    /// Its CRLs. If it is absent they are made with the default settings: always if the issuer has URLs for them, otherwise
    /// from the first revocation on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crl: Option<CrlSettings>,
    /// Its OCSP responder; off if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ocsp: Option<OcspSettings>,
}

/// How an issuer's CRLs are made (RFC 5280 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrlSettings {
    /// The time from thisUpdate to nextUpdate, 10 minutes to 365 days.
    pub validity: Span,
    /// How long before nextUpdate the next one is made, less than the validity.
    pub overlap: Span,
    /// Into how many lists the revocations are split, 1 to [`MAX_CRL_SHARDS`]. It can grow and never shrink.
    pub shards: u32,
}

impl Default for CrlSettings {
    fn default() -> Self {
        Self { validity: Span::days(7), overlap: Span::days(1), shards: 1 }
    }
}

/// How OCSP requests are answered (RFC 6960).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OcspSettings {
    /// Who signs the answers.
    pub responder: OcspResponder,
    /// The time from thisUpdate to nextUpdate, 10 minutes to 30 days.
    pub validity: Span,
}

impl Default for OcspSettings {
    fn default() -> Self {
        Self { responder: OcspResponder::Issuer, validity: Span::hours(12) }
    }
}

/// Who signs OCSP responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OcspResponder {
    /// The issuer's own key.
    Issuer,
    /// A key of its own, certified by the issuer for OCSP signing alone and for a short time (RFC 6960 section 4.2.2.2).
    /// It is sealed and kept, or with the signer that the host hands over under the issuer's name and `-ocsp`.
    Delegated,
}

impl StatusSettings {
    /// Every setting that can not be, beside the issuer's URLs, with its path.
    pub fn faults(&self, urls: &IssuerUrls) -> Vec<(String, InvalidValue)> {
        let mut faults = Vec::new();
        let mut expect = |holds: bool, field: &str, seen: String, accepted: &str| {
            if !holds {
                faults.push((format!("status.{field}"), InvalidValue::new("status", seen, accepted.to_owned())));
            }
        };
        if let Some(crl) = &self.crl {
            let lengths = Span::minutes(10)..=Span::days(365);
            expect(lengths.contains(&crl.validity), "crl.validity", crl.validity.to_string(), "10min to 365d");
            expect(crl.overlap < crl.validity, "crl.overlap", crl.overlap.to_string(), "less than the validity");
            let shards = crl.shards;
            expect((1..=MAX_CRL_SHARDS).contains(&shards), "crl.shards", shards.to_string(), "1 to 256");
            let is_told_apart = shards == 1 || urls.tell_shards_apart();
            let accepted = "1, unless every CRL URL holds `{shard}`: relying parties find a shard by its URL";
            expect(is_told_apart, "crl.shards", shards.to_string(), accepted);
        }
        if let Some(ocsp) = &self.ocsp {
            let lengths = Span::minutes(10)..=Span::days(30);
            expect(lengths.contains(&ocsp.validity), "ocsp.validity", ocsp.validity.to_string(), "10min to 30d");
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(status: &StatusSettings, urls: &[&str]) -> Vec<String> {
        let urls = IssuerUrls { crl: urls.iter().map(|url| (*url).to_owned()).collect(), ..IssuerUrls::default() };
        status.faults(&urls).into_iter().map(|(field, _)| field).collect()
    }

    #[test]
    fn defaults_are_fine() {
        let status = StatusSettings { crl: Some(CrlSettings::default()), ocsp: Some(OcspSettings::default()) };
        assert!(fields(&status, &[]).is_empty());
    }

    #[test]
    fn shards_need_urls_that_tell_them_apart() {
        let crl = CrlSettings { shards: 2, ..CrlSettings::default() };
        let status = StatusSettings { crl: Some(crl), ocsp: None };
        assert_eq!(fields(&status, &[]), ["status.crl.shards"]);
        assert_eq!(fields(&status, &["http://a/{shard}", "http://b/"]), ["status.crl.shards"]);
        assert!(fields(&status, &["http://a/{shard}"]).is_empty());
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let crl = CrlSettings { validity: Span::minutes(1), overlap: Span::minutes(1), shards: 0 };
        let ocsp = OcspSettings { validity: Span::days(31), ..OcspSettings::default() };
        let status = StatusSettings { crl: Some(crl), ocsp: Some(ocsp) };
        assert!(fields(&status, &["http://a/{shard}"]).len() == 4);
    }
}
