//! Syncs and their deployments.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Moment, Pair, tags};
use crate::domain::{
    ApplicationId, CertificateId, Deployment, DeploymentState, Fate, NameTemplate, OnRenewal, ProfileId, Removal,
    RootInChain, Selection, Slug, SyncId, SyncMode, SyncRecord, SyncSpec, SyncState,
};
use crate::engine::{SyncHealth, SyncStatus};
use crate::front::Problem;

/// A sync: which certificates of an Application go to which destination, and under which name.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::front::api) struct SyncBody {
    /// The Application whose certificates it delivers.
    pub(in crate::front::api) application_id: ApplicationId,
    /// The name, unique in its Application.
    name: Slug,
    /// What it is.
    #[serde(default)]
    description: String,
    /// The name under which the host handed the target over. It can not be changed.
    destination: Slug,
    /// Which certificates.
    filters: FiltersBody,
    /// What they are called there.
    #[serde(default = "NameTemplate::lineage")]
    certificate_name_schema: NameTemplate,
    /// What a renewed certificate is called.
    #[serde(default)]
    on_renewal: OnRenewal,
    /// What is removed when.
    #[serde(default)]
    remove: RemovalBody,
    /// Whether the chain is delivered with its root.
    #[serde(default)]
    include_root_ca: bool,
    /// Whether it works.
    #[serde(default = "yes")]
    is_auto_sync_enabled: bool,
}

fn yes() -> bool {
    true
}

/// Which certificates: of the kinds of criteria that are given, each must match.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct FiltersBody {
    /// Exactly these.
    certificate_ids: Vec<CertificateId>,
    /// These lineages, each by its first certificate.
    certificate_order_ids: Vec<CertificateId>,
    /// Those issued under one of these profiles.
    profile_ids: Vec<ProfileId>,
    /// Those with all of these tags.
    metadata: Vec<Pair>,
    /// None of these lineages.
    except_order_ids: Vec<CertificateId>,
}

/// What is removed when.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct RemovalBody {
    /// When it is revoked.
    revocation: Fate,
    /// When it expires.
    expiry: Fate,
    /// When the sync is not about it any more.
    detach: Fate,
}

impl Default for RemovalBody {
    fn default() -> Self {
        let Removal { revocation, expiry, detach } = Removal::default();
        Self { revocation, expiry, detach }
    }
}

impl SyncBody {
    /// The sync as the engine takes it.
    pub(in crate::front::api) fn spec(self) -> Result<SyncSpec, Problem> {
        let FiltersBody { certificate_ids, certificate_order_ids, profile_ids, metadata, except_order_ids } =
            self.filters;
        let within = |(field, error)| Problem::invalid(vec![(format!("filters.{field}"), error)]);
        let select = Selection {
            certificates: certificate_ids,
            lineages: certificate_order_ids,
            profiles: profile_ids,
            tags: tags(metadata).map_err(within)?,
            except: except_order_ids,
        };
        let RemovalBody { revocation, expiry, detach } = self.remove;
        Ok(SyncSpec {
            name: self.name,
            description: self.description,
            target: self.destination,
            select,
            name_template: self.certificate_name_schema,
            on_renewal: self.on_renewal,
            remove: Removal { revocation, expiry, detach },
            root: if self.include_root_ca { RootInChain::Include } else { RootInChain::Exclude },
            mode: if self.is_auto_sync_enabled { SyncMode::Enabled } else { SyncMode::Paused },
        })
    }
}

/// The field of a sync as its client wrote it.
pub(in crate::front::api) fn field(field: &str) -> String {
    let renamed = [
        ("select.certificates", "filters.certificateIds"),
        ("select.lineages", "filters.certificateOrderIds"),
        ("select.profiles", "filters.profileIds"),
        ("select.tags", "filters.metadata"),
        ("select.except", "filters.exceptOrderIds"),
        ("select", "filters"),
        ("name_template", "certificateNameSchema"),
    ];
    let found = renamed.iter().find(|(engine, _)| *engine == field);
    found.map_or_else(|| super::super::spelling::camel(field), |(_, client)| (*client).to_owned())
}

