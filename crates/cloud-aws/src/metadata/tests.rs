// SPDX-License-Identifier: Apache-2.0
//! Whether the service is asked as IMDSv2 wants it, on a small stand-in that answers over HTTP.

use std::sync::Arc;

use snapscan_cloud::Class;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

const SPOT: &str = "/latest/meta-data/spot/instance-action";

/// What the stand-in has, and what it was asked.
#[derive(Default)]
struct State {
    /// Tokens given out; only the last one counts.
    tokens: u32,
    /// The notice, if there is one.
    notice: Option<&'static str>,
    /// Answers nothing at all.
    silent: bool,
    /// Refuses every token.
    strict: bool,
    /// Method, path, and the two headers of IMDSv2: time to live, token.
    asked: Vec<(String, String, Option<String>, Option<String>)>,
}

struct StandIn {
    state: Arc<Mutex<State>>,
    metadata: Metadata,
    server: JoinHandle<()>,
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl StandIn {
    async fn with(state: State) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(state));
        let server = tokio::spawn({
            let state = Arc::clone(&state);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(converse(stream, Arc::clone(&state)));
                }
            }
        });
        Self { state, metadata: Metadata::new(Some(endpoint)), server }
    }

    async fn get(&self) -> Result<Option<String>, Error> {
        self.metadata.get("imds:Watch", SPOT).await
    }

    fn asked(&self) -> Vec<(String, String, Option<String>, Option<String>)> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }
}

/// Answers one connection's requests.
async fn converse(stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            if line.trim().is_empty() {
                break;
            }
            lines.push(line.trim().to_owned());
        }
        let header = |name: &str| {
            let found = lines.iter().filter_map(|line| line.split_once(':'));
            found
                .filter(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.trim().to_owned())
                .next()
        };
        let body: usize = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        stream.read_exact(&mut vec![0; body]).await.unwrap();
        let mut words = lines[0].split(' ').map(str::to_owned);
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let ttl = header("x-aws-ec2-metadata-token-ttl-seconds");
        let token = header("x-aws-ec2-metadata-token");
        let answer = {
            let mut state = state.lock().unwrap();
            state.asked.push((method.clone(), path.clone(), ttl.clone(), token.clone()));
            if state.silent { None } else { Some(answer(&mut state, &method, &path, ttl, token)) }
        };
        let Some(answer) = answer else { return std::future::pending().await };
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

/// As the EC2 User Guide has it: without a token that it gave out nothing is told.
fn answer(state: &mut State, method: &str, path: &str, ttl: Option<String>, token: Option<String>) -> String {
    let said = |status: &str, header: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\n{header}Content-Length: {}\r\n\r\n{body}", body.len())
    };
    if method == "PUT" && path == "/latest/api/token" {
        let Some(ttl) = ttl else { return said("400 Bad Request", "", "") };
        state.tokens += 1;
        let header = format!("x-aws-ec2-metadata-token-ttl-seconds: {ttl}\r\n");
        return said("200 OK", &header, &format!("token-{}", state.tokens));
    }
    let last = format!("token-{}", state.tokens);
    if state.strict || state.tokens == 0 || token != Some(last) {
        return said("401 Unauthorized", "", "");
    }
    match state.notice {
        Some(notice) if path == SPOT => said("200 OK", "", notice),
        _ => said("404 Not Found", "", ""),
    }
}

#[tokio::test]
async fn a_token_is_fetched_with_a_time_to_live_and_goes_along_with_each_question() {
    let notice = r#"{"action":"terminate","time":"2026-11-21T13:30:00Z"}"#;
    let service = StandIn::with(State { notice: Some(notice), ..State::default() }).await;
    assert_eq!(service.get().await.unwrap().as_deref(), Some(notice));
    let asked = service.asked();
    let [(put, token, Some(ttl), None), (get, path, None, Some(sent))] = asked.as_slice() else {
        panic!("{asked:?}")
    };
    assert_eq!((put.as_str(), token.as_str()), ("PUT", "/latest/api/token"));
    // 1 to 21,600 seconds are taken.
    assert!((1..=21_600).contains(&ttl.parse::<u32>().unwrap()), "{ttl}");
    assert_eq!((get.as_str(), path.as_str(), sent.as_str()), ("GET", SPOT, "token-1"));
    service.get().await.unwrap();
    let again = service.asked();
    assert!(again.len() == 1 && again[0].3.as_deref() == Some("token-1"), "the token is kept: {again:?}");
}

#[tokio::test]
async fn what_is_not_there_is_no_notice() {
    let service = StandIn::with(State::default()).await;
    assert_eq!(service.get().await.unwrap(), None);
}

#[tokio::test]
async fn a_token_that_is_refused_is_fetched_anew_and_the_question_asked_again() {
    let service = StandIn::with(State { notice: Some("{}"), ..State::default() }).await;
    service.get().await.unwrap();
    service.asked();
    // Whatever was given out so far no longer counts, as after a restart of the service.
    service.state.lock().unwrap().tokens += 1;
    assert_eq!(service.get().await.unwrap().as_deref(), Some("{}"));
    let asked = service.asked();
    let methods: Vec<&str> = asked.iter().map(|(method, ..)| method.as_str()).collect();
    assert_eq!(methods, ["GET", "PUT", "GET"]);
    assert_eq!(asked[2].3.as_deref(), Some("token-3"));
}

#[tokio::test]
async fn a_service_that_refuses_every_token_is_asked_twice_and_is_an_error() {
    let service = StandIn::with(State { strict: true, ..State::default() }).await;
    let error = service.get().await.unwrap_err();
    assert!(error.message.contains(SPOT), "{error}");
    let gets = service.asked().iter().filter(|(method, ..)| method == "GET").count();
    assert_eq!(gets, 2);
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_an_error_within_seconds_and_no_notice() {
    let service = StandIn::with(State { silent: true, ..State::default() }).await;
    let begun = std::time::Instant::now();
    let error = service.get().await.unwrap_err();
    assert_eq!(error.class, Class::Transient, "{error}");
    assert!(begun.elapsed() < PATIENCE * 3, "{:?}", begun.elapsed());
}
