//! For each endpoint of the document a request that does something.

use chancery::front::api::Api;
use http::Method;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use serde_json::{Value, json};

use crate::scene::Scene;
use crate::support::START;

/// An endpoint as the document has it.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) needs: String,
    pub(crate) value: Value,
}

pub(crate) fn operations() -> Vec<Operation> {
    let document = Api::document();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, value) in methods.as_object().unwrap() {
            operations.push(Operation {
                id: value["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                needs: value["x-needs"].as_str().unwrap().to_owned(),
                value: value.clone(),
            });
        }
    }
    operations
}

/// The path with its placeholders filled in, and the query.
pub(crate) fn path(operation: &Operation, scene: &Scene) -> String {
    let world = &scene.world;
    let certificate = match operation.id.as_str() {
        "deleteCertificate" => scene.expired.record.id,
        "releaseHold" => scene.held,
        _ => scene.valid.record.id,
    };
    let request = match operation.id.as_str() {
        "getCertificateRequest" => scene.valid.request,
        _ => scene.waiting,
    };
    let authority = if operation.id == "installAuthority" { scene.awaiting.id } else { world.root.id };
    let policy = if operation.id == "deletePolicy" { scene.idle_policy } else { world.profile.policy };
    let name = match operation.id.as_str() {
        "getApplicationByName" => "payments",
        "getPolicyByName" => "web",
        "getAuthorityByName" => "root",
        _ => "guarded",
    };
    let filled = [
        ("certificateId", certificate.to_string()),
        ("certificateRequestId", request.to_string()),
        ("applicationId", world.application.id.to_string()),
        ("profileId", world.profile.id.to_string()),
        ("policyId", policy.to_string()),
        ("caId", authority.to_string()),
        ("syncId", scene.sync.to_string()),
        ("alertId", scene.alert.to_string()),
        ("tokenId", scene.token.to_string()),
        ("bindingId", scene.binding.to_string()),
        ("accountId", scene.account.to_string()),
        ("incidentId", scene.incident.to_string()),
        ("name", name.to_owned()),
        ("slug", "web".to_owned()),
        ("revision", "1".to_owned()),
        ("memberKind", "users".to_owned()),
        ("memberId", "audra".to_owned()),
    ];
    let path =
        filled.iter().fold(operation.path.clone(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value));
    assert!(!path.contains('{'), "{path} is not filled in");
    let application = world.application.id;
    match operation.id.as_str() {
        "listCertificates" | "listCertificateRequests" | "listSyncs" => format!("{path}?applicationId={application}"),
        _ => path,
    }
}

fn alert() -> Value {
    let channel = json!({ "channelType": "custom", "config": { "notifier": "recorder", "to": "desk" } });
    json!({ "name": "alert", "eventType": "expiration", "alertBefore": "14d", "channels": [channel] })
}

fn policy(name: &str) -> Value {
    json!({
        "name": name, "sans": [{ "type": "dns_name", "allowed": ["*.example.org"] }], "validity": { "max": "90d" },
        "keyUsages": { "allowed": ["digital_signature"] }, "basicConstraints": { "isCA": "denied" },
    })
}

fn outside() -> (String, String, rcgen::Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Outside");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params.not_before = START - time::Duration::DAY;
    params.not_after = START + time::Duration::DAY * 3000;
    let own = params.self_signed(&key).unwrap().pem();
    (own, key.serialize_pem(), rcgen::Issuer::new(params, key))
}

async fn installed(scene: &Scene) -> Value {
    let path = format!("/ca/internal/{}/ca-certificates", scene.awaiting.id);
    let certificates = scene.front.get("root", &path).await.good();
    let mut request = CertificateSigningRequestParams::from_pem(certificates["csr"].as_str().unwrap()).unwrap();
    let (root, _, issuer) = outside();
    request.params.not_before = START;
    request.params.not_after = START + time::Duration::DAY * 2000;
    let signed = request.signed_by(&issuer).unwrap();
    json!({ "certificate": signed.pem(), "certificateChain": root })
}

