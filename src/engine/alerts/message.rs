//! What alerts say: messages, their items, and what filters look at.

use std::collections::BTreeMap;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::domain::{
    AlertEvent, AlertFacts, AlertOn, AlertRecord, Application, ApplicationId, CertificateRecord, CertificateRequest,
    Octets, Origin, Profile, ProfileId, RequestState,
};
use crate::engine::context::Context;
use crate::engine::error::Error;
use crate::notify::{Field, Item, Message, MessageAlert, Severity};
use crate::x509::{BasicConstraints, Content, PublicKey, TbsView};

/// Something that an alert may tell of.
#[derive(Clone, Debug)]
pub(super) struct Matter {
    pub(super) item: Item,
    pub(super) facts: AlertFacts,
}

/// The names of profiles and Applications, each read once.
#[derive(Default)]
pub(super) struct Names {
    profiles: BTreeMap<ProfileId, Option<String>>,
    applications: BTreeMap<ApplicationId, Option<String>>,
}

impl Names {
    async fn profile(&mut self, context: &Context, id: Option<ProfileId>) -> Result<Option<String>, Error> {
        let Some(id) = id else { return Ok(None) };
        if let Some(known) = self.profiles.get(&id) {
            return Ok(known.clone());
        }
        let name = context.find::<Profile>(&id.to_string()).await?.map(|found| found.value.name.to_string());
        self.profiles.insert(id, name.clone());
        Ok(name)
    }

    async fn application(&mut self, context: &Context, id: Option<ApplicationId>) -> Result<Option<String>, Error> {
        let Some(id) = id else { return Ok(None) };
        if let Some(known) = self.applications.get(&id) {
            return Ok(known.clone());
        }
        let name = context.find::<Application>(&id.to_string()).await?.map(|found| found.value.name.to_string());
        self.applications.insert(id, name.clone());
        Ok(name)
    }

    /// A certificate as alerts tell of it.
    pub(super) async fn certificate(&mut self, context: &Context, record: &CertificateRecord) -> Result<Matter, Error> {
        let facts = AlertFacts {
            profile_name: self.profile(context, record.profile.map(|(id, _)| id)).await?,
            common_name: record.subject.common_name().map(str::to_owned),
            sans: record.sans.iter().map(|san| san.value().to_string()).collect(),
            application: self.application(context, record.application).await?,
            tags: record.metadata.iter().map(|(key, value)| format!("{key}={value}")).collect(),
        };
        let mut fields = vec![Field::new("Ends", text_of(record.validity.not_after()))];
        fields.extend(fields_of(&facts));
        let title = title_of(&facts, &record.subject.to_string());
        let item = Item { id: record.id.to_string(), title, identifier: record.serial.to_string(), fields };
        Ok(Matter { item, facts })
    }

    /// What an event is about.
    pub(super) async fn of_event(
        &mut self,
        context: &Context,
        event: &AlertEvent,
        application: Option<ApplicationId>,
    ) -> Result<Matter, Error> {
        let mut matter = match (event.certificate, event.request) {
            (Some(id), _) => match context.find::<CertificateRecord>(&id.to_string()).await? {
                Some(record) => self.certificate(context, &record.value).await?,
                None => self.by_id(context, event, application).await?,
            },
            (None, Some(id)) => match context.find::<CertificateRequest>(&id.to_string()).await? {
                Some(request) => self.request(context, &request.value).await?,
                None => self.by_id(context, event, application).await?,
            },
            (None, None) => self.by_id(context, event, application).await?,
        };
        matter.item.fields.extend(event.detail.iter().map(|(label, value)| Field::new(label, value.clone())));
        Ok(matter)
    }

    async fn request(&mut self, context: &Context, request: &CertificateRequest) -> Result<Matter, Error> {
        let content = content_of(&request.state);
        let facts = AlertFacts {
            profile_name: self.profile(context, Some(request.profile.0)).await?,
            common_name: content.as_ref().and_then(|content| content.subject.common_name().map(str::to_owned)),
            sans: content.iter().flat_map(|content| &content.sans).map(|san| san.value().to_string()).collect(),
            application: self.application(context, Some(request.application)).await?,
            tags: request.metadata.iter().map(|(key, value)| format!("{key}={value}")).collect(),
        };
        let mut fields = vec![Field::new("Requester", request.requester.to_string())];
        fields.extend(fields_of(&facts));
        let title = title_of(&facts, &request.id.to_string());
        Ok(Matter { item: Item { id: request.id.to_string(), title, identifier: String::new(), fields }, facts })
    }

