//! Making issuers: roots, issuers below others, issuers that an outside CA signs, imported ones.

mod fit;
mod sign;

use std::sync::Arc;

use self::fit::{fit_below, fit_chain, fit_time};
use super::context::{Change, Context, Versioned};
use super::error::{Error, IssuerFault};
use super::issue::{Facts, issuer_certificate, serial_claim};
use super::schema::{Claim, Entity};
use super::settings::name_taken;
use crate::domain::{
    Actor, CertificateId, CertificateRecord, EventKind, IssuerId, IssuerKey, IssuerRecord, IssuerSpec, IssuerState,
    KeyCustody, Octets, RenewalBudget, Slug, StatusSettings,
};
use crate::signer::{Signer, SoftwareSigner};
use crate::x509::tbs::Authority;
use crate::x509::{Certificate, CertificateRequestInfo, Content, InvalidValue, SignatureAlgorithm, Subject, Validity};

/// A key for an issuer to be, and where it is kept.
struct IssuerKeyPair {
    signer: Arc<dyn Signer>,
    key: IssuerKey,
}

impl Context {
    /// Makes an issuer that signs its own certificate.
    pub(super) async fn create_root(&self, actor: &Actor, spec: IssuerSpec) -> Result<IssuerRecord, Error> {
        let mut change = self.issuer_change(actor, &spec)?;
        let id = IssuerId::new(change.now, change.random.take()?);
        let pair = self.issuer_key(&spec, id, &mut change).await?;
        let content = content_of(&spec, &pair.signer, pair.signer.as_ref(), &change)?;
        let authority = Authority::of_itself(&content, pair.signer.public_key()).map_err(Error::encoding)?;
        self.begin_issuer(actor, (spec, id, pair), (&content, &authority, None), change).await
    }

    /// Makes an issuer whose certificate another issuer here signs.
    pub(super) async fn create_intermediate(
        &self,
        actor: &Actor,
        spec: IssuerSpec,
        parent: IssuerId,
    ) -> Result<IssuerRecord, Error> {
        let mut change = self.issuer_change(actor, &spec)?;
        let parent = self.issuer(parent).await?;
        let id = IssuerId::new(change.now, change.random.take()?);
        let pair = self.issuer_key(&spec, id, &mut change).await?;
        let content = content_of(&spec, &pair.signer, parent.signer.as_ref(), &change)?;
        fit_below(&spec, &content, &parent)?;
        change.check(parent.record.value.key(), parent.record.version);
        let by = (&content, &parent.authority, Some(parent.as_ref()));
        self.begin_issuer(actor, (spec, id, pair), by, change).await
    }

    /// Makes an issuer that waits for a certificate from an outside CA; its state holds the request to send there.
    pub(super) async fn request_issuer(&self, actor: &Actor, spec: IssuerSpec) -> Result<IssuerRecord, Error> {
        let mut change = self.issuer_change(actor, &spec)?;
        let id = IssuerId::new(change.now, change.random.take()?);
        let pair = self.issuer_key(&spec, id, &mut change).await?;
        let subject = subject_of(&spec)?;
        let key = pair.signer.public_key();
        let info = CertificateRequestInfo::for_ca(&subject, key, spec.basic_constraints(), IssuerSpec::key_usages())
            .map_err(Error::encoding)?;
        let algorithm = pair.signer.algorithms()[0];
        let signature = pair.signer.sign(algorithm, info.der()).await?;
        let csr = info.seal(algorithm, &signature).map_err(Error::encoding)?;
        let state =
            IssuerState::AwaitingCertificate { csr: Octets(csr), public_key: Octets(key.spki_der().to_vec()), subject };
        let record = record(spec, (id, pair.key), state, &change);
        save_new(&mut change, &record, "request made")?;
        commit_issuer(change, record).await
    }

    /// Gives a waiting issuer the certificate that an outside CA issued, with those above it.
    pub(super) async fn install_issuer(
        &self,
        actor: &Actor,
        id: IssuerId,
        chain: Vec<Certificate>,
    ) -> Result<IssuerRecord, Error> {
        self.authorize_product(actor, "install issuers")?;
        let Versioned { value: mut record, version } = self.load::<IssuerRecord>(&id.to_string()).await?;
        let IssuerState::AwaitingCertificate { public_key, subject, .. } = &record.state else {
            return Err(Error::issuer(&record.name, IssuerFault::NotAwaiting));
        };
        let own = fit_chain(&record.name, &chain)?;
        fit_time(&record.name, &chain, self.now())?;
        if own.public_key().spki_der() != public_key.0 {
            return Err(Error::issuer(&record.name, IssuerFault::KeyChanged));
        }
        if own.content().subject != *subject {
            let (seen, wanted) = (own.content().subject.to_string(), subject.to_string());
            return Err(Error::issuer(&record.name, IssuerFault::Subject { seen, wanted }));
        }
        let mut change = self.change(actor, self.now())?;
        record_certificate(&mut change, id, own)?;
        record.state = active(&chain);
        change.update(&record, version)?;
        self.begin_status(&record, &mut change).await?;
        change.wakes(id)?;
        change.event(None, EventKind::IssuerSaved { issuer: id, what: "certificate installed".into() })?;
        commit_issuer(change, record).await
    }

