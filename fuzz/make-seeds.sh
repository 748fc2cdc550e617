#!/usr/bin/env bash
# Makes the fuzzers' seeds anew with OpenSSL and GnuTLS. They are checked in; run this to change them.
set -euo pipefail
cd "$(dirname "$0")/seeds"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/config" <<'CONFIG'
[req]
prompt = no
distinguished_name = dn
attributes = attributes
[dn]
C = DE
O = Example GmbH
CN = a.example.com
[attributes]
challengePassword = secret12
[full]
subjectAltName = DNS:a.example.com, DNS:*.example.org, IP:192.0.2.1, IP:2001:db8::1, email:jane@example.com, URI:spiffe://example.org/ns/a, otherName:1.3.6.1.4.1.311.20.2.3;UTF8:jane@corp.example
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, 1.3.6.1.4.1.311.20.2.2
basicConstraints = critical, CA:TRUE, pathlen:1
crlDistributionPoints = URI:http://crl.example.com/ca.crl
authorityInfoAccess = OCSP;URI:http://ocsp.example.com, caIssuers;URI:http://ca.example.com/ca.cer
CONFIG
cat > "$work/template" <<'TEMPLATE'
cn = "a.example.com"
dns_name = "a.example.com"
tls_www_server
serial = 4711
expiration_days = 30
TEMPLATE

mkdir -p csr csr_resigned certificate pem
for curve in P-256 P-384; do
  openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:$curve" -out "$work/key"
  openssl req -new -key "$work/key" -config "$work/config" -reqexts full -outform DER -out "csr/$curve.der"
  openssl req -x509 -key "$work/key" -config "$work/config" -extensions full -days 30 -outform DER -out "certificate/$curve.der"
done
openssl genpkey -algorithm ED25519 -out "$work/key"
openssl req -new -key "$work/key" -config "$work/config" -subj / -out csr/ed25519.pem
openssl req -x509 -key "$work/key" -config "$work/config" -days 30 -text -out certificate/ed25519.pem
certtool --generate-privkey --key-type=rsa --bits=2048 --outfile="$work/key" 2> "$work/log"
certtool --generate-request --load-privkey="$work/key" --template="$work/template" --outfile=csr/certtool.pem 2> "$work/log"
certtool --generate-self-signed --load-privkey="$work/key" --template="$work/template" --outfile=certificate/certtool.pem 2> "$work/log"
cp csr/ed25519.pem certificate/certtool.pem pem/

# The content of a subject and of the attributes, with the length of the first in front: what csr_resigned takes.
name=$(openssl asn1parse -inform DER -in csr/P-256.der | awk -F'[: ]+' '/d=2.*SEQUENCE/ { print; exit }')
read -r start header length < <(sed -E 's/^ *([0-9]+):d=2 +hl=([0-9]+) +l= *([0-9]+).*/\1 \2 \3/' <<< "$name")
attributes=$(openssl asn1parse -inform DER -in csr/P-256.der | grep 'd=2.*cont \[ 0 \]')
read -r at bytes size < <(sed -E 's/^ *([0-9]+):d=2 +hl=([0-9]+) +l= *([0-9]+).*/\1 \2 \3/' <<< "$attributes")
{
  printf %b "\\x$(printf %x "$length")"
  tail -c +$((start + header + 1)) csr/P-256.der | head -c "$length"
  tail -c +$((at + bytes + 1)) csr/P-256.der | head -c "$size"
} > csr_resigned/full

# Lists with and without entries, and requests with either hash, with and without a nonce.
mkdir -p crl ocsp_request
cat > "$work/ca" <<CONFIG
[ca]
default_ca = own
[own]
database = $work/index
crlnumber = $work/number
default_md = sha256
default_crl_days = 7
crl_extensions = extensions
[extensions]
authorityKeyIdentifier = keyid
issuingDistributionPoint = critical, @point
[point]
fullname = URI:http://crl.example.com/ca-0.crl
CONFIG
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/key"
openssl req -x509 -key "$work/key" -config "$work/config" -addext subjectKeyIdentifier=hash -days 30 -out "$work/own.pem"
: > "$work/index"
echo 0a > "$work/number"
list() { openssl ca -config "$work/ca" -gencrl -keyfile "$work/key" -cert "$work/own.pem" -out "$work/crl" 2> "$work/log" && openssl crl -in "$work/crl" -outform DER -out "crl/$1.der"; }
list empty
printf 'R\t300101000000Z\t260101000000Z,keyCompromise\t4711\tunknown\t/CN=a\nR\t300101000000Z\t260101000000Z\t4712\tunknown\t/CN=b\n' > "$work/index"
list entries
openssl ocsp -issuer "$work/own.pem" -serial 0x4711 -no_nonce -reqout ocsp_request/sha1.der
openssl ocsp -sha256 -issuer "$work/own.pem" -serial 0x4711 -serial 0x4712 -reqout ocsp_request/nonce.der

# The requests of the API are written by hand, but for the one that brings a certificate request.
mkdir -p api_request
jq -n --rawfile csr csr/ed25519.pem \
  '{profileId: "prof-01m81j18g0jnxjeev5b59fe4h0", csr: $csr, attributes: {ttl: "30m"}}' > api_request/csr.json
