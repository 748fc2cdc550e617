//! Whether and when certificates renew by themselves, as people write it.

use std::fmt;
use std::str::FromStr;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use time::Duration;

use super::RenewalWindow;
use crate::domain::Span;
use crate::x509::InvalidValue;

/// Whether certificates renew by themselves: `"off"`, or a [`RenewalSetting`].
///
/// A certificate's own wins over its attachment's, and that over its profile's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AutoRenewal {
    /// They do not.
    Off,
    /// They do.
    On(RenewalSetting),
}

/// When certificates renew by themselves. Its text is that of its [`Lead`], if it has no window:
///
/// ```
/// use chancery::domain::RenewalSetting;
/// let short: RenewalSetting = serde_json::from_str(r#""30d""#)?;
/// let long: RenewalSetting = serde_json::from_str(r#"{
///     "when": "2/3",
///     "window": { "zone": "America/New_York", "open": [ { "days": ["tue", "wed"], "from": "09:00", "to": "17:00" } ] }
/// }"#)?;
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewalSetting {
    /// From when on.
    pub when: Lead,
    /// At which times of the week; at any time if there is none.
    pub window: Option<RenewalWindow>,
}

/// From when on a certificate renews. Clamped to the life that it was given: see [`Life`](super::Life).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Lead {
    /// So long before its notAfter: `30d`, `12h`.
    Before(Span),
    /// When so much of its life has passed: `2/3`.
    Used(Fraction),
}

/// A part of a life, more than none and less than all of it: `2/3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fraction {
    part: u16,
    whole: u16,
}

impl Fraction {
    /// `part` of `whole`.
    ///
    /// # Errors
    /// None of it, all of it or more, or a `whole` of more than 1000.
    pub fn new(part: u16, whole: u16) -> Result<Self, InvalidValue> {
        if part == 0 || part >= whole || whole > 1000 {
            return Err(InvalidValue::new("lead", format!("{part}/{whole}"), ACCEPTED));
        }
        Ok(Self { part, whole })
    }

    /// What is left of `life` when the fraction has passed.
    pub(super) fn rest_of(self, life: Duration) -> Duration {
        let seconds = i128::from(life.whole_seconds()) * i128::from(self.whole - self.part) / i128::from(self.whole);
        Duration::seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
    }
}

const ACCEPTED: &str = "how long before the end, such as `30d` or `12h`, or the part of its life after which, such as `2/3` (a \
     denominator of at most 1000)";

impl RenewalSetting {
    /// At any time of the week.
    pub fn new(when: Lead) -> Self {
        Self { when, window: None }
    }

    /// The same, within a window.
    #[must_use]
    pub fn within(mut self, window: RenewalWindow) -> Self {
        self.window = Some(window);
        self
    }

    /// What is wrong with it for certificates of the length `life`, if that is known: whenever a certificate is issued, its
    /// window must open at least once in the first half of the lead, so that the other half is left for what goes wrong.
    pub fn fault(&self, life: Option<Span>) -> Option<InvalidValue> {
        let life = life.map(Span::as_duration);
        let lead = match (self.when, life) {
            (Lead::Before(span), _) if span.as_seconds() == 0 => {
                return Some(InvalidValue::new("lead", span.to_string(), "more than 0s"));
            }
            (Lead::Before(span), None) => Some(span.as_duration()),
            (when, Some(life)) => Some(when.within(life)),
            (Lead::Used(_), None) => None,
        };
        let (lead, window) = lead.zip(self.window.as_ref())?;
        let gap = window.longest_gap();
        let accepted =
            format!("a lead of at least {} hours, twice the longest time between two openings", hours(gap * 2));
        (lead < gap * 2).then(|| InvalidValue::new("window", format!("a lead of {} hours", hours(lead)), accepted))
    }
}

fn hours(span: Duration) -> i64 {
    (span.whole_seconds() + 3_599) / 3_600
}

impl AutoRenewal {
    /// A span before the end, at any time of the week.
    pub fn before(span: Span) -> Self {
        Self::On(RenewalSetting::new(Lead::Before(span)))
    }

    /// What is wrong with it; see [`RenewalSetting::fault`].
    pub fn fault(&self, life: Option<Span>) -> Option<InvalidValue> {
        match self {
            Self::Off => None,
            Self::On(setting) => setting.fault(life),
        }
    }

    /// The setting, unless it is off.
    pub fn setting(&self) -> Option<&RenewalSetting> {
        match self {
            Self::Off => None,
            Self::On(setting) => Some(setting),
        }
    }
}

impl Lead {
    /// How long before the end of a life that is: as asked, but never so long that a certificate would be renewed on its
    /// first day, or in the first half of a life of less than two days.
    pub fn within(self, life: Duration) -> Duration {
        let asked = match self {
            Self::Before(span) => span.as_duration(),
            Self::Used(fraction) => fraction.rest_of(life),
        };
        asked.min(life - Duration::DAY.min(life / 2))
    }
}

impl FromStr for Lead {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let refused = || InvalidValue::new("lead", text, ACCEPTED);
        match text.split_once('/') {
            Some((part, whole)) => {
                let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
                let numbers = (digits(part) && digits(whole)).then(|| part.parse().ok().zip(whole.parse().ok()));
                let (part, whole) = numbers.flatten().ok_or_else(refused)?;
                Fraction::new(part, whole).map(Self::Used)
            }
            None => text.parse().map(Self::Before).map_err(|_| refused()),
        }
    }
}

impl TryFrom<String> for Lead {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl From<Lead> for String {
    fn from(lead: Lead) -> Self {
        lead.to_string()
    }
}

impl fmt::Display for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before(span) => span.fmt(f),
            Self::Used(Fraction { part, whole }) => write!(f, "{part}/{whole}"),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LongForm {
    when: Lead,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window: Option<RenewalWindow>,
}

impl Serialize for AutoRenewal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_str("off"),
            Self::On(setting) => setting.serialize(serializer),
        }
    }
}

impl Serialize for RenewalSetting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.window {
            None => self.when.serialize(serializer),
            Some(_) => LongForm { when: self.when, window: self.window.clone() }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for AutoRenewal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for RenewalSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match AutoRenewal::deserialize(deserializer)? {
            AutoRenewal::On(setting) => Ok(setting),
            AutoRenewal::Off => Err(de::Error::custom(InvalidValue::new("lead", "off", ACCEPTED))),
        }
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = AutoRenewal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`off`, a lead such as `30d` or `2/3`, or `when` and `window`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<AutoRenewal, E> {
        match text {
            "off" => Ok(AutoRenewal::Off),
            text => text.parse().map(RenewalSetting::new).map(AutoRenewal::On).map_err(E::custom),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AutoRenewal, A::Error> {
        let LongForm { when, window } = LongForm::deserialize(MapAccessDeserializer::new(map))?;
        Ok(AutoRenewal::On(RenewalSetting { when, window }))
    }
}

/// How many renewals below an issuer automatic renewal may do. What it leaves undone is done later, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RenewalBudget {
    /// In one minute, over all workers; `None` without limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<u32>,
    /// At the same time, over all workers; `None` without limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<u16>,
}

impl RenewalBudget {
    /// Whether it bounds nothing.
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }

    /// Every bound that would let nothing through, with its path.
    pub fn faults(&self) -> Vec<(String, InvalidValue)> {
        let bounds = [("per_minute", self.per_minute), ("concurrent", self.concurrent.map(u32::from))];
        let none = bounds.into_iter().filter(|(_, bound)| *bound == Some(0));
        none.map(|(name, _)| (format!("renewals.{name}"), InvalidValue::new("number", "0", "at least 1"))).collect()
    }
}
