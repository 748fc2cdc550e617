//! The only source of randomness, but for keys, which their crypto library draws itself.

use std::fmt::Debug;
#[cfg(feature = "conformance")]
use std::sync::atomic::{AtomicU64, Ordering};

/// Gives random octets for serial numbers, identifiers and nonces.
pub trait Entropy: Debug + Send + Sync + 'static {
    /// Fills `octets` with unpredictable octets, fit for cryptography.
    ///
    /// # Errors
    /// The source failed; nothing may be assumed of `octets`.
    fn fill(&self, octets: &mut [u8]) -> Result<(), EntropyError>;
}

/// The source of randomness failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no randomness is to be had: {reason}")]
pub struct EntropyError {
    /// What the source said.
    pub reason: String,
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, octets: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(octets).map_err(|error| EntropyError { reason: error.to_string() })
    }
}

/// A generator that repeats itself for the same seed, for tests and simulations; never for real certificates.
#[cfg(feature = "conformance")]
#[derive(Debug)]
pub struct SeededEntropy {
    seed: u64,
    drawn: AtomicU64,
}

#[cfg(feature = "conformance")]
impl SeededEntropy {
    /// A generator that begins at `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: AtomicU64::new(0) }
    }
}

#[cfg(feature = "conformance")]
impl Entropy for SeededEntropy {
    fn fill(&self, octets: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in octets.chunks_mut(32) {
            let count = self.drawn.fetch_add(1, Ordering::Relaxed);
            let block = crate::crypto::sha256(&[self.seed.to_be_bytes(), count.to_be_bytes()].concat());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        Ok(())
    }
}
