//! Who somebody is signed in as, and by what right.

use maud::html;

use super::answer::Answer;
use super::call::Call;
use super::layout::Section;
use super::parts;
use super::service::{Page, shows};
use crate::domain::Scope;
use crate::front::Problem;

pub(super) fn pages() -> Vec<Page> {
    vec![shows("/account", show)]
}

async fn show(call: Call) -> Result<Answer, Problem> {
    let (site, actor) = (&call.site, call.session.actor());
    let groups: Vec<String> = actor.principals().skip(1).map(ToString::to_string).collect();
    let body = html! {
        h1 { "Who you are" }
        section .card {
            (parts::facts(&[
                ("Signed in as", html! { strong { (actor.principal().to_string()) } }),
                ("Groups", html! { @if groups.is_empty() { span .quiet { "none" } } @else { (groups.join(", ")) } }),
                ("Administers the product", html! { @if call.session.administers_product() { "yes" } @else { "no" } }),
                ("Your token ends", html! {
                    @match actor.access() { Some(access) => (parts::when(site, access.ends_at)), None => span .quiet { "never" } }
                }),
                ("It reaches", html! { @match actor.access() { Some(access) => (reach(&access.scope)), None => "all that you may do" } }),
            ]))
            form method="post" action=(site.to("/sign-out")) { (site.mark()) button type="submit" { "Sign out" } }
        }
    };
    Ok(Answer::page(site.page_of(Section::Account, "Who you are", &body)))
}

fn reach(scope: &Scope) -> maud::Markup {
    html! {
        @if scope.is_whole() { "all that you may do" } @else {
            @if let Some(applications) = &scope.applications {
                p { "these Applications:" }
                ul .tags { @for id in applications { li { code { (id.to_string()) } } } }
            }
            @if let Some(actions) = &scope.actions {
                p { "these actions:" }
                ul .tags { @for action in actions { li { code { (action.as_str()) } } } }
            }
        }
    }
}
