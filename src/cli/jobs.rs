// SPDX-License-Identifier: Apache-2.0
//! `snapscan jobs`: puts jobs on the queue, and shows how far they are.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use snapscan_cloud::Cloud;
use snapscan_cloud::queue::{CountMessages, Send};
use snapscan_schema::job::targets;
use snapscan_schema::{JOB_VERSION, Job, JobLimits, JobReader, JobTarget, Method, Time};

use crate::agent::context::{host, open_cloud, own};
use crate::agent::ledger::{JobRow, JobState, Ledger, Opening};
use crate::config::{Config, Flags};
use crate::error::Failure;
use crate::exit::Exit;

/// Options of `jobs`.
#[derive(Args)]
pub(crate) struct JobsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Put a job on the queue for each target
    Submit(SubmitArgs),
    /// Count the messages on the queue, and list the jobs that this scanner has seen
    List(ListArgs),
}

/// Options of `jobs submit`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
struct SubmitArgs {
    /// Ids (i-…, vol-…, snap-…, ami-…), one job each; or on a local queue paths, together the disks of one machine
    #[arg(required = true, value_name = "TARGET")]
    targets: Vec<String>,

    /// The account that holds the targets; not needed if only one is configured
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,

    /// The region that holds the targets; the scanner's own if absent
    #[arg(long, value_name = "REGION")]
    region: Option<String>,

    /// The job's id; made up if absent
    #[arg(long, value_name = "ID")]
    id: Option<String>,

    /// How much is looked at
    #[arg(long, value_enum, default_value_t = ProfileName::Os)]
    profile: ProfileName,

    /// How volumes are read
    #[arg(long, value_enum, default_value_t = MethodName::Auto)]
    method: MethodName,

    /// Whose readers are used; the configuration's choice if absent
    #[arg(long, value_enum)]
    reader: Option<ReaderName>,

    /// Leave out volumes with this tag, `key` or `key=value`
    #[arg(long, value_name = "TAG")]
    exclude_volume_tag: Vec<String>,

    #[command(flatten)]
    flags: Flags,
}

const EXAMPLES: &str = "\
Examples:
  snapscan jobs submit i-0123456789abcdef0
  snapscan jobs submit --profile full --account 111122223333 vol-0abc snap-0def
  snapscan jobs submit ./web-03/root.img ./web-03/data.img";

/// Options of `jobs list`.
#[derive(Args)]
struct ListArgs {
    #[command(flatten)]
    flags: Flags,
}

#[derive(Clone, Copy, ValueEnum)]
enum ProfileName {
    Os,
    Full,
}

#[derive(Clone, Copy, ValueEnum)]
enum MethodName {
    Auto,
    Direct,
    Attach,
}

#[derive(Clone, Copy, ValueEnum)]
enum ReaderName {
    Own,
    Kernel,
}

impl JobsArgs {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self.command {
            Command::Submit(args) => args.run(),
            Command::List(args) => args.run(),
        }
    }
}

impl SubmitArgs {
    fn run(self) -> Result<Exit, Failure> {
        let (config, _) = Config::load(&self.flags)?;
        let named = targets(&self.targets).map_err(|error| {
            Failure::usage(error.to_string(), "`snapscan jobs submit --help` has examples")
        })?;
        let named: Vec<JobTarget> =
            named.into_iter().map(|one| local(&config, one)).collect::<Result<_, _>>()?;
        if self.id.is_some() && named.len() > 1 {
            return Err(Failure::usage("--id names one job", "name one target with it"));
        }
        super::wait(async {
            let cloud = open_cloud(&config).await?;
            let host = host(&cloud).await?;
            for target in named {
                let job = self.job(&config, target, host.region.as_str())?;
                submit(&cloud, &own(&host, &job.id), &job).await?;
                super::print(&format!("{}  {}\n", job.id, job.target.name()));
            }
            Ok(Exit::Complete)
        })?
    }

    fn job(&self, config: &Config, target: JobTarget, region: &str) -> Result<Job, Failure> {
        let is_local = target.is_local();
        let account = match &self.account {
            _ if is_local => None,
            Some(account) => Some(account.clone()),
            None => Some(only_account(config)?),
        };
        let region = self.region.clone().unwrap_or_else(|| region.to_owned());
        Ok(Job {
            schema_version: JOB_VERSION,
            id: self.id.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
            target,
            account,
            region: (!is_local).then_some(region),
            profile: if matches!(self.profile, ProfileName::Full) { "full" } else { "os" }.to_owned(),
            exclude_volume_tags: self.exclude_volume_tag.clone(),
            limits: JobLimits::default(),
            method: match self.method {
                MethodName::Auto => Method::Auto,
                MethodName::Direct => Method::Direct,
                MethodName::Attach => Method::Attach,
            },
            reader: self.reader.map(|reader| match reader {
                ReaderName::Own => JobReader::Own,
                ReaderName::Kernel => JobReader::Kernel,
            }),
            attempt: 0,
            not_before: None,
        })
    }
}

