//! Making issuers: roots, issuers below others, issuers that an outside CA signs, imported ones.

use std::sync::Arc;

use super::cache::Issuer;
use super::context::{Change, Context, Versioned};
use super::error::{Error, IssuerFault};
use super::issue::{Facts, issuer_certificate, serial_claim};
use super::schema::{Claim, Entity, SerialClaim};
use super::settings::name_taken;
use crate::domain::{
    Actor, CertificateId, CertificateRecord, EventKind, IssuerId, IssuerKey, IssuerRecord, IssuerSpec, IssuerState,
    KeyCustody, Octets, Slug,
};
use crate::signer::{SignError, Signer, SoftwareSigner};
use crate::x509::tbs::{self, Authority};
use crate::x509::{
    BasicConstraints, Certificate, CertificateRequestInfo, Content, InvalidValue, KeyUsage, Lint, PublicKey, Serial,
    SignatureAlgorithm, Subject, TbsView, Validity, lint_tbs,
};

/// A key for an issuer to be, and where it is kept.
struct IssuerKeyPair {
    signer: Arc<dyn Signer>,
    key: IssuerKey,
}

impl Context {
    /// Makes an issuer that signs its own certificate.
    pub(super) async fn create_root(&self, actor: &Actor, spec: IssuerSpec) -> Result<IssuerRecord, Error> {
        let mut change = self.issuer_change(actor, &spec)?;
        let id = IssuerId::new(change.now, change.random.take());
        let pair = self.issuer_key(&spec, id, &mut change).await?;
        let content = content_of(&spec, &pair.signer, pair.signer.as_ref(), &change)?;
        let authority = Authority::of_itself(&content, pair.signer.public_key()).map_err(Error::encoding)?;
        let by = (pair.signer.as_ref(), &authority);
        let certificate = sign_certificate(&content, pair.signer.public_key(), by, &mut change).await?;
        self.save_issuer(spec, (id, pair.key), vec![certificate], change).await
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
        let id = IssuerId::new(change.now, change.random.take());
        let pair = self.issuer_key(&spec, id, &mut change).await?;
        let content = content_of(&spec, &pair.signer, parent.signer.as_ref(), &change)?;
        fit_below(&spec, &content, &parent)?;
        change.check(parent.record.value.key(), parent.record.version);
        let by = (parent.signer.as_ref(), &parent.authority);
        let certificate = sign_certificate(&content, pair.signer.public_key(), by, &mut change).await?;
        let chain = std::iter::once(certificate).chain(parent.chain.iter().cloned()).collect();
        self.save_issuer(spec, (id, pair.key), chain, change).await
    }

    /// Makes an issuer that waits for a certificate from an outside CA; its state holds the request to send there.
    pub(super) async fn request_issuer(&self, actor: &Actor, spec: IssuerSpec) -> Result<IssuerRecord, Error> {
        let mut change = self.issuer_change(actor, &spec)?;
        let id = IssuerId::new(change.now, change.random.take());
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
        let id = IssuerId::new(change.now, change.random.take());
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
        let record = IssuerRecord { id, name, key: pair.key, state, urls, created_at: change.now };
        save_new(&mut change, &record, "imported")?;
        commit_issuer(change, record).await
    }

    fn issuer_change<'a>(&'a self, actor: &'a Actor, spec: &IssuerSpec) -> Result<Change<'a>, Error> {
        self.authorize_product(actor, "create issuers")?;
        refuse_faults(spec.urls.faults())?;
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
        let envelope = self.sealer.seal(&signer.to_pkcs8_der()?, &bound_to, change.random.take()).await?;
        Ok(IssuerKeyPair { signer: Arc::new(signer), key: IssuerKey::Sealed(Octets(envelope)) })
    }

