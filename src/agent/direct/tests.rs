// SPDX-License-Identifier: Apache-2.0

mod local;
mod purse;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::atomic::AtomicUsize;

use snapscan_cloud::ebs::BlockPage;
use snapscan_cloud::{AccountId, Answer, Call, Clock, Purpose, Region, Service, Timestamp};
use tokio::sync::oneshot;

use super::*;
use crate::agent::ledger::{Allowance, Ledger, Opening};
use crate::config::effective::Prices;

const START: Timestamp = Timestamp(1_800_000_000);

/// A block service with one snapshot, which answers as slowly and as wrongly as it is told.
struct Fake {
    clock: Clock,
    blocks: BTreeMap<u64, u8>,
    /// Entries in a page at most.
    page: usize,
    /// Every other page is empty, with a token.
    empty_pages: bool,
    /// Seconds that block tokens live.
    tokens_live: i64,
    /// Errors by their code, one for each call of that action, before it works.
    faults: Mutex<Vec<(&'static str, VecDeque<&'static str>)>>,
    /// Blocks that come damaged so many times.
    damaged: Mutex<BTreeMap<u64, u32>>,
    now: AtomicUsize,
    most: AtomicUsize,
    log: Mutex<Vec<String>>,
}

impl Fake {
    fn new(blocks: impl IntoIterator<Item = u64>) -> Self {
        Fake {
            clock: Clock::from(START),
            blocks: blocks.into_iter().map(|index| (index, u8::try_from(index % 256).unwrap())).collect(),
            page: 10_000,
            empty_pages: false,
            tokens_live: 7 * 86_400,
            faults: Mutex::default(),
            damaged: Mutex::default(),
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            log: Mutex::default(),
        }
    }

    fn failing(self, action: &'static str, codes: &[&'static str]) -> Self {
        self.faults.lock().unwrap().push((action, codes.iter().copied().collect()));
        self
    }

    /// Page tokens are the index to go on from, with a mark that says whether the empty page was given.
    fn list(&self, start: u64, token: Option<&str>) -> BlockPage {
        let (from, was_empty) = match token.and_then(|token| token.split_once('/')) {
            Some((from, mark)) => (from.parse().unwrap(), mark == "empty"),
            None => (start, false),
        };
        let expires = START.0.max(self.clock.now().0) + self.tokens_live;
        if self.empty_pages && !was_empty {
            let token = Some(format!("{from}/empty"));
            return BlockPage { blocks: Vec::new(), token, size_gib: 16, expires };
        }
        let mut rest = self.blocks.range(from..).map(|(&index, _)| index);
        let blocks: Vec<_> =
            rest.by_ref().take(self.page).map(|index| (index, format!("{index}@{expires}"))).collect();
        let token = rest.next().map(|next| format!("{next}/full"));
        BlockPage { blocks, token, size_gib: 16, expires }
    }

    fn get(&self, index: u64, token: &str) -> Result<Block, Error> {
        let expires = token.strip_prefix(&format!("{index}@")).and_then(|text| text.parse::<i64>().ok());
        if expires.is_none_or(|expires| expires <= self.clock.now().0) {
            let code = "ValidationException/INVALID_BLOCK_TOKEN";
            return Err(Error::of("ebs:GetSnapshotBlock", code, "the token has expired"));
        }
        let mut bytes = vec![self.blocks[&index]; BLOCK_BYTES];
        let checksum = STANDARD.encode(Sha256::digest(&bytes));
        if let Some(left @ 1..) = self.damaged.lock().unwrap().get_mut(&index) {
            *left -= 1;
            bytes[1000] ^= 1;
        }
        Ok(Block { bytes, checksum })
    }
}

