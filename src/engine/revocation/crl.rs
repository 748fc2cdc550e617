//! Making and reading CRLs: a number is taken first and spent, then what is revoked is read, signed and published at once.

use bytes::Bytes;
use time::OffsetDateTime;

use crate::crypto;
use crate::domain::{Actor, CrlSettings, EventKind, IssuerId, Octets};
use crate::engine::cache::Issuer;
use crate::engine::context::{Change, Context, Versioned, decode};
use crate::engine::due::{Work, hold, item};
use crate::engine::error::Error;
use crate::engine::schema::{CrlPart, CrlRecord, CrlWork, Entity, PublishedCrl, RevokedCertificate};
use crate::signer::{Locality, SignError};
use crate::store::{Hit, Key, MAX_BATCH_WRITES, MAX_SCAN_LIMIT, Over, Scan};
use crate::x509::crl::{CrlHead, build, seal};
use crate::x509::tbs::shard_urls;
use crate::x509::{KeyUsage, SignatureAlgorithm};

/// A published CRL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crl {
    /// The DER `CertificateList` (RFC 5280 section 5.1), media type `application/pkix-crl`.
    pub der: Bytes,
    /// Its number, which only grows (RFC 5280 section 5.2.3).
    pub number: u64,
    /// When it was made.
    pub this_update: OffsetDateTime,
    /// When there will be another at the latest.
    pub next_update: OffsetDateTime,
}

/// What is revoked, as one list tells it.
struct Listed {
    /// The entries, DER.
    entries: Vec<u8>,
    count: usize,
    /// Those that ended before this list was made, and stand on it for the last time.
    ended: Vec<Versioned<RevokedCertificate>>,
}

impl Context {
    /// The CRL of a shard as it was last published.
    pub(in crate::engine) async fn crl(&self, issuer: IssuerId, shard: u32) -> Result<Option<Crl>, Error> {
        let id = CrlRecord::id(issuer, shard);
        // Its parts vanish when the next list is published; who read the number just before reads it again.
        for _ in 0..super::MOST_ATTEMPTS {
            let record = self.find::<CrlRecord>(&id).await?;
            let Some(published) = record.and_then(|record| record.value.published) else { return Ok(None) };
            let mut der = Vec::new();
            let parts = self.store.get(&part_keys(&id, &published)).await?;
            if parts.iter().all(Option::is_some) {
                for document in parts.into_iter().flatten() {
                    der.extend(decode::<CrlPart>(&document.key, &document.body)?.octets.0);
                }
                let PublishedCrl { number, this_update, next_update, .. } = published;
                return Ok(Some(Crl { der: der.into(), number, this_update, next_update }));
            }
        }
        Err(Error::Contended)
    }

    /// Makes the CRL that is due.
    pub(in crate::engine) async fn publish_due(&self, hit: &Hit) -> Result<Work, Error> {
        let mut crl: CrlRecord = item(hit)?;
        let engine = Actor::engine();
        let mut change = self.change_by_engine()?;
        crl.take(change.now);
        change.update(&crl, hit.document.version)?;
        let Some(version) = hold(change).await? else { return Ok(Work::TakenByOthers) };
        let issuer = self.issuer(crl.issuer).await?;
        if !can_sign_crls(&issuer) || issuer.chain[0].content().validity.not_after() < self.now() {
            return self.end_crl(&engine, Versioned { value: crl, version }).await;
        }
        let now = self.now().replace_nanosecond(0).unwrap_or_else(|_| self.now());
        let listed = self.listed(&crl, now).await?;
        let settings = issuer.record.value.crl_settings();
        let der = sign(&issuer, &crl, &listed.entries, (now, now + settings.validity.as_duration())).await?;
        if !self.publish(&crl, (&der, &listed), settings, now).await? {
            return Ok(Work::TakenByOthers);
        }
        self.forget(listed.ended).await;
        Ok(Work::Published)
    }

    /// Puts a signed list in the place of the one before; false if somebody has taken a higher number meanwhile.
    async fn publish(
        &self,
        taken: &CrlRecord,
        (der, listed): (&[u8], &Listed),
        settings: CrlSettings,
        now: OffsetDateTime,
    ) -> Result<bool, Error> {
        let id = taken.document_id();
        let next_update = now + settings.validity.as_duration();
        let chunks = der.chunks(CrlPart::OCTETS);
        let parts = u32::try_from(chunks.len()).map_err(Error::encoding)?;
        let published =
            PublishedCrl { number: taken.number, parts, entries: listed.count, this_update: now, next_update };
        for _ in 0..super::MOST_ATTEMPTS {
            let Versioned { value: mut crl, version } = self.load::<CrlRecord>(&id).await?;
            if crl.number != taken.number {
                return Ok(false);
            }
            let mut change = self.change_by_engine()?;
            if let Some(before) = &crl.published {
                self.delete_parts(&id, before, &mut change).await?;
            }
            // What was revoked while the list was made wants another one.
            crl.due = Some(match crl.work {
                CrlWork::Wanted => CrlRecord::gathered(now),
                CrlWork::Idle | CrlWork::Taken => next_update - settings.overlap.as_duration(),
            });
            crl.work = if crl.work == CrlWork::Wanted { CrlWork::Wanted } else { CrlWork::Idle };
            crl.attempts = 0;
            crl.published = Some(published.clone());
            change.update(&crl, version)?;
            for (part, octets) in (0_u32..).zip(chunks.clone()) {
                let name = CrlPart::id(&id, taken.number, part);
                change.create(&CrlPart { name, octets: Octets(octets.to_vec()) })?;
            }
            let (issuer, shard, number) = (crl.issuer, crl.shard, crl.number);
            change.event(None, EventKind::CrlPublished { issuer, shard, number, entries: listed.count })?;
            match change.commit().await {
                Err(error) if error.is_conflict() => {}
                committed => return committed.map(|_| true),
            }
        }
        Err(Error::Contended)
    }

