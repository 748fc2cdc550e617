//! Which certificates a sync is about.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{CertificateId, CertificateRecord, Metadata, ProfileId};
use crate::x509::InvalidValue;

/// Which of an Application's certificates a sync is about.
///
/// Within a list one match is enough; of the kinds of criteria that are given, each must match:
/// (one of `certificates` or `lineages`) *and* (one of `profiles`) *and* (every one of `tags`) *and* (none of `except`).
/// At least one criterion beside `except` must be given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selection {
    /// Exactly these certificates; what is issued in their place is not followed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<CertificateId>,
    /// These lineages, each by its first certificate: whatever is issued in place of it is followed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lineages: Vec<CertificateId>,
    /// Those that were issued under one of these profiles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<ProfileId>,
    /// Those with all of these tags.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// None of these lineages, each by its first certificate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<CertificateId>,
}

/// The most entries of each list.
const MOST: usize = 500;

impl Selection {
    /// The certificates of one lineage.
    pub fn lineage(first: CertificateId) -> Self {
        Self { lineages: vec![first], ..Self::default() }
    }

    /// The certificates issued under one profile.
    pub fn profile(profile: ProfileId) -> Self {
        Self { profiles: vec![profile], ..Self::default() }
    }

    /// The certificates with one tag.
    pub fn tag(key: &str, value: &str) -> Self {
        Self { tags: BTreeMap::from([(key.to_owned(), value.to_owned())]), ..Self::default() }
    }

    /// Whether it is about this certificate.
    pub fn matches(&self, record: &CertificateRecord) -> bool {
        let named =
            self.names_none() || self.certificates.contains(&record.id) || self.lineages.contains(&record.lineage);
        let profile = self.profiles.is_empty() || record.profile.is_some_and(|(id, _)| self.profiles.contains(&id));
        let tagged = self.tags.iter().all(|(key, value)| record.metadata.get(key) == Some(value));
        named && profile && tagged && !self.except.contains(&record.lineage)
    }

    /// Whether every certificate that this selects, if any, is sure to be selected by `other`, too.
    pub fn implies(&self, other: &Self) -> bool {
        let within = |own: &[CertificateId], others: &[CertificateId]| own.iter().all(|id| others.contains(id));
        let named = other.names_none()
            || !self.names_none()
                && within(&self.certificates, &other.certificates)
                && within(&self.lineages, &other.lineages);
        let profiles = other.profiles.is_empty()
            || !self.profiles.is_empty() && self.profiles.iter().all(|id| other.profiles.contains(id));
        let tagged = other.tags.iter().all(|(key, value)| self.tags.get(key) == Some(value));
        named && profiles && tagged && within(&other.except, &self.except)
    }

    /// Whether no certificate and no lineage is named.
    pub fn names_none(&self) -> bool {
        self.certificates.is_empty() && self.lineages.is_empty()
    }

    pub(super) fn faults(&self) -> Vec<(String, InvalidValue)> {
        let mut faults = Vec::new();
        if self.names_none() && self.profiles.is_empty() && self.tags.is_empty() {
            let accepted = "at least one of `certificates`, `lineages`, `profiles` and `tags`";
            faults.push(("select".to_owned(), InvalidValue::new("selection", "nothing", accepted)));
        }
        let lists = [
            ("certificates", self.certificates.len()),
            ("lineages", self.lineages.len()),
            ("profiles", self.profiles.len()),
            ("except", self.except.len()),
        ];
        for (field, entries) in lists.into_iter().filter(|(_, entries)| *entries > MOST) {
            let error = InvalidValue::new("selection", format!("{entries} entries"), "at most 500 entries");
            faults.push((format!("select.{field}"), error));
        }
        faults.extend(Metadata::faults(&self.tags).into_iter().map(|error| ("select.tags".to_owned(), error)));
        faults
    }
}
