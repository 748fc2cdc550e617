//! ACME: where it is served, how control of names is looked at, and the directories that clients are configured with.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use chancery::challenge::{NetworkSettings, NetworkVerifier};
use chancery::engine::{Engine, EngineBuilder};
use chancery::front::acme::{Acme as Front, AcmeBounds};
use serde::Deserialize;

use crate::Result;
use crate::configuration::Configuration;
use crate::listeners::rate;
use crate::office::Office;

/// Where it is served below the service.
pub(crate) const ACME: &str = "/acme";

/// ACME as it is declared.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Acme {
    /// Where clients find it, if that is not the server's own first name and port.
    pub(crate) url: Option<String>,
    /// The resolvers of challenges; without any, those of the machine.
    pub(crate) resolvers: Vec<SocketAddr>,
    /// The port that http-01 asks.
    pub(crate) http_port: u16,
    /// The port that tls-alpn-01 asks.
    pub(crate) tls_port: u16,
}

impl Default for Acme {
    fn default() -> Self {
        let NetworkSettings { http_port, tls_port, .. } = NetworkSettings::default();
        Self { url: None, resolvers: Vec::new(), http_port, tls_port }
    }
}

/// The engine with what looks at challenges.
pub(crate) fn with_verifier(builder: EngineBuilder, configuration: &Configuration) -> Result<EngineBuilder> {
    let Some(Acme { resolvers, http_port, tls_port, .. }) = &configuration.acme else { return Ok(builder) };
    let settings = NetworkSettings {
        resolvers: resolvers.clone(),
        http_port: *http_port,
        tls_port: *tls_port,
        ..NetworkSettings::default()
    };
    Ok(builder.challenge_verifier(NetworkVerifier::new(settings)?))
}

/// The front, as clients of a listener find it; none without its section.
pub(crate) fn front(engine: &Engine, configuration: &Configuration, address: SocketAddr) -> Result<Option<Front>> {
    let Some(acme) = &configuration.acme else { return Ok(None) };
    let url = acme.url.clone().unwrap_or_else(|| {
        let name = configuration.tls.as_ref().and_then(|tls| tls.names.first().cloned());
        format!("https://{}:{}{ACME}", name.unwrap_or(address.ip().to_string()), address.port())
    });
    let requests = rate(configuration.limits.acme_requests_per_minute);
    Ok(Some(Front::new(engine, &url)?.bounds(AcmeBounds { requests, ..AcmeBounds::default() })))
}

/// The directories of the Applications that are declared, by `Application/profile`.
pub(crate) async fn directories(
    office: &Office,
    front: Option<&Front>,
    configuration: &Configuration,
) -> Result<BTreeMap<String, String>> {
    let mut directories = BTreeMap::new();
    let Some(front) = front else { return Ok(directories) };
    for spec in configuration.applications.iter().map(|application| &application.spec) {
        let application = office.session.application_named(&spec.name).await?;
        for attachment in spec.attachments.iter().filter(|attachment| attachment.methods.acme.is_some()) {
            let profile = office.session.profile_named(&attachment.profile).await?;
            let name = format!("{}/{}", spec.name, attachment.profile);
            directories.insert(name, front.directory(application.id, profile.id));
        }
    }
    Ok(directories)
}
