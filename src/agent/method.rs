// SPDX-License-Identifier: Apache-2.0
//! Which method a job's volumes are read by, and what each would cost.
//!
//! `auto` means direct, which shares nothing, copies nothing and holds no slot, unless the estimate says otherwise by a
//! clear margin: in time first, then slots, then money. The figures are estimates for choosing, not for billing.

use snapscan_schema::{Method, MethodChoice, MethodEstimate as Estimate};

use crate::config::effective::Prices;

/// Bytes of a block of the direct interface.
const BLOCK: u64 = 512 * 1024;
const GIB: u64 = 1 << 30;
/// Distinct blocks that profile `os` reads of one machine, as measured on servers of 10 GiB: 45 to 100, and half as
/// much again.
const BLOCKS_OS: u64 = 150;
/// Requests one after another that opening a machine and its inventory take, as measured: 13 to 15.
const CHAIN: u64 = 15;
/// Milliseconds of a request. Source: Amazon EBS User Guide, "Optimize performance for EBS direct APIs".
const LATENCY_MS: u64 = 100;
/// Blocks a second that one job fetches at most: 64 at once, each in [`LATENCY_MS`].
const JOB_RATE: u64 = 640;
/// Blocks that one page of the list covers at least.
const PAGE: u64 = 8192;
/// Seconds until a volume is made, attached and found.
const ATTACH_SECONDS: u64 = 40;
/// Seconds until it is detached and deleted; it is paid for meanwhile.
const DETACH_SECONDS: u64 = 30;
/// Bytes a second that a volume delivers where it is touched for the first time and comes from the snapshot.
const LAZY_RATE: u64 = 40 << 20;
/// Bytes a second of a copy of a snapshot with another key.
const COPY_RATE: u64 = 100 << 20;
/// Seconds that a volume is paid for at least.
const VOLUME_SECONDS: u64 = 60;
/// Seconds of a month of 30 days.
const MONTH: u64 = 30 * 86_400;
/// One method is clearly better if the other needs this many times as much, and the least difference is reached too.
const CLEARLY: u64 = 2;
/// The least difference in seconds.
const SECONDS_MATTER: u64 = 600;
/// The least difference in millionths of a dollar.
const MICRODOLLARS_MATTER: u64 = 100_000;

/// What is known of a job's volumes before they are read.
#[derive(Debug, Clone)]
pub(crate) struct Known<'a> {
    /// Everything is read, not only what lists packages.
    pub(crate) full: bool,
    /// Bytes of all volumes.
    pub(crate) volume_bytes: u64,
    /// Bytes of the blocks that were ever written, as `DescribeSnapshots` says; all of them if it does not.
    pub(crate) written_bytes: Option<u64>,
    /// Volumes.
    pub(crate) volumes: u32,
    /// Blocks that an earlier scan of this target took with the same profile.
    pub(crate) earlier_blocks: Option<u64>,
    /// Blocks a second that are left of the account's quota.
    pub(crate) quota: u64,
    /// Attachment slots that are free now.
    pub(crate) slots_free: u32,
    /// The attach method would have to copy the snapshots, because their key cannot be shared.
    pub(crate) copy: bool,
    /// Why the direct method cannot be used here.
    pub(crate) no_direct: Option<&'a str>,
    /// Why the attach method cannot be used here.
    pub(crate) no_attach: Option<&'a str>,
    /// What things cost.
    pub(crate) prices: &'a Prices,
}

/// Chooses a method, where `asked` leaves the choice.
///
/// # Errors
/// In words, if what was asked for, or either, cannot be used.
pub(crate) fn choose(asked: Method, known: &Known<'_>) -> Result<MethodChoice, String> {
    let (direct, attach) = (direct(known), attach(known));
    let (method, why) = match (asked, known.no_direct, known.no_attach) {
        (Method::Direct, Some(why), _) => return Err(format!("the direct method was asked for: {why}")),
        (Method::Attach, _, Some(why)) => return Err(format!("the attach method was asked for: {why}")),
        (Method::Direct, ..) => (Method::Direct, "asked for".to_owned()),
        (Method::Attach, ..) => (Method::Attach, "asked for".to_owned()),
        (Method::Auto, Some(one), Some(other)) => return Err(format!("direct: {one}; attach: {other}")),
        (Method::Auto, Some(why), None) => (Method::Attach, format!("direct cannot be used: {why}")),
        (Method::Auto, None, Some(why)) => (Method::Direct, format!("attach cannot be used: {why}")),
        (Method::Auto, None, None) => by_estimate(known, &direct, &attach),
    };
    Ok(MethodChoice { method, why, direct, attach })
}

