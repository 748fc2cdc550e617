//! Tests of OCSP: requests as others write them, limits, and the bytes of responses.
use proptest::prelude::*;
use time::macros::datetime;

use super::*;
use crate::crypto::PrivateKey;
use crate::x509::KeyAlgorithm;

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

fn cert_id(algorithm: ObjectIdentifier, hash: &[u8], serial: &[u8]) -> Vec<u8> {
    let mut fields = enclose(Tag::Sequence, &[algorithm.to_der().unwrap(), vec![5, 0]].concat()).unwrap();
    push(&mut fields, Tag::OctetString, hash).unwrap();
    push(&mut fields, Tag::OctetString, hash).unwrap();
    push(&mut fields, Tag::Integer, serial).unwrap();
    enclose(Tag::Sequence, &fields).unwrap()
}

fn request(ids: &[Vec<u8>], nonce: Option<&[u8]>) -> Vec<u8> {
    let list: Vec<u8> = ids.iter().flat_map(|id| enclose(Tag::Sequence, id).unwrap()).collect();
    let mut tbs = enclose(Tag::Sequence, &list).unwrap();
    if let Some(nonce) = nonce {
        let mut extension = ID_PKIX_OCSP_NONCE.to_der().unwrap();
        push(&mut extension, Tag::OctetString, &enclose(Tag::OctetString, nonce).unwrap()).unwrap();
        let extensions = enclose(Tag::Sequence, &enclose(Tag::Sequence, &extension).unwrap()).unwrap();
        push(&mut tbs, explicit(2), &extensions).unwrap();
    }
    enclose(Tag::Sequence, &enclose(Tag::Sequence, &tbs).unwrap()).unwrap()
}

fn plain() -> Vec<u8> {
    cert_id(SHA_1, &[7; 20], &[0x12, 0x34])
}

#[test]
fn both_hashes_are_read_and_others_belong_to_nobody() {
    let ids = [
        plain(),
        cert_id(SHA_256, &[7; 32], &[1]),
        cert_id(SHA_256, &[7; 20], &[1]),
        cert_id(ID_PKIX_OCSP_BASIC, &[7; 20], &[1]),
    ];
    let read = OcspRequest::from_der(&request(&ids, None)).unwrap();
    let known: Vec<bool> = read.certificates().iter().map(|id| id.key_hash().is_some()).collect();
    assert_eq!(known, [true, true, false, false]);
    assert_eq!(read.certificates()[0].der(), ids[0], "what is answered is what was asked, octet by octet");
    assert_eq!(read.certificates()[0].serial().unwrap().to_string(), "1234");
}

#[test]
fn a_serial_that_can_not_be_is_nobodys() {
    for serial in [&[0][..], &[0xff], &[0x7f; 21]] {
        let read = OcspRequest::from_der(&request(&[cert_id(SHA_1, &[7; 20], serial)], None)).unwrap();
        assert!(read.certificates()[0].serial().is_none(), "{serial:02x?}");
    }
}

#[test]
fn limits_hold() {
    let of = |count: usize| OcspRequest::from_der(&request(&vec![plain(); count], None));
    assert!(of(0).is_err() && of(MAX_OCSP_CERTIFICATES + 1).is_err());
    assert_eq!(of(MAX_OCSP_CERTIFICATES).unwrap().certificates().len(), MAX_OCSP_CERTIFICATES);
    let nonce = |length: usize| OcspRequest::from_der(&request(&[plain()], Some(&vec![9; length])));
    assert!(nonce(0).is_err() && nonce(33).is_err(), "RFC 8954");
    for length in [1, 16, 32] {
        assert_eq!(nonce(length).unwrap().nonce(), Some(&vec![9; length][..]));
    }
    assert!(OcspRequest::from_der(&vec![0x30; MAX_OCSP_REQUEST_BYTES + 1]).is_err());
}

#[test]
fn failures_are_five_octets() {
    assert_eq!(OcspFailure::MalformedRequest.to_der(), [0x30, 3, 0x0a, 1, 1]);
    assert_eq!(OcspFailure::Unauthorized.to_der(), [0x30, 3, 0x0a, 1, 6]);
}

#[test]
fn statuses_are_what_the_rfc_writes() {
    let encode = |status| {
        let mut der = Vec::new();
        push_status(&mut der, status).unwrap();
        der
    };
    assert_eq!(encode(OcspStatus::Good), [0x80, 0]);
    assert_eq!(encode(OcspStatus::Unknown), [0x82, 0]);
    let revoked = |reason| encode(OcspStatus::Revoked { reason, at: NOW });
    assert_eq!(revoked(RevocationReason::Unspecified), *b"\xa1\x11\x18\x0f20261122120000Z");
    assert_eq!(revoked(RevocationReason::KeyCompromise), *b"\xa1\x16\x18\x0f20261122120000Z\xa0\x03\x0a\x01\x01");
}

#[test]
fn a_response_holds_together() {
    let key = PrivateKey::generate(KeyAlgorithm::P256).unwrap();
    let read = OcspRequest::from_der(&request(&[plain()], Some(&[9; 32]))).unwrap();
    let head = ResponseHead { responder: key.public_key(), this_update: NOW, next_update: NOW, nonce: read.nonce() };
    let data = build(&head, &[SingleResponse { id: &read.certificates()[0], status: OcspStatus::Good }]).unwrap();
    for certificate in [None, Some(&[0x30, 0][..])] {
        let response = seal(&data, SignatureAlgorithm::EcdsaSha256, &[1, 2, 3], certificate).unwrap();
        let any = AnyRef::from_der(&response).unwrap();
        assert_eq!(any.value()[..3], [0x0a, 1, 0], "successful");
        assert!(response.windows(data.len()).any(|window| window == data));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(flip in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4), end in any::<prop::sample::Index>()) {
        let mut der = request(&[plain(), cert_id(SHA_256, &[7; 32], &[1])], Some(&[9; 16]));
        for (at, octet) in flip {
            let at = at.index(der.len());
            der[at] = octet;
        }
        let _ = OcspRequest::from_der(&der);
        let _ = OcspRequest::from_der(&der[..end.index(der.len())]);
    }
}
