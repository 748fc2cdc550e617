//! What every store refuses: the port's limits, judged in one place.

use super::{
    Batch, Claim, IndexEntry, Key, MAX_BATCH_WRITES, MAX_BODY_BYTES, MAX_KEY_BYTES, MAX_NAME_BYTES, MAX_SCAN_LIMIT,
    Over, Scan, StoreError, Write,
};

impl Batch {
    /// Judges the batch against the port's limits, with [`StoreError::Invalid`] for the first that is broken.
    ///
    /// Every store calls this at the start of [`Store::commit`](super::Store::commit).
    ///
    /// # Errors
    /// [`StoreError::Invalid`], with the clause and the value seen.
    pub fn validate(&self) -> Result<(), StoreError> {
        at_most("writes in a batch", self.writes.len(), MAX_BATCH_WRITES)?;
        self.writes.iter().try_for_each(validate_write)?;
        refuse_duplicates(&self.writes)
    }
}

impl Scan {
    /// Judges the scan against the port's limits, with [`StoreError::Invalid`] for the first that is broken.
    ///
    /// Every store calls this at the start of [`Store::scan`](super::Store::scan).
    ///
    /// # Errors
    /// [`StoreError::Invalid`], with the clause and the value seen.
    pub fn validate(&self) -> Result<(), StoreError> {
        if self.limit == 0 {
            return invalid("a scan asks for no hits".into());
        }
        at_most("hits asked of a scan", self.limit, MAX_SCAN_LIMIT)?;
        let (Over::Kind(name) | Over::Index(name)) = &self.over;
        validate_name(name)
    }
}

impl Claim {
    /// Judges the claim against the port's limits, with [`StoreError::Invalid`] for the first that is broken.
    ///
    /// Every store calls this at the start of [`Store::claim`](super::Store::claim).
    ///
    /// # Errors
    /// [`StoreError::Invalid`], with the clause and the value seen.
    pub fn validate(&self) -> Result<(), StoreError> {
        if self.limit == 0 {
            return invalid("a claim asks for no documents".into());
        }
        at_most("documents asked of a claim", self.limit, MAX_SCAN_LIMIT)?;
        validate_name(&self.index)?;
        validate_entry(&self.lease)?;
        if self.takes(&self.lease) {
            return invalid(format!("the lease {:?} of a claim is below its bound {:?}", self.lease.value, self.to));
        }
        Ok(())
    }
}

fn validate_write(write: &Write) -> Result<(), StoreError> {
    validate_key(write.key())?;
    let Write::Put { body, entries, .. } = write else { return Ok(()) };
    at_most("bytes in a body", body.len(), MAX_BODY_BYTES)?;
    if std::str::from_utf8(body).is_err() {
        return invalid(format!("the body of {} is not UTF-8", write.key()));
    }
    entries.iter().try_for_each(validate_entry)
}

fn validate_key(key: &Key) -> Result<(), StoreError> {
    at_most("bytes in an id", key.id.len(), MAX_KEY_BYTES)?;
    validate_name(&key.kind)
}

fn validate_entry(entry: &IndexEntry) -> Result<(), StoreError> {
    at_most("bytes in an index value", entry.value.len(), MAX_KEY_BYTES)?;
    validate_name(&entry.index)
}

fn validate_name(name: &str) -> Result<(), StoreError> {
    at_most("bytes in the name of a kind or index", name.len(), MAX_NAME_BYTES)?;
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return invalid(format!("{name:?} is not an ASCII word, as kinds and indexes must be"));
    }
    Ok(())
}

fn refuse_duplicates(writes: &[Write]) -> Result<(), StoreError> {
    let mut keys: Vec<&Key> =
        writes.iter().filter(|write| !matches!(write, Write::Check { .. })).map(Write::key).collect();
    keys.sort_unstable();
    match keys.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => invalid(format!("{} is written twice in one batch", pair[0])),
        None => Ok(()),
    }
}

fn at_most(what: &str, seen: usize, limit: usize) -> Result<(), StoreError> {
    if seen > limit { invalid(format!("{seen} {what}, of at most {limit}")) } else { Ok(()) }
}

fn invalid(reason: String) -> Result<(), StoreError> {
    Err(StoreError::Invalid { reason })
}

#[cfg(test)]
mod tests {
    use super::super::Expect;
    use super::*;

    fn check(kind: &'static str, id: String) -> Write {
        Write::Check { key: Key::new(kind, id), expect: Expect::Absent }
    }

    fn refused(writes: Vec<Write>) -> bool {
        matches!(Batch { writes }.validate(), Err(StoreError::Invalid { .. }))
    }

    #[test]
    fn names_are_ascii_words() {
        assert!(!refused(vec![check("certificate", String::new())]));
        assert!(refused(vec![check("", "a".into())]));
        assert!(refused(vec![check("two words", "a".into())]));
        assert!(refused(vec![check("ключ", "a".into())]));
    }

    #[test]
    fn a_claim_is_for_something_and_does_not_find_its_own_lease() {
        let claim = |limit, index: &'static str, value: &str| Claim {
            index: "due".into(),
            to: "m".into(),
            lease: IndexEntry::new(index, value),
            limit,
        };
        for (claim, is_valid) in [
            (claim(1, "due", "m"), true),
            (claim(MAX_SCAN_LIMIT, "due", "z"), true),
            (claim(1, "later", "a"), true),
            (claim(1, "due", "a"), false),
            (claim(0, "due", "z"), false),
            (claim(MAX_SCAN_LIMIT + 1, "due", "z"), false),
            (claim(1, "two words", "z"), false),
        ] {
            assert_eq!(claim.validate().is_ok(), is_valid, "{claim:?}");
        }
    }

    #[test]
    fn a_key_may_be_checked_and_written_but_not_written_twice() {
        let put = |id: &str| Write::Put {
            key: Key::new("k", id),
            expect: Expect::Absent,
            body: "{}".into(),
            entries: Vec::new(),
        };
        assert!(!refused(vec![check("k", "a".into()), put("a"), put("b")]));
        assert!(refused(vec![put("a"), put("b"), put("a")]));
    }

    #[test]
    fn bodies_are_text() {
        let body = bytes::Bytes::from_static(&[0xff]);
        assert!(refused(vec![Write::Put { key: Key::new("k", "a"), expect: Expect::Absent, body, entries: vec![] }]));
    }
}
