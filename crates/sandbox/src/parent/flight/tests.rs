// SPDX-License-Identifier: Apache-2.0

use super::*;

const BUDGET: Budget = Budget { blocks: 3000, refetches: 2, bytes: u64::MAX, cache: 0 };

fn at(index: u64) -> Wanted {
    Wanted { volume: 0, index }
}

fn book() -> (Book, LinkId) {
    let mut book = Book::new(&[10_000 * BLOCK, 5 * BLOCK + 1], BUDGET);
    let link = book.link();
    (book, link)
}

/// Asks for a block and lets it land.
fn have(book: &mut Book, link: LinkId, index: u64) {
    assert_eq!(book.ask(link, false, at(index)), Ok(Step::Fetch));
    assert_eq!(book.landed(at(index), &Answer::Ready), [link]);
    book.sent(link);
}

#[test]
fn a_block_is_fetched_once_for_all_that_ask() {
    let (mut book, one) = book();
    let two = book.link();
    assert_eq!(book.ask(one, true, at(7)), Ok(Step::Fetch));
    assert_eq!(book.ask(one, false, at(7)), Ok(Step::Nothing));
    assert_eq!(book.ask(two, false, at(7)), Ok(Step::Nothing));
    assert_eq!(book.landed(at(7), &Answer::Ready), [one, two]);
    // The answer to advice may cross the need: it is not answered twice.
    assert_eq!(book.ask(one, false, at(7)), Ok(Step::Nothing));
    assert_eq!(book.counts().bytes, BLOCK);
}

#[test]
fn numbers_that_no_worker_may_send_are_lies() {
    let (mut book, link) = book();
    assert_eq!(book.ask(link, false, Wanted { volume: 1, index: 5 }), Ok(Step::Fetch));
    for (volume, index) in [(1, 6), (0, 10_000), (2, 0), (u32::MAX, u64::MAX)] {
        assert!(book.ask(link, true, Wanted { volume, index }).is_err(), "{volume} {index}");
        assert!(book.done(link, Wanted { volume, index }).is_err(), "{volume} {index}");
    }
    assert!(book.ask(link, false, Wanted { volume: 1, index: 5 }).is_err(), "asked twice");
    assert!(book.done(link, at(1)).is_err(), "given back, never held");
    assert!(book.done(link, Wanted { volume: 1, index: 5 }).is_err(), "given back before it came");
}

#[test]
fn more_than_256_asks_without_an_answer_are_a_lie_and_more_than_64_advices_are_dropped() {
    let (mut book, link) = book();
    let advised = (0..100).filter(|&n| book.ask(link, true, at(n)) == Ok(Step::Fetch)).count();
    assert_eq!(advised, 64);
    for n in 100..100 + 256 - 64 {
        assert_eq!(book.ask(link, false, at(n)), Ok(Step::Fetch), "{n}");
    }
    assert!(book.ask(link, false, at(1000)).is_err());
    book.sent(link);
    assert_eq!(book.ask(link, false, at(1000)), Ok(Step::Fetch));
}

#[test]
fn what_is_held_stays_and_what_was_given_back_goes_first() {
    let (mut book, link) = book();
    (0..CACHED).for_each(|n| have(&mut book, link, n));
    // Everything is held, so there is no room: a refusal, never a block taken away.
    let full = book.ask(link, false, at(9000));
    assert!(matches!(full, Ok(Step::Answer(Answer::Refused(Refusal::Budget(_))))), "{full:?}");
    book.sent(link);
    book.done(link, at(5)).unwrap();
    book.done(link, at(3)).unwrap();
    // Asked for again before it went: held again.
    assert_eq!(book.ask(link, false, at(5)), Ok(Step::Answer(Answer::Ready)));
    book.sent(link);
    assert_eq!(book.trim(), []);
    have(&mut book, link, 9001);
    assert_eq!(book.trim(), [at(3)]);
    book.done(link, at(6)).unwrap();
    have(&mut book, link, 3);
    assert_eq!((book.trim(), book.counts().refetches), (vec![at(6)], 1));
}

#[test]
fn a_worker_that_ends_holds_nothing_and_the_next_one_finds_what_came() {
    let (mut book, one) = book();
    have(&mut book, one, 1);
    assert_eq!(book.ask(one, false, at(2)), Ok(Step::Fetch));
    book.unlink(one);
    assert!(book.landed(at(2), &Answer::Ready).is_empty());
    let two = book.link();
    for index in [1, 2] {
        assert_eq!(book.ask(two, false, at(index)), Ok(Step::Answer(Answer::Ready)));
    }
    assert_eq!(book.counts().blocks, 2);
}

#[test]
fn budgets_end_in_refusals_and_zeros_cost_none() {
    let budget = Budget { blocks: 2, refetches: 0, bytes: u64::MAX, cache: 0 };
    let mut book = Book::new(&[100 * BLOCK], budget);
    let link = book.link();
    assert_eq!(book.ask(link, false, at(0)), Ok(Step::Fetch));
    assert_eq!(book.landed(at(0), &Answer::Zero), [link]);
    have(&mut book, link, 1);
    have(&mut book, link, 2);
    let refused = Answer::Refused(Refusal::Budget("all of 2 blocks are used".into()));
    assert_eq!(book.ask(link, true, at(3)), Ok(Step::Nothing));
    assert_eq!(book.ask(link, false, at(3)), Ok(Step::Answer(refused)));
    let counts = book.counts();
    assert_eq!((counts.blocks, counts.zeros, counts.refused, counts.bytes), (2, 1, 1, 2 * BLOCK));
    book.cancel();
    let stopped = Answer::Refused(Refusal::Cancelled);
    assert_eq!(book.ask(link, false, at(4)), Ok(Step::Answer(stopped)));
}
