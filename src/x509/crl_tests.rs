//! Tests of lists: their bytes, reading them back, and what is refused.
use proptest::prelude::*;
use time::macros::datetime;

use super::*;

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);
const NAME: [u8; 2] = [0x30, 0];

fn list(entries: &[CrlEntry], scope: &[String], (now, next): (OffsetDateTime, OffsetDateTime)) -> Vec<u8> {
    let mut encoded = Vec::new();
    entries.iter().for_each(|entry| entry.push_der(&mut encoded).unwrap());
    let algorithm = SignatureAlgorithm::EcdsaSha256;
    let head = CrlHead {
        algorithm,
        issuer_der: &NAME,
        key_identifier: &[7; 20],
        number: 300,
        this_update: now,
        next_update: next,
        scope,
    };
    seal(&build(&head, &encoded).unwrap(), algorithm, &[1, 2, 3]).unwrap()
}

fn entry(octet: u8, reason: RevocationReason) -> CrlEntry {
    CrlEntry { serial: Serial::from_octets(&[octet]).unwrap(), revoked_at: NOW, reason, invalid_since: None }
}

#[test]
fn an_entry_is_what_the_rfc_writes() {
    let encode = |entry: CrlEntry| {
        let mut der = Vec::new();
        entry.push_der(&mut der).unwrap();
        der
    };
    let plain = encode(entry(0x80, RevocationReason::Unspecified));
    assert_eq!(plain, *b"\x30\x13\x02\x02\x00\x80\x17\x0d261122120000Z", "no reason, no extensions");
    let reason = encode(entry(1, RevocationReason::KeyCompromise));
    assert_eq!(
        reason,
        *b"\x30\x20\x02\x01\x01\x17\x0d261122120000Z\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01\x01"
    );
    let late =
        encode(CrlEntry { revoked_at: datetime!(2050-01-01 0:00 UTC), ..entry(1, RevocationReason::Unspecified) });
    assert_eq!(late, *b"\x30\x14\x02\x01\x01\x18\x0f20500101000000Z", "GeneralizedTime from 2050 on");
}

#[test]
fn what_is_written_is_read() {
    let week = (NOW, NOW + time::Duration::WEEK);
    for (scope, count) in
        [(Vec::new(), 0), (vec!["http://a.example/0.crl".to_owned(), "http://b.example/0".to_owned()], 9)]
    {
        let mut entries: Vec<CrlEntry> =
            RevocationReason::ALL.iter().take(count).map(|each| entry(each.code() + 1, *each)).collect();
        if let Some(first) = entries.first_mut() {
            first.invalid_since = Some(NOW - time::Duration::DAY);
        }
        let read = CertificateList::from_der(&list(&entries, &scope, week)).unwrap();
        assert_eq!((read.number, &read.scope, &read.entries), (Some(300), &scope, &entries));
        assert_eq!((read.this_update, read.next_update), (week.0, Some(week.1)));
    }
}

#[test]
fn damage_is_refused() {
    let good = list(&[entry(1, RevocationReason::Superseded)], &["http://a.example/".to_owned()], (NOW, NOW));
    assert!(CertificateList::from_der(&good).is_ok());
    for end in 0..good.len() {
        assert!(CertificateList::from_der(&good[..end]).is_err(), "cut at {end}");
    }
    let removed = good.windows(5).position(|window| window == [4, 3, 0x0a, 1, 4]).unwrap();
    let mut unknown = good.clone();
    unknown[removed + 4] = 8;
    assert!(matches!(CertificateList::from_der(&unknown), Err(CrlError::Value(_))), "removeFromCRL is for delta CRLs");
    let mut version_1 = good;
    let version = version_1.windows(3).position(|window| window == VERSION_2).unwrap();
    version_1[version + 2] = 0;
    assert!(CertificateList::from_der(&version_1).is_err());
}

#[test]
fn a_hundred_thousand_entries_take_no_time_to_speak_of() {
    let mut encoded = Vec::new();
    for number in 0..100_000_u32 {
        let serial = Serial::from_octets(&[&[0x40; 16][..], &number.to_be_bytes()].concat()).unwrap();
        let entry = CrlEntry { serial, ..entry(1, RevocationReason::Superseded) };
        entry.push_der(&mut encoded).unwrap();
    }
    let head = CrlHead {
        algorithm: SignatureAlgorithm::EcdsaSha256,
        issuer_der: &NAME,
        key_identifier: &[7; 20],
        number: 1,
        this_update: NOW,
        next_update: NOW,
        scope: &[],
    };
    let tbs = build(&head, &encoded).unwrap();
    assert!(tbs.len() - encoded.len() < 128, "copied once, and framed");
}

proptest! {
    #[test]
    fn any_entries_survive(codes in proptest::collection::vec((1..=u64::MAX, 0..9_usize, 0..4_000_000_000_i64), 0..20)) {
        let entries: Vec<CrlEntry> = codes.iter().map(|(serial, reason, at)| CrlEntry {
            serial: Serial::from_octets(&serial.to_be_bytes()).unwrap(),
            revoked_at: OffsetDateTime::from_unix_timestamp(*at).unwrap(),
            reason: RevocationReason::ALL[*reason],
            invalid_since: (at % 3 == 0).then(|| OffsetDateTime::from_unix_timestamp(at / 2).unwrap()),
        }).collect();
        let read = CertificateList::from_der(&list(&entries, &[], (NOW, NOW))).unwrap();
        prop_assert_eq!(read.entries, entries);
    }

    #[test]
    fn no_bytes_make_it_panic(flip in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut der = list(&[entry(1, RevocationReason::Superseded)], &["http://a.example/".to_owned()], (NOW, NOW));
        for (at, octet) in flip {
            let at = at.index(der.len());
            der[at] = octet;
        }
        let _ = CertificateList::from_der(&der);
    }
}