#[async_trait::async_trait]
impl Service for Fake {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, Error> {
        assert_eq!(scope.purpose, Purpose::Read);
        let action = call.action().name();
        self.most.fetch_max(self.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        self.clock.sleep(Duration::from_millis(40)).await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        let fault = self
            .faults
            .lock()
            .unwrap()
            .iter_mut()
            .find_map(|(of, codes)| if *of == action { codes.pop_front() } else { None });
        if let Some(code) = fault {
            self.log.lock().unwrap().push(format!("{action} {code}"));
            return Err(Error::of(action, code, "as the test wants it"));
        }
        let (said, answer) = match call {
            Call::ListSnapshotBlocks(list) => {
                let said = format!("list {} {:?}", list.start, list.token);
                (said, Answer::ListSnapshotBlocks(self.list(list.start, list.token.as_deref())))
            }
            Call::GetSnapshotBlock(get) => {
                (format!("get {}", get.index), Answer::GetSnapshotBlock(self.get(get.index, &get.token)?))
            }
            other => panic!("{other:?}"),
        };
        self.log.lock().unwrap().push(said);
        Ok(answer)
    }
}

struct Rig {
    fake: Arc<Fake>,
    direct: Direct,
    stop: CancellationToken,
    purse: Arc<Purse>,
    ledger: Ledger,
    folder: tempfile::TempDir,
}

/// A purse over the ledger in this folder, as a new agent has it.
fn purse(folder: &Path, clock: Clock, ceiling: u64) -> Purse {
    purse_of(&Ledger::open(folder, Opening::Agent).unwrap(), clock, ceiling)
}

fn purse_of(ledger: &Ledger, clock: Clock, ceiling: u64) -> Purse {
    let account = AccountId::parse("111122223333").unwrap();
    Purse::new(ledger, clock, Allowance { account, what: "microdollars", ceiling }, &Prices::default())
}

fn rig(fake: Fake) -> Rig {
    rig_with(fake, 1_000_000)
}

fn rig_with(fake: Fake, microdollars: u64) -> Rig {
    let fake = Arc::new(fake);
    let cloud = Cloud { service: fake.clone(), clock: fake.clock };
    let scope = Scope {
        account: AccountId::parse("111122223333").unwrap(),
        region: Region::parse("eu-west-1").unwrap(),
        purpose: Purpose::Read,
        job: "job-1".to_owned(),
    };
    let stop = CancellationToken::new();
    let snapshots = vec![(scope, SnapshotId::parse("snap-0123456789abcdef0").unwrap())];
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path(), Opening::Agent).unwrap();
    let purse = Arc::new(purse_of(&ledger, fake.clock, microdollars));
    let direct = Direct::new(cloud, snapshots, Arc::clone(&purse), stop.clone());
    Rig { fake, direct, stop, purse, ledger, folder }
}

impl Rig {
    fn ask(&self, index: u64) -> oneshot::Receiver<Fetched> {
        let (tell, told) = oneshot::channel();
        let done = Box::new(move |fetched| tell.send(fetched).unwrap());
        self.direct.fetch(Wanted { volume: 0, index }, done);
        told
    }

    async fn fetch(&self, index: u64) -> Fetched {
        self.ask(index).await.unwrap()
    }

    fn log(&self) -> Vec<String> {
        self.fake.log.lock().unwrap().clone()
    }
}

fn bytes(index: u64) -> Fetched {
    Fetched::Bytes(vec![u8::try_from(index % 256).unwrap(); BLOCK_BYTES])
}