    async fn by_id(
        &mut self,
        context: &Context,
        event: &AlertEvent,
        application: Option<ApplicationId>,
    ) -> Result<Matter, Error> {
        let facts = AlertFacts {
            profile_name: self.profile(context, event.profile).await?,
            application: self.application(context, application).await?,
            ..AlertFacts::default()
        };
        let title = facts.profile_name.clone().unwrap_or_else(|| event.subject());
        let item = Item { id: event.subject(), title, identifier: String::new(), fields: fields_of(&facts) };
        Ok(Matter { item, facts })
    }
}

/// What a request is to be issued with, where its bytes are fixed.
fn content_of(state: &RequestState) -> Option<Content> {
    let (RequestState::Issuing(intent) | RequestState::Failed { intent, .. }) = state else { return None };
    let key = PublicKey::from_spki_der(&intent.public_key.0).ok()?;
    TbsView::from_der(&intent.tbs.0, &key).ok().map(|view| view.content)
}

fn title_of(facts: &AlertFacts, otherwise: &str) -> String {
    let name = facts.common_name.clone().or_else(|| facts.sans.first().cloned());
    name.unwrap_or_else(|| otherwise.to_owned())
}

fn fields_of(facts: &AlertFacts) -> Vec<Field> {
    let names: Vec<&str> = facts.sans.iter().take(20).map(String::as_str).collect();
    let names = (!names.is_empty()).then(|| Field::new("Names", names.join(", ")));
    let profile = facts.profile_name.as_ref().map(|name| Field::new("Profile", name));
    let application = facts.application.as_ref().map(|name| Field::new("Application", name));
    names.into_iter().chain(profile).chain(application).collect()
}

pub(super) fn text_of(instant: OffsetDateTime) -> String {
    instant.format(&Rfc3339).unwrap_or_default()
}

/// Whether a certificate is one of a CA, which alerts on expiration leave out.
pub(super) fn is_ca(record: &CertificateRecord) -> bool {
    let says_so = |record: &CertificateRecord| {
        let certificate = record.certificate();
        certificate.is_ok_and(|each| matches!(each.content().basic_constraints, BasicConstraints::Ca { .. }))
    };
    record.origin == Origin::Issuer || says_so(record)
}

/// The message of an alert about some items.
pub(super) fn message(alert: &AlertRecord<Octets>, id: String, items: Vec<Item>, at: OffsetDateTime) -> Message {
    let source = match alert.application {
        Some(application) => format!("/applications/{application}/alerts/{}", alert.id),
        None => format!("/alerts/{}", alert.id),
    };
    Message {
        id,
        kind: alert.on.type_name().to_owned(),
        source,
        subject: (items.len() == 1).then(|| items[0].id.clone()),
        time: at,
        severity: severity_of(alert.on),
        summary: summary(alert.on, &items),
        alert: MessageAlert { id: alert.id.to_string(), name: alert.name.to_string() },
        items,
    }
}

fn severity_of(on: AlertOn) -> Severity {
    match on {
        AlertOn::Issuance | AlertOn::Renewal | AlertOn::ApprovalPending => Severity::Info,
        AlertOn::IssuanceFailed | AlertOn::RenewalFailed | AlertOn::SyncFailed => Severity::Error,
        _ => Severity::Warning,
    }
}

fn summary(on: AlertOn, items: &[Item]) -> String {
    let what = match items {
        [one] => one.title.clone(),
        many => format!("{} certificates", many.len()),
    };
    let ends = if items.len() == 1 { "ends" } else { "end" };
    match on {
        AlertOn::Expiration { before } | AlertOn::CaExpiry { before } => format!("{what} {ends} within {before}"),
        AlertOn::CrlExpiry { before } => format!("The revocation list of {what} must be renewed within {before}"),
        AlertOn::Issuance => format!("{what} was issued"),
        AlertOn::Renewal => format!("{what} was renewed"),
        AlertOn::Revocation => format!("{what} was revoked"),
        AlertOn::IssuanceFailed => format!("{what} was not issued"),
        AlertOn::RenewalFailed => format!("{what} was not renewed"),
        AlertOn::SyncFailed => format!("{what} was not delivered"),
        AlertOn::ApprovalPending => format!("{what} waits for approval"),
        AlertOn::ApprovalExpired => format!("{what} was not approved in time"),
    }
}
