//! What a declaration says beside one of the crate's specifications: read in one pass, so that errors keep their lines.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Fields that stand among those of a specification, and are not the specification's.
pub(crate) trait Beside<'de>: Default {
    const KEYS: &'static [&'static str];

    /// Reads the value of one of the keys.
    fn read<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;
}

/// A specification with what is said beside it.
#[derive(Debug)]
pub(crate) struct With<T, B> {
    pub(crate) spec: T,
    pub(crate) beside: B,
}

impl<'de, T: Deserialize<'de>, B: Beside<'de>> Deserialize<'de> for With<T, B> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader(PhantomData))
    }
}

struct Reader<T, B>(PhantomData<(T, B)>);

impl<'de, T: Deserialize<'de>, B: Beside<'de>> Visitor<'de> for Reader<T, B> {
    type Value = With<T, B>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let mut beside = B::default();
        let spec = T::deserialize(MapAccessDeserializer::new(Others { map, beside: &mut beside }))?;
        Ok(With { spec, beside })
    }
}

/// The fields of the specification alone; the others are read on the way.
struct Others<'a, A, B> {
    map: A,
    beside: &'a mut B,
}

impl<'de, A: MapAccess<'de>, B: Beside<'de>> MapAccess<'de> for Others<'_, A, B> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, mut seed: K) -> Result<Option<K::Value>, A::Error> {
        loop {
            match self.map.next_key_seed(Key { seed, beside: B::KEYS })? {
                None => return Ok(None),
                Some(Found::Other(key)) => return Ok(Some(key)),
                Some(Found::Beside(key, back)) => {
                    self.beside.read(&key, &mut self.map)?;
                    seed = back;
                }
            }
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

struct Key<K> {
    seed: K,
    beside: &'static [&'static str],
}

enum Found<K, V> {
    Beside(String, K),
    Other(V),
}

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for Key<K> {
    type Value = Found<K, K::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let key = String::deserialize(deserializer)?;
        match self.beside.contains(&key.as_str()) {
            true => Ok(Found::Beside(key, self.seed)),
            // Read here, so that an unknown key is an error at its own place.
            false => Ok(Found::Other(self.seed.deserialize(key.into_deserializer())?)),
        }
    }
}
