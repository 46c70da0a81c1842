// SPDX-License-Identifier: Apache-2.0
//! Folders of every size and history, and names of every shape.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::Result;

/// Makes the folder and fills it.
pub(super) fn fill(dir: &Path) -> Result<()> {
    fs::create_dir(dir)?;
    odd(&dir.join("odd"))?;
    sizes(dir)?;
    histories(dir)?;
    deep(&dir.join("deep"))
}

/// Bytes as a name.
pub(super) fn bytes(name: &[u8]) -> &OsStr {
    OsStr::from_bytes(name)
}

fn odd(dir: &Path) -> Result<()> {
    fs::create_dir(dir)?;
    let all: Vec<u8> = (1..=255).filter(|&byte| byte != b'/').collect();
    let long = [b'x'; 255];
    let odd: [&[u8]; 9] =
        [b" ", b"...", b"-rf", b"a\nb", b"\x1b[31mred", b"\xff\xfe", "ümlaut-日本".as_bytes(), &all, &long];
    for name in odd {
        fs::write(dir.join(bytes(name)), name)?;
    }
    // Every byte: ext4's hash takes the names as signed characters on some machines.
    for byte in (1..=255).filter(|&byte| byte != b'/') {
        fs::write(dir.join(bytes(&[byte, b'1'])), "")?;
    }
    Ok(())
}

/// Empty, inside the inode, one block, several, with an index, with an index of indexes.
fn sizes(dir: &Path) -> Result<()> {
    for count in [0, 1, 3, 12, 60, 250] {
        let folder = dir.join(format!("of-{count}"));
        fs::create_dir(&folder)?;
        for number in 0..count {
            fs::create_dir(folder.join(format!("folder-{number}")))?;
        }
    }
    let wide = dir.join("wide");
    fs::create_dir(&wide)?;
    for number in 0..3000 {
        fs::write(wide.join(format!("file-{}-{number}", number * 7919 % 10_007)), "")?;
    }
    let long = dir.join("long");
    fs::create_dir(&long)?;
    for number in 0..400 {
        fs::write(long.join(format!("{number:04}-{}", "n".repeat(245))), "")?;
    }
    Ok(())
}

/// Folders that were larger once, or lost and got names.
fn histories(dir: &Path) -> Result<()> {
    let shrunk = dir.join("shrunk");
    fs::create_dir(&shrunk)?;
    for number in 0..1200 {
        fs::write(shrunk.join(format!("name-{number}")), "")?;
    }
    for number in (0..1200).filter(|number| number % 17 != 0) {
        fs::remove_file(shrunk.join(format!("name-{number}")))?;
    }
    let emptied = dir.join("emptied");
    fs::create_dir(&emptied)?;
    for number in 0..300 {
        fs::write(emptied.join(format!("{number}-{}", "e".repeat(100))), "")?;
    }
    for number in 0..300 {
        fs::remove_file(emptied.join(format!("{number}-{}", "e".repeat(100))))?;
    }
    let moved = dir.join("moved");
    fs::create_dir(&moved)?;
    for number in 0..200 {
        fs::write(moved.join(format!("{number}")), format!("{number}\n"))?;
    }
    for number in 0..200 {
        let to = format!("renamed-{}-{}", "r".repeat(number % 90), number);
        fs::rename(moved.join(format!("{number}")), moved.join(to))?;
    }
    fs::create_dir_all(dir.join("old/below"))?;
    Ok(fs::rename(dir.join("old/below"), dir.join("moved/below"))?)
}

fn deep(dir: &Path) -> Result<()> {
    let mut path = dir.to_owned();
    for level in 0..200 {
        path.push(format!("level-{level}"));
    }
    fs::create_dir_all(&path)?;
    Ok(fs::write(path.join("bottom"), "deep\n")?)
}