    async fn delete_parts(&self, id: &str, of: &PublishedCrl, change: &mut Change<'_>) -> Result<(), Error> {
        for document in self.store.get(&part_keys(id, of)).await?.into_iter().flatten() {
            let part: CrlPart = decode(&document.key, &document.body)?;
            change.delete(&part, document.version);
        }
        Ok(())
    }

    /// Everything that is revoked in a shard, page by page.
    async fn listed(&self, crl: &CrlRecord, now: OffsetDateTime) -> Result<Listed, Error> {
        let mut listed = Listed { entries: Vec::new(), count: 0, ended: Vec::new() };
        let id = crl.document_id();
        let mut scan = Scan::new(Over::Kind(RevokedCertificate::KIND.into()), MAX_SCAN_LIMIT);
        (scan.from, scan.to) = (Some(format!("{id}/")), Some(format!("{id}0")));
        loop {
            let hits = self.store.scan(&scan).await?;
            for Hit { document, .. } in &hits {
                let value: RevokedCertificate = decode(&document.key, &document.body)?;
                value.entry().push_der(&mut listed.entries).map_err(Error::encoding)?;
                listed.count += 1;
                if value.not_after < now {
                    listed.ended.push(Versioned { value, version: document.version });
                }
            }
            scan.after = hits.last().map(Hit::cursor);
            if hits.len() < scan.limit {
                return Ok(listed);
            }
        }
    }

    /// Forgets what stood on a list that was made after its end (RFC 5280 section 3.3). What can not be forgotten now
    /// stands on the next list, too.
    async fn forget(&self, ended: Vec<Versioned<RevokedCertificate>>) {
        for some in ended.chunks(MAX_BATCH_WRITES) {
            let Ok(mut change) = self.change_by_engine() else { return };
            some.iter().for_each(|each| change.delete(&each.value, each.version));
            if let Err(error) = change.commit().await {
                tracing::debug!(%error, "ended entries stay on the next CRL");
            }
        }
    }

    /// An issuer that has ended, or may not sign CRLs, makes no more of them.
    async fn end_crl(&self, engine: &Actor, crl: Versioned<CrlRecord>) -> Result<Work, Error> {
        let Versioned { value: mut crl, version } = crl;
        tracing::warn!(issuer = %crl.issuer, "no CRL: the issuer has ended, or its key usage forbids it to sign CRLs");
        crl.due = None;
        crl.work = CrlWork::Idle;
        let mut change = self.change(engine, self.now())?;
        change.update(&crl, version)?;
        change.commit().await?;
        Ok(Work::Failed)
    }
}

fn can_sign_crls(issuer: &Issuer) -> bool {
    let usages = issuer.chain[0].content().key_usages;
    usages.is_empty() || usages.contains(KeyUsage::CrlSign)
}

async fn sign(
    issuer: &Issuer,
    crl: &CrlRecord,
    entries: &[u8],
    (this_update, next_update): (OffsetDateTime, OffsetDateTime),
) -> Result<Vec<u8>, Error> {
    let urls = &issuer.record.value.urls;
    let scope = if urls.tell_shards_apart() { shard_urls(&urls.crl, crl.shard) } else { Vec::new() };
    let algorithm = issuer.signer.algorithms()[0];
    let head = CrlHead {
        algorithm,
        issuer_der: &issuer.authority.name_der,
        key_identifier: &issuer.authority.key_identifier,
        number: crl.number,
        this_update,
        next_update,
        scope: &scope,
    };
    let tbs = build(&head, entries).map_err(Error::encoding)?;
    let signature = sign_verified(issuer.signer.as_ref(), algorithm, &tbs).await?;
    seal(&tbs, algorithm, &signature).map_err(Error::encoding)
}

/// A signature; one from elsewhere counts only if it verifies.
pub(super) async fn sign_verified(
    signer: &dyn crate::signer::Signer,
    algorithm: SignatureAlgorithm,
    message: &[u8],
) -> Result<Vec<u8>, Error> {
    let signature = signer.sign(algorithm, message).await?;
    let is_good = || crypto::verify(signer.public_key(), algorithm, message, &signature).is_ok();
    if signer.locality() == Locality::Remote && !is_good() {
        let reason = "its signature does not verify under the signer's key".to_owned();
        return Err(SignError::Unknown { reason }.into());
    }
    Ok(signature)
}

fn part_keys(id: &str, of: &PublishedCrl) -> Vec<Key> {
    (0..of.parts).map(|part| Key::new(CrlPart::KIND, CrlPart::id(id, of.number, part))).collect()
}
