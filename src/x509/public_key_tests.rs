//! Every way in which a public key is refused, and the identifiers of those that are not.

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::crypto::PrivateKey;
use crate::x509::weak_key::tests::{close_modulus, roca_modulus};

fn spki(identifier: &[u8], bits: &[u8]) -> Vec<u8> {
    let string = [&header(3, bits.len() + 1)[..], &[0], bits].concat();
    [&header(0x30, identifier.len() + string.len())[..], identifier, &string].concat()
}

fn refusal(identifier: &[u8], bits: &[u8]) -> KeyRefusal {
    PublicKey::from_spki_der(&spki(identifier, bits)).unwrap_err()
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> KeyRefusal {
    let integer = |value: &[u8]| {
        let padded = [if value[0] < 0x80 { &[][..] } else { &[0] }, value].concat();
        [header(2, padded.len()), padded].concat()
    };
    let body = [integer(modulus), integer(exponent)].concat();
    refusal(identifier_der(KeyAlgorithm::Rsa2048), &[header(0x30, body.len()), body].concat())
}

fn point(algorithm: KeyAlgorithm) -> Vec<u8> {
    PrivateKey::generate(algorithm).unwrap().public_key().subject_public_key().to_vec()
}

#[test]
fn accepts_every_algorithm_and_identifies_it() {
    for algorithm in KeyAlgorithm::ALL.into_iter().filter(|algorithm| *algorithm != KeyAlgorithm::Rsa4096) {
        let made = PrivateKey::generate(algorithm).unwrap().public_key().clone();
        let read = PublicKey::try_from(made.spki_der()).unwrap();
        assert_eq!((read.algorithm(), &read), (algorithm, &made));
        assert_eq!(read.subject_public_key(), made.subject_public_key());
        assert_eq!(read.fingerprint(), <[u8; 32]>::from(Sha256::digest(read.as_ref())));
        let parsed = SubjectPublicKeyInfoRef::from_der(made.spki_der()).unwrap();
        let bits = parsed.subject_public_key.as_bytes().unwrap();
        assert_eq!(read.key_identifier(), Sha256::digest(bits)[..20]);
    }
}

#[test]
fn refuses_what_is_not_one_der_value() {
    let good = spki(identifier_der(KeyAlgorithm::P256), &point(KeyAlgorithm::P256));
    assert!(PublicKey::from_spki_der(&good).is_ok());
    let long_form = [&[0x30, 0x81, good[1]], &good[2..]].concat();
    let mut unused_bits = good.clone();
    unused_bits[25] = 1;
    for bad in [vec![], [&good[..], &[0]].concat(), good[..good.len() - 1].to_vec(), long_form, unused_bits] {
        assert_eq!(PublicKey::from_spki_der(&bad), Err(KeyRefusal::Malformed));
    }
    assert_eq!(PublicKey::from_spki_der(&[0; 4097]), Err(KeyRefusal::TooLong { seen: 4097, max: 4096 }));
    assert_eq!(refusal(identifier_der(KeyAlgorithm::Rsa2048), b"\x30\x00"), KeyRefusal::Malformed);
}

#[test]
fn refuses_other_algorithms_and_parameters() {
    let x25519 = refusal(b"\x30\x05\x06\x03\x2b\x65\x6e", &[9; 32]);
    assert_eq!(x25519, KeyRefusal::UnsupportedAlgorithm { oid: "1.3.101.110".into() });
    let wrong = |oid: &str, expected| KeyRefusal::WrongParameters { oid: oid.into(), expected };
    let ed25519 = refusal(b"\x30\x07\x06\x03\x2b\x65\x70\x05\x00", &[9; 32]);
    assert_eq!(ed25519, wrong("1.3.101.112", "absent"));
    let ml_dsa = refusal(b"\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x11\x05\x00", &[9; 1312]);
    assert_eq!(ml_dsa, wrong("2.16.840.1.101.3.4.3.17", "absent"));
    let without_null = refusal(b"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", &[0x30, 0]);
    assert_eq!(without_null, wrong("1.2.840.113549.1.1.1", "NULL"));
}

#[test]
fn refuses_curves_and_points() {
    let k1 = refusal(b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x0a", &[4; 65]);
    assert_eq!(k1, KeyRefusal::UnsupportedCurve { oid: "1.3.132.0.10".into() });
    for unnamed in [
        &b"\x30\x09\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"[..],
        b"\x30\x0b\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x05\x00",
        b"\x30\x0e\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x30\x03\x02\x01\x01",
    ] {
        assert_eq!(refusal(unnamed, &[4; 65]), KeyRefusal::UnnamedCurve);
    }
    for algorithm in [KeyAlgorithm::P256, KeyAlgorithm::P384, KeyAlgorithm::P521] {
        let (identifier, good) = (identifier_der(algorithm), point(algorithm));
        let mut off_curve = good.clone();
        *off_curve.last_mut().unwrap() ^= 1;
        assert_eq!(refusal(identifier, &off_curve), KeyRefusal::PointNotOnCurve);
        let beyond_the_field = [&[4][..], &vec![0xff; good.len() - 1]].concat();
        assert_eq!(refusal(identifier, &beyond_the_field), KeyRefusal::PointNotOnCurve);
        assert_eq!(refusal(identifier, &[0]), KeyRefusal::IdentityPoint);
        let compressed = [&[2][..], &good[1..good.len() / 2 + 1]].concat();
        assert_eq!(refusal(identifier, &compressed), KeyRefusal::CompressedPoint);
        let hybrid = [&[6][..], &good[1..]].concat();
        assert_eq!(refusal(identifier, &hybrid), KeyRefusal::Malformed);
        assert!(matches!(refusal(identifier, &good[1..]), KeyRefusal::WrongLength { .. }));
        assert!(matches!(refusal(identifier, &[]), KeyRefusal::WrongLength { seen: 0, .. }));
    }
}

#[test]
fn refuses_edwards_and_lattice_keys() {
    let identifier = identifier_der(KeyAlgorithm::Ed25519);
    assert_eq!(refusal(identifier, &[1; 31]), KeyRefusal::WrongLength { seen: 31, expected: 32 });
    let mut identity = [0; 32];
    identity[0] = 1;
    assert_eq!(refusal(identifier, &identity), KeyRefusal::SmallOrderPoint);
    assert_eq!(refusal(identifier, &[0; 32]), KeyRefusal::SmallOrderPoint);
    let mut off_curve = [0; 32];
    off_curve[0] = 2;
    assert_eq!(refusal(identifier, &off_curve), KeyRefusal::PointNotOnCurve);
    for (algorithm, expected) in
        [(KeyAlgorithm::MlDsa44, 1312), (KeyAlgorithm::MlDsa65, 1952), (KeyAlgorithm::MlDsa87, 2592)]
    {
        assert!(PublicKey::from_spki_der(&spki(identifier_der(algorithm), &vec![1; expected])).is_ok());
        for seen in [0, expected - 1, expected + 1] {
            let refused = refusal(identifier_der(algorithm), &vec![1; seen]);
            assert_eq!(refused, KeyRefusal::WrongLength { seen, expected });
        }
    }
}

#[test]
fn refuses_rsa_keys() {
    let e = [1, 0, 1];
    for bits in [1024, 2040, 2056, 6144, 8192] {
        assert_eq!(rsa(&vec![0xff; bits / 8], &e), KeyRefusal::RsaModulusSize { bits: bits as u32 });
    }
    assert_eq!(rsa(&vec![0x7f; 256], &e), KeyRefusal::RsaModulusSize { bits: 2047 });
    assert_eq!(rsa(&close_modulus(2), &[3]), KeyRefusal::RsaExponent { seen: "03".into() });
    assert!(matches!(rsa(&close_modulus(2), &[0xff; 33]), KeyRefusal::RsaExponent { .. }));
    assert_eq!(rsa(&[0x80; 256], &e), KeyRefusal::RsaModulusEven);
    assert_eq!(rsa(&[0xff; 256], &e), KeyRefusal::RsaSmallFactor { prime: 3 });
    assert_eq!(rsa(&roca_modulus(), &e), KeyRefusal::RsaRoca);
    assert_eq!(rsa(&close_modulus(2), &e), KeyRefusal::RsaClosePrimes);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = PublicKey::from_spki_der(&bytes);
    }

    #[test]
    fn no_key_of_a_known_algorithm_makes_it_panic(
        algorithm in proptest::sample::select(KeyAlgorithm::ALL.to_vec()),
        bits in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = PublicKey::from_spki_der(&spki(identifier_der(algorithm), &bits));
    }
}
