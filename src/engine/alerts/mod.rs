//! Alerts: making them, what they would tell, and what they have told.

mod deliver;
mod follow_up;
mod message;
mod preview;
mod watch;

pub(in crate::engine) use follow_up::FollowUp;
pub use preview::ChannelTest;

use deliver::bound_to;
use watch::whole_second;

use super::context::{Change, Context, Versioned, decode};
use super::error::Error;
use super::query::{Page, PageToken};
use super::schema::{Claim, Entity, Notification, Watch, index, scope};
use super::settings::name_taken;
use crate::domain::{
    Action, Actor, Alert, AlertId, AlertRecord, AlertSpec, AlertState, ApplicationId, Channel, Confidential, EventKind,
    Octets, Slug,
};
use crate::sealer::Secret;
use crate::store::{Order, Over, Scan};
use crate::x509::InvalidValue;

/// Most alerts of an Application, and of the product.
const MOST_ALERTS: usize = 100;

type Kept = AlertRecord<Octets>;

impl Context {
    /// Makes an alert, or changes the one of its name.
    pub(super) async fn save_alert(
        &self,
        actor: &Actor,
        application: Option<ApplicationId>,
        spec: AlertSpec,
    ) -> Result<Alert, Error> {
        self.may_alert(actor, application, Action::AlertsCreate).await?;
        let earlier = self.alert_named(application, &spec.name).await?;
        if earlier.is_some() {
            self.may_alert(actor, application, Action::AlertsEdit).await?;
        }
        self.judge_alert(application, &spec, earlier.is_none()).await?;
        if let Some(earlier) = &earlier
            && self.says_the_same(&earlier.value, &spec).await
        {
            return Ok(earlier.value.shown());
        }
        let mut change = self.change(actor, self.now())?;
        let id = match &earlier {
            Some(earlier) => earlier.value.id,
            None => AlertId::new(change.now, change.random.take()?),
        };
        let alert = Kept {
            id,
            application,
            name: spec.name,
            description: spec.description,
            state: spec.state,
            on: spec.on,
            repeat: spec.repeat,
            filters: spec.filters,
            channels: self.seal_channels(&spec.channels, id, &mut change).await?,
            created_at: earlier.as_ref().map_or(change.now, |earlier| earlier.value.created_at),
            updated_at: change.now,
        };
        match &earlier {
            Some(earlier) => change.update(&alert, earlier.version)?,
            None => {
                change.create(&claim_of(&alert))?;
                change.create(&alert)?;
            }
        }
        self.save_watch(&alert, earlier.as_ref(), &mut change).await?;
        change.event(application, EventKind::AlertSaved { alert: id })?;
        change.commit().await.map_err(|error| name_taken(error, Kept::KIND, &alert.name))?;
        Ok(alert.shown())
    }

    /// Whether nothing would change, secrets included. One that does not open is another.
    async fn says_the_same(&self, kept: &Kept, spec: &AlertSpec) -> bool {
        let is_same = (&kept.description, kept.state, kept.on, kept.repeat, &kept.filters)
            == (&spec.description, spec.state, spec.on, spec.repeat, &spec.filters);
        if !is_same || kept.channels.len() != spec.channels.len() {
            return false;
        }
        let bound_to = bound_to(kept.id);
        for (kept, channel) in kept.channels.iter().zip(&spec.channels) {
            if kept.with_secret(kept.secret().map(|_| ())) != channel.with_secret(channel.secret().map(|_| ())) {
                return false;
            }
            let (Some(envelope), Some(secret)) = (kept.secret(), channel.secret()) else { continue };
            let opened = self.sealer.open(&envelope.0, &bound_to).await;
            if !opened.is_ok_and(|opened| opened.expose() == secret.expose().as_bytes()) {
                return false;
            }
        }
        true
    }

    /// Every fault of a specification: its own, channels without a notifier, and one alert too many.
    async fn judge_alert(
        &self,
        application: Option<ApplicationId>,
        spec: &AlertSpec,
        is_new: bool,
    ) -> Result<(), Error> {
        let mut faults = spec.faults(application, &self.destinations);
        for (at, channel) in spec.channels.iter().enumerate() {
            let kind = channel.kind();
            if !self.notifiers.contains_key(&kind) {
                let accepted = "a kind of channel that the engine was given a notifier for";
                faults.push((format!("channels[{at}]"), InvalidValue::new("channel", kind.to_string(), accepted)));
            }
        }
        if is_new && self.store.scan(&alerts_of(application, MOST_ALERTS)).await?.len() == MOST_ALERTS {
            faults.push(("name".to_owned(), InvalidValue::new("alert", spec.name.as_str(), "at most 100 alerts")));
        }
        if faults.is_empty() { Ok(()) } else { Err(Error::Invalid { faults }) }
    }

    async fn seal_channels(
        &self,
        channels: &[Channel<Confidential>],
        alert: AlertId,
        change: &mut Change<'_>,
    ) -> Result<Vec<Channel<Octets>>, Error> {
        let bound_to = bound_to(alert);
        let mut sealed = Vec::with_capacity(channels.len());
        for channel in channels {
            let envelope = match channel.secret() {
                Some(secret) => {
                    let secret = Secret::new(secret.expose().as_bytes().to_vec());
                    Some(Octets(self.sealer.seal(&secret, &bound_to, change.random.take()?).await?))
                }
                None => None,
            };
            sealed.push(channel.with_secret(envelope));
        }
        Ok(sealed)
    }

