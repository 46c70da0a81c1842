// SPDX-License-Identifier: Apache-2.0
//! The life of a worker: started, looked at, used, ended, and gone.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::{AsFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::wait::{WaitPidFlag, waitpid};
use rustix::thread::{CapabilitySet, CapabilitySets, remove_capability_from_bounding_set, set_capabilities};
use snapscan_sandbox::Error;
use snapscan_sandbox::parent::process::Exit;
use snapscan_sandbox::parent::spawn::{Program, Require, Worker, spawn};
use snapscan_sandbox::policy::{BARRIERS, Name, Need};

use crate::attacks::ATTACKS;
use crate::inside;
use crate::outside::{MEMORY, Scene};

type Test = fn(&Scene, bool) -> Result<String, String>;

/// What is tested besides the attacks; the last looks at what the others have left.
pub(crate) const TESTS: &[(&str, Test)] = &[
    ("table", |_, _| table()),
    ("looked-at", looked_at),
    ("liar", liar),
    ("no-worker", |scene, _| no_worker(scene)),
    ("full-refuses", |scene, _| full_refuses(scene)),
    ("possible-says", |scene, _| possible_says(scene)),
    ("bare-host", |_, _| bare_host()),
    ("undumpable-outside", undumpable),
    ("thread-ends", |scene, _| thread_ends(scene)),
    ("orphan", |_, _| orphan()),
    ("killed", |scene, _| killed(scene)),
    ("files", |scene, _| files(scene)),
    ("sixteen-threads", |scene, _| sixteen_threads(scene)),
    ("spawn-time", |scene, _| spawn_time(scene)),
    ("nothing-left", |_, _| nothing_left()),
];

/// `argv[0]` of a process that says it is confined and is not.
const LIAR: &str = "liar";
/// Told to a process that starts a worker, says which, and ends when its standard input does.
const ORPHANER: &str = "--orphan";

/// Told to a process that takes from itself what namespaces are made with, and then starts workers.
const BARE: &str = "--bare-host";

/// Is this process a part of one of these tests?
pub(crate) fn helper(args: &[String]) -> Option<ExitCode> {
    if std::env::args().next().is_some_and(|name| name == LIAR) {
        return Some(lie());
    }
    if args.first().is_some_and(|arg| arg == ORPHANER) {
        let scene = Scene::new();
        let worker = spawn(&scene.setup(&[], false)).unwrap();
        scene.tell(&worker, "hang");
        println!("{}", worker.process.id());
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        // As when it is killed: nothing is dropped.
        std::process::exit(0);
    }
    if args.first().is_some_and(|arg| arg == BARE) {
        match on_bare_host() {
            Ok(said) => println!("{said}"),
            Err(why) => println!("FAILED {why}"),
        }
        return Some(ExitCode::SUCCESS);
    }
    None
}

/// Says that all barriers stand: the frame of `child::report`, written by hand.
fn lie() -> ExitCode {
    let mut frame = vec![0, BARRIERS.len() as u8];
    frame.extend((0..BARRIERS.len()).flat_map(|number| [number as u8, 0]));
    let mut records = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
    records.write_all(&(frame.len() as u32).to_le_bytes()).unwrap();
    records.write_all(&frame).unwrap();
    records.read_to_end(&mut Vec::new()).unwrap();
    ExitCode::SUCCESS
}

fn started(scene: &Scene) -> Result<Worker, String> {
    spawn(&scene.setup(&[], false)).map_err(|error| error.to_string())
}

fn right(is: bool, what: impl Into<String>, otherwise: impl FnOnce() -> String) -> Result<String, String> {
    if is { Ok(what.into()) } else { Err(otherwise()) }
}

/// Every test that the table of barriers names is here.
fn table() -> Result<String, String> {
    let known = |name: &str| {
        ATTACKS.iter().any(|attack| attack.name == name) || TESTS.iter().any(|(test, _)| *test == name)
    };
    let named = BARRIERS.iter().flat_map(|rule| rule.tests);
    let unknown: Vec<_> = named.filter(|name| !known(name)).collect();
    right(unknown.is_empty(), "names only tests that there are", || format!("no such tests: {unknown:?}"))
}

/// All that is demanded stands, as the parent sees it; and where the parent may look, the namespaces are others.
fn looked_at(scene: &Scene, root: bool) -> Result<String, String> {
    let worker = started(scene)?;
    for barrier in &worker.barriers {
        let demanded = barrier.name.rule().need(root) == Need::Demanded;
        if demanded != barrier.in_force() && demanded {
            return Err(barrier.to_string());
        }
        if !barrier.in_force() {
            println!("      {barrier}");
        }
    }
    let space = |of: &str, kind: &str| fs::read_link(format!("/proc/{of}/ns/{kind}"));
    for kind in ["net", "ipc", "mnt"] {
        match space(&worker.process.id().to_string(), kind) {
            Ok(its) if its == space("self", kind).unwrap() => return Err(format!("its {kind} is ours")),
            Err(error) if root => return Err(error.to_string()),
            Ok(_) | Err(_) => {}
        }
    }
    let standing = worker.barriers.iter().filter(|barrier| barrier.in_force()).count();
    Ok(format!("{standing} of {} barriers stand", BARRIERS.len()))
}

