//! Queries over the inventory, answered from indexes, page by page.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::context::{Context, decode};
use super::error::Error;
use super::schema::{Entity, index, searchable, sortable, tag_entry};
use crate::domain::{
    Action, Actor, Application, ApplicationId, CertificateRecord, CertificateStatus, Event, IssuerId, ProfileId,
};
use crate::store::{Cursor, Key, MAX_SCAN_LIMIT, Order, Over, Scan};
use crate::x509::InvalidValue;

/// Which certificates to find; everything given must hold. Results come in the order of the index that serves the query
/// best: names, tags, or the end of validity.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use chancery::domain::{Actor, ApplicationSpec, Enrollment, IssuerSpec, Methods, Preset};
/// # use chancery::engine::{Engine, Outcome};
/// # let alice = Actor::user("alice")?;
/// # let builder = Engine::builder().sealer(chancery::sealer::AeadSealer::new(&[7; 32]));
/// # let engine = builder.administrator(alice.principal().clone()).build().await?;
/// # let session = engine.acting_as(alice);
/// # session.create_root(IssuerSpec::new("root".parse()?, "Example Root")).await?;
/// # session.save_policy(Preset::TlsServer.policy("web".parse()?)).await?;
/// # let web = session.save_profile(Preset::TlsServer.profile("web".parse()?, "root".parse()?, "web".parse()?)).await?;
/// # let spec = ApplicationSpec::new("payments-api".parse()?).attach(web.name.clone(), Methods::api());
/// # let payments = session.create_application(spec).await?;
/// # let ask = |name: &str| Enrollment::managed(payments.id, web.id).common_name(name).dns(name);
/// # for name in ["a.example.com", "b.example.com", "c.example.com"] { session.submit(&ask(name)).await?; }
/// use chancery::engine::{CertificateQuery, NameQuery};
///
/// let query = CertificateQuery {
///     application: Some(payments.id),
///     name: Some(NameQuery::Under("example.com".into())),
///     page_size: 2,
///     ..CertificateQuery::default()
/// };
/// let (mut found, mut after) = (Vec::new(), None);
/// loop {
///     let page = session.certificates(&query, after.as_ref()).await?;
///     found.extend(page.items);
///     after = page.next;
///     if after.is_none() {
///         break;
///     }
/// }
/// assert_eq!(found.len(), 3);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateQuery {
    /// Those of one Application. Only product administrators may leave it open.
    pub application: Option<ApplicationId>,
    /// Those issued under one profile.
    pub profile: Option<ProfileId>,
    /// Those that an issuer here signed.
    pub issuer: Option<IssuerId>,
    /// Those that look so now.
    pub status: Option<CertificateStatus>,
    /// Those with a name.
    pub name: Option<NameQuery>,
    /// Those whose notAfter is at or after this instant.
    pub ends_from: Option<OffsetDateTime>,
    /// Those whose notAfter is before this instant.
    pub ends_before: Option<OffsetDateTime>,
    /// Those with this tag: key and value.
    pub tag: Option<(String, String)>,
    /// The size of a page, 1 to 1000; 100 if zero.
    pub page_size: usize,
}

/// A name to look for, in subject alternative names and common names, whatever its case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameQuery {
    /// Exactly this name: `api.example.com`, `*.example.com`, `192.0.2.7`, `jane@example.com`, or a common name.
    Exact(String),
    /// This domain and everything under it: `example.com` finds `example.com`, `api.example.com` and `*.example.com`.
    Under(String),
}

/// One page of results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The results.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<PageToken>,
}

/// Where a page begins: opaque text, good for the query that gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PageToken(String);

impl PageToken {
    /// Takes a token back from a client. Whether it is one is seen when it is used.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The token's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(cursor: &Cursor) -> Self {
        let fields = (&cursor.value, &cursor.key.kind, &cursor.key.id);
        Self(URL_SAFE_NO_PAD.encode(serde_json::to_vec(&fields).unwrap_or_default()))
    }

    pub(super) fn cursor(&self) -> Result<Cursor, Error> {
        let accepted = "the token of the page before, unchanged";
        let invalid = || InvalidValue::new("page token", &self.0, accepted);
        let read = || -> Option<(String, String, String)> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&self.0).ok()?).ok()
        };
        let (value, kind, id) = read().ok_or_else(|| Error::Invalid { faults: vec![("page".into(), invalid())] })?;
        Ok(Cursor { value, key: Key::new(kind, id) })
    }
}

impl CertificateQuery {
    fn page_size(&self) -> usize {
        if self.page_size == 0 { 100 } else { self.page_size.min(MAX_SCAN_LIMIT) }
    }