/// A choice in words, with all figures of both methods.
pub(crate) fn in_words(choice: &MethodChoice) -> String {
    let MethodChoice { why, direct, attach, .. } = choice;
    format!("{why} (direct: {}; attach: {})", figures(direct), figures(attach))
}

fn by_estimate(known: &Known<'_>, direct: &Estimate, attach: &Estimate) -> (Method, String) {
    if clearly_less(attach.seconds, direct.seconds, SECONDS_MATTER) {
        if known.slots_free < attach.slots {
            let reason = format!(
                "attach would be faster, but needs {} slots and {} are free",
                attach.slots, known.slots_free
            );
            return (Method::Direct, reason);
        }
        return (Method::Attach, "attach is clearly faster".to_owned());
    }
    if clearly_less(direct.seconds, attach.seconds, SECONDS_MATTER) {
        return (Method::Direct, "direct is clearly faster".to_owned());
    }
    if known.slots_free < attach.slots {
        let reason = format!("attach needs {} slots and {} are free", attach.slots, known.slots_free);
        return (Method::Direct, reason);
    }
    if clearly_less(attach.microdollars, direct.microdollars, MICRODOLLARS_MATTER) {
        return (Method::Attach, "attach is clearly cheaper".to_owned());
    }
    (Method::Direct, "direct unless attach is clearly better".to_owned())
}

fn clearly_less(one: u64, other: u64, least: u64) -> bool {
    one.saturating_mul(CLEARLY) <= other && other.saturating_sub(one) >= least
}

/// Blocks that will be read.
fn blocks(known: &Known<'_>) -> u64 {
    let written = known.written_bytes.unwrap_or(known.volume_bytes).min(known.volume_bytes).div_ceil(BLOCK);
    let usual = if known.full { written } else { BLOCKS_OS };
    known.earlier_blocks.unwrap_or(usual).min(written)
}

fn direct(known: &Known<'_>) -> Estimate {
    let blocks = blocks(known);
    let pages = if known.full {
        known.volume_bytes.div_ceil(BLOCK).div_ceil(PAGE)
    } else {
        // Few blocks lie in few places, at worst each in another.
        known.volume_bytes.div_ceil(BLOCK).div_ceil(PAGE).min(blocks)
    };
    let calls = blocks.saturating_add(pages);
    let rate = known.quota.clamp(1, JOB_RATE);
    let chain = (CHAIN * LATENCY_MS).div_ceil(1000);
    Estimate {
        seconds: calls.div_ceil(rate).saturating_add(chain),
        slots: 0,
        microdollars: price(blocks, known.prices.get_block_1000, 1000).saturating_add(price(
            pages,
            known.prices.list_blocks_1000,
            1000,
        )),
    }
}

fn attach(known: &Known<'_>) -> Estimate {
    let bytes = blocks(known).saturating_mul(BLOCK);
    let written = known.written_bytes.unwrap_or(known.volume_bytes);
    let copy = if known.copy { written / COPY_RATE } else { 0 };
    let reading = (bytes / LAZY_RATE).saturating_add(ATTACH_SECONDS);
    let held = reading.saturating_add(DETACH_SECONDS).max(VOLUME_SECONDS);
    let volume =
        price(known.volume_bytes.div_ceil(GIB).saturating_mul(held), known.prices.volume_gib_month, MONTH);
    // A copy of a snapshot is paid for by its size while it is there.
    let copied = price(
        written.div_ceil(GIB).saturating_mul(held.saturating_add(copy)),
        if known.copy { known.prices.snapshot_gib_month } else { 0 },
        MONTH,
    );
    Estimate {
        seconds: reading.saturating_add(copy),
        slots: known.volumes,
        microdollars: volume.saturating_add(copied),
    }
}

/// So many things at `price` for each `per` of them, rounded up.
fn price(count: u64, price: u64, per: u64) -> u64 {
    let product = u128::from(count).saturating_mul(u128::from(price));
    u64::try_from(product.div_ceil(u128::from(per.max(1)))).unwrap_or(u64::MAX)
}

