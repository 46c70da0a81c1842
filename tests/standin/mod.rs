// SPDX-License-Identifier: Apache-2.0
//! A stand-in for Qualys whose answers are scripted: login and the connector sync call.
//!
//! It speaks plain HTTP/1.1 on a socket of its own rather than through a framework, because it must also reset
//! connections, hang, and cut answers in the middle. Without a script it behaves as documented: `/auth` gives 201 and a
//! bare token to the right user, the sync call checks token and shape and keeps each asset by its native key.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The user that may log in.
pub(crate) const USER: &str = "quays_ab1";
/// That user's password.
pub(crate) const PASSWORD: &str = "correct horse & battery=staple";
/// The client that may log in.
pub(crate) const CLIENT: &str = "client-7";
/// That client's secret.
pub(crate) const CLIENT_SECRET: &str = "s3cr3t-of-client-7";
/// The connector that there is.
pub(crate) const CONNECTOR: &str = "0b7e5d1c-0000-4000-8000-1234567890ab";
/// The path of the sync call.
pub(crate) const SYNC: &str = "/rest/2.0/am/connector/asset/data/sync";

/// One scripted answer.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Status, headers, body; without effect.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// The documented behaviour.
    Usual,
    /// The connection is closed without an answer, after the effect if `true`.
    Reset(bool),
    /// No answer ever, after the effect if `true`.
    Hang(bool),
    /// Half of the usual answer, after its effect.
    Cut,
    /// 413 for more assets than this, otherwise as usual; stays in force.
    AtMost(usize, u16),
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Its path.
    pub(crate) path: String,
    /// Its headers, names in small letters.
    pub(crate) headers: BTreeMap<String, String>,
    /// Its body.
    pub(crate) body: String,
    /// When it came.
    pub(crate) at: std::time::Instant,
}

#[derive(Default)]
struct State {
    script: HashMap<String, VecDeque<Reply>>,
    always: HashMap<String, Reply>,
    seen: Vec<Seen>,
    tokens: Vec<String>,
    assets: BTreeMap<String, Value>,
}

/// The stand-in.
#[derive(Clone)]
pub(crate) struct StandIn {
    /// Where it is, `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    /// None for what answers; the last of the others ends it.
    _listening: Option<Arc<Listening>>,
}

