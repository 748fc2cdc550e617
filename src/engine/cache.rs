//! Settings kept between requests, so that a request costs no reading of what rarely changes.
//!
//! Nothing is trusted because it is cached: every commit that was decided on a setting checks the versions of the
//! documents that it came from, and nobody is refused before a fresh reading says the same.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::context::{Change, Context, Versioned};
use super::error::{Error, IssuerFault};
use super::revocation::{OcspCache, ResponderCache};
use super::schema::{Entity, PolicyRecord};
use crate::domain::{
    Application, ApplicationId, IssuerChoice, IssuerId, IssuerKey, IssuerRecord, IssuerState, IssuerTerms, Policy,
    PolicyId, Profile, ProfileId,
};
use crate::signer::{Signer, SoftwareSigner};
use crate::store::{Key, Version};
use crate::x509::tbs::{Authority, StatusCheck};
use crate::x509::{BasicConstraints, Certificate};

/// More attachments than are likely to be busy at once; beyond it the cache begins anew.
const MOST_SETTINGS: usize = 10_000;

/// What an attachment's requests are judged and issued with.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) application: Versioned<Application>,
    pub(super) profile: Versioned<Profile>,
    pub(super) policy: Versioned<PolicyRecord>,
    pub(super) rules: Policy,
    /// `None` for a self-signed profile.
    pub(super) issuer: Option<Arc<Issuer>>,
    pub(super) terms: IssuerTerms,
    rests_on: Vec<(Key, Version)>,
}

impl Setting {
    /// The policy that judges, and its revision.
    pub(super) fn policy_revision(&self) -> (PolicyId, u32) {
        (self.policy.value.id, self.policy.value.revision)
    }

    /// Demands that everything the decision rests on is unchanged.
    pub(super) fn check(&self, change: &mut Change<'_>) {
        for (key, version) in &self.rests_on {
            change.check(key.clone(), *version);
        }
    }
}

/// An issuer that is ready to sign.
#[derive(Debug)]
pub(super) struct Issuer {
    pub(super) record: Versioned<IssuerRecord>,
    pub(super) chain: Arc<[Certificate]>,
    pub(super) signer: Arc<dyn Signer>,
    pub(super) authority: Authority,
}

