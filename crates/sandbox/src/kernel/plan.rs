// SPDX-License-Identifier: Apache-2.0
//! Which filesystems are mounted where, by what the first child said.

use crate::parent::mount::Kind;
use crate::wire::record::{MOUNTED, Mountable, Part};

use super::join::Filesystem;

/// What is to be mounted.
pub(super) struct Plan<'a> {
    /// The root's filesystem.
    pub(super) root: &'a Mountable,
    /// The others with their mount points, parents before what lies in them.
    pub(super) others: Vec<(&'a Mountable, &'a [u8])>,
    /// Those that are one too many.
    too_many: Vec<(&'a Mountable, &'a [u8])>,
    /// True if our readers opened the root, and so know what its fstab mounts.
    pub(super) knows_fstab: bool,
}

impl<'a> Plan<'a> {
    /// The root, and what it mounts if our readers could open it.
    ///
    /// # Errors
    /// Why there is no root to mount, in words.
    pub(super) fn of(all: &'a [Mountable]) -> Result<Self, String> {
        let root = root_of(all)?;
        let knows_fstab = root.part != Part::Unread;
        let is_other = |one: &&Mountable| knows_fstab && matches!(one.part, Part::Mounted | Part::Unread);
        let with_point = |one: &'a Mountable| Some((one, one.point.as_deref()?));
        let mut others: Vec<_> = all.iter().filter(is_other).filter_map(with_point).collect();
        others.retain(|(one, point)| *point != b"/" && !std::ptr::eq(*one, root));
        others.sort_by_key(|(_, point)| point.split(|byte| *byte == b'/').count());
        let too_many = others.split_off(others.len().min(MOUNTED.saturating_sub(1)));
        Ok(Plan { root, others, too_many, knows_fstab })
    }

    /// What is not mounted although it should be.
    pub(super) fn left_out(&self) -> impl Iterator<Item = Filesystem<'a>> + '_ {
        let why = format!("no more than {MOUNTED} filesystems are mounted at once: ask for the reader `own`");
        self.too_many.iter().map(move |(is, point)| Filesystem { is, point, read: Err(why.clone()) })
    }
}

/// The root's filesystem: the one that our readers found, else the only one that they cannot open, else the best one.
fn root_of(all: &[Mountable]) -> Result<&Mountable, String> {
    let of = |part| all.iter().find(|one| one.part == part);
    if of(Part::Deployed).is_some() {
        return Err(
            "the root is a deployment of ostree, a folder within its filesystem: ask for the reader `own`"
                .to_owned(),
        );
    }
    // The firmware's own files lie on FAT, and no system does.
    let may_be = |one: &&Mountable| one.part == Part::Unread && one.kind != Kind::Vfat;
    let mut unread = all.iter().filter(may_be);
    match (of(Part::Root), unread.next(), unread.next()) {
        (Some(root), ..) | (None, Some(root), None) => Ok(root),
        (None, None, _) => of(Part::Unmarked).ok_or_else(|| {
            "there is no filesystem of a kind that the kernel may be asked to mount".to_owned()
        }),
        (None, Some(_), Some(_)) => {
            Err("several filesystems cannot be opened by our readers, and each could be the root".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(kind: Kind, part: Part, point: Option<&str>) -> Mountable {
        let point = point.map(|point| point.as_bytes().to_vec());
        Mountable { kind, part, place: Vec::new(), volume: Vec::new(), at: None, point }
    }

    fn points(all: &[Mountable]) -> Vec<String> {
        let plan = Plan::of(all).unwrap();
        plan.others.iter().map(|(_, point)| point.escape_ascii().to_string()).collect()
    }

    #[test]
    fn what_fstab_mounts_comes_below_the_root_and_parents_come_first() {
        let all = [
            one(Kind::Xfs, Part::Mounted, Some("/var/lib/docker")),
            one(Kind::Ext4, Part::Apart, None),
            one(Kind::Ext4, Part::Root, Some("/")),
            one(Kind::Btrfs, Part::Unread, Some("/srv")),
            one(Kind::Vfat, Part::Unread, None),
            one(Kind::Xfs, Part::Mounted, Some("/var")),
        ];
        assert_eq!(points(&all), ["/srv", "/var", "/var/lib/docker"]);
    }

    #[test]
    fn a_root_that_our_readers_cannot_open_is_mounted_alone() {
        let all = [
            one(Kind::Ext4, Part::Unmarked, Some("/")),
            one(Kind::Btrfs, Part::Unread, Some("/x")),
            one(Kind::Xfs, Part::Mounted, Some("/var")),
        ];
        let plan = Plan::of(&all).unwrap();
        assert_eq!((plan.root.kind, plan.knows_fstab), (Kind::Btrfs, false));
        assert_eq!(points(&all), [""; 0]);
        let two = [one(Kind::Btrfs, Part::Unread, None), one(Kind::Squashfs, Part::Unread, None)];
        assert!(Plan::of(&two).is_err_and(|why| why.contains("several filesystems")));
    }

    #[test]
    fn a_root_within_its_filesystem_is_an_error_that_says_what_to_do() {
        let why = Plan::of(&[one(Kind::Xfs, Part::Deployed, Some("/"))]).err();
        assert!(why.is_some_and(|why| why.contains("ostree") && why.contains("`own`")));
        assert!(Plan::of(&[]).is_err_and(|why| why.contains("no filesystem")));
    }

    #[test]
    fn what_is_one_too_many_is_left_out_by_name() {
        let mut all: Vec<_> =
            (0..80).map(|n| one(Kind::Xfs, Part::Mounted, Some(&format!("/m/{n}")))).collect();
        all.push(one(Kind::Xfs, Part::Root, Some("/")));
        let plan = Plan::of(&all).unwrap();
        assert_eq!((plan.others.len(), plan.left_out().count()), (MOUNTED - 1, 80 - MOUNTED + 1));
    }
}
