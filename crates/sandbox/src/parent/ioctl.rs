// SPDX-License-Identifier: Apache-2.0
//! The few ioctls on block devices that are needed: the read-only flag, NVMe Identify, loop devices.
//!
//! Source: linux/fs.h (`BLKROSET`, `BLKROGET`), linux/loop.h, linux/nvme_ioctl.h.
#![expect(unsafe_code, reason = "these ioctls have no safe wrapper")]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc::c_int;

/// Bytes of an Identify data structure.
pub(super) const IDENTIFY: usize = 4096;
/// `LO_FLAGS_READ_ONLY` and `LO_FLAGS_AUTOCLEAR`: nothing is ever written, and the device goes with its last user.
const LOOP_FLAGS: u32 = 1 | 4;

/// Shape: `struct loop_info64`. Source: linux/loop.h.
#[repr(C)]
struct LoopInfo {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

/// Shape: `struct loop_config`. Source: linux/loop.h.
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo,
    reserved: [u64; 8],
}

/// Shape: `struct nvme_passthru_cmd`. Source: linux/nvme_ioctl.h.
#[repr(C)]
#[derive(Default)]
struct AdminCommand {
    opcode: u8,
    flags: u8,
    reserved: u16,
    namespace: u32,
    dword2: u32,
    dword3: u32,
    metadata: u64,
    address: u64,
    metadata_len: u32,
    data_len: u32,
    dwords_10_to_15: [u32; 6],
    timeout_ms: u32,
    result: u32,
}

const _: () = assert!(size_of::<LoopConfig>() == 304 && size_of::<AdminCommand>() == 72);

nix::ioctl_write_ptr_bad!(blkroset, 0x125d, c_int);
nix::ioctl_read_bad!(blkroget, 0x125e, c_int);
nix::ioctl_none_bad!(loop_ctl_get_free, 0x4c82);
nix::ioctl_write_ptr_bad!(loop_configure, 0x4c0a, LoopConfig);
nix::ioctl_readwrite!(nvme_ioctl_admin_cmd, b'N', 0x41, AdminCommand);

/// Makes a block device read-only for everybody.
///
/// # Errors
/// What the system answers; `PermissionDenied` without CAP_SYS_ADMIN.
pub(super) fn set_read_only(device: &File) -> io::Result<()> {
    // SAFETY: BLKROSET reads one int by the pointer, which is valid during the call.
    unsafe { blkroset(device.as_raw_fd(), &1) }?;
    Ok(())
}

/// Is a block device read-only?
///
/// # Errors
/// What the system answers.
pub(super) fn is_read_only(device: &File) -> io::Result<bool> {
    let mut answer: c_int = 0;
    // SAFETY: BLKROGET writes one int by the pointer, which is valid and not shared during the call.
    unsafe { blkroget(device.as_raw_fd(), &raw mut answer) }?;
    Ok(answer != 0)
}

/// The Identify Controller data structure of an NVMe device.
///
/// # Errors
/// What the system answers.
pub(super) fn identify(device: &File) -> io::Result<Box<[u8; IDENTIFY]>> {
    let mut page = Box::new([0; IDENTIFY]);
    // Opcode 06h is Identify; CNS 01h in dword 10 is the controller (NVM Express Base Specification, "Identify command").
    let mut command = AdminCommand {
        opcode: 6,
        address: page.as_mut_ptr().expose_provenance() as u64,
        data_len: IDENTIFY as u32,
        dwords_10_to_15: [1, 0, 0, 0, 0, 0],
        ..AdminCommand::default()
    };
    // SAFETY: the driver writes `data_len` bytes at `address`, which is a buffer of that length that nobody else uses
    // until the call has returned, and the result into the command itself.
    unsafe { nvme_ioctl_admin_cmd(device.as_raw_fd(), &raw mut command) }?;
    Ok(page)
}

/// The number of a loop device that nobody uses; it may be somebody's a moment later.
///
/// # Errors
/// What the system answers.
pub(super) fn free_loop(control: &File) -> io::Result<i32> {
    // SAFETY: LOOP_CTL_GET_FREE takes no argument.
    Ok(unsafe { loop_ctl_get_free(control.as_raw_fd()) }?)
}

/// Shows `len` bytes from `offset` of `backing` as a read-only device, which goes when nobody uses it any more.
///
/// # Errors
/// What the system answers; `ResourceBusy` if somebody else has taken it.
pub(super) fn configure_loop(
    device: &File,
    backing: BorrowedFd<'_>,
    offset: u64,
    len: u64,
) -> io::Result<()> {
    let info = LoopInfo {
        device: 0,
        inode: 0,
        rdevice: 0,
        offset,
        size_limit: len,
        number: 0,
        encrypt_type: 0,
        encrypt_key_size: 0,
        flags: LOOP_FLAGS,
        file_name: [0; 64],
        crypt_name: [0; 64],
        encrypt_key: [0; 32],
        init: [0; 2],
    };
    let fd = u32::try_from(backing.as_raw_fd()).map_err(io::Error::other)?;
    let config = LoopConfig { fd, block_size: 0, info, reserved: [0; 8] };
    // SAFETY: LOOP_CONFIGURE reads a `struct loop_config` by the pointer, which is valid during the call.
    unsafe { loop_configure(device.as_raw_fd(), &raw const config) }?;
    Ok(())
}
