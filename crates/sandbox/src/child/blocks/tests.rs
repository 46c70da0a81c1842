// SPDX-License-Identifier: Apache-2.0

mod flight;

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::thread::{self, JoinHandle};

use snapscan_disk::machine::{Disk, Machine};
use snapscan_disk::source::count::Counting;
use snapscan_disk::source::file::FileSource;
use snapscan_disk::source::read_vec;

use super::*;
use crate::blocks::frame::CACHED;
use crate::blocks::{BLOCK_BYTES, Budget, Counts, Done, Fetch, Fetched, Refusal};
use crate::parent::flight::Lie;
use crate::parent::serve::Broker;

/// Blocks of an image, each answered as `answer` says, at once or when it is let go.
struct Image {
    answer: Box<dyn Fn(Wanted) -> Fetched + Send + Sync>,
    held_back: bool,
    pending: Mutex<Vec<(Wanted, Done)>>,
}

impl Image {
    fn at_once(answer: impl Fn(Wanted) -> Fetched + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Image { answer: Box::new(answer), held_back: false, pending: Mutex::default() })
    }

    fn pending(&self) -> MutexGuard<'_, Vec<(Wanted, Done)>> {
        self.pending.lock().unwrap()
    }
}

impl Fetch for Image {
    fn fetch(&self, wanted: Wanted, done: Done) {
        if self.held_back {
            self.pending().push((wanted, done));
        } else {
            done((self.answer)(wanted));
        }
    }
}

/// Each byte of a block is its index; every seventh block was never written.
fn numbered(wanted: Wanted) -> Fetched {
    match wanted.index % 7 {
        6 => Fetched::Zero,
        _ => Fetched::Bytes(vec![byte(wanted.index); BLOCK_BYTES]),
    }
}

fn byte(index: u64) -> u8 {
    if index % 7 == 6 { 0 } else { u8::try_from(index % 251).unwrap() }
}

struct Serving {
    broker: Broker,
    blocks: Blocks,
    sources: Vec<Arc<dyn BlockSource>>,
    thread: JoinHandle<Result<(), Lie>>,
}

fn serve(volumes: &[u64], budget: Budget, fetch: Arc<dyn Fetch>) -> Serving {
    let broker = Broker::new(volumes, budget, fetch).unwrap();
    let (here, there) = UnixStream::pair().unwrap();
    let thread = thread::spawn({
        let broker = broker.clone();
        move || broker.serve(there)
    });
    let blocks = Blocks::start(here).unwrap();
    let files = broker.files().unwrap().into_iter();
    let served = files.zip(volumes).map(|(cache, &len)| ServedVolume { len, sector: None, cache });
    let sources = blocks.volumes(served.collect());
    Serving { broker, blocks, sources, thread }
}

impl Serving {
    /// Ends the worker's side; answers what was served, and if it never lied.
    fn end(self) -> Counts {
        let Serving { broker, blocks, sources, thread } = self;
        drop((blocks, sources));
        assert_eq!(thread.join().unwrap(), Ok(()));
        broker.counts()
    }
}

#[test]
fn reads_of_any_range_have_the_bytes_of_the_blocks_and_zeros_of_those_never_written() {
    let serving = serve(&[40 * BLOCK + 1000], Budget::of_blocks(1000), Image::at_once(numbered));
    let source = &serving.sources[0];
    let got = read_vec(source.as_ref(), 3 * BLOCK - 5, 36 * BLOCK_BYTES).unwrap();
    for (at, got) in (3 * BLOCK - 5..).zip(&got).step_by(509) {
        assert_eq!(*got, byte(at / BLOCK), "{at}");
    }
    assert_eq!(read_vec(source.as_ref(), 40 * BLOCK + 999, 1).unwrap(), [byte(40)]);
    assert!(matches!(read_vec(source.as_ref(), 40 * BLOCK + 999, 2), Err(SourceError::PastEnd { .. })));
    assert!(read_vec(source.as_ref(), 40 * BLOCK + 1000, 0).unwrap().is_empty());
    assert!(source.is_hole(6 * BLOCK..7 * BLOCK));
    assert!(!source.is_hole(6 * BLOCK..7 * BLOCK + 1));
    assert_eq!(serving.broker.counts().zeros, 5);
    serving.end();
}

