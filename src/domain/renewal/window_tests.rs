//! Windows against a walk minute by minute, in every zone and around every change of clocks.

use proptest::prelude::*;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::window::instant;
use super::{AutoRenewal, Lead, Life, RenewalSetting, RenewalWindow, TimeZone};
use crate::domain::Span;

fn window(text: &str) -> RenewalWindow {
    serde_json::from_str(text).unwrap()
}

fn of(zone: TimeZone, open: &str) -> RenewalWindow {
    window(&format!(r#"{{ "zone": "{zone}", "open": {open} }}"#))
}

/// What a clock on the wall says, and whether that is open: by the definition, not by the code.
fn shows_open(zone: TimeZone, open: &[(i64, i64)], unix: i64) -> bool {
    let local = unix + zone.offset_at(unix);
    let week = (local + 3 * 86_400).rem_euclid(7 * 86_400);
    open.iter().any(|(from, to)| (*from..*to).contains(&week))
}

/// The changes of clocks of a zone from 2026 to 2029.
fn changes(zone: TimeZone) -> Vec<i64> {
    let (mut at, end) = (1_767_225_600, 1_893_456_000);
    let mut found = Vec::new();
    while let Some(change) = zone.change_within(at, end) {
        found.push(change);
        at = change;
    }
    found
}

const HOUR: i64 = 3_600;

/// Week openings as text and as seconds of the week: a night over the change, a short one at each hour of it, and a long one.
fn shapes() -> Vec<(&'static str, Vec<(i64, i64)>)> {
    let daily = |from: i64, to: i64| (0..7).map(move |day| (day * 24 * HOUR + from, day * 24 * HOUR + to)).collect();
    let night = (0..7)
        .flat_map(|day| [(day * 86_400, day * 86_400 + 4 * HOUR), (day * 86_400 + 22 * HOUR, (day + 1) * 86_400)]);
    let sunday = 6 * 86_400;
    vec![
        (r#"[{"from":"22:00","to":"04:00"}]"#, night.collect()),
        (r#"[{"from":"02:15","to":"02:45"}]"#, daily(2 * HOUR + 900, 2 * HOUR + 2_700)),
        (r#"[{"from":"00:00","to":"00:01"}]"#, daily(0, 60)),
        (r#"[{"days":["sun"],"from":"23:30","to":"00:30"}]"#, vec![(sunday + 84_600, 7 * 86_400), (0, 1_800)]),
        (r#"[{"days":["sun"],"from":"01:00","to":"03:30"}]"#, vec![(sunday + HOUR, sunday + 12_600)]),
    ]
}

#[test]
fn over_every_change_of_clocks_of_every_zone_nothing_is_skipped_and_nothing_is_outside() {
    let mut looked_at = 0;
    let mut seen = std::collections::HashSet::new();
    for zone in TimeZone::all() {
        let changes = changes(zone);
        for change in changes.first().into_iter().chain(changes.last()) {
            // Many zones have the same clocks around a change, and many names stand for the same zone.
            let clocks = [-20, -10, -2, 0, 2, 10, 20].map(|days| zone.offset_at(change + days * 86_400));
            if !seen.insert((*change, clocks)) {
                continue;
            }
            for (text, open) in shapes() {
                let window = of(zone, text);
                let from = change - 30 * HOUR;
                let mut expected = (from..change + 30 * HOUR).step_by(300);
                for at in expected.by_ref() {
                    let is_open = shows_open(zone, &open, at);
                    assert_eq!(window.is_open(instant(at).unwrap()), is_open, "{zone} {text} at {at}");
                    let next = window.next_opening(instant(at).unwrap()).unix_timestamp();
                    assert!(next >= at && shows_open(zone, &open, next), "{zone} {text} at {at}: {next}");
                    // Openings begin on whole minutes, and so do changes: what is skipped shows at a minute between.
                    if at % 3_600 == 0 {
                        let skipped = (at..next).step_by(60).find(|at| shows_open(zone, &open, *at));
                        assert_eq!(skipped, None, "{zone} {text}: from {at} to {next}");
                    }
                    looked_at += 1;
                }
            }
        }
    }
    assert!(seen.len() > 30 && looked_at > 100_000, "{looked_at}");
}

#[test]
fn a_time_that_does_not_exist_does_not_open_and_one_that_exists_twice_opens_twice() {
    let berlin: TimeZone = "Europe/Berlin".parse().unwrap();
    let window = of(berlin, r#"[{"days":["sun"],"from":"02:00","to":"03:00"}]"#);
    // 2026-03-29: from 02:00 to 03:00 in no time.
    let spring = datetime!(2026-03-28 12:00 UTC);
    assert_eq!(window.next_opening(spring), datetime!(2026-04-05 0:00 UTC), "a week later, in summer time");
    // 2026-10-25: from 03:00 back to 02:00.
    let autumn = datetime!(2026-10-24 12:00 UTC);
    assert_eq!(window.next_opening(autumn), datetime!(2026-10-25 0:00 UTC));
    assert_eq!(window.openness(autumn, autumn + Duration::DAY), Duration::hours(2));
    assert_eq!(window.longest_gap(), Duration::hours(14 * 24 - 2), "from one Sunday to the one after the next");
}

#[test]
fn what_is_no_window() {
    for (text, why) in [
        (r#"{"zone":"Europe/Berlin","open":[]}"#, "1 to 100 openings"),
        (r#"{"zone":"Mars/Olympus","open":[{"from":"01:00","to":"02:00"}]}"#, "IANA"),
        (r#"{"zone":"UTC","open":[{"from":"01:00","to":"01:00"}]}"#, "two times that differ"),
        (r#"{"zone":"UTC","open":[{"from":"24:00","to":"01:00"}]}"#, "two times that differ"),
        (r#"{"zone":"UTC","open":[{"from":"24:01","to":"01:00"}]}"#, "local time"),
        (r#"{"zone":"UTC","open":[{"from":"1:00","to":"02:00"}]}"#, "local time"),
        (r#"{"zone":"UTC","open":[{"from":"+1:00","to":"02:00"}]}"#, "local time"),
        (r#"{"zone":"UTC","open":[{"days":["sonntag"],"from":"01:00","to":"02:00"}]}"#, "sonntag"),
    ] {
        let error = serde_json::from_str::<RenewalWindow>(text).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn settings_survive_their_text() {
    for text in [
        r#""30d""#,
        r#""2/3""#,
        r#""off""#,
        r#"{"when":"12h","window":{"zone":"UTC","open":[{"days":["sat"],"from":"22:00","to":"04:00"}]}}"#,
    ] {
        let setting: AutoRenewal = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&setting).unwrap(), text);
    }
    for text in [
        r#""0/3""#,
        r#""3/3""#,
        r#""4/3""#,
        r#""1/1001""#,
        r#""66%""#,
        r#""+1/3""#,
        r#""3m""#,
        r#""on""#,
        "7",
        r#"{"when":"30d","windows":1}"#,
    ] {
        assert!(serde_json::from_str::<AutoRenewal>(text).is_err(), "{text}");
    }
}

#[test]
fn lesson_a_window_that_can_never_be_met_is_refused_when_it_is_saved() {
    let weekly = of("Europe/Berlin".parse().unwrap(), r#"[{"days":["sun"],"from":"02:00","to":"03:00"}]"#);
    let setting = |lead: &str| RenewalSetting::new(lead.parse().unwrap()).within(weekly.clone());
    let error = setting("7d").fault(None).unwrap();
    assert!(error.accepted.contains("at least 668 hours"), "{error}");
    assert_eq!(setting("28d").fault(None), None);
    assert_eq!(setting("2/3").fault(None), None, "not known before there is a length");
    assert!(setting("2/3").fault(Some(Span::days(47))).is_some());
    assert_eq!(setting("1/3").fault(Some(Span::days(47))), None);
    assert!(setting("28d").fault(Some(Span::days(20))).is_some(), "the lead is clamped to the length");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever the zone and whenever it was issued: a setting that is fit finds an opening, before half of its lead is over.
    #[test]
    fn fit_settings_find_an_opening_whatever_the_phase(
        zone in 0..TimeZone::all().count(), day in 0_usize..7, hour in 0_u8..24, length in 5_u16..600,
        issued in 1_767_225_600_i64..2_100_000_000, lead in 1_u16..60, spread: u64,
    ) {
        let zone = TimeZone::all().nth(zone).unwrap();
        let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let end = (u16::from(hour) * 60 + length) % 1440;
        let open = format!(r#"[{{"days":["{}"],"from":"{hour:02}:00","to":"{:02}:{:02}"}}]"#, days[day], end / 60, end % 60);
        let window = of(zone, &open);
        let setting = RenewalSetting::new(Lead::Before(Span::days(lead))).within(window.clone());
        let begins_at = OffsetDateTime::from_unix_timestamp(issued).unwrap();
        let life = Life { begins_at, ends_at: begins_at + Duration::days(90) };
        let schedule = life.schedule(&setting, spread);
        prop_assert!(schedule.due_at >= life.floor() && schedule.due_at < life.ends_at);
        prop_assert!(schedule.opens_at == life.opens_at(&setting) && schedule.due_at >= schedule.opens_at);
        // In ninety days every week has an opening: it is never outside of the window, fit or not.
        prop_assert!(window.is_open(schedule.due_at), "{zone} {open}: {schedule:?}");
        if setting.fault(Some(Span::days(90))).is_none() {
            let lead = life.ends_at - life.opens_at(&setting);
            prop_assert!(life.ends_at - schedule.due_at >= lead / 2, "{zone} {open}: {schedule:?}");
        }
    }

    #[test]
    fn reading_never_panics(text in "\\PC{0,40}") {
        let _ = text.parse::<Lead>();
        let _ = text.parse::<TimeZone>();
        let _ = text.parse::<super::LocalTime>();
    }
}
