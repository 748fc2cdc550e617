//! One request: what is asked, what the rules say of it, who must agree and who has, and the vote.

use maud::{Markup, html};

use super::answer::Answer;
use super::call::{Call, if_allowed};
use super::issued;
use super::layout::{Section, Site};
use super::parts::{self, Tone};
use super::service::{Page, does, shows};
use super::verdict;
use super::words;
use crate::domain::{Approval, ApprovalStep, AskedKey, AskedSource, Decision, RequestId, RequestStatus, Vote};
use crate::engine::{ApprovalRequest, Outcome, RequestSummary};
use crate::front::Problem;

pub(super) fn pages() -> Vec<Page> {
    vec![
        shows("/requests/{id}", show),
        does("/requests/{id}/approve", approve),
        does("/requests/{id}/reject", reject),
        does("/requests/{id}/cancel", cancel),
        does("/requests/{id}/collect", collect),
    ]
}

async fn show(call: Call) -> Result<Answer, Problem> {
    let id = call.id::<RequestId>()?;
    let request = call.session.request_summary(id).await?;
    let decided = if_allowed(call.session.approval_request(id).await)?;
    let refused = refused(&call, &request).await?;
    let site = call.site.clone().within(request.application);
    let application = if_allowed(call.session.application(request.application).await)?;
    let application = application.map_or_else(|| request.application.to_string(), |found| found.name.to_string());
    let named = decided.as_ref().map(|shown| parts::named(&shown.draft.content.subject, &shown.draft.content.sans));
    let title = named.filter(|name| !name.is_empty()).unwrap_or_else(|| request.id.to_string());
    let body = html! {
        p .crumbs { a href=(site.to(&format!("/requests?application={}", request.application))) { "Requests" } }
        div .heading { h1 .name { (title) } (parts::request_badge(request.status)) }
        (outcome(&call, &request, decided.as_ref()))
        @if let Some(refused) = refused { (refused) }
        div .columns {
            div {
                @if let Some(shown) = &decided { (asked(&site, shown)) }
                (facts(&site, &request, &application))
            }
            div {
                @if let Some(shown) = &decided { (judged(shown)) (people(&site, shown)) (vote(&call, shown)) }
            }
        }
    };
    Ok(Answer::page(site.page_of(Section::Requests, &title, &body)))
}

/// Why there will be no certificate. Only of requests that came to nothing: reading others may hand over a key.
async fn refused(call: &Call, request: &RequestSummary) -> Result<Option<Markup>, Problem> {
    let is_settled = matches!(
        request.status,
        RequestStatus::Failed
            | RequestStatus::Rejected
            | RequestStatus::Cancelled
            | RequestStatus::Expired
            | RequestStatus::Voided
    );
    if !is_settled {
        return Ok(None);
    }
    Ok(match call.session.request(request.id).await? {
        Outcome::Refused(refusal) => Some(html! {
            section .notice.bad aria-label="Why there is no certificate" { (verdict::reasons(&refusal.violations)) }
        }),
        _ => None,
    })
}

fn outcome(call: &Call, request: &RequestSummary, decided: Option<&ApprovalRequest>) -> Markup {
    let brings_key = decided.is_some_and(|shown| {
        matches!(shown.approval.ask.source, AskedSource::Csr(_) | AskedSource::Renewal { key: AskedKey::Csr(_), .. })
    });
    let to = |what: &str| call.site.to(&format!("/requests/{}/{what}", request.id));
    let is_own = request.requester == *call.session.actor().principal();
    html! {
        @if let Some(certificate) = request.certificate {
            div .notice.good.doings {
                a .button.primary href=(call.site.to(&format!("/certificates/{certificate}"))) { "To the certificate" }
                @if is_own && !brings_key {
                    form method="post" action=(to("collect")) {
                        (call.site.mark())
                        button type="submit" { "Collect its private key" }
                    }
                    span .quiet { "A key that was made here is handed to you once." }
                }
            }
        }
        @if request.status == RequestStatus::AwaitingApproval && is_own {
            form .doings method="post" action=(to("cancel")) {
                (call.site.mark())
                button type="submit" { "Take the request back" }
            }
        }
    }
}

fn facts(site: &Site, request: &RequestSummary, application: &str) -> Markup {
    html! {
        section .card {
            h2 { "Who asks" }
            (parts::facts(&[
                ("Requester", html! { (request.requester.to_string()) " by " (words::method(request.method)) }),
                ("Application", html! {
                    a href=(site.to(&format!("/applications/{}", request.application))) { (application) }
                }),
                ("Asked", parts::when(site, request.created_at)),
                ("Last changed", parts::when(site, request.updated_at)),
                ("Replaces", html! {
                    @match request.replaces {
                        Some(id) => (parts::certificate_link(site, id)),
                        None => span .quiet { "nothing" },
                    }
                }),
                ("Tags", parts::tags(request.metadata.iter())),
                ("Request", html! { code { (request.id.to_string()) } }),
            ]))
        }
    }
}

