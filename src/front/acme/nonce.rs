//! Nonces (RFC 8555 section 6.5) that need no stored row and are good at every node.
//!
//! A nonce is the second of its making, twelve random octets, and an HMAC-SHA256 of both, cut to 128 bits, under a key that all
//! nodes of one store share. Whoever has the key can tell that a nonce is real and how old it is; nothing is written down when one is
//! given out, so that giving them out costs no memory, however many are asked for.
//!
//! A node remembers what was spent with it until it is too old to be taken anyway. The memory is bounded: when it is full, what was
//! given out in the oldest part is refused altogether, which clients answer by trying again with a fresh nonce. So within a node no
//! nonce counts twice, ever.
//!
//! Between nodes, one that was spent here may be spent once more there, and so may it after a restart, within
//! [`LIFETIME`]. Who could use that must have a signed request of somebody else's, word by word, which TLS keeps from them; and what it would
//! give them is nothing: a request that comes again creates no second account (the key has one), answers a challenge that is
//! answered, finalizes an order that is finalized, revokes what is revoked, and rolls a key that is not the account's any more. A new order
//! is the one thing that would come twice: pending, on the account's own limits, and of no use without its key. To have asked all nodes
//! about each nonce would cost a commit for each request, which is what peers drown in.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use subtle::ConstantTimeEq;
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use crate::crypto::hmac_sha256;

/// How long a nonce is good.
pub(super) const LIFETIME: Duration = Duration::hours(1);

/// How far the clocks of nodes may be apart.
const SKEW: Duration = Duration::minutes(1);

/// How many seconds of making share a part of the memory, and are forgotten together: few, so that a node which is asked
/// more than it can remember still takes what it has just given out.
const PART: u32 = 1;

/// How many spent nonces a node remembers: 16 MiB or so, at 50 a second for as long as they live.
const REMEMBERED: usize = 200_000;

const RANDOM: usize = 12;
const TAG: usize = 16;

/// Makes nonces and takes them back.
pub(super) struct Nonces {
    key: Zeroizing<[u8; 32]>,
    capacity: usize,
    spent: Mutex<Spent>,
}

#[derive(Default)]
struct Spent {
    /// By the time of their making, in parts.
    parts: BTreeMap<u32, HashSet<[u8; RANDOM]>>,
    count: usize,
    /// What was made before this second is refused: it may have been forgotten.
    floor: u32,
}

/// A nonce that this office made and that is not too old. Whether it was spent is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Genuine {
    made: u32,
    random: [u8; RANDOM],
}

impl Nonces {
    pub(super) fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self { key, capacity: REMEMBERED, spent: Mutex::default() }
    }

    /// A fresh nonce.
    pub(super) fn make(&self, now: OffsetDateTime, random: [u8; RANDOM]) -> String {
        let stamp = seconds(now).to_be_bytes();
        let body = [&stamp[..], &random].concat();
        BASE64URL.encode([&body[..], &self.tag(&body)].concat())
    }

    /// Reads a nonce; none if it was not made here or is too old.
    pub(super) fn read(&self, text: &str, now: OffsetDateTime) -> Option<Genuine> {
        let octets = Some(text).filter(|text| text.len() <= 64).and_then(|text| BASE64URL.decode(text).ok())?;
        let (body, tag) = octets.split_at_checked(4 + RANDOM)?;
        if !bool::from(self.tag(body).ct_eq(tag)) {
            return None;
        }
        let (stamp, random) = body.split_at(4);
        let genuine = Genuine { made: u32::from_be_bytes(stamp.try_into().ok()?), random: random.try_into().ok()? };
        let (oldest, newest) = (seconds(now - LIFETIME), seconds(now + SKEW));
        (oldest..=newest).contains(&genuine.made).then_some(genuine)
    }

    /// Spends a nonce; false if it was spent before.
    pub(super) fn spend(&self, nonce: Genuine, now: OffsetDateTime) -> bool {
        let mut spent = self.spent();
        spent.forget_before(seconds(now - LIFETIME) / PART);
        if nonce.made < spent.floor || !spent.parts.entry(nonce.made / PART).or_default().insert(nonce.random) {
            return false;
        }
        spent.count += 1;
        while spent.count > self.capacity {
            spent.forget_oldest();
        }
        // The one that is being spent may have been in the part that was just forgotten; it is below the floor then, and was taken.
        true
    }

    fn tag(&self, body: &[u8]) -> [u8; TAG] {
        let mut tag = [0; TAG];
        tag.copy_from_slice(&hmac_sha256(&self.key, body)[..TAG]);
        tag
    }

    fn spent(&self) -> MutexGuard<'_, Spent> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nonces").field("remembered", &self.spent().count).finish_non_exhaustive()
    }
}

