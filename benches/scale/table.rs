//! The tables, and which targets are met.

use crate::measure::Measured;
use crate::operations::Operation;
use crate::place::Place;

/// Most that an operation may cost at the largest size, of what it costs at the smallest.
const GROWTH: f64 = 2.0;
/// Most bytes on disk for a certificate.
const BYTES: f64 = 8192.0;
/// Most claims that may be lost to others.
const LOST: f64 = 0.05;

/// Prints what was measured of one store, by size.
pub(crate) fn print(measured: &[Measured]) {
    let [first, .., last] = measured else {
        return measured.first().map_or((), |only| print(&[only.clone(), only.clone()]));
    };
    let place: Place = first.store.parse().unwrap();
    let mut sizes: Vec<&Measured> = measured.iter().collect();
    sizes.dedup_by_key(|each| each.certificates);
    println!("\n{}", first.store);
    line("certificates", &sizes, |each| each.certificates.to_string());
    line("filled in", &sizes, |each| format!("{:.0} s", each.filled.as_secs_f64()));
    for (operation, _) in &first.costs {
        line(operation.name(), &sizes, |each| format!("{:.1} µs", each.micros(*operation)));
    }
    line("bytes on disk for a certificate", &sizes, |each| format!("{:.0}", each.bytes_each()));
    line("resident memory", &sizes, |each| format!("{} MiB", each.memory.resident / 1024));
    line("of it not mapped from the file", &sizes, |each| format!("{} MiB", each.memory.own / 1024));
    line("64 callers, of one", &sizes, |each| format!("{:.1} ×", each.of_callers()));
    line("lost by 8 workers", &sizes, |each| format!("{:.1} %", 100.0 * each.claims.lost_share()));
    println!();
    for (operation, _) in first.costs.iter().filter(|_| sizes.len() > 1) {
        let growth = last.micros(*operation) / first.micros(*operation);
        target(operation.name(), format!("{growth:.2} × as much"), format!("≤ {GROWTH}"), growth <= GROWTH);
    }
    for each in sizes {
        let of = |what: &str| format!("{what}, {}", each.certificates);
        let bytes = each.bytes_each();
        target(&of("bytes on disk"), format!("{bytes:.0}"), format!("≤ {BYTES}"), bytes <= BYTES);
        let (many, least) = (each.of_callers(), place.target_of_callers());
        target(&of("64 callers, of one"), format!("{many:.1} ×"), format!("≥ {least}"), many >= least);
        let lost = each.claims.lost_share();
        target(
            &of("lost by 8 workers"),
            format!("{:.1} %", 100.0 * lost),
            format!("< {} %", 100.0 * LOST),
            lost < LOST,
        );
    }
}

fn line(what: &str, sizes: &[&Measured], value: impl Fn(&Measured) -> String) {
    let values: String = sizes.iter().map(|each| format!("{:>16}", value(each))).collect();
    println!("{what:<34}{values}");
}

fn target(what: &str, seen: String, wanted: String, is_met: bool) {
    println!("{what:<34}{seen:>16}{wanted:>12}  {}", if is_met { "met" } else { "MISSED" });
}

impl Measured {
    /// What an operation costs, in microseconds.
    pub(crate) fn micros(&self, operation: Operation) -> f64 {
        let cost = self.costs.iter().find(|(each, _)| *each == operation);
        cost.map_or(f64::NAN, |(_, cost)| cost.as_secs_f64() * 1e6)
    }

    fn bytes_each(&self) -> f64 {
        self.bytes as f64 / self.certificates as f64
    }

    /// How many times as many issues 64 callers get done as one.
    fn of_callers(&self) -> f64 {
        self.micros(Operation::IssueByOne) / self.micros(Operation::IssueByMany)
    }
}
