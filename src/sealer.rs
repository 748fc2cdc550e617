//! Private keys at rest: sealed in an authenticated envelope, never in the clear.

use std::fmt;
use std::fmt::Debug;

use async_trait::async_trait;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::crypto;

/// Seals private keys before they are stored, and opens them again.
///
/// # Contract
/// - What [`seal`](Sealer::seal) returns reveals nothing of the secret and can not be changed unnoticed.
/// - It opens only with the same `bound_to`: an envelope copied to another record does not open there.
/// - The same secret sealed twice gives envelopes that do not show it.
/// - Dropping a future leaves nothing behind that matters.
#[async_trait]
pub trait Sealer: Debug + Send + Sync + 'static {
    /// Seals `secret`. `bound_to` names the record that will hold it; `random` are fresh octets to make a nonce from.
    ///
    /// # Errors
    /// [`SealError::NotConfigured`], or [`SealError::Unavailable`]: nothing was sealed, and nothing will be stored.
    async fn seal(&self, secret: &Secret, bound_to: &str, random: [u8; 24]) -> Result<Vec<u8>, SealError>;

    /// Opens an envelope that was sealed for `bound_to`.
    ///
    /// # Errors
    /// [`SealError::UnknownKey`] if another key sealed it, [`SealError::Damaged`] if it was changed or belongs to another
    /// record, [`SealError::Unavailable`] if it can not be told now.
    async fn open(&self, envelope: &[u8], bound_to: &str) -> Result<Secret, SealError>;
}

/// Octets that are wiped from memory when dropped and never shown by `Debug`.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes over octets.
    pub fn new(octets: Vec<u8>) -> Self {
        Self(Zeroizing::new(octets))
    }

    /// The octets. Whoever copies them must wipe the copy.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The octets as text; empty if they are none.
    pub fn expose_text(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl From<Zeroizing<Vec<u8>>> for Secret {
    fn from(octets: Zeroizing<Vec<u8>>) -> Self {
        Self(octets)
    }
}

impl Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// Why something could not be sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The engine was built without a sealer, and keys are never stored in the clear.
    #[error("no sealer is configured, and private keys are not stored in the clear: give the engine builder a sealer")]
    NotConfigured,
    /// The envelope was sealed with a key that this sealer does not have.
    #[error("the envelope was sealed with another key (id {key_id})")]
    UnknownKey {
        /// The id of the key that sealed it, hex.
        key_id: String,
    },
    /// The envelope is damaged, or belongs to another record.
    #[error("the envelope does not open: it is damaged or belongs elsewhere")]
    Damaged,
    /// A sealer outside the process could not be reached.
    #[error("the sealer is unavailable: {reason}")]
    Unavailable {
        /// What it said.
        reason: String,
    },
}

/// The sealer of an engine that was given none: refuses.
#[derive(Clone, Copy, Debug, Default)]
pub struct RefusingSealer;

#[async_trait]
impl Sealer for RefusingSealer {
    async fn seal(&self, _: &Secret, _: &str, _: [u8; 24]) -> Result<Vec<u8>, SealError> {
        Err(SealError::NotConfigured)
    }

    async fn open(&self, _: &[u8], _: &str) -> Result<Secret, SealError> {
        Err(SealError::NotConfigured)
    }
}

const VERSION: u8 = 1;
const KEY_ID: usize = 4;
const NONCE: usize = 24;

/// Seals with XChaCha20-Poly1305 under a key of the host's; older keys still open.
///
/// The envelope is a version octet (1), four octets that tell the key, the nonce of 24 octets, and the ciphertext with its
/// tag of 16; the record's name is authenticated with it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), chancery::sealer::SealError> {
/// use chancery::sealer::{AeadSealer, SealError, Sealer, Secret};
///
/// let (old, new) = ([1; 32], [2; 32]);
/// let envelope = AeadSealer::new(&old).seal(&Secret::new(b"key".to_vec()), "private_key/cert-1", [9; 24]).await?;
///
/// let rotated = AeadSealer::new(&new).with_previous(&old);
/// assert_eq!(rotated.open(&envelope, "private_key/cert-1").await?.expose(), b"key");
/// assert_eq!(rotated.open(&envelope, "private_key/cert-2").await.unwrap_err(), SealError::Damaged);
/// # Ok(())
/// # }
/// ```
pub struct AeadSealer {
    current: Key,
    previous: Vec<Key>,
}

struct Key {
    id: [u8; KEY_ID],
    cipher: XChaCha20Poly1305,
}

impl Key {
    fn new(octets: &[u8; 32]) -> Self {
        let digest = crypto::sha256(&[b"chancery sealing key id".as_slice(), octets].concat());
        let id = [digest[0], digest[1], digest[2], digest[3]];
        Self { id, cipher: XChaCha20Poly1305::new(octets.into()) }
    }
}

impl AeadSealer {
    /// A sealer with a key of 32 random octets that the host keeps, for instance in its secret manager. Who loses it loses
    /// every key that it sealed.
    pub fn new(key: &[u8; 32]) -> Self {
        Self { current: Key::new(key), previous: Vec::new() }
    }

    /// Also opens what was sealed with an earlier key. Keep it as long as there are records that it sealed: nothing is sealed
    /// anew by itself.
    #[must_use]
    pub fn with_previous(mut self, key: &[u8; 32]) -> Self {
        self.previous.push(Key::new(key));
        self
    }

    fn key_of(&self, id: &[u8]) -> Result<&Key, SealError> {
        let mut keys = std::iter::once(&self.current).chain(&self.previous);
        let key_id = || id.iter().map(|octet| format!("{octet:02x}")).collect();
        keys.find(|key| key.id == *id).ok_or_else(|| SealError::UnknownKey { key_id: key_id() })
    }
}

impl Debug for AeadSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AeadSealer(redacted)")
    }
}

#[async_trait]
impl Sealer for AeadSealer {
    async fn seal(&self, secret: &Secret, bound_to: &str, random: [u8; NONCE]) -> Result<Vec<u8>, SealError> {
        let payload = Payload { msg: secret.expose(), aad: bound_to.as_bytes() };
        let sealed = self.current.cipher.encrypt(&XNonce::from(random), payload).map_err(|_| SealError::Damaged)?;
        let mut envelope = Vec::with_capacity(1 + KEY_ID + NONCE + sealed.len());
        envelope.push(VERSION);
        envelope.extend_from_slice(&self.current.id);
        envelope.extend_from_slice(&random);
        envelope.extend_from_slice(&sealed);
        Ok(envelope)
    }

    async fn open(&self, envelope: &[u8], bound_to: &str) -> Result<Secret, SealError> {
        let (version, rest) = envelope.split_first().ok_or(SealError::Damaged)?;
        let (id, rest) = rest.split_at_checked(KEY_ID).ok_or(SealError::Damaged)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(SealError::Damaged)?;
        if *version != VERSION {
            return Err(SealError::Damaged);
        }
        let payload = Payload { msg: sealed, aad: bound_to.as_bytes() };
        let opened = self.key_of(id)?.cipher.decrypt(&XNonce::from(*nonce), payload);
        opened.map(Secret::new).map_err(|_| SealError::Damaged)
    }
}
