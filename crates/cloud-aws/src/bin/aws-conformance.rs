// SPDX-License-Identifier: Apache-2.0
//! Runs the conformance suite over AWS's own client, one line a case: `name<TAB>ok` or `name<TAB>why not`.
//!
//! `aws-conformance ENDPOINT QUEUE DEAD INSTANCE ROOT DATA SCANNER` runs it against a stand-in at ENDPOINT.
//!
//! `aws-conformance --real-aws …` runs it against AWS itself: it makes a few snapshots, a copy, volumes and an attachment,
//! and takes them away again, also when it is interrupted. No call is made that could bring the sum beyond `--dollars`,
//! each counted at its worst; what takes away is always allowed.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use snapscan_cloud::conformance::{self, Case, PRICES_DATED, World};
use snapscan_cloud::{AccountId, Clock, Cloud, InstanceId, Owner, Region, VolumeId};
use snapscan_cloud_aws::{Aws, Role, Settings};

const USAGE: &str = "\
usage: aws-conformance ENDPOINT QUEUE DEAD INSTANCE ROOT DATA SCANNER
       aws-conformance --real-aws OPTIONS

against AWS itself, with the credentials that its tools find, on the scanner's instance:
  --dollars 0.50            no more than this, each call counted at its worst
  --region REGION           of everything
  --zone ZONE               the scanner's
  --service-account ID      the scanner's account
  --target-account ID       the target's account, which may be the same
  --other-account ID        an account of yours to share a snapshot with for a moment
  --role NAME               the role in the target's account; its external id is in the variable EXTERNAL_ID
  --instance i-…            the target: running, with exactly the two volumes that follow, small and not encrypted
  --volume vol-…            its root
  --volume vol-…            its other volume
  --scanner i-…             this instance
  --queue URL, --dead URL   queues of their own, empty
  --bucket NAME             a bucket
  --table NAME              a table with the keys `family` and `row`
  --key FILE                64 hexadecimal digits, kept: only with them is anything taken away, now or by the next run";

/// What is asked for.
struct Asked {
    settings: Settings,
    world: World,
    /// Millionths of a dollar; none against a stand-in.
    cap: Option<u64>,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let asked = match words.first().map(String::as_str) {
        Some("--real-aws") => real(&words[1..]),
        _ => stand_in(&words).ok_or_else(|| "these are not the arguments".to_owned()),
    };
    let asked = match asked {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!("error: {why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(run(asked))
}

async fn run(asked: Asked) -> ExitCode {
    let Asked { settings, world, cap } = asked;
    let clock = settings.clock;
    let cloud = Cloud { service: Arc::new(Aws::connect(settings).await), clock };
    let Some(cap) = cap else {
        print(&conformance::run(&cloud, &world).await);
        return ExitCode::SUCCESS;
    };
    let stop = async {
        // Without a handler the key ends the program at once, as it does everywhere.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        eprintln!("stopping: what was made is taken away, which takes up to {} s", world.patience.as_secs());
    };
    let bill = conformance::run_capped(&cloud, &world, cap, stop).await;
    print(&bill.cases);
    let (spent, cap) = (dollars(bill.microdollars), dollars(cap));
    println!("cost at worst\t{spent} of {cap}, prices of {PRICES_DATED}; {} calls refused", bill.refused);
    for left in &bill.left {
        println!("left\t{left}");
    }
    let is_good = bill.left.is_empty() && !bill.cases.is_empty() && bill.refused == 0;
    let failed = bill.cases.iter().filter(|case| case.result.is_err()).count();
    println!("{} cases, {failed} failed, {} left", bill.cases.len(), bill.left.len());
    if is_good && failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print(cases: &[Case]) {
    for case in cases {
        println!("{}\t{}", case.name, case.result.as_ref().err().map_or("ok", String::as_str));
    }
}

/// Against AWS itself: nothing has a default that could be somebody else's.
fn real(words: &[String]) -> Result<Asked, String> {
    let mut given: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for pair in words.chunks(2) {
        let [name, value] = pair else { return Err(format!("{} has no value", pair.concat())) };
        let name = name.strip_prefix("--").ok_or_else(|| format!("{name} is no option"))?;
        given.entry(name).or_default().push(value);
    }
    let mut take = |name: &str, nth: usize| -> Result<String, String> {
        let values = given.get_mut(name).filter(|values| !values.is_empty());
        let again = if nth == 0 { "" } else { " once more" };
        let values = values.ok_or_else(|| format!("--{name} is missing{again}"))?;
        Ok(values.remove(0).to_owned())
    };
    let bad = |name: &str| format!("--{name} cannot be used as it is");
    let account = |text: String, name: &str| AccountId::parse(&text).ok_or_else(|| bad(name));
    let instance = |text: String, name: &str| InstanceId::parse(&text).ok_or_else(|| bad(name));
    let volume = |text: String| VolumeId::parse(&text).ok_or_else(|| bad("volume"));
    let cap = micro(&take("dollars", 0)?).ok_or_else(|| bad("dollars"))?;
    let region = Region::parse(&take("region", 0)?).ok_or_else(|| bad("region"))?;
    let service = account(take("service-account", 0)?, "service-account")?;
    let target = account(take("target-account", 0)?, "target-account")?;
    let other = account(take("other-account", 0)?, "other-account")?;
    let external_id = std::env::var("EXTERNAL_ID").map_err(|_| "EXTERNAL_ID is not set".to_owned())?;
    let role = Role { name: take("role", 0)?, external_id };
    let key = key(&take("key", 0)?)?;
    let settings = Settings {
        deployment: "conformance".to_owned(),
        account: service.clone(),
        region: region.clone(),
        endpoint: None,
        queue: take("queue", 0)?,
        dead: take("dead", 0)?,
        bucket: take("bucket", 0)?,
        table: take("table", 0)?,
        clock: Clock::real(),
        devices: None,
        roles: BTreeMap::from([(target.clone(), role)]),
    };
    let world = World {
        zone: take("zone", 0)?,
        region,
        account: target,
        instance: instance(take("instance", 0)?, "instance")?,
        root: volume(take("volume", 0)?)?,
        data: volume(take("volume", 1)?)?,
        service,
        scanner: instance(take("scanner", 0)?, "scanner")?,
        other,
        owner: Owner::new("conformance".to_owned(), key),
        patience: Duration::from_secs(600),
    };
    match given.iter().find(|(_, values)| !values.is_empty()) {
        Some((name, _)) => Err(format!("--{name} is unknown, or was given once too often")),
        None => Ok(Asked { settings, world, cap: Some(cap) }),
    }
}

/// The key in a file; what it says is never repeated.
fn key(path: &str) -> Result<[u8; 32], String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
    let digits = text.trim().as_bytes();
    let mut key = [0; 32];
    let is_whole = digits.len() == 2 * key.len();
    for (byte, pair) in key.iter_mut().zip(digits.chunks(2)) {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()));
        let value = pair.filter(|_| is_whole).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        *byte = value.ok_or_else(|| format!("{path} does not hold 64 hexadecimal digits"))?;
    }
    Ok(key)
}

