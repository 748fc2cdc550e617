//! What an alert would tell of, and whether its channels work.

use time::Duration;

use super::deliver::{bound_to, shortened};
use super::message::{Names, is_ca, message};
use super::{Kept, together};
use crate::domain::{
    Action, Actor, AlertId, AlertOn, AlertSpec, ApplicationId, CertificateRecord, CertificateStatus, ChannelKind,
    NotificationId, Origin,
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
                AlertOn::CaExpiry { .. } | AlertOn::CrlExpiry { .. } => record.origin == Origin::Issuer,
                _ => !is_ca(&record),
            };
            let matter = names.certificate(self, &record).await?;
            if is_meant && spec.filters.iter().all(|filter| filter.fits(&matter.facts)) {
                items.push(record);
            }
        }
        Ok(Page { items, next: page.next })
    }

    /// Sends a test through every channel of an alert, once, and says what came of it.
    pub(in crate::engine) async fn test_alert(&self, actor: &Actor, id: AlertId) -> Result<Vec<ChannelTest>, Error> {
        let alert = self.readable_alert(actor, id, Action::AlertsEdit).await?.value;
        let change = &mut self.change(actor, self.now())?;
        let test = NotificationId::new(change.now, change.random.take()?);
        let text = test_message(&alert, test, change.now);
        let bound_to = bound_to(id);
        let sends = alert.channels.iter().map(|channel| self.open_and_send(channel, &bound_to, &text));
        let answers = together(sends.collect()).await;
        let said = |answer: Result<(), NotifyError>| answer.err().map(|error| shortened(&error.to_string()));
        let tests = alert.channels.iter().zip(answers);
        Ok(tests.map(|(channel, answer)| ChannelTest { channel: channel.kind(), failure: said(answer) }).collect())
    }
}

fn test_message(alert: &Kept, id: NotificationId, now: time::OffsetDateTime) -> Message {
    let item = Item { id: alert.id.to_string(), title: "test".to_owned(), identifier: String::new(), fields: vec![] };
    Message {
        kind: "chancery.alert.test".to_owned(),
        severity: Severity::Info,
        summary: format!("This is a test of the alert {}", alert.name),
        ..message(alert, id.to_string(), vec![item], now)
    }
}
