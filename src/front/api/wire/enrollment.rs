//! How an Application enrolls under a profile, method by method.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AcmeBody, RenewalSettingBody};
use crate::domain::{
    ApiSettings, AutoRenewal, BootstrapTrust, EstSettings, MethodSettings, Methods, ScepCaCertificates, ScepChallenge,
    ScepRenewal, ScepSettings, Span,
};
use crate::front::{Code, Fault, Problem};

/// The enrollment methods of an attachment; `null` is disabled.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct EnrollmentView {
    api: Option<ApiBody>,
    acme: Option<AcmeBody>,
    est: Option<EstBody>,
    scep: Option<ScepBody>,
}

impl From<Methods> for EnrollmentView {
    fn from(methods: Methods) -> Self {
        Self {
            api: methods.api.map(Into::into),
            acme: methods.acme.map(Into::into),
            est: methods.est.map(Into::into),
            scep: methods.scep.map(Into::into),
        }
    }
}

/// A method whose settings are in a body.
pub(in crate::front::api) trait MethodBody: Sized {
    /// The settings as the engine takes them; `None` disables the method.
    fn settings(body: Option<Self>) -> Result<MethodSettings, Problem>;
}

/// Settings of enrollment by this API.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::front::api) struct ApiBody {
    /// Whether certificates with managed keys renew by themselves; if absent, the profile says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auto_renew: Option<bool>,
    /// How many days before their end, 1 to 30; needed if `autoRenew` is `true` and there is no `renewal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renew_before_days: Option<u16>,
    /// When exactly, for what days can not say. Excludes the other two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renewal: Option<RenewalSettingBody>,
}

impl MethodBody for ApiBody {
    fn settings(body: Option<Self>) -> Result<MethodSettings, Problem> {
        Ok(MethodSettings::Api(body.map(Self::read).transpose()?))
    }
}

impl ApiBody {
    fn read(self) -> Result<ApiSettings, Problem> {
        let refused = |field: &str, said: &str| {
            Err(Problem::new(Code::InvalidValue, said).with([Fault::said(field, "conflict", said)]))
        };
        let auto_renew = match (self.auto_renew, self.renew_before_days, self.renewal) {
            (None, None, None) => None,
            (None, None, Some(setting)) => Some(setting.setting("renewal")?),
            (_, _, Some(_)) => return refused("renewal", "`renewal` excludes `autoRenew` and `renewBeforeDays`"),
            (Some(false), None, None) => Some(AutoRenewal::Off),
            (Some(true) | None, Some(days @ 1..=30), None) => Some(AutoRenewal::before(Span::days(days))),
            (Some(true), None, None) => return refused("renewBeforeDays", "`autoRenew` needs `renewBeforeDays`"),
            (Some(false), Some(_), None) => return refused("renewBeforeDays", "`autoRenew` is off"),
            (_, Some(_), None) => return refused("renewBeforeDays", "1 to 30 days are accepted"),
        };
        Ok(ApiSettings { auto_renew })
    }
}

impl From<ApiSettings> for ApiBody {
    fn from(settings: ApiSettings) -> Self {
        let days = settings.auto_renew.as_ref().and_then(whole_days);
        match &settings.auto_renew {
            None => Self { auto_renew: None, renew_before_days: None, renewal: None },
            Some(AutoRenewal::Off) => Self { auto_renew: Some(false), renew_before_days: None, renewal: None },
            Some(setting) => match days {
                Some(days) => Self { auto_renew: Some(true), renew_before_days: Some(days), renewal: None },
                None => Self { auto_renew: None, renew_before_days: None, renewal: Some(setting.into()) },
            },
        }
    }
}

/// The lead of a setting that days can say.
fn whole_days(setting: &AutoRenewal) -> Option<u16> {
    (1..=30).find(|days| *setting == AutoRenewal::before(Span::days(*days)))
}

/// Settings of EST enrollment.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::front::api) struct EstBody {
    /// Whether devices need no certificate to introduce themselves.
    #[serde(default)]
    disable_bootstrap_ca_validation: bool,
    /// The manufacturer's CAs, PEM; needed unless the validation is disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca_chain: Option<String>,
}

