//! The trail of the whole product: its events, and whether they are as they were sealed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer::{Answer, PageView};
use super::call::{Asking, At, Call, Json, Paging, With};
use super::endpoint::{Endpoint, Needs, get, post};
use super::wire::EventView;
use crate::domain::{AuditFault, AuditHead, AuditReport};
use crate::front::Problem;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(("/events", "listAllEvents"), Needs::Product, events)
            .says("Lists the events of the whole product, the latest first."),
        get(("/audit/head", "getAuditHead"), Needs::Product, head)
            .says("Gives the last block of the audit chain, to be kept where who can write the store can not."),
        post(("/audit/verify", "verifyAudit"), Needs::Product, verify).says(
            "Walks the audit chain and tells whatever was changed, removed, added or reordered. Reads all of it.",
        ),
    ]
}

async fn events(call: Asking<(), Paging>) -> Result<Answer<PageView<EventView>>, Problem> {
    let page = call.session.all_events(call.query.token().as_ref()).await?;
    Ok(Answer::new(PageView::of(page, Into::into)))
}

/// A block of the audit chain.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HeadBody {
    /// Its number, from 1.
    number: u64,
    /// Its hash, 64 digits of lower-case hex.
    hash: String,
}

impl From<AuditHead> for HeadBody {
    fn from(head: AuditHead) -> Self {
        Self { number: head.number, hash: head.hash }
    }
}

/// The end of the audit chain.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct HeadAnswer {
    /// The last block; `null` before the first.
    head: Option<HeadBody>,
}

async fn head(call: At<()>) -> Result<Answer<HeadAnswer>, Problem> {
    Ok(Answer::new(HeadAnswer { head: call.session.audit_head().await?.map(Into::into) }))
}

/// Which part of the audit chain is walked, and what is known of it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VerifyBody {
    /// From which block on; all of it if absent.
    #[serde(default = "first")]
    from: u64,
    /// A head that was kept elsewhere: with it a chain is found out that was cut short or written anew.
    #[serde(default)]
    known: Option<HeadBody>,
}

fn first() -> u64 {
    1
}

/// What a walk along the audit chain found.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ReportAnswer {
    /// Whether the trail is as it was sealed.
    is_sound: bool,
    /// How many blocks were looked at.
    blocks: u64,
    /// How many sealed events were looked at.
    events: u64,
    /// How many are known only by their block's digest, since the retention removed them.
    pruned: u64,
    /// The last block.
    head: Option<HeadBody>,
    /// What is wrong, each with its kind as `fault`.
    faults: Vec<Map<String, Value>>,
}

impl From<AuditReport> for ReportAnswer {
    fn from(report: AuditReport) -> Self {
        let is_sound = report.is_sound();
        let AuditReport { blocks, events, pruned, head, faults } = report;
        let faults = faults.iter().filter_map(fields).collect();
        Self { is_sound, blocks, events, pruned, head: head.map(Into::into), faults }
    }
}

fn fields(fault: &AuditFault) -> Option<Map<String, Value>> {
    serde_json::to_value(fault).ok()?.as_object().cloned()
}

async fn verify(call: With<(), VerifyBody>) -> Result<Answer<ReportAnswer>, Problem> {
    let Call { session, body: Json(VerifyBody { from, known }), .. } = call;
    let known = known.map(|head| AuditHead { number: head.number, hash: head.hash });
    Ok(Answer::new(session.verify_audit(from, known).await?.into()))
}
