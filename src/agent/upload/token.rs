// SPDX-License-Identifier: Apache-2.0
//! How a token is had and kept: by password, by client, or given.
//!
//! Source: Qualys, "Fetch Authentication Token" (201, the bare token as text, four hours, no refresh) and "Generate
//! Authentication Token (OAuth)". The token's own `exp` is read without verifying it: it only says when to ask again.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;
use snapscan_cloud::Timestamp;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::Error;
use super::store::Store;
use crate::agent::boundary;
use crate::config::effective::{Csam, Login};
use crate::secret::{Secret, Vault};

/// What a token lasts where it does not say so itself.
const USUAL: Duration = Duration::from_secs(4 * 3600);
/// For how long nobody asks again after wrong credentials: more tries could lock the user out.
pub(super) const LOCKOUT: Duration = Duration::from_secs(900);
/// What `/auth/oidc` wants to be told although nothing is in the body.
const FORM: &str = "application/x-www-form-urlencoded";
/// No token is larger.
const LARGEST: usize = 64 << 10;

/// Keeps the token of a sink.
pub(super) struct Tokens {
    http: reqwest::Client,
    csam: Csam,
    vault: Vault,
    sink: String,
    /// One asks, the others wait for what it brings.
    kept: Mutex<Option<Token>>,
}

/// A token, and when to ask for another.
#[derive(Clone)]
pub(super) struct Token {
    /// The token.
    pub(super) secret: Secret,
    renew: Timestamp,
}

/// Why there is no token.
pub(super) enum NoToken {
    /// The other side fails for now.
    Away(String),
    /// The round ends.
    Ends(Error),
}

impl From<Error> for NoToken {
    fn from(error: Error) -> Self {
        NoToken::Ends(error)
    }
}

impl Tokens {
    /// Tokens for a subscription.
    pub(super) fn new(http: reqwest::Client, csam: Csam, vault: Vault, sink: String) -> Self {
        Self { http, csam, vault, sink, kept: Mutex::new(None) }
    }

    /// The token; a new one if there is none or four fifths of its life are over.
    pub(super) async fn get(&self, store: &Store) -> Result<Token, NoToken> {
        let mut kept = self.kept.lock().await;
        if let Some(token) = kept.as_ref().filter(|token| store.now() < token.renew) {
            return Ok(token.clone());
        }
        let token = self.ask(store).await?;
        *kept = Some(token.clone());
        Ok(token)
    }

    /// Another token than this one, which was refused.
    pub(super) async fn renew(&self, store: &Store, refused: &Token) -> Result<Token, NoToken> {
        let mut kept = self.kept.lock().await;
        if let Some(token) = kept.as_ref().filter(|token| token.secret.reveal() != refused.secret.reveal()) {
            return Ok(token.clone());
        }
        *kept = None;
        let token = self.ask(store).await?;
        *kept = Some(token.clone());
        Ok(token)
    }

    async fn ask(&self, store: &Store) -> Result<Token, NoToken> {
        let request = match &self.csam.login {
            Login::Token(from) => {
                let secret = self.vault.fetch(from).await.map_err(Error::from)?;
                return Ok(Token { renew: renewal(secret.reveal(), store.now()), secret });
            }
            Login::Password { user, password } => {
                let user = self.vault.fetch(user).await.map_err(Error::from)?;
                let password = self.vault.fetch(password).await.map_err(Error::from)?;
                let form = [("username", user.reveal()), ("password", password.reveal()), ("token", "true")];
                self.http.post(format!("{}/auth", self.csam.gateway)).form(&form)
            }
            Login::Client { id, secret } => {
                let id = self.vault.fetch(id).await.map_err(Error::from)?;
                let secret = self.vault.fetch(secret).await.map_err(Error::from)?;
                let post =
                    self.http.post(format!("{}/auth/oidc", self.csam.gateway)).header(CONTENT_TYPE, FORM);
                header(header(post, "clientId", &id)?, "clientSecret", &secret)?
            }
        };
        boundary::pass("http.auth.before");
        let answer = read(request).await;
        boundary::pass("http.auth.after");
        let (status, body) = answer.map_err(|why| NoToken::Away(format!("no token: {why}")))?;
        match status {
            200 | 201 => self.parse(&body, store.now()),
            401 => {
                let why = "the platform refuses user or client; correct the credentials (nobody asks for 15 minutes, \
                           since more tries could lock the user out)";
                Err(NoToken::Ends(Error::Stopped { sink: self.sink.clone(), why: why.to_owned() }))
            }
            403 | 404 => {
                let why = format!(
                    "the platform gives no tokens here ({status}); check the gateway and the user's API access"
                );
                Err(NoToken::Ends(Error::Stopped { sink: self.sink.clone(), why }))
            }
            // Nothing of the body: what answers here may repeat what it was sent, in whatever encoding.
            _ => Err(NoToken::Away(format!("no token: the login answers {status}"))),
        }
    }

