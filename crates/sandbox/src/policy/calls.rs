// SPDX-License-Identifier: Apache-2.0
//! Which system calls a worker may make once it reads hostile bytes.
//!
//! Three answers. [`ALLOWED`] ones pass, some only with certain arguments. [`FATAL`] ones end the process: no honest
//! code here makes them, so whoever does is no longer ours. All others answer `EPERM`: libraries probe the system
//! (is this a terminal, how many cores), and a probe that is refused must not look like an attack. No further thread
//! can start, since `clone` is among the others: the pool and the reader are there before.

use nix::libc::{self, c_long};

/// When an allowed call passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Always.
    Always,
    /// When these bits of the argument with this number are clear.
    Clear(u8, i32),
    /// When the argument with this number is one of these.
    OneOf(u8, &'static [i32]),
    /// When the argument with this number is the caller's own process.
    Own(u8),
    /// When the target is a folder, whose files are opened below its descriptor.
    Folder,
}

/// One allowed call.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// Its number on this architecture.
    pub number: c_long,
    /// When it passes.
    pub when: When,
    /// What it is needed for.
    pub reason: &'static str,
}

const fn call(number: c_long, when: When, reason: &'static str) -> Call {
    Call { number, when, reason }
}

use When::{Always, Clear, Folder, OneOf, Own};

/// What `fcntl` may do: duplicate, and look at flags.
const FCNTL: &[i32] = &[libc::F_DUPFD_CLOEXEC, libc::F_GETFD, libc::F_SETFD, libc::F_GETFL];

/// What passes.
#[rustfmt::skip]
pub const ALLOWED: &[Call] = &[
    // Reading what was handed over.
    call(libc::SYS_read, Always, "frames from the parent"),
    call(libc::SYS_readv, Always, "frames from the parent"),
    call(libc::SYS_pread64, Always, "bytes of a volume"),
    call(libc::SYS_preadv, Always, "bytes of a volume"),
    call(libc::SYS_lseek, Always, "lengths, holes of a file"),
    call(libc::SYS_fstat, Always, "kind and size of a descriptor"),
    call(libc::SYS_newfstatat, Always, "glibc's fstat"),
    call(libc::SYS_statx, Always, "kind and size of a descriptor"),
    call(libc::SYS_fadvise64, Always, "advice on what is read next"),
    call(libc::SYS_fcntl, OneOf(1, FCNTL), "duplicates of descriptors, the debug build's check before close"),
    call(libc::SYS_close, Always, "descriptors that are done with"),
    // Answering.
    call(libc::SYS_write, Always, "records to the parent; a size limit and read-only descriptors bound it"),
    call(libc::SYS_writev, Always, "records to the parent"),
    call(libc::SYS_sendmsg, Always, "records to the parent; there is no socket but the two"),
    call(libc::SYS_sendto, Always, "records to the parent"),
    call(libc::SYS_recvmsg, Always, "descriptors from the parent"),
    call(libc::SYS_recvfrom, Always, "frames from the parent"),
    call(libc::SYS_shutdown, Always, "the end of a conversation"),
    #[cfg(target_arch = "x86_64")]
    call(libc::SYS_poll, Always, "waiting for the parent"),
    call(libc::SYS_ppoll, Always, "waiting for the parent"),
    // Memory, which never becomes executable.
    call(libc::SYS_mmap, Clear(2, libc::PROT_EXEC), "the allocator"),
    call(libc::SYS_mprotect, Clear(2, libc::PROT_EXEC), "the allocator's arenas"),
    call(libc::SYS_munmap, Always, "the allocator"),
    call(libc::SYS_mremap, Always, "the allocator"),
    call(libc::SYS_madvise, Always, "the allocator, stacks of ended threads"),
    call(libc::SYS_brk, Always, "the allocator"),
    // Threads that are there already.
    call(libc::SYS_futex, Always, "locks, the pool's sleep"),
    call(libc::SYS_sched_yield, Always, "the pool's search for work"),
    call(libc::SYS_sched_getaffinity, Always, "the number of cores"),
    call(libc::SYS_gettid, Always, "abort"),
    call(libc::SYS_getpid, Always, "abort"),
    call(libc::SYS_set_robust_list, Always, "the end of a thread"),
    call(libc::SYS_rseq, Always, "the end of a thread"),
    call(libc::SYS_restart_syscall, Always, "a wait that was interrupted"),
    call(libc::SYS_exit, Always, "the end of a thread"),
    call(libc::SYS_exit_group, Always, "the end"),
    // Signals to itself.
    call(libc::SYS_rt_sigaction, Always, "abort, the runtime's handler of stack overflow"),
    call(libc::SYS_rt_sigprocmask, Always, "abort, the end of a thread"),
    call(libc::SYS_rt_sigreturn, Always, "the runtime's handler of stack overflow"),
    call(libc::SYS_sigaltstack, Always, "the end of a thread"),
    call(libc::SYS_tgkill, Own(0), "abort"),
    // Time and chance.
    call(libc::SYS_clock_gettime, Always, "deadlines, where the kernel's page has no clock"),
    call(libc::SYS_clock_nanosleep, Always, "waits"),
    call(libc::SYS_getrandom, Always, "seeds of hash tables"),
    // Below a folder's descriptor, where landlock allows reading only.
    call(libc::SYS_openat2, Folder, "files below the folder"),
    call(libc::SYS_getdents64, Folder, "names in a folder"),
    call(libc::SYS_readlinkat, Folder, "targets of links"),
    call(libc::SYS_fstatfs, Folder, "what kind of filesystem is entered"),
    call(libc::SYS_fgetxattr, Folder, "attributes of a file"),
    call(libc::SYS_flistxattr, Folder, "attributes of a file"),
];

