//! Renewal information (RFC 9773): the engine's own window, told to clients.

use super::AcmeError;
use super::accounts::At;
use crate::domain::acme::{AcmeProblem, CertId, Haste, RenewalInfo, suggested_window};
use crate::domain::{
    Application, AutoRenewal, CertificateRecord, CertificateState, Fraction, Lead, Life, Profile, RenewalSetting,
};
use crate::engine::context::{Context, Versioned};
use crate::engine::error::Error;

impl Context {
    /// When a certificate's client should renew it.
    pub(super) async fn acme_renewal_info(&self, at: At, id: &CertId) -> Result<RenewalInfo, AcmeError> {
        let found = self.named_certificate(at.0, id).await?;
        let record = found.ok_or_else(|| AcmeProblem::malformed("there is no such certificate here"))?.value;
        let setting = self.told_setting(&record).await?;
        let haste = match record.state {
            CertificateState::Revoked { at, .. } => Haste::Revoked(at),
            CertificateState::Active => match self.incident_of(record.id).await? {
                Some(under) => Haste::Until(under.revoke_at, under.explanation),
                None => Haste::None,
            },
        };
        Ok(suggested_window(Life::of(&record), &setting, haste, self.now()))
    }

    /// The setting that clients are told of: the attachment's for ACME, or the profile's, or two thirds of the life.
    async fn told_setting(&self, record: &CertificateRecord) -> Result<RenewalSetting, Error> {
        let (Some(application), Some((profile, _))) = (record.application, record.profile) else { return usual() };
        let application: Option<Versioned<Application>> = self.find(&application.to_string()).await?;
        let attachment = application.as_ref().and_then(|application| application.value.attachment(profile));
        let own =
            attachment.and_then(|attachment| attachment.methods.acme.as_ref()).and_then(|acme| acme.renewal.clone());
        if let Some(own) = own {
            return Ok(own);
        }
        let profile: Option<Versioned<Profile>> = self.find(&profile.to_string()).await?;
        let of_profile = profile.and_then(|profile| profile.value.auto_renew);
        of_profile.as_ref().and_then(AutoRenewal::setting).cloned().map_or_else(usual, Ok)
    }
}

fn usual() -> Result<RenewalSetting, Error> {
    Fraction::new(2, 3).map(|part| RenewalSetting::new(Lead::Used(part))).map_err(Error::encoding)
}
