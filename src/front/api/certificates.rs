//! Asking for certificates, trying what would come of it, and finding them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::answer::{Answer, Done, PageView, Text};
use super::call::{Asking, At, Call, Json, Nothing, With};
use super::endpoint::{Endpoint, delete, get, post, put};
use super::spelling;
use super::wire::{CertificateView, DetailsAnswer, DryRunAnswer, IssueAnswer, IssueRequest, Moment, Pair, tags};
use crate::domain::{
    Action, ApplicationId, CertificateId, CertificateStatus, Enrollment, IssuerId, Metadata, ProfileId, Verdict,
};
use crate::engine::{CertificateQuery, NameQuery, Outcome, PageToken, Root};
use crate::front::{Code, Fault, Problem};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        post(("/certificates", "issueCertificate"), Action::CertificatesCreate, issue)
            .says("Asks for a certificate, on a key that is made here or by certificate request.")
            .repeatable(),
        post(("/certificates/dry-run", "dryRun"), Action::CertificatesCreate, dry_run)
            .says("Says what would come of a request, and does nothing."),
        post(("/certificates/explain", "explain"), Action::CertificatesCreate, explain)
            .says("Says the same for people."),
        get(("/certificates", "listCertificates"), Action::CertificatesList, list)
            .says("Lists certificates of an Application, or of all for product administrators."),
        post(("/certificates/search", "searchCertificates"), Action::CertificatesList, search)
            .says("Finds certificates as the list does, by a body."),
        get(("/certificates/{certificateId}", "getCertificate"), Action::CertificatesRead, details)
            .says("Gives a certificate in full."),
        put(("/certificates/{certificateId}/metadata", "setMetadata"), Action::CertificatesEdit, tag)
            .says("Replaces a certificate's tags."),
        delete(("/certificates/{certificateId}", "deleteCertificate"), Action::CertificatesDelete, remove)
            .says("Deletes an expired or imported certificate, and its key, from the inventory."),
    ]
}

/// Whether an answer's chain ends with its root.
pub(super) fn root(remove_roots: bool) -> Root {
    if remove_roots { Root::Exclude } else { Root::Include }
}

/// A refusal with the fields as the client wrote them.
pub(super) fn refusal(violations: &[crate::domain::Violation]) -> Problem {
    Problem::refused(violations).spelled(spelling::request)
}

async fn asked<P>(
    call: Call<P, Nothing, Json<IssueRequest>>,
) -> Result<(Call<P, Nothing, ()>, Enrollment, Root), Problem> {
    let Call { engine, session, limits, path, query, body: Json(request), idempotency_key } = call;
    let root = root(request.remove_roots_from_chain);
    let application = match request.application_id {
        Some(id) => id,
        None => session.application_for(request.profile_id).await?,
    };
    let mut enrollment = request.enrollment(application)?;
    enrollment.idempotency_key.clone_from(&idempotency_key);
    Ok((Call { engine, session, limits, path, query, body: (), idempotency_key }, enrollment, root))
}

async fn issue(call: With<(), IssueRequest>) -> Result<Answer<IssueAnswer>, Problem> {
    let (call, enrollment, root) = asked(call).await?;
    match call.session.submit(&enrollment).await? {
        Outcome::Issued(issued) => Ok(Answer::new(IssueAnswer::issued(*issued, root))),
        Outcome::Pending(pending) => Ok(Answer::for_now(IssueAnswer::pending(pending), pending.retry_after)),
        Outcome::Refused(refused) => Err(refusal(&refused.violations)),
    }
}

async fn dry_run(call: With<(), IssueRequest>) -> Result<Answer<DryRunAnswer>, Problem> {
    let (call, enrollment, _) = asked(call).await?;
    Ok(Answer::new(match call.session.dry_run(&enrollment).await? {
        Ok(draft) => DryRunAnswer::permitted(&draft, Verdict::default().explain()),
        Err(refused) => {
            let explanation = refused.to_string();
            DryRunAnswer::refused(refusal(&refused.violations).violations, explanation)
        }
    }))
}

async fn explain(call: With<(), IssueRequest>) -> Result<Text, Problem> {
    let (call, enrollment, _) = asked(call).await?;
    let judged = call.session.dry_run(&enrollment).await?;
    Ok(Text(judged.map_or_else(|refused| refused.to_string(), |_| Verdict::default().explain())))
}

