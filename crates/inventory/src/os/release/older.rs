// SPDX-License-Identifier: Apache-2.0
//! Release files from before os-release, and of systems without it.

use std::collections::BTreeMap;

use snapscan_schema::{System, Text};

use super::assignments::Assignments;

/// How a release line names a system, its id as os-release of a later release has it, and what it is like.
const NAMES: &[(&str, &str, &[&str])] = &[
    ("Red Hat Enterprise Linux", "rhel", &["fedora"]),
    ("CentOS", "centos", &["rhel", "fedora"]),
    ("Fedora", "fedora", &[]),
    ("CloudLinux", "cloudlinux", &["rhel", "fedora", "centos"]),
    ("Scientific Linux", "scientific", &["rhel", "centos", "fedora"]),
    ("Oracle Linux", "ol", &["fedora"]),
    ("Enterprise Linux Enterprise Linux", "ol", &["fedora"]),
    ("AlmaLinux", "almalinux", &["rhel", "centos", "fedora"]),
    ("Rocky Linux", "rocky", &["rhel", "centos", "fedora"]),
    ("Amazon Linux", "amzn", &["rhel", "fedora"]),
    ("Mandriva", "mandriva", &["mageia"]),
    ("Mageia", "mageia", &["mandriva"]),
    ("SUSE Linux Enterprise Server", "sles", &["suse"]),
    ("SUSE Linux Enterprise Desktop", "sled", &["suse"]),
    ("SUSE Linux Enterprise", "sle", &["suse"]),
    ("openSUSE", "opensuse", &["suse"]),
    ("VMware Photon", "photon", &[]),
    ("Slackware", "slackware", &[]),
    ("Gentoo", "gentoo", &[]),
];

/// What one of these files says, by its name; `None` if nothing that names a system.
pub(super) fn read(file: &[u8], bytes: &[u8]) -> Option<System> {
    match file {
        b"lsb-release" | b"openwrt_release" => lsb(bytes),
        b"alpine-release" => only_version("alpine", "Alpine Linux", bytes),
        b"debian_version" => debian(bytes),
        b"arch-release" => Some(named("arch", "Arch Linux")),
        b"SuSE-release" => suse(bytes),
        _ => release_line(first_line(bytes)),
    }
}

fn named(id: &str, name: &str) -> System {
    System { id: id.into(), name: Some(name.into()), ..System::default() }
}

fn first_line(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == b'\n').next().unwrap_or_default().trim_ascii()
}

/// Keys `DISTRIB_*` in shell assignments. On some systems the file has other keys only.
fn lsb(bytes: &[u8]) -> Option<System> {
    let fields = Assignments::read(bytes).fields;
    let text = |key: &str| fields.get(key).filter(|text| !text.is_empty()).cloned();
    let name = text("DISTRIB_ID")?;
    let id = match name.as_bytes() {
        b"MandrivaLinux" => b"mandriva".to_vec(),
        other => other.to_ascii_lowercase(),
    };
    Some(System {
        id: id.into(),
        version_id: text("DISTRIB_RELEASE"),
        codename: text("DISTRIB_CODENAME"),
        name: Some(name),
        pretty_name: text("DISTRIB_DESCRIPTION"),
        fields,
        ..System::default()
    })
}

/// `NAME release VERSION (CODENAME)`, or without the word `release`.
fn release_line(line: &[u8]) -> Option<System> {
    let &(start, id, like) = NAMES.iter().find(|(start, ..)| line.starts_with(start.as_bytes()))?;
    let is_version = |word: &&[u8]| word.first().is_some_and(u8::is_ascii_digit);
    let words: Vec<&[u8]> = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
    let at = words.iter().position(is_version);
    let version = at.and_then(|at| words.get(at)).copied();
    let name = words.get(..at.unwrap_or(words.len())).unwrap_or_default();
    let name = name.strip_suffix(&[&b"release"[..]]).unwrap_or(name).join(&b' ');
    let name = if name.is_empty() { start.as_bytes().to_vec() } else { name };
    Some(System {
        id: id.into(),
        id_like: like.iter().map(|&word| word.into()).collect(),
        version_id: version.map(Into::into),
        codename: in_parentheses(line).map(Into::into),
        name: Some(name.into()),
        pretty_name: Some(line.into()),
        ..System::default()
    })
}

/// What stands in the first parentheses of a line.
fn in_parentheses(line: &[u8]) -> Option<&[u8]> {
    let rest = line.get(memchr::memchr(b'(', line)?.saturating_add(1)..)?;
    rest.get(..memchr::memchr(b')', rest)?).filter(|text| !text.is_empty())
}

/// A release line, then `KEY = value`.
fn suse(bytes: &[u8]) -> Option<System> {
    let mut system = release_line(first_line(bytes))?;
    let mut keys: BTreeMap<&[u8], &[u8]> = BTreeMap::new();
    for line in bytes.split(|&byte| byte == b'\n').skip(1) {
        if let Some(equals) = memchr::memchr(b'=', line) {
            let value = line.get(equals.saturating_add(1)..).unwrap_or_default();
            keys.insert(line.get(..equals).unwrap_or_default().trim_ascii(), value.trim_ascii());
        }
    }
    if let Some(&version) = keys.get(&b"VERSION"[..]) {
        let level = keys.get(&b"PATCHLEVEL"[..]).filter(|&&level| level != b"0");
        let parts: Vec<&[u8]> = std::iter::once(version).chain(level.copied()).collect();
        system.version_id = Some(parts.join(&b'.').into());
    }
    // The parentheses of the first line hold the architecture.
    system.codename = keys.get(&b"CODENAME"[..]).map(|&name| name.into());
    Some(system)
}

/// A file that holds nothing but the version.
fn only_version(id: &str, name: &str, bytes: &[u8]) -> Option<System> {
    let version: Text = Some(first_line(bytes)).filter(|line| !line.is_empty())?.into();
    Some(System { version_id: Some(version), ..named(id, name) })
}

/// `12.5`, or `bookworm/sid` before a release.
fn debian(bytes: &[u8]) -> Option<System> {
    let line = first_line(bytes);
    if line.first().is_some_and(u8::is_ascii_digit) {
        return only_version("debian", "Debian GNU/Linux", bytes);
    }
    let codename = line.split(|&byte| byte == b'/').next().filter(|name| !name.is_empty())?;
    Some(System { codename: Some(codename.into()), ..named("debian", "Debian GNU/Linux") })
}
