//! The certificates' lives as lines of text.

use std::collections::HashMap;

use chancery::domain::{CertificateId, CertificateRecord, CertificateState};
use time::{Duration, OffsetDateTime};

use crate::Result;
use crate::office::{Office, START};
use crate::timeline::Timeline;

/// The most columns that lines take.
const WIDEST: i64 = 96;

/// Draws a line for each certificate: a lineage begins with its name.
pub(crate) async fn draw(office: &Office, time: &Timeline<'_>) -> Result<()> {
    let certificates = office.certificates().await?;
    let end = certificates.iter().map(|record| record.validity.not_after()).max().unwrap_or(START);
    let scale = Scale { days: (end - START).whole_days() + 1 };
    let began: HashMap<CertificateId, OffsetDateTime> =
        certificates.iter().map(|record| (record.id, record.created_at)).collect();

    println!("\nThe certificates' lives, {} to a column", text_of(scale.column()));
    println!("{:20}{}", "", scale.ruler());
    let firsts = certificates.iter().filter(|record| record.lineage == record.id);
    for first in firsts {
        let line = certificates.iter().filter(|record| record.lineage == first.id);
        for (at, record) in line.enumerate() {
            let name = if at == 0 { record.subject.common_name().unwrap_or_default() } else { "" };
            let replaced_at = record.replaced_by.and_then(|by| began.get(&by).copied());
            println!("{name:16} #{:<2}{}", at + 1, scale.life(record, replaced_at));
        }
    }
    println!("{:20}{}▲ now", "", " ".repeat(scale.at(time.now())));
    println!("━ the newest   ┄ valid, and replaced   ✗ revoked");
    Ok(())
}

/// Days as columns.
struct Scale {
    days: i64,
}

impl Scale {
    fn column(&self) -> Duration {
        Duration::days(1) * i32::try_from(1 + (self.days - 1) / WIDEST).unwrap_or(1)
    }

    fn at(&self, instant: OffsetDateTime) -> usize {
        let columns = (instant - START).whole_seconds() / self.column().whole_seconds();
        usize::try_from(columns).unwrap_or_default()
    }

    fn ruler(&self) -> String {
        let tens = (0..self.at(START + Duration::days(self.days))).step_by(10);
        tens.map(|column| format!("{:<10}", format!("╷{}", column as i64 * self.column().whole_days()))).collect()
    }

    fn life(&self, record: &CertificateRecord, replaced_at: Option<OffsetDateTime>) -> String {
        let end = record.validity.not_after();
        let (newest_until, valid_until, mark) = match record.state {
            CertificateState::Revoked { at, .. } => (replaced_at.unwrap_or(at).min(at), at, "✗"),
            _ => (replaced_at.unwrap_or(end), end, ""),
        };
        let (from, newest_until, valid_until) =
            (self.at(record.created_at), self.at(newest_until), self.at(valid_until));
        let newest = "━".repeat(newest_until.saturating_sub(from).max(1));
        format!("{}{newest}{}{mark}", " ".repeat(from), "┄".repeat(valid_until.saturating_sub(newest_until)))
    }
}

fn text_of(column: Duration) -> String {
    match column.whole_days() {
        1 => "a day".into(),
        days => format!("{days} days"),
    }
}
