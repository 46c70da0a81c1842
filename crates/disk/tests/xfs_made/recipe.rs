// SPDX-License-Identifier: Apache-2.0
//! A tree as a list for mkfs.xfs, and what must come out of it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use snapscan_disk::fs::FileType;

/// Type, mode, content or target by path.
pub(crate) type Recipe = BTreeMap<String, (FileType, u32, Vec<u8>)>;

/// A folder of images in memory, if there is one: a slow disk makes these tests minutes long.
pub(crate) fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

/// Makes an image; `None`, with a word why, if there is no mkfs.xfs here.
pub(crate) fn make(folder: &Path, options: &[&str], names: usize) -> Option<(PathBuf, Recipe)> {
    let image = folder.join("image");
    // mkfs.xfs 6.1 writes long targets without the header of version 5, and the kernel refuses them.
    let longest = if options.iter().any(|option| option.contains("crc=0")) { 1023 } else { 300 };
    let (list, recipe) = list(folder, names, longest);
    std::fs::write(folder.join("list"), list).unwrap();
    File::create(&image).unwrap().set_len(400 << 20).unwrap();
    let mut mkfs = Command::new("mkfs.xfs");
    mkfs.arg("-q").args(options).arg("-p").arg(folder.join("list")).arg(&image);
    match mkfs.output() {
        Err(error) => {
            eprintln!("not run: mkfs.xfs: {error}");
            None
        }
        Ok(output) => {
            assert!(output.status.success(), "{mkfs:?}: {}", String::from_utf8_lossy(&output.stderr));
            Some((image, recipe))
        }
    }
}

/// The list for mkfs.xfs (mkfs.xfs(8), "-p protofile") and what it means.
fn list(folder: &Path, names: usize, longest: usize) -> (String, Recipe) {
    let mut list = "/dev/null\n0 0\nd--755 0 0\n".to_owned();
    let mut recipe = Recipe::new();
    recipe.insert(String::new(), (FileType::Directory, 0o755, Vec::new()));
    for len in
        [1, 70, 155, 156, 157, 300, 511, 512, 513, 1000, 1023].into_iter().filter(|&len| len <= longest)
    {
        writeln!(list, "link-{len} l--777 0 0 {}", "t".repeat(len)).unwrap();
        recipe.insert(format!("link-{len}"), (FileType::Symlink, 0o777, vec![b't'; len]));
    }
    let big: Vec<u8> = (0..3_000_000_u32).map(|n| ((n * 31) >> 5) as u8).collect();
    for (name, content) in [("empty", &[][..]), ("small", b"hello"), ("block", &big[..700]), ("big", &big)] {
        std::fs::write(folder.join(name), content).unwrap();
        writeln!(list, "{name} -ug644 7 8 {}", folder.join(name).display()).unwrap();
        recipe.insert(name.to_owned(), (FileType::File, 0o6644, content.to_vec()));
    }
    list.push_str("fifo p--600 0 0\n");
    recipe.insert("fifo".to_owned(), (FileType::Fifo, 0o600, Vec::new()));
    for (name, letter, kind) in [("char", "c", FileType::CharDevice), ("disk", "b", FileType::BlockDevice)] {
        writeln!(list, "{name} {letter}--640 0 6 8 17").unwrap();
        recipe.insert(name.to_owned(), (kind, 0o640, Vec::new()));
    }
    for count in [2, 30, 90, names] {
        writeln!(list, "folder-{count} d--750 1 1").unwrap();
        recipe.insert(format!("folder-{count}"), (FileType::Directory, 0o750, Vec::new()));
        for n in 0..count {
            let name = format!("Name-{n:05}-{}", "x".repeat(n % 60));
            // A block of content between two names scatters the folder's own blocks.
            let content = if n % 4 == 0 { "block" } else { "empty" };
            writeln!(list, "{name} ---600 0 0 {}", folder.join(content).display()).unwrap();
            let content = if n % 4 == 0 { big[..700].to_vec() } else { Vec::new() };
            recipe.insert(format!("folder-{count}/{name}"), (FileType::File, 0o600, content));
        }
        list.push_str("$\n");
    }
    list.push_str("$\n");
    (list, recipe)
}
