// SPDX-License-Identifier: Apache-2.0
//! Package URLs, by which other tools recognize a package.
//!
//! Source: the package-url specification and its list of types. `deb` and `rpm` carry the epoch as a qualifier, which
//! is what matchers expect; a `+` in a version is written `%2B`, which every reader understands.

use crate::{Package, System, Text};

/// The package URL of a package on a system; `None` where its ecosystem has no type of purl.
pub fn purl(package: &Package, system: Option<&System>) -> Option<String> {
    let (kind, namespace) = kind(package, system)?;
    let mut url = format!("pkg:{kind}");
    if let Some(namespace) = namespace {
        url.push('/');
        url.push_str(&encode(&namespace));
    }
    // A portage name is category and name: the category is the namespace.
    for part in package.name.as_bytes().split(|&byte| byte == b'/' && kind == "ebuild") {
        url.push('/');
        url.push_str(&encode(part));
    }
    let (epoch, version) = version(package);
    url.push('@');
    url.push_str(&encode(&version));
    let mut qualifiers: Vec<(&str, Vec<u8>)> = Vec::new();
    let mut add = |key, value: Option<Vec<u8>>| {
        qualifiers.extend(value.filter(|value| !value.is_empty()).map(|value| (key, value)));
    };
    add("arch", package.arch.as_ref().map(|arch| arch.0.clone()));
    add("distro", system.and_then(distro));
    add("epoch", epoch);
    add("modularitylabel", package.modularity.as_ref().map(|label| label.0.clone()));
    add("upstream", upstream(package, kind));
    for (at, (key, value)) in qualifiers.iter().enumerate() {
        url.push(if at == 0 { '?' } else { '&' });
        url.push_str(key);
        url.push('=');
        url.push_str(&encode(value));
    }
    Some(url)
}

/// Type and namespace.
fn kind(package: &Package, system: Option<&System>) -> Option<(&'static str, Option<Vec<u8>>)> {
    let id = |default: &str| {
        let id = system.map(|system| system.id.0.to_ascii_lowercase()).filter(|id| !id.is_empty());
        Some(id.unwrap_or_else(|| default.as_bytes().to_vec()))
    };
    Some(match package.ecosystem.as_bytes() {
        b"deb" => ("deb", id("debian")),
        b"rpm" => ("rpm", rpm_namespace(system)),
        b"apk" => ("apk", id("alpine")),
        b"alpm" | b"pacman" => ("alpm", id("arch")),
        b"opkg" => ("opkg", id("openwrt")),
        b"portage" => ("ebuild", None),
        b"bottlerocket" => ("bottlerocket", None),
        b"cos" => ("cos", None),
        b"snap" => ("snap", None),
        b"flatpak" => ("flatpak", None),
        _ => return None,
    })
}

/// The vendor's name as matchers know it: `ID` with a few older spellings brought together.
fn rpm_namespace(system: Option<&System>) -> Option<Vec<u8>> {
    let id = system.map(|system| system.id.0.to_ascii_lowercase()).filter(|id| !id.is_empty())?;
    Some(match id.as_slice() {
        b"rhel" => b"redhat".to_vec(),
        b"amzn" => b"amazon".to_vec(),
        b"ol" => b"oracle".to_vec(),
        b"rocky" | b"almalinux" | b"centos" | b"fedora" => id,
        b"sles" | b"sled" | b"sle_hpc" => b"suse".to_vec(),
        _ if id.starts_with(b"opensuse") => b"opensuse".to_vec(),
        _ => id,
    })
}

