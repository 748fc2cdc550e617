//! OCSP answers are signed ahead: whatever was asked for once is kept fresh for as long as its certificate lasts.

use super::ocsp::Subject;
use crate::domain::CertificateRecord;
use crate::engine::context::{Context, Versioned};
use crate::engine::due::{Work, item};
use crate::engine::error::Error;
use crate::engine::schema::OcspAnswer;
use crate::store::Hit;
use crate::x509::CertId;

impl Context {
    /// Signs a kept answer anew before it is asked for again, or forgets it when its certificate has ended.
    pub(in crate::engine) async fn answer_due(&self, hit: &Hit) -> Result<Work, Error> {
        let answer: OcspAnswer = item(hit)?;
        let record = self.find::<CertificateRecord>(&answer.certificate.to_string()).await?;
        let lasting = record.filter(|record| record.value.validity.not_after() >= self.now());
        if let Some(record) = lasting
            && let Some(issuer) = record.value.issuer
            && let issuer = self.issuer(issuer).await?
            && let Some(settings) = issuer.record.value.status.ocsp
            && let Ok(id) = CertId::from_der(&answer.question.0)
        {
            self.kept_or_signed(&issuer, settings, Subject { id: &id, record: Some(record) }).await?;
            return Ok(Work::Published);
        }
        self.remove(&Versioned { value: answer, version: hit.document.version }).await?;
        Ok(Work::Removed)
    }
}
