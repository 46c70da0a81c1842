// SPDX-License-Identifier: Apache-2.0

use std::sync::Arc;

use snapscan_disk::fs::mem::{MemBuilder, MemTree};
use snapscan_disk::machine::Tree;

use super::KERNELS;
use crate::engine::{Outcome, probe::probe};

fn kernels(tree: MemBuilder) -> Vec<(String, Option<bool>)> {
    let tree = Tree::new(Arc::new(tree.build().unwrap()), "disk");
    let outcome = Outcome::merge(std::iter::once((&KERNELS, probe(&tree, &KERNELS))));
    outcome.kernels.iter().map(|k| (k.release.to_json().into_owned(), k.default)).collect()
}

fn two() -> MemBuilder {
    MemTree::builder().file("boot/vmlinuz-6.1.0-17-amd64", "").file("boot/vmlinuz-6.1.0-18-amd64", "")
}

fn default_of(tree: MemBuilder) -> Option<String> {
    kernels(tree).into_iter().find(|(_, default)| *default == Some(true)).map(|(release, _)| release)
}

/// As grub-mkconfig of Debian 12 writes it, shortened.
const MENU: &str = r#"
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
else
   set default="DEFAULT"
fi
function recordfail {
  set recordfail=1
}
menuentry 'Debian GNU/Linux' --class debian $menuentry_id_option 'gnulinux-simple-1' {
	if [ x$grub_platform = xxen ]; then insmod xzio; fi
	linux	/boot/vmlinuz-6.1.0-18-amd64 root=UUID=1 ro  quiet
	initrd	/boot/initrd.img-6.1.0-18-amd64
}
submenu 'Advanced options for Debian GNU/Linux' $menuentry_id_option 'gnulinux-advanced-1' {
	menuentry 'Debian GNU/Linux, with Linux 6.1.0-18-amd64' --class debian $menuentry_id_option 'gnulinux-6.1.0-18-amd64-advanced-1' {
		linux	/boot/vmlinuz-6.1.0-18-amd64 root=UUID=1 ro  quiet
	}
	menuentry 'Debian GNU/Linux, with Linux 6.1.0-17-amd64' --class debian $menuentry_id_option 'gnulinux-6.1.0-17-amd64-advanced-1' {
		linux	/boot/vmlinuz-6.1.0-17-amd64 root=UUID=1 ro  quiet
	}
}
menuentry 'Memory test' {
	linux16 /boot/memtest86+.bin
}
"#;

#[test]
fn kernels_without_a_boot_loader_have_no_default() {
    let tree = two()
        .file("boot/vmlinuz-0-rescue-1234", "")
        .file("boot/vmlinuz-6.1.0-18-amd64.old", "")
        .dir("lib/modules/5.10.0-1-amd64/kernel")
        .dir("lib/modules/5.10.0-0-amd64/build");
    let expected = ["5.10.0-1-amd64", "6.1.0-17-amd64", "6.1.0-18-amd64"];
    assert_eq!(kernels(tree), expected.map(|release| (release.to_owned(), None)));
}

#[test]
fn grubs_menu_names_the_default_by_number_title_or_id() {
    for (default, release) in [
        ("0", Some("6.1.0-18-amd64")),
        ("1>1", Some("6.1.0-17-amd64")),
        ("gnulinux-advanced-1>gnulinux-6.1.0-17-amd64-advanced-1", Some("6.1.0-17-amd64")),
        (
            "Advanced options for Debian GNU/Linux>Debian GNU/Linux, with Linux 6.1.0-17-amd64",
            Some("6.1.0-17-amd64"),
        ),
        ("${saved_entry}", Some("6.1.0-18-amd64")),
        ("1", None),
        ("2", None),
        ("9", None),
        ("nothing", None),
    ] {
        let tree = two().file("boot/grub/grub.cfg", MENU.replace("DEFAULT", default));
        assert_eq!(default_of(tree).as_deref(), release, "{default}");
    }
    let saved =
        "# GRUB Environment Block\nsaved_entry=gnulinux-advanced-1>gnulinux-6.1.0-17-amd64-advanced-1\n####";
    let tree = two()
        .file("boot/grub/grub.cfg", MENU.replace("DEFAULT", "${saved_entry}"))
        .file("boot/grub/grubenv", saved);
    assert_eq!(default_of(tree).as_deref(), Some("6.1.0-17-amd64"));
}

#[test]
fn entries_of_the_boot_loader_specification_are_sorted_newest_first() {
    let entry =
        |release: &str| format!("title Linux {release}\nversion {release}\nlinux /vmlinuz-{release}\n");
    let machine = || {
        let mut tree = MemTree::builder();
        for release in ["5.14.0-70.el9.x86_64", "5.14.0-362.el9.x86_64"] {
            tree = tree
                .file(format!("boot/vmlinuz-{release}"), "")
                .file(format!("boot/loader/entries/abc-{release}.conf"), entry(release));
        }
        tree
    };
    assert_eq!(default_of(machine()).as_deref(), Some("5.14.0-362.el9.x86_64"));
    let saved = |entry: &str| machine().file("boot/grub2/grubenv", format!("saved_entry={entry}\n"));
    assert_eq!(default_of(saved("abc-5.14.0-70.el9.x86_64")).as_deref(), Some("5.14.0-70.el9.x86_64"));
    assert_eq!(default_of(saved("1")).as_deref(), Some("5.14.0-70.el9.x86_64"));
    assert_eq!(default_of(saved("abc-gone")), None);
}

#[test]
fn the_older_grub_and_the_link_name_the_default() {
    let menu = "default=1\ntimeout=5\ntitle A\n\tkernel /vmlinuz-6.1.0-18-amd64 ro\ntitle B\n\tkernel /vmlinuz-6.1.0-17-amd64 ro\n";
    assert_eq!(default_of(two().file("boot/grub/menu.lst", menu)).as_deref(), Some("6.1.0-17-amd64"));
    let tree = two().symlink("vmlinuz", "boot/vmlinuz-6.1.0-18-amd64");
    assert_eq!(default_of(tree).as_deref(), Some("6.1.0-18-amd64"));
}

#[test]
fn an_image_without_a_release_in_its_name_is_asked_itself() {
    let mut image = vec![0; 0x400];
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x20e..0x210].copy_from_slice(&0x100_u16.to_le_bytes());
    image[0x300..0x314].copy_from_slice(b"6.9.1-arch1-1 (linux");
    let tree = MemTree::builder()
        .file("boot/vmlinuz-linux", image)
        .file("boot/loader/entries/arch.conf", "title Arch\nlinux /vmlinuz-linux\n");
    assert_eq!(kernels(tree), [("6.9.1-arch1-1".to_owned(), Some(true))]);
}
