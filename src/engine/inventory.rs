//! The inventory: finding certificates, their keys, tags, import and deletion.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::context::{Context, Versioned, decode};
use super::error::Error;
use super::issue::{Facts, issuer_certificate, serial_claim};
use super::outcome::{Chain, SubjectKey};
use super::query::{CertificateQuery, Page, PageToken};
use super::schema::{Entity, SealedKey, SerialClaim, index, start_of};
use super::submit::hex;
use crate::domain::{
    Action, Actor, ApplicationId, CertificateId, CertificateRecord, EventKind, KeyCustody, KeyRereading, Metadata,
    Octets, Origin, ProfileId, Violation,
};
use crate::sealer::Secret;
use crate::signer::{Signer, SoftwareSigner};
use crate::store::{Hit, Over, Scan};
use crate::x509::{Certificate, Serial};

impl Context {
    /// A certificate that the actor may see.
    pub(super) async fn certificate(&self, actor: &Actor, id: CertificateId) -> Result<CertificateRecord, Error> {
        self.readable(actor, id, Action::CertificatesRead).await.map(|record| record.value)
    }

    /// The certificates with a serial number that the actor may see: one, or as many as there are issuers.
    pub(super) async fn by_serial(&self, actor: &Actor, serial: &Serial) -> Result<Vec<CertificateRecord>, Error> {
        let mut scan = Scan::new(Over::Kind(SerialClaim::KIND.into()), 100);
        scan.from = Some(format!("{serial}/"));
        scan.to = Some(format!("{serial}0"));
        let mut found = Vec::new();
        // All of them: anybody may import any number of certificates with a number that is not theirs.
        for hit in self.scan_all(scan).await? {
            let claim: SerialClaim = decode(&hit.document.key, &hit.document.body)?;
            match self.certificate(actor, claim.certificate).await {
                Ok(record) => found.push(record),
                Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// The certificates with a SHA-256 fingerprint that the actor may see.
    pub(super) async fn by_fingerprint(
        &self,
        actor: &Actor,
        fingerprint: &[u8; 32],
    ) -> Result<Vec<CertificateRecord>, Error> {
        let mut found = Vec::new();
        for Versioned { value: record, .. } in self.all_with_fingerprint(fingerprint).await? {
            match self.may(actor, Action::CertificatesRead, &record).await {
                Ok(()) => found.push(record),
                Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// The certificates with a SHA-256 fingerprint, whoever asks.
    pub(super) async fn all_with_fingerprint(
        &self,
        fingerprint: &[u8; 32],
    ) -> Result<Vec<Versioned<CertificateRecord>>, Error> {
        let fingerprint = hex(fingerprint);
        let start = start_of(&fingerprint);
        let mut scan = Scan::new(Over::Index(index::CERTIFICATE_FINGERPRINT.into()), 100);
        // All that begins so: the digits' successor is past every one of them.
        (scan.from, scan.to) = (Some(start.to_owned()), Some(format!("{start}g")));
        let read = |hit: &Hit| {
            let value: CertificateRecord = decode(&hit.document.key, &hit.document.body)?;
            Ok(Versioned { value, version: hit.document.version })
        };
        let mut found: Vec<_> = self.scan_all(scan).await?.iter().map(read).collect::<Result<_, Error>>()?;
        found.retain(|record| record.value.fingerprint == fingerprint);
        Ok(found)
    }

    /// One page of what a query finds.
    pub(super) async fn certificates(
        &self,
        actor: &Actor,
        query: &CertificateQuery,
        after: Option<&PageToken>,
    ) -> Result<Page<CertificateRecord>, Error> {
        match query.application {
            Some(application) => {
                self.permitted(actor, application, Action::CertificatesList).await?;
            }
            None => self.authorize_product(actor, "list the certificates of all Applications")?,
        }
        self.find_certificates(query, after).await
    }

    /// A certificate with those above it.
    pub(super) async fn chain_of(&self, record: &CertificateRecord) -> Result<Chain, Error> {
        let leaf = record.certificate()?;
        let above: Arc<[Certificate]> = match (record.issuer, record.certifies) {
            (_, Some(issuer)) => self.issuer(issuer).await?.chain.iter().skip(1).cloned().collect(),
            (Some(issuer), _) => Arc::clone(&self.issuer(issuer).await?.chain),
            (None, _) => {
                record.imported_chain.iter().map(|der| Certificate::from_der(&der.0)).collect::<Result<_, _>>()?
            }
        };
        Ok(Chain::new(leaf, above))
    }

    /// The record of a certificate on which the actor may do `action`.
    pub(super) async fn readable(
        &self,
        actor: &Actor,
        id: CertificateId,
        action: Action,
    ) -> Result<Versioned<CertificateRecord>, Error> {
        let record: Versioned<CertificateRecord> = self.load(&id.to_string()).await?;
        self.may(actor, action, &record.value).await?;
        Ok(record)
    }

    /// Whether the actor may do `action` on a certificate. Who may not know of it is told that there is none.
    pub(super) async fn may(&self, actor: &Actor, action: Action, record: &CertificateRecord) -> Result<(), Error> {
        let hidden = || Error::not_found(CertificateRecord::KIND, record.id);
        let Some(application) = record.application else {
            return self.may_unowned(actor, action, hidden);
        };
        match self.application(application).await {
            Ok(application) => self.authorize(actor, action, &application.value).map_err(|error| match error {
                Error::NotFound { .. } => hidden(),
                error => error,
            }),
            Err(Error::NotFound { .. }) => self.may_unowned(actor, action, hidden),
            Err(error) => Err(error),
        }
    }

    /// Certificates without an Application, or whose Application is gone, are for product administrators to see.
    fn may_unowned(&self, actor: &Actor, action: Action, hidden: impl Fn() -> Error) -> Result<(), Error> {
        match (self.is_administrator(actor), action) {
            (true, Action::CertificatesRead) => Ok(()),
            (true, action) => Err(Error::Forbidden { actor: actor.principal().to_string(), action }),
            (false, _) => Err(hidden()),
        }
    }

    /// Reads a managed private key again. Each reading is an event.
    pub(super) async fn private_key(&self, actor: &Actor, id: CertificateId) -> Result<SubjectKey, Error> {
        let record = self.readable(actor, id, Action::CertificatesReadPrivateKey).await?.value;
        let refused = |reason| Err(Error::PrivateKey { reason });
        let Some(application) = record.application else { return refused("it is an issuer's") };
        let application = self.application(application).await?;
        if application.value.key_rereading == KeyRereading::DisabledForGood {
            return refused("the Application has switched the rereading of keys off for good");
        }
        let Some(opened) = self.open_key(id).await? else { return refused("it is not kept here") };
        let mut change = self.change(actor, self.now())?;
        // What was just switched off is off.
        change.check(application.value.key(), application.version);
        change.event(Some(application.value.id), EventKind::PrivateKeyRead { certificate: id })?;
        change.commit().await.map_err(Error::contended)?;
        Ok(opened)
    }

    /// Opens a managed private key, if it is kept here. Whoever hands it out has told of it first.
    pub(super) async fn open_key(&self, id: CertificateId) -> Result<Option<SubjectKey>, Error> {
        let Some(sealed) = self.find::<SealedKey>(&id.to_string()).await? else { return Ok(None) };
        let bound_to = sealed.value.key().to_string();
        let opened = self.sealer.open(&sealed.value.envelope.0, &bound_to).await?;
        Ok(Some(SubjectKey::new(opened)))
    }

    /// Replaces a certificate's tags.
    pub(super) async fn tag_certificate(
        &self,
        actor: &Actor,
        id: CertificateId,
        metadata: Metadata,
    ) -> Result<CertificateRecord, Error> {
        let Versioned { value: mut record, version } = self.readable(actor, id, Action::CertificatesEdit).await?;
        record.metadata = metadata;
        let mut change = self.change(actor, self.now())?;
        change.update(&record, version)?;
        change.event(record.application, EventKind::CertificateTagged { certificate: id })?;
        change.commit().await.map_err(Error::contended)?;
        Ok(record)
    }

    /// Deletes a certificate, and its key, from the inventory. Only an expired one may go: others must stay known.
    pub(super) async fn delete_certificate(&self, actor: &Actor, id: CertificateId) -> Result<(), Error> {
        let record = self.readable(actor, id, Action::CertificatesDelete).await?;
        let is_issued_here = record.value.origin != Origin::Import;
        if is_issued_here && record.value.validity.not_after() >= self.now() {
            let by = format!("it is valid until {}", record.value.validity.not_after());
            return Err(Error::InUse { what: CertificateRecord::KIND, id: id.to_string(), by });
        }
        let mut change = self.change(actor, self.now())?;
        let claim = serial_claim(record.value.issuer, &record.value.serial, id);
        if let Some(claim) = self.find::<SerialClaim>(&claim.document_id()).await? {
            change.delete(&claim.value, claim.version);
        }
        if let Some(sealed) = self.find::<SealedKey>(&id.to_string()).await? {
            change.delete(&sealed.value, sealed.version);
        }
        change.delete(&record.value, record.version);
        change.event(record.value.application, EventKind::CertificateDeleted { certificate: id })?;
        change.commit().await.map_err(Error::contended).map(drop)
    }

    /// Takes a certificate that was issued elsewhere into an Application's inventory.
    ///
    /// With a profile it must satisfy the profile's policy, as if it had been issued when it became valid.
    pub(super) async fn import_certificate(&self, actor: &Actor, import: Import) -> Result<ImportOutcome, Error> {
        let application = self.permitted(actor, import.application, Action::CertificatesImport).await?;
        let setting = match import.profile {
            Some(profile) => {
                if application.value.attachment(profile).is_none() {
                    return Err(Error::not_found("attachment", profile));
                }
                let setting = self.setting(application.clone(), profile).await?;
                let content = import.certificate.content();
                let verdict = setting.rules.judge(content, content.validity.not_before());
                if !verdict.permits() {
                    return Ok(ImportOutcome::Refused(verdict.into_violations()));
                }
                Some(setting)
            }
            None => None,
        };
        for pair in std::iter::once(&import.certificate).chain(&import.chain).collect::<Vec<_>>().windows(2) {
            pair[0].verify_issued_by(pair[1])?;
        }
        let mut change = self.change(actor, self.now())?;
        let id = CertificateId::new(change.now, change.random.take()?);
        let custody = if import.key.is_some() { KeyCustody::Managed } else { KeyCustody::Client };
        let facts = Facts { id, custody, issuer: None, crl_shard: 0 };
        let record = CertificateRecord {
            application: Some(import.application),
            profile: setting.as_ref().map(|setting| (setting.profile.value.id, setting.profile.value.revision)),
            policy: setting.as_ref().map(|setting| setting.policy_revision()),
            origin: Origin::Import,
            metadata: import.metadata,
            imported_chain: import.chain.iter().map(|each| Octets(each.der().to_vec())).collect(),
            ..issuer_certificate(actor.principal(), &import.certificate, facts, change.now)
        };
        if let Some(key) = import.key {
            let signer = SoftwareSigner::from_pkcs8_der(key.expose())?;
            if signer.public_key() != import.certificate.public_key() {
                return Err(Error::PrivateKey { reason: "it does not belong to the certificate" });
            }
            self.seal_key(id, &key, &mut change).await?;
        }
        change.check(application.value.key(), application.version);
        if let Some(setting) = &setting {
            setting.check(&mut change);
        }
        change.create(&serial_claim(None, &record.serial, id))?;
        change.create(&record)?;
        change.event(Some(import.application), EventKind::CertificateImported { certificate: id })?;
        change.commit().await.map_err(Error::contended)?;
        Ok(ImportOutcome::Imported(Box::new(record)))
    }
}

/// A certificate to take over into an inventory.
#[derive(Debug)]
pub struct Import {
    /// The Application that will own it.
    pub application: ApplicationId,
    /// The profile that later renewals use; its policy judges the certificate. `None` only tracks it.
    pub profile: Option<ProfileId>,
    /// The certificate.
    pub certificate: Certificate,
    /// Those above it, in order.
    pub chain: Vec<Certificate>,
    /// Its private key, an unencrypted PKCS#8 document in DER, to be sealed and kept.
    pub key: Option<Secret>,
    /// Tags.
    pub metadata: Metadata,
}

/// What became of an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImportOutcome {
    /// It is in the inventory.
    Imported(Box<CertificateRecord>),
    /// The profile's policy refuses it: every reason.
    Refused(Vec<Violation>),
}
