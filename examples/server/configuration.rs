//! What the configuration file says, and whether it can be meant.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use chancery::domain::{
    AlertSpec, ApplicationSpec, ApprovalPolicySpec, IssuerSpec, PolicySpec, Principal, ProfileSpec, Slug, Span,
    SyncSpec, read_toml,
};
use serde::Deserialize;
use serde::de::MapAccess;

use crate::acme::Acme;
use crate::beside::{Beside, With};
use crate::{check, fault};

/// Everything that is declared.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Configuration {
    /// Where database, keys and the root certificate are kept.
    pub(crate) data: PathBuf,
    /// Who administers the product; the first one's token is shown at the first start.
    pub(crate) administrators: Vec<Principal>,
    #[serde(default)]
    pub(crate) log: Log,
    pub(crate) listen: Listen,
    /// Without it the service speaks plain HTTP, and on loopback only.
    pub(crate) tls: Option<Tls>,
    /// Without it no ACME is served.
    pub(crate) acme: Option<Acme>,
    #[serde(default)]
    pub(crate) limits: Rates,
    #[serde(default)]
    pub(crate) notify: Notify,
    #[serde(default)]
    pub(crate) targets: Vec<Target>,
    #[serde(default)]
    pub(crate) issuers: Vec<With<IssuerSpec, Above>>,
    #[serde(default)]
    pub(crate) policies: Vec<PolicySpec>,
    #[serde(default)]
    pub(crate) profiles: Vec<ProfileSpec>,
    #[serde(default)]
    pub(crate) applications: Vec<With<ApplicationSpec, Within>>,
    /// Alerts of the product.
    #[serde(default)]
    pub(crate) alerts: Vec<AlertSpec>,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Log {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
}

/// Where it listens, and how long it waits for whom.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listen {
    /// The JSON API.
    pub(crate) service: SocketAddr,
    /// CRLs, OCSP and issuers' certificates, by plain HTTP.
    pub(crate) status: SocketAddr,
    /// Health, readiness and metrics, by plain HTTP.
    pub(crate) operations: SocketAddr,
    /// For the head of a request, and between requests.
    #[serde(default = "ten_seconds")]
    pub(crate) head_timeout: Span,
    /// For a request with its body, up to its answer.
    #[serde(default = "minute")]
    pub(crate) request_timeout: Span,
    /// For who asked to take the next part of an answer.
    #[serde(default = "half_a_minute")]
    pub(crate) send_timeout: Span,
    /// How many connections there may be at once on each of them.
    #[serde(default = "thousand")]
    pub(crate) connections: NonZeroU16,
    /// For what is under way when the server is told to stop.
    #[serde(default = "half_a_minute")]
    pub(crate) drain_timeout: Span,
}

fn ten_seconds() -> Span {
    seconds(10)
}

fn half_a_minute() -> Span {
    seconds(30)
}

fn thousand() -> NonZeroU16 {
    NonZeroU16::MIN.saturating_add(999)
}

fn minute() -> Span {
    Span::minutes(1)
}

/// There is no such constructor, for the domain counts in minutes.
fn seconds(count: u8) -> Span {
    Span::try_from(format!("{count}s")).unwrap_or(Span::minutes(1))
}

/// The server's own certificate.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    /// The name of the issuer that signs it.
    pub(crate) issuer: Slug,
    /// DNS names and IP addresses that it is for.
    pub(crate) names: Vec<String>,
    /// How long it is valid; it renews itself after two thirds of that.
    #[serde(default = "month")]
    pub(crate) ttl: Span,
}

fn month() -> Span {
    Span::days(30)
}

/// How often one principal may ask, each minute; 0 for no bound.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rates {
    pub(crate) reads_per_minute: u32,
    pub(crate) writes_per_minute: u32,
    pub(crate) acme_requests_per_minute: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self { reads_per_minute: 6000, writes_per_minute: 1200, acme_requests_per_minute: 1200 }
    }
}

/// How alerts leave the house.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Notify {
    /// Whether webhooks may be on this machine and in its network, by plain HTTP.
    pub(crate) private_addresses: bool,
    pub(crate) smtp: Option<Smtp>,
}

/// The mail server of alerts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Smtp {
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    pub(crate) from: String,
    #[serde(default)]
    pub(crate) security: Security,
    pub(crate) user: Option<String>,
    /// A file with nothing but the password.
    pub(crate) password_file: Option<PathBuf>,
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Smtp").field("host", &self.host).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Security {
    #[default]
    Starttls,
    Tls,
    Plain,
}

/// A directory that syncs deliver to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Target {
    pub(crate) name: Slug,
    /// It is made if it does not exist.
    pub(crate) directory: PathBuf,
    #[serde(default)]
    pub(crate) layout: Layout,
    /// A program and its arguments, run once something was delivered.
    #[serde(default)]
    pub(crate) reload: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Layout {
    #[default]
    PemFiles,
    PemCombined,
}

/// What an issuer is below.
#[derive(Debug, Default)]
pub(crate) struct Above {
    /// The issuer that signs its certificate; a root has none.
    pub(crate) parent: Option<Slug>,
}

impl<'de> Beside<'de> for Above {
    const KEYS: &'static [&'static str] = &["parent"];

    fn read<A: MapAccess<'de>>(&mut self, _: &str, map: &mut A) -> Result<(), A::Error> {
        self.parent = Some(map.next_value()?);
        Ok(())
    }
}

/// What belongs to an Application.
#[derive(Debug, Default)]
pub(crate) struct Within {
    pub(crate) approval_policies: Vec<ApprovalPolicySpec>,
    pub(crate) syncs: Vec<SyncSpec>,
    pub(crate) alerts: Vec<AlertSpec>,
}

impl<'de> Beside<'de> for Within {
    const KEYS: &'static [&'static str] = &["approval_policies", "syncs", "alerts"];

    fn read<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "approval_policies" => self.approval_policies = map.next_value()?,
            "syncs" => self.syncs = map.next_value()?,
            _ => self.alerts = map.next_value()?,
        }
        Ok(())
    }
}

/// Reads a configuration and judges all of it that can be judged without the store.
///
/// # Errors
/// Every fault, each with file, line and field.
pub(crate) fn read(file: &Path, text: &str) -> Result<Configuration, String> {
    let configuration: Configuration = read_toml(text).map_err(|error| format!("{}: {error}", file.display()))?;
    match check::faults(&configuration) {
        faults if faults.is_empty() => Ok(configuration),
        faults => Err(fault::told(file, text, &faults)),
    }
}
