//! What an alert would tell of, and whether its channels work.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use time::{Duration, OffsetDateTime};

use super::Kept;
use super::deliver::{bound_to, shortened};
use super::message::{Names, is_ca, message};
use crate::crypto;
use crate::domain::{
    Action, Actor, AlertId, AlertOn, AlertSpec, ApplicationId, CertificateRecord, CertificateStatus, ChannelKind,
    IssuerRecord, IssuerState, NotificationId, Origin,
};
use crate::engine::context::Context;
use crate::engine::error::Error;
use crate::engine::query::{CertificateQuery, Page, PageToken};
use crate::notify::{Item, Message, NotifyError, Severity};

/// What one channel made of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelTest {
    /// The kind of channel.
    pub channel: ChannelKind,
    /// What went wrong; nothing, if the receiver took the message.
    pub failure: Option<String>,
}

impl Context {
    /// One page of the certificates that an alert would tell of if it were made now.
    pub(in crate::engine) async fn preview_alert(
        &self,
        actor: &Actor,
        application: Option<ApplicationId>,
        (spec, after): (&AlertSpec, Option<&PageToken>),
    ) -> Result<Page<CertificateRecord>, Error> {
        self.may_alert(actor, application, Action::AlertsRead).await?;
        if let AlertOn::CrlExpiry { before } = spec.on {
            let issuers = self.issuers_with_lists_until(self.now() + before.as_duration()).await?;
            return Ok(Page { items: issuers, next: None });
        }
        let query = CertificateQuery {
            application,
            status: (!matches!(spec.on, AlertOn::Revocation)).then_some(CertificateStatus::Active),
            ends_before: spec.on.lead().map(|lead| self.now() + lead.as_duration() + Duration::SECOND),
            ..CertificateQuery::default()
        };
        let page = self.find_certificates(&query, after).await?;
        let mut names = Names::default();
        let mut items = Vec::new();
        for record in page.items {
            let is_meant = match spec.on {
                AlertOn::CaExpiry { .. } => record.origin == Origin::Issuer,
                _ => !is_ca(&record),
            };
            let matter = names.certificate(self, &record).await?;
            if is_meant && spec.filters.iter().all(|filter| filter.fits(&matter.facts)) {
                items.push(record);
            }
        }
        Ok(Page { items, next: page.next })
    }

    /// The certificates of issuers of which a revocation list must be renewed by then.
    async fn issuers_with_lists_until(&self, until: OffsetDateTime) -> Result<Vec<CertificateRecord>, Error> {
        let lists = self.crl_endings().await?.into_iter().filter(|list| list.ends <= until);
        let issuers: BTreeSet<String> = lists.map(|list| list.item.title).collect();
        let mut found = Vec::with_capacity(issuers.len());
        for issuer in issuers {
            let record = self.find::<IssuerRecord>(&issuer).await?;
            let Some(IssuerState::Active { chain }) = record.map(|record| record.value.state) else { continue };
            let Some(own) = chain.first() else { continue };
            let own = self.all_with_fingerprint(&crypto::sha256(&own.0)).await?;
            found.extend(own.into_iter().map(|own| own.value).find(|own| own.origin == Origin::Issuer));
        }
        Ok(found)
    }

    /// Sends a test through every channel of an alert, once, and says what came of it.
    pub(in crate::engine) async fn test_alert(&self, actor: &Actor, id: AlertId) -> Result<Vec<ChannelTest>, Error> {
        let alert = self.readable_alert(actor, id, Action::AlertsEdit).await?.value;
        let change = &mut self.change(actor, self.now())?;
        let test = NotificationId::new(change.now, change.random.take()?);
        let text = test_message(&alert, test, change.now);
        let bound_to = bound_to(id);
        let sends = alert.channels.iter().map(|channel| self.open_and_send(channel, &bound_to, &text));
        let answers = join_all(sends).await;
        let said = |answer: Result<(), NotifyError>| answer.err().map(|error| shortened(&error.to_string()));
        let tests = alert.channels.iter().zip(answers);
        Ok(tests.map(|(channel, answer)| ChannelTest { channel: channel.kind(), failure: said(answer) }).collect())
    }
}

fn test_message(alert: &Kept, id: NotificationId, now: OffsetDateTime) -> Message {
    let item = Item { id: alert.id.to_string(), title: "test".to_owned(), identifier: String::new(), fields: vec![] };
    Message {
        kind: "chancery.alert.test".to_owned(),
        severity: Severity::Info,
        summary: format!("This is a test of the alert {}", alert.name),
        ..message(alert, id.to_string(), vec![item], now)
    }
}
