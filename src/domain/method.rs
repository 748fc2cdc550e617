//! Enrollment methods and their settings on an attachment.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{AcmeSettings, AutoRenewal, Span};
use crate::x509::InvalidValue;

/// How a certificate is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Library call or JSON API.
    Api,
    /// ACME (RFC 8555).
    Acme,
    /// EST (RFC 7030).
    Est,
    /// SCEP (RFC 8894).
    Scep,
}

impl Method {
    /// The spelling in data.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Acme => "acme",
            Self::Est => "est",
            Self::Scep => "scep",
        }
    }

    /// The time that a certificate lives when neither request nor profile says.
    pub fn default_ttl(self) -> Option<Span> {
        match self {
            Self::Api => None,
            Self::Acme => Some(Span::days(47)),
            Self::Est | Self::Scep => Some(Span::days(90)),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which methods are enabled on an attachment; `None` is disabled.
///
/// Secrets (account binding keys, passphrases, challenges) are not settings: they are made and kept by the front that
/// needs them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Methods {
    /// Library call and JSON API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiSettings>,
    /// ACME.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acme: Option<AcmeSettings>,
    /// EST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub est: Option<EstSettings>,
    /// SCEP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scep: Option<ScepSettings>,
}

/// The settings of one method; `None` disables it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MethodSettings {
    /// Of library call and JSON API.
    Api(Option<ApiSettings>),
    /// Of ACME.
    Acme(Option<AcmeSettings>),
    /// Of EST.
    Est(Option<EstSettings>),
    /// Of SCEP.
    Scep(Option<ScepSettings>),
}

impl Methods {
    /// The same with other settings of one method.
    #[must_use]
    pub fn with(self, settings: MethodSettings) -> Self {
        match settings {
            MethodSettings::Api(api) => Self { api, ..self },
            MethodSettings::Acme(acme) => Self { acme, ..self },
            MethodSettings::Est(est) => Self { est, ..self },
            MethodSettings::Scep(scep) => Self { scep, ..self },
        }
    }

    /// Only the API, with its default settings.
    pub fn api() -> Self {
        Self { api: Some(ApiSettings::default()), ..Self::default() }
    }

    /// Whether `method` is enabled.
    pub fn enables(&self, method: Method) -> bool {
        match method {
            Method::Api => self.api.is_some(),
            Method::Acme => self.acme.is_some(),
            Method::Est => self.est.is_some(),
            Method::Scep => self.scep.is_some(),
        }
    }

    /// Whether a method is enabled whose clients always bring their own key.
    pub(crate) fn needs_client_keys(&self) -> Option<Method> {
        [Method::Acme, Method::Est, Method::Scep].into_iter().find(|method| self.enables(*method))
    }

    /// Every setting out of its bounds, with its path.
    pub fn faults(&self) -> Vec<(String, InvalidValue)> {
        let mut faults = Vec::new();
        let auto_renew = self.api.as_ref().and_then(|api| api.auto_renew.as_ref());
        if let Some(error) = auto_renew.and_then(|auto_renew| auto_renew.fault(None)) {
            faults.push(("api.auto_renew".into(), error));
        }
        let acme = self.acme.iter().flat_map(AcmeSettings::faults);
        faults.extend(acme.map(|(field, error)| (format!("acme.{field}"), error)));
        if let Some(ScepChallenge::Dynamic { expires_after, max_pending }) =
            self.scep.as_ref().map(|scep| scep.challenge)
        {
            if expires_after.as_seconds() == 0 || expires_after > Span::hours(24) {
                let error = InvalidValue::new("duration", expires_after.to_string(), "more than 0s, at most 24h");
                faults.push(("scep.challenge.dynamic.expires_after".into(), error));
            }
            if !(1..=1000).contains(&max_pending) {
                let error = InvalidValue::new("number", max_pending.to_string(), "1 to 1000");
                faults.push(("scep.challenge.dynamic.max_pending".into(), error));
            }
        }
        faults
    }
}

/// Settings of enrollment by library call and JSON API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiSettings {
    /// Whether and when certificates with managed keys renew by themselves; `None` leaves it to the profile. In data
    /// `auto_renew_before` means the same.
    #[serde(default, alias = "auto_renew_before", skip_serializing_if = "Option::is_none")]
    pub auto_renew: Option<AutoRenewal>,
}

/// Settings of EST enrollment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EstSettings {
    /// Which certificates a device may introduce itself with, beside the passphrase.
    pub bootstrap: BootstrapTrust,
}

/// Which certificates a device may introduce itself with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BootstrapTrust {
    /// Those that chain to these manufacturer CAs, in PEM.
    Chain(String),
    /// None is asked for.
    Unchecked,
}

/// Settings of SCEP enrollment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScepSettings {
    /// How a first request is authorised.
    pub challenge: ScepChallenge,
    /// Whether a valid certificate of the same profile may renew itself.
    #[serde(default)]
    pub renewal: ScepRenewal,
    /// What GetCACert answers with.
    #[serde(default)]
    pub ca_certificates: ScepCaCertificates,
}

/// How a first SCEP request is authorised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScepChallenge {
    /// By one shared secret.
    Static,
    /// By a secret for one use.
    Dynamic {
        /// How long it may wait for its use, at most 24 hours.
        expires_after: Span,
        /// How many may wait at once, at most 1000.
        max_pending: u16,
    },
}

/// Whether a SCEP client may renew with its certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScepRenewal {
    /// It may.
    #[default]
    ByCertificate,
    /// It must bring a challenge each time.
    ByChallengeOnly,
}

/// What a SCEP GetCACert answers with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScepCaCertificates {
    /// The registration authority's certificate and the CA's chain.
    #[default]
    WithChain,
    /// The registration authority's certificate alone.
    RegistrationAuthorityOnly,
}
