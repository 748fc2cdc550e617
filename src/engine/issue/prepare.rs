//! The steps before a key is touched: permit, subject key, authority, bytes.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::domain::policy::{Problem, Violation};
use crate::domain::{
    CertificateRequest, Draft, Enrollment, EventKind, Metadata, Method, Principal, RenewalKey, Source,
};
use crate::engine::cache::{Issuer, Setting};
use crate::engine::context::Versioned;
use crate::engine::error::Error;
use crate::engine::once::Once;
use crate::engine::renewal::Succession;
use crate::sealer::Secret;
use crate::signer::{Signer, SoftwareSigner};
use crate::x509::tbs::{self, Authority};
use crate::x509::{Certificate, PublicKey, Serial, TbsView, lint_tbs};

/// A draft that was judged and found good, under a setting that the first commit checks.
#[derive(Debug)]
pub(in crate::engine) struct Permit {
    pub(super) setting: Arc<Setting>,
    pub(super) draft: Draft,
    pub(super) judged_at: OffsetDateTime,
    pub(super) key: KeySource,
    pub(super) method: Method,
    pub(super) metadata: Metadata,
    /// Who asked, which need not be who acts.
    pub(super) requester: Principal,
    pub(super) once: Option<Once>,
    /// The request that was kept while people decided.
    pub(super) kept: Option<Versioned<CertificateRequest>>,
    /// What the first commit tells beside what it does.
    pub(super) tells: Vec<EventKind>,
    /// The certificate to replace and the plan of its lineage, as they were read when the draft was judged.
    pub(super) replaces: Option<Succession>,
}

/// Where a subject's key will come from.
#[derive(Debug)]
pub(in crate::engine) enum KeySource {
    /// It is made when it is needed.
    Fresh,
    /// The client has it.
    Client(PublicKey),
    /// It was made for the certificate that is replaced.
    Stored(Arc<SoftwareSigner>),
}

impl Permit {
    /// Made of what was judged, and of nothing else.
    pub(in crate::engine) fn new(
        setting: Arc<Setting>,
        enrollment: &Enrollment,
        requester: Principal,
        (draft, judged_at): (Draft, OffsetDateTime),
    ) -> Self {
        let key = match &enrollment.source {
            Source::Csr(csr) | Source::Renewal { key: RenewalKey::Csr(csr), .. } => {
                KeySource::Client(csr.public_key().clone())
            }
            Source::Managed | Source::Renewal { .. } => KeySource::Fresh,
        };
        // Judged already: tags that are not fine were a violation.
        let metadata = Metadata::try_from(enrollment.metadata.clone()).unwrap_or_default();
        Self {
            setting,
            draft,
            judged_at,
            key,
            method: enrollment.method,
            metadata,
            requester,
            once: None,
            kept: None,
            tells: Vec::new(),
            replaces: None,
        }
    }

    /// For a request that was kept, whose approval the events tell of.
    pub(in crate::engine) fn approved(mut self, kept: Versioned<CertificateRequest>, tells: Vec<EventKind>) -> Self {
        self.kept = Some(kept);
        self.tells = tells;
        self
    }

    /// In place of another certificate, on this key. Tags that are not given are kept.
    pub(in crate::engine) fn in_place_of(mut self, succession: Succession, key: KeySource) -> Self {
        self.key = key;
        self.succeeding(succession)
    }

    /// In place of another certificate. Tags that are not given are kept.
    pub(in crate::engine) fn succeeding(mut self, succession: Succession) -> Self {
        if self.metadata.is_empty() {
            self.metadata = succession.predecessor.value.metadata.clone();
        }
        self.replaces = Some(succession);
        self
    }

    /// Under an idempotency key, or for an order, with the certificate that this one replaces.
    pub(in crate::engine) fn once(mut self, once: Option<Once>) -> Self {
        let succession = once.as_ref().and_then(Once::succession).cloned();
        self.once = once;
        match succession {
            Some(succession) => self.succeeding(succession),
            None => self,
        }
    }
}

