//! The frame of every page: head, navigation, landmarks; and pages that tell of problems.

use std::sync::Arc;

use http::StatusCode;
use maud::{DOCTYPE, Markup, html};
use time::OffsetDateTime;

use super::answer::Answer;
use super::assets::VERSION;
use super::cookie::Visitor;
use super::service::Desk;
use super::verdict;
use crate::domain::ApplicationId;
use crate::front::{Code, Problem};

/// A part of the console, as the navigation names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Certificates,
    Requests,
    Syncs,
    Alerts,
    Applications,
    Account,
}

impl Section {
    const ALL: [Self; 5] = [Self::Certificates, Self::Requests, Self::Syncs, Self::Alerts, Self::Applications];

    fn name(self) -> &'static str {
        match self {
            Self::Certificates => "Certificates",
            Self::Requests => "Requests",
            Self::Syncs => "Syncs",
            Self::Alerts => "Alerts",
            Self::Applications => "Applications",
            Self::Account => "Account",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Certificates => "/certificates",
            Self::Requests => "/requests",
            Self::Syncs => "/syncs",
            Self::Alerts => "/alerts",
            Self::Applications => "/applications",
            Self::Account => "/account",
        }
    }
}

/// The console as one visitor sees it.
#[derive(Clone)]
pub(super) struct Site {
    base: Arc<str>,
    pub(super) now: OffsetDateTime,
    visitor: Option<(String, String)>,
    within: Option<ApplicationId>,
}

impl Site {
    pub(super) fn stranger(base: Arc<str>, now: OffsetDateTime) -> Self {
        Self { base, now, visitor: None, within: None }
    }

    pub(super) fn of(desk: &Desk, visitor: &Visitor) -> Self {
        let known = (visitor.actor.principal().to_string(), visitor.mark.clone());
        Self { visitor: Some(known), ..desk.site() }
    }

    /// The same, with a navigation that stays within an Application.
    pub(super) fn within(mut self, application: ApplicationId) -> Self {
        self.within = Some(application);
        self
    }

    /// A place within the console.
    pub(super) fn to(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// What every form holds: that a page of this session sent it.
    pub(super) fn mark(&self) -> Markup {
        let mark = self.visitor.as_ref().map_or("", |(_, mark)| mark);
        html! { input type="hidden" name="mark" value=(mark); }
    }

    /// A whole page that belongs to no section.
    pub(super) fn page(&self, title: &str, body: &Markup) -> Markup {
        self.framed(title, None, body)
    }

    /// A whole page of a section.
    pub(super) fn page_of(&self, section: Section, title: &str, body: &Markup) -> Markup {
        self.framed(title, Some(section), body)
    }

    fn framed(&self, title: &str, section: Option<Section>, body: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) " · Chancery" }
                    link rel="icon" type="image/svg+xml" href=(self.to("/assets/icon.svg"));
                    link rel="stylesheet" href=(self.to(&format!("/assets/console.css?v={VERSION}")));
                    script src=(self.to(&format!("/assets/console.js?v={VERSION}"))) defer {}
                }
                body {
                    a .skip href="#content" { "Skip to content" }
                    (self.header(section))
                    main #content tabindex="-1" { (body) }
                }
            }
        }
    }

    fn header(&self, section: Option<Section>) -> Markup {
        html! {
            header .top {
                div .bar {
                    a .brand href=(self.to("/certificates")) { (seal()) span { "Chancery" } }
                    @if let Some((who, _)) = &self.visitor {
                        (self.navigation(section))
                        div .who {
                            a href=(self.to(Section::Account.path())) aria-current=[current(section, Section::Account)] { (who) }
                            form method="post" action=(self.to("/sign-out")) {
                                (self.mark())
                                button .plain type="submit" { "Sign out" }
                            }
                        }
                    }
                }
            }
        }
    }

    fn navigation(&self, section: Option<Section>) -> Markup {
        html! {
            nav aria-label="Main" {
                ul {
                    @for each in Section::ALL {
                        li {
                            a href=(self.scoped(each)) aria-current=[current(section, each)] { (each.name()) }
                        }
                    }
                }
            }
        }
    }

    fn scoped(&self, section: Section) -> String {
        let path = self.to(section.path());
        match self.within.filter(|_| section != Section::Applications) {
            Some(application) => format!("{path}?application={application}"),
            None => path,
        }
    }
}

fn current(section: Option<Section>, each: Section) -> Option<&'static str> {
    (section == Some(each)).then_some("page")
}

/// A seal: the mark of the console. It says nothing that the word beside it does not.
fn seal() -> Markup {
    html! {
        svg .seal viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" {
            circle cx="12" cy="10" r="7.5" fill="none" stroke="currentColor" stroke-width="2" {}
            path d="M8.8 10.2l2.3 2.3 4.2-4.6" fill="none" stroke="currentColor" stroke-width="2"
                stroke-linecap="round" stroke-linejoin="round" {}
            path d="M8 16.5L6.8 22 12 19.6 17.2 22 16 16.5" fill="none" stroke="currentColor" stroke-width="2"
                stroke-linejoin="round" {}
        }
    }
}

/// A page that tells of a problem: never what goes on inside, always the request's id.
pub(super) fn problem_page(site: &Site, problem: Problem, request_id: &str) -> Answer {
    let (status, title) = (problem.code.status(), title(problem.code));
    let body = html! {
        div .problem {
            p .code { (status.as_u16()) }
            h1 { (title) }
            @if status != StatusCode::NOT_FOUND {
                p { (problem.detail) }
                (verdict::faults(&problem.violations))
            } @else {
                p { "It may have been removed, or it is not yours to see." }
            }
            p { a .button href=(site.to("/certificates")) { "To the certificates" } }
            p .quiet { "Request " code { (request_id) } ". Operators find it in their logs by this id." }
        }
    };
    let page = site.page(title, &body);
    match problem.retry_after {
        Some(wait) => Answer::Later(status, page, wait.whole_seconds().max(1).unsigned_abs()),
        None => Answer::Page(status, page),
    }
}

fn title(code: Code) -> &'static str {
    match code {
        Code::NotFound => "There is nothing here",
        Code::Forbidden => "This is not yours to do",
        code => code.title(),
    }
}