    /// The index that narrows most: a name, else a tag, else that it is revoked or renewed, else profile, Application or
    /// issuer, else the end of validity.
    fn scan(&self, now: OffsetDateTime) -> Scan {
        let scoped = |value: String| match self.application {
            Some(application) => format!("{application}|{value}"),
            None => value,
        };
        let by_scope =
            |with: &'static str, without: &'static str| if self.application.is_some() { with } else { without };
        if let Some(name) = &self.name {
            let index = by_scope(index::CERTIFICATE_APPLICATION_NAME, index::CERTIFICATE_NAME);
            return self.over(index, name_range(name, scoped));
        }
        if let Some((key, value)) = &self.tag {
            let index = by_scope(index::CERTIFICATE_APPLICATION_TAG, index::CERTIFICATE_TAG);
            return self.over(index, self.end_range(&scoped(format!("{}|", tag_entry(key, value))), now));
        }
        let owner = match (self.profile, self.application, self.issuer) {
            (Some(profile), _, _) => Some((index::CERTIFICATE_PROFILE, profile.to_string())),
            (None, Some(application), _) => Some((index::CERTIFICATE_APPLICATION, application.to_string())),
            (None, None, Some(issuer)) => Some((index::CERTIFICATE_ISSUER, issuer.to_string())),
            (None, None, None) => None,
        };
        if let Some(status) = self.status.filter(|status| is_indexed(*status)) {
            let scope = owner.map_or("all".to_owned(), |(_, owner)| owner);
            return self.over(index::CERTIFICATE_STATUS, self.end_range(&format!("{scope}|{status}|"), now));
        }
        match owner {
            Some((index, owner)) => self.over(index, self.end_range(&format!("{owner}|"), now)),
            None => self.over(index::CERTIFICATE_EXPIRY, self.end_range("", now)),
        }
    }

    fn over(&self, index: &'static str, (from, to): (String, String)) -> Scan {
        let mut scan = Scan::new(Over::Index(index.into()), self.page_size());
        scan.from = Some(from);
        scan.to = Some(to);
        scan
    }

    /// From the earliest to the latest end that may match, behind a prefix.
    fn end_range(&self, prefix: &str, now: OffsetDateTime) -> (String, String) {
        let (mut from, mut before) = (self.ends_from, self.ends_before);
        match self.status {
            Some(CertificateStatus::Active | CertificateStatus::Renewed) => from = from.max(Some(now)),
            Some(CertificateStatus::Expired) => {
                let past = now + time::Duration::SECOND;
                before = Some(before.map_or(past, |before| before.min(past)));
            }
            Some(CertificateStatus::Revoked) | None => {}
        }
        let bound = |instant: Option<OffsetDateTime>, open: &str| instant.map_or_else(|| open.to_owned(), sortable);
        // `~` sorts behind every digit.
        (format!("{prefix}{}", bound(from, "")), format!("{prefix}{}", bound(before.map(round_up), "~")))
    }

    pub(super) fn matches(&self, record: &CertificateRecord, now: OffsetDateTime) -> bool {
        let end = record.validity.not_after();
        self.application.is_none_or(|application| record.application == Some(application))
            && self.profile.is_none_or(|profile| record.profile.is_some_and(|(id, _)| id == profile))
            && self.issuer.is_none_or(|issuer| record.issuer == Some(issuer))
            && self.status.is_none_or(|status| record.status_at(now) == status)
            && self.ends_from.is_none_or(|from| end >= from)
            && self.ends_before.is_none_or(|before| end < before)
            && self.tag.as_ref().is_none_or(|(key, value)| record.metadata.get(key) == Some(value))
    }
}

/// Whether certificates are found by this status: what depends on the clock alone is found by the end of validity.
fn is_indexed(status: CertificateStatus) -> bool {
    matches!(status, CertificateStatus::Revoked | CertificateStatus::Renewed)
}

fn round_up(instant: OffsetDateTime) -> OffsetDateTime {
    if instant.nanosecond() == 0 { instant } else { instant + time::Duration::SECOND }
}

fn name_range(name: &NameQuery, scoped: impl Fn(String) -> String) -> (String, String) {
    match name {
        NameQuery::Exact(name) => {
            let value = scoped(searchable(name));
            (value.clone(), format!("{value}\u{1}"))
        }
        // Each label ends with a dot, and `/` is the character behind it: the domain itself and what is under it.
        NameQuery::Under(domain) => {
            let value = scoped(searchable(domain.trim_end_matches('.')));
            let end = format!("{}/", value.trim_end_matches('.'));
            (value, end)
        }
    }
}

/// Whether no smaller entry of the same index leads to the record within the scan's range.
fn is_first_of(record: &CertificateRecord, scan: &Scan, value: &str) -> bool {
    let Over::Index(index) = &scan.over else { return true };
    let is_within = |entry: &str| scan.from.as_deref().is_none_or(|from| from <= entry);
    !record.entries().iter().any(|entry| entry.index == *index && is_within(&entry.value) && *entry.value < *value)
}

