// SPDX-License-Identifier: Apache-2.0
//! The parent of the attacked workers: sets the scene, sends the attack, judges what came of it.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use nix::libc;
use snapscan_sandbox::parent::process::Exit;
use snapscan_sandbox::parent::spawn::{Program, Require, Setup, Worker, spawn};
use snapscan_sandbox::policy::{BARRIERS, Name, Need};

use crate::attacks::{ATTACKS, Attack, Expect};
use crate::{inside, life};

/// The memory of a worker as it is by default.
pub(crate) const MEMORY: u64 = 256 << 20;

/// What the attacks are aimed at.
pub(crate) struct Scene {
    pub(crate) program: Program,
    listener: TcpListener,
    _abstract_listener: UnixListener,
    segment: u64,
    _folder: tempfile::TempDir,
    pub(crate) directory: File,
    /// Open without close-on-exec, as a careless library leaves it.
    _careless: OwnedFd,
}

impl Scene {
    pub(crate) fn new() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("below");
        fs::create_dir(&below).unwrap();
        fs::write(below.join("inside"), "inside").unwrap();
        fs::write(folder.path().join("outside"), "outside").unwrap();
        // As shadow is: only its owner reads it.
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(below.join("inside"), fs::Permissions::from_mode(0o600)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // The door that the workers must not find is open.
        TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let address = inside::abstract_address(u64::from(std::process::id())).unwrap();
        let abstract_listener = UnixListener::bind_addr(&address).unwrap();
        UnixStream::connect_addr(&address).unwrap();
        let segment = u64::from(std::process::id()) | 0x5CA0_0000;
        let mode = (libc::IPC_CREAT | 0o600) as u64;
        inside::raw(libc::SYS_shmget, [segment, 4096, mode, 0, 0]).unwrap();
        let careless = rustix::io::dup(File::open("/dev/null").unwrap()).unwrap();
        let directory = File::open(&below).unwrap();
        Scene {
            program: Program::this(),
            listener,
            _abstract_listener: abstract_listener,
            segment,
            _folder: folder,
            directory,
            _careless: careless,
        }
    }

    pub(crate) fn setup<'a>(&'a self, without: &'a [Name], folder: bool) -> Setup<'a> {
        Setup {
            program: &self.program,
            threads: 2,
            memory: MEMORY,
            cpu: Duration::from_secs(60),
            require: if without.is_empty() { Require::Full } else { Require::Possible },
            directory: folder.then(|| self.directory.as_fd()),
            without,
        }
    }

    /// Sends a worker what it is to do, and returns what it says: nothing if it ends.
    pub(crate) fn ask(&self, worker: &Worker, what: &str) -> String {
        self.tell(worker, what);
        self.heard(worker)
    }

    pub(crate) fn heard(&self, worker: &Worker) -> String {
        let mut line = String::new();
        BufReader::new(&worker.records).read_line(&mut line).unwrap_or_default();
        line.trim_end().to_owned()
    }

    pub(crate) fn tell(&self, worker: &Worker, what: &str) {
        let port = self.listener.local_addr().unwrap().port();
        let order = format!("{what} {port} {} {}\n", std::process::id(), self.segment);
        (&worker.records).write_all(order.as_bytes()).unwrap();
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let id = inside::raw(libc::SYS_shmget, [self.segment, 0, 0, 0, 0]).unwrap();
        inside::raw(libc::SYS_shmctl, [id as u64, libc::IPC_RMID as u64, 0, 0, 0]).unwrap();
    }
}

/// Runs all whose name has `filter` in it; prints a line each; false if anything is not denied.
pub(crate) fn all(who: &str, filter: &str) -> bool {
    let scene = Scene::new();
    let root = who == "root";
    let mut failed = 0;
    for attack in ATTACKS.iter().filter(|attack| attack.name.contains(filter)) {
        let pointless = BARRIERS
            .iter()
            .find(|rule| rule.tests == [attack.name] && matches!(rule.need(root), Need::Pointless(_)));
        if let Some(rule) = pointless {
            println!("{who}: {:22} not run: {:?}", attack.name, rule.need(root));
            continue;
        }
        match attempt(&scene, attack) {
            Ok(came) => println!("{who}: {:22} {came} [{}]", attack.name, shows(attack.name)),
            Err(why) => {
                println!("{who}: {:22} FAILED: {why} [{}]", attack.name, shows(attack.name));
                failed += 1;
            }
        }
    }
    for (name, test) in life::TESTS.iter().filter(|(name, _)| name.contains(filter)) {
        match test(&scene, root) {
            Ok(came) => println!("{who}: {name:22} {came} [{}]", shows(name)),
            Err(why) => {
                println!("{who}: {name:22} FAILED: {why}");
                failed += 1;
            }
        }
    }
    println!("as {who}: {failed} failed");
    failed == 0
}

/// The barriers that an attack shows.
fn shows(name: &str) -> String {
    let rules = BARRIERS.iter().filter(|rule| rule.tests.contains(&name));
    rules.map(|rule| rule.title).collect::<Vec<_>>().join(", ")
}

fn attempt(scene: &Scene, attack: &Attack) -> Result<String, String> {
    let mut setup = scene.setup(attack.without, attack.folder);
    if attack.name == "spin" {
        setup.cpu = Duration::from_secs(1);
    }
    let worker = spawn(&setup).map_err(|error| error.to_string())?;
    let said = scene.ask(&worker, attack.name);
    let ended = worker.wait().map_err(|error| error.to_string())?;
    match (&attack.expect, ended.exit) {
        (Expect::Says(right), Exit::Code(0)) if right.contains(&said.as_str()) => Ok(said),
        (Expect::Killed(signals), Exit::Signal(signal)) if signals.contains(&signal) && said.is_empty() => {
            Ok(format!("ended by signal {signal}"))
        }
        (Expect::Says(right), exit) => Err(format!("{said:?} and {exit:?} instead of {right:?}")),
        (Expect::Killed(signals), exit) => {
            Err(format!("{said:?} and {exit:?} instead of signal {signals:?}"))
        }
    }
}