/// Puts a job on the queue; what an agent would bury is refused here.
async fn submit(cloud: &Cloud, scope: &snapscan_cloud::Scope, job: &Job) -> Result<(), Failure> {
    let unwritten = |error: &dyn std::fmt::Display| {
        Failure::usage(format!("this is no job: {error}"), "`snapscan jobs submit --help` says what is")
    };
    let body = serde_json::to_string(job).map_err(|error| unwritten(&error))?;
    Job::parse(&body).map_err(|error| unwritten(&error))?;
    let sent = cloud.ask(scope, Send { body, delay: Duration::ZERO }).await;
    sent.map_err(|error| {
        Failure::new(format!("cannot put the job on the queue: {error}"), "`snapscan doctor` tries the queue")
    })
}

/// The account, where only one can be meant.
fn only_account(config: &Config) -> Result<String, Failure> {
    let mut accounts = config.accounts.keys();
    match (accounts.next(), accounts.next()) {
        (Some(account), None) => Ok(account.to_string()),
        (None, _) => Err(Failure::usage("no account is configured", "add one: `[accounts.111122223333]`")),
        (Some(_), Some(_)) => {
            Err(Failure::usage("several accounts are configured", "say which one with --account"))
        }
    }
}

/// A target whose paths are beneath the folder that agents look in.
fn local(config: &Config, target: JobTarget) -> Result<JobTarget, Failure> {
    let JobTarget::Image { paths } = target else { return Ok(target) };
    let Some(root) = &config.agent.local_root else {
        return Err(Failure::usage(
            "files are targets only beneath `agent.local_root`, which is not set",
            "set it, for agents and here; or scan them at once with `snapscan scan`",
        ));
    };
    let found: Vec<PathBuf> = paths.iter().map(|path| beneath(root, path)).collect::<Result<_, _>>()?;
    let text = |path: &PathBuf| {
        path.to_str().map(str::to_owned).ok_or_else(|| {
            Failure::usage(format!("`{}` is not UTF-8", path.display()), "a job is JSON; rename the file")
        })
    };
    match found.as_slice() {
        [one] if root.join(one).is_dir() => Ok(JobTarget::Directory { path: text(one)? }),
        all => Ok(JobTarget::Image { paths: all.iter().map(text).collect::<Result<_, _>>()? }),
    }
}

fn beneath(root: &Path, path: &str) -> Result<PathBuf, Failure> {
    let real = |path: &Path| {
        path.canonicalize().map_err(|error| crate::error::opening(&path.to_string_lossy(), &error))
    };
    let (root, file) = (real(root)?, real(Path::new(path))?);
    file.strip_prefix(&root).map(Path::to_owned).map_err(|_| {
        Failure::usage(
            format!("`{path}` is not beneath `{}`, where agents look for files", root.display()),
            "put it there, or scan it at once with `snapscan scan`",
        )
    })
}

impl ListArgs {
    fn run(self) -> Result<Exit, Failure> {
        let (config, _) = Config::load(&self.flags)?;
        super::wait(async {
            let cloud = open_cloud(&config).await?;
            let scope = own(&host(&cloud).await?, "");
            let queue = cloud.ask(&scope, CountMessages {}).await.map_err(|error| {
                Failure::new(
                    format!("cannot look at the queue: {error}"),
                    "`snapscan doctor` tries the queue",
                )
            })?;
            super::print(&format!(
                "queue: {} waiting, {} with an agent, {} for later, {} dead letters\n",
                queue.visible, queue.leased, queue.delayed, queue.dead
            ));
            match Ledger::open(&config.state, Opening::Beside) {
                Ok(ledger) => ledger.jobs().await?.iter().for_each(|row| super::print(&line(row))),
                Err(crate::agent::ledger::Error::Missing(_)) => {
                    super::print("no agent has worked here yet\n")
                }
                Err(error) => return Err(error.into()),
            }
            Ok(Exit::Complete)
        })?
    }
}

/// One job: when it was changed last, id, account, how far it is, why.
fn line(row: &JobRow) -> String {
    let state = match &row.state {
        JobState::Done(ends) => match ends.code() {
            Some(code) => format!("{} {}", ends.name(), code.code()),
            None => ends.name().to_owned(),
        },
        state => state.name().to_owned(),
    };
    let target = serde_json::from_str::<JobTarget>(&row.target).map_or(String::new(), |target| target.name());
    let account = if row.account.is_empty() { "-" } else { &row.account };
    format!(
        "{}  {}  {account}  {target}  attempt {}  {state}\n",
        Time(row.changed.0).rfc3339(),
        row.id,
        row.attempt
    )
}