fn asked(site: &Site, shown: &ApprovalRequest) -> Markup {
    let key = match &shown.approval.ask.source {
        AskedSource::Managed | AskedSource::Renewal { key: AskedKey::New, .. } => {
            "a new one that is made and kept here"
        }
        AskedSource::Renewal { key: AskedKey::Reused, .. } => "that of the certificate which is replaced",
        AskedSource::Csr(_) | AskedSource::Renewal { key: AskedKey::Csr(_), .. } => {
            "the client's own, by certificate request"
        }
    };
    html! {
        section .card {
            h2 { "What the certificate is to say" }
            (verdict::content(site, &shown.draft.content))
            p { "Its key is " (key) "." }
            p .hint { "A vote is on exactly this. Digest " code { (shown.approval.digest) } }
        }
    }
}

fn judged(shown: &ApprovalRequest) -> Markup {
    html! {
        @if let Some(verdict) = &shown.verdict {
            section .card aria-labelledby="judged" {
                h2 #judged { "What the policy says now" }
                @if verdict.permits() {
                    p { (parts::badge(Tone::Good, "Permitted")) " No rule is broken." }
                } @else {
                    p { (parts::badge(Tone::Bad, "Refused")) " The last vote would make it void." }
                    (verdict::reasons(verdict.violations()))
                }
            }
        }
    }
}

fn people(site: &Site, shown: &ApprovalRequest) -> Markup {
    let approval = &shown.approval;
    let current = approval.current_step().filter(|_| shown.status == RequestStatus::AwaitingApproval);
    html! {
        section .card {
            h2 { "Who must agree" }
            p {
                "Approval policy " strong { (approval.policy.as_str()) } ". "
                @if shown.status == RequestStatus::AwaitingApproval { "To be decided " (words::distance(site.now, approval.expires_at)) "." }
            }
            ol .steps {
                @for (at, step) in approval.steps.iter().enumerate() { (self::step(approval, (at, step), current)) }
            }
            h3 { "Votes" }
            @if approval.votes.is_empty() { (parts::nothing("Nobody has voted yet.")) } @else {
                ul .plain-list { @for vote in &approval.votes { (cast(site, vote)) } }
            }
        }
    }
}

fn step(approval: &Approval, (at, step): (usize, &ApprovalStep), current: Option<usize>) -> Markup {
    let left = approval.still_required(at);
    let approvers: Vec<String> = step.approvers.iter().map(ToString::to_string).collect();
    html! {
        li aria-current=[(current == Some(at)).then_some("step")] {
            strong { (step.name.as_deref().unwrap_or("Approvers")) } " "
            @if left == 0 { (parts::badge(Tone::Good, "complete")) }
            @else if current == Some(at) { (parts::badge(Tone::Waiting, "now")) }
            p .quiet { (step.required) " of " (approvers.join(", ")) @if left > 0 { "; " (left) " still to agree" } }
        }
    }
}

fn cast(site: &Site, vote: &Vote) -> Markup {
    let (tone, word) = match vote.decision {
        Decision::Approve => (Tone::Good, "agreed"),
        Decision::Reject => (Tone::Bad, "voted against it"),
    };
    html! {
        li {
            (parts::badge(tone, word)) " " strong { (vote.voter.to_string()) } " " (parts::when(site, vote.at))
            @if !vote.comment.is_empty() { blockquote { (vote.comment) } }
        }
    }
}

/// The vote. Whether it counts is said when it is cast: only the engine knows.
fn vote(call: &Call, shown: &ApprovalRequest) -> Markup {
    let to = |what: &str| call.site.to(&format!("/requests/{}/{what}", shown.id));
    html! {
        @if shown.status == RequestStatus::AwaitingApproval {
            section .card {
                h2 { "Your vote" }
                p .quiet { "It counts if you are an approver of the present step. One vote against it ends the request." }
                form method="post" action=(to("approve")) {
                    (call.site.mark())
                    input type="hidden" name="digest" value=(shown.approval.digest);
                    div .field {
                        label for="comment" { "Comment" }
                        textarea #comment name="comment" rows="2" maxlength="1000" aria-describedby="comment-hint" {}
                        p #comment-hint .hint { "The requester reads it. Say why, above all if you reject." }
                    }
                    div .actions {
                        button .primary type="submit" { "Approve" }
                        button .danger type="submit" formaction=(to("reject")) { "Reject" }
                    }
                }
            }
        }
    }
}

async fn approve(call: Call) -> Result<Answer, Problem> {
    let id = call.id::<RequestId>()?;
    call.session.approve(id, call.form.text("digest"), call.form.text("comment").trim()).await?;
    Ok(back(&call, id))
}

async fn reject(call: Call) -> Result<Answer, Problem> {
    let id = call.id::<RequestId>()?;
    call.session.reject(id, call.form.text("digest"), call.form.text("comment").trim()).await?;
    Ok(back(&call, id))
}

async fn cancel(call: Call) -> Result<Answer, Problem> {
    let id = call.id::<RequestId>()?;
    call.session.cancel(id).await?;
    Ok(back(&call, id))
}

/// Hands over the key of an issued request, if one is owed or may be read again. Only a form does so: a page that is merely
/// looked at must not spend it.
async fn collect(call: Call) -> Result<Answer, Problem> {
    let id = call.id::<RequestId>()?;
    let outcome = call.session.request(id).await?;
    Ok(issued::answer(&call, outcome).unwrap_or_else(|_| back(&call, id)))
}

fn back(call: &Call, id: RequestId) -> Answer {
    Answer::See(call.site.to(&format!("/requests/{id}")))
}
