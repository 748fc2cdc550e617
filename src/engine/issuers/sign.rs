//! Signing a CA's own certificate: recorded first, signed then, and taken up again by due work if that was cut off.

use std::sync::Arc;

use super::{IssuerKeyPair, active, commit_issuer, record, save_new};
use crate::domain::{
    Actor, CertificateId, CertificateRecord, EventKind, IssuerId, IssuerRecord, IssuerSpec, IssuerState, KeyCustody,
    Octets,
};
use crate::engine::cache::Issuer;
use crate::engine::context::{Change, Context, Versioned};
use crate::engine::error::Error;
use crate::engine::issue::{FIRST_RETRY, Facts, issuer_certificate, serial_claim};
use crate::engine::schema::Entity;
use crate::engine::settings::name_taken;
use crate::signer::{SignError, Signer};
use crate::x509::tbs::{self, Authority};
use crate::x509::{Certificate, Content, Lint, PublicKey, Serial, TbsView, lint_tbs};

impl Context {
    /// Records serial and bytes of a CA's certificate, and then has them signed.
    pub(super) async fn begin_issuer(
        &self,
        actor: &Actor,
        (spec, id, pair): (IssuerSpec, IssuerId, IssuerKeyPair),
        (content, authority, parent): (&Content, &Authority, Option<&Issuer>),
        mut change: Change<'_>,
    ) -> Result<IssuerRecord, Error> {
        let key = pair.signer.public_key();
        let serial = Serial::from_random(change.random.take()?);
        let parent = parent.map(|parent| &parent.record.value);
        let crl_shard = parent.map_or(0, |parent| parent.crl_shard(&serial));
        let parent = parent.map(|parent| parent.id);
        let bytes = linted_bytes(content, key, &serial, &authority.of_shard(crl_shard))?;
        let certificate = CertificateId::new(change.now, change.random.take()?);
        change.create(&serial_claim(parent.or(Some(id)), &serial, certificate))?;
        let state = IssuerState::Signing {
            certificate,
            tbs: Octets(bytes),
            public_key: Octets(key.spki_der().to_vec()),
            parent,
            crl_shard,
            requester: actor.principal().clone(),
            retry_at: change.now + FIRST_RETRY,
        };
        let record = record(spec, (id, pair.key), state, &change);
        save_new(&mut change, &record, "begun")?;
        let committed = change.commit().await;
        let version = committed.map_err(|error| name_taken(error, IssuerRecord::KIND, &record.name))?;
        self.complete_issuer(actor, Versioned { value: record, version }).await
    }

    /// Has the recorded bytes of a CA's certificate signed, and records the certificate.
    pub(in crate::engine) async fn complete_issuer(
        &self,
        actor: &Actor,
        issuer: Versioned<IssuerRecord>,
    ) -> Result<IssuerRecord, Error> {
        let Versioned { value: mut record, version } = issuer;
        let IssuerState::Signing { certificate: id, tbs, public_key, parent, crl_shard, .. } = &record.state else {
            return Ok(record);
        };
        let (signer, above): (Arc<dyn Signer>, Vec<Certificate>) = match parent {
            Some(parent) => {
                let parent = self.issuer(*parent).await?;
                (Arc::clone(&parent.signer), parent.chain.to_vec())
            }
            None => (self.signer_of(&record).await?, Vec::new()),
        };
        let key = PublicKey::from_spki_der(&public_key.0).map_err(Error::encoding)?;
        let certificate = sign(signer.as_ref(), &tbs.0, key).await?;
        let mut change = self.change(actor, self.now())?;
        let issuer = parent.or(Some(record.id));
        let facts = Facts { id: *id, custody: KeyCustody::Managed, issuer, crl_shard: *crl_shard };
        let own = issuer_certificate(actor.principal(), &certificate, facts, change.now);
        change.create(&CertificateRecord { certifies: Some(record.id), ..own })?;
        let chain: Vec<Certificate> = std::iter::once(certificate).chain(above).collect();
        record.state = active(&chain);
        change.update(&record, version)?;
        self.begin_status(&record, &mut change).await?;
        change.event(None, EventKind::IssuerSaved { issuer: record.id, what: "created".to_owned() })?;
        commit_issuer(change, record).await
    }
}

fn linted_bytes(content: &Content, key: &PublicKey, serial: &Serial, authority: &Authority) -> Result<Vec<u8>, Error> {
    let bytes = tbs::build(content, key, serial, authority).map_err(Error::encoding)?;
    let lints = lint_tbs(&TbsView::from_der(&bytes, key)?);
    if lints.is_empty() {
        return Ok(bytes);
    }
    Err(Error::encoding(lints.iter().map(Lint::to_string).collect::<Vec<_>>().join("; ")))
}

async fn sign(signer: &dyn Signer, bytes: &[u8], key: PublicKey) -> Result<Certificate, Error> {
    let view = TbsView::from_der(bytes, &key)?;
    let signature = signer.sign(view.content.signature_algorithm, bytes).await?;
    let certificate = Certificate::assemble(bytes, view, key, &signature)?;
    certificate.verify_signature(signer.public_key()).map_err(|_| {
        Error::Sign(SignError::Unknown { reason: "the signature does not verify under the signer's key".into() })
    })?;
    Ok(certificate)
}