impl Issuer {
    fn terms(&self) -> IssuerTerms {
        let own = self.chain[0].content();
        let path_length = match own.basic_constraints {
            BasicConstraints::Ca { path_length } => path_length,
            BasicConstraints::EndEntity => Some(0),
        };
        IssuerTerms {
            signature_algorithms: self.signer.algorithms().to_vec(),
            not_after: Some(own.validity.not_after()),
            path_length,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Cache {
    settings: RwLock<HashMap<(ApplicationId, ProfileId), Arc<Setting>>>,
    issuers: RwLock<HashMap<IssuerId, Arc<Issuer>>>,
    pub(super) ocsp: OcspCache,
    pub(super) responders: ResponderCache,
}

impl Context {
    /// What an attachment issued with when it was last read.
    pub(super) fn cached_setting(&self, application: ApplicationId, profile: ProfileId) -> Option<Arc<Setting>> {
        let settings = self.cache.settings.read().unwrap_or_else(PoisonError::into_inner);
        settings.get(&(application, profile)).cloned()
    }

    /// Forgets what an attachment issued with: it may be out of date.
    pub(super) fn forget_setting(&self, application: ApplicationId, profile: ProfileId) {
        let mut settings = self.cache.settings.write().unwrap_or_else(PoisonError::into_inner);
        settings.remove(&(application, profile));
    }

    /// What the attachment of `profile` to `application` issues with.
    pub(super) async fn setting(
        &self,
        application: Versioned<Application>,
        profile: ProfileId,
    ) -> Result<Arc<Setting>, Error> {
        let key = (application.value.id, profile);
        let setting = Arc::new(self.read_setting(application, profile).await?);
        let mut settings = self.cache.settings.write().unwrap_or_else(PoisonError::into_inner);
        if settings.len() >= MOST_SETTINGS {
            settings.clear();
        }
        settings.insert(key, Arc::clone(&setting));
        Ok(setting)
    }

    async fn read_setting(&self, application: Versioned<Application>, profile: ProfileId) -> Result<Setting, Error> {
        let profile: Versioned<Profile> = self.load(&profile.to_string()).await?;
        let policy: Versioned<PolicyRecord> = self.load(&profile.value.policy.to_string()).await?;
        let rules = Policy::try_from(policy.value.spec.clone())?;
        let issuer = match profile.value.issuer {
            IssuerChoice::Ca(id) => Some(self.issuer(id).await?),
            IssuerChoice::SelfSigned => None,
        };
        let of_itself = IssuerTerms { signature_algorithms: Vec::new(), not_after: None, path_length: None };
        let terms = issuer.as_ref().map_or(of_itself, |issuer| issuer.terms());
        let mut rests_on = vec![
            (application.value.key(), application.version),
            (profile.value.key(), profile.version),
            (policy.value.key(), policy.version),
        ];
        rests_on.extend(issuer.iter().map(|issuer| (issuer.record.value.key(), issuer.record.version)));
        Ok(Setting { application, profile, policy, rules, issuer, terms, rests_on })
    }

    /// An issuer that is ready to sign: its record as it stands, its signer opened at most once.
    pub(super) async fn issuer(&self, id: IssuerId) -> Result<Arc<Issuer>, Error> {
        let record: Versioned<IssuerRecord> = self.load(&id.to_string()).await?;
        let cached = {
            let issuers = self.cache.issuers.read().unwrap_or_else(PoisonError::into_inner);
            issuers.get(&id).filter(|issuer| issuer.record.version == record.version).cloned()
        };
        if let Some(issuer) = cached {
            return Ok(issuer);
        }
        let issuer = Arc::new(self.open_issuer(record).await?);
        let mut issuers = self.cache.issuers.write().unwrap_or_else(PoisonError::into_inner);
        issuers.insert(id, Arc::clone(&issuer));
        Ok(issuer)
    }

    async fn open_issuer(&self, record: Versioned<IssuerRecord>) -> Result<Issuer, Error> {
        let name = &record.value.name;
        let IssuerState::Active { chain } = &record.value.state else {
            return Err(Error::issuer(name, IssuerFault::AwaitingCertificate));
        };
        let chain = chain.iter().map(|der| Certificate::from_der(&der.0)).collect::<Result<Vec<_>, _>>()?;
        let own = chain.first().ok_or_else(|| Error::issuer(name, IssuerFault::AwaitingCertificate))?;
        let signer = self.signer_of(&record.value).await?;
        if signer.public_key() != own.public_key() {
            return Err(Error::issuer(name, IssuerFault::KeyChanged));
        }
        let urls = &record.value.urls;
        let authority = Authority {
            name_der: own.subject_der().into(),
            key_identifier: own.key_identifier(),
            crl_urls: urls.crl.clone(),
            ocsp_urls: urls.ocsp.clone(),
            ca_issuers_urls: urls.ca_issuers.clone(),
            status_check: StatusCheck::AsUsual,
        };
        Ok(Issuer { chain: chain.into(), signer, authority, record })
    }

    /// The signer of an issuer: handed over by the host, or the sealed key.
    pub(super) async fn signer_of(&self, record: &IssuerRecord) -> Result<Arc<dyn Signer>, Error> {
        match &record.key {
            IssuerKey::Signer => self.handed_over(record.name.as_str()),
            IssuerKey::Sealed(envelope) => {
                let key = self.sealer.open(&envelope.0, &record.key().to_string()).await?;
                Ok(Arc::new(SoftwareSigner::from_pkcs8_der(key.expose())?))
            }
        }
    }

    /// The signer that the host handed over under a name.
    pub(super) fn handed_over(&self, name: &str) -> Result<Arc<dyn Signer>, Error> {
        self.signers.get(name).cloned().ok_or_else(|| Error::issuer(name, IssuerFault::SignerMissing))
    }
}
