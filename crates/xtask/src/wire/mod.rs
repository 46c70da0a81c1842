// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask wire`: the real agent through the real SDK against moto, from the message on the queue to Qualys.
//!
//! What moto gets wrong (states, refusals, paging, sharing, conditions) is proved on the simulator; nothing here relies
//! on it. What this proves is the wire: requests that a server understands, tags, blocks, queue, outbox, table, the order
//! of a job's life, lost answers, and that nothing of ours is left.

mod conformance;
mod http;
mod judge;
mod moto;
mod proxy;
mod qualys;
mod world;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use crate::steps;
use judge::Account;
use moto::{HOME, Moto};
use proxy::Proxy;
use world::{SERVICE, TARGET};

/// Answers that are dropped after their effect: action, and which of its calls.
const DROPPED: [(&str, u32); 8] = [
    ("CreateSnapshots", 1),
    ("CreateVolume", 1),
    ("AttachVolume", 1),
    ("DeleteSnapshot", 1),
    ("DeleteMessage", 1),
    ("PutItem", 1),
    ("S3PUT", 1),
    ("GetSnapshotBlock", 3),
];

/// Options of `wire`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Keep the folder with logs, state and findings
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Use this program instead of building one with `--features aws`
    #[arg(long)]
    program: Option<PathBuf>,
}

/// Runs both methods.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let program = match &arguments.program {
        Some(program) => program.clone(),
        None => build()?,
    };
    let temporary = tempfile::tempdir()?;
    let folder = arguments.keep.as_deref().unwrap_or(temporary.path());
    fs::create_dir_all(folder)?;
    let folder = fs::canonicalize(folder)?;
    conformance::run(&program, &folder)?;
    for (method, fixture) in [("direct", "debian-ext4-gpt"), ("attach", "rocky-xfs-lvm-gpt")] {
        let here = folder.join(method);
        fs::create_dir_all(&here)?;
        one(&program, method, fixture, &here)
            .with_context(|| format!("method {method}, logs in {}", here.display()))?;
    }
    println!("wire: 2 methods, nothing of ours left, nothing lost");
    Ok(ExitCode::SUCCESS)
}

/// The program with the SDK in it, and the conformance suite beside it.
fn build() -> Result<PathBuf> {
    // Both at once, so that the SDK is compiled with one set of features, and once.
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--package", "snapscan", "--package", "snapscan-cloud-aws"]);
    steps::run(cargo.args(["--features", "snapscan/aws,snapscan-cloud-aws/sdk"]))?;
    Ok(fs::canonicalize(steps::built("debug/snapscan"))?)
}

/// One job of an instance, from the queue to Qualys.
fn one(program: &Path, method: &str, fixture: &str, folder: &Path) -> Result<()> {
    let moto = Moto::start(&folder.join("moto.log"))?;
    let proxy = Proxy::start(moto.address)?;
    let (jobs, dead) = world::services(&moto)?;
    let image = folder.join("disk.img");
    world::unpack(fixture, &image)?;
    // An attached volume is in the scanner's own account; blocks are read in another one, by its role.
    let (key, account) = match method {
        "direct" => (world::enter_target(&moto)?, TARGET),
        _ => (HOME.to_owned(), SERVICE),
    };
    let machine = world::machine(&moto, &key, &image)?;
    let scanner = world::machine(&moto, HOME, &image)?;
    let before = [Account::of(&moto, HOME)?, Account::of(&moto, &key)?];
    {
        let mut seen = proxy.seen();
        seen.holds.insert(machine.volume.clone(), machine.holds.clone());
        seen.identity = identity(&scanner.instance);
        seen.qualys.script = qualys::everything();
        // Each of these took effect, and nobody is told so.
        seen.drop = DROPPED.map(|(action, nth)| (action.to_owned(), nth)).to_vec();
    }
    configure(folder, &proxy, &jobs, &dead, account)?;
    let job = json!({
        "schema_version": 1, "id": format!("wire-{method}"), "account": account, "region": "eu-west-1",
        "target": {"kind": "instance", "id": machine.instance}, "profile": "os", "method": method, "limits": {},
    });
    moto.json("sqs", "AmazonSQS.SendMessage", &json!({"QueueUrl": jobs, "MessageBody": job.to_string()}))?;
    let loops = if method == "attach" { Some(judge::devices(folder, &proxy, &image)?) } else { None };
    agent(program, folder, &proxy)?;
    drop(loops);
    let after = [Account::of(&moto, HOME)?, Account::of(&moto, &key)?];
    ensure!(before == after, "the accounts are not as they were: {before:?} became {after:?}");
    for queue in [&jobs, &dead] {
        judge::is_empty(&moto, queue)?;
    }
    judge::report(&moto, program, folder, &machine, &image)?;
    judge::delivered(&proxy, account, &machine)?;
    let seen = proxy.seen();
    ensure!(
        seen.problems.is_empty(),
        "requests that a real cloud would not take, or that break a rule: {:#?}",
        seen.problems
    );
    println!(
        "   {method}: {} kinds of calls, {} answers dropped ({})",
        seen.asked.len(),
        seen.dropped.len(),
        seen.dropped.join(", ")
    );
    Ok(())
}

