//! Delegated OCSP responders: a key of their own, certified by the issuer for a short time, and again before that ends.
//!
//! As with every certificate, serial and bytes are recorded before the issuer's key is asked, and what was signed stands in
//! the inventory.

use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use super::crl::sign_verified;
use crate::domain::{
    Actor, CertificateId, CertificateRecord, EventKind, IssuerKey, IssuerRecord, KeyCustody, OcspResponder, Octets,
    Origin,
};
use crate::engine::cache::Issuer;
use crate::engine::context::{Change, Context, Versioned};
use crate::engine::due::{Work, hold, item};
use crate::engine::error::Error;
use crate::engine::issue::{Facts, issuer_certificate, serial_claim};
use crate::engine::schema::{Entity, ResponderCertificate, ResponderIntent, ResponderRecord};
use crate::signer::{Signer, SoftwareSigner};
use crate::store::Hit;
use crate::x509::tbs::{OCSP_NO_CHECK, build};
use crate::x509::{
    Attribute, BasicConstraints, Certificate, Content, ExtendedKeyUsage, KeyAlgorithm, KeyUsage, KeyUsages, Lint,
    PublicKey, Serial, Subject, TbsView, Validity, lint_tbs,
};

/// How long a responder's certificate is valid. Nobody looks whether it is revoked, so it is short.
const LIFE: Duration = Duration::days(14);
/// How long whoever certifies a responder may take before another tries.
const LEASE: Duration = Duration::minutes(1);

impl Context {
    /// Certifies an issuer's responder: for the first time, or before the present certificate ends.
    pub(in crate::engine) async fn certify_responder_due(&self, hit: &Hit) -> Result<Work, Error> {
        let mut responder: ResponderRecord = item(hit)?;
        let engine = Actor::engine();
        let issuer = self.issuer(responder.issuer).await?;
        let is_wanted =
            matches!(issuer.record.value.status.ocsp, Some(ocsp) if ocsp.responder == OcspResponder::Delegated);
        let ends = issuer.chain[0].content().validity.not_after();
        if !is_wanted || ends <= self.now() + LEASE {
            let version = hit.document.version;
            self.remove(&Versioned { value: responder, version }).await?;
            return Ok(Work::Removed);
        }
        let mut change = self.change_by_engine()?;
        responder.due = change.now + LEASE;
        if !responder.next.as_ref().is_some_and(|next| is_worth_signing(next, change.now)) {
            responder.next = Some(self.prepare_responder(&issuer, &mut change).await?);
        }
        change.update(&responder, hit.document.version)?;
        let Some(version) = hold(change).await? else { return Ok(Work::TakenByOthers) };
        self.complete_responder(&engine, Versioned { value: responder, version }, &issuer).await?;
        Ok(Work::Issued)
    }

    /// Fixes key, serial number and bytes.
    async fn prepare_responder(&self, issuer: &Issuer, change: &mut Change<'_>) -> Result<ResponderIntent, Error> {
        let record = &issuer.record.value;
        let (key, public) = match self.signers.get(&format!("{}-ocsp", record.name)) {
            Some(signer) => (IssuerKey::Signer, signer.public_key().clone()),
            None => {
                let signer = SoftwareSigner::generate(responder_algorithm(issuer))?;
                let bound_to = bound_to(record);
                let envelope = self.sealer.seal(&signer.to_pkcs8_der()?, &bound_to, change.random.take()?).await?;
                (IssuerKey::Sealed(Octets(envelope)), signer.public_key().clone())
            }
        };
        let serial = Serial::from_random(change.random.take()?);
        let content = content(issuer, &public, change.now)?;
        let tbs = build(&content, &public, &serial, &issuer.authority.of_responder()).map_err(Error::encoding)?;
        let mut lints = lint_tbs(&TbsView::from_der(&tbs, &public)?);
        lints.retain(|lint| !matches!(lint, Lint::UnexpectedExtension { oid } if oid == OCSP_NO_CHECK));
        if let Some(lint) = lints.first() {
            return Err(Error::encoding(lint));
        }
        let certificate = CertificateId::new(change.now, change.random.take()?);
        change.create(&serial_claim(Some(record.id), &serial, certificate))?;
        let public_key = Octets(public.spki_der().to_vec());
        let crl_shard = record.crl_shard(&serial);
        Ok(ResponderIntent { certificate, key, tbs: Octets(tbs), public_key, crl_shard })
    }

