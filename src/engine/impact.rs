//! What a change of policy would mean for the inventory, certificate by certificate.

use super::context::{Context, Versioned};
use super::error::Error;
use super::query::{CertificateQuery, Page, PageToken};
use super::schema::{PolicyRecord, index};
use crate::domain::policy::{Impact, impact};
use crate::domain::{
    Actor, CertificateId, CertificateRecord, CertificateStatus, Policy, PolicyId, PolicySpec, ProfileId,
};
use crate::store::{Over, Scan};

/// A walk over the certificates that a new policy would refuse. Reads a page at a time; nothing is held in memory but
/// the page.
#[derive(Debug)]
pub struct ImpactWalk<'a> {
    context: &'a Context,
    old: Policy,
    new: Policy,
    profiles: Vec<ProfileId>,
    page: Option<PageToken>,
    found: std::vec::IntoIter<Impact<CertificateId>>,
    judged: u64,
}

impl Context {
    pub(super) async fn impact(&self, actor: &Actor, id: PolicyId, new: PolicySpec) -> Result<ImpactWalk<'_>, Error> {
        self.authorize_product(actor, "see a policy's impact")?;
        let old: Versioned<PolicyRecord> = self.load(&id.to_string()).await?;
        let (old, new) = (Policy::try_from(old.value.spec)?, Policy::try_from(new)?);
        let mut scan = Scan::new(Over::Index(index::PROFILE_POLICY.into()), crate::store::MAX_SCAN_LIMIT);
        scan.from = Some(id.to_string());
        scan.to = Some(format!("{id}\u{1}"));
        let hits = self.scan_all(scan).await?;
        let profiles = hits.iter().filter_map(|hit| hit.document.key.id.parse::<ProfileId>().ok()).collect();
        Ok(ImpactWalk { context: self, old, new, profiles, page: None, found: Vec::new().into_iter(), judged: 0 })
    }
}

impl ImpactWalk<'_> {
    /// The next certificate, still valid today, that the new policy would refuse; `None` when all were judged.
    ///
    /// # Errors
    /// [`Error::Store`], or [`Error::Certificate`] if what is stored can not be read. The walk may be continued.
    pub async fn next(&mut self) -> Result<Option<Impact<CertificateId>>, Error> {
        loop {
            if let Some(found) = self.found.next() {
                return Ok(Some(found));
            }
            let Some(profile) = self.profiles.last().copied() else { return Ok(None) };
            let status = Some(CertificateStatus::Active);
            let query = CertificateQuery { profile: Some(profile), status, page_size: 500, ..Default::default() };
            let page = self.context.find_certificates(&query, self.page.as_ref()).await?;
            self.judge(&page)?;
            self.page = page.next;
            if self.page.is_none() {
                self.profiles.pop();
            }
        }
    }

    /// How many certificates were judged so far.
    pub fn judged(&self) -> u64 {
        self.judged
    }

    fn judge(&mut self, page: &Page<CertificateRecord>) -> Result<(), Error> {
        let mut contents = Vec::with_capacity(page.items.len());
        for record in &page.items {
            contents.push((record.id, record.certificate()?.content().clone()));
        }
        self.judged += contents.len() as u64;
        let found: Vec<_> = impact(&self.old, &self.new, contents).collect();
        self.found = found.into_iter();
        tracing::debug!(judged = self.judged, refused = self.found.len(), "judged a page under the new policy");
        Ok(())
    }
}
