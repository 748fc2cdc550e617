//! How many certificates end when: a picture of the inventory whose cost does not grow with it.

use time::OffsetDateTime;

use super::context::{Context, decode};
use super::error::Error;
use super::schema::{index, sortable};
use crate::domain::{Action, Actor, ApplicationId, CertificateRecord, CertificateStatus};
use crate::store::{Over, Scan};
use crate::x509::InvalidValue;

/// At how many certificates of one stretch of time counting stops.
pub const MOST_ENDINGS: usize = 250;

const MOST_STRETCHES: usize = 53;

/// How many certificates end within a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endings {
    /// From this instant on.
    pub from: OffsetDateTime,
    /// Before this one.
    pub before: OffsetDateTime,
    /// Those that are neither renewed nor revoked: somebody would miss them.
    pub open: usize,
    /// Those that were renewed or revoked.
    pub settled: usize,
    /// Whether there are more: counting stopped at [`MOST_ENDINGS`].
    pub is_more: bool,
}

impl Context {
    /// How many certificates end between each of `bounds` and the next: one index range each, cut at [`MOST_ENDINGS`].
    pub(super) async fn endings(
        &self,
        actor: &Actor,
        application: Option<ApplicationId>,
        bounds: &[OffsetDateTime],
    ) -> Result<Vec<Endings>, Error> {
        match application {
            Some(application) => {
                self.permitted(actor, application, Action::CertificatesList).await?;
            }
            None => self.authorize_product(actor, "list the certificates of all Applications")?,
        }
        if !(2..=MOST_STRETCHES + 1).contains(&bounds.len()) || !bounds.is_sorted() {
            let error = InvalidValue::new("bounds", format!("{} instants", bounds.len()), "2 to 54 instants in order");
            return Err(Error::Invalid { faults: vec![("bounds".into(), error)] });
        }
        let mut endings = Vec::with_capacity(bounds.len() - 1);
        for pair in bounds.windows(2) {
            endings.push(self.endings_between(application, (pair[0], pair[1])).await?);
        }
        Ok(endings)
    }

    async fn endings_between(
        &self,
        application: Option<ApplicationId>,
        (from, before): (OffsetDateTime, OffsetDateTime),
    ) -> Result<Endings, Error> {
        let (index, prefix) = match application {
            Some(application) => (index::CERTIFICATE_APPLICATION, format!("{application}|")),
            None => (index::CERTIFICATE_EXPIRY, String::new()),
        };
        let mut scan = Scan::new(Over::Index(index.into()), MOST_ENDINGS);
        scan.from = Some(format!("{prefix}{}", sortable(from)));
        scan.to = Some(format!("{prefix}{}", sortable(before)));
        let (hits, now) = (self.store.scan(&scan).await?, self.now());
        let mut endings = Endings { from, before, open: 0, settled: 0, is_more: hits.len() == MOST_ENDINGS };
        for hit in hits {
            let record: CertificateRecord = decode(&hit.document.key, &hit.document.body)?;
            match record.status_at(now) {
                CertificateStatus::Active => endings.open += 1,
                CertificateStatus::Expired if record.replaced_by.is_none() => endings.open += 1,
                _ => endings.settled += 1,
            }
        }
        Ok(endings)
    }
}