    /// Takes over an issuer with its chain; its key is given, or with the signer that the host handed over under its name.
    pub(super) async fn import_issuer(
        &self,
        actor: &Actor,
        spec: (Slug, crate::domain::IssuerUrls),
        chain: Vec<Certificate>,
        key: Option<SoftwareSigner>,
    ) -> Result<IssuerRecord, Error> {
        self.authorize_product(actor, "import issuers")?;
        let (name, urls) = spec;
        refuse_faults(urls.faults())?;
        let mut change = self.change(actor, self.now())?;
        let id = IssuerId::new(change.now, change.random.take()?);
        let own = fit_chain(&name, &chain)?;
        fit_time(&name, &chain, change.now)?;
        let pair = match key {
            Some(key) => self.seal_issuer_key(key, id, &mut change).await?,
            None => IssuerKeyPair { signer: self.handed_over(name.as_str())?, key: IssuerKey::Signer },
        };
        if pair.signer.public_key() != own.public_key() {
            return Err(Error::issuer(&name, IssuerFault::KeyChanged));
        }
        record_certificate(&mut change, id, own)?;
        let state = active(&chain);
        let (status, renewals) = (StatusSettings::default(), RenewalBudget::default());
        let record = IssuerRecord { id, name, key: pair.key, state, urls, status, renewals, created_at: change.now };
        self.begin_status(&record, &mut change).await?;
        save_new(&mut change, &record, "imported")?;
        commit_issuer(change, record).await
    }

    fn issuer_change<'a>(&'a self, actor: &'a Actor, spec: &IssuerSpec) -> Result<Change<'a>, Error> {
        self.authorize_product(actor, "create issuers")?;
        refuse_faults([spec.urls.faults(), spec.status.faults(&spec.urls)].concat())?;
        self.change(actor, self.now())
    }

    /// The signer that the host handed over under the issuer's name, or else a new key that is sealed.
    async fn issuer_key(
        &self,
        spec: &IssuerSpec,
        id: IssuerId,
        change: &mut Change<'_>,
    ) -> Result<IssuerKeyPair, Error> {
        let Some(signer) = self.signers.get(spec.name.as_str()) else {
            return self.seal_issuer_key(SoftwareSigner::generate(spec.key_algorithm)?, id, change).await;
        };
        let seen = signer.public_key().algorithm();
        if seen != spec.key_algorithm {
            return Err(Error::issuer(&spec.name, IssuerFault::KeyAlgorithm { seen, wanted: spec.key_algorithm }));
        }
        Ok(IssuerKeyPair { signer: Arc::clone(signer), key: IssuerKey::Signer })
    }

    async fn seal_issuer_key(
        &self,
        signer: SoftwareSigner,
        id: IssuerId,
        change: &mut Change<'_>,
    ) -> Result<IssuerKeyPair, Error> {
        let bound_to = crate::store::Key::new(IssuerRecord::KIND, id.to_string()).to_string();
        let envelope = self.sealer.seal(&signer.to_pkcs8_der()?, &bound_to, change.random.take()?).await?;
        Ok(IssuerKeyPair { signer: Arc::new(signer), key: IssuerKey::Sealed(Octets(envelope)) })
    }

    /// Checks every issuer that is kept against the signers that the host handed over.
    ///
    /// # Errors
    /// An issuer whose signer is missing, or holds another key than its certificate, or whose certificate is not the one
    /// that was recorded when it was made, or whose chain is broken.
    pub(super) async fn verify_issuers(&self) -> Result<(), Error> {
        let scan = crate::store::Scan::new(crate::store::Over::Kind(IssuerRecord::KIND.into()), 100);
        for hit in self.scan_all(scan).await? {
            let record: IssuerRecord = super::context::decode(&hit.document.key, &hit.document.body)?;
            if matches!(record.state, IssuerState::Active { .. }) {
                self.verify_issuer(record.id).await?;
            }
        }
        Ok(())
    }

    /// The issuer's chain must be the one that came with it: the inventory has its own certificate, too.
    async fn verify_issuer(&self, id: IssuerId) -> Result<(), Error> {
        let issuer = self.issuer(id).await?;
        let name = &issuer.record.value.name;
        let own = fit_chain(name, &issuer.chain)?;
        let recorded = self.certificate_of(id, own.fingerprint()).await?;
        match recorded {
            Some(recorded) if recorded.der.0 == own.der() => Ok(()),
            _ => Err(Error::issuer(name, IssuerFault::CertificateChanged)),
        }
    }

