//! PKCS#7 certs-only: a SignedData that signs nothing and carries certificates.

use std::collections::HashSet;

use cms::cert::CertificateChoices;
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{CertificateSet, EncapsulatedContentInfo, SignedData, SignerInfos};
use const_oid::db::rfc5911::{ID_DATA, ID_SIGNED_DATA};
use der::asn1::{Any, SetOfVec};
use der::{Decode, Encode};
use x509_cert::Certificate;

use super::ExportError;

/// Writes DER certificates as a DER degenerate SignedData without signers (RFC 5652 section 5.2, "certs-only" of
/// RFC 8551 section 3.8).
///
/// The certificates are a SET OF, which DER sorts by octets: the order of the chain does not survive, and a reader
/// finds the leaf as the certificate that issued no other.
///
/// # Errors
///
/// An empty chain, a certificate that is not DER, or the same one twice.
pub fn pkcs7_certs_only(chain: &[Vec<u8>]) -> Result<Vec<u8>, ExportError> {
    if chain.is_empty() {
        return Err(ExportError::Empty);
    }
    if chain.iter().collect::<HashSet<_>>().len() < chain.len() {
        return Err(ExportError::Duplicate);
    }
    let certificates = chain.iter().enumerate().map(|(index, der)| choice(der).ok_or(ExportError::NotDer { index }));
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>()?;
    encode(certificates).map_err(|error| ExportError::Encoding { reason: error.to_string() })
}

fn choice(der: &[u8]) -> Option<CertificateChoices> {
    let certificate = Certificate::from_der(der).ok()?;
    // The signature covers the octets: what would be written differently is not the same certificate.
    let faithful = certificate.to_der().is_ok_and(|written| written == der);
    faithful.then_some(CertificateChoices::Certificate(certificate))
}

fn encode(certificates: Vec<CertificateChoices>) -> der::Result<Vec<u8>> {
    let signed_data = SignedData {
        version: CmsVersion::V1,
        digest_algorithms: SetOfVec::default(),
        encap_content_info: EncapsulatedContentInfo { econtent_type: ID_DATA, econtent: None },
        certificates: Some(CertificateSet::try_from(certificates)?),
        crls: None,
        signer_infos: SignerInfos(SetOfVec::default()),
    };
    ContentInfo { content_type: ID_SIGNED_DATA, content: Any::encode_from(&signed_data)? }.to_der()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::export::fixture::chain;
    use crate::x509::pem;

    #[test]
    fn refuses_what_it_can_not_carry() {
        let (leaf, root, _) = chain();
        assert_eq!(pkcs7_certs_only(&[]), Err(ExportError::Empty));
        assert_eq!(pkcs7_certs_only(&[leaf.clone(), vec![0x30, 0]]), Err(ExportError::NotDer { index: 1 }));
        assert_eq!(pkcs7_certs_only(&[leaf.clone(), root, leaf]), Err(ExportError::Duplicate));
    }

    #[test]
    fn openssl_and_gnutls_read_it() {
        let (leaf, root, _) = chain();
        let p7 = pkcs7_certs_only(&[leaf.clone(), root.clone()]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chain.p7b");
        std::fs::write(&path, &p7).unwrap();
        let path = path.to_str().unwrap();
        if let Some(text) = crate::tool::output("openssl", &["pkcs7", "-inform", "DER", "-in", path, "-print_certs"]) {
            let mut found = pem::decode_all(&text, "CERTIFICATE", 1 << 20).unwrap();
            found.sort();
            let mut expected = vec![leaf, root];
            expected.sort();
            assert_eq!(found, expected);
        }
        if let Some(text) = crate::tool::output("certtool", &["--p7-info", "--inder", "--infile", path]) {
            assert!(text.contains("Number of certificates: 2"), "{text}");
        }
    }
}