fn liar(scene: &Scene, root: bool) -> Result<String, String> {
    let program = Program { path: "/proc/self/exe".into(), name: LIAR.to_owned() };
    let mut setup = scene.setup(&[], false);
    setup.program = &program;
    let Err(Error::Confinement { missing }) = spawn(&setup) else { return Err("was believed".to_owned()) };
    let caught: Vec<Name> = missing.iter().map(|barrier| barrier.name).collect();
    let seen_by_all = [Name::Capabilities, Name::NoNewPrivileges, Name::SystemCalls];
    let seen_by_root = [Name::User];
    let mut wanted = seen_by_all.iter().chain(seen_by_root.iter().filter(|_| root));
    let all = wanted.all(|name| caught.contains(name));
    right(all, format!("caught at {} barriers", caught.len()), || format!("caught only at {caught:?}"))
}

fn no_worker(scene: &Scene) -> Result<String, String> {
    let mut said = Vec::new();
    for path in ["/bin/true", "/nowhere"] {
        let program = Program { path: path.into(), name: "snapscan-worker".to_owned() };
        let mut setup = scene.setup(&[], false);
        setup.program = &program;
        match spawn(&setup) {
            Err(error @ Error::Worker { .. }) => said.push(error.to_string()),
            other => return Err(format!("{path}: {other:?}")),
        }
    }
    Ok(said.join("; "))
}

fn full_refuses(scene: &Scene) -> Result<String, String> {
    let mut setup = scene.setup(&[Name::Landlock], false);
    setup.require = Require::Full;
    match spawn(&setup) {
        Err(Error::Confinement { missing })
            if missing.iter().all(|barrier| barrier.name == Name::Landlock) =>
        {
            Ok(Error::Confinement { missing }.to_string())
        }
        other => Err(format!("{other:?}")),
    }
}

fn possible_says(scene: &Scene) -> Result<String, String> {
    let worker = spawn(&scene.setup(&[Name::Landlock], false)).map_err(|error| error.to_string())?;
    let landlock = worker.barriers.iter().find(|barrier| barrier.name == Name::Landlock).unwrap();
    right(!landlock.in_force(), landlock.to_string(), || "says that it stands".to_owned())
}

/// On a host that allows no namespaces nothing starts in full; what is possible still keeps files and network away.
fn bare_host() -> Result<String, String> {
    let output = Command::new("/proc/self/exe").arg(BARE).output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    right(output.status.success() && said.starts_with("without"), said.clone(), || {
        format!("{said} {output:?}")
    })
}

fn on_bare_host() -> Result<String, String> {
    let (user, group) = (nix::unistd::geteuid(), nix::unistd::getegid());
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER).map_err(|errno| errno.to_string())?;
    for (path, text) in [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", format!("{user} {user} 1")),
        ("/proc/self/gid_map", format!("{group} {group} 1")),
        ("/proc/sys/user/max_user_namespaces", "0".to_owned()),
    ] {
        fs::write(path, text).map_err(|error| format!("{path}: {error}"))?;
    }
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    // Root gets all again with the next exec, unless the bounding set lacks them.
    for number in 0..64 {
        if remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)).is_err() {
            break;
        }
    }
    set_capabilities(None, sets).map_err(|errno| errno.to_string())?;
    let scene = Scene::new();
    let refused = spawn(&scene.setup(&[], false));
    if !matches!(refused, Err(Error::Confinement { .. })) {
        return Err(format!("{refused:?}"));
    }
    let mut setup = scene.setup(&[], false);
    setup.require = Require::Possible;
    let worker = spawn(&setup).map_err(|error| error.to_string())?;
    let missing: Vec<_> = worker.barriers.iter().filter(|barrier| !barrier.in_force()).collect();
    let missing: Vec<_> = missing.iter().map(|barrier| barrier.name.to_string()).collect();
    let opened = scene.ask(&worker, "open");
    let worker = spawn(&setup).map_err(|error| error.to_string())?;
    let connected = (scene.ask(&worker, "connect"), worker.wait().map(|ended| ended.exit));
    let well = opened == "EPERM" && matches!(connected, (_, Ok(Exit::Signal(libc::SIGSYS))));
    right(well, format!("without {}", missing.join(", ")), || format!("{opened} {connected:?}"))
}

/// A process of the same user cannot look into it. Root can, by its capability to trace.
fn undumpable(scene: &Scene, root: bool) -> Result<String, String> {
    if root {
        return Ok("not run: root may look".to_owned());
    }
    let worker = started(scene)?;
    let memory = File::open(format!("/proc/{}/mem", worker.process.id()));
    let refused = memory.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied);
    right(refused, "EACCES to its user's other processes", || format!("{memory:?}"))
}

