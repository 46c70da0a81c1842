// SPDX-License-Identifier: Apache-2.0
//! Frames written by hand from RFC 8878, so that a few bytes can promise anything.

use super::*;

const BOUNDS: Bounds = Bounds { kept: 1 << 20, len: 1 << 30 };

/// A frame header with a window descriptor (exponent and mantissa) and no content size.
fn windowed(descriptor: u8) -> Vec<u8> {
    [MAGIC.as_slice(), &[0, descriptor]].concat()
}

/// A frame header of a single segment with eight bytes of content size.
fn single(content: u64) -> Vec<u8> {
    [MAGIC.as_slice(), &[0xe0], &content.to_le_bytes()].concat()
}

/// `count` blocks of 128 KiB of one byte, of which the last ends the frame.
fn runs(byte: u8, count: u32) -> Vec<u8> {
    let block = |last: bool| {
        let header = (128_u32 << 10) << 3 | 1 << 1 | u32::from(last);
        let [a, b, c, _] = header.to_le_bytes();
        [a, b, c, byte]
    };
    (1..=count).flat_map(|n| block(n == count)).collect()
}

/// 1 MiB, as zstd(1) writes it for small files.
const SMALL: u8 = 10 << 3;

fn limit(packed: &[u8]) -> (&'static str, u64) {
    match Unpacked::within(packed, BOUNDS).err() {
        Some(Error::Limit { what, limit }) => (what, limit),
        other => panic!("{other:?}"),
    }
}

#[test]
fn frames_one_after_another_are_one_image() {
    let skippable = [&[0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0], b"xyz".as_slice()].concat();
    let one = [windowed(SMALL), runs(1, 1)].concat();
    let two = [windowed(SMALL), runs(0, 1)].concat();
    let image =
        Unpacked::new([skippable.clone(), one.clone(), two, one, skippable].concat().as_slice()).unwrap();
    assert_eq!(image.len(), 3 * (128 << 10));
    let mut bytes = vec![9; 3 * (128 << 10)];
    image.read_at(0, &mut bytes).unwrap();
    let expected = [[1; 128 << 10], [0; 128 << 10], [1; 128 << 10]].concat();
    assert!(bytes == expected);
}

#[test]
fn a_frame_that_ends_within_a_block_is_continued_by_the_next() {
    // One raw block of three bytes, the last of its frame.
    let short = [windowed(SMALL), vec![3 << 3 | 1, 0, 0], b"abc".to_vec()].concat();
    let image = Unpacked::new(short.repeat(2000).as_slice()).unwrap();
    let mut bytes = vec![0; 6000];
    image.read_at(0, &mut bytes).unwrap();
    assert_eq!((image.len(), bytes), (6000, b"abc".repeat(2000)));
}

#[test]
fn what_follows_the_last_frame_is_not_passed_over() {
    let packed = [windowed(SMALL), runs(1, 1), b"more".to_vec()].concat();
    assert!(matches!(Unpacked::new(packed.as_slice()), Err(Error::Corrupt(_))));
    let cut = [windowed(SMALL), runs(1, 1), MAGIC.to_vec()].concat();
    assert!(matches!(Unpacked::new(cut.as_slice()), Err(Error::Corrupt(_))));
}

#[test]
fn a_bomb_of_zeros_ends_at_the_limit_of_length_and_keeps_nothing() {
    let bomb = [windowed(SMALL), runs(0, 8193)].concat();
    assert_eq!(limit(&bomb), ("unpacked image, bytes with zeros", 1 << 30));
    let below = [windowed(SMALL), runs(0, 8192)].concat();
    let image = Unpacked::within(below.as_slice(), BOUNDS).unwrap();
    assert_eq!((image.len, image.blocks.len()), (1 << 30, 0));
}

#[test]
fn a_bomb_of_content_ends_at_the_limit_of_what_is_kept() {
    assert_eq!(limit(&[windowed(SMALL), runs(b'A', 9)].concat()), ("unpacked image, bytes", 1 << 20));
}

#[test]
fn a_frame_that_asks_for_a_huge_window_is_refused_before_anything_is_unpacked() {
    let largest = ("window of a zstd frame, bytes", 128 << 20);
    // The largest that can be written (3.75 TiB), and the first over 128 MiB.
    for descriptor in [0xff, 17 << 3 | 1] {
        assert_eq!(limit(&[windowed(descriptor), runs(0, 1)].concat()), largest, "{descriptor:#x}");
    }
    assert_eq!(limit(&[single((128 << 20) + 1), runs(0, 1)].concat()), largest);
}

#[test]
fn a_promise_over_the_limit_of_length_is_refused_at_once() {
    // Eight bytes of content size beside a window of 1 MiB.
    let promise = [MAGIC.as_slice(), &[0xc0, SMALL], &(1_u64 << 50).to_le_bytes()].concat();
    assert_eq!(limit(&promise), ("unpacked image, bytes with zeros", 1 << 30));
}
