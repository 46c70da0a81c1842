// SPDX-License-Identifier: Apache-2.0
//! What runs inside the worker.

use std::ffi::CStr;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc::{self, c_long};
use rayon::prelude::*;
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use snapscan_disk::fs::FileSystem as _;
use snapscan_disk::fs::kernel::KernelFs;
use snapscan_sandbox::child::Seat;

use crate::attacks::ATTACKS;

/// What the worker has and was told.
pub(crate) struct Seen {
    pub(crate) directory: Option<OwnedFd>,
    pub(crate) pool: rayon::ThreadPool,
    /// Where the parent listens.
    pub(crate) port: u16,
    /// The parent's process.
    pub(crate) parent: u64,
    /// The key of the parent's segment of shared memory.
    pub(crate) segment: u64,
}

/// The worker: reads one line (what to try, port, process, segment), tries it, answers with a line.
pub(crate) fn run(seat: Seat) -> ExitCode {
    let mut line = String::new();
    // Byte by byte: what comes after the line may be a message with descriptors.
    let mut byte = [0];
    while (&seat.records).read_exact(&mut byte).is_ok() && byte != *b"\n" {
        line.push(char::from(byte[0]));
    }
    let mut words = line.split_whitespace();
    let name = words.next().unwrap_or_default().to_owned();
    let mut number = || words.next().and_then(|word| word.parse::<u64>().ok()).unwrap_or_default();
    let (port, parent, segment) = (number(), number(), number());
    let answer = match name.as_str() {
        "echo" => "echo".to_owned(),
        "hang" => hang(),
        "pool" => pool(&seat),
        "files" => files(&seat),
        _ => match ATTACKS.iter().find(|attack| attack.name == name) {
            Some(attack) => {
                let port = u16::try_from(port).unwrap_or_default();
                let Seat { records, directory, pool, .. } = seat;
                let answer = (attack.run)(&Seen { directory, pool, port, parent, segment });
                return answered(&records, &answer);
            }
            None => "unknown attack".to_owned(),
        },
    };
    answered(&seat.records, &answer)
}

