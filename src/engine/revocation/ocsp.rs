//! Answering OCSP requests: from what is kept while it is true, otherwise signed anew (RFC 6960, RFC 5019, RFC 8954).
//!
//! A kept answer is good for one version of the certificate's record and of the issuer's. All are read together with it, so
//! that a revocation anywhere is seen by the next request everywhere.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use time::OffsetDateTime;

use super::crl::sign_verified;
use crate::domain::{CertificateRecord, CertificateState, IssuerId, IssuerRecord, OcspResponder, OcspSettings, Octets};
use crate::engine::cache::Issuer;
use crate::engine::context::{Context, Versioned, decode};
use crate::engine::error::Error;
use crate::engine::schema::{Entity, OcspAnswer, ResponderRecord, index};
use crate::engine::submit::hex;
use crate::signer::Signer;
use crate::store::{Document, Key, Over, Scan, StoreError, Version};
use crate::x509::ocsp::{OcspFailure, OcspStatus, ResponseHead, SingleResponse, build, seal};
use crate::x509::{CertId, OcspRequest, Serial};

/// More answers than are likely to be asked for again soon; beyond it the cache begins anew.
const MOST_ANSWERS: usize = 20_000;

/// Answers in memory, by the question's DER.
pub(in crate::engine) type OcspCache = RwLock<HashMap<Vec<u8>, Arc<Remembered>>>;
/// Delegated responders whose keys are open, by issuer.
pub(in crate::engine) type ResponderCache = RwLock<HashMap<IssuerId, Arc<Responder>>>;

/// An answer to an OCSP request (RFC 6960).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspReply {
    /// The DER `OCSPResponse`, media type `application/ocsp-response`.
    pub der: Vec<u8>,
    /// thisUpdate and nextUpdate of a status that others may be told, too, until then; `None` for what is for this question
    /// alone: a response to a nonce, about several certificates, or without a status.
    pub updates: Option<(OffsetDateTime, OffsetDateTime)>,
}

impl OcspReply {
    fn for_this_question(der: Vec<u8>) -> Self {
        Self { der, updates: None }
    }

    fn kept(answer: &OcspAnswer) -> Self {
        Self { der: answer.der.0.clone(), updates: Some((answer.this_update, answer.next_update)) }
    }
}

/// An answer, and what it rests on.
#[derive(Debug)]
pub(in crate::engine) struct Remembered {
    issuer: (Key, Version),
    certificate: (Key, Version),
    stale_at: OffsetDateTime,
    reply: OcspReply,
}

/// Who signs answers.
#[derive(Debug)]
pub(in crate::engine) struct Responder {
    version: Version,
    signer: Arc<dyn Signer>,
    /// The certificate of a delegated responder, DER.
    certificate: Option<Vec<u8>>,
    not_after: OffsetDateTime,
}

/// A certificate that was asked for, as it stands.
pub(super) struct Subject<'a> {
    pub(super) id: &'a CertId,
    pub(super) record: Option<Versioned<CertificateRecord>>,
}

impl Subject<'_> {
    fn response(&self) -> SingleResponse<'_> {
        let status = match self.record.as_ref().map(|record| record.value.state) {
            None => OcspStatus::Unknown,
            Some(CertificateState::Revoked { reason, at }) => OcspStatus::Revoked { reason, at },
            Some(CertificateState::Active) => OcspStatus::Good,
        };
        SingleResponse { id: self.id, status }
    }
}

impl Context {
    /// The answer to an OCSP request: always a DER `OCSPResponse`, if need be one that says why there is no status.
    pub(in crate::engine) async fn ocsp(&self, request: &[u8]) -> OcspReply {
        let answered = match OcspRequest::from_der(request) {
            Ok(request) => self.answer(&request).await,
            Err(_) => return OcspReply::for_this_question(OcspFailure::MalformedRequest.to_der()),
        };
        match answered {
            Ok(Some(reply)) => reply,
            Ok(None) => OcspReply::for_this_question(OcspFailure::Unauthorized.to_der()),
            Err(error) => {
                tracing::warn!(%error, "an OCSP request can not be answered");
                OcspReply::for_this_question(failure(&error).to_der())
            }
        }
    }