#[test]
fn sixteen_threads_that_read_more_than_may_be_kept_never_read_what_was_taken_away() {
    let count = CACHED + 200;
    let budget = Budget { refetches: u64::MAX, bytes: u64::MAX, cache: 0, ..Budget::of_blocks(count) };
    let serving = serve(&[count * BLOCK], budget, Image::at_once(numbered));
    thread::scope(|scope| {
        for number in 0..16_u64 {
            let source = Arc::clone(&serving.sources[0]);
            scope.spawn(move || {
                // Each thread goes its own way over all blocks, by a step that shares no divisor with their number.
                for step in 0..count / 4 {
                    let index = (number * 40 + step * 1031) % count;
                    let next = (index + 1031) % count;
                    source.advise(&[next * BLOCK..(next + 3) * BLOCK]);
                    let got = read_vec(source.as_ref(), index * BLOCK + 4096 * (step % 100), 64).unwrap();
                    assert_eq!(got, vec![byte(index); 64], "{index}");
                }
            });
        }
    });
    let counts = serving.end();
    assert!(counts.refetches > 0 && counts.blocks > CACHED && counts.resident <= CACHED, "{counts:?}");
}

#[test]
fn an_exhausted_budget_refuses_what_is_new_and_leaves_what_is_there() {
    let serving = serve(&[100 * BLOCK], Budget::of_blocks(3), Image::at_once(numbered));
    let source = &serving.sources[0];
    let read = |index: u64| read_vec(source.as_ref(), index * BLOCK, 8);
    assert!((0..3).all(|index| read(index).is_ok()));
    for index in 10..20 {
        let error = read(index).unwrap_err();
        assert!(matches!(&error, SourceError::Refused(_)), "{error}");
        assert_eq!(error.to_string(), "source refuses: all of 3 blocks are used");
    }
    assert_eq!(read(1).unwrap(), vec![1; 8]);
    // It asked once and not ten times.
    assert_eq!(serving.end().refused, 1);
}

#[test]
fn what_the_cloud_does_not_give_is_an_error_of_that_block_alone() {
    let gone = |wanted: Wanted| match wanted.index {
        4 => Fetched::Refused(Refusal::Unavailable("ebs:GetSnapshotBlock: AccessDeniedException".into())),
        _ => numbered(wanted),
    };
    let serving = serve(&[10 * BLOCK], Budget::of_blocks(100), Image::at_once(gone));
    let source = &serving.sources[0];
    source.advise(&[0..10 * BLOCK]);
    let error = read_vec(source.as_ref(), 3 * BLOCK, 2 * BLOCK_BYTES).unwrap_err();
    assert!(matches!(&error, SourceError::Unavailable(why) if why.contains("AccessDenied")), "{error}");
    assert_eq!(read_vec(source.as_ref(), 5 * BLOCK, 1).unwrap(), [5]);
    serving.end();
}

#[test]
fn a_fetch_that_nobody_answers_is_an_error_and_no_wait() {
    struct Forgets;
    impl Fetch for Forgets {
        fn fetch(&self, _: Wanted, _: Done) {}
    }
    let serving = serve(&[BLOCK], Budget::of_blocks(10), Arc::new(Forgets));
    let error = read_vec(serving.sources[0].as_ref(), 0, 1).unwrap_err();
    assert!(matches!(&error, SourceError::Unavailable(why) if why.contains("without an answer")), "{error}");
    serving.end();
}

#[test]
fn readers_get_an_error_when_the_agent_is_gone() {
    let (here, there) = UnixStream::pair().unwrap();
    let blocks = Blocks::start(here).unwrap();
    let cache = tempfile::tempfile().unwrap();
    let sources = blocks.volumes(vec![ServedVolume { len: 10 * BLOCK, sector: Some(512), cache }]);
    let reader = thread::spawn(move || read_vec(sources[0].as_ref(), 0, 1));
    drop(there);
    assert!(matches!(reader.join().unwrap(), Err(SourceError::Unavailable(_))));
}