/// What the metadata service says of the host.
fn identity(instance: &str) -> String {
    let zone = "eu-west-1a";
    json!({"accountId": SERVICE, "region": "eu-west-1", "availabilityZone": zone, "instanceId": instance,
           "instanceType": "t3.micro"})
    .to_string()
}

/// Writes the agent's configuration.
fn configure(folder: &Path, proxy: &Proxy, jobs: &str, dead: &str, account: &str) -> Result<()> {
    let (endpoint, state) = (format!("http://{}", proxy.address), folder.join("state"));
    fs::create_dir_all(folder.join("config"))?;
    fs::write(folder.join("deployment.key"), "07".repeat(32))?;
    restrict(&folder.join("deployment.key"))?;
    // The scanner's own account is listed like any other; it is entered without the role.
    let role =
        format!("[accounts.{account}]\nrole = \"snapscan-target\"\nexternal_id = \"manager:external-id\"\n");
    let text = format!(
        r#"deployment = "wire"
state = "{state}"
key = "file:{key}"

[cloud]
kind = "aws"
region = "eu-west-1"
endpoint = "{endpoint}"
queue = "{jobs}"
dead = "{dead}"
bucket = "outbox"
table = "rows"
# Waits of minutes take seconds; moto has no state that would change meanwhile.
speed = 60
devices = "{devices}"

[sandbox]
require = "possible"

[sinks.qualys]
kind = "csam"
subscription = "wire"
gateway = "{endpoint}"
connector = "0b7e0000-0000-4000-8000-000000000000"
user = "manager:user"
password = "manager:password"

{role}"#,
        state = state.display(),
        key = folder.join("deployment.key").display(),
        devices = folder.join("devices").display(),
    );
    fs::create_dir_all(folder.join("devices"))?;
    Ok(fs::write(folder.join("config/10-wire.toml"), text)?)
}

fn restrict(file: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(file, fs::Permissions::from_mode(0o600))?)
}

/// Runs the agent until it has nothing more to do.
fn agent(program: &Path, folder: &Path, proxy: &Proxy) -> Result<()> {
    let log = fs::File::create(folder.join("agent.log"))?;
    let mut agent = Command::new("timeout");
    agent.arg("300").arg(program).args(["agent", "--until-idle", "--config"]).arg(folder.join("config"));
    agent
        .env_clear()
        .env("AWS_ACCESS_KEY_ID", HOME)
        .env("AWS_SECRET_ACCESS_KEY", "x")
        .env("PATH", "/usr/bin:/bin");
    agent.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", format!("http://{}", proxy.address));
    agent.env("RUST_LOG", "info").stdout(log.try_clone()?).stderr(log);
    println!("   {}", steps::shown(&agent));
    let status = agent.status()?;
    if !status.success() {
        bail!("the agent ended with {status}");
    }
    Ok(())
}
