// SPDX-License-Identifier: Apache-2.0
//! A source made of pieces of others: a logical volume.

use std::ops::Range;
use std::sync::Arc;

use super::{BlockSource, check};
use crate::bytes::{index, wide};
use crate::error::SourceError;

/// One run of bytes of the whole and where it lies.
#[derive(Clone)]
pub struct Piece {
    /// Where it begins in the whole, in bytes.
    pub start: u64,
    /// How many bytes.
    pub len: u64,
    /// The sources it lies on, in turn: one for a linear piece, several for a striped one.
    pub stripes: Vec<(Arc<dyn BlockSource>, u64)>,
    /// Bytes that lie on one stripe before the next is taken; unused with one stripe.
    pub stripe_len: u64,
}

/// A source and the ranges of it that will be needed.
type Told = (Arc<dyn BlockSource>, Vec<Range<u64>>);

/// Pieces one after the other, without gaps.
pub struct Pieces {
    pieces: Vec<Piece>,
    len: u64,
}

impl Pieces {
    /// Joins pieces; `None` if they leave a gap, overlap, or a piece has no stripe or no length.
    pub fn new(pieces: Vec<Piece>) -> Option<Self> {
        let mut end = 0_u64;
        for piece in &pieces {
            let striped = piece.stripes.len() > 1;
            if piece.start != end || piece.len == 0 || piece.stripes.is_empty() {
                return None;
            }
            if striped && piece.stripe_len == 0 {
                return None;
            }
            end = end.checked_add(piece.len)?;
        }
        Some(Pieces { pieces, len: end })
    }

    /// Calls `each` with the source, the offset in it, and the part of `range`, for all parts of the range in order.
    fn parts(
        &self,
        range: Range<u64>,
        mut each: impl FnMut(&Arc<dyn BlockSource>, u64, Range<u64>) -> Result<(), SourceError>,
    ) -> Result<(), SourceError> {
        let mut at = range.start;
        while at < range.end {
            let found = self.pieces.partition_point(|piece| piece.start <= at).checked_sub(1);
            let Some(piece) = found.and_then(|n| self.pieces.get(n)) else {
                return Err(SourceError::PastEnd { offset: at, len: self.len });
            };
            let inside = at.saturating_sub(piece.start);
            let left = piece.len.saturating_sub(inside).min(range.end.saturating_sub(at));
            let count = wide(piece.stripes.len());
            // A piece with one stripe is one run; else the run ends with the stripe's chunk.
            let (stripe, offset, run) = if count == 1 || piece.stripe_len == 0 {
                (0, inside, left)
            } else {
                let chunk = inside.checked_div(piece.stripe_len).unwrap_or(0);
                let within = inside.checked_rem(piece.stripe_len).unwrap_or(0);
                let row = chunk.checked_div(count).unwrap_or(0);
                let offset = row.saturating_mul(piece.stripe_len).saturating_add(within);
                let run = left.min(piece.stripe_len.saturating_sub(within));
                (chunk.checked_rem(count).unwrap_or(0), offset, run)
            };
            let Some((source, base)) = piece.stripes.get(index(stripe)).filter(|_| run > 0) else {
                return Err(SourceError::PastEnd { offset: at, len: self.len });
            };
            let next = at.saturating_add(run);
            each(source, base.saturating_add(offset), at..next)?;
            at = next;
        }
        Ok(())
    }

    fn read(&self, offset: u64, buf: &mut [u8], once: bool) -> Result<(), SourceError> {
        check(offset, buf.len(), self.len)?;
        let end = offset.saturating_add(wide(buf.len()));
        let mut rest = buf;
        self.parts(offset..end, |source, from, part| {
            let (now, later) =
                std::mem::take(&mut rest).split_at_mut(index(part.end.saturating_sub(part.start)));
            rest = later;
            if once { source.read_once(from, now) } else { source.read_at(from, now) }
        })
    }
}

impl BlockSource for Pieces {
    fn len(&self) -> u64 {
        self.len
    }