    async fn save_issuer(
        &self,
        spec: IssuerSpec,
        (id, key): (IssuerId, IssuerKey),
        chain: Vec<Certificate>,
        mut change: Change<'_>,
    ) -> Result<IssuerRecord, Error> {
        record_certificate(&mut change, id, &chain[0])?;
        let record = record(spec, (id, key), active(&chain), &change);
        save_new(&mut change, &record, "created")?;
        commit_issuer(change, record).await
    }

    /// Checks every issuer that is kept against the signers that the host handed over.
    ///
    /// # Errors
    /// An issuer whose signer is missing, or holds another key than its certificate, or whose certificate is not the one
    /// that was recorded when it was made, or whose chain is broken.
    pub(super) async fn verify_issuers(&self) -> Result<(), Error> {
        let mut scan = crate::store::Scan::new(crate::store::Over::Kind(IssuerRecord::KIND.into()), 100);
        loop {
            let hits = self.store.scan(&scan).await?;
            for hit in &hits {
                let record: IssuerRecord = super::context::decode(&hit.document.key, &hit.document.body)?;
                if matches!(record.state, IssuerState::Active { .. }) {
                    self.verify_issuer(record.id).await?;
                }
            }
            match hits.last() {
                Some(last) if hits.len() == scan.limit => scan.after = Some(last.cursor()),
                _ => return Ok(()),
            }
        }
    }
}

impl Context {
    /// The issuer's chain must be the one that came with it: the inventory has its own certificate, too.
    async fn verify_issuer(&self, id: IssuerId) -> Result<(), Error> {
        let issuer = self.issuer(id).await?;
        let name = &issuer.record.value.name;
        let own = fit_chain(name, &issuer.chain)?;
        // Below an issuer a claim's name does not depend on the certificate that has it.
        let any = CertificateId::new(issuer.record.value.created_at, [0; 10]);
        let claim = serial_claim(Some(id), own.serial(), any).document_id();
        let recorded = match self.find::<SerialClaim>(&claim).await? {
            Some(claim) => self.find::<CertificateRecord>(&claim.value.certificate.to_string()).await?,
            None => None,
        };
        match recorded {
            Some(recorded) if recorded.value.der.0 == own.der() => Ok(()),
            _ => Err(Error::issuer(name, IssuerFault::CertificateChanged)),
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

/// A CA below another must not outlive it and must fit into its path length.
fn fit_below(spec: &IssuerSpec, content: &Content, parent: &Issuer) -> Result<(), Error> {
    let above = parent.chain[0].content();
    let refused = |reason: String| Err(Error::issuer(&spec.name, IssuerFault::Refused { reason }));
    let (until, limit) = (content.validity.not_after(), above.validity.not_after());
    if until > limit {
        return refused(format!("it would be valid until {until}, and its issuer only until {limit}"));
    }
    let BasicConstraints::Ca { path_length: Some(above) } = above.basic_constraints else { return Ok(()) };
    match spec.path_length {
        _ if above == 0 => refused("the issuer's path length is 0: no CA may follow it".into()),
        Some(length) if length < above => Ok(()),
        Some(length) => refused(format!("path length {length} does not fit below the issuer's {above}")),
        None => refused(format!("a path length of at most {} is needed below the issuer's {above}", above - 1)),
    }
}

/// Builds, lints and signs a CA's certificate.
async fn sign_certificate(
    content: &Content,
    key: &PublicKey,
    (signer, authority): (&dyn Signer, &Authority),
    change: &mut Change<'_>,
) -> Result<Certificate, Error> {
    let serial = Serial::from_random(change.random.take());
    let bytes = tbs::build(content, key, &serial, authority).map_err(Error::encoding)?;
    let view = TbsView::from_der(&bytes, key)?;
    let lints = lint_tbs(&view);
    if !lints.is_empty() {
        return Err(Error::encoding(lints.iter().map(Lint::to_string).collect::<Vec<_>>().join("; ")));
    }
    let signature = signer.sign(content.signature_algorithm, &bytes).await?;
    let certificate = Certificate::assemble(&bytes, view, key.clone(), &signature)?;
    certificate.verify_signature(signer.public_key()).map_err(|_| {
        Error::Sign(SignError::Unknown { reason: "the signature does not verify under the signer's key".into() })
    })?;
    Ok(certificate)
}

/// The first certificate of a chain that holds together and belongs to a CA that may sign certificates.
fn fit_chain<'a>(name: &Slug, chain: &'a [Certificate]) -> Result<&'a Certificate, Error> {
    let broken = |reason: String| Error::issuer(name, IssuerFault::Chain { reason });
    let own = chain.first().ok_or_else(|| broken("it is empty".into()))?;
    for pair in chain.windows(2) {
        pair[0].verify_issued_by(&pair[1]).map_err(|error| broken(error.to_string()))?;
    }
    if let Some(last) = chain.last().filter(|last| last.is_self_issued()) {
        last.verify_issued_by(last).map_err(|error| broken(error.to_string()))?;
    }
    no_authority(own).map_or(Ok(()), |reason| Err(Error::issuer(name, IssuerFault::NoAuthority { reason })))?;
    for (below, above) in chain.iter().enumerate().skip(1) {
        let subject = &above.content().subject;
        if let Some(reason) = no_authority(above) {
            return Err(broken(format!("{subject}: {reason}")));
        }
        // RFC 5280 section 6.1.4 (l): certificates that are self-issued do not count.
        let between = chain[..below].iter().filter(|each| !each.is_self_issued()).count();
        if let BasicConstraints::Ca { path_length: Some(length) } = above.content().basic_constraints
            && between > usize::from(length)
        {
            return Err(broken(format!("{subject} permits a path length of {length}, and {between} CAs are below it")));
        }
    }
    Ok(own)
}

/// Why a certificate can not sign others, if it can not.
fn no_authority(certificate: &Certificate) -> Option<&'static str> {
    let content = certificate.content();
    if !content.basic_constraints.is_ca() {
        return Some("the CA flag is not set");
    }
    let may_sign = content.key_usages.is_empty() || content.key_usages.contains(KeyUsage::KeyCertSign);
    (!may_sign).then_some("it has no key usage key_cert_sign")
}

