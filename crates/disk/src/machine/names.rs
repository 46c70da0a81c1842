// SPDX-License-Identifier: Apache-2.0
//! The names by which fstab calls a filesystem, matched with what lies on the disks.

use super::volumes::Found;

/// The position, among `found`, of the filesystem that `spec` names; `None` if there is none.
///
/// Understood: `UUID=`, `LABEL=`, `PARTUUID=`, `PARTLABEL=` and their `/dev/disk/by-…` forms, `/dev/mapper/VG-LV`,
/// `/dev/VG/LV`, and kernel names of disks (`/dev/sda1`, `/dev/nvme0n1p1`), which are taken by the order in which the
/// disks were given.
pub fn find(spec: &[u8], found: &[Found]) -> Option<usize> {
    let text = String::from_utf8_lossy(spec).into_owned();
    let (key, value) = match text.split_once('=') {
        Some((key, value)) => (key.to_ascii_uppercase(), value.to_owned()),
        None => match text.strip_prefix("/dev/disk/by-").and_then(|rest| rest.split_once('/')) {
            Some((by, value)) => (by.to_ascii_uppercase(), value.to_owned()),
            None => return by_device(&text, found),
        },
    };
    found.iter().position(|one| match key.as_str() {
        "UUID" => one.uuid.as_deref().is_some_and(|uuid| uuid.eq_ignore_ascii_case(&value)),
        "LABEL" => one.label.as_deref() == Some(value.as_bytes()),
        "PARTUUID" => one.partuuid.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(&value)),
        "PARTLABEL" => one.partlabel.as_deref() == Some(value.as_str()),
        _ => false,
    })
}

fn by_device(text: &str, found: &[Found]) -> Option<usize> {
    let name = text.strip_prefix("/dev/")?;
    let logical = found.iter().position(|one| {
        one.logical.as_ref().is_some_and(|(group, volume)| {
            // device-mapper doubles each dash of a name, so that a single one separates group and volume.
            let mapper = format!("mapper/{}-{}", group.replace('-', "--"), volume.replace('-', "--"));
            name == mapper || name == format!("{group}/{volume}")
        })
    });
    let (disk, partition) = kernel_name(name)?;
    logical.or_else(|| found.iter().position(|one| one.disk == disk && one.partition == partition))
}

/// Disk number from 0, and partition number, of a kernel's name; also of a mapper name, as no disk.
fn kernel_name(name: &str) -> Option<(usize, Option<u32>)> {
    let number = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
    if let Some(rest) = name.strip_prefix("nvme") {
        let (disk, rest) = rest.split_once("n1")?;
        return Some((disk.parse().ok()?, number(rest.strip_prefix('p').unwrap_or(rest))?));
    }
    for prefix in ["xvd", "sd", "vd", "hd"] {
        if let Some(rest) = name.strip_prefix(prefix) {
            let letter = rest.bytes().next().filter(u8::is_ascii_lowercase)?;
            return Some((usize::from(letter.saturating_sub(b'a')), number(rest.get(1..)?)?));
        }
    }
    Some((usize::MAX, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Vec<Found> {
        let part = |disk, partition, uuid: &str| Found {
            disk,
            partition: Some(partition),
            uuid: Some(uuid.to_owned()),
            label: Some(b"data".to_vec()),
            partuuid: Some(format!("1234-0{partition}")),
            partlabel: Some("root".to_owned()),
            ..Found::default()
        };
        let logical =
            Found { disk: 9, logical: Some(("vg-0".to_owned(), "root".to_owned())), ..Found::default() };
        vec![part(0, 1, "aaaa"), part(0, 2, "bbbb"), part(1, 1, "cccc"), logical]
    }

    #[test]
    fn each_way_to_name_a_filesystem_is_understood() {
        for (spec, place) in [
            ("UUID=BBBB", Some(1)),
            ("/dev/disk/by-uuid/cccc", Some(2)),
            ("LABEL=data", Some(0)),
            ("PARTUUID=1234-02", Some(1)),
            ("PARTLABEL=root", Some(0)),
            ("/dev/mapper/vg--0-root", Some(3)),
            ("/dev/vg-0/root", Some(3)),
            ("/dev/sda2", Some(1)),
            ("/dev/nvme1n1p1", Some(2)),
            ("/dev/xvdb1", Some(2)),
            ("/dev/sdc1", None),
            ("UUID=dddd", None),
            ("host:/x", None),
        ] {
            assert_eq!(find(spec.as_bytes(), &found()), place, "{spec}");
        }
    }
}