fn answered(mut records: &UnixStream, answer: &str) -> ExitCode {
    match records.write_all(format!("{answer}\n").as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// A system call as it is: libraries would refuse some of these themselves.
pub(crate) fn raw(number: c_long, args: [u64; 5]) -> Result<i64, Errno> {
    // SAFETY: none of the calls made here writes to memory: pointers are null, or to constants that are only read.
    Errno::result(unsafe { libc::syscall(number, args[0], args[1], args[2], args[3], args[4]) })
}

pub(crate) fn said(answer: Result<i64, Errno>) -> String {
    match answer {
        Ok(value) => format!("answered {value}"),
        Err(errno) => format!("{errno:?}"),
    }
}

fn said_io<T>(answer: io::Result<T>) -> String {
    match answer {
        Ok(_) => "done".to_owned(),
        Err(error) => error
            .raw_os_error()
            .map_or_else(|| error.to_string(), |number| format!("{:?}", Errno::from_raw(number))),
    }
}

pub(crate) fn with_path(number: c_long, path: &CStr) -> String {
    said(raw(number, [path.as_ptr() as u64, 0, 0, 0, 0]))
}

pub(crate) fn session() -> String {
    let own = raw(libc::SYS_getsid, [0; 5]) == raw(libc::SYS_getpid, [0; 5]);
    if own { "own" } else { "another's" }.to_owned()
}

pub(crate) fn descriptors() -> String {
    let mut open = String::new();
    for fd in 0..4096 {
        if raw(libc::SYS_fcntl, [fd, libc::F_GETFD as u64, 0, 0, 0]).is_ok() {
            // Writing to a string cannot fail.
            let _written = write!(open, "{}{fd}", if open.is_empty() { "" } else { " " });
        }
    }
    open
}

pub(crate) fn connect(address: &str, port: u16) -> String {
    let Ok(address) = address.parse::<IpAddr>() else { return "no address".to_owned() };
    said_io(TcpStream::connect_timeout(&(address, port).into(), Duration::from_secs(5)))
}

/// The parent's abstract socket.
pub(crate) fn abstract_address(parent: u64) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(format!("snapscan-denied-{parent}"))
}

pub(crate) fn connect_abstract(seen: &Seen) -> String {
    said_io(abstract_address(seen.parent).and_then(|address| UnixStream::connect_addr(&address)))
}

pub(crate) fn mount() -> String {
    let (none, root, tmpfs) = (c"none".as_ptr() as u64, c"/".as_ptr() as u64, c"tmpfs".as_ptr() as u64);
    said(raw(libc::SYS_mount, [none, root, tmpfs, 0, 0]))
}

pub(crate) fn open(path: &str) -> String {
    said_io(File::open(path))
}

pub(crate) fn create(path: &str) -> String {
    said_io(OpenOptions::new().write(true).create(true).truncate(true).open(path))
}

/// Opens below the folder without any of the guards that honest code uses.
pub(crate) fn below(seen: &Seen, path: &CStr, create: bool) -> String {
    let Some(directory) = &seen.directory else { return "no folder".to_owned() };
    let flags = if create { OFlags::CREATE | OFlags::WRONLY } else { OFlags::RDONLY };
    let mode = if create { Mode::RUSR } else { Mode::empty() };
    let opened = openat2(directory, path, flags, mode, ResolveFlags::empty());
    match opened.map_err(io::Error::from) {
        Ok(file) => {
            let mut content = String::new();
            match File::from(file).read_to_string(&mut content) {
                Ok(_) => format!("read {content}"),
                Err(error) => error.to_string(),
            }
        }
        Err(error) => said_io::<()>(Err(error)),
    }
}

/// The product's own reader of folders: lists, looks, opens and reads, as the inventory does.
pub(crate) fn reader(seen: &Seen) -> String {
    let read = || -> snapscan_disk::Result<String> {
        let folder = seen.directory.as_ref().and_then(|directory| directory.try_clone().ok());
        let fs = KernelFs::new(folder.ok_or(snapscan_disk::Error::NotADirectory)?)?;
        let mut names = Vec::new();
        fs.entries(fs.root(), &mut |entry| {
            names.extend(entry.map(|entry| (entry.name.to_vec(), entry.node)));
            std::ops::ControlFlow::Continue(())
        })?;
        let mut said = String::new();
        for (name, node) in names.iter().filter(|(name, _)| name != b"." && name != b"..") {
            let metadata = fs.metadata(*node)?;
            let attributes = fs.xattrs(*node)?.len();
            let file = fs.open(*node)?;
            let mut content = vec![0; metadata.size as usize];
            file.read_at(0, &mut content)?;
            let _runs = file.extents(0..metadata.size)?;
            let (name, content) = (String::from_utf8_lossy(name), String::from_utf8_lossy(&content));
            // Writing to a string cannot fail.
            let _written = write!(said, "{name}: {} bytes, {content}", metadata.size);
            assert!(attributes < 10);
        }
        Ok(said)
    };
    read().unwrap_or_else(|error| error.to_string())
}

/// Takes megabytes until there are no more; the bound here is the 256 MiB of the setup, and what is free of the base.
pub(crate) fn allocate() -> String {
    let mut held: Vec<Vec<u8>> = Vec::with_capacity(4096);
    while held.len() < 4096 {
        let mut more = Vec::new();
        if more.try_reserve_exact(1 << 20).is_err() {
            return match held.len() {
                200..=300 => "refused within its bound".to_owned(),
                other => format!("refused after {other} MiB"),
            };
        }
        more.resize(1 << 20, 1);
        held.push(more);
    }
    "took all it wanted".to_owned()
}

pub(crate) fn spin() -> String {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(60) {
        std::hint::spin_loop();
    }
    "spun for a minute".to_owned()
}

fn hang() -> String {
    loop {
        std::thread::park();
    }
}

pub(crate) fn many_descriptors() -> String {
    for _ in 0..100_000 {
        if let Err(errno) = raw(libc::SYS_fcntl, [0, libc::F_DUPFD_CLOEXEC as u64, 0, 0, 0]) {
            return format!("{errno:?}");
        }
    }
    "took all it wanted".to_owned()
}

pub(crate) fn grow_file() -> String {
    match raw(libc::SYS_memfd_create, [c"grows".as_ptr() as u64, 0, 0, 0, 0]) {
        Ok(fd) => said(raw(libc::SYS_write, [fd.unsigned_abs(), c"grows".as_ptr() as u64, 5, 0, 0])),
        Err(errno) => format!("no file to grow: {errno:?}"),
    }
}

pub(crate) fn raise_limit() -> String {
    use nix::sys::resource::{Resource, setrlimit};
    match setrlimit(Resource::RLIMIT_NOFILE, 10_000, 10_000) {
        Ok(()) => "raised".to_owned(),
        Err(errno) => format!("{errno:?}"),
    }
}

pub(crate) fn thread() -> String {
    said_io(std::thread::Builder::new().spawn(|| ()))
}

pub(crate) fn executable_memory() -> String {
    let (prot, flags) = (libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    said(raw(libc::SYS_mmap, [0, 4096, prot as u64, flags as u64, u64::MAX]))
}

/// Real work on all threads at once: each sorts numbers of its own, then all are summed.
fn pool(seat: &Seat) -> String {
    let threads = seat.pool.current_num_threads();
    let all_there = std::sync::Barrier::new(threads);
    let sums = seat.pool.broadcast(|context| {
        // Nobody goes on before every thread works.
        all_there.wait();
        let seed = context.index() as u64;
        let mut numbers: Vec<u64> =
            (0..1 << 20).map(|n: u64| (n ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        numbers.sort_unstable();
        let words: Vec<String> = numbers.iter().step_by(64).map(u64::to_string).collect();
        words.len() as u64
    });
    let total: u64 = seat.pool.install(|| (0..1_000_000_u64).into_par_iter().sum());
    format!("{threads} threads, {} words, sum {total}", sums.iter().sum::<u64>())
}

/// Receives two files and reads them.
fn files(seat: &Seat) -> String {
    match seat.receive_files(2) {
        Ok(files) => files
            .into_iter()
            .map(|file| {
                let mut content = String::new();
                let number = file.as_raw_fd();
                match File::from(file).read_to_string(&mut content) {
                    Ok(_) => content,
                    Err(error) => format!("descriptor {number}: {error}"),
                }
            })
            .collect::<Vec<_>>()
            .join(" "),
        Err(error) => error.to_string(),
    }
}