/// A subject's key, brought or made here.
pub(super) enum SubjectKeyPair {
    Client(PublicKey),
    Managed { signer: Arc<SoftwareSigner>, pkcs8: Secret },
}

impl SubjectKeyPair {
    pub(super) fn for_permit(permit: &Permit) -> Result<Self, Error> {
        let signer = match &permit.key {
            KeySource::Client(key) => return Ok(Self::Client(key.clone())),
            KeySource::Stored(signer) => Arc::clone(signer),
            KeySource::Fresh => Arc::new(SoftwareSigner::generate(permit.draft.content.key_algorithm)?),
        };
        let pkcs8 = signer.to_pkcs8_der()?;
        Ok(Self::Managed { signer, pkcs8 })
    }

    pub(super) fn public(&self) -> &PublicKey {
        match self {
            Self::Client(key) => key,
            Self::Managed { signer, .. } => signer.public_key(),
        }
    }
}

/// Who signs: the setting's issuer, or the subject itself.
pub(super) struct SigningAuthority {
    pub(super) issuer: Option<Arc<Issuer>>,
    pub(super) signer: Arc<dyn Signer>,
    pub(super) authority: Authority,
    /// The shard of the issuer's CRL that tells of a revocation.
    pub(super) crl_shard: u32,
}

impl SigningAuthority {
    pub(super) fn for_permit(permit: &Permit, key: &SubjectKeyPair, serial: &Serial) -> Result<Self, Error> {
        match (&permit.setting.issuer, key) {
            (Some(issuer), _) => {
                let crl_shard = issuer.record.value.crl_shard(serial);
                Ok(Self {
                    signer: Arc::clone(&issuer.signer),
                    authority: issuer.authority.of_shard(crl_shard),
                    issuer: Some(Arc::clone(issuer)),
                    crl_shard,
                })
            }
            (None, SubjectKeyPair::Managed { signer, .. }) => Ok(Self {
                authority: Authority::of_itself(&permit.draft.content, signer.public_key()).map_err(Error::encoding)?,
                signer: Arc::clone(signer) as Arc<dyn Signer>,
                issuer: None,
                crl_shard: 0,
            }),
            (None, SubjectKeyPair::Client(_)) => Err(Error::encoding("a self-signed certificate needs a managed key")),
        }
    }
}

/// To-be-signed bytes that were read back, linted, and judged by what they say.
pub(super) struct Prepared {
    pub(super) tbs: Vec<u8>,
    pub(super) view: TbsView,
    pub(super) public_key: PublicKey,
}

impl Prepared {
    /// Builds the bytes and judges them: what the policy sees is what the bytes say, not what they were meant to.
    ///
    /// The inner error holds every rule that they break.
    pub(super) fn new(
        permit: &Permit,
        key: &PublicKey,
        serial: &Serial,
        authority: &Authority,
    ) -> Result<Result<Self, Vec<Violation>>, Error> {
        let tbs = tbs::build(&permit.draft.content, key, serial, authority).map_err(Error::encoding)?;
        let view = TbsView::from_der(&tbs, key)?;
        let mut violations: Vec<Violation> = lint_tbs(&view).into_iter().map(Violation::from).collect();
        violations.extend(permit.setting.rules.judge(&view.content, permit.judged_at).into_violations());
        if view.content != permit.draft.content || view.serial != *serial || view.issuer_der != *authority.name_der {
            violations.push(said_otherwise());
        }
        Ok(if violations.is_empty() { Ok(Self { tbs, view, public_key: key.clone() }) } else { Err(violations) })
    }

    pub(super) fn assemble(self, signature: &[u8]) -> Result<Certificate, Error> {
        Ok(Certificate::assemble(&self.tbs, self.view, self.public_key, signature)?)
    }
}

fn said_otherwise() -> Violation {
    Violation {
        field: "certificate".into(),
        problem: Problem::Unsound,
        rule: "standard: the bytes say what was judged".into(),
        seen: "they say something else".into(),
        allowed: Vec::new(),
    }
}
