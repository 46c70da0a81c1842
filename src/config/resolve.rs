// SPDX-License-Identifier: Apache-2.0
//! From checked settings to what the program works with: the third stage.

use std::time::Duration;

use snapscan_cloud::Region;

use super::checked::{Checked, Origins};
use super::effective::{
    Account, AgentSettings, CloudChoice, Config, Csam, Limits, Login, MethodChoice, Prices, Reader,
    SandboxSettings, SecretFrom, Sink, StandIn,
};
use super::keys::PODS;

impl Checked {
    /// The configuration, and where each part of it comes from. Everything is there: it was checked.
    pub(crate) fn resolve(self) -> (Config, Origins) {
        let account = |account: &snapscan_cloud::AccountId| {
            let of = |part: &str| format!("accounts.{account}.{part}");
            let entered = Account {
                role: self.some_text(&of("role")),
                external_id: self.some_secret(&of("external_id")),
                copy_key: self.text(&of("copy_key")),
            };
            (account.clone(), entered)
        };
        let config = Config {
            deployment: self.some_text("deployment"),
            state: self.path("state").unwrap_or_default(),
            key: self.some_secret("key"),
            cloud: self.cloud(),
            accounts: self.accounts.iter().map(account).collect(),
            agent: self.agent(),
            sandbox: SandboxSettings {
                require_full: self.text("sandbox.require").as_deref() == Some("full"),
                memory: self.some_number("sandbox.memory"),
                threads: self.count("sandbox.threads"),
            },
            limits: Limits {
                blocks_os: self.some_number("limits.blocks_os"),
                blocks_full: self.number("limits.blocks_full"),
                microdollars_a_day: self.some_number("limits.dollars_a_day"),
            },
            sinks: self.sinks.iter().map(|sink| self.sink(sink)).collect(),
            keep: self.some_duration("outbox.keep"),
            prices: Prices {
                dated: self.some_text("prices.dated"),
                get_block_1000: self.some_number("prices.get_block_1000"),
                list_blocks_1000: self.some_number("prices.list_blocks_1000"),
                snapshot_gib_month: self.some_number("prices.snapshot_gib_month"),
                volume_gib_month: self.some_number("prices.volume_gib_month"),
            },
        };
        (config, self.origins())
    }

    fn cloud(&self) -> CloudChoice {
        match self.text("cloud.kind").as_deref() {
            Some("remote") => CloudChoice::Remote { socket: self.path("cloud.socket").unwrap_or_default() },
            Some("aws") => CloudChoice::Aws {
                region: self.text("cloud.region").and_then(|region| Region::parse(&region)),
                endpoint: self.text("cloud.endpoint"),
                queue: self.some_text("cloud.queue"),
                dead: self.some_text("cloud.dead"),
                bucket: self.some_text("cloud.bucket"),
                table: self.some_text("cloud.table"),
                stand_in: StandIn {
                    speed: u32::try_from(self.number("cloud.speed").unwrap_or(1)).unwrap_or(1),
                    devices: self.path("cloud.devices"),
                },
            },
            _ => CloudChoice::Local { folder: self.path("cloud.folder").unwrap_or_default() },
        }
    }

    fn agent(&self) -> AgentSettings {
        AgentSettings {
            pending: self.count("agent.pending"),
            inspect: self.count("agent.inspect"),
            lease: self.some_duration("agent.lease"),
            margin: self.some_duration("agent.margin"),
            drain: self.some_duration("agent.drain"),
            deadline: self.some_duration("agent.deadline"),
            report_room: self.some_number("agent.report_room"),
            method: match self.text("agent.method").as_deref() {
                Some("direct") => MethodChoice::Direct,
                Some("attach") => MethodChoice::Attach,
                _ => MethodChoice::Auto,
            },
            reader: match self.text("agent.reader").as_deref() {
                Some("kernel") => Reader::Kernel,
                _ => Reader::Own,
            },
            kernel_fallback: self.flag("agent.kernel_fallback"),
            local_root: self.path("agent.local_root"),
            exclude_tags: self.words("agent.exclude_tags"),
            metrics: self.path("agent.metrics"),
            scanners: u32::try_from(self.some_number("agent.scanners")).unwrap_or(1),
        }
    }

    fn sink(&self, sink: &str) -> Sink {
        let of = |part: &str| format!("sinks.{sink}.{part}");
        if self.text(&of("kind")).as_deref() == Some("dir") {
            return Sink::Dir { name: sink.to_owned(), folder: self.path(&of("folder")).unwrap_or_default() };
        }
        let pod = self.text(&of("pod"));
        let pod =
            PODS.iter().find(|(name, _)| pod.as_ref().is_some_and(|pod| pod.eq_ignore_ascii_case(name)));
        let gateway = self.text(&of("gateway")).or(pod.map(|(_, url)| (*url).to_owned())).unwrap_or_default();
        let login = match (self.secret(&of("user")), self.secret(&of("client_id"))) {
            (Some(user), _) => Login::Password { user, password: self.some_secret(&of("password")) },
            (None, Some(id)) => Login::Client { id, secret: self.some_secret(&of("client_secret")) },
            (None, None) => Login::Token(self.some_secret(&of("token"))),
        };
        Sink::Csam(Box::new(Csam {
            subscription: self.text(&of("subscription")).unwrap_or_else(|| sink.to_owned()),
            gateway: gateway.trim_end_matches('/').to_owned(),
            connector: self.some_text(&of("connector")),
            login,
            batch_assets: self.count(&of("batch_assets")),
            batch_bytes: self.count(&of("batch_bytes")),
        }))
    }

    fn some_text(&self, name: &str) -> String {
        self.text(name).unwrap_or_default()
    }

    fn some_number(&self, name: &str) -> u64 {
        self.number(name).unwrap_or_default()
    }

    fn count(&self, name: &str) -> usize {
        usize::try_from(self.some_number(name)).unwrap_or(usize::MAX)
    }

    fn some_duration(&self, name: &str) -> Duration {
        self.duration(name).unwrap_or_default()
    }

    fn some_secret(&self, name: &str) -> SecretFrom {
        // A place that holds no secret: what uses it says so.
        self.secret(name).unwrap_or_else(|| SecretFrom::Environment(String::new()))
    }
}