    /// `None` if the issuer is unknown or does not answer OCSP requests.
    async fn answer(&self, request: &OcspRequest) -> Result<Option<OcspReply>, Error> {
        let only = match (request.certificates(), request.nonce()) {
            ([only], None) => Some(only),
            _ => None,
        };
        if let Some(only) = only
            && let Some(kept) = self.remembered(only).await?
        {
            return Ok(Some(kept.reply.clone()));
        }
        let Some(issuer) = self.asked_issuer(request).await? else { return Ok(None) };
        let Some(settings) = issuer.record.value.status.ocsp else { return Ok(None) };
        if let Some(only) = only.filter(|only| only.is_plain())
            && let Some(serial) = only.serial()
            && let Some(record) = self.with_serial(issuer.record.value.id, serial).await?
        {
            let subject = Subject { id: only, record: Some(record) };
            return self.kept_or_signed(&issuer, settings, subject).await.map(Some);
        }
        let mut subjects = Vec::with_capacity(request.certificates().len());
        for id in request.certificates() {
            let record = match id.serial() {
                Some(serial) => self.with_serial(issuer.record.value.id, serial).await?,
                None => None,
            };
            subjects.push(Subject { id, record });
        }
        let (der, _) = self.sign_answer((&issuer, settings), &subjects, request.nonce()).await?;
        Ok(Some(OcspReply::for_this_question(der)))
    }

    /// An answer in memory that is still true: the two records that it rests on are looked at, and nothing else.
    async fn remembered(&self, id: &CertId) -> Result<Option<Arc<Remembered>>, Error> {
        let kept = {
            let answers = self.cache.ocsp.read().unwrap_or_else(PoisonError::into_inner);
            answers.get(id.der()).cloned()
        };
        let Some(kept) = kept.filter(|kept| self.now() < kept.stale_at) else { return Ok(None) };
        let keys = [kept.issuer.0.clone(), kept.certificate.0.clone()];
        let found = self.store.get(&keys).await?;
        let versions = found.iter().map(|document| document.as_ref().map(|document| document.version));
        let is_true = versions.eq([Some(kept.issuer.1), Some(kept.certificate.1)]);
        Ok(is_true.then_some(kept))
    }

    /// The answer about one certificate: the kept one if it is true and fresh, or else a new one, which is kept.
    pub(super) async fn kept_or_signed(
        &self,
        issuer: &Issuer,
        settings: OcspSettings,
        subject: Subject<'_>,
    ) -> Result<OcspReply, Error> {
        let Some(record) = subject.record.as_ref() else { return Err(Error::Contended) };
        let name = OcspAnswer::id(record.value.id, subject.id.der());
        let keys = [record.value.key(), issuer.record.value.key(), Key::new(OcspAnswer::KIND, &name)];
        let [certificate, kept_issuer, kept] = self.three(&keys).await?;
        let (Some(certificate), Some(kept_issuer)) = (certificate, kept_issuer) else { return Err(Error::Contended) };
        if kept_issuer.version != issuer.record.version {
            return Err(Error::Contended);
        }
        let now = self.now();
        let kept = match kept {
            Some(document) => {
                let value: OcspAnswer = decode(&document.key, &document.body)?;
                Some(Versioned { value, version: document.version })
            }
            None => None,
        };
        let rests_on = [(kept_issuer.key, kept_issuer.version), (certificate.key.clone(), certificate.version)];
        let is_true = |kept: &OcspAnswer| kept.version == certificate.version.0 && kept.next_update > now;
        let true_one = kept.as_ref().map(|kept| &kept.value).filter(|kept| is_true(kept));
        if let Some(kept) = true_one.filter(|kept| now < kept.stale_at()) {
            self.remember(subject.id, kept, rests_on);
            return Ok(OcspReply::kept(kept));
        }
        let value: CertificateRecord = decode(&certificate.key, &certificate.body)?;
        let current = Subject { id: subject.id, record: Some(Versioned { value, version: certificate.version }) };
        let id = record.value.id;
        let (der, (this_update, next_update)) = match self.sign_answer((issuer, settings), &[current], None).await {
            Ok(signed) => signed,
            // While nothing can be signed, an answer that is true will do until its end.
            Err(error) => return true_one.map(OcspReply::kept).ok_or(error),
        };
        let (question, version) = (Octets(subject.id.der().to_vec()), certificate.version.0);
        let der = Octets(der);
        let answer = OcspAnswer { name, certificate: id, question, version, this_update, next_update, der };
        self.remember(subject.id, &answer, rests_on);
        self.keep(&answer, kept.map(|kept| kept.version)).await;
        Ok(OcspReply::kept(&answer))
    }

    async fn three(&self, keys: &[Key; 3]) -> Result<[Option<Document>; 3], Error> {
        let found = self.store.get(keys).await?;
        <[Option<Document>; 3]>::try_from(found)
            .map_err(|_| StoreError::Corrupt { reason: "a store answered with other than was asked".into() }.into())
    }

    fn remember(&self, id: &CertId, answer: &OcspAnswer, [issuer, certificate]: [(Key, Version); 2]) {
        let kept = Remembered { issuer, certificate, stale_at: answer.stale_at(), reply: OcspReply::kept(answer) };
        let mut answers = self.cache.ocsp.write().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= MOST_ANSWERS {
            answers.clear();
        }
        answers.insert(id.der().to_vec(), Arc::new(kept));
    }