    async fn complete_responder(
        &self,
        engine: &Actor,
        responder: Versioned<ResponderRecord>,
        issuer: &Issuer,
    ) -> Result<(), Error> {
        let Versioned { value: mut responder, version } = responder;
        let Some(intent) = responder.next.take() else { return Ok(()) };
        let key = PublicKey::from_spki_der(&intent.public_key.0).map_err(Error::encoding)?;
        let view = TbsView::from_der(&intent.tbs.0, &key)?;
        let signature = sign_verified(issuer.signer.as_ref(), view.content.signature_algorithm, &intent.tbs.0).await?;
        let certificate = Certificate::assemble(&intent.tbs.0, view, key, &signature)?;
        let validity = certificate.content().validity;
        let mut change = self.change(engine, self.now())?;
        let id = issuer.record.value.id;
        let custody = KeyCustody::Managed;
        let facts = Facts { id: intent.certificate, custody, issuer: Some(id), crl_shard: intent.crl_shard };
        let record = issuer_certificate(engine.principal(), &certificate, facts, change.now);
        change.create(&CertificateRecord { origin: Origin::OcspResponder, ..record })?;
        let der = Octets(certificate.der().to_vec());
        responder.current = Some(ResponderCertificate { key: intent.key, der, not_after: validity.not_after() });
        responder.due = validity.not_before() + validity.span() / 2;
        change.update(&responder, version)?;
        change.event(None, EventKind::IssuerSaved { issuer: id, what: "OCSP responder certified".into() })?;
        change.commit().await.map(drop)
    }

    /// The key that a responder's certificate is for.
    pub(super) async fn responder_signer(
        &self,
        issuer: &IssuerRecord,
        certificate: &ResponderCertificate,
    ) -> Result<Arc<dyn Signer>, Error> {
        match &certificate.key {
            IssuerKey::Signer => self.handed_over(&format!("{}-ocsp", issuer.name)),
            IssuerKey::Sealed(envelope) => {
                let key = self.sealer.open(&envelope.0, &bound_to(issuer)).await?;
                Ok(Arc::new(SoftwareSigner::from_pkcs8_der(key.expose())?))
            }
        }
    }
}

fn bound_to(issuer: &IssuerRecord) -> String {
    crate::store::Key::new(ResponderRecord::KIND, issuer.id.to_string()).to_string()
}

/// Bytes that lay too long, or are for a key that the host has replaced, are given up, and their serial number with them.
fn is_worth_signing(intent: &ResponderIntent, now: OffsetDateTime) -> bool {
    let key = PublicKey::from_spki_der(&intent.public_key.0).ok();
    let view = key.and_then(|key| TbsView::from_der(&intent.tbs.0, &key).ok());
    view.is_some_and(|view| view.content.validity.not_before() + view.content.validity.span() / 2 > now)
}

/// As strong as the issuer's key, but never RSA: those keys take long to make, and make every answer long.
fn responder_algorithm(issuer: &Issuer) -> KeyAlgorithm {
    match issuer.signer.public_key().algorithm() {
        rsa if rsa.is_rsa() => KeyAlgorithm::P256,
        other => other,
    }
}

fn content(issuer: &Issuer, key: &PublicKey, now: OffsetDateTime) -> Result<Content, Error> {
    let encoding = |error: crate::x509::InvalidValue| Error::encoding(error);
    let name: String = format!("OCSP {}", issuer.record.value.name).chars().take(64).collect();
    let until = (now + LIFE).min(issuer.chain[0].content().validity.not_after());
    Ok(Content {
        subject: Subject::from_parts([(Attribute::CommonName, name)]).map_err(encoding)?,
        sans: Vec::new(),
        key_algorithm: key.algorithm(),
        signature_algorithm: issuer.signer.algorithms()[0],
        validity: Validity::new(now, until).map_err(encoding)?,
        key_usages: KeyUsages::from([KeyUsage::DigitalSignature]),
        extended_key_usages: vec![ExtendedKeyUsage::OcspSigning],
        basic_constraints: BasicConstraints::EndEntity,
    })
}
