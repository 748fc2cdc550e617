//! PKCS#12: a certificate with its chain and its private key, under a password.

use p12_keystore::error::Error;
use p12_keystore::{
    Certificate, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm, PrivateKey, PrivateKeyChain,
};
use zeroize::Zeroizing;

use super::ExportError;

/// How often the password is hashed, for the encryption and for the MAC alike: some hundredths of a second each.
const ITERATIONS: u32 = 100_000;

/// Writes a leaf certificate, the chain above it and the leaf's private key as DER PKCS#12 (RFC 7292).
///
/// Certificates and key are encrypted with PBES2: PBKDF2 with HMAC-SHA256 and 100 000 iterations, AES-256-CBC. The MAC
/// is HMAC-SHA256 with 100 000 iterations. OpenSSL 3 and GnuTLS are tested to read that; programs that know nothing newer
/// than 3DES and SHA-1 do not. `friendly_name` is what they show as the name or alias of the entry.
///
/// `leaf` and `chain` are DER certificates, the chain from the leaf's issuer upwards; `key_pkcs8` is DER PKCS#8. Whether
/// the key is the leaf's is not checked here. The library underneath keeps copies of the key that it does not wipe.
///
/// # Errors
///
/// A certificate that is not DER, a key that is not PKCS#8, or a name that a BMPString can not hold.
pub fn pkcs12(
    leaf: &[u8],
    chain: &[Vec<u8>],
    key_pkcs8: &[u8],
    password: &str,
    friendly_name: &str,
) -> Result<Zeroizing<Vec<u8>>, ExportError> {
    if friendly_name.is_empty() || friendly_name.chars().any(|character| u32::from(character) > 0xffff) {
        return Err(ExportError::FriendlyName);
    }
    let key = PrivateKey::from_der(key_pkcs8).map_err(|_| ExportError::Key)?;
    let certificates = std::iter::once(leaf).chain(chain.iter().map(Vec::as_slice)).enumerate();
    let certificates = certificates.map(|(index, der)| certificate(der).ok_or(ExportError::NotDer { index }));
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>()?;
    // The identifier only ties the key to the leaf inside the file.
    let entry = PrivateKeyChain::new(crate::crypto::sha256(leaf).as_slice(), key, certificates);
    let mut store = KeyStore::new();
    store.add_entry(friendly_name, KeyStoreEntry::PrivateKeyChain(entry));
    write(&store, password).map(Zeroizing::new).map_err(|error| ExportError::Encoding { reason: error.to_string() })
}

fn certificate(der: &[u8]) -> Option<Certificate> {
    // The parser stops at the end of the certificate; what follows it must not slip in.
    let whole = der::Decode::from_der(der).is_ok_and(|_: der::asn1::AnyRef<'_>| true);
    if whole { Certificate::from_der(der).ok() } else { None }
}

fn write(store: &KeyStore, password: &str) -> Result<Vec<u8>, Error> {
    store
        .writer(password)
        .encryption_algorithm(EncryptionAlgorithm::PbeWithHmacSha256AndAes256)
        .encryption_iterations(ITERATIONS)
        .mac_algorithm(MacAlgorithm::HmacSha256)
        .mac_iterations(ITERATIONS)
        .write()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::export::fixture::chain;
    use crate::x509::pem;

    #[test]
    fn refuses_what_it_can_not_carry() {
        let (leaf, root, key) = chain();
        let make =
            |leaf: &[u8], key: &[u8], name| pkcs12(leaf, std::slice::from_ref(&root), key, "x", name).map(|_| ());
        assert_eq!(make(&leaf, &key, ""), Err(ExportError::FriendlyName));
        assert_eq!(make(&leaf, &key, "🔑"), Err(ExportError::FriendlyName));
        assert_eq!(make(&leaf, b"nonsense", "x"), Err(ExportError::Key));
        assert_eq!(make(b"nonsense", &key, "x"), Err(ExportError::NotDer { index: 0 }));
        let trailing = [&leaf[..], &[0]].concat();
        assert_eq!(make(&trailing, &key, "x"), Err(ExportError::NotDer { index: 0 }));
    }

    #[test]
    fn openssl_and_gnutls_read_it() {
        let (leaf, root, key) = chain();
        for password in ["correct horse", "pässwörd"] {
            let p12 = pkcs12(&leaf, std::slice::from_ref(&root), &key, password, "web é").unwrap();
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("leaf.p12");
            std::fs::write(&path, &*p12).unwrap();
            let path = path.to_str().unwrap();
            let pass = format!("pass:{password}");
            let ask = ["pkcs12", "-in", path, "-passin", &pass, "-nodes", "-info"];
            if let Some(text) = crate::tool::output("openssl", &ask) {
                assert_eq!(pem::decode_all(&text, "CERTIFICATE", 1 << 20).unwrap(), [leaf.clone(), root.clone()]);
                assert_eq!(pem::decode_all(&text, "PRIVATE KEY", 1 << 20).unwrap(), std::slice::from_ref(&key));
            }
            let ask = ["--p12-info", "--inder", "--infile", path, "--password", password];
            if let Some(text) = crate::tool::output("certtool", &ask) {
                assert!(text.contains("-----BEGIN CERTIFICATE-----") && text.contains("PRIVATE KEY"), "{text}");
            }
        }
    }
}
