// SPDX-License-Identifier: Apache-2.0
//! How a batch is got through: the same bytes until they are taken, refused, or nobody can go on.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};

use super::Error;
use super::answer::{Answer, Verdict, excerpt};
use super::batch::Batch;
use super::pace;
use super::store::Store;
use super::token::{NoToken, Token, Tokens, clean};
use crate::agent::boundary;
use crate::config::effective::Csam;
use crate::secret::{Secret, Vault};

/// The documented call for findings of third parties.
const SYNC: &str = "/rest/2.0/am/connector/asset/data/sync";
/// No answer that we read is larger; what is beyond is not read.
const LARGEST: usize = 1 << 20;
/// Failures in a row after which a round gives up; the batch stays and the next round goes on with it.
const FAILURES: u32 = 6;

/// How long a connection and a whole request may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// The connection.
    pub(crate) connect: Duration,
    /// The whole request.
    pub(crate) request: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), request: Duration::from_secs(120) }
    }
}

/// A subscription at the other side.
pub(super) struct Gateway {
    http: reqwest::Client,
    csam: Csam,
    tokens: Tokens,
    sink: String,
}

/// How a batch came through.
pub(super) enum Through {
    /// Taken, but for these: native key and text.
    Accepted(Vec<(String, String)>),
    /// Refused as a whole, with this answer: in halves.
    Halve(String),
}

impl Gateway {
    /// A subscription.
    ///
    /// # Errors
    /// A TLS library that cannot be set up.
    pub(super) fn new(csam: Csam, vault: Vault, sink: &str, times: Times) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(times.connect)
            .timeout(times.request)
            // A redirect would carry token and findings to somebody else.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("snapscan/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::Away { sink: sink.to_owned(), why: told(error) })?;
        let tokens = Tokens::new(http.clone(), csam.clone(), vault, sink.to_owned());
        Ok(Self { http, csam, tokens, sink: sink.to_owned() })
    }

    /// The connector that assets are sent to.
    pub(super) fn csam(&self) -> &Csam {
        &self.csam
    }

    /// Sends a batch until it is through.
    ///
    /// # Errors
    /// `Stopped` if a person must do something, `Away` after too many failures in a row.
    pub(super) async fn send(&self, store: &Store, batch: &Batch) -> Result<Through, Error> {
        let natives: Vec<&str> = batch.members.iter().map(|member| member.native.as_str()).collect();
        let (mut failures, mut renewed) = (0_u32, false);
        loop {
            let token = match self.tokens.get(store).await {
                Ok(token) => token,
                Err(none) => {
                    self.failed(store, batch, &mut failures, none).await?;
                    continue;
                }
            };
            let why = match self.once(batch, &token).await {
                Err(why) => why,
                Ok(answer) => match answer.verdict(&natives) {
                    Verdict::Accepted(refused) => {
                        if let Some(wait) = pace::used_up(&answer.headers) {
                            self.wait(store, batch, wait).await;
                        }
                        return Ok(Through::Accepted(refused));
                    }
                    Verdict::Halve(said) => return Ok(Through::Halve(said)),
                    Verdict::Stop(why) => return Err(self.stopped(why)),
                    Verdict::Wait(wait) => {
                        self.wait(store, batch, wait).await;
                        continue;
                    }
                    Verdict::Renew if renewed => {
                        let why = "the platform refuses a token that it has just given (401); check the user's API \
                                   access and the connector's subscription";
                        return Err(self.stopped(why.to_owned()));
                    }
                    Verdict::Renew => {
                        renewed = true;
                        if let Err(none) = self.tokens.renew(store, &token).await {
                            self.failed(store, batch, &mut failures, none).await?;
                        }
                        continue;
                    }
                    Verdict::Again(why) => why,
                },
            };
            self.failed(store, batch, &mut failures, NoToken::Away(why)).await?;
        }
    }

    /// Counts a failure and waits, or gives up.
    async fn failed(
        &self,
        store: &Store,
        batch: &Batch,
        failures: &mut u32,
        why: NoToken,
    ) -> Result<(), Error> {
        let why = match why {
            NoToken::Ends(error) => return Err(error),
            NoToken::Away(why) => why,
        };
        *failures += 1;
        tracing::warn!(sink = %self.sink, request = %batch.request, failures = *failures, why, "batch_send_failed");
        if *failures >= FAILURES {
            return Err(Error::Away { sink: self.sink.clone(), why });
        }
        let wait = pace::spread(pace::back_off(*failures), &batch.request);
        store.clock().sleep(wait).await;
        Ok(())
    }

    async fn wait(&self, store: &Store, batch: &Batch, wait: Duration) {
        let wait = pace::spread(wait, &batch.request);
        tracing::info!(sink = %self.sink, request = %batch.request, seconds = wait.as_secs(), "batch_send_waits");
        store.clock().sleep(wait).await;
    }

    fn stopped(&self, why: String) -> Error {
        Error::Stopped { sink: self.sink.clone(), why }
    }

    /// Sends it once. No error carries the token: neither ours nor one that the other side repeats.
    async fn once(&self, batch: &Batch, token: &Token) -> Result<Answer, String> {
        let value = HeaderValue::from_str(&format!("Bearer {}", token.secret.reveal()));
        let mut value = value.map_err(|_| "the token holds what no header can carry".to_owned())?;
        value.set_sensitive(true);
        let request = self
            .http
            .post(format!("{}{SYNC}", self.csam.gateway))
            .header(AUTHORIZATION, value)
            .header(CONTENT_TYPE, "application/json")
            .body(batch.body.clone());
        boundary::pass("http.csam.before");
        let answer = answer(request, &token.secret).await;
        boundary::pass("http.csam.after");
        answer
    }
}

async fn answer(request: reqwest::RequestBuilder, token: &Secret) -> Result<Answer, String> {
    let answer = request.send().await.map_err(told)?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = body(answer, LARGEST).await.map_err(|why| format!("{}, then {why}", status.as_u16()))?;
    Ok(Answer { status, headers, body: clean(&body, std::slice::from_ref(token)) })
}

/// The body of an answer, up to so many bytes.
///
/// # Errors
/// What cut it off.
pub(super) async fn body(mut answer: reqwest::Response, most: usize) -> Result<String, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(told)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > most {
            return Err(format!("an answer of more than {most} bytes"));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What went wrong on the way, in words; without the URL.
pub(crate) fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = if error.is_timeout() { "no answer in time".to_owned() } else { error.to_string() };
    let mut cause = std::error::Error::source(&error);
    while let Some(one) = cause {
        text = format!("{text}: {one}");
        cause = one.source();
    }
    excerpt(&text)
}
