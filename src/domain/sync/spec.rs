//! Syncs as people describe them, and as they are kept.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{NameTemplate, Selection, TargetLimits, Withdrawal};
use crate::domain::{ApplicationId, Slug, SyncId};
use crate::x509::InvalidValue;

/// A sync as people describe it: which certificates of an Application go to which target, and under which name.
///
/// ```
/// use chancery::domain::SyncSpec;
/// let spec: SyncSpec = serde_json::from_str(r#"{
///     "name": "edge",
///     "target": "edge-directory",
///     "select": { "tags": { "tier": "edge" } },
///     "name_template": "{common_name}-{short_id}"
/// }"#)?;
/// assert!(spec.faults(None).is_empty());
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncSpec {
    /// The name, unique in its Application.
    pub name: Slug,
    /// What it is, at most 1000 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The name under which the host handed the target over. It can not be changed.
    pub target: Slug,
    /// Which certificates.
    pub select: Selection,
    /// What they are called there. A new template is for what is deployed first from now on: what is there keeps its name.
    #[serde(default = "NameTemplate::lineage")]
    pub name_template: NameTemplate,
    /// What a renewed certificate is called.
    #[serde(default)]
    pub on_renewal: OnRenewal,
    /// What is removed when.
    #[serde(default)]
    pub remove: Removal,
    /// Whether the chain is delivered with its root.
    #[serde(default)]
    pub root: RootInChain,
    /// Whether it works.
    #[serde(default)]
    pub mode: SyncMode,
}

impl SyncSpec {
    /// A sync of what `select` is about to `target`, named by lineage and replaced in place on renewal.
    pub fn new(name: Slug, target: Slug, select: Selection) -> Self {
        Self {
            name,
            description: String::new(),
            target,
            select,
            name_template: NameTemplate::lineage(),
            on_renewal: OnRenewal::default(),
            remove: Removal::default(),
            root: RootInChain::default(),
            mode: SyncMode::default(),
        }
    }

    /// Every fault with its path; those that only the target's limits show, too, if they are given.
    pub fn faults(&self, limits: Option<&TargetLimits>) -> Vec<(String, InvalidValue)> {
        let mut faults = self.select.faults();
        if self.description.chars().count() > 1000 {
            let error = InvalidValue::new("description", &self.description, "at most 1000 characters");
            faults.push(("description".into(), error));
        }
        if self.on_renewal == OnRenewal::NewName && !self.name_template.tells_renewals_apart() {
            let accepted = "a template with `{certificate_id}` or `{short_id}`, for each renewal gets a new name";
            let error = InvalidValue::new("name template", self.name_template.as_str(), accepted);
            faults.push(("name_template".into(), error));
        }
        let Some(limits) = limits else { return faults };
        if let Err(error) = self.name_template.check(&limits.names) {
            faults.push(("name_template".into(), error));
        }
        if limits.withdrawal == Withdrawal::Impossible {
            faults.extend(self.removals());
        }
        faults
    }

    fn removals(&self) -> Vec<(String, InvalidValue)> {
        let accepted = "`leave`: nothing can be removed from the target";
        let Removal { revocation, expiry, detach } = self.remove;
        let fates = [("revocation", revocation), ("expiry", expiry), ("detach", detach)];
        let withdraws = fates.into_iter().filter(|(_, fate)| *fate == Fate::Withdraw);
        let fault = |(field, _)| (format!("remove.{field}"), InvalidValue::new("removal", "withdraw", accepted));
        let mut faults: Vec<_> = withdraws.map(fault).collect();
        if self.on_renewal == OnRenewal::NewName {
            let accepted = "`keep_name`: nothing can be removed from the target";
            faults.push(("on_renewal".into(), InvalidValue::new("renewal", "new_name", accepted)));
        }
        faults
    }
}

/// What a renewed certificate is called at the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnRenewal {
    /// As the one before: it takes its place, and whatever refers to it there goes on working.
    #[default]
    KeepName,
    /// By a name of its own; the one before is removed once the new one is there.
    NewName,
}

/// What becomes of a certificate at the target when it is not wanted there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is removed, however long that takes.
    Withdraw,
    /// It stays where it is, and nobody looks after it.
    Leave,
}

/// What is removed when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Removal {
    /// When it is revoked, and no other of its lineage is valid.
    pub revocation: Fate,
    /// When it expires, and no other of its lineage is valid.
    pub expiry: Fate,
    /// When the sync is deleted or is not about it any more, or it is deleted from the inventory.
    pub detach: Fate,
}

impl Removal {
    /// Nothing is ever removed.
    pub const NEVER: Self = Self { revocation: Fate::Leave, expiry: Fate::Leave, detach: Fate::Leave };
    /// Everything is removed that is not wanted any more.
    pub const ALWAYS: Self = Self { revocation: Fate::Withdraw, expiry: Fate::Withdraw, detach: Fate::Withdraw };
}

impl Default for Removal {
    /// What is revoked or detached is removed. What expired stays: a server that does not find its file does not even say
    /// what is wrong.
    fn default() -> Self {
        Self { expiry: Fate::Leave, ..Self::ALWAYS }
    }
}

/// Whether the chain is delivered with its root certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RootInChain {
    /// With the root.
    Include,
    /// Without: relying parties have it.
    #[default]
    Exclude,
}

/// Whether a sync works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncMode {
    /// It does.
    #[default]
    Enabled,
    /// Nothing is delivered or removed until it is enabled again.
    Paused,
}

/// A sync as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncRecord {
    /// Its id.
    pub id: SyncId,
    /// The Application whose certificates it delivers.
    pub application: ApplicationId,
    /// What people asked for.
    pub spec: SyncSpec,
    /// Whether it is there to stay.
    pub state: SyncState,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

impl SyncRecord {
    /// Whether it may act at all: a deleted one goes on until nothing is left at its target, whatever its mode.
    pub fn works(&self) -> bool {
        self.state == SyncState::Deleted || self.spec.mode == SyncMode::Enabled
    }
}

/// Whether a sync is there to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncState {
    /// It is.
    Active,
    /// It was deleted, and is kept until all that it brought is gone from its target.
    Deleted,
}