    /// The token in an answer: bare, or in JSON under one of two names.
    fn parse(&self, body: &str, now: Timestamp) -> Result<Token, NoToken> {
        let text = body.trim();
        let token = if text.starts_with('{') {
            let parsed: Option<Value> = serde_json::from_str(text).ok();
            let named = |name: &str| Some(parsed.as_ref()?.get(name)?.as_str()?.to_owned());
            named("access_token").or_else(|| named("token")).unwrap_or_default()
        } else {
            text.to_owned()
        };
        // What a header can carry, and no page of a proxy.
        let is_one =
            token.len() >= 8 && token.bytes().all(|b| b.is_ascii_graphic()) && !token.starts_with('<');
        if !is_one {
            return Err(NoToken::Away("no token: the answer to the login is none".to_owned()));
        }
        let renew = renewal(&token, now);
        let from = format!("{}/auth", self.csam.gateway);
        Ok(Token { secret: Secret::new(Zeroizing::new(token), from), renew })
    }
}

/// A text without any of these secrets in it.
pub(super) fn clean(text: &str, secrets: &[Secret]) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        text = text.replace(secret.reveal(), "…");
        // A token's three parts say too much alone as well.
        for part in secret.reveal().split('.').filter(|part| part.len() >= 12) {
            text = text.replace(part, "…");
        }
    }
    text
}

fn header(
    request: reqwest::RequestBuilder,
    name: &str,
    secret: &Secret,
) -> Result<reqwest::RequestBuilder, NoToken> {
    let value = reqwest::header::HeaderValue::from_str(secret.reveal());
    let mut value = value.map_err(|_| NoToken::Away(format!("{name} holds what no header can carry")))?;
    value.set_sensitive(true);
    Ok(request.header(name, value))
}

async fn read(request: reqwest::RequestBuilder) -> Result<(u16, Zeroizing<String>), String> {
    let answer = request.send().await.map_err(super::send::told)?;
    let status = answer.status().as_u16();
    let body = super::send::body(answer, LARGEST).await?;
    Ok((status, Zeroizing::new(body)))
}

/// When a token that was had now is to be renewed: after four fifths of its life.
fn renewal(token: &str, now: Timestamp) -> Timestamp {
    let left = expiry(token).map_or(USUAL, |expiry| expiry.since(now));
    now.plus(left * 4 / 5)
}

/// `exp` of a token's payload.
fn expiry(token: &str) -> Option<Timestamp> {
    let payload = token.split('.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let payload: Value = serde_json::from_slice(&payload).ok()?;
    payload.get("exp")?.as_i64().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_after_four_fifths_of_its_life() {
        let payload = URL_SAFE_NO_PAD.encode(r#"{"sub":"ada","exp":11000}"#);
        let now = Timestamp(1_000);
        assert_eq!(renewal(&format!("e30.{payload}.sig"), now), Timestamp(9_000));
        // Four hours are 14,400 s.
        for opaque in ["opaque", "a.b.c", "e30.e30.sig"] {
            assert_eq!(renewal(opaque, now), Timestamp(1_000 + 11_520), "{opaque}");
        }
    }

    #[test]
    fn a_text_is_cleaned_of_a_token_and_of_its_parts() {
        let token = Secret::new(Zeroizing::new("eyJhbGciOiJI.eyJzdWIiOiJh.c2lnbmF0dXJl".to_owned()), "test");
        let text = clean("Bearer eyJhbGciOiJI.eyJzdWIiOiJh.c2lnbmF0dXJl, that is eyJzdWIiOiJh", &[token]);
        assert_eq!(text, "Bearer …, that is …");
    }
}
