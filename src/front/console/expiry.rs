//! A picture of what ends when: one bar for each of the next twelve weeks.
//!
//! Each bar is one index range, and counting stops at [`MOST_ENDINGS`] certificates: the picture reads 3000 records at most,
//! whatever the size of the inventory. A bar that stopped is drawn open at its top and says so. Beside the picture stands the
//! same as a table.

use maud::{Markup, html};
use time::macros::format_description;
use time::{Duration, OffsetDateTime, Time};

use super::call::Call;
use super::words;
use crate::domain::ApplicationId;
use crate::engine::{Endings, MOST_ENDINGS};
use crate::front::Problem;

const WEEKS: usize = 12;

const HEIGHT: usize = 120;
const WIDTH: usize = 720;
const FOOT: usize = 22;
const HEAD: usize = 18;

/// The picture for one Application, or for all.
pub(super) async fn picture(call: &Call, scope: Option<ApplicationId>) -> Result<Markup, Problem> {
    let today = call.site.now.replace_time(Time::MIDNIGHT);
    let bounds: Vec<OffsetDateTime> =
        std::iter::successors(Some(today), |from| from.checked_add(Duration::WEEK)).take(WEEKS + 1).collect();
    let endings = call.session.endings(scope, &bounds).await?;
    let place = |endings: &Endings| {
        let application = scope.map_or_else(|| "all".to_owned(), |scope| scope.to_string());
        format!("?application={application}&from={}&before={}", iso(endings.from), iso(endings.before))
    };
    let open: usize = endings.iter().map(|each| each.open).sum();
    let is_more = endings.iter().any(|each| each.is_more);
    Ok(html! {
        section .card.picture aria-labelledby="picture-title" {
            div .heading {
                h2 #picture-title { "What ends in the next " (WEEKS) " weeks" }
                p .legend {
                    span .key.open aria-hidden="true" {} "not renewed yet"
                    span .key.settled aria-hidden="true" {} "renewed or revoked"
                }
            }
            p .quiet {
                (open) @if is_more { " or more" } " to be renewed or missed. Each bar is a week that begins on the day below it."
            }
            (drawn(&endings))
            details {
                summary { "The same as a table" }
                (table(&endings, place))
            }
        }
    })
}

fn iso(at: OffsetDateTime) -> String {
    at.format(format_description!("[year]-[month]-[day]")).unwrap_or_default()
}

fn short(at: OffsetDateTime) -> String {
    at.format(format_description!("[day padding:none] [month repr:short]")).unwrap_or_default()
}

/// How many, as a text: with a sign that there are more.
fn count(endings: &Endings) -> String {
    let all = endings.open + endings.settled;
    if endings.is_more { format!("{all}+") } else { all.to_string() }
}

fn drawn(endings: &[Endings]) -> Markup {
    let tallest = endings.iter().map(|each| each.open + each.settled).max().unwrap_or_default().max(4);
    html! {
        svg .bars viewBox=(format!("0 0 {WIDTH} {}", HEAD + HEIGHT + FOOT)) role="img" aria-labelledby="picture-title" {
            defs {
                pattern #hatch width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect .hatch-ground width="6" height="6" {}
                    line .hatch-line x1="0" y1="0" x2="0" y2="6" stroke-width="4" {}
                }
            }
            line .axis x1="0" x2=(WIDTH) y1=(HEAD + HEIGHT) y2=(HEAD + HEIGHT) {}
            @for (at, each) in endings.iter().enumerate() { (bar(at, each, tallest)) }
        }
    }
}

fn bar(at: usize, each: &Endings, tallest: usize) -> Markup {
    let slot = WIDTH / WEEKS;
    let (x, width, middle) = (at * slot + 8, slot - 16, at * slot + slot / 2);
    // Whatever is there is seen, be it one among hundreds.
    let tall = |count: usize| if count == 0 { 0 } else { (count * HEIGHT / tallest).max(3) };
    let (settled, open) = (tall(each.settled), tall(each.open));
    let foot = HEAD + HEIGHT;
    let (settled_y, open_y) = (foot.saturating_sub(settled), foot.saturating_sub(settled + open));
    html! {
        g {
            @if settled > 0 { rect .bar.settled x=(x) y=(settled_y) width=(width) height=(settled) fill="url(#hatch)" {} }
            @if open > 0 { rect .bar.open x=(x) y=(open_y) width=(width) height=(open) rx="2" {} }
            @if each.is_more {
                path .more d=(format!("M{x} {} l{} -4 l{} 4 l{} -4 l{} 4", open_y + 4, width / 4, width / 4, width / 4, width / 4)) {}
            }
            @if open + settled > 0 {
                text .count x=(middle) y=(open_y.saturating_sub(5).max(11)) text-anchor="middle" { (count(each)) }
            }
            text .week x=(middle) y=(foot + 16) text-anchor="middle" { (short(each.from)) }
        }
    }
}

fn table(endings: &[Endings], place: impl Fn(&Endings) -> String) -> Markup {
    html! {
        div .scroll role="region" aria-label="What ends when" tabindex="0" {
            table {
                caption .hidden { "Certificates by the week in which they end" }
                thead {
                    tr {
                        th scope="col" { "Week of" }
                        th .number scope="col" { "Not renewed yet" }
                        th .number scope="col" { "Renewed or revoked" }
                    }
                }
                tbody {
                    @for each in endings {
                        tr {
                            th scope="row" { a href=(place(each)) { (words::day(each.from)) } }
                            td .number { (each.open) }
                            td .number { (each.settled) @if each.is_more { " (counting stopped at " (MOST_ENDINGS) ")" } }
                        }
                    }
                }
            }
        }
    }
}
