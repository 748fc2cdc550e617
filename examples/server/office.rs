//! The engine over its database, with everything that is handed to it at each start.

use chancery::domain::{Actor, ChannelKind, DestinationRules, Loopback};
use chancery::engine::{Engine, EngineBuilder, Session};
use chancery::notify::{
    HttpClient, HttpSettings, PagerDutyNotifier, PrivateAddresses, SlackNotifier, SmtpNotifier, SmtpSecurity,
    SmtpSettings, WebhookNotifier,
};
use chancery::sealer::Secret;
use chancery::store::sqlite::SqliteStore;
use chancery::target::directory::{DirectoryOptions, DirectoryTarget, Layout as Files, ReloadCommand};

use crate::configuration::{Configuration, Layout, Security, Smtp, Target};
use crate::data::Data;
use crate::tls::{self, Listener};
use crate::{Result, acme, apply};

/// The engine, and in whose name what is declared is done.
#[derive(Debug)]
pub(crate) struct Office {
    pub(crate) engine: Engine,
    pub(crate) session: Session,
    /// What its own certificate is delivered to.
    pub(crate) listener: Listener,
}

impl Office {
    pub(crate) async fn open(configuration: &Configuration, data: &Data) -> Result<Self> {
        // The key comes before the database: where there is a database, there was a key.
        let sealer = data.sealer()?;
        let listener = Listener::new();
        let builder = Engine::builder()
            .store(SqliteStore::open(data.database())?)
            .sealer(sealer)
            .target(tls::OWN.parse()?, listener.clone())
            .destinations(destinations(configuration))
            .administrator(apply::principal());
        let builder = configuration.administrators.iter().cloned().fold(builder, EngineBuilder::administrator);
        let builder = configuration.targets.iter().try_fold(builder, with_target)?;
        let builder = acme::with_verifier(builder, configuration)?;
        let engine = with_notifiers(builder, configuration)?.build().await?;
        let session = engine.acting_as(Actor::new(apply::principal())?);
        Ok(Self { engine, session, listener })
    }
}

/// Which addresses alerts may name.
pub(crate) fn destinations(configuration: &Configuration) -> DestinationRules {
    let loopback = if configuration.notify.private_addresses { Loopback::Accepted } else { Loopback::Refused };
    DestinationRules { loopback, ..DestinationRules::default() }
}

fn with_target(builder: EngineBuilder, target: &Target) -> Result<EngineBuilder> {
    std::fs::create_dir_all(&target.directory).map_err(|error| format!("target {}: {error}", target.name))?;
    let options = DirectoryOptions::new(match target.layout {
        Layout::PemFiles => Files::PemFiles,
        Layout::PemCombined => Files::PemCombined,
    });
    let options = match target.reload.split_first() {
        Some((program, arguments)) => options.reload(ReloadCommand::new(program, arguments)),
        None => options,
    };
    Ok(builder.target(target.name.clone(), DirectoryTarget::open(&target.directory, options)?))
}

fn with_notifiers(builder: EngineBuilder, configuration: &Configuration) -> Result<EngineBuilder> {
    let notify = &configuration.notify;
    let private_addresses =
        if notify.private_addresses { PrivateAddresses::Allowed } else { PrivateAddresses::Refused };
    let http = HttpClient::new(&HttpSettings { private_addresses, ..HttpSettings::default() })?;
    let builder = builder
        .notifier(ChannelKind::Webhook, WebhookNotifier::new(http.clone()))
        .notifier(ChannelKind::Slack, SlackNotifier::new(http.clone()))
        .notifier(ChannelKind::PagerDuty, PagerDutyNotifier::new(http));
    match &notify.smtp {
        Some(smtp) => Ok(builder.notifier(ChannelKind::Email, SmtpNotifier::new(mail(smtp)?)?)),
        None => Ok(builder),
    }
}

fn mail(smtp: &Smtp) -> Result<SmtpSettings> {
    let credentials = match (&smtp.user, &smtp.password_file) {
        (Some(user), Some(file)) => {
            let password = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
            Some((user.clone(), Secret::new(password.trim_end().as_bytes().to_vec())))
        }
        (None, None) => None,
        _ => return Err("notify.smtp: user and password_file belong together".into()),
    };
    let plain = SmtpSettings::new(&smtp.host, &smtp.from);
    let security = match smtp.security {
        Security::Starttls => SmtpSecurity::StartTls,
        Security::Tls => SmtpSecurity::Tls,
        Security::Plain => SmtpSecurity::Plain,
    };
    Ok(SmtpSettings { port: smtp.port.unwrap_or(plain.port), security, credentials, ..plain })
}
