//! Finalizing an order: the certificate request must be for exactly what was ordered, and goes the way of all requests.

use super::AcmeError;
use super::accounts::At;
use super::answers::{AcmeCertificate, OrderView};
use super::views::{Standing, finalized_view};
use crate::crypto;
use crate::domain::acme::{
    Account, AcmeProblem, Authorization, Order, OrderState, OrderStatus, ProblemKind, match_csr, names_of, refusal,
};
use crate::domain::{
    AcmeOrderId, Actor, CertificateId, CertificateRecord, Enrollment, IssuerId, IssuerRecord, Method, Terms,
};
use crate::engine::context::{Context, Versioned, decode};
use crate::engine::error::Error;
use crate::engine::once::{Finalizing, Once};
use crate::engine::outcome::{Chain, Outcome, Refusal};
use crate::engine::schema::{Entity, index};
use crate::engine::submit::{MOST_ATTEMPTS, hex};
use crate::store::{Key, Over, Scan, Version};
use crate::x509::{Certificate, Csr};

impl Context {
    /// Asks for an order's certificate.
    pub(super) async fn finalize_acme_order(
        &self,
        at: At,
        account: &Account,
        id: AcmeOrderId,
        der: &[u8],
    ) -> Result<OrderView, AcmeError> {
        let digest = hex(&crypto::sha256(der));
        for _ in 0..MOST_ATTEMPTS {
            let order = self.own_order(at, account, id).await?;
            if let OrderState::Finalized { csr, .. } = &order.value.state {
                return if *csr == digest { Ok(self.order_view(order.value).await?) } else { Err(taken().into()) };
            }
            let csr = read_csr(der, account)?;
            let (once, enrollment) = self.ready(order, digest.clone(), csr).await?;
            let order = once.order.clone();
            let actor = Actor::acme_account(account);
            match self.submit_once(&actor, &enrollment, Some(Once::Order(Box::new(once)))).await {
                // Others were faster, or what the order rests on was changed.
                Err(error) if error.is_conflict() => {}
                Ok(Outcome::Refused(refused)) => return self.refused(order, &enrollment, refused).await,
                outcome => return Ok(finalized_view(order, Some(outcome?))),
            }
        }
        Err(Error::Contended.into())
    }

    /// An order that is ready, with the enrollment that fulfils it.
    async fn ready(
        &self,
        order: Versioned<Order>,
        digest: String,
        csr: Csr,
    ) -> Result<(Finalizing, Enrollment), AcmeError> {
        let Versioned { value: order, version } = order;
        let Standing { account, authorizations, ownership } = self.standing_of(&order).await?;
        let account = account.ok_or_else(|| AcmeProblem::unauthorized("the account is gone"))?;
        account.value.in_use()?;
        let (found, versions): (Vec<Option<Authorization>>, Vec<Option<Version>>) = authorizations
            .into_iter()
            .map(|each| each.map_or((None, None), |found| (Some(found.value), Some(found.version))))
            .unzip();
        let not_ready = |why: AcmeProblem| AcmeProblem { kind: ProblemKind::OrderNotReady, ..why };
        match order.open_status(&found, (ownership, self.now())) {
            Ok(OrderStatus::Ready) => {}
            Ok(_) => {
                let detail = "some authorization is not valid yet";
                return Err(AcmeProblem::new(ProblemKind::OrderNotReady, detail).into());
            }
            Err(problem) => return Err(not_ready(problem).into()),
        }
        match_csr(&order.identifiers, &csr)?;
        let keys = order.authorizations.iter().map(|id| Key::new(Authorization::KIND, id.to_string()));
        let mut rests_on: Vec<(Key, Version)> =
            keys.zip(versions).filter_map(|(key, version)| Some((key, version?))).collect();
        rests_on.push((account.value.key(), account.version));
        let succession = self.order_succession(&order).await?;
        let terms = Terms { not_before: order.not_before, not_after: order.not_after, ..Terms::default() };
        let mut enrollment = Enrollment::csr(order.application, order.profile, csr);
        enrollment.method = Method::Acme;
        enrollment.terms = terms;
        Ok((Finalizing { order, version, csr: digest, rests_on, succession }, enrollment))
    }

    /// What was refused leaves the order as it was, unless the signer refused what was recorded already.
    async fn refused(&self, order: Order, enrollment: &Enrollment, refused: Refusal) -> Result<OrderView, AcmeError> {
        let standing = self.load::<Order>(&order.id.to_string()).await?.value;
        if standing.state != OrderState::Open {
            return Ok(self.order_view(standing).await?);
        }
        let sans = match &enrollment.source {
            crate::domain::Source::Csr(csr) => names_of(csr),
            _ => Vec::new(),
        };
        Err(refusal(&refused.violations, &sans).into())
    }

    /// A certificate that the account ordered, with its chains.
    pub(super) async fn acme_certificate(
        &self,
        _: At,
        account: &Account,
        id: CertificateId,
    ) -> Result<AcmeCertificate, AcmeError> {
        let found = self.find::<CertificateRecord>(&id.to_string()).await?;
        let own = found.filter(|record| record.value.requester == account.principal());
        let record = own.ok_or_else(|| AcmeProblem::malformed("the account has no such certificate"))?.value;
        let mut chains = vec![self.chain_of(&record).await?];
        if let Some(issuer) = record.issuer {
            chains.extend(self.alternate_chains(&chains[0], issuer).await?);
        }
        Ok(AcmeCertificate { chains })
    }

    /// The chains by way of other issuers here that have the same name and key: they were certified by somebody else, too.
    async fn alternate_chains(&self, own: &Chain, issuer: IssuerId) -> Result<Vec<Chain>, Error> {
        let above = self.issuer(issuer).await?.chain.first().cloned();
        let Some(above) = above else { return Ok(Vec::new()) };
        let value = hex(&crypto::sha256(above.public_key().subject_public_key()));
        let mut scan = Scan::new(Over::Index(index::ISSUER_KEY.into()), 20);
        scan.to = Some(format!("{value}\u{1}"));
        scan.from = Some(value);
        let mut chains = Vec::new();
        for hit in self.store.scan(&scan).await? {
            let other: IssuerRecord = decode(&hit.document.key, &hit.document.body)?;
            let chain = self.issuer(other.id).await?.chain.clone();
            let is_same =
                |first: &Certificate| first.subject_der() == above.subject_der() && first.der() != above.der();
            if other.id != issuer && chain.first().is_some_and(is_same) {
                chains.push(Chain::new(own.leaf().clone(), chain));
            }
        }
        Ok(chains)
    }
}

fn read_csr(der: &[u8], account: &Account) -> Result<Csr, AcmeProblem> {
    let bad = |detail: String| AcmeProblem::new(ProblemKind::BadCsr, detail);
    let csr = Csr::parse(der).map_err(|error| bad(error.to_string()))?;
    if csr.public_key().spki_der() == account.key.public_key.0 {
        return Err(bad("the account's key can not be a certificate's, too (RFC 8555 section 11.1)".to_owned()));
    }
    Ok(csr)
}

fn taken() -> AcmeProblem {
    AcmeProblem::new(ProblemKind::OrderNotReady, "the order was finalized with another certificate request")
}