fn figures(estimate: &Estimate) -> String {
    let Estimate { seconds, slots, microdollars } = estimate;
    let dollars = microdollars / 1_000_000;
    format!("{seconds} s, {slots} slots, ${dollars}.{:06}", microdollars % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(prices: &Prices) -> Known<'_> {
        Known {
            full: false,
            volume_bytes: 100 * GIB,
            written_bytes: Some(30 * GIB),
            volumes: 1,
            earlier_blocks: None,
            quota: 500,
            slots_free: 10,
            copy: false,
            no_direct: None,
            no_attach: None,
            prices,
        }
    }

    #[test]
    fn profile_os_is_read_directly_for_parts_of_a_cent() {
        let prices = Prices::default();
        let chosen = choose(Method::Auto, &known(&prices)).unwrap();
        assert_eq!(chosen.method, Method::Direct);
        // 150 blocks at $0.003 and 25 pages at $0.0006 for a thousand; 175 calls in one second, and the chain.
        assert_eq!(chosen.direct, Estimate { seconds: 3, slots: 0, microdollars: 465 });
        assert_eq!(chosen.attach.slots, 1);
        let words = in_words(&chosen);
        assert!(words.contains("direct: 3 s, 0 slots, $0.000465; attach: 41 s, 1 slots, $0."), "{words}");
    }

    #[test]
    fn the_break_even_of_300_mib_against_ten_minutes_of_a_volume_is_as_published_prices_have_it() {
        let prices = Prices::default();
        // facts: 600 blocks are $0.0018; 100 GiB of gp3 for ten minutes are $0.0018.
        assert_eq!(price(600, prices.get_block_1000, 1000), 1800);
        assert_eq!(price(100 * 600, prices.volume_gib_month, MONTH), 1852);
    }

    #[test]
    fn a_full_read_of_a_full_disk_with_little_quota_left_is_attached_if_there_is_a_slot() {
        let prices = Prices::default();
        let mut full =
            Known { full: true, volume_bytes: 500 * GIB, written_bytes: None, quota: 20, ..known(&prices) };
        let chosen = choose(Method::Auto, &full).unwrap();
        assert_eq!(
            (chosen.method, chosen.direct.seconds > 3 * chosen.attach.seconds),
            (Method::Attach, true)
        );
        full.slots_free = 0;
        let chosen = choose(Method::Auto, &full).unwrap();
        assert_eq!(chosen.method, Method::Direct);
        assert!(chosen.why.contains("0 are free"), "{}", chosen.why);
    }

    #[test]
    fn a_copy_that_takes_long_speaks_for_direct_and_earlier_scans_are_believed() {
        let prices = Prices::default();
        let mut full = Known { full: true, copy: true, written_bytes: None, ..known(&prices) };
        full.earlier_blocks = Some(2000);
        let chosen = choose(Method::Auto, &full).unwrap();
        assert_eq!(chosen.method, Method::Direct);
        assert!(chosen.why.starts_with("direct is clearly faster"), "{}", chosen.why);
        assert_eq!(chosen.direct.microdollars, 6000 + 15);
    }

    #[test]
    fn money_decides_where_time_and_slots_do_not() {
        let prices = Prices { get_block_1000: 3_000_000, ..Prices::default() };
        let chosen = choose(Method::Auto, &known(&prices)).unwrap();
        assert_eq!(chosen.method, Method::Attach);
        assert!(chosen.why.starts_with("attach is clearly cheaper"), "{}", chosen.why);
    }

    #[test]
    fn what_cannot_be_used_is_not_chosen_and_what_was_asked_for_is() {
        let prices = Prices::default();
        let code = Some("MARKETPLACE_CODE");
        let marketplace = Known { no_attach: code, ..known(&prices) };
        assert!(choose(Method::Attach, &marketplace).unwrap_err().contains("MARKETPLACE_CODE"));
        assert_eq!(choose(Method::Auto, &marketplace).unwrap().method, Method::Direct);
        let unreachable = Known { no_direct: Some("unreachable"), ..known(&prices) };
        assert_eq!(choose(Method::Auto, &unreachable).unwrap().method, Method::Attach);
        assert_eq!(choose(Method::Attach, &known(&prices)).unwrap().method, Method::Attach);
        let neither = Known { no_direct: Some("unreachable"), ..marketplace };
        assert_eq!(
            choose(Method::Auto, &neither).unwrap_err(),
            "direct: unreachable; attach: MARKETPLACE_CODE"
        );
    }

    #[test]
    fn absurd_sizes_neither_overflow_nor_panic() {
        let prices = Prices::default();
        let huge = Known {
            full: true,
            volume_bytes: u64::MAX,
            written_bytes: Some(u64::MAX),
            earlier_blocks: Some(u64::MAX),
            quota: 0,
            copy: true,
            ..known(&prices)
        };
        assert!(choose(Method::Auto, &huge).is_ok());
    }
}