    /// Keeps an answer for other processes; that this fails hurts nobody who asks.
    async fn keep(&self, answer: &OcspAnswer, earlier: Option<Version>) {
        let Ok(mut change) = self.change_by_engine() else { return };
        let put = match earlier {
            Some(version) => change.update(answer, version),
            None => change.create(answer),
        };
        if put.is_ok()
            && let Err(error) = change.commit().await
        {
            tracing::debug!(%error, "an OCSP answer is not kept");
        }
    }

    /// Signs an answer; with it, when it begins and ends.
    async fn sign_answer(
        &self,
        (issuer, settings): (&Issuer, OcspSettings),
        subjects: &[Subject<'_>],
        nonce: Option<&[u8]>,
    ) -> Result<(Vec<u8>, (OffsetDateTime, OffsetDateTime)), Error> {
        let responder = self.responder(issuer, settings.responder).await?;
        let this_update = self.now().replace_nanosecond(0).unwrap_or_else(|_| self.now());
        let next_update = (this_update + settings.validity.as_duration()).min(responder.not_after);
        let head = ResponseHead { responder: responder.signer.public_key(), this_update, next_update, nonce };
        let responses: Vec<SingleResponse<'_>> = subjects.iter().map(Subject::response).collect();
        let data = build(&head, &responses).map_err(Error::encoding)?;
        let algorithm = responder.signer.algorithms()[0];
        let signature = sign_verified(responder.signer.as_ref(), algorithm, &data).await?;
        let der = seal(&data, algorithm, &signature, responder.certificate.as_deref()).map_err(Error::encoding)?;
        Ok((der, (this_update, next_update)))
    }

    async fn responder(&self, issuer: &Issuer, by: OcspResponder) -> Result<Arc<Responder>, Error> {
        let record = &issuer.record.value;
        if by == OcspResponder::Issuer {
            let (version, signer) = (issuer.record.version, Arc::clone(&issuer.signer));
            let not_after = issuer.chain[0].content().validity.not_after();
            return Ok(Arc::new(Responder { version, signer, certificate: None, not_after }));
        }
        let not_yet = || crate::signer::SignError::Unavailable { reason: "the responder has no certificate".into() };
        let kept = self.find::<ResponderRecord>(&record.id.to_string()).await?.ok_or_else(not_yet)?;
        let cached = {
            let responders = self.cache.responders.read().unwrap_or_else(PoisonError::into_inner);
            responders.get(&record.id).filter(|cached| cached.version == kept.version).cloned()
        };
        if let Some(cached) = cached.filter(|cached| cached.not_after > self.now()) {
            return Ok(cached);
        }
        let current = kept.value.current.filter(|current| current.not_after > self.now()).ok_or_else(not_yet)?;
        let signer = self.responder_signer(record, &current).await?;
        let (version, not_after, certificate) = (kept.version, current.not_after, Some(current.der.0));
        let responder = Arc::new(Responder { version, signer, certificate, not_after });
        let mut responders = self.cache.responders.write().unwrap_or_else(PoisonError::into_inner);
        responders.insert(record.id, Arc::clone(&responder));
        Ok(responder)
    }

    /// The issuer of every certificate that is asked for: one, or nobody answers. Of several with one name and key, the one
    /// that gave out the first serial number.
    async fn asked_issuer(&self, request: &OcspRequest) -> Result<Option<Arc<Issuer>>, Error> {
        let first = &request.certificates()[0];
        let Some(hash) = first.key_hash() else { return Ok(None) };
        let value = hex(hash);
        let mut scan = Scan::new(Over::Index(index::ISSUER_KEY.into()), 10);
        (scan.from, scan.to) = (Some(value.clone()), Some(format!("{value}\u{1}")));
        let mut answers = None;
        for hit in self.store.scan(&scan).await? {
            let id = decode::<IssuerRecord>(&hit.document.key, &hit.document.body)?.id;
            let issuer = self.issuer(id).await?;
            if !request.certificates().iter().all(|each| each.is_below(&issuer.chain[0])) {
                continue;
            }
            if self.gave_out(id, first.serial()).await? {
                return Ok(Some(issuer));
            }
            answers.get_or_insert(issuer);
        }
        Ok(answers)
    }

    async fn gave_out(&self, issuer: IssuerId, serial: Option<&Serial>) -> Result<bool, Error> {
        match serial {
            Some(serial) => Ok(self.with_serial(issuer, serial).await?.is_some()),
            None => Ok(false),
        }
    }
}

fn failure(error: &Error) -> OcspFailure {
    match error {
        Error::Sign(_) | Error::Contended | Error::Store(StoreError::Unavailable { .. }) => OcspFailure::TryLater,
        _ => OcspFailure::InternalError,
    }
}
