//! What callers do in a simulated world: they ask, decide, renew and revoke.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::changes;
use super::clients::{self, Placed};
use super::model::GUARDED;
use super::office::{Desk, session};
use super::stage::{Act, Stage, lock};
use crate::domain::{CertificateId, Enrollment, Metadata, RenewalKey, RequestStatus, Revocation, Span};
use crate::engine::{ApprovalRequest, Error, Outcome};
use crate::x509::RevocationReason;

/// What callers remember.
#[derive(Debug, Default)]
pub(super) struct Caller {
    /// Asks whose answer may not have come.
    pub(super) open: Vec<Enrollment>,
    certificates: Vec<CertificateId>,
    asked: u64,
    /// Orders of ACME that are not over, as far as clients know.
    pub(super) orders: Vec<Placed>,
    pub(super) ordered: u64,
}

/// Somebody who turns to an engine.
pub(super) struct Visit {
    pub(super) caller: Arc<Mutex<Caller>>,
    pub(super) desk: Desk,
    pub(super) stage: Arc<Stage>,
}

impl Visit {
    /// Something that chance decides.
    pub(super) fn act(self) -> Act {
        Box::pin(async move {
            let done = match self.stage.draw(34) {
                0..=7 => self.ask().await,
                8..=9 => self.ask_again().await,
                10..=12 => self.decide().await,
                13..=14 => self.renew().await,
                15..=16 => self.revoke().await,
                17 => self.release().await,
                18 => self.cancel().await,
                19..=20 => self.tag().await,
                26..=33 => clients::act(&self).await,
                _ => changes::change(&self).await,
            };
            if let Err(error) = done {
                self.stage.tell(format_args!("a caller is told: {error}"));
            }
        })
    }

    /// Asks for a certificate, under an idempotency key, so that it is safe to ask again.
    async fn ask(&self) -> Result<(), Error> {
        let number = {
            let mut caller = lock(&self.caller);
            caller.asked += 1;
            caller.asked
        };
        let office = &self.desk.1;
        let domain = if self.stage.strikes(4) { GUARDED } else { ".example.com" };
        let name = format!("host-{number}{domain}");
        let profile = if self.stage.strikes(4) { office.inner } else { office.web };
        let ask = match self.stage.strikes(5) {
            true => office.ask_with_csr(profile, &name).await?,
            false => office.ask(profile, &name),
        };
        let ask = match self.stage.strikes(2) {
            true => ask.ttl(Span::days(u16::try_from(1 + self.stage.draw(9)).unwrap_or(1))),
            false => ask,
        };
        lock(&self.caller).open.push(ask.clone());
        self.submit(&ask).await
    }

    /// Asks again for what may not have been answered.
    async fn ask_again(&self) -> Result<(), Error> {
        let enrollment = {
            let caller = lock(&self.caller);
            caller.open.get(self.stage.draw(caller.open.len() as u64) as usize).cloned()
        };
        match enrollment {
            Some(enrollment) => self.submit(&enrollment).await,
            None => Ok(()),
        }
    }

    pub(super) async fn submit(&self, ask: &Enrollment) -> Result<(), Error> {
        let outcome = session(&self.desk.0, "otto")?.submit(ask).await?;
        let name = ask.idempotency_key.as_deref().unwrap_or_default();
        if !matches!(outcome, Outcome::Pending(_)) {
            lock(&self.caller).open.retain(|open| open.idempotency_key != ask.idempotency_key);
        }
        self.hear(name, &outcome);
        Ok(())
    }

    /// What a caller was told counts.
    fn hear(&self, name: &str, outcome: &Outcome) {
        match outcome {
            Outcome::Issued(issued) => {
                self.stage.tell(format_args!("{name} has {}", issued.record.id));
                let promised = lock(&self.stage.model).promise(&issued.record);
                self.stage.judge(promised);
                lock(&self.caller).certificates.push(issued.record.id);
            }
            Outcome::Pending(pending) => self.stage.tell(format_args!("{name} waits as {}", pending.id)),
            Outcome::Refused(refusal) => self.stage.tell(format_args!("{name} is refused: {refusal}")),
        }
    }

    async fn waiting(&self) -> Result<Option<ApprovalRequest>, Error> {
        let waiting = RequestStatus::AwaitingApproval;
        let mut page =
            session(&self.desk.0, "alice")?.approval_requests(self.desk.1.application, waiting, None).await?;
        let at = self.stage.draw(page.items.len() as u64) as usize;
        Ok((at < page.items.len()).then(|| page.items.swap_remove(at)))
    }

    /// Agrees, mostly, to what somebody asked for.
    async fn decide(&self) -> Result<(), Error> {
        let Some(request) = self.waiting().await? else { return Ok(()) };
        let name = if self.stage.strikes(2) { "alice" } else { "bob" };
        let (id, digest) = (request.id, &request.approval.digest);
        let session = session(&self.desk.0, name)?;
        let outcome = match self.stage.strikes(4) {
            true => session.reject(id, digest, "no").await?,
            false => session.approve(id, digest, "yes").await?,
        };
        self.stage.tell(format_args!("{name} decides on {id}"));
        self.hear(&id.to_string(), &outcome);
        Ok(())
    }

    async fn cancel(&self) -> Result<(), Error> {
        let Some(request) = self.waiting().await? else { return Ok(()) };
        let outcome = session(&self.desk.0, "otto")?.cancel(request.id).await?;
        self.hear(&request.id.to_string(), &outcome);
        Ok(())
    }

    async fn renew(&self) -> Result<(), Error> {
        let Some(id) = self.any() else { return Ok(()) };
        let key = if self.stage.strikes(3) { RenewalKey::Reused } else { RenewalKey::New };
        let outcome = session(&self.desk.0, "otto")?.renew(id, key).await?;
        self.hear(&format!("the renewal of {id}"), &outcome);
        Ok(())
    }

    async fn revoke(&self) -> Result<(), Error> {
        let Some(id) = self.any() else { return Ok(()) };
        let reasons =
            [RevocationReason::KeyCompromise, RevocationReason::Superseded, RevocationReason::CertificateHold];
        let revocation = Revocation::from(reasons[self.stage.draw(3) as usize]);
        session(&self.desk.0, "alice")?.revoke(id, revocation).await?;
        self.stage.tell(format_args!("{id} is revoked: {}", revocation.reason));
        let promised = lock(&self.stage.model).promise_revoked(id, revocation);
        self.stage.judge(promised);
        Ok(())
    }

    async fn release(&self) -> Result<(), Error> {
        let Some(id) = self.any() else { return Ok(()) };
        session(&self.desk.0, "alice")?.release_hold(id).await?;
        self.stage.tell(format_args!("{id} is released"));
        Ok(())
    }

    async fn tag(&self) -> Result<(), Error> {
        let Some(id) = self.any() else { return Ok(()) };
        let tags = BTreeMap::from([("move".to_owned(), self.stage.draw(100).to_string())]);
        let metadata = Metadata::try_from(tags).unwrap_or_default();
        session(&self.desk.0, "otto")?.tag_certificate(id, metadata).await.map(drop)
    }

    /// A certificate that a caller knows.
    pub(super) fn any(&self) -> Option<CertificateId> {
        let caller = lock(&self.caller);
        caller.certificates.get(self.stage.draw(caller.certificates.len() as u64) as usize).copied()
    }
}
