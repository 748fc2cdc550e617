//! When certificates renew by themselves, and how that stands.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Moment;
use crate::domain::{
    AutoRenewal, CertificateId, Eligibility, Lead, LocalTime, OpeningSpec, RenewalPlan, RenewalSetting, RenewalState,
    RenewalWindow, RenewalWindowSpec, RequestId, TimeZone, Weekday,
};
use crate::engine;
use crate::front::Problem;

/// When certificates renew by themselves.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::front::api) struct RenewalSettingBody {
    /// Whether they do.
    #[serde(default = "yes")]
    enabled: bool,
    /// From when on: `30d` before the end, or when `2/3` of the life have passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    when: Option<Lead>,
    /// At which times of the week; at any time if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window: Option<WindowBody>,
}

fn yes() -> bool {
    true
}

/// When the clocks of a place allow it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WindowBody {
    /// Whose clocks.
    zone: TimeZone,
    /// When: at any of these times.
    open: Vec<OpeningBody>,
}

/// A time of some days.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OpeningBody {
    /// The days on which it begins; every day if none is named.
    #[serde(default)]
    days: Vec<Weekday>,
    /// From when.
    from: LocalTime,
    /// Until when; on the next day if it is not later than `from`.
    to: LocalTime,
}

impl RenewalSettingBody {
    /// What is set, as the engine takes it.
    pub(in crate::front::api) fn setting(self, field: &str) -> Result<AutoRenewal, Problem> {
        if !self.enabled {
            return Ok(AutoRenewal::Off);
        }
        let window = self.window.map(|window| {
            let opening = |OpeningBody { days, from, to }| OpeningSpec { days, from, to };
            let spec = RenewalWindowSpec { zone: window.zone, open: window.open.into_iter().map(opening).collect() };
            RenewalWindow::try_from(spec).map_err(|error| Problem::value(&format!("{field}.window"), error))
        });
        let missing =
            || Problem::value(&format!("{field}.when"), crate::x509::InvalidValue::new("lead", "", "`30d` or `2/3`"));
        Ok(AutoRenewal::On(RenewalSetting { when: self.when.ok_or_else(missing)?, window: window.transpose()? }))
    }
}

impl From<&AutoRenewal> for RenewalSettingBody {
    fn from(setting: &AutoRenewal) -> Self {
        let Some(RenewalSetting { when, window }) = setting.setting() else {
            return Self { enabled: false, when: None, window: None };
        };
        let window = window.as_ref().map(|window| {
            let RenewalWindowSpec { zone, open } = window.clone().into();
            let opening = |OpeningSpec { days, from, to }| OpeningBody { days, from, to };
            WindowBody { zone, open: open.into_iter().map(opening).collect() }
        });
        Self { enabled: true, when: Some(*when), window }
    }
}

/// How the renewal of a certificate stands.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct RenewalView {
    /// Whether somebody may renew it now.
    manually: EligibilityView,
    /// Whether it renews by itself.
    by_itself: EligibilityView,
    /// How many whole days before its end it does, where that is what is set for it alone.
    renew_before_days: Option<u64>,
    /// What is set for it and its successors alone.
    own_setting: Option<RenewalSettingBody>,
    /// The plan of its lineage; `null` if there is none yet.
    plan: Option<PlanView>,
}

/// Whether a certificate may be renewed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct EligibilityView {
    /// `eligible`, `not_yet` or `ineligible`.
    eligibility: &'static str,
    /// From when on it will be.
    #[serde(skip_serializing_if = "Option::is_none")]
    opens_at: Option<Moment>,
    /// Every reason why it may not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
}

impl From<&Eligibility> for EligibilityView {
    fn from(eligibility: &Eligibility) -> Self {
        let plain = |eligibility| Self { eligibility, opens_at: None, reasons: Vec::new() };
        match eligibility {
            Eligibility::Eligible => plain("eligible"),
            Eligibility::NotYet { opens_at } => Self { opens_at: Some((*opens_at).into()), ..plain("not_yet") },
            Eligibility::Ineligible { reasons } => {
                Self { reasons: reasons.iter().map(ToString::to_string).collect(), ..plain("ineligible") }
            }
        }
    }
}

/// The plan of a lineage.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PlanView {
    /// The lineage's newest certificate.
    certificate_id: Option<CertificateId>,
    /// `scheduled`, `trying`, `retrying`, `open`, `blocked`, `needs_person` or `off`.
    state: &'static str,
    /// When it is done or tried next.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<Moment>,
    /// How often it was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    /// The request that stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_request_id: Option<RequestId>,
    /// What is in its way.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The ids of what, once changed, wakes it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    blocked_on: Vec<String>,
}

impl From<&RenewalPlan> for PlanView {
    fn from(plan: &RenewalPlan) -> Self {
        let view = Self { certificate_id: Some(plan.certificate), ..Self::default() };
        match plan.state.clone() {
            RenewalState::Scheduled { due_at, .. } => Self { state: "scheduled", due_at: Some(due_at.into()), ..view },
            RenewalState::Trying { attempts, due_at } => {
                Self { state: "trying", attempts: Some(attempts), due_at: Some(due_at.into()), ..view }
            }
            RenewalState::Retrying { attempts, due_at, error } => {
                let (attempts, due_at, reason) = (Some(attempts), Some(due_at.into()), Some(error));
                Self { state: "retrying", attempts, due_at, reason, ..view }
            }
            RenewalState::Open { request, attempts, .. } => {
                Self { state: "open", certificate_request_id: Some(request), attempts: Some(attempts), ..view }
            }
            RenewalState::Blocked { reason, on } => {
                let blocked_on = on.iter().map(|on| on.id()).collect();
                Self { state: "blocked", reason: Some(reason), blocked_on, ..view }
            }
            RenewalState::NeedsPerson { reason } => Self { state: "needs_person", reason: Some(reason), ..view },
            RenewalState::Off => Self { state: "off", ..view },
        }
    }
}

impl From<engine::RenewalView> for RenewalView {
    fn from(view: engine::RenewalView) -> Self {
        let own = view.plan.as_ref().and_then(|plan| plan.own.as_ref());
        let lead = own.and_then(AutoRenewal::setting).map(|setting| setting.when);
        let renew_before_days = match lead {
            Some(Lead::Before(span)) if span.as_seconds() % 86_400 == 0 => Some(span.as_seconds() / 86_400),
            _ => None,
        };
        Self {
            manually: (&view.manually).into(),
            by_itself: (&view.by_itself).into(),
            renew_before_days,
            own_setting: own.map(Into::into),
            plan: view.plan.as_ref().map(Into::into),
        }
    }
}
