//! One lineage at one target: what is wanted there, what is there, and what happens next. Pure transitions.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{RemoteName, RemoteRef};
use crate::domain::{ApplicationId, CertificateId, Slug, SyncId};

/// One lineage at one target.
///
/// Whatever is, or may be, at the target stands in `places`: a name is put there before the target is first asked, and
/// leaves only when the target was seen without it. So nothing is ever forgotten there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// The sync.
    pub sync: SyncId,
    /// The first certificate of the lineage.
    pub lineage: CertificateId,
    /// The Application of both.
    pub application: ApplicationId,
    /// The target.
    pub target: Slug,
    /// The certificate that should be there; `None` if nothing should.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<CertificateId>,
    /// What is or may be there, in the order in which it came. The last is where the wanted certificate belongs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Placed>,
    /// How far it is.
    #[serde(flatten)]
    pub state: DeploymentState,
}

/// A certificate that is or may be at a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// Where.
    pub remote: RemoteRef,
    /// The certificate that was last sent there.
    pub certificate: CertificateId,
    /// Whether it was seen there since.
    #[serde(default)]
    pub seen: bool,
}

/// How far a deployment is. The last state, withdrawn, is the absence of the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeploymentState {
    /// What is wanted is to be delivered.
    Waiting {
        /// How often it was tried.
        attempts: u32,
        /// When it is tried next.
        #[serde(with = "time::serde::rfc3339")]
        retry_at: OffsetDateTime,
    },
    /// What is wanted is there: it was delivered, and seen there afterwards.
    Deployed {
        /// The certificate.
        certificate: CertificateId,
        /// SHA-256 over its DER, as it was seen there, 64 digits of lower-case hex.
        fingerprint: String,
        /// When it was delivered.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
        /// When it is looked at next.
        #[serde(with = "time::serde::rfc3339")]
        check_at: OffsetDateTime,
    },
    /// The last attempt failed; it is tried again.
    Failing {
        /// How often it was tried.
        attempts: u32,
        /// When it is tried next.
        #[serde(with = "time::serde::rfc3339")]
        retry_at: OffsetDateTime,
        /// What went wrong.
        reason: String,
    },
    /// What is there is to go.
    Withdrawing {
        /// How often it was tried.
        attempts: u32,
        /// When it is tried next.
        #[serde(with = "time::serde::rfc3339")]
        retry_at: OffsetDateTime,
        /// What went wrong the last time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// It can not go on until something is changed.
    Parked {
        /// Why.
        reason: String,
        /// When it is looked at again by itself: once what is there has expired.
        #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
        wake_at: Option<OffsetDateTime>,
    },
}

impl DeploymentState {
    /// The name of the state.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Deployed { .. } => "deployed",
            Self::Failing { .. } => "failing",
            Self::Withdrawing { .. } => "withdrawing",
            Self::Parked { .. } => "parked",
        }
    }
}

/// What should become of a lineage at a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// This certificate should be there.
    Have(CertificateId),
    /// Nothing should be there.
    Withdraw,
    /// What is there stays, and is looked after no more, though it is not valid.
    Leave,
    /// What is there stays, and is nobody's.
    GiveUp,
}

/// The wait after the first failure; it doubles with each further one.
const FIRST_RETRY: Duration = Duration::seconds(5);
/// The longest wait.
const LONGEST_RETRY: Duration = Duration::hours(1);

/// The wait after the failure of attempt `attempts`: 5 seconds after the first, then twice as long each time, an hour at
/// most; `random` takes off up to a quarter, so that what failed together is not tried together.
pub fn back_off(attempts: u32, random: u8) -> Duration {
    let doubled = FIRST_RETRY * 2_i32.pow(attempts.saturating_sub(1).min(10));
    let full = doubled.min(LONGEST_RETRY);
    full - full * i32::from(random) / 1024
}

impl Deployment {
    /// When it is due; `None` if it waits for people.
    pub fn due(&self) -> Option<OffsetDateTime> {
        match &self.state {
            DeploymentState::Waiting { retry_at, .. }
            | DeploymentState::Failing { retry_at, .. }
            | DeploymentState::Withdrawing { retry_at, .. } => Some(*retry_at),
            DeploymentState::Deployed { check_at, .. } => Some(*check_at),
            DeploymentState::Parked { wake_at, .. } => *wake_at,
        }
    }

    /// How often the present step was tried.
    pub fn attempts(&self) -> u32 {
        match &self.state {
            DeploymentState::Waiting { attempts, .. }
            | DeploymentState::Failing { attempts, .. }
            | DeploymentState::Withdrawing { attempts, .. } => *attempts,
            DeploymentState::Deployed { .. } | DeploymentState::Parked { .. } => 0,
        }
    }

    /// Whether nothing is wanted and nothing is there: the record may go.
    pub fn is_over(&self) -> bool {
        self.wanted.is_none() && self.places.is_empty()
    }

