//! The audit chain: what seals events so that a later change of the trail shows.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use super::EventId;

/// SHA-256, which the engine hands in: the domain knows no cryptography.
pub(crate) type Sha256 = fn(&[u8]) -> [u8; 32];

/// The last block of the chain: enough to notice later that it was cut short or written anew. Keep it where who can
/// write the store can not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditHead {
    /// The block's number, from 1.
    pub number: u64,
    /// The block's hash, 64 digits of lower-case hex.
    pub hash: String,
}

/// One event as a block holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SealedEvent {
    pub(crate) id: EventId,
    /// SHA-256 of its canonical form, lower-case hex.
    pub(crate) digest: String,
}

/// The events of a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "events", rename_all = "snake_case")]
pub(crate) enum BlockEvents {
    /// They are in the store.
    Kept { list: Vec<SealedEvent> },
    /// They were removed, as the retention says; the event that tells of it names the block.
    Pruned,
}

/// A block of the chain. Its hash covers the number, the hash before, the time, and the digest of its list of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AuditBlock {
    pub(crate) number: u64,
    /// The hash of the block before; empty for the first.
    pub(crate) previous: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) sealed_at: OffsetDateTime,
    /// How many events it seals.
    pub(crate) count: usize,
    /// SHA-256 over the list of its events, so that the list can go when the events go.
    pub(crate) events_digest: String,
    #[serde(flatten)]
    pub(crate) events: BlockEvents,
    pub(crate) hash: String,
}

impl AuditBlock {
    /// The block behind `previous` that seals `list`.
    pub(crate) fn new(
        previous: Option<&AuditHead>,
        list: Vec<SealedEvent>,
        sealed_at: OffsetDateTime,
        sha256: Sha256,
    ) -> Self {
        let mut block = Self {
            number: previous.map_or(1, |head| head.number + 1),
            previous: previous.map(|head| head.hash.clone()).unwrap_or_default(),
            sealed_at,
            count: list.len(),
            events_digest: digest_of(&list, sha256),
            events: BlockEvents::Kept { list },
            hash: String::new(),
        };
        block.hash = block.computed_hash(sha256);
        block
    }

    /// The place of this block in the chain.
    pub(crate) fn head(&self) -> AuditHead {
        AuditHead { number: self.number, hash: self.hash.clone() }
    }

    /// Whether number, hashes and list belong together.
    pub(crate) fn is_whole(&self, sha256: Sha256) -> bool {
        let list_fits = match &self.events {
            BlockEvents::Kept { list } => list.len() == self.count && digest_of(list, sha256) == self.events_digest,
            BlockEvents::Pruned => true,
        };
        list_fits && self.computed_hash(sha256) == self.hash
    }

    fn computed_hash(&self, sha256: Sha256) -> String {
        let nanoseconds = self.sealed_at.unix_timestamp_nanos();
        let text = format!(
            "chancery-audit-1\n{}\n{}\n{nanoseconds}\n{}\n{}\n",
            self.number, self.previous, self.count, self.events_digest
        );
        hex(&sha256(text.as_bytes()))
    }
}

/// One line for each event: its id, a blank, its digest.
fn digest_of(list: &[SealedEvent], sha256: Sha256) -> String {
    let lines: String = list.iter().map(|each| format!("{} {}\n", each.id, each.digest)).collect();
    hex(&sha256(lines.as_bytes()))
}

/// The digest of an event as it is stored.
pub(crate) fn event_digest(body: &Value, sha256: Sha256) -> String {
    hex(&sha256(canonical(body).as_bytes()))
}

/// The canonical form of an event: its JSON without the member `sealed`, members in the order of their names' octets, no
/// white space. Strings and integers are written as RFC 8785 writes them; events hold nothing else that is a scalar.
fn canonical(body: &Value) -> String {
    let mut text = String::new();
    match body {
        Value::Object(members) => write_members(members.iter().filter(|(name, _)| *name != "sealed"), &mut text),
        other => write_canonical(other, &mut text),
    }
    text
}

fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => write_members(members.iter(), text),
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_canonical(item, text);
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

fn write_members<'a>(members: impl Iterator<Item = (&'a String, &'a Value)>, text: &mut String) {
    // Sorted here: whether the map keeps its members sorted is a feature that any crate in the host's tree may switch.
    let mut members: Vec<_> = members.collect();
    members.sort_by(|(left, _), (right, _)| left.as_bytes().cmp(right.as_bytes()));
    text.push('{');
    for (at, (name, value)) in members.into_iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(&Value::from(name.as_str()).to_string());
        text.push(':');
        write_canonical(value, text);
    }
    text.push('}');
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// What a walk along the audit chain found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditReport {
    /// How many blocks were looked at.
    pub blocks: u64,
    /// How many sealed events were looked at.
    pub events: u64,
    /// How many sealed events are known only by their block's digest, since the retention removed them.
    pub pruned: u64,
    /// The last block; `None` for a chain without blocks. To be kept for the next time.
    pub head: Option<AuditHead>,
    /// What is wrong; nothing, if the trail is as it was sealed.
    pub faults: Vec<AuditFault>,
}

