//! Issuers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::certificate::SubjectView;
use super::{Moment, PrivateText};
use crate::domain::policy::Table;
use crate::domain::{
    CrlSettings, IssuerId, IssuerKey, IssuerRecord, IssuerSpec, IssuerState, IssuerUrls, OcspResponder, OcspSettings,
    RenewalBudget, Slug, Span, StatusSettings, Values,
};
use crate::engine::Crl;
use crate::x509::{Attribute, Certificate, KeyAlgorithm, SignatureAlgorithm, pem};

/// An issuer to be made.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::front::api) struct AuthorityBody {
    /// The unique name.
    name: Slug,
    /// What it is.
    #[serde(rename = "type")]
    pub(in crate::front::api) kind: AuthorityType,
    /// The issuer that signs an intermediate; without one, an outside CA is to sign its request.
    #[serde(default)]
    pub(in crate::front::api) parent_ca_id: Option<IssuerId>,
    /// The common name.
    common_name: String,
    /// The organization.
    #[serde(default)]
    organization: Option<Values>,
    /// The organizational unit, or several.
    #[serde(default)]
    organizational_unit: Option<Values>,
    /// The country.
    #[serde(default)]
    country: Option<Values>,
    /// The state or province.
    #[serde(default)]
    state: Option<Values>,
    /// The locality.
    #[serde(default)]
    locality: Option<Values>,
    /// The algorithm of its key.
    #[serde(default)]
    key_algorithm: Option<KeyAlgorithm>,
    /// What its certificate is signed with.
    #[serde(default)]
    signature_algorithm: Option<SignatureAlgorithm>,
    /// How long its certificate is valid.
    #[serde(default)]
    ttl: Option<Span>,
    /// How many CAs may follow below it; without limit if absent.
    #[serde(default)]
    max_path_length: Option<u8>,
    /// What certificates that it issues say about where to find things.
    #[serde(default)]
    urls: UrlsBody,
    /// How it tells which of its certificates are revoked.
    #[serde(default)]
    status: StatusBody,
}

/// What an issuer is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::front::api) enum AuthorityType {
    /// It signs its own certificate.
    Root,
    /// Another signs its certificate.
    Intermediate,
}

/// Where relying parties find things.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct UrlsBody {
    /// CRL distribution points; `{shard}` stands for the shard's number.
    crl: Vec<String>,
    /// OCSP responders.
    ocsp: Vec<String>,
    /// The issuer's own certificate.
    ca_issuers: Vec<String>,
}

impl From<UrlsBody> for IssuerUrls {
    fn from(urls: UrlsBody) -> Self {
        Self { crl: urls.crl, ocsp: urls.ocsp, ca_issuers: urls.ca_issuers }
    }
}

/// How an issuer tells which of its certificates are revoked.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct StatusBody {
    /// Its CRLs.
    #[serde(skip_serializing_if = "Option::is_none")]
    crl: Option<CrlBody>,
    /// Its OCSP responder; off if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    ocsp: Option<OcspBody>,
}

/// How CRLs are made.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct CrlBody {
    /// From thisUpdate to nextUpdate.
    validity: Span,
    /// How long before nextUpdate the next one is made.
    overlap: Span,
    /// Into how many lists the revocations are split.
    shards: u32,
}

impl Default for CrlBody {
    fn default() -> Self {
        let CrlSettings { validity, overlap, shards } = CrlSettings::default();
        Self { validity, overlap, shards }
    }
}

/// How OCSP requests are answered.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct OcspBody {
    /// Who signs the answers.
    responder: OcspResponder,
    /// From thisUpdate to nextUpdate.
    validity: Span,
}

impl Default for OcspBody {
    fn default() -> Self {
        let OcspSettings { responder, validity } = OcspSettings::default();
        Self { responder, validity }
    }
}

impl From<StatusBody> for StatusSettings {
    fn from(status: StatusBody) -> Self {
        let crl = |CrlBody { validity, overlap, shards }| CrlSettings { validity, overlap, shards };
        let ocsp = |OcspBody { responder, validity }| OcspSettings { responder, validity };
        Self { crl: status.crl.map(crl), ocsp: status.ocsp.map(ocsp) }
    }
}

impl From<StatusSettings> for StatusBody {
    fn from(status: StatusSettings) -> Self {
        let crl = |CrlSettings { validity, overlap, shards }| CrlBody { validity, overlap, shards };
        let ocsp = |OcspSettings { responder, validity }| OcspBody { responder, validity };
        Self { crl: status.crl.map(crl), ocsp: status.ocsp.map(ocsp) }
    }
}

/// How many certificates below an issuer may renew by themselves.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct BudgetBody {
    /// In one minute; without limit if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    per_minute: Option<u32>,
    /// At the same time; without limit if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrent: Option<u16>,
}

impl From<AuthorityBody> for IssuerSpec {
    fn from(body: AuthorityBody) -> Self {
        let plain = Self::new(body.name, &body.common_name);
        let further = [
            (Attribute::Organization, body.organization),
            (Attribute::OrganizationalUnit, body.organizational_unit),
            (Attribute::Country, body.country),
            (Attribute::State, body.state),
            (Attribute::Locality, body.locality),
        ];
        let further = further.into_iter().filter_map(|(attribute, values)| Some((attribute, values?)));
        let subject: Table<_, _> = plain.subject.0.into_iter().chain(further).collect();
        Self {
            subject,
            key_algorithm: body.key_algorithm.unwrap_or(plain.key_algorithm),
            signature_algorithm: body.signature_algorithm,
            ttl: body.ttl.unwrap_or(plain.ttl),
            path_length: body.max_path_length,
            urls: body.urls.into(),
            status: body.status.into(),
            name: plain.name,
        }
    }
}