impl Context {
    /// One page of the certificates that a query finds, whoever asks.
    ///
    /// Reads on until the page is full, so that a page is short only at the end. A certificate that several names lead to
    /// comes once: where the first of them leads to it.
    pub(super) async fn find_certificates(
        &self,
        query: &CertificateQuery,
        after: Option<&PageToken>,
    ) -> Result<Page<CertificateRecord>, Error> {
        let now = self.now();
        let mut scan = query.scan(now);
        scan.after = after.map(PageToken::cursor).transpose()?;
        let mut items: Vec<CertificateRecord> = Vec::new();
        loop {
            let hits = self.store.scan(&scan).await?;
            let is_last = hits.len() < scan.limit;
            for hit in hits {
                let record: CertificateRecord = decode(&hit.document.key, &hit.document.body)?;
                if is_first_of(&record, &scan, &hit.value) && query.matches(&record, now) {
                    items.push(record);
                }
                scan.after = Some(hit.cursor());
                if items.len() == query.page_size() {
                    return Ok(Page { items, next: scan.after.as_ref().map(PageToken::of) });
                }
            }
            if is_last {
                return Ok(Page { items, next: None });
            }
        }
    }

    /// One page of the Applications that the actor may see: all for a product administrator, otherwise its own.
    pub(super) async fn applications(
        &self,
        actor: &Actor,
        after: Option<&PageToken>,
    ) -> Result<Page<Application>, Error> {
        if self.is_administrator(actor) {
            let mut scan = Scan::new(Over::Kind(Application::KIND.into()), 100);
            scan.after = after.map(PageToken::cursor).transpose()?;
            return self.page(&scan).await;
        }
        let own = self.applications_of(actor).await?.into_iter();
        Ok(Page { items: own.map(|application| self.shown(actor, application)).collect(), next: None })
    }

    /// The Applications that the actor is a member of, and those that its right names to an administrator of the product.
    pub(super) async fn applications_of(&self, actor: &Actor) -> Result<Vec<Application>, Error> {
        let mut items: Vec<Application> = Vec::new();
        let named = actor.access().and_then(|access| access.scope.applications.as_deref());
        for id in named.filter(|_| self.is_named_administrator(actor)).unwrap_or_default() {
            items.extend(self.find(&id.to_string()).await?.map(|found| found.value));
        }
        for principal in actor.principals() {
            let mut scan = Scan::new(Over::Index(index::APPLICATION_MEMBER.into()), MAX_SCAN_LIMIT);
            scan.from = Some(principal.to_string());
            scan.to = Some(format!("{principal}\u{1}"));
            for hit in self.scan_all(scan).await? {
                items.push(decode(&hit.document.key, &hit.document.body)?);
            }
        }
        items.retain(|application| actor.reaches(application.id));
        items.sort_by_key(|application| application.id);
        items.dedup_by_key(|application| application.id);
        Ok(items)
    }

    /// One page of an Application's events, the latest first.
    pub(super) async fn events(
        &self,
        actor: &Actor,
        application: ApplicationId,
        after: Option<&PageToken>,
    ) -> Result<Page<Event>, Error> {
        self.permitted(actor, application, Action::ApplicationRead).await?;
        let mut scan = Scan::new(Over::Index(index::EVENT_APPLICATION.into()), 100);
        // Ids sort by the time they were made.
        scan.from = Some(application.to_string());
        scan.to = Some(format!("{application}\u{1}"));
        scan.order = Order::Descending;
        scan.after = after.map(PageToken::cursor).transpose()?;
        self.page(&scan).await
    }

    /// One page of everybody's events, the latest first.
    pub(super) async fn all_events(&self, actor: &Actor, after: Option<&PageToken>) -> Result<Page<Event>, Error> {
        self.authorize_product(actor, "read the events of all Applications")?;
        let mut scan = Scan::new(Over::Kind(Event::KIND.into()), 100);
        // Ids sort by the time they were made.
        scan.order = Order::Descending;
        scan.after = after.map(PageToken::cursor).transpose()?;
        self.page(&scan).await
    }

    /// One page of what a scan finds and `keep` keeps. Reads on until the page is full, so that a page is short only at the
    /// end.
    pub(super) async fn filtered<T: Entity>(
        &self,
        mut scan: Scan,
        after: Option<&PageToken>,
        keep: impl Fn(&T) -> bool,
    ) -> Result<Page<T>, Error> {
        scan.after = after.map(PageToken::cursor).transpose()?;
        let mut items = Vec::new();
        loop {
            let hits = self.store.scan(&scan).await?;
            let is_last = hits.len() < scan.limit;
            for hit in hits {
                let item: T = decode(&hit.document.key, &hit.document.body)?;
                if keep(&item) {
                    items.push(item);
                }
                scan.after = Some(hit.cursor());
                if items.len() == scan.limit {
                    return Ok(Page { items, next: scan.after.as_ref().map(PageToken::of) });
                }
            }
            if is_last {
                return Ok(Page { items, next: None });
            }
        }
    }

    /// One page of a scan, read.
    pub(super) async fn page<T: Entity>(&self, scan: &Scan) -> Result<Page<T>, Error> {
        let hits = self.store.scan(scan).await?;
        let next = hits.last().filter(|_| hits.len() == scan.limit).map(|last| PageToken::of(&last.cursor()));
        let items = hits.iter().map(|hit| decode(&hit.document.key, &hit.document.body)).collect::<Result<_, _>>()?;
        Ok(Page { items, next })
    }
}