    /// An alert on time looks from now on; one whose condition is what it was looks on where it was.
    async fn save_watch(
        &self,
        alert: &Kept,
        earlier: Option<&Versioned<Kept>>,
        change: &mut Change<'_>,
    ) -> Result<(), Error> {
        let wanted = alert.on.lead().filter(|_| alert.state == AlertState::Enabled);
        let same = |earlier: &Kept| {
            (earlier.on, earlier.state, earlier.repeat, &earlier.filters)
                == (alert.on, alert.state, alert.repeat, &alert.filters)
        };
        let now = whole_second(change.now);
        let fresh = Watch { alert: alert.id, through: now, place: None, next_at: Some(now) };
        let existing = match earlier {
            Some(_) => self.find::<Watch>(&alert.id.to_string()).await?,
            None => None,
        };
        match (wanted, existing) {
            (Some(_), Some(_)) if earlier.is_some_and(|earlier| same(&earlier.value)) => Ok(()),
            (Some(_), Some(existing)) => change.update(&fresh, existing.version),
            (Some(_), None) => change.create(&fresh),
            (None, Some(existing)) => {
                change.delete(&existing.value, existing.version);
                Ok(())
            }
            (None, None) => Ok(()),
        }
    }

    /// Deletes an alert. What it has not told yet is not told.
    pub(super) async fn delete_alert(&self, actor: &Actor, id: AlertId) -> Result<(), Error> {
        let alert = self.readable_alert(actor, id, Action::AlertsDelete).await?;
        let claim: Versioned<Claim> = self.load(&claim_of(&alert.value).document_id()).await?;
        let mut change = self.change(actor, self.now())?;
        if let Some(watch) = self.find::<Watch>(&id.to_string()).await? {
            change.delete(&watch.value, watch.version);
        }
        change.delete(&claim.value, claim.version);
        change.delete(&alert.value, alert.version);
        change.event(alert.value.application, EventKind::AlertDeleted { alert: id })?;
        match change.commit().await {
            Err(error) if error.is_conflict() => Err(Error::Contended),
            committed => committed.map(drop),
        }
    }

    /// Deletes the alerts of an Application that is to be deleted.
    pub(super) async fn delete_alerts_of(&self, actor: &Actor, application: ApplicationId) -> Result<(), Error> {
        for hit in self.scan_all(alerts_of(Some(application), MOST_ALERTS)).await? {
            let alert: AlertRecord<Octets> = decode(&hit.document.key, &hit.document.body)?;
            self.delete_alert(actor, alert.id).await?;
        }
        Ok(())
    }

    /// An alert, without its secrets.
    pub(super) async fn alert(&self, actor: &Actor, id: AlertId) -> Result<Alert, Error> {
        Ok(self.readable_alert(actor, id, Action::AlertsRead).await?.value.shown())
    }

    /// One page of the alerts of an Application, or of the product, by name.
    pub(super) async fn alerts(
        &self,
        actor: &Actor,
        application: Option<ApplicationId>,
        after: Option<&PageToken>,
    ) -> Result<Page<Alert>, Error> {
        self.may_alert(actor, application, Action::AlertsRead).await?;
        let mut scan = alerts_of(application, MOST_ALERTS);
        scan.after = after.map(PageToken::cursor).transpose()?;
        let page: Page<Kept> = self.page(&scan).await?;
        Ok(Page { items: page.items.iter().map(Kept::shown).collect(), next: page.next })
    }

    /// One page of an alert's notifications, the latest first.
    pub(super) async fn notifications(
        &self,
        actor: &Actor,
        id: AlertId,
        after: Option<&PageToken>,
    ) -> Result<Page<Notification>, Error> {
        self.readable_alert(actor, id, Action::AlertsRead).await?;
        let mut scan = Scan::new(Over::Index(index::NOTIFICATION_ALERT.into()), 100);
        scan.from = Some(format!("{id}|"));
        scan.to = Some(format!("{id}}}"));
        scan.order = Order::Descending;
        scan.after = after.map(PageToken::cursor).transpose()?;
        let page: Page<Notification<Octets>> = self.page(&scan).await?;
        Ok(Page { items: page.items.iter().map(Notification::shown).collect(), next: page.next })
    }

    /// An alert on which the actor may do `action`. Who may not see its Application is told that there is no alert.
    async fn readable_alert(&self, actor: &Actor, id: AlertId, action: Action) -> Result<Versioned<Kept>, Error> {
        let alert: Versioned<Kept> = self.load(&id.to_string()).await?;
        match self.may_alert(actor, alert.value.application, action).await {
            Ok(()) => Ok(alert),
            Err(Error::NotFound { .. } | Error::NotAdministrator { .. }) => Err(Error::not_found(Kept::KIND, id)),
            Err(error) => Err(error),
        }
    }

    async fn may_alert(&self, actor: &Actor, application: Option<ApplicationId>, action: Action) -> Result<(), Error> {
        match application {
            Some(application) => self.permitted(actor, application, action).await.map(drop),
            None => self.authorize_product(actor, "use the alerts of the product"),
        }
    }

    async fn alert_named(
        &self,
        application: Option<ApplicationId>,
        name: &Slug,
    ) -> Result<Option<Versioned<Kept>>, Error> {
        let claim = claim(application, name, String::new());
        match self.find::<Claim>(&claim.document_id()).await? {
            Some(claim) => self.find(&claim.value.owner).await,
            None => Ok(None),
        }
    }
}

fn alerts_of(application: Option<ApplicationId>, limit: usize) -> Scan {
    let scope = scope(application);
    let mut scan = Scan::new(Over::Index(index::ALERT_APPLICATION.into()), limit);
    scan.from = Some(format!("{scope}|"));
    scan.to = Some(format!("{scope}}}"));
    scan
}

fn claim(application: Option<ApplicationId>, name: &Slug, owner: String) -> Claim {
    Claim::name(Kept::KIND, &format!("{}/{name}", scope(application)), owner)
}

fn claim_of(alert: &Kept) -> Claim {
    claim(alert.application, &alert.name, alert.id.to_string())
}