impl AuditReport {
    /// Whether the trail is as it was sealed.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

/// What is wrong with the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AuditFault {
    /// A sealed event does not say what it said.
    EventChanged {
        /// The event.
        event: EventId,
        /// The block that seals it.
        block: u64,
    },
    /// A sealed event is gone.
    EventRemoved {
        /// The event.
        event: EventId,
        /// The block that seals it.
        block: u64,
    },
    /// An event says that it is sealed, or is kept from being so, and no block knows it.
    EventAdded {
        /// The event's id in the store.
        event: String,
    },
    /// A block does not say what it said: its list, its order or its hash.
    BlockChanged {
        /// The block.
        block: u64,
    },
    /// A block is gone, in the middle or at the end.
    BlockRemoved {
        /// The block.
        block: u64,
    },
    /// A block does not follow the one before: one of them was exchanged.
    BlockMisplaced {
        /// The block.
        block: u64,
    },
    /// The chain goes on behind its recorded head, or ends elsewhere.
    HeadChanged {
        /// The number that the head names.
        head: u64,
    },
    /// The chain does not hold the block that the caller kept: it was cut short or written anew.
    NotTheChainKnown {
        /// The number of the block that was kept.
        block: u64,
    },
    /// A block says that its events were pruned, and no event of the trail tells of it.
    PruningUntold {
        /// The block.
        block: u64,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    fn toy(octets: &[u8]) -> [u8; 32] {
        let mut state = [0_u8; 32];
        for (at, octet) in octets.iter().enumerate() {
            let place = at % 32;
            state[place] = state[place].wrapping_mul(31).wrapping_add(*octet).wrapping_add(1);
        }
        state
    }

    #[test]
    fn the_canonical_form_does_not_depend_on_order_or_seal() {
        let one = json!({"b": [1, {"z": null, "a": "ä\n"}], "a": true, "sealed": 7});
        let other: Value = serde_json::from_str(r#"{ "a":true, "b":[1,{"a":"ä\n","z":null}] }"#).unwrap();
        assert_eq!(canonical(&one), r#"{"a":true,"b":[1,{"a":"ä\n","z":null}]}"#);
        assert_eq!(canonical(&one), canonical(&other));
    }

    #[test]
    fn a_nested_member_called_sealed_counts() {
        assert_ne!(canonical(&json!({"a": {"sealed": 1}})), canonical(&json!({"a": {"sealed": 2}})));
    }

    fn block() -> AuditBlock {
        let event = |octet| SealedEvent {
            id: EventId::new(datetime!(2026-01-01 0:00 UTC), [octet; 10]),
            digest: format!("{octet:064}"),
        };
        let before = AuditHead { number: 6, hash: "ab".repeat(32) };
        AuditBlock::new(Some(&before), vec![event(1), event(2), event(3)], datetime!(2026-01-02 0:00 UTC), toy)
    }

    #[test]
    fn every_part_of_a_block_is_covered() {
        assert!(block().is_whole(toy));
        let edits: [fn(&mut AuditBlock); 7] = [
            |block| block.number += 1,
            |block| block.previous.push('0'),
            |block| block.sealed_at += time::Duration::SECOND,
            |block| block.count += 1,
            |block| block.events_digest = "00".repeat(32),
            |block| {
                if let BlockEvents::Kept { list } = &mut block.events {
                    list.swap(0, 1);
                }
            },
            |block| {
                if let BlockEvents::Kept { list } = &mut block.events {
                    list.pop();
                }
            },
        ];
        for (at, edit) in edits.into_iter().enumerate() {
            let mut changed = block();
            edit(&mut changed);
            assert!(!changed.is_whole(toy), "edit {at}");
        }
    }

    #[test]
    fn a_block_whose_list_is_pruned_keeps_its_hash() {
        let pruned = AuditBlock { events: BlockEvents::Pruned, ..block() };
        assert!(pruned.is_whole(toy));
        let text = serde_json::to_string(&pruned).unwrap();
        assert_eq!(serde_json::from_str::<AuditBlock>(&text).unwrap(), pruned);
        let whole = serde_json::to_string(&block()).unwrap();
        assert_eq!(serde_json::from_str::<AuditBlock>(&whole).unwrap(), block());
    }

    proptest! {
        #[test]
        fn strings_survive_the_canonical_form(text in "\\PC{0,30}") {
            let value = json!({ "a": text });
            prop_assert_eq!(serde_json::from_str::<Value>(&canonical(&value)).unwrap(), value);
        }
    }
}
