//! The frame around everything that is signed: body, algorithm, signature (RFC 5280 section 4.1, RFC 2986 section 4.2).

use der::asn1::BitStringRef;
use der::{Decode, Encode, Reader, SliceReader};
use spki::{AlgorithmIdentifierOwned, AlgorithmIdentifierRef};

use super::SignatureAlgorithm;

/// A signed structure, taken apart without copying; `body` is exactly what the signature covers.
pub(super) struct Envelope<'a> {
    pub(super) body: &'a [u8],
    pub(super) algorithm: AlgorithmIdentifierRef<'a>,
    pub(super) signature: &'a [u8],
}

impl<'a> Envelope<'a> {
    pub(super) fn from_der(bytes: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(bytes)?;
        let envelope = reader.sequence(|inner| {
            let body = inner.tlv_bytes()?;
            let algorithm = AlgorithmIdentifierRef::decode(inner)?;
            let signature = BitStringRef::decode(inner)?;
            let signature = signature.as_bytes().ok_or_else(|| der::Tag::BitString.value_error())?;
            Ok::<_, der::Error>(Self { body, algorithm, signature })
        })?;
        reader.finish()?;
        Ok(envelope)
    }
}

/// Puts `body` and its signature together.
pub(super) fn seal(body: &[u8], algorithm: SignatureAlgorithm, signature: &[u8]) -> der::Result<Vec<u8>> {
    let algorithm: AlgorithmIdentifierOwned = algorithm.to_identifier();
    let signature = BitStringRef::from_bytes(signature)?;
    let content = (der::Length::try_from(body.len())? + algorithm.encoded_len()? + signature.encoded_len()?)?;
    let header = der::Header::new(der::Tag::Sequence, content);
    let mut bytes = Vec::with_capacity(body.len() + 128 + signature.raw_bytes().len());
    header.encode_to_vec(&mut bytes)?;
    bytes.extend_from_slice(body);
    algorithm.encode_to_vec(&mut bytes)?;
    signature.encode_to_vec(&mut bytes)?;
    Ok(bytes)
}