    /// The inventory's record of an issuer's own certificate.
    async fn certificate_of(&self, id: IssuerId, fingerprint: &[u8; 32]) -> Result<Option<CertificateRecord>, Error> {
        let found = self.all_with_fingerprint(fingerprint).await?;
        Ok(found.into_iter().map(|record| record.value).find(|record| record.certifies == Some(id)))
    }

    /// An issuer's own certificate, DER: what a caIssuers URL serves (RFC 5280 section 4.2.2.1).
    pub(super) async fn issuer_certificate(&self, id: IssuerId) -> Result<Option<Vec<u8>>, Error> {
        match self.find::<IssuerRecord>(&id.to_string()).await?.map(|record| record.value.state) {
            Some(IssuerState::Active { chain }) => Ok(chain.into_iter().next().map(|own| own.0)),
            _ => Ok(None),
        }
    }
}

fn refuse_faults(faults: Vec<(String, InvalidValue)>) -> Result<(), Error> {
    if faults.is_empty() { Ok(()) } else { Err(Error::Invalid { faults }) }
}

fn subject_of(spec: &IssuerSpec) -> Result<Subject, Error> {
    let values = spec.subject.iter().flat_map(|(a, values)| values.as_slice().iter().map(|v| (*a, v.clone())));
    let subject = Subject::from_parts(values);
    let subject = subject.and_then(|subject| match subject.is_empty() {
        true => Err(InvalidValue::new("subject", "", "at least one attribute: a CA must have a name")),
        false => Ok(subject),
    });
    subject.map_err(|error| Error::Invalid { faults: vec![("subject".into(), error)] })
}

fn content_of(
    spec: &IssuerSpec,
    own: &Arc<dyn Signer>,
    by: &dyn Signer,
    change: &Change<'_>,
) -> Result<Content, Error> {
    let signature_algorithm = signature_algorithm(spec, by)?;
    let invalid = |error| Error::Invalid { faults: vec![("ttl".into(), error)] };
    Ok(Content {
        subject: subject_of(spec)?,
        sans: Vec::new(),
        key_algorithm: own.public_key().algorithm(),
        signature_algorithm,
        validity: Validity::new(change.now, change.now + spec.ttl.as_duration()).map_err(invalid)?,
        key_usages: IssuerSpec::key_usages(),
        extended_key_usages: Vec::new(),
        basic_constraints: spec.basic_constraints(),
    })
}

fn signature_algorithm(spec: &IssuerSpec, by: &dyn Signer) -> Result<SignatureAlgorithm, Error> {
    let possible = by.algorithms();
    let wanted = spec.signature_algorithm.unwrap_or(possible[0]);
    if possible.contains(&wanted) {
        return Ok(wanted);
    }
    let names = possible.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let error = InvalidValue::new("signature algorithm", wanted.as_str(), names);
    Err(Error::Invalid { faults: vec![("signature_algorithm".into(), error)] })
}

fn record(spec: IssuerSpec, (id, key): (IssuerId, IssuerKey), state: IssuerState, change: &Change<'_>) -> IssuerRecord {
    let IssuerSpec { name, urls, status, .. } = spec;
    let renewals = RenewalBudget::default();
    IssuerRecord { id, name, key, state, urls, status, renewals, created_at: change.now }
}

fn active(chain: &[Certificate]) -> IssuerState {
    IssuerState::Active { chain: chain.iter().map(|certificate| Octets(certificate.der().to_vec())).collect() }
}

/// An issuer's own certificate stands in the inventory, too.
fn record_certificate(change: &mut Change<'_>, issuer: IssuerId, certificate: &Certificate) -> Result<(), Error> {
    let id = CertificateId::new(change.now, change.random.take()?);
    let by = certificate.is_self_issued().then_some(issuer);
    let facts = Facts { id, custody: KeyCustody::Managed, issuer: by, crl_shard: 0 };
    change.create(&serial_claim(by, certificate.serial(), id))?;
    let record = issuer_certificate(change.requester(), certificate, facts, change.now);
    change.create(&CertificateRecord { certifies: Some(issuer), ..record })
}

fn save_new(change: &mut Change<'_>, record: &IssuerRecord, what: &str) -> Result<(), Error> {
    change.create(&Claim::name(IssuerRecord::KIND, record.name.as_str(), record.document_id()))?;
    change.create(record)?;
    change.event(None, EventKind::IssuerSaved { issuer: record.id, what: what.to_owned() })
}

async fn commit_issuer(change: Change<'_>, record: IssuerRecord) -> Result<IssuerRecord, Error> {
    change.commit().await.map_err(|error| name_taken(error, IssuerRecord::KIND, &record.name))?;
    Ok(record)
}
