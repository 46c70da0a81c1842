// SPDX-License-Identifier: Apache-2.0
//! What each session may do, action by action, with nothing done.
//!
//! A policy that is bound to our tag denies what is asked of a thing that does not exist, since that has no tag. Such a
//! denial is said and is no fault, unless the cloud is one whose refusals know no tags.

use snapscan_cloud::host::HostFacts;
use snapscan_cloud::{Action, Call, Class, Cloud, Error, Purpose, Scope, owned};

use super::probe::{Probe, Things};
use super::{Check, State};
use crate::config::Config;
use crate::config::effective::{CloudChoice, MethodChoice};

/// One account's sessions are asked with this.
pub(super) struct Asker<'a> {
    pub(super) cloud: &'a Cloud,
    pub(super) config: &'a Config,
    pub(super) host: &'a HostFacts,
}

/// What is said of one session.
#[derive(Default)]
struct Said {
    may: Vec<&'static str>,
    unrefused: Vec<&'static str>,
    untried: Vec<(&'static str, &'static str)>,
    checks: Vec<Check>,
}

/// A session that opened: what it is called, what it is, who gives it its rights.
pub(super) struct Session {
    pub(super) name: String,
    pub(super) scope: Scope,
    /// True in the scanner's own account, where volumes are made and attached.
    pub(super) home: bool,
}

impl Asker<'_> {
    /// Asks each action of each of these sessions, all of one account.
    pub(super) async fn ask(&self, sessions: &[Session]) -> Vec<Check> {
        let things = match sessions.first() {
            Some(first) => self.things(first).await,
            None => return Vec::new(),
        };
        let mut checks = Vec::new();
        for session in sessions {
            let mut said = Said::default();
            for action in actions(session) {
                self.one(session, action, &things, &mut said).await;
            }
            checks.extend(said.told(session));
        }
        checks
    }

    async fn one(&self, session: &Session, action: Action, things: &Things, said: &mut Said) {
        let name = action.name();
        let probe = self.probe(session, action, things).await;
        let (call, ours, purpose) = match probe.unwrap_or(Probe::Not("there is no harmless way to ask")) {
            Probe::Ask { call, ours, purpose } => (call, ours, purpose),
            Probe::Not(why) => return said.untried.push((name, why)),
        };
        let is_dry = matches!(call, Call::DryRun(_));
        match self.cloud.service.call(&session.scope.to(purpose), call).await {
            Ok(_) => said.may.push(name),
            Err(error) if error.code == "DryRunIgnored" => {
                said.checks.push(self.failed(session, action, &error))
            }
            Err(error) if matches!(error.class, Class::NotFound | Class::State | Class::Permanent) => {
                // It was looked for, so looking is allowed; before a change EC2 may look first.
                if is_dry { said.unrefused.push(name) } else { said.may.push(name) }
            }
            Err(error) if error.class == Class::Denied && !ours && self.is_open(action) => {
                said.checks.push(self.open(session, action, &error));
            }
            Err(error) => said.checks.push(self.failed(session, action, &error)),
        }
    }

    /// True if a denial on a thing that does not exist says nothing: AWS asks for our tag on it.
    fn is_open(&self, action: Action) -> bool {
        let bound = matches!(
            action,
            Action::DeleteSnapshot
                | Action::ShareSnapshot
                | Action::UnshareSnapshot
                | Action::DescribeShares
                | Action::AttachVolume
                | Action::DetachVolume
                | Action::DeleteVolume
                | Action::ListSnapshotBlocks
        );
        bound && matches!(self.config.cloud, CloudChoice::Aws { .. })
    }

    fn open(&self, session: &Session, action: Action, error: &Error) -> Check {
        let detail = format!(
            "cannot be told now: denied for a thing that does not exist, as by a policy that is bound to the tag {} = {}; \
             run this again while a job holds something ({error})",
            owned::TAG_DEPLOYMENT,
            self.config.deployment
        );
        Check::new("accounts", format!("{} {}", session.name, action.name()), State::Note, detail)
    }

    fn failed(&self, session: &Session, action: Action, error: &Error) -> Check {
        let subject = format!("{} {}", session.name, action.name());
        // Without these only one of two methods is lost.
        let attach = matches!(action, Action::CopySnapshot | Action::ShareSnapshot) || session.home;
        let wanted = !attach || self.config.agent.method == MethodChoice::Attach;
        let state = if wanted { State::Bad } else { State::Note };
        let role = self.role(session);
        let detail = match error.class {
            Class::Denied => {
                let only = if attach { ", which the method attach needs" } else { "" };
                format!(
                    "denied{only}: allow {} in a policy of {role}, and see that no policy of the organization denies \
                     it ({error})",
                    action.name()
                )
            }
            Class::Key => {
                format!("the key cannot be used: allow {role} kms:Decrypt in the key's policy ({error})")
            }
            Class::Throttled | Class::Transient | Class::Unknown => format!("{error}; try again"),
            _ => error.to_string(),
        };
        Check::new("accounts", subject, state, detail)
    }

    fn role(&self, session: &Session) -> String {
        match self.config.accounts.get(&session.scope.account) {
            Some(entry) if !session.home => format!("the role {}", entry.role),
            _ => "the scanner's own role".to_owned(),
        }
    }
}

/// The actions of a session: those of its purpose that are done where it is.
fn actions(session: &Session) -> Vec<Action> {
    let is_here = |action: Action| {
        let on_volumes = matches!(
            action,
            Action::CreateVolume | Action::AttachVolume | Action::DetachVolume | Action::DeleteVolume
        );
        match action {
            Action::WhoAmI | Action::DryRun => false,
            // Only a release takes a share back.
            Action::UnshareSnapshot => session.scope.purpose == Purpose::Release && !session.home,
            action if session.home => on_volumes || action == Action::DescribeVolumes,
            _ => !on_volumes,
        }
    };
    let all = Action::ALL.iter().copied();
    all.filter(|action| action.purposes().contains(&session.scope.purpose) && is_here(*action)).collect()
}

impl Said {
    /// The session's line, with what it may do and what was not tried; then a line for each action that it may not do.
    fn told(self, session: &Session) -> Vec<Check> {
        let mut parts = Vec::new();
        if !self.may.is_empty() {
            parts.push(format!("may {}", self.may.join(", ")));
        }
        if !self.unrefused.is_empty() {
            let names = self.unrefused.join(", ");
            parts.push(format!("not refused, though what was named does not exist: {names}"));
        }
        for (name, why) in &self.untried {
            parts.push(format!("not tried, because {why}: {name}"));
        }
        let mut checks = vec![Check::new("accounts", session.name.clone(), State::Good, parts.join("; "))];
        checks.extend(self.checks);
        checks
    }
}
