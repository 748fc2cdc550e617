//! Clamps, floors and the shape of load.

use time::macros::datetime;

use super::*;
use crate::domain::{Lead, Span};

const ISSUED: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

fn life(length: Duration) -> Life {
    Life { begins_at: ISSUED, ends_at: ISSUED + length }
}

fn before(lead: &str) -> RenewalSetting {
    RenewalSetting::new(lead.parse().unwrap())
}

/// A number between 0 and 2^64 for each `n`, evenly spread and without order.
fn spread(n: u64) -> u64 {
    let mut mixed = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[test]
fn oracle_16_the_lead_is_clamped_to_the_life() {
    // Days of life, lead in days asked, lead in days that holds: max(1, life - 1) from two days on.
    for (days, asked, holds) in
        [(90, 30, 30), (47, 30, 30), (31, 30, 30), (30, 30, 29), (10, 30, 9), (3, 30, 2), (2, 30, 1), (90, 1, 1)]
    {
        let lead = Lead::Before(Span::days(asked)).within(Duration::days(days));
        assert_eq!(lead, Duration::days(holds), "{asked}d before the end of {days} days");
    }
    // Departure: hours and fractions; a life of a day or less renews in its second half, where the reference would at once.
    for (hours, asked, holds) in
        [(24, "30d", 12), (24, "6h", 6), (12, "12h", 6), (1, "30d", 0), (720, "2/3", 240), (720, "1/1000", 696)]
    {
        let lead = asked.parse::<Lead>().unwrap().within(Duration::hours(hours));
        assert_eq!(lead.whole_hours(), holds, "{asked} of {hours} h");
    }
}

#[test]
fn lesson_a_lead_longer_than_the_life_makes_no_tight_loop() {
    for minutes in [10, 60, 24 * 60, 47 * 24 * 60, 398 * 24 * 60] {
        let length = Duration::minutes(minutes);
        let mut now = ISSUED;
        // A hundred renewals in a row, each of them as early as it can be.
        for _ in 0..100 {
            let life = Life { begins_at: now, ends_at: now + length };
            now = life.schedule(&before("9999d"), 0).due_at;
        }
        let half: Duration = length / 2_i32;
        let least: Duration = half.min(Duration::DAY) * 100_i32;
        assert!(now - ISSUED >= least, "{minutes} minutes: 100 renewals in {}", now - ISSUED);
    }
}

#[test]
fn lesson_certificates_of_hours_renew_and_no_younger_than_the_floor() {
    let table = [(10, 1), (60, 6), (600, 60), (60_000, 60)];
    for (minutes, floor) in table {
        let life = life(Duration::minutes(minutes));
        assert_eq!(life.floor(), ISSUED + Duration::minutes(floor));
        for lead in ["1/1000", "2/3", "9999d", "1s", "5min"] {
            for n in 0..50 {
                let Schedule { opens_at, due_at } = life.schedule(&before(lead), spread(n));
                assert!(life.floor() <= opens_at && opens_at <= due_at && due_at < life.ends_at, "{minutes} {lead}");
            }
        }
    }
}

#[test]
fn a_fleet_of_one_minute_does_not_renew_in_one_minute() {
    let setting = before("30d");
    let mut hours = std::collections::BTreeMap::<i64, u32>::new();
    for n in 0..100_000 {
        let begins_at = ISSUED + Duration::milliseconds(i64::try_from(n % 60_000).unwrap());
        let life = Life { begins_at, ends_at: begins_at + Duration::days(47) };
        let Schedule { opens_at, due_at } = life.schedule(&setting, spread(n));
        assert!(due_at >= opens_at && life.ends_at - due_at >= Duration::days(20));
        *hours.entry((due_at - ISSUED).whole_hours()).or_default() += 1;
    }
    let peak = f64::from(*hours.values().max().unwrap());
    let mean = 100_000.0 / 240.0;
    assert!(peak / mean <= 2.0, "peak {peak}, mean {mean}");
    assert!((240..=241).contains(&hours.len()));
}

#[test]
fn a_fleet_within_a_window_fills_all_of_it() {
    let text = r#"{ "zone": "Europe/Berlin", "open": [ { "days": ["sat", "sun"], "from": "22:00", "to": "04:00" } ] }"#;
    let window: RenewalWindow = serde_json::from_str(text).unwrap();
    let setting = before("30d").within(window.clone());
    let mut hours = std::collections::BTreeMap::<i64, u32>::new();
    for n in 0..20_000 {
        let due_at = life(Duration::days(47)).schedule(&setting, spread(n)).due_at;
        assert!(window.is_open(due_at));
        *hours.entry(due_at.unix_timestamp() / 3_600).or_default() += 1;
    }
    let peak = f64::from(*hours.values().max().unwrap());
    let mean = 20_000.0 / f64::from(u32::try_from(hours.len()).unwrap());
    assert!(hours.len() >= 12 && peak / mean <= 2.0, "{hours:?}");
}

#[test]
fn rather_early_than_outside_and_rather_outside_than_never() {
    let text = r#"{ "zone": "UTC", "open": [ { "days": ["sun"], "from": "02:00", "to": "04:00" } ] }"#;
    let window: RenewalWindow = serde_json::from_str(text).unwrap();
    let setting = before("3d").within(window.clone());
    // Sunday 12:00, ten days: the last three of them have no Sunday, but the day before has.
    let sunday = datetime!(2026-11-29 2:00 UTC)..datetime!(2026-11-29 4:00 UTC);
    let early = life(Duration::days(10));
    assert!(sunday.contains(&early.schedule(&setting, spread(1)).due_at));
    assert_eq!(early.opens_at(&setting), sunday.start, "it may renew as soon as it is due");
    let Schedule { opens_at, due_at } = life(Duration::days(5)).schedule(&setting, 0);
    assert_eq!((opens_at, due_at), (ISSUED + Duration::days(2), ISSUED + Duration::days(2)), "no Sunday at all");
}

#[test]
fn lesson_retries_back_off_and_stay_useful() {
    let life = life(Duration::days(90));
    let pause = |attempts, left| {
        let now = life.ends_at - left;
        (life.retry_at(attempts, None, (now, 0)) - now, life.retry_at(attempts, None, (now, u64::MAX)) - now)
    };
    let month = Duration::days(30);
    for (attempts, longest) in [(1, 1), (2, 2), (3, 4), (9, 256), (10, 360), (1000, 360)] {
        let (most, least) = pause(attempts, month);
        assert_eq!(most, Duration::minutes(longest), "{attempts}");
        assert!(least >= most / 2 && least < most, "{attempts}: {least}");
    }
    assert_eq!(pause(20, Duration::hours(1)).0, Duration::minutes(6), "a tenth of what is left");
    assert_eq!(pause(20, Duration::ZERO).0, Duration::seconds(30));
}
