// SPDX-License-Identifier: Apache-2.0
//! Files of every size and form of storage.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::tree::may_refuse;
use crate::mount::run;

/// Makes the folder and fills it.
pub(super) fn fill(dir: &Path) -> Result<()> {
    fs::create_dir(dir)?;
    for size in
        [0, 1, 59, 60, 61, 90, 120, 156, 160, 400, 900, 1023, 1024, 1025, 4095, 4096, 4097, 70_000, 5_000_000]
    {
        fs::write(dir.join(format!("size-{size}")), content(size))?;
    }
    sparse(dir)?;
    reserved(dir)?;
    pieces(dir)?;
    let small = dir.join("small");
    fs::create_dir(&small)?;
    for number in 0..400 {
        fs::write(small.join(format!("{number}")), content(number * 13 % 3000))?;
    }
    shared(dir)
}

/// Bytes that do not repeat in any block's length.
pub(super) fn content(len: usize) -> Vec<u8> {
    // A linear congruential generator with Knuth's constants (MMIX); its upper byte is the best.
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn sparse(dir: &Path) -> Result<()> {
    for (name, size, pieces) in [
        ("all-hole", 1_000_000, &[][..]),
        ("hole-first", 300_000, &[200_000][..]),
        ("hole-last", 300_000, &[0][..]),
        ("holes", 3_000_000, &[10_000, 500_000, 1_048_576, 2_900_000][..]),
        ("large", 900 << 30, &[0, 5 << 30, 600 << 30][..]),
        // Nearly ext3's largest file with blocks of one KiB: three levels of indirect blocks.
        ("far", (16 << 30) - 4096, &[(16 << 30) - 10_000][..]),
    ] {
        let file = File::create(dir.join(name))?;
        may_refuse(file.set_len(size), &[Errno::FBIG])?;
        for &piece in pieces {
            may_refuse(file.write_all_at(&content(5000), piece), &[Errno::FBIG])?;
        }
    }
    Ok(())
}

/// Blocks that were reserved and never written, inside the file and past its end.
fn reserved(dir: &Path) -> Result<()> {
    let refused = [Errno::OPNOTSUPP];
    for (name, flags) in
        [("reserved", FallocateFlags::empty()), ("reserved-past-end", FallocateFlags::KEEP_SIZE)]
    {
        let file = File::create(dir.join(name))?;
        file.write_all_at(&content(9000), 0)?;
        may_refuse(fallocate(&file, flags, 0, 400_000).map_err(Into::into), &refused)?;
        file.write_all_at(&content(3000), 200_000)?;
    }
    let file = File::create(dir.join("punched"))?;
    file.write_all_at(&content(600_000), 0)?;
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    may_refuse(fallocate(&file, punch, 100_000, 200_000).map_err(Into::into), &refused)?;
    may_refuse(fallocate(&file, FallocateFlags::ZERO_RANGE, 400_000, 90_000).map_err(Into::into), &refused)?;
    let file = File::create(dir.join("truncated"))?;
    file.write_all_at(&content(600_000), 0)?;
    Ok(file.set_len(123_457)?)
}

/// So many runs that their list becomes a tree.
fn pieces(dir: &Path) -> Result<()> {
    for (name, count) in [("runs-5", 5), ("runs-60", 60), ("runs-400", 400), ("runs-3000", 3000)] {
        let file = File::create(dir.join(name))?;
        for number in 0..count {
            file.write_all_at(&content(700), number * 8192)?;
        }
    }
    // Two files that grow by turns lie in each other's way.
    let mut two = [File::create(dir.join("turn-a"))?, File::create(dir.join("turn-b"))?];
    for number in 0..60 {
        for file in &mut two {
            file.write_all(&content(4096 + number))?;
            file.sync_data()?;
        }
    }
    Ok(())
}

/// Blocks that two files share, where the filesystem can: one of them is changed in the middle afterwards.
fn shared(dir: &Path) -> Result<()> {
    let (from, to) = (dir.join("shared"), dir.join("shared-copy"));
    fs::write(&from, content(300_000))?;
    run(Command::new("cp").arg("--reflink=auto").arg(&from).arg(&to))?;
    Ok(File::options().write(true).open(&to)?.write_all_at(&content(10_000), 100_000)?)
}