/// The certificate that an outside CA issued for a waiting issuer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::front::api) struct InstallBody {
    /// The certificate, PEM.
    pub(in crate::front::api) certificate: String,
    /// Those above it, PEM.
    #[serde(default)]
    pub(in crate::front::api) certificate_chain: String,
}

/// An issuer to be taken over.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::front::api) struct AuthorityImport {
    /// The unique name.
    pub(in crate::front::api) name: Slug,
    /// Its certificate and those above it, PEM.
    pub(in crate::front::api) certificate_chain: String,
    /// Its key, PKCS#8 in PEM; without it, it is with the signer that the host handed over under the name.
    #[serde(default)]
    pub(in crate::front::api) private_key: Option<PrivateText>,
    /// What certificates that it issues say about where to find things.
    #[serde(default)]
    urls: UrlsBody,
}

impl AuthorityImport {
    pub(in crate::front::api) fn urls(&self) -> IssuerUrls {
        self.urls.clone().into()
    }
}

/// Changes to an issuer; what is absent stays.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::front::api) struct AuthorityPatch {
    /// How it tells which of its certificates are revoked.
    #[serde(default)]
    status: Option<StatusBody>,
    /// How many certificates below it may renew by themselves.
    #[serde(default)]
    renewals: Option<BudgetBody>,
}

impl AuthorityPatch {
    pub(in crate::front::api) fn status(&self) -> Option<StatusSettings> {
        self.status.clone().map(Into::into)
    }

    pub(in crate::front::api) fn budget(&self) -> Option<RenewalBudget> {
        self.renewals.map(|BudgetBody { per_minute, concurrent }| RenewalBudget { per_minute, concurrent })
    }
}

/// An issuer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct AuthorityView {
    /// Its id.
    id: IssuerId,
    /// The unique name.
    name: Slug,
    /// `active`, `pending-certificate` or `signing`.
    state: &'static str,
    /// Where its key is: `internal`, or with a `signer`.
    key_source: &'static str,
    /// Its subject.
    subject: Option<SubjectView>,
    /// Until when its certificate is valid.
    not_after: Option<Moment>,
    /// What certificates that it issues say about where to find things.
    urls: UrlsBody,
    /// How it tells which of its certificates are revoked.
    status: StatusBody,
    /// How many certificates below it may renew by themselves.
    renewals: BudgetBody,
    /// When it was made.
    created_at: Moment,
}

impl From<IssuerRecord> for AuthorityView {
    fn from(record: IssuerRecord) -> Self {
        let own = own_chain(&record).and_then(|chain| chain.into_iter().next());
        let (state, subject) = match &record.state {
            IssuerState::AwaitingCertificate { subject, .. } => ("pending-certificate", Some(subject.into())),
            IssuerState::Signing { .. } => ("signing", None),
            IssuerState::Active { .. } => ("active", own.as_ref().map(|own| (&own.content().subject).into())),
        };
        let IssuerUrls { crl, ocsp, ca_issuers } = record.urls;
        let RenewalBudget { per_minute, concurrent } = record.renewals;
        Self {
            id: record.id,
            name: record.name,
            state,
            key_source: if record.key == IssuerKey::Signer { "signer" } else { "internal" },
            subject,
            not_after: own.map(|own| own.content().validity.not_after().into()),
            urls: UrlsBody { crl, ocsp, ca_issuers },
            status: record.status.into(),
            renewals: BudgetBody { per_minute, concurrent },
            created_at: record.created_at.into(),
        }
    }
}

/// Its certificate and those above it, once it has one.
pub(in crate::front::api) fn own_chain(record: &IssuerRecord) -> Option<Vec<Certificate>> {
    let IssuerState::Active { chain } = &record.state else { return None };
    chain.iter().map(|der| Certificate::from_der(&der.0).ok()).collect()
}

/// The certificates of an issuer, or the request that waits for them.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct AuthorityCertificates {
    /// Its certificate, PEM.
    certificate: Option<String>,
    /// Those above it, PEM.
    certificate_chain: Option<String>,
    /// The request (PKCS#10) for the outside CA, PEM, while it waits for its certificate.
    csr: Option<String>,
}

impl From<&IssuerRecord> for AuthorityCertificates {
    fn from(record: &IssuerRecord) -> Self {
        let chain = own_chain(record);
        let csr = match &record.state {
            IssuerState::AwaitingCertificate { csr, .. } => Some(pem::encode(pem::Label::CertificateRequest, &csr.0)),
            _ => None,
        };
        Self {
            certificate: chain.as_ref().and_then(|chain| chain.first()).map(Certificate::pem),
            certificate_chain: chain.map(|chain| chain.iter().skip(1).map(Certificate::pem).collect()),
            csr,
        }
    }
}

/// A certificate revocation list.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct CrlView {
    /// The shard, from 0.
    shard: u32,
    /// Its number.
    number: u64,
    /// The list, DER in base64.
    der: String,
    /// When it was made.
    this_update: Moment,
    /// When there will be another at the latest.
    next_update: Moment,
}

impl CrlView {
    pub(in crate::front::api) fn of(shard: u32, crl: Crl) -> Self {
        let der = crate::domain::Octets(crl.der.to_vec()).into();
        Self {
            shard,
            number: crl.number,
            der,
            this_update: crl.this_update.into(),
            next_update: crl.next_update.into(),
        }
    }
}