/// The worker outlives the thread that asked for it.
fn thread_ends(scene: &Scene) -> Result<String, String> {
    let worker = std::thread::scope(|scope| scope.spawn(|| started(scene)).join()).unwrap()?;
    let said = scene.ask(&worker, "echo");
    right(said == "echo", "lives on", || format!("{said:?} and {:?}", worker.wait()))
}

/// A worker that hangs ends with the process that started it.
fn orphan() -> Result<String, String> {
    let mut parent = Command::new("/proc/self/exe")
        .arg(ORPHANER)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut line = String::new();
    BufReader::new(parent.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let id: u64 = line.trim().parse().map_err(|_| format!("no worker: {line:?}"))?;
    let fd = inside::raw(libc::SYS_pidfd_open, [id, 0, 0, 0, 0]).map_err(|errno| errno.to_string())?;
    // SAFETY: the call has just made it, and nobody else knows it.
    let worker = unsafe { OwnedFd::from_raw_fd(fd as i32) };
    let ended = |timeout: u16| {
        let mut polled = [PollFd::new(worker.as_fd(), PollFlags::POLLIN)];
        poll(&mut polled, PollTimeout::from(timeout)).unwrap() == 1
    };
    let before = ended(0);
    drop(parent.stdin.take());
    parent.wait().unwrap();
    right(!before && ended(10_000), "ended with its parent", || {
        if before { "ended before its parent" } else { "lives on without a parent" }.to_owned()
    })
}

/// One that hangs is killed from another thread, waited for from two, and leaves no zombie.
fn killed(scene: &Scene) -> Result<String, String> {
    let worker = started(scene)?;
    scene.tell(&worker, "hang");
    let (alive, cpu) = (worker.process.ended().unwrap(), worker.process.cpu());
    let ends = std::thread::scope(|scope| {
        let waits = [0, 1].map(|_| scope.spawn(|| worker.wait().unwrap()));
        worker.kill();
        waits.map(|wait| wait.join().unwrap())
    });
    worker.kill();
    let gone = !fs::exists(format!("/proc/{}", worker.process.id())).unwrap();
    let well = alive.is_none() && cpu.is_some() && worker.process.cpu().is_none() && gone;
    right(well && ends.iter().all(|end| end.exit == Exit::Signal(9)), "killed, reaped by one of two", || {
        format!("{alive:?} {cpu:?} {ends:?} gone: {gone}")
    })
}

fn files(scene: &Scene) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["one", "two"] {
        fs::write(path(name), name).unwrap();
    }
    let worker = started(scene)?;
    let writable = OpenOptions::new().read(true).write(true).open(path("one")).unwrap();
    let refused = worker.send_files(&[writable.as_fd()]);
    if refused.as_ref().is_ok_and(|()| true) {
        return Err("a descriptor to write to was sent".to_owned());
    }
    scene.tell(&worker, "files");
    let (one, two) = (File::open(path("one")).unwrap(), File::open(path("two")).unwrap());
    worker.send_files(&[one.as_fd(), two.as_fd()]).map_err(|error| error.to_string())?;
    let said = scene.heard(&worker);
    right(said == "one two", "read-only ones pass, in order", || said.clone())
}

fn sixteen_threads(scene: &Scene) -> Result<String, String> {
    let mut setup = scene.setup(&[], false);
    setup.threads = 16;
    let worker = spawn(&setup).map_err(|error| error.to_string())?;
    let said = scene.ask(&worker, "pool");
    let ended = worker.wait().map_err(|error| error.to_string())?;
    // 16 times 2^20 numbers of which each 64th became a word; the sum of 0 to 999,999.
    let well = said == "16 threads, 262144 words, sum 499999500000" && ended.peak < MEMORY;
    right(well, format!("{said}; {} MiB at most, {:?}", ended.peak >> 20, ended.cpu), || {
        format!("{said:?} {ended:?}")
    })
}

fn spawn_time(scene: &Scene) -> Result<String, String> {
    let mut times = Vec::new();
    for _ in 0..15 {
        let start = Instant::now();
        let worker = started(scene)?;
        times.push(start.elapsed());
        drop(worker);
    }
    times.sort_unstable();
    let milliseconds = |at: usize| times[at].as_secs_f64() * 1000.0;
    right(
        times[7] < Duration::from_secs(5),
        format!("median {:.1} ms, best {:.1}", milliseconds(7), milliseconds(0)),
        || format!("{times:?}"),
    )
}

fn nothing_left() -> Result<String, String> {
    let left = waitpid(None, Some(WaitPidFlag::WNOHANG));
    right(left == Err(Errno::ECHILD), "no child is left", || format!("{left:?}"))
}
