// SPDX-License-Identifier: Apache-2.0
use std::fs;
use std::os::unix::fs::symlink;

use snapscan_disk::fs::kernel::KernelFs;

use super::*;

/// A folder read by both, as far as an ordinary user can make one.
fn both() -> (tempfile::TempDir, Tree, Tree) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("d")).unwrap();
    fs::write(dir.path().join("d/f"), "abc").unwrap();
    fs::hard_link(dir.path().join("d/f"), dir.path().join("g")).unwrap();
    symlink("nowhere", dir.path().join("l")).unwrap();
    let sparse = fs::File::create(dir.path().join("s")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"end", 900 << 30).unwrap();
    let kernel = mounted::read(dir.path(), Depth::Content).unwrap();
    let fs = KernelFs::new(fs::File::open(dir.path()).unwrap().into()).unwrap();
    let ours = own::read(&fs, Depth::Content);
    (dir, kernel, ours)
}

#[test]
fn one_folder_read_twice_has_no_difference() {
    let (_dir, kernel, ours) = both();
    assert_eq!(kernel.len(), 6);
    assert_eq!(differences(&kernel, &ours), []);
    let abc = kernel[b"d/f".as_slice()].content.clone();
    // SHA-256 of "abc" by FIPS 180-2, appendix B.1.
    assert!(abc.unwrap().starts_with(&[0xba, 0x78, 0x16, 0xbf]));
}

#[test]
fn every_field_that_differs_is_listed() {
    let (_dir, kernel, mut ours) = both();
    let record = ours.get_mut(b"d/f".as_slice()).unwrap();
    record.mode = 0o600;
    record.mtime.nanos ^= 1;
    record.errors.push("bad".into());
    ours.remove(b"l".as_slice());
    let g = ours[b"g".as_slice()].clone();
    ours.insert(b"new".to_vec(), g);
    let listed: Vec<_> = differences(&kernel, &ours)
        .into_iter()
        .map(|d| (String::from_utf8(d.path).unwrap(), d.field))
        .collect();
    let expected = [("d/f", "error"), ("d/f", "mode"), ("d/f", "mtime"), ("l", "names"), ("new", "names")];
    assert_eq!(listed, expected.map(|(path, field)| (path.to_owned(), field)));
}