fn why(fetched: Fetched) -> String {
    match fetched {
        Fetched::Refused(Refusal::Unavailable(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_listed_where_it_is_read_and_nowhere_else() {
    let rig = rig(Fake::new((0..100).chain(20_000..20_010)));
    assert_eq!(rig.fetch(20_003).await, bytes(20_003));
    assert_eq!(rig.fetch(20_020).await, Fetched::Zero);
    assert_eq!(rig.fetch(20_009).await, bytes(20_009));
    assert_eq!(rig.log(), ["list 16384 None", "get 20003", "get 20009"]);
    assert_eq!(rig.direct.calls(), Calls { gets: 2, lists: 1, throttled: 0 });
}

#[tokio::test(start_paused = true)]
async fn a_block_is_zeros_only_when_the_page_around_it_was_read() {
    let mut fake = Fake::new([3, 5, 7, 9, 11]);
    (fake.page, fake.empty_pages) = (2, true);
    let rig = rig(fake);
    // Short pages, and empty ones that are not the end.
    assert_eq!(rig.fetch(7).await, bytes(7));
    assert_eq!(rig.fetch(6).await, Fetched::Zero);
    assert_eq!(rig.fetch(4).await, Fetched::Zero);
    assert_eq!(rig.direct.calls().lists, 4);
    assert_eq!(rig.fetch(10).await, Fetched::Zero);
    assert_eq!(rig.fetch(8000).await, Fetched::Zero);
    assert_eq!(rig.direct.calls().lists, 6);
}

#[tokio::test(start_paused = true)]
async fn many_asks_list_once_and_fetch_64_at_a_time() {
    let rig = rig(Fake::new(0..1000));
    let asks: Vec<_> = (0..200).map(|index| (index, rig.ask(index))).collect();
    for (index, answer) in asks {
        assert_eq!(answer.await.unwrap(), bytes(index));
    }
    assert_eq!(rig.direct.calls(), Calls { gets: 200, lists: 1, throttled: 0 });
    assert_eq!(rig.fake.most.load(Ordering::SeqCst), 64);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_block_is_fetched_again_and_never_passed_on() {
    let fake = Fake::new(0..10);
    *fake.damaged.lock().unwrap() = BTreeMap::from([(1, 2), (2, 3)]);
    let rig = rig(fake);
    assert_eq!(rig.fetch(1).await, bytes(1));
    assert!(why(rig.fetch(2).await).contains("block 2 of snap-0123456789abcdef0 came 3 times"));
    assert_eq!(rig.direct.calls().gets, 6);
}

#[tokio::test(start_paused = true)]
async fn tokens_that_have_expired_are_listed_anew() {
    let mut fake = Fake::new(0..10);
    fake.tokens_live = 1000;
    let rig = rig(fake);
    assert_eq!(rig.fetch(1).await, bytes(1));
    tokio::time::sleep(Duration::from_secs(2000)).await;
    assert_eq!(rig.fetch(2).await, bytes(2));
    assert_eq!(rig.log(), ["list 0 None", "get 1", "list 0 None", "get 2"]);
}

#[tokio::test(start_paused = true)]
async fn refused_tokens_are_listed_anew_and_not_for_ever() {
    let token = "ValidationException/INVALID_BLOCK_TOKEN";
    let rig = rig(Fake::new(0..10).failing("ebs:GetSnapshotBlock", &[token, token, token, token, token]));
    assert!(why(rig.fetch(1).await).contains("INVALID_BLOCK_TOKEN"));
    assert_eq!(rig.direct.calls(), Calls { gets: 4, lists: 4, throttled: 0 });
    assert_eq!(rig.fetch(1).await, bytes(1));
}

#[tokio::test(start_paused = true)]
async fn a_page_token_that_was_refused_begins_the_piece_again_once() {
    let mut fake =
        Fake::new(0..6).failing("ebs:ListSnapshotBlocks", &["ValidationException/INVALID_PAGE_TOKEN"]);
    fake.page = 4;
    let listing = Listing::new(SnapshotId::parse("snap-0a").unwrap());
    let fake = &fake;
    let place = listing.place(5, START, |request| async move {
        let fault = request.token.as_ref().and_then(|_| fake.faults.lock().unwrap()[0].1.pop_front());
        match fault {
            Some(code) => Err(Error::of("ebs:ListSnapshotBlocks", code, "too old")),
            None => Ok(fake.list(request.start, request.token.as_deref())),
        }
    });
    assert!(matches!(place.await, Ok(Place::At(_))));
    assert_eq!(listing.size(), 16 << 30);
}

#[tokio::test(start_paused = true)]
async fn throttling_holds_all_back_and_then_all_come() {
    let codes =
        ["ThrottlingException/RESOURCE_LEVEL_THROTTLE", "RequestThrottledException/ACCOUNT_THROTTLED"];
    let rig = rig(Fake::new(0..100).failing("ebs:GetSnapshotBlock", &codes));
    let asks: Vec<_> = (0..100).map(|index| (index, rig.ask(index))).collect();
    for (index, answer) in asks {
        assert_eq!(answer.await.unwrap(), bytes(index));
    }
    assert_eq!(rig.direct.calls().throttled, 2);
    assert_eq!(rig.direct.failed(), None);
}

#[tokio::test(start_paused = true)]
async fn errors_without_effect_pass_and_lost_answers_are_asked_for_again() {
    let codes = ["InternalServerException", "Timeout", "ConnectionLost", "Unreachable"];
    let rig = rig(Fake::new(0..10).failing("ebs:GetSnapshotBlock", &codes));
    assert_eq!(rig.fetch(1).await, bytes(1));
}

#[tokio::test(start_paused = true)]
async fn what_is_denied_is_refused_with_its_code_at_once() {
    let code = "AccessDeniedException/DEPENDENCY_ACCESS_DENIED";
    let rig = rig(Fake::new(0..10).failing("ebs:GetSnapshotBlock", &[code]));
    assert!(why(rig.fetch(1).await).contains(code));
    assert_eq!(rig.direct.calls().gets, 1);
    assert_eq!(rig.direct.failed().map(|error| error.class), Some(Class::Key));
}

#[tokio::test(start_paused = true)]
async fn a_young_snapshot_may_be_unknown_for_a_minute() {
    let code = "ResourceNotFoundException/SNAPSHOT_NOT_FOUND";
    let young = rig(Fake::new(0..10).failing("ebs:ListSnapshotBlocks", &[code; 5]));
    assert_eq!(young.direct.open().await, Ok(vec![16 << 30]));
    let gone = rig(Fake::new(0..10).failing("ebs:ListSnapshotBlocks", &[code; 50]));
    assert!(why(gone.fetch(0).await).contains("SNAPSHOT_NOT_FOUND"));
    let waited = gone.fake.clock.now().since(START).as_secs();
    assert!((60..=70).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn an_empty_purse_is_a_budget_and_no_call() {
    // One list costs 0.6 and a block 3 millionths of a dollar.
    let rig = rig_with(Fake::new(0..10), 7);
    assert_eq!(rig.fetch(0).await, bytes(0));
    assert_eq!(rig.fetch(1).await, bytes(1));
    let refused = rig.fetch(2).await;
    assert!(
        matches!(&refused, Fetched::Refused(Refusal::Budget(why)) if why.contains("7 millionths")),
        "{refused:?}"
    );
    assert_eq!(rig.direct.calls().gets, 2);
    assert_eq!(rig.direct.failed(), None);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_job_fetches_nothing_more() {
    let rig = rig(Fake::new(0..1000));
    let asks: Vec<_> = (0..200).map(|index| rig.ask(index)).collect();
    rig.stop.cancel();
    for answer in asks {
        assert_eq!(answer.await.unwrap(), Fetched::Refused(Refusal::Cancelled));
    }
    assert_eq!(rig.direct.calls(), Calls::default());
}
