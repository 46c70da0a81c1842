// SPDX-License-Identifier: Apache-2.0
//! moto, the stand-in for AWS: a server of its own for each run.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use super::http::{Message, elements};

/// A running server; it ends with this value.
pub(super) struct Moto {
    /// Where it listens.
    pub(super) address: SocketAddr,
    child: Child,
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may be gone already; there is nothing to be done about it here.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

impl Moto {
    /// Starts a server; `log` takes what it prints.
    pub(super) fn start(log: &Path) -> Result<Self> {
        let program = installed()?.join("bin/moto_server");
        // The port is free when asked; moto takes no port of its own choice that it would tell.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let printed = std::fs::File::create(log)?;
        let child = Command::new(&program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .env("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
            .stdin(Stdio::null())
            .stdout(printed.try_clone()?)
            .stderr(printed)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut moto = Self { address: SocketAddr::from(([127, 0, 0, 1], port)), child };
        for _ in 0..600 {
            if Message::request("GET", "/moto-api/data.json").send(moto.address).is_ok() {
                return Ok(moto);
            }
            if let Some(status) = moto.child.try_wait()? {
                bail!("moto ended with {status}; see {}", log.display());
            }
            // Nothing tells when it listens, so it is asked again after a while.
            nix::poll::poll(&mut [], 100_u16)?;
        }
        bail!("moto does not answer within a minute; see {}", log.display())
    }

    /// Asks EC2 or STS in the name of a key; the answer's XML.
    pub(super) fn query(&self, key: &str, service: &str, form: &str) -> Result<String> {
        let versions = [("ec2", "2016-11-15"), ("sts", "2011-06-15")];
        let version = versions.iter().find(|(name, _)| *name == service).context("a known service")?.1;
        let request = signed(Message::request("POST", "/"), key, service)
            .with("content-type", "application/x-www-form-urlencoded")
            .body(format!("{form}&Version={version}"));
        let answer = request.send(self.address)?;
        if answer.status() != 200 {
            bail!("moto answers {} to `{form}`: {}", answer.status(), answer.text());
        }
        Ok(answer.text())
    }

    /// The same, and the one element that is wanted of the answer.
    pub(super) fn one(&self, key: &str, service: &str, form: &str, element: &str) -> Result<String> {
        let xml = self.query(key, service, form)?;
        elements(&xml, element).into_iter().next().with_context(|| format!("`{form}`: no {element} in {xml}"))
    }

    /// Asks a service that speaks JSON.
    pub(super) fn json(
        &self,
        service: &str,
        target: &str,
        body: &serde_json::Value,
    ) -> Result<serde_json::Value> {
        let request = signed(Message::request("POST", "/"), HOME, service)
            .with(
                "content-type",
                if service == "sqs" { "application/x-amz-json-1.0" } else { "application/x-amz-json-1.1" },
            )
            .with("x-amz-target", target)
            .body(body.to_string());
        let answer = request.send(self.address)?;
        if answer.status() != 200 {
            bail!("moto answers {} to {target}: {}", answer.status(), answer.text());
        }
        Ok(if answer.body.is_empty() {
            serde_json::Value::Null
        } else {
            serde_json::from_slice(&answer.body)?
        })
    }
}

/// The key of the service account: moto gives every unknown key the account 123456789012.
pub(super) const HOME: &str = "AKIAHOME";

/// The same request as if it were signed: moto reads the key and the service and checks no signature.
pub(super) fn signed(request: Message, key: &str, service: &str) -> Message {
    let scope = format!("Credential={key}/20261121/eu-west-1/{service}/aws4_request");
    request
        .with("host", format!("{service}.eu-west-1.amazonaws.com"))
        .with("authorization", format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"))
        .with("x-amz-date", "20261121T000000Z")
}

/// The folder with moto, made by the project's own script where it is missing.
fn installed() -> Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let folder = cache.or(home).context("neither XDG_CACHE_HOME nor HOME is set")?.join("snapscan/moto");
    crate::steps::run(Command::new(".ci/moto").arg(&folder))?;
    Ok(folder)
}