/// A sync as it is kept.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct SyncView {
    /// Its id.
    id: SyncId,
    /// The Application whose certificates it delivers.
    application_id: ApplicationId,
    /// The name.
    name: Slug,
    /// What it is.
    description: String,
    /// The name of the target.
    destination: Slug,
    /// Which certificates.
    filters: FiltersBody,
    /// What they are called there.
    certificate_name_schema: NameTemplate,
    /// What a renewed certificate is called.
    on_renewal: OnRenewal,
    /// What is removed when.
    remove: RemovalBody,
    /// Whether the chain is delivered with its root.
    include_root_ca: bool,
    /// Whether it works.
    is_auto_sync_enabled: bool,
    /// Whether it was deleted, and goes on until nothing of it is left.
    is_deleted: bool,
    /// `running`, `succeeded` or `failed`: as its worst deployment does; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    sync_status: Option<&'static str>,
    /// How many deployments there are in each state; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    deployments: Option<CountsView>,
    /// When it was made.
    created_at: Moment,
    /// When it was last changed.
    updated_at: Moment,
}

/// How many deployments there are in each state; 1000 stands for a thousand or more.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CountsView {
    waiting: usize,
    deployed: usize,
    failing: usize,
    withdrawing: usize,
    parked: usize,
}

impl From<SyncRecord> for SyncView {
    fn from(record: SyncRecord) -> Self {
        let SyncSpec { name, description, target, select, name_template, on_renewal, remove, root, mode } = record.spec;
        let Selection { certificates, lineages, profiles, tags, except } = select;
        let Removal { revocation, expiry, detach } = remove;
        let filters = FiltersBody {
            certificate_ids: certificates,
            certificate_order_ids: lineages,
            profile_ids: profiles,
            metadata: tags.into_iter().map(|(key, value)| Pair { key, value }).collect(),
            except_order_ids: except,
        };
        Self {
            id: record.id,
            application_id: record.application,
            name,
            description,
            destination: target,
            filters,
            certificate_name_schema: name_template,
            on_renewal,
            remove: RemovalBody { revocation, expiry, detach },
            include_root_ca: root == RootInChain::Include,
            is_auto_sync_enabled: mode == SyncMode::Enabled,
            is_deleted: record.state == SyncState::Deleted,
            sync_status: None,
            deployments: None,
            created_at: record.created_at.into(),
            updated_at: record.updated_at.into(),
        }
    }
}

impl From<SyncStatus> for SyncView {
    fn from(status: SyncStatus) -> Self {
        let counts = status.deployments;
        let deployments = CountsView {
            waiting: counts.waiting,
            deployed: counts.deployed,
            failing: counts.failing,
            withdrawing: counts.withdrawing,
            parked: counts.parked,
        };
        let sync_status = match status.health {
            SyncHealth::Running => "running",
            SyncHealth::Succeeded => "succeeded",
            SyncHealth::Failed => "failed",
        };
        Self { sync_status: Some(sync_status), deployments: Some(deployments), ..status.sync.into() }
    }
}

/// One lineage at a sync's target.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct DeploymentView {
    /// The first certificate of the lineage.
    order_id: CertificateId,
    /// The certificate that should be there.
    certificate_id: Option<CertificateId>,
    /// `waiting`, `deployed`, `failing`, `withdrawing` or `parked`.
    state: &'static str,
    /// What it is called there, the latest last.
    external_identifiers: Vec<String>,
    /// How often it was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    /// When it was delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_synced_at: Option<Moment>,
    /// When something is done next.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<Moment>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl From<Deployment> for DeploymentView {
    fn from(deployment: Deployment) -> Self {
        let view = Self {
            order_id: deployment.lineage,
            certificate_id: deployment.wanted,
            state: deployment.state.as_str(),
            external_identifiers: deployment.places.iter().map(|place| place.remote.to_string()).collect(),
            attempts: None,
            last_synced_at: None,
            due_at: None,
            message: None,
        };
        let due = |at: time::OffsetDateTime| Some(Moment(at));
        match deployment.state {
            DeploymentState::Waiting { attempts, retry_at } => {
                Self { attempts: Some(attempts), due_at: due(retry_at), ..view }
            }
            DeploymentState::Deployed { at, check_at, .. } => {
                Self { last_synced_at: due(at), due_at: due(check_at), ..view }
            }
            DeploymentState::Failing { attempts, retry_at, reason } => {
                Self { attempts: Some(attempts), due_at: due(retry_at), message: Some(reason), ..view }
            }
            DeploymentState::Withdrawing { attempts, retry_at, reason } => {
                Self { attempts: Some(attempts), due_at: due(retry_at), message: reason, ..view }
            }
            DeploymentState::Parked { reason, wake_at } => {
                Self { due_at: wake_at.map(Moment), message: Some(reason), ..view }
            }
        }
    }
}
