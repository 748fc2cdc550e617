//! The renewal of a lineage: one document, and so one renewal at a time.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{AutoRenewal, Life};
use crate::domain::{ApplicationId, CertificateId, CertificateRecord, IssuerId, PolicyId, ProfileId, RequestId};

/// What is known of the renewal of a lineage. There is one for each lineage that renews by itself, or was ever renewed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewalPlan {
    /// The lineage: the id of its first certificate.
    pub lineage: CertificateId,
    /// The lineage's newest certificate, which this is about and no other.
    pub certificate: CertificateId,
    /// Its Application.
    pub application: ApplicationId,
    /// Its profile.
    pub profile: ProfileId,
    /// Its issuer; `None` if it is self-signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<IssuerId>,
    /// From when it could be used.
    #[serde(with = "time::serde::rfc3339")]
    pub begins_at: OffsetDateTime,
    /// Its notAfter.
    #[serde(with = "time::serde::rfc3339")]
    pub ends_at: OffsetDateTime,
    /// What was set for this lineage alone; wins over attachment and profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<AutoRenewal>,
    /// Drawn once for each certificate: where in its band it renews.
    pub spread: u64,
    /// Whether others wait for it.
    #[serde(default)]
    pub urgency: Urgency,
    /// The last reason that an event told of, so that the same is not told again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<String>,
    /// The last request for a successor that was to wait for people. While it waits nobody else asks for one; what renews by itself
    /// goes on, and makes it void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<RequestId>,
    /// Where it stands.
    pub state: RenewalState,
}

/// In which order due renewals are done; within one, the certificate that ends first comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// An incident brought it forward.
    Urgent,
    /// Nothing is special.
    #[default]
    Usual,
}

/// Where the renewal of a lineage stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RenewalState {
    /// It will renew by itself.
    Scheduled {
        /// From when on it may.
        #[serde(with = "time::serde::rfc3339")]
        opens_at: OffsetDateTime,
        /// When it will.
        #[serde(with = "time::serde::rfc3339")]
        due_at: OffsetDateTime,
    },
    /// A worker renews it; attempts are counted when they begin.
    Trying {
        /// How often it was tried, this time included.
        attempts: u32,
        /// When another worker takes it up, should this one be gone.
        #[serde(with = "time::serde::rfc3339")]
        due_at: OffsetDateTime,
    },
    /// It failed for a reason that may pass: store or signer did not answer.
    Retrying {
        /// How often it was tried.
        attempts: u32,
        /// When it is tried again.
        #[serde(with = "time::serde::rfc3339")]
        due_at: OffsetDateTime,
        /// What went wrong.
        error: String,
    },
    /// A request for the successor stands, and its signer has been asked.
    Open {
        /// The request.
        request: RequestId,
        /// Since when.
        #[serde(with = "time::serde::rfc3339")]
        since: OffsetDateTime,
        /// How often it was tried before.
        attempts: u32,
    },
    /// It is refused until something is changed, and taken up again as soon as that is.
    Blocked {
        /// Why.
        reason: String,
        /// Each of these, once changed, wakes it.
        on: Vec<BlockedOn>,
    },
    /// It is not tried again before somebody asks for it or sets its renewal anew.
    NeedsPerson {
        /// Why.
        reason: String,
    },
    /// It does not renew by itself.
    Off,
}

/// What a blocked renewal waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockedOn {
    /// The policy.
    Policy(PolicyId),
    /// The profile.
    Profile(ProfileId),
    /// The issuer.
    Issuer(IssuerId),
    /// The Application, with its attachments.
    Application(ApplicationId),
}

impl BlockedOn {
    /// The id of what is waited for.
    pub fn id(&self) -> String {
        match self {
            Self::Policy(id) => id.to_string(),
            Self::Profile(id) => id.to_string(),
            Self::Issuer(id) => id.to_string(),
            Self::Application(id) => id.to_string(),
        }
    }
}

impl RenewalPlan {
    /// A plan for the newest certificate of a lineage, which does not renew by itself yet; `None` if it belongs to no
    /// Application or profile.
    pub fn new(record: &CertificateRecord, spread: u64) -> Option<Self> {
        let (application, (profile, _)) = record.application.zip(record.profile)?;
        let life = Life::of(record);
        Some(Self {
            lineage: record.lineage,
            certificate: record.id,
            application,
            profile,
            issuer: record.issuer,
            begins_at: life.begins_at,
            ends_at: life.ends_at,
            own: None,
            spread,
            urgency: Urgency::Usual,
            told: None,
            asked: None,
            state: RenewalState::Off,
        })
    }

    /// The life of its certificate.
    pub fn life(&self) -> Life {
        Life { begins_at: self.begins_at, ends_at: self.ends_at }
    }

    /// The setting that holds: its own, or else the attachment's, or else the profile's.
    pub fn setting_of<'a>(
        &'a self,
        attachment: Option<&'a AutoRenewal>,
        profile: Option<&'a AutoRenewal>,
    ) -> Option<&'a super::RenewalSetting> {
        self.own.as_ref().or(attachment).or(profile).and_then(AutoRenewal::setting)
    }

    /// Plans it anew under the setting that holds.
    pub fn reschedule(&mut self, setting: Option<&super::RenewalSetting>) {
        self.state = match setting {
            Some(setting) => {
                let super::Schedule { opens_at, due_at } = self.life().schedule(setting, self.spread);
                RenewalState::Scheduled { opens_at, due_at }
            }
            None => RenewalState::Off,
        };
    }

    /// Puts off when due work looks at it, without counting an attempt.
    pub fn put_off(&mut self, until: OffsetDateTime) {
        match &mut self.state {
            RenewalState::Scheduled { due_at, .. }
            | RenewalState::Trying { due_at, .. }
            | RenewalState::Retrying { due_at, .. } => *due_at = until,
            _ => {}
        }
    }

    /// When due work looks at it; `None` while it waits for others.
    pub fn due_at(&self) -> Option<OffsetDateTime> {
        match &self.state {
            RenewalState::Scheduled { due_at, .. }
            | RenewalState::Trying { due_at, .. }
            | RenewalState::Retrying { due_at, .. } => Some(*due_at),
            _ => None,
        }
    }

    /// How often it was tried since it was last planned.
    pub fn attempts(&self) -> u32 {
        match &self.state {
            RenewalState::Trying { attempts, .. }
            | RenewalState::Retrying { attempts, .. }
            | RenewalState::Open { attempts, .. } => *attempts,
            _ => 0,
        }
    }

    /// Whether an event is to tell of a failure for this `reason` at this attempt: the first of its kind, and then each time
    /// that their number has doubled.
    pub fn tells(&mut self, reason: &str, attempts: u32) -> bool {
        let is_new = self.told.as_deref() != Some(reason);
        if is_new {
            self.told = Some(reason.to_owned());
        }
        is_new || attempts.is_power_of_two() && attempts > 1
    }
}
