// SPDX-License-Identifier: Apache-2.0
//! Ways to a token, and what must never be said about them.

use std::io::Write;
use std::sync::{Arc, Mutex};

use super::answer;
use super::standin::{CLIENT_SECRET, PASSWORD, Reply, SYNC};
use super::world::{World, drive, variable};
use crate::config::effective::Login;

#[tokio::test]
async fn each_way_to_a_token_leads_to_a_delivery() {
    let ways = [
        Login::Password { user: variable("USER"), password: variable("PASSWORD") },
        Login::Client { id: variable("CLIENT"), secret: variable("CLIENT_SECRET") },
        Login::Token(variable("TOKEN")),
    ];
    for login in ways {
        let mut world = World::new().await;
        world.standin.accept("eyJhbGciOiJnaXZlbi.eyJzdWIiOiJhZGEifQ.Z2l2ZW4tdG9rZW4");
        world.csam.login = login;
        world.fill(1);
        world.round().await.unwrap();
        assert_eq!(world.ends(), (1, 0, 0), "{:?}", world.csam.login);
    }
}

#[tokio::test]
async fn wrong_credentials_are_tried_once_and_by_nobody_else() {
    let mut world = World::new().await;
    world.csam.login = Login::Password { user: variable("USER"), password: variable("WRONG") };
    world.fill(1);
    let stopped = world.round().await.unwrap().stopped.unwrap();
    assert!(stopped.contains("credentials"), "{stopped}");
    for holder in ["scanner-1", "scanner-2", "scanner-3"] {
        drive(&world.uploader(holder)).await.unwrap();
    }
    assert_eq!(world.standin.seen("/auth").len(), 1, "one stop for all");
    // After 15 minutes one more try, and no more.
    world.clock.sleep(super::super::token::LOCKOUT + std::time::Duration::from_secs(1)).await;
    world.round().await.unwrap();
    world.round().await.unwrap();
    assert_eq!(world.standin.seen("/auth").len(), 2);
    assert_eq!(world.names("reports/").len(), 1);
}

#[tokio::test]
async fn a_login_that_fails_for_now_is_tried_again() {
    for reply in [
        answer(503, ""),
        answer(201, "<html>proxy</html>"),
        answer(201, ""),
        Reply::Reset(false),
        Reply::Hang(false),
    ] {
        let world = World::new().await;
        world.fill(1);
        world.standin.script("/auth", [reply.clone()]);
        world.round().await.unwrap();
        assert_eq!((world.standin.seen("/auth").len(), world.ends()), (2, (1, 0, 0)), "{reply:?}");
    }
}

#[tokio::test]
async fn one_token_serves_many_rounds() {
    let world = World::new().await;
    let uploader = world.uploader("scanner-1");
    for n in 1..=3 {
        world.put(&super::parcel(n, "job", 1_000));
        drive(&uploader).await.unwrap();
    }
    assert_eq!((world.standin.seen(SYNC).len(), world.standin.seen("/auth").len()), (3, 1));
    world.standin.forget_tokens();
    world.put(&super::parcel(4, "job", 1_000));
    drive(&uploader).await.unwrap();
    assert_eq!(world.standin.seen("/auth").len(), 2);
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_ever_in_a_log_an_error_or_an_object() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut said = String::new();
    for status in [400, 403, 404, 409, 500, 200, 418] {
        for login in [
            Login::Password { user: variable("USER"), password: variable("PASSWORD") },
            Login::Client { id: variable("CLIENT"), secret: variable("CLIENT_SECRET") },
        ] {
            // Tests on other threads, without this subscriber, switch events off that they meet first.
            tracing::callsite::rebuild_interest_cache();
            let mut world = World::new().await;
            world.csam.login = login;
            world.fill(1);
            // The other side repeats all that it was sent, as debugging proxies do.
            let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJxdWF5c19hYjEifQ.c2lnbmF0dXJlLW5v0000";
            let echo = format!("<pre>Authorization: Bearer {token}\n{PASSWORD} {CLIENT_SECRET}</pre>");
            world.standin.script("/auth", [answer(502, &echo)]);
            world.standin.script("/auth/oidc", [answer(502, &echo)]);
            world.standin.always(SYNC, answer(status, &format!("<pre>Authorization: Bearer {token}</pre>")));
            match world.round().await {
                Ok(round) => said.push_str(&format!("{round:?}")),
                Err(error) => said.push_str(&format!("{error} {error:?}")),
            }
            said.push_str(&format!("{:?}", world.csam));
            said.extend(world.texts("refused/").into_iter().chain(world.texts("batches/")));
            assert!(!world.standin.tokens().is_empty());
        }
    }
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("batch_send_failed"), "something was logged at all");
    for secret in
        [PASSWORD, CLIENT_SECRET, "correct+horse", "eyJzdWIiOiJxdWF5c19hYjEifQ", "c2lnbmF0dXJl", "Bearer eyJ"]
    {
        assert!(!said.contains(secret), "{secret} was said");
        assert!(!logged.contains(secret), "{secret} was logged");
    }
}