impl Spent {
    fn forget_before(&mut self, part: u32) {
        while self.parts.first_key_value().is_some_and(|(first, _)| *first < part) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((part, nonces)) = self.parts.pop_first() else { return };
        self.count -= nonces.len();
        self.floor = self.floor.max((part + 1).saturating_mul(PART));
    }
}

/// Seconds since 1970, as far as they fit: until 2106.
fn seconds(at: OffsetDateTime) -> u32 {
    u32::try_from(at.unix_timestamp().max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

    fn office(key: u8) -> Nonces {
        Nonces::new(Zeroizing::new([key; 32]))
    }

    fn numbered(number: u64) -> [u8; RANDOM] {
        let mut octets = [0; RANDOM];
        octets[..8].copy_from_slice(&number.to_be_bytes());
        octets
    }

    #[test]
    fn a_nonce_is_spent_once() {
        let nonces = office(1);
        let text = nonces.make(NOW, numbered(1));
        let nonce = nonces.read(&text, NOW).unwrap();
        assert!(nonces.spend(nonce, NOW));
        assert!(!nonces.spend(nonces.read(&text, NOW).unwrap(), NOW));
        assert!(nonces.spend(nonces.read(&nonces.make(NOW, numbered(2)), NOW).unwrap(), NOW));
    }

    #[test]
    fn another_node_takes_it_and_another_office_does_not() {
        let text = office(1).make(NOW, numbered(1));
        let other = office(1);
        assert!(other.spend(other.read(&text, NOW).unwrap(), NOW));
        assert_eq!(office(2).read(&text, NOW), None);
    }

    #[test]
    fn it_grows_old_and_does_not_come_from_the_future() {
        let nonces = office(1);
        let text = nonces.make(NOW, numbered(1));
        assert!(nonces.read(&text, NOW + LIFETIME).is_some());
        assert!(nonces.read(&text, NOW - SKEW).is_some());
        assert_eq!(nonces.read(&text, NOW + LIFETIME + Duration::SECOND), None);
        assert_eq!(nonces.read(&text, NOW - SKEW - Duration::SECOND), None);
    }

    #[test]
    fn what_was_changed_is_none() {
        let nonces = office(1);
        let text = nonces.make(NOW, numbered(1));
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(nonces.read(std::str::from_utf8(&changed).unwrap(), NOW), None, "{at}");
        }
        for odd in ["", "AAAA", &text[1..], &format!("{text}AAAA"), &"A".repeat(10_000)] {
            assert_eq!(nonces.read(odd, NOW), None, "{odd}");
        }
    }

    #[test]
    fn a_full_memory_refuses_what_it_forgot() {
        let nonces = Nonces { capacity: 100, ..office(1) };
        let old = nonces.read(&nonces.make(NOW, numbered(0)), NOW).unwrap();
        assert!(nonces.spend(old, NOW));
        let late = nonces.read(&nonces.make(NOW, numbered(1)), NOW).unwrap();
        let later = NOW + Duration::minutes(5);
        for number in 2..=101 {
            let nonce = nonces.read(&nonces.make(later, numbered(number)), later).unwrap();
            assert!(nonces.spend(nonce, later), "{number}");
        }
        assert!(nonces.spent().count <= 100);
        assert!(!nonces.spend(old, later), "it was spent");
        assert!(!nonces.spend(late, later), "it may have been spent, for all that is known");
    }

    #[test]
    fn what_is_too_old_is_forgotten() {
        let nonces = office(1);
        for minute in 0..300 {
            let now = NOW + Duration::minutes(minute);
            let nonce = nonces.read(&nonces.make(now, numbered(7)), now).unwrap();
            assert!(nonces.spend(nonce, now), "the same octets of another minute are another nonce");
        }
        assert!(nonces.spent().count <= 61, "{:?}", nonces);
    }
}