    fn available(&self) -> u64 {
        let is_whole = |piece: &Piece| {
            let count = wide(piece.stripes.len()).max(1);
            let share = piece.len.div_ceil(count);
            piece.stripes.iter().all(|(source, at)| at.saturating_add(share) <= source.available())
        };
        self.pieces.iter().find(|piece| !is_whole(piece)).map_or(self.len, |piece| piece.start)
    }

    fn sector_size(&self) -> Option<u32> {
        self.pieces
            .first()
            .and_then(|piece| piece.stripes.first())
            .and_then(|(source, _)| source.sector_size())
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        self.read(offset, buf, false)
    }

    fn read_once(&self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        self.read(offset, buf, true)
    }

    fn is_hole(&self, range: Range<u64>) -> bool {
        let mut all = true;
        let walked = self.parts(range, |source, from, part| {
            all &= source.is_hole(from..from.saturating_add(part.end.saturating_sub(part.start)));
            Ok(())
        });
        all && walked.is_ok()
    }

    fn advise(&self, ranges: &[Range<u64>]) {
        // Each source is told once, of all that lies on it: one call is one wait.
        let mut by_source: Vec<Told> = Vec::new();
        for range in ranges {
            // Advice about what lies beyond the end is dropped like any other that cannot be followed.
            let _ends_early = self.parts(range.clone(), |source, from, part| {
                let there = from..from.saturating_add(part.end.saturating_sub(part.start));
                match by_source.iter_mut().find(|(known, _)| Arc::ptr_eq(known, source)) {
                    Some((_, ranges)) => ranges.push(there),
                    None => by_source.push((Arc::clone(source), vec![there])),
                }
                Ok(())
            });
        }
        for (source, ranges) in by_source {
            source.advise(&ranges);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn striped_and_linear_pieces_give_the_bytes_in_order() {
        let one: Arc<dyn BlockSource> = Arc::new(b"xxAACCEE".to_vec());
        let two: Arc<dyn BlockSource> = Arc::new(b"BBDDFFyz".to_vec());
        let striped = Piece {
            start: 0,
            len: 12,
            stripes: vec![(Arc::clone(&one), 2), (Arc::clone(&two), 0)],
            stripe_len: 2,
        };
        let linear = Piece { start: 12, len: 2, stripes: vec![(two, 6)], stripe_len: 0 };
        let whole = Pieces::new(vec![striped, linear]).unwrap();
        let mut all = [0; 14];
        whole.read_at(0, &mut all).unwrap();
        assert_eq!(&all, b"AABBCCDDEEFFyz");
        let mut middle = [0; 5];
        whole.read_at(3, &mut middle).unwrap();
        assert_eq!(&middle, b"BCCDD");
        assert!(matches!(whole.read_at(10, &mut middle), Err(SourceError::PastEnd { .. })));
    }

    #[test]
    fn a_gap_between_pieces_is_refused() {
        let source: Arc<dyn BlockSource> = Arc::new(vec![0; 8]);
        let piece = |start| Piece { start, len: 4, stripes: vec![(Arc::clone(&source), 0)], stripe_len: 0 };
        assert!(Pieces::new(vec![piece(0), piece(5)]).is_none());
    }

    #[test]
    fn ranges_on_one_source_are_announced_together() {
        use crate::source::cache::Cache;
        use crate::source::rounds::Rounds;

        let rounds = Arc::new(Rounds::default());
        let cache: Arc<dyn BlockSource> = Cache::new(Arc::new(vec![0; 1 << 20]), &rounds, 1 << 20);
        let piece =
            |start| Piece { start, len: 1 << 18, stripes: vec![(Arc::clone(&cache), start)], stripe_len: 0 };
        let whole = Pieces::new(vec![piece(0), piece(1 << 18)]).unwrap();
        whole.advise(&[0..4096, 8192..12288, (1 << 18) - 4096..(1 << 18) + 4096]);
        assert_eq!(rounds.count(), 1);
    }
}