/// Epoch, and version without it.
fn version(package: &Package) -> (Option<Vec<u8>>, Vec<u8>) {
    let whole = package.version.as_bytes();
    let join = |release: &Text| [whole, b"-", release.as_bytes()].concat();
    match package.ecosystem.as_bytes() {
        b"deb" => {
            let colon = whole.iter().position(|&byte| byte == b':');
            match colon.map(|at| (whole.get(..at), whole.get(at + 1..))) {
                Some((Some(epoch), Some(rest))) if epoch.iter().all(u8::is_ascii_digit) => {
                    let epoch = (epoch != b"0").then(|| epoch.to_vec());
                    (epoch, rest.to_vec())
                }
                _ => (None, whole.to_vec()),
            }
        }
        b"rpm" => {
            let epoch = package.epoch.filter(|&epoch| epoch != 0).map(|epoch| epoch.to_string().into_bytes());
            (epoch, package.release.as_ref().map_or(whole.to_vec(), join))
        }
        b"portage" => (None, package.release.as_ref().map_or(whole.to_vec(), join)),
        _ => (None, whole.to_vec()),
    }
}

/// `ID-VERSION_ID`.
fn distro(system: &System) -> Option<Vec<u8>> {
    let version = system.version_id.as_ref()?;
    Some([system.id.as_bytes(), b"-", version.as_bytes()].concat())
}

/// The source package, where it has another name or version: `name@version`, or the source rpm's file name.
fn upstream(package: &Package, kind: &str) -> Option<Vec<u8>> {
    let source = package.source.as_ref()?;
    if kind == "rpm" {
        return Some(source.0.clone());
    }
    match &package.source_version {
        Some(version) if version != &package.version => {
            Some([source.as_bytes(), b"@", version.as_bytes()].concat())
        }
        _ => (source != &package.name).then(|| source.0.clone()),
    }
}

/// Percent-encodes everything but unreserved characters and the colon.
fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b".-_~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use packageurl::PackageUrl;

    use super::*;

    fn debian() -> System {
        System { id: "debian".into(), version_id: Some("12".into()), ..System::default() }
    }

    #[test]
    fn a_second_implementation_reads_back_what_went_in() {
        let package = Package {
            ecosystem: "deb".into(),
            name: "libstdc++6".into(),
            version: "1:12.2.0-14+deb12u1~x".into(),
            arch: Some("amd64".into()),
            source: Some("gcc-12".into()),
            source_version: Some("12.2.0-14".into()),
            ..Package::default()
        };
        let url = purl(&package, Some(&debian())).unwrap();
        let read = PackageUrl::from_str(&url).unwrap();
        assert_eq!(read.ty(), "deb");
        assert_eq!(read.namespace(), Some("debian"));
        assert_eq!(read.name(), "libstdc++6");
        assert_eq!(read.version(), Some("12.2.0-14+deb12u1~x"));
        let expected =
            [("arch", "amd64"), ("distro", "debian-12"), ("epoch", "1"), ("upstream", "gcc-12@12.2.0-14")];
        let qualifiers = read.qualifiers();
        for (key, value) in expected {
            assert_eq!(qualifiers.get(key).map(AsRef::as_ref), Some(value), "{key}");
        }
    }

    #[test]
    fn an_rpm_has_release_epoch_and_source_in_their_places() {
        let system = System { id: "rhel".into(), version_id: Some("9.4".into()), ..System::default() };
        let package = Package {
            ecosystem: "rpm".into(),
            name: "perl-libs".into(),
            epoch: Some(4),
            version: "5.32.1".into(),
            release: Some("481.el9".into()),
            arch: Some("x86_64".into()),
            source: Some("perl-5.32.1-481.el9.src.rpm".into()),
            ..Package::default()
        };
        assert_eq!(
            purl(&package, Some(&system)).unwrap(),
            "pkg:rpm/redhat/perl-libs@5.32.1-481.el9?arch=x86_64&distro=rhel-9.4&epoch=4&upstream=perl-5.32.1-481.el9.src.rpm"
        );
    }

    #[test]
    fn a_portage_category_is_the_namespace() {
        let package = Package {
            ecosystem: "portage".into(),
            name: "app-shells/bash".into(),
            version: "5.2".into(),
            release: Some("r1".into()),
            ..Package::default()
        };
        assert_eq!(purl(&package, None).unwrap(), "pkg:ebuild/app-shells/bash@5.2-r1");
    }
}