/// The task that takes connections, for as long as this is there.
struct Listening(tokio::task::JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl StandIn {
    /// Starts one; it takes connections until it is dropped.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = Self { url, state: Arc::default(), _listening: None };
        let standin = serving.clone();
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.serve(stream).await });
            }
        });
        Self { _listening: Some(Arc::new(Listening(listening))), ..standin }
    }

    /// What is answered to the next requests of a path, one after the other.
    pub(crate) fn script(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        self.state().script.entry(path.to_owned()).or_default().extend(replies);
    }

    /// What is answered to every request of a path once its script is over.
    pub(crate) fn always(&self, path: &str, reply: Reply) {
        self.state().always.insert(path.to_owned(), reply);
    }

    /// The requests of a path so far.
    pub(crate) fn seen(&self, path: &str) -> Vec<Seen> {
        self.state().seen.iter().filter(|seen| seen.path == path).cloned().collect()
    }

    /// Native keys of the assets that were taken.
    pub(crate) fn assets(&self) -> Vec<String> {
        self.state().assets.keys().cloned().collect()
    }

    /// An asset that was taken.
    pub(crate) fn asset(&self, native: &str) -> Option<Value> {
        self.state().assets.get(native).cloned()
    }

    /// Makes a token good that was not had from here.
    pub(crate) fn accept(&self, token: &str) {
        self.state().tokens.push(token.to_owned());
    }

    /// Makes all tokens bad.
    pub(crate) fn forget_tokens(&self) {
        self.state().tokens.clear();
    }

    /// All tokens that were given.
    pub(crate) fn tokens(&self) -> Vec<String> {
        self.state().tokens.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(&self, mut stream: TcpStream) {
        let Some(seen) = read(&mut stream).await else { return };
        let reply = {
            let mut state = self.state();
            state.seen.push(seen.clone());
            let scripted = state.script.get_mut(&seen.path).and_then(VecDeque::pop_front);
            scripted.or_else(|| state.always.get(&seen.path).cloned()).unwrap_or(Reply::Usual)
        };
        let answer = match &reply {
            Reply::Answer(status, headers, body) => text(*status, headers, body),
            Reply::Reset(false) | Reply::Hang(false) => String::new(),
            Reply::AtMost(most, status) if count(&seen.body) > *most => text(*status, &[], "too large"),
            _ => self.usual(&seen),
        };
        match reply {
            Reply::Reset(_) => {
                // Without lingering the other side sees a reset and no orderly end.
                let _set = stream.set_zero_linger();
            }
            Reply::Hang(_) => std::future::pending().await,
            Reply::Cut => {
                let _sent = stream.write_all(&answer.as_bytes()[..answer.len() - 10]).await;
            }
            _ => {
                let _sent = stream.write_all(answer.as_bytes()).await;
            }
        }
        let _closed = stream.shutdown().await;
    }

    /// The documented behaviour.
    fn usual(&self, seen: &Seen) -> String {
        match seen.path.as_str() {
            "/auth" => {
                let known = seen.body.split('&').any(|pair| pair == format!("username={USER}"))
                    && seen.body.split('&').any(|pair| pair == "password=correct+horse+%26+battery%3Dstaple");
                if known { text(201, &[], &self.issue()) } else { text(401, &[], "") }
            }
            "/auth/oidc" => {
                let is = |name: &str, value: &str| seen.headers.get(name).is_some_and(|known| known == value);
                let known = is("clientid", CLIENT) && is("clientsecret", CLIENT_SECRET);
                if known {
                    text(200, &[], &json!({ "access_token": self.issue() }).to_string())
                } else {
                    text(401, &[], "")
                }
            }
            SYNC => self.sync(seen),
            _ => text(404, &[], "no such path"),
        }
    }

    fn issue(&self) -> String {
        let mut state = self.state();
        // The payload is `{"sub":"quays_ab1"}`: no `exp`, so the documented four hours hold.
        let token = format!(
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJxdWF5c19hYjEifQ.c2lnbmF0dXJlLW5v{:04}",
            state.tokens.len()
        );
        state.tokens.push(token.clone());
        token
    }

    fn sync(&self, seen: &Seen) -> String {
        let token = seen.headers.get("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let mut state = self.state();
        if !token.is_some_and(|token| state.tokens.iter().any(|known| known == token)) {
            return text(401, &[], "token");
        }
        let Ok(body) = serde_json::from_str::<Value>(&seen.body) else { return text(400, &[], "no JSON") };
        let head = &body["connectorMetaData"];
        let assets = body["assetData"].as_array().cloned().unwrap_or_default();
        let whole = head["assetCount"] == json!(assets.len())
            && head["source"] == "WEBHOOK"
            && head["requestId"].as_str().is_some_and(|id| id.len() == 36)
            && !assets.is_empty();
        if !whole {
            return text(400, &[], "shape");
        }
        if head["connectorUuid"] != CONNECTOR {
            return text(404, &[], "connector");
        }
        for asset in assets {
            let native =
                asset["identityAttributes"]["sourceNativeKey"].as_str().unwrap_or_default().to_owned();
            state.assets.insert(native, asset);
        }
        let taken =
            json!({"message": "Published", "responseCode": "SUCCESSFULLY_PUBLISHED", "assetsError": {}});
        text(200, &[("Content-Type", "application/json".to_owned())], &taken.to_string())
    }
}

fn count(body: &str) -> usize {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    body["assetData"].as_array().map_or(0, Vec::len)
}

fn text(status: u16, headers: &[(&'static str, String)], body: &str) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!(
        "HTTP/1.1 {status} Answer\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

async fn read(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let header =
        |line: &str| line.split_once(':').map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()));
    let headers: BTreeMap<String, String> = lines.filter_map(header).collect();
    let length: usize = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    while bytes.len() < end + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8_lossy(&bytes[end + 4..end + 4 + length]).into_owned();
    Some(Seen { path, headers, body, at: std::time::Instant::now() })
}