/// What ends the process.
#[rustfmt::skip]
pub const FATAL: &[c_long] = &[
    // Other programs and processes.
    libc::SYS_execve, libc::SYS_execveat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
    libc::SYS_ptrace, libc::SYS_process_vm_readv, libc::SYS_process_vm_writev, libc::SYS_process_madvise,
    libc::SYS_pidfd_open, libc::SYS_pidfd_getfd, libc::SYS_pidfd_send_signal, libc::SYS_kill, libc::SYS_tkill,
    libc::SYS_kcmp,
    // The network.
    libc::SYS_socket, libc::SYS_connect, libc::SYS_bind, libc::SYS_listen, libc::SYS_accept, libc::SYS_accept4,
    // What has been left.
    libc::SYS_setuid, libc::SYS_setgid, libc::SYS_setreuid, libc::SYS_setregid, libc::SYS_setresuid,
    libc::SYS_setresgid, libc::SYS_setgroups, libc::SYS_capset, libc::SYS_unshare, libc::SYS_setns,
    libc::SYS_chroot, libc::SYS_pivot_root, libc::SYS_mount, libc::SYS_umount2, libc::SYS_open_tree,
    libc::SYS_move_mount, libc::SYS_fsopen, libc::SYS_fsconfig, libc::SYS_fsmount, libc::SYS_fspick,
    libc::SYS_mount_setattr,
    // Parts of the kernel with a history.
    libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register, libc::SYS_userfaultfd,
    libc::SYS_bpf, libc::SYS_perf_event_open, libc::SYS_keyctl, libc::SYS_add_key, libc::SYS_request_key,
    libc::SYS_open_by_handle_at, libc::SYS_name_to_handle_at, libc::SYS_fanotify_init, libc::SYS_memfd_secret,
    libc::SYS_shmget, libc::SYS_shmat, libc::SYS_msgget, libc::SYS_semget, libc::SYS_mq_open,
    // The host as a whole.
    libc::SYS_init_module, libc::SYS_finit_module, libc::SYS_delete_module, libc::SYS_kexec_load,
    libc::SYS_kexec_file_load, libc::SYS_reboot, libc::SYS_swapon, libc::SYS_swapoff, libc::SYS_settimeofday,
    libc::SYS_clock_settime, libc::SYS_acct, libc::SYS_syslog,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_is_both_allowed_and_fatal_and_none_stands_twice() {
        let mut numbers: Vec<c_long> =
            ALLOWED.iter().map(|call| call.number).chain(FATAL.iter().copied()).collect();
        let all = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), all);
    }

    #[test]
    fn ioctl_clone_and_plain_open_are_never_allowed() {
        let never = [libc::SYS_ioctl, libc::SYS_clone, libc::SYS_clone3, libc::SYS_openat, libc::SYS_prctl];
        for denied in never {
            assert!(ALLOWED.iter().all(|call| call.number != denied), "{denied}");
        }
    }
}
