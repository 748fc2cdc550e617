//! Fields as this API spells them: the engine tells of `sans[1]`, a client wrote `attributes.altNames[1]`.

/// `not_before` as `notBefore`; whatever is in brackets stays.
pub(super) fn camel(path: &str) -> String {
    let mut spelled = String::with_capacity(path.len());
    let (mut is_bracketed, mut is_raised) = (false, false);
    for c in path.chars() {
        match c {
            '[' => is_bracketed = true,
            ']' => is_bracketed = false,
            _ => {}
        }
        match c {
            '_' if !is_bracketed => is_raised = true,
            c if is_raised => {
                spelled.push(c.to_ascii_uppercase());
                is_raised = false;
            }
            c => spelled.push(c),
        }
    }
    spelled
}

/// The field of a request for a certificate.
pub(super) fn request(field: &str) -> String {
    let (head, rest) = field.find(['.', '[']).map_or((field, ""), |at| field.split_at(at));
    match head {
        "subject" => format!("attributes{}", subject(rest)),
        "sans" => format!("attributes.altNames{rest}"),
        "names" => "attributes".to_owned(),
        "key_algorithm"
        | "signature_algorithm"
        | "key_usages"
        | "extended_key_usages"
        | "basic_constraints"
        | "ttl"
        | "not_before"
        | "not_after" => format!("attributes.{}", camel(field)),
        "validity" => "attributes.ttl".to_owned(),
        "profile" => "profileId".to_owned(),
        "csr" => "csr".to_owned(),
        _ => camel(field),
    }
}

/// `.domain_component` is a list here.
fn subject(rest: &str) -> String {
    match rest {
        ".domain_component" => ".domainComponents".to_owned(),
        rest => camel(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_told_as_clients_write_them() {
        let table = [
            ("sans[1]", "attributes.altNames[1]"),
            ("subject.common_name", "attributes.commonName"),
            ("subject.domain_component", "attributes.domainComponents"),
            ("key_usages", "attributes.keyUsages"),
            ("csr.public_key", "csr"),
            ("profile", "profileId"),
            ("names", "attributes"),
            ("metadata", "metadata"),
        ];
        for (engine, client) in table {
            assert_eq!(request(engine), client);
        }
        assert_eq!(camel("conditions.sans[dns_name].key_algorithms[0]"), "conditions.sans[dns_name].keyAlgorithms[0]");
    }
}