/// Lets all pending answers go whenever the reader waits and nothing is under way between it and the broker: each time
/// is one latency of the cloud. Answers how many blocks were in flight each time.
fn one_latency_at_a_time(image: &Image, desk: &Desk, stop: &AtomicBool) -> Vec<usize> {
    let mut batches = Vec::new();
    while !stop.load(Ordering::Acquire) {
        let state = desk.state();
        let pending = {
            let mut pending = image.pending();
            let still = state.waiting > 0 && state.held.outstanding() == pending.len();
            if still { std::mem::take(&mut *pending) } else { Vec::new() }
        };
        drop(state);
        if pending.is_empty() {
            thread::yield_now();
            continue;
        }
        batches.push(pending.len());
        for (wanted, done) in pending {
            done((image.answer)(wanted));
        }
    }
    batches
}

/// Serves an image whose blocks come [one latency at a time](one_latency_at_a_time), until that is stopped.
fn serve_image(path: &Path) -> (Serving, Arc<AtomicBool>, JoinHandle<Vec<usize>>) {
    let file = File::open(path).unwrap();
    let len = FileSource::new(file.try_clone().unwrap()).unwrap().len();
    let answer = Box::new(move |wanted: Wanted| {
        let mut bytes = vec![0; BLOCK_BYTES];
        let at = wanted.index * BLOCK;
        let inside = usize::try_from(len - at).unwrap().min(BLOCK_BYTES);
        file.read_exact_at(&mut bytes[..inside], at).unwrap();
        if bytes.iter().all(|&byte| byte == 0) { Fetched::Zero } else { Fetched::Bytes(bytes) }
    });
    let image = Arc::new(Image { answer, held_back: true, pending: Mutex::default() });
    let serving = serve(&[len], Budget::of_blocks(40_000), image.clone());
    let stop = Arc::new(AtomicBool::new(false));
    let driver = thread::spawn({
        let (desk, stop) = (Arc::clone(&serving.blocks.0.desk), Arc::clone(&stop));
        move || one_latency_at_a_time(&image, &desk, &stop)
    });
    (serving, stop, driver)
}

/// Opens an image and runs the inventory, all through the block socket.
///
/// The image: a Debian server of 10 GiB, ext4 in a GPT (`SNAPSCAN_BENCH_IMAGE`).
#[test]
fn a_server_of_10_gib_takes_few_blocks_and_short_chains() {
    let Some(path) = std::env::var_os("SNAPSCAN_BENCH_IMAGE") else {
        eprintln!("SNAPSCAN_BENCH_IMAGE is not set: nothing is read");
        return;
    };
    let (serving, stop, driver) = serve_image(path.as_ref());
    let counting = Arc::new(Counting::new(Arc::clone(&serving.sources[0])));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let profile = snapscan_inventory::Profile::Os;
    let disk = Disk { name: b"disk".to_vec(), source: counting.clone() };
    let machine = Machine::open(&[disk], &snapscan_inventory::wants(profile));
    let names = AtomicU64::new(0);
    let options = snapscan_inventory::Options { profile };
    let tree = machine.tree.as_ref().expect("a tree");
    let outcome = pool.install(|| snapscan_inventory::run(tree, options, &names));
    let (rounds, waits) = (machine.read_so_far().rounds, serving.blocks.waits());
    stop.store(true, Ordering::Release);
    let batches = driver.join().unwrap().len();
    drop((machine, counting));
    let counts = serving.end();
    eprintln!(
        "{counts:?}, {batches} latencies, {waits} waits, {rounds} rounds, {} findings",
        outcome.findings.len()
    );
    let direct = FileSource::new(File::open(path).unwrap()).unwrap();
    let direct = Machine::open(&[Disk { name: b"disk".to_vec(), source: Arc::new(direct) }], &[]);
    let direct = snapscan_inventory::run(direct.tree.as_ref().expect("a tree"), options, &names);
    assert!(outcome.findings.len() > 100 && outcome.findings == direct.findings);
    assert!(counts.blocks <= 100 && batches <= 15, "{counts:?} {batches}");
}