    /// Takes over what should become of it. The same wish again changes nothing, but that
    /// what is wanted and parked is tried again.
    pub fn wish(mut self, wish: Wish, now: OffsetDateTime) -> Self {
        match wish {
            Wish::Have(certificate) if self.wanted == Some(certificate) => {
                if matches!(self.state, DeploymentState::Parked { .. }) {
                    return self.wake(now);
                }
            }
            Wish::Have(certificate) => {
                self.wanted = Some(certificate);
                self.state = DeploymentState::Waiting { attempts: 0, retry_at: now };
            }
            Wish::Withdraw if self.wanted.is_none() => {}
            Wish::Withdraw => {
                self.wanted = None;
                self.state = DeploymentState::Withdrawing { attempts: 0, retry_at: now, reason: None };
            }
            Wish::Leave if self.places.is_empty() => self.wanted = None,
            Wish::Leave => {
                let reason = "it is not valid any more, and stays there as the sync says".to_owned();
                self.state = DeploymentState::Parked { reason, wake_at: None };
            }
            Wish::GiveUp => {
                self.wanted = None;
                self.places.clear();
            }
        }
        self
    }

    /// Makes it due at once, also if it is parked.
    pub fn wake(mut self, now: OffsetDateTime) -> Self {
        match &mut self.state {
            DeploymentState::Deployed { check_at, .. } => *check_at = now,
            _ if self.wanted.is_some() => self.state = DeploymentState::Waiting { attempts: 0, retry_at: now },
            _ => self.state = DeploymentState::Withdrawing { attempts: 0, retry_at: now, reason: None },
        }
        self
    }

    /// Puts it off without counting an attempt.
    pub fn put_off(mut self, until: OffsetDateTime) -> Self {
        match &mut self.state {
            DeploymentState::Waiting { retry_at, .. }
            | DeploymentState::Failing { retry_at, .. }
            | DeploymentState::Withdrawing { retry_at, .. } => *retry_at = until,
            DeploymentState::Deployed { check_at, .. } => *check_at = until,
            DeploymentState::Parked { wake_at, .. } => *wake_at = Some(until),
        }
        self
    }

    /// Begins an attempt: counts it, and puts the next off, which is the claim on this one.
    pub fn begin(self, until: OffsetDateTime) -> Self {
        let mut begun = self.put_off(until);
        match &mut begun.state {
            DeploymentState::Waiting { attempts, .. }
            | DeploymentState::Failing { attempts, .. }
            | DeploymentState::Withdrawing { attempts, .. } => *attempts = attempts.saturating_add(1),
            DeploymentState::Deployed { .. } | DeploymentState::Parked { .. } => {}
        }
        begun
    }

    /// Records that `certificate` is about to be sent to `name`, before it is.
    pub fn head_for(mut self, name: RemoteName, certificate: CertificateId) -> Self {
        let known = self.places.iter().position(|place| place.remote.name == name);
        let place = match known.map(|at| self.places.remove(at)) {
            Some(place) if place.certificate == certificate => place,
            Some(place) => Placed { certificate, seen: false, ..place },
            None => Placed { remote: RemoteRef::named(name), certificate, seen: false },
        };
        self.places.push(place);
        self
    }

    /// The place of the wanted certificate, once it was headed for.
    pub fn place(&self) -> Option<&Placed> {
        self.wanted.and(self.places.last())
    }

    /// A place that is to be cleared: all of them if nothing is wanted, else all but the last.
    pub fn leftover(&self) -> Option<&Placed> {
        match self.wanted {
            Some(_) => self.places.split_last().and_then(|(_, earlier)| earlier.first()),
            None => self.places.first(),
        }
    }

    /// Records where the target says that the wanted certificate is, and that it was seen there.
    pub fn seen_at(mut self, remote: RemoteRef) -> Self {
        if let Some(place) = self.places.last_mut() {
            place.seen = true;
            // The name is ours to give: it is what the claim is on.
            place.remote.id = remote.id.or(place.remote.id.take());
        }
        self
    }

    /// The wanted certificate was seen in its place.
    pub fn deployed(mut self, fingerprint: String, now: OffsetDateTime, check_at: OffsetDateTime) -> Self {
        let Some(certificate) = self.wanted else { return self };
        let at = match self.state {
            DeploymentState::Deployed { certificate: before, at, .. } if before == certificate => at,
            _ => now,
        };
        self.state = DeploymentState::Deployed { certificate, fingerprint, at, check_at };
        self
    }

    /// The target was seen without `name`.
    pub fn gone(mut self, name: &RemoteName) -> Self {
        self.places.retain(|place| place.remote.name != *name);
        self
    }

    /// The attempt failed, and is worth another.
    pub fn failed(mut self, reason: String, retry_at: OffsetDateTime) -> Self {
        let attempts = self.attempts().max(1);
        self.state = match self.wanted {
            Some(_) => DeploymentState::Failing { attempts, retry_at, reason },
            None => DeploymentState::Withdrawing { attempts, retry_at, reason: Some(reason) },
        };
        self
    }

    /// The attempt failed, and another would, too.
    pub fn parked(mut self, reason: String, wake_at: Option<OffsetDateTime>) -> Self {
        self.state = DeploymentState::Parked { reason, wake_at };
        self
    }
}

#[cfg(test)]
#[path = "deployment_tests.rs"]
mod tests;