/// Dollars with at most six decimals, as millionths.
fn micro(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 6 || !is_digits(whole) || !is_digits(part) {
        return None;
    }
    let part: u64 = format!("{part:0<6}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(part)
}

fn dollars(micros: u64) -> String {
    format!("${}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// Against a stand-in: what is not named is what `cargo xtask wire` sets up.
fn stand_in(words: &[String]) -> Option<Asked> {
    let [endpoint, queue, dead, instance, root, data, scanner] = words else { return None };
    if !endpoint.starts_with("http://") {
        return None;
    }
    let variable = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let account = |name: &str, default: &str| AccountId::parse(&variable(name, default));
    let (service, target) =
        (account("SERVICE_ACCOUNT", "123456789012")?, account("TARGET_ACCOUNT", "222222222222")?);
    let region = Region::parse(&variable("AWS_REGION", "eu-west-1"))?;
    let role = Role {
        name: variable("TARGET_ROLE", "snapscan-target"),
        external_id: variable("EXTERNAL_ID", "0123456789abcdef0123456789abcdef"),
    };
    let settings = Settings {
        deployment: "conformance".to_owned(),
        account: service.clone(),
        region: region.clone(),
        endpoint: Some(endpoint.clone()),
        queue: queue.clone(),
        dead: dead.clone(),
        bucket: variable("BUCKET", "outbox"),
        table: variable("TABLE", "rows"),
        // A stand-in changes nothing while one waits for it.
        clock: Clock::fast(Clock::real().milliseconds(), 10),
        devices: None,
        roles: BTreeMap::from([(target.clone(), role)]),
    };
    let world = World {
        zone: variable("ZONE", &format!("{region}a")),
        region,
        account: target,
        instance: InstanceId::parse(instance)?,
        root: VolumeId::parse(root)?,
        data: VolumeId::parse(data)?,
        service,
        scanner: InstanceId::parse(scanner)?,
        other: account("OTHER_ACCOUNT", "333333333333")?,
        owner: Owner::new("conformance".to_owned(), [3; 32]),
        patience: Duration::from_secs(600),
    };
    Some(Asked { settings, world, cap: None })
}
