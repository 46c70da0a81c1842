// SPDX-License-Identifier: Apache-2.0
//! Where findings go: reachable, writable, stopped or not. Nobody logs in and nothing is sent.

use std::time::Duration;

use snapscan_cloud::table::GetRow;
use snapscan_cloud::{Cloud, Scope};

use super::{Check, State, host};
use crate::agent::upload::name_of;
use crate::config::Config;
use crate::config::effective::Sink;

/// Long enough for a slow proxy.
const PATIENCE: Duration = Duration::from_secs(10);

/// One check a sink, and what the table says of its uploader.
pub(super) async fn checks(config: &Config, reached: Option<&(Cloud, Scope)>) -> Vec<Check> {
    let mut checks = Vec::new();
    for sink in &config.sinks {
        match sink {
            Sink::Dir { name, folder } => {
                checks.push(Check { topic: "sinks", ..host::folder(name, folder, 0) });
            }
            Sink::Csam(csam) => checks.push(reach(&csam.subscription, &csam.gateway).await),
        }
        if let Some((cloud, scope)) = reached {
            checks.extend(rows(&name_of(sink), cloud, scope).await);
        }
    }
    if config.sinks.is_empty() {
        checks.push(Check::new(
            "sinks",
            "none",
            State::Note,
            "no sink is configured: reports stay in the outbox",
        ));
    }
    checks
}

/// Any answer proves name, way and certificate.
pub(super) async fn reach(subject: &str, gateway: &str) -> Check {
    let client = reqwest::Client::builder()
        .connect_timeout(PATIENCE)
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .build();
    let answer = match client {
        Ok(client) => client.get(format!("{gateway}/")).send().await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(answer) => {
            let detail = format!("{gateway} answers ({}); the login is not tried", answer.status().as_u16());
            Check::new("sinks", subject, State::Good, detail)
        }
        Err(error) => {
            let why = crate::agent::upload::told(error);
            let detail = format!("{gateway} cannot be reached: {why}; check name, proxy and firewall");
            Check::new("sinks", subject, State::Bad, detail)
        }
    }
}

/// Who uploads, and whether all are stopped.
async fn rows(sink: &str, cloud: &Cloud, scope: &Scope) -> Vec<Check> {
    let mut checks = Vec::new();
    let row = |key: String| cloud.ask(scope, GetRow { key });
    if let Ok(Some(row)) = row(format!("uploader/{sink}")).await {
        let holder = row.value.split(' ').next().unwrap_or_default().to_owned();
        checks.push(Check::new("sinks", sink, State::Note, format!("{holder} is the uploader")));
    }
    if let Ok(Some(row)) = row(format!("stop/{sink}")).await {
        checks.push(Check::new(
            "sinks",
            sink,
            State::Bad,
            format!("stopped for all scanners: {}", row.value),
        ));
    }
    checks
}