/// The body, for endpoints that take one.
pub(crate) async fn body(operation: &Operation, scene: &Scene) -> Option<Value> {
    let world = &scene.world;
    let (application, profile) = (world.application.id.to_string(), world.profile.id.to_string());
    let ask = json!({
        "profileId": profile, "applicationId": application,
        "attributes": { "commonName": "new.example.com", "altNames": [{ "type": "DNS", "value": "new.example.com" }] },
    });
    Some(match operation.id.as_str() {
        "issueCertificate" | "dryRun" | "explain" => ask,
        "searchCertificates" => json!({ "applicationId": application, "domain": "example.com" }),
        "setMetadata" => json!({ "metadata": [{ "key": "env", "value": "test" }] }),
        "renewCertificate" => json!({ "renewalKeySource": "new" }),
        "configureCertificate" => json!({ "renewBeforeDays": 10 }),
        "revokeCertificate" => json!({ "revocationReason": "SUPERSEDED" }),
        "revokeByThumbprint" => {
            json!({ "thumbprint": scene.valid.record.fingerprint, "revocationReason": "KEY_COMPROMISE" })
        }
        "openIncident" => json!({
            "revocationReason": "SUPERSEDED", "deadline": "2050-01-01", "select": { "applicationId": application },
        }),
        "verifyAudit" => json!({ "from": 1 }),
        "exportPkcs12" => json!({ "password": "correct horse", "alias": "web" }),
        "importCertificate" => {
            json!({ "applicationId": application, "certificatePem": scene.valid.certificate().pem() })
        }
        "createApplication" => json!({ "name": "mine", "profileIds": [profile] }),
        "editApplication" => json!({ "description": "new", "keyRereading": false }),
        "addMember" => json!({ "principal": "machine:ci", "role": "operator" }),
        "setMemberRole" => json!({ "role": "operator" }),
        "attachProfile" => json!({ "profileIds": [profile] }),
        "setApiEnrollment" => json!({ "autoRenew": true, "renewBeforeDays": 20 }),
        "setAcmeEnrollment" => json!({ "skipEabBinding": true }),
        "createAcmeBinding" => json!({ "name": "edge", "uses": "many", "ttl": "30d", "dnsNames": ["**.example.com"] }),
        "setEstEnrollment" => json!({ "disableBootstrapCaValidation": true }),
        "setScepEnrollment" => json!({ "challengeType": "dynamic" }),
        "saveApprovalPolicy" => json!({
            "name": "new", "conditions": { "sans": [{ "type": "dns_name", "patterns": ["new.example.org"] }] },
            "steps": [{ "requiredApprovals": 1, "approvers": ["group:ops"] }],
        }),
        "orderApprovalPolicies" => json!({ "names": ["guarded"] }),
        "approve" | "reject" => json!({ "digest": scene.digest, "comment": "as agreed" }),
        "saveProfile" => json!({
            "slug": "other", "issuerType": "ca", "ca": "root", "certificatePolicy": "web",
            "defaults": { "ttlDays": 30, "keyAlgorithm": "EC_prime256v1", "extendedKeyUsages": ["server_auth"] },
        }),
        "savePolicy" => policy("other"),
        "policyImpact" => json!({ "policy": policy("web") }),
        "createAuthority" => json!({
            "name": "another", "type": "intermediate", "parentCaId": world.root.id.to_string(), "commonName": "Another",
            "ttl": "30d",
        }),
        "importAuthority" => {
            let (chain, key, _) = outside();
            json!({ "name": "outside", "certificateChain": chain, "privateKey": key })
        }
        "editAuthority" => json!({ "status": { "crl": { "validity": "5d" } }, "renewals": { "perMinute": 100 } }),
        "installAuthority" => installed(scene).await,
        "saveSync" => json!({
            "applicationId": application, "name": "edge", "destination": "edge", "description": "new",
            "filters": { "metadata": [{ "key": "sync", "value": "edge" }] },
        }),
        "removeFromSync" => json!({ "certificateId": scene.valid.record.id.to_string() }),
        "saveAlert" | "previewAlert" | "saveProductAlert" => alert(),
        "createToken" => json!({ "name": "mine", "ttl": "1h" }),
        _ => return None,
    })
}