impl MethodBody for EstBody {
    fn settings(body: Option<Self>) -> Result<MethodSettings, Problem> {
        let trust = |body: Self| match (body.disable_bootstrap_ca_validation, body.ca_chain) {
            (true, _) => Ok(BootstrapTrust::Unchecked),
            (false, Some(chain)) => Ok(BootstrapTrust::Chain(chain)),
            (false, None) => {
                let said = "the manufacturer's CAs are needed, or `disableBootstrapCaValidation`";
                Err(Problem::new(Code::InvalidValue, said).with([Fault::said("caChain", "missing", said)]))
            }
        };
        Ok(MethodSettings::Est(body.map(trust).transpose()?.map(|bootstrap| EstSettings { bootstrap })))
    }
}

impl From<EstSettings> for EstBody {
    fn from(settings: EstSettings) -> Self {
        let ca_chain = match settings.bootstrap {
            BootstrapTrust::Chain(chain) => Some(chain),
            BootstrapTrust::Unchecked => None,
        };
        Self { disable_bootstrap_ca_validation: ca_chain.is_none(), ca_chain }
    }
}

/// Settings of SCEP enrollment.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::front::api) struct ScepBody {
    /// How a first request is authorised.
    #[serde(default)]
    challenge_type: ChallengeType,
    /// How long a dynamic challenge waits for its use, 1 to 1440; 60 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dynamic_challenge_expiry_minutes: Option<u16>,
    /// How many dynamic challenges may wait at once, 1 to 1000; 100 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dynamic_challenge_max_pending: Option<u16>,
    /// Whether GetCACert answers with the CA's chain, too.
    #[serde(default = "yes")]
    include_ca_cert_in_response: bool,
    /// Whether a valid certificate of the same profile may renew itself.
    #[serde(default = "yes")]
    allow_cert_based_renewal: bool,
}

/// How a first SCEP request is authorised.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ChallengeType {
    /// By one shared secret.
    #[default]
    Static,
    /// By a secret for one use.
    Dynamic,
}

fn yes() -> bool {
    true
}

impl MethodBody for ScepBody {
    fn settings(body: Option<Self>) -> Result<MethodSettings, Problem> {
        Ok(MethodSettings::Scep(body.map(Into::into)))
    }
}

impl From<ScepBody> for ScepSettings {
    fn from(body: ScepBody) -> Self {
        let challenge = match body.challenge_type {
            ChallengeType::Static => ScepChallenge::Static,
            ChallengeType::Dynamic => ScepChallenge::Dynamic {
                expires_after: Span::minutes(body.dynamic_challenge_expiry_minutes.unwrap_or(60)),
                max_pending: body.dynamic_challenge_max_pending.unwrap_or(100),
            },
        };
        let renewal =
            if body.allow_cert_based_renewal { ScepRenewal::ByCertificate } else { ScepRenewal::ByChallengeOnly };
        let ca_certificates = match body.include_ca_cert_in_response {
            true => ScepCaCertificates::WithChain,
            false => ScepCaCertificates::RegistrationAuthorityOnly,
        };
        Self { challenge, renewal, ca_certificates }
    }
}

impl From<ScepSettings> for ScepBody {
    fn from(settings: ScepSettings) -> Self {
        let (challenge_type, expiry, pending) = match settings.challenge {
            ScepChallenge::Static => (ChallengeType::Static, None, None),
            ScepChallenge::Dynamic { expires_after, max_pending } => {
                let minutes = u16::try_from(expires_after.as_seconds() / 60).ok();
                (ChallengeType::Dynamic, minutes, Some(max_pending))
            }
        };
        Self {
            challenge_type,
            dynamic_challenge_expiry_minutes: expiry,
            dynamic_challenge_max_pending: pending,
            include_ca_cert_in_response: settings.ca_certificates == ScepCaCertificates::WithChain,
            allow_cert_based_renewal: settings.renewal == ScepRenewal::ByCertificate,
        }
    }
}