/// Which certificates to find; everything given must hold.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Filter {
    /// Those of one Application. Only product administrators may leave it out.
    application_id: Option<ApplicationId>,
    /// Those issued under one profile.
    profile_id: Option<ProfileId>,
    /// Those of one issuer.
    ca_id: Option<IssuerId>,
    /// Those that look so now.
    status: Option<CertificateStatus>,
    /// Those with exactly this name, as a subject alternative name or common name.
    name: Option<String>,
    /// Those for this domain and everything under it. Excludes `name`.
    domain: Option<String>,
    /// Those that end at or after this instant.
    not_after_from: Option<Moment>,
    /// Those that end before this instant.
    not_after_to: Option<Moment>,
    /// Those with a tag of this key; `metadataValue` says which.
    metadata_key: Option<String>,
    /// The tag's value.
    metadata_value: Option<String>,
    /// How many; at most what the server gives.
    limit: Option<usize>,
    /// The `next` of the page before.
    after: Option<String>,
}

impl Filter {
    fn query(self, page_size: usize) -> Result<CertificateQuery, Problem> {
        let refused = |field: &str, said: &str| {
            Err(Problem::new(Code::InvalidRequest, said).with([Fault::said(field, "conflict", said)]))
        };
        let name = match (self.name, self.domain) {
            (Some(_), Some(_)) => return refused("domain", "`name` and `domain` exclude each other"),
            (Some(name), None) => Some(NameQuery::Exact(name)),
            (None, domain) => domain.map(NameQuery::Under),
        };
        let tag = match (self.metadata_key, self.metadata_value) {
            (Some(key), Some(value)) => Some((key, value)),
            (None, None) => None,
            _ => return refused("metadataKey", "`metadataKey` and `metadataValue` belong together"),
        };
        Ok(CertificateQuery {
            application: self.application_id,
            profile: self.profile_id,
            issuer: self.ca_id,
            status: self.status,
            name,
            ends_from: self.not_after_from.map(|moment| moment.0),
            ends_before: self.not_after_to.map(|moment| moment.0),
            tag,
            page_size,
        })
    }
}

async fn list(call: Asking<(), Filter>) -> Result<Answer<PageView<CertificateView>>, Problem> {
    let size = call.page_size(call.query.limit)?;
    let Call { engine, session, query, .. } = call;
    let after = query.after.as_deref().map(PageToken::new);
    let page = session.certificates(&query.query(size)?, after.as_ref()).await?;
    Ok(Answer::new(PageView::of(page, |record| CertificateView::of(&record, engine.now()))))
}

async fn search(call: With<(), Filter>) -> Result<Answer<PageView<CertificateView>>, Problem> {
    let Call { engine, session, limits, path, body: Json(query), idempotency_key, .. } = call;
    list(Call { engine, session, limits, path, query, body: (), idempotency_key }).await
}

async fn details(call: At<(CertificateId,)>) -> Result<Answer<DetailsAnswer>, Problem> {
    let record = call.session.certificate(call.path.0).await?;
    let parsed = record.certificate().map_err(crate::engine::Error::from)?;
    Ok(Answer::new(DetailsAnswer { certificate: CertificateView::of(&record, call.engine.now()).with(&parsed) }))
}

/// Tags in place of those that are there.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MetadataBody {
    /// The tags, at most 32.
    metadata: Vec<Pair>,
}

async fn tag(call: With<(CertificateId,), MetadataBody>) -> Result<Answer<DetailsAnswer>, Problem> {
    let tags = tags(call.body.0.metadata).map_err(|fault| Problem::invalid(vec![fault]))?;
    let faults = Metadata::faults(&tags);
    if !faults.is_empty() {
        return Err(Problem::invalid(faults.into_iter().map(|fault| ("metadata".to_owned(), fault)).collect()));
    }
    let metadata = Metadata::try_from(tags).map_err(|error| Problem::value("metadata", error))?;
    let record = call.session.tag_certificate(call.path.0, metadata).await?;
    Ok(Answer::new(DetailsAnswer { certificate: CertificateView::of(&record, call.engine.now()) }))
}

async fn remove(call: At<(CertificateId,)>) -> Result<Done, Problem> {
    call.session.delete_certificate(call.path.0).await?;
    Ok(Done)
}