/// An issuer is not begun with a chain that is not valid, or no longer.
fn fit_time(name: &Slug, chain: &[Certificate], now: time::OffsetDateTime) -> Result<(), Error> {
    let is_out = |each: &&Certificate| {
        let validity = each.content().validity;
        now < validity.not_before() || now > validity.not_after()
    };
    match chain.iter().find(is_out) {
        None => Ok(()),
        Some(out) => {
            let (subject, validity) = (&out.content().subject, out.content().validity);
            let (from, until) = (validity.not_before(), validity.not_after());
            let reason = format!("{subject} is valid from {from} until {until}, and it is {now}");
            Err(Error::issuer(name, IssuerFault::Chain { reason }))
        }
    }
}

fn record(spec: IssuerSpec, (id, key): (IssuerId, IssuerKey), state: IssuerState, change: &Change<'_>) -> IssuerRecord {
    IssuerRecord { id, name: spec.name, key, state, urls: spec.urls, created_at: change.now }
}

fn active(chain: &[Certificate]) -> IssuerState {
    IssuerState::Active { chain: chain.iter().map(|certificate| Octets(certificate.der().to_vec())).collect() }
}

/// An issuer's own certificate stands in the inventory, too.
fn record_certificate(change: &mut Change<'_>, issuer: IssuerId, certificate: &Certificate) -> Result<(), Error> {
    let id = CertificateId::new(change.now, change.random.take());
    let facts = Facts { id, custody: KeyCustody::Managed, issuer: Some(issuer) };
    change.create(&serial_claim(Some(issuer), certificate.serial(), id))?;
    let record = issuer_certificate(change.requester(), certificate, facts, change.now);
    change.create(&record)
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
