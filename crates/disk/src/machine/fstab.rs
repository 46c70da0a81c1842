// SPDX-License-Identifier: Apache-2.0
//! `/etc/fstab` as data: what the machine mounts where.
//!
//! Source: fstab(5).

use crate::fs::path::MachinePath;

use super::tree::Tree;

/// Where it lies.
pub(super) const PATH: &[u8] = b"etc/fstab";
/// Bytes of it that are read.
const MOST_BYTES: u64 = 1 << 20;
/// Lines that are looked at, blank ones included; real files have tens.
pub const MOST_LINES: u64 = 4096;

/// One line of fstab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FstabEntry {
    /// The line's number, from 1.
    pub line: u64,
    /// What is mounted: `UUID=…`, `/dev/…`, `host:/path`, `tmpfs`.
    pub spec: Vec<u8>,
    /// Where; `None` for `none` and `swap`.
    pub at: Option<MachinePath>,
    /// The type: `ext4`, `auto`, `swap`.
    pub kind: Vec<u8>,
    /// The options.
    pub options: Vec<Vec<u8>>,
}

/// What sort of thing a line mounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// A filesystem on a disk.
    Local,
    /// Swap space: nothing of the tree.
    Swap,
    /// A filesystem of the kernel, the network, or another folder.
    Other,
}

/// Types that live on no disk of the machine: the kernel's own and those of the network.
const NOT_ON_DISK: &[&[u8]] = &[
    b"9p",
    b"afs",
    b"autofs",
    b"binfmt_misc",
    b"bpf",
    b"ceph",
    b"cgroup",
    b"cgroup2",
    b"cifs",
    b"configfs",
    b"debugfs",
    b"devpts",
    b"devtmpfs",
    b"efivarfs",
    b"efs",
    b"fusectl",
    b"glusterfs",
    b"hugetlbfs",
    b"lustre",
    b"mqueue",
    b"ncpfs",
    b"nfs",
    b"nfs4",
    b"overlay",
    b"proc",
    b"pstore",
    b"ramfs",
    b"rootfs",
    b"securityfs",
    b"selinuxfs",
    b"smb3",
    b"smbfs",
    b"sshfs",
    b"sysfs",
    b"tmpfs",
    b"tracefs",
    b"usbfs",
    b"virtiofs",
];

impl FstabEntry {
    /// What sort of thing this mounts.
    pub fn sort(&self) -> Sort {
        let is = |option: &[u8]| self.options.iter().any(|one| one == option);
        if self.kind == b"swap" || self.at.is_none() {
            Sort::Swap
        } else if NOT_ON_DISK.contains(&self.kind.as_slice())
            || self.kind.starts_with(b"fuse")
            || is(b"bind")
            || is(b"rbind")
            || is(b"_netdev") && !self.spec.starts_with(b"/dev/") && !self.spec.contains(&b'=')
        {
            Sort::Other
        } else {
            Sort::Local
        }
    }

    /// True if the machine comes up without it.
    pub fn is_optional(&self) -> bool {
        self.options.iter().any(|option| option == b"nofail" || option == b"noauto")
    }

    /// True if packages or their configuration can lie there, so that it matters even where it is optional.
    pub fn is_essential(&self) -> bool {
        let at = self.at.as_ref();
        at.is_some_and(|at| {
            ["/usr", "/var", "/opt", "/etc", "/lib", "/boot"]
                .iter()
                .any(|place| at.is_at_or_below(&MachinePath::from(*place)))
        })
    }

    /// The path that the `subvol=` option names, for filesystems that have several roots.
    pub fn subvolume(&self) -> Option<&[u8]> {
        self.options.iter().find_map(|option| option.strip_prefix(b"subvol="))
    }
}

/// The lines of a tree's own.
pub(super) fn read(tree: &Tree) -> Vec<FstabEntry> {
    tree.prefetch(&[PATH]);
    match tree.read(&MachinePath::from("/etc/fstab"), MOST_BYTES) {
        Ok(Some(content)) => parse(&content.bytes),
        // The extractor of mounts reads the same file and says what is wrong with it.
        Ok(None) | Err(_) => Vec::new(),
    }
}

/// Reads the lines of an fstab; lines that are not valid are skipped, as mount(8) does.
pub fn parse(text: &[u8]) -> Vec<FstabEntry> {
    let lines = (1..=MOST_LINES).zip(text.split(|&byte| byte == b'\n'));
    lines.filter_map(|(line, text)| entry(line, text)).collect()
}

fn entry(line: u64, text: &[u8]) -> Option<FstabEntry> {
    let mut fields = text.split(|byte| matches!(byte, b' ' | b'\t' | b'\r')).filter(|f| !f.is_empty());
    let spec = fields.next().filter(|spec| !spec.starts_with(b"#"))?;
    let at = unescape(fields.next()?);
    let kind = fields.next()?.to_vec();
    let options = fields.next().unwrap_or(b"defaults");
    let options = options.split(|&byte| byte == b',').map(unescape).collect();
    let at = at.starts_with(b"/").then(|| MachinePath::new(&at));
    Some(FstabEntry { line, spec: unquote(&unescape(spec)), at, kind, options })
}

/// `\040` and its like are characters by their octal number.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(value) if byte == b'\\' => {
                out.push(value);
                rest = after.get(3..).unwrap_or_default();
            }
            _ => {
                out.push(byte);
                rest = after;
            }
        }
    }
    out
}

/// `UUID="…"` without its quotes.
fn unquote(spec: &[u8]) -> Vec<u8> {
    spec.iter().copied().filter(|&byte| byte != b'"').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_fstab_5_says() {
        let text = b"# comment\n\
            UUID=\"abc\" / ext4 defaults 0 1\n\
            LABEL=my\\040disk /srv/with\\040space xfs nofail,noatime\n\
            /dev/sda2 none swap sw\n\
            server:/x /var/lib/x nfs4 defaults\n\
            /a /opt/b none bind\n\
            broken\n";
        let entries = parse(text);
        assert_eq!(entries.len(), 5);
        assert_eq!(entries[0].spec, b"UUID=abc");
        assert_eq!(entries[0].line, 2);
        assert_eq!(entries[1].spec, b"LABEL=my disk");
        assert_eq!(entries[1].at, Some(MachinePath::from("/srv/with space")));
        assert!(entries[1].is_optional() && !entries[1].is_essential());
        let sorts: Vec<_> = entries.iter().map(FstabEntry::sort).collect();
        assert_eq!(sorts, [Sort::Local, Sort::Local, Sort::Swap, Sort::Other, Sort::Other]);
        assert!(entries[3].is_essential());
    }
}
