//! A picture of what ends when: one bar for each of the next twelve weeks, or months.
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

const BARS: usize = 12;

const HEIGHT: usize = 120;
const WIDTH: usize = 720;
const FOOT: usize = 22;
const HEAD: usize = 18;

/// How long the time is that a bar stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stretch {
    Week,
    Month,
}

impl Stretch {
    fn asked(call: &Call) -> Self {
        if call.query.get("by") == Some("month") { Self::Month } else { Self::Week }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// Where the bars begin, and where the last one ends: today first, and then every seventh day, or each first of a month.
    fn bounds(self, today: OffsetDateTime) -> Vec<OffsetDateTime> {
        let next = |from: &OffsetDateTime| match self {
            Self::Week => from.checked_add(Duration::WEEK),
            Self::Month => from.checked_add(Duration::days(32 - i64::from(from.day())))?.replace_day(1).ok(),
        };
        std::iter::successors(Some(today), next).take(BARS + 1).collect()
    }
}

/// The picture for one Application, or for all.
pub(super) async fn picture(call: &Call, scope: Option<ApplicationId>) -> Result<Markup, Problem> {
    let stretch = Stretch::asked(call);
    let bounds = stretch.bounds(call.site.now.replace_time(Time::MIDNIGHT));
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
                h2 #picture-title { "What ends in the next " (BARS) " " (stretch.word()) "s" }
                (choice(call, stretch))
                p .legend {
                    span .key.open aria-hidden="true" {} "not renewed yet"
                    span .key.settled aria-hidden="true" {} "renewed or revoked"
                }
            }
            p .quiet {
                (open) @if is_more { " or more" } " to be renewed or missed. Each bar is a " (stretch.word())
                " that begins on the day below it."
            }
            (drawn(&endings))
            details {
                summary { "The same as a table" }
                (table(&endings, place))
            }
        }
    })
}

fn choice(call: &Call, chosen: Stretch) -> Markup {
    html! {
        p .by {
            @for stretch in [Stretch::Week, Stretch::Month] {
                a href=(format!("?{}", call.query.with("by", Some(stretch.word())))) aria-current=[(stretch == chosen).then_some("true")] {
                    "by " (stretch.word())
                }
            }
        }
    }
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
    let slot = WIDTH / BARS;
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
                caption .hidden { "Certificates by when they end" }
                thead {
                    tr {
                        th scope="col" { "From" }
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

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn months_begin_with_their_first_day() {
        let bounds = Stretch::Month.bounds(datetime!(2026-11-30 0:00 UTC));
        assert_eq!(
            bounds[..4].iter().map(|at| iso(*at)).collect::<Vec<_>>(),
            ["2026-11-30", "2026-12-01", "2027-01-01", "2027-02-01"]
        );
        let bounds = Stretch::Month.bounds(datetime!(2028-01-31 0:00 UTC));
        assert_eq!(
            (iso(bounds[1]), iso(bounds[2]), iso(bounds[12])),
            ("2028-02-01".into(), "2028-03-01".into(), "2029-01-01".into())
        );
        let weeks = Stretch::Week.bounds(datetime!(2026-12-28 0:00 UTC));
        assert_eq!((weeks.len(), iso(weeks[1])), (13, "2027-01-04".to_owned()));
    }
}
