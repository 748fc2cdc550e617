//! Renewing certificates, and setting when they renew by themselves.

use schemars::JsonSchema;
use serde::Deserialize;

use super::answer::Answer;
use super::call::{At, Call, Json, With};
use super::certificates::{refusal, root};
use super::endpoint::{Endpoint, get, patch, post};
use super::wire::{Attributes, IssueAnswer, Pair, RenewAnswer, RenewalSettingBody, RenewalView, given, read_csr, tags};
use crate::domain::{Action, AutoRenewal, CertificateId, Enrollment, Ineligibility, RenewalKey, Span};
use crate::engine::{Error, Outcome};
use crate::front::{Code, Fault, Problem};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        post(("/certificates/{certificateId}/renew", "renewCertificate"), Action::ProfilesIssue, renew)
            .says("Renews a certificate: as it is, or with changes, which need `certificates.edit`, too.")
            .repeatable(),
        get(("/certificates/{certificateId}/renewal", "getRenewal"), Action::CertificatesRead, view)
            .says("Says who may renew a certificate from when on, and what became of it so far."),
        patch(("/certificates/{certificateId}/config", "configureCertificate"), Action::CertificatesEdit, configure)
            .says("Sets whether and when a certificate and its successors renew by themselves."),
        post(("/certificates/{certificateId}/expedite-renewal", "expediteRenewal"), Action::CertificatesEdit, expedite)
            .says("Lets a certificate renew by itself now and before all others."),
    ]
}

/// A renewal. What is absent stays as the certificate says; `null` clears it, and lists replace.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct RenewBody {
    /// Whether the answer's chain leaves root certificates out.
    remove_roots_from_chain: bool,
    /// Where the new certificate's key comes from.
    renewal_key_source: KeySource,
    /// The certificate request that brings it, PEM.
    csr: Option<String>,
    /// What is to be other than before.
    attributes: Attributes,
    /// Tags in place of those of the certificate.
    metadata: Vec<Pair>,
}

/// Where the key of a renewed certificate comes from.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum KeySource {
    /// A new one is made and kept here.
    #[default]
    New,
    /// The same again.
    Reuse,
    /// A certificate request brings it.
    Csr,
}

impl RenewBody {
    fn key(&self) -> Result<RenewalKey, Problem> {
        let refused =
            |said: &str| Err(Problem::new(Code::InvalidValue, said).with([Fault::said("csr", "conflict", said)]));
        match (self.renewal_key_source, &self.csr) {
            (KeySource::New, None) => Ok(RenewalKey::New),
            (KeySource::Reuse, None) => Ok(RenewalKey::Reused),
            (KeySource::Csr, Some(text)) => Ok(RenewalKey::Csr(Box::new(read_csr(text)?))),
            (KeySource::Csr, None) => refused("a certificate request is needed"),
            (_, Some(_)) => refused("a certificate request goes with `renewalKeySource` `csr` alone"),
        }
    }
}

async fn renew(call: With<(CertificateId,), RenewBody>) -> Result<Answer<RenewAnswer>, Problem> {
    let Call { session, path, body: Json(body), idempotency_key, .. } = call;
    let record = session.certificate(path.0).await?;
    let no_profile = || Error::NotRenewable { reasons: vec![Ineligibility::NoProfile] };
    let (key, root) = (body.key()?, root(body.remove_roots_from_chain));
    let mut enrollment = Enrollment::renewal(&record).ok_or_else(no_profile)?.key(key);
    (enrollment.names, enrollment.terms) = body.attributes.parts();
    enrollment.metadata = tags(body.metadata).map_err(|fault| Problem::invalid(vec![fault]))?;
    enrollment.idempotency_key = idempotency_key;
    match session.submit(&enrollment).await? {
        Outcome::Issued(issued) => Ok(Answer::new(IssueAnswer::issued(*issued, root).into())),
        Outcome::Pending(pending) => Ok(Answer::for_now(IssueAnswer::pending(pending).into(), pending.retry_after)),
        Outcome::Refused(refused) => Err(refusal(&refused.violations)),
    }
}

async fn view(call: At<(CertificateId,)>) -> Result<Answer<RenewalView>, Problem> {
    Ok(Answer::new(call.session.renewal(call.path.0).await?.into()))
}

/// Whether and when a certificate renews by itself: one of the three.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ConfigBody {
    /// So many days before its end, 1 to 30.
    #[serde(default)]
    renew_before_days: Option<u16>,
    /// `false`: it does not.
    #[serde(default)]
    enable_auto_renewal: Option<bool>,
    /// When exactly, for what days can not say; `null` leaves it to attachment and profile again.
    #[serde(default, deserialize_with = "given")]
    renewal: Option<Option<RenewalSettingBody>>,
}

impl ConfigBody {
    fn setting(self) -> Result<Option<AutoRenewal>, Problem> {
        let refused = |field: &str, said: &str| {
            Err(Problem::new(Code::InvalidValue, said).with([Fault::said(field, "conflict", said)]))
        };
        match (self.renew_before_days, self.enable_auto_renewal, self.renewal) {
            (Some(days @ 1..=30), None | Some(true), None) => Ok(Some(AutoRenewal::before(Span::days(days)))),
            (Some(_), None | Some(true), None) => refused("renewBeforeDays", "1 to 30 days are accepted"),
            (None, Some(false), None) => Ok(Some(AutoRenewal::Off)),
            (None, None, Some(setting)) => setting.map(|setting| setting.setting("renewal")).transpose(),
            (None, Some(true), None) => refused("renewBeforeDays", "`renewBeforeDays` or `renewal` is needed"),
            _ => refused("", "one of `renewBeforeDays`, `enableAutoRenewal: false` and `renewal` is needed"),
        }
    }
}

async fn configure(call: With<(CertificateId,), ConfigBody>) -> Result<Answer<RenewalView>, Problem> {
    let setting = call.body.0.setting()?;
    Ok(Answer::new(call.session.set_renewal(call.path.0, setting).await?.into()))
}

async fn expedite(call: At<(CertificateId,)>) -> Result<Answer<RenewalView>, Problem> {
    if !call.session.expedite_renewal(call.path.0).await? {
        return Err(Problem::new(
            Code::NotRenewable,
            "it can not renew by itself: its key is with the client, or it has ended",
        ));
    }
    Ok(Answer::new(call.session.renewal(call.path.0).await?.into()))
}
