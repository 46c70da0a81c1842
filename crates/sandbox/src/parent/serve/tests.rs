// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::blocks::Done;

/// Answers at once: the byte is the block's index.
struct Bytes;

impl Fetch for Bytes {
    fn fetch(&self, wanted: Wanted, done: Done) {
        done(Fetched::Bytes(vec![u8::try_from(wanted.index % 251).unwrap(); BLOCK_BYTES]));
    }
}

fn serving() -> (Broker, UnixStream, std::thread::JoinHandle<Result<(), Lie>>) {
    let broker = Broker::new(&[64 << 20], Budget::of_blocks(1000), Arc::new(Bytes)).unwrap();
    let (here, there) = UnixStream::pair().unwrap();
    let serving = broker.clone();
    (broker, here, std::thread::spawn(move || serving.serve(there)))
}

#[test]
fn a_worker_that_says_what_is_no_message_is_cut_off() {
    let (broker, mut socket, serving) = serving();
    socket.write_all(&[9; FRAME]).unwrap();
    assert!(serving.join().unwrap().is_err());
    assert_eq!(socket.read(&mut [0; 1]).unwrap(), 0);
    assert_eq!(broker.counts(), Counts::default());
}

#[test]
fn a_block_of_a_wrong_length_is_refused_and_never_written() {
    struct Short;
    impl Fetch for Short {
        fn fetch(&self, _: Wanted, done: Done) {
            done(Fetched::Bytes(vec![1; 100]));
        }
    }
    let broker = Broker::new(&[1 << 20], Budget::of_blocks(10), Arc::new(Short)).unwrap();
    let (mut socket, there) = UnixStream::pair().unwrap();
    let serving = std::thread::spawn({
        let broker = broker.clone();
        move || broker.serve(there)
    });
    let wanted = Wanted { volume: 0, index: 1 };
    socket.write_all(&Ask::Need.encode(wanted)).unwrap();
    let (of, answer) = Answer::read(&mut socket).unwrap().unwrap();
    assert_eq!(of, wanted);
    assert!(matches!(answer, Answer::Refused(Refusal::Unavailable(_))), "{answer:?}");
    drop(socket);
    assert_eq!(serving.join().unwrap(), Ok(()));
    assert_eq!(broker.counts().resident, 0);
}

#[test]
fn a_worker_that_reads_no_answers_is_ended_when_it_asks_for_too_much() {
    let (_, mut socket, serving) = serving();
    // More answers than the socket holds: the sending thread hangs, the reading one goes on.
    let mut asks = Vec::new();
    for index in 0..128 {
        asks.extend(Ask::Need.encode(Wanted { volume: 0, index }));
        asks.extend(Ask::Done.encode(Wanted { volume: 0, index }));
    }
    while socket.write_all(&asks).is_ok() {}
    assert!(serving.join().unwrap().is_err());
}
