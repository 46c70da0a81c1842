// SPDX-License-Identifier: Apache-2.0
//! What a password field says without giving away any of it.
//!
//! Source: shadow(5), crypt(5); `passwd -S` of shadow-utils for the letters.

use snapscan_schema::Value;

/// Prefixes of crypt(5), and the names it gives them.
const METHODS: &[(&[u8], &str)] = &[
    (b"$y$", "yescrypt"),
    (b"$gy$", "gost-yescrypt"),
    (b"$7$", "scrypt"),
    (b"$2a$", "bcrypt"),
    (b"$2b$", "bcrypt"),
    (b"$2x$", "bcrypt"),
    (b"$2y$", "bcrypt"),
    (b"$6$", "sha512crypt"),
    (b"$5$", "sha256crypt"),
    (b"$sha1", "sha1crypt"),
    (b"$md5", "SunMD5"),
    (b"$1$", "md5crypt"),
    (b"$3$", "NT"),
];

/// The state of a password, from the field of the open file and that of the shadow file if it has an entry.
pub(super) fn state(open: &[u8], shadow: Option<&[u8]>) -> Vec<(&'static str, Value)> {
    let field = match (shadow, open) {
        (Some(field), _) => field,
        // A lone x stands for an entry in the shadow file.
        (None, b"x") => return vec![("password", "unknown".into())],
        (None, field) => field,
    };
    let (state, letters) = match field.first() {
        None => ("empty", "NP"),
        Some(b'!' | b'*') => ("locked", "L"),
        Some(_) => ("set", "P"),
    };
    let mut values = vec![("password", state.into()), ("passwd_status", letters.into())];
    // A locked password stands behind the mark, so that it can be unlocked.
    let bare =
        field.iter().position(|byte| !matches!(byte, b'!' | b'*')).and_then(|start| field.get(start..));
    let method = bare.and_then(method).or((state == "set").then_some("unknown"));
    values.extend(method.map(|method| ("algorithm", method.into())));
    values
}

/// The method of a hash; `None` if it has none of their forms.
fn method(hash: &[u8]) -> Option<&'static str> {
    let salted = |bytes: &[u8]| bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/'));
    let known = METHODS.iter().find(|(prefix, _)| hash.starts_with(prefix)).map(|(_, name)| *name);
    known.or_else(|| match hash {
        [b'_', rest @ ..] if rest.len() == 19 && salted(rest) => Some("bsdicrypt"),
        _ if hash.len() == 13 && salted(hash) => Some("descrypt"),
        _ => None,
    })
}
