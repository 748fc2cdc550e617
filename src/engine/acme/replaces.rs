//! Orders that replace a certificate (RFC 9773 section 5): one order at a time, of the account that ordered the certificate.

use super::AcmeError;
use super::orders::Placing;
use crate::domain::acme::{AcmeProblem, CertId, Identifier, Order, OrderStatus, ProblemKind, Replaced};
use crate::domain::{AcmeOrderId, ApplicationId, CertificateRecord};
use crate::engine::context::{Change, Context, Versioned, decode};
use crate::engine::error::Error;
use crate::engine::renewal::Succession;
use crate::engine::schema::{Claim, Entity, SerialClaim, replacement_claim};
use crate::store::{Over, Scan};

impl Context {
    /// Claims a certificate for an order that is to replace it. `None` if it was issued by another issuer than would issue now: lineages do
    /// not cross issuers, and the order stands by itself.
    pub(super) async fn claim_replacement(
        &self,
        placing: &Placing<'_>,
        (named, order): (&str, AcmeOrderId),
        change: &mut Change<'_>,
    ) -> Result<Option<Replaced>, AcmeError> {
        let id: CertId = named.parse().map_err(|_| AcmeProblem::malformed("`replaces` is no certificate id"))?;
        let found = self.named_certificate(placing.at.0, &id).await?;
        let record = found.ok_or_else(|| AcmeProblem::malformed("there is no such certificate to be replaced"))?.value;
        fits(&record, placing)?;
        let issuer = placing.setting.issuer.as_ref().map(|issuer| issuer.record.value.id);
        if record.issuer != issuer {
            return Ok(None);
        }
        let taken = || AcmeProblem::new(ProblemKind::AlreadyReplaced, "the certificate has been replaced already");
        if record.replaced_by.is_some() {
            return Err(taken().into());
        }
        let claim = replacement_claim(record.id, order);
        match self.find::<Claim>(&claim.document_id()).await? {
            Some(earlier) if self.may_still_replace(&earlier.value).await? => return Err(taken().into()),
            Some(earlier) => change.update(&claim, earlier.version)?,
            None => change.create(&claim)?,
        }
        Ok(Some(Replaced { certificate: record.id, named: id.to_string() }))
    }

    /// Whether the order that holds a claim may still come to a certificate, or has.
    async fn may_still_replace(&self, claim: &Claim) -> Result<bool, Error> {
        match self.find::<Order>(&claim.owner).await? {
            Some(order) => Ok(self.order_view(order.value).await?.status != OrderStatus::Invalid),
            None => Ok(false),
        }
    }

    /// A certificate of an Application by its name in ACME.
    pub(super) async fn named_certificate(
        &self,
        application: ApplicationId,
        id: &CertId,
    ) -> Result<Option<Versioned<CertificateRecord>>, Error> {
        // Claims on serial numbers begin with these; whose key is meant is seen in the certificate.
        let mut scan = Scan::new(Over::Kind(SerialClaim::KIND.into()), 10);
        scan.from = Some(format!("{}/", id.serial()));
        scan.to = Some(format!("{}0", id.serial()));
        for hit in self.store.scan(&scan).await? {
            let claim: SerialClaim = decode(&hit.document.key, &hit.document.body)?;
            let Some(found) = self.find::<CertificateRecord>(&claim.certificate.to_string()).await? else { continue };
            let is_named = found.value.certificate()?.authority_key_identifier() == Some(id.authority());
            if is_named && found.value.application == Some(application) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// What an order's certificate succeeds, if it still can.
    pub(super) async fn order_succession(&self, order: &Order) -> Result<Option<Succession>, Error> {
        let Some(replaced) = &order.replaces else { return Ok(None) };
        let Some(predecessor) = self.find::<CertificateRecord>(&replaced.certificate.to_string()).await? else {
            return Ok(None);
        };
        let plan = self.find(&predecessor.value.lineage.to_string()).await?;
        Ok(Some(Succession { predecessor, plan }).filter(Succession::is_free))
    }
}

/// Whether an order may replace a certificate.
fn fits(record: &CertificateRecord, placing: &Placing<'_>) -> Result<(), AcmeProblem> {
    if record.requester != placing.account.principal() {
        return Err(AcmeProblem::unauthorized("another account ordered the certificate that is to be replaced"));
    }
    let named = |san| Identifier::of_san(san).is_some_and(|identifier| placing.identifiers.contains(&identifier));
    if !record.sans.iter().any(named) {
        return Err(AcmeProblem::malformed("the order has no identifier of the certificate that is to be replaced"));
    }
    Ok(())
}
