// SPDX-License-Identifier: Apache-2.0
//! The money that calls for blocks may cost, shared by all jobs of an account and day.

use std::sync::atomic::{AtomicU64, Ordering};

use snapscan_cloud::{Class, Error};

use crate::config::effective::Prices;

/// The code of the error that an empty purse is.
pub(super) const EMPTY: &str = "BudgetOfMoney";

/// An amount from which calls are paid before they are made.
#[derive(Debug)]
pub(crate) struct Purse {
    /// Billionths of a dollar: a single call costs less than a millionth.
    left: AtomicU64,
    spent: AtomicU64,
    get: u64,
    list: u64,
}

impl Purse {
    /// A purse with so many millionths of a dollar in it.
    pub(crate) fn new(microdollars: u64, prices: &Prices) -> Self {
        Purse {
            left: AtomicU64::new(microdollars.saturating_mul(1000)),
            spent: AtomicU64::new(0),
            // Millionths for a thousand are billionths for one.
            get: prices.get_block_1000,
            list: prices.list_blocks_1000,
        }
    }

    /// Millionths of a dollar that were spent, rounded up.
    pub(crate) fn spent(&self) -> u64 {
        self.spent.load(Ordering::Relaxed).div_ceil(1000)
    }

    pub(super) fn pay_get(&self) -> Result<(), Error> {
        self.pay(self.get)
    }

    pub(super) fn pay_list(&self) -> Result<(), Error> {
        self.pay(self.list)
    }

    fn pay(&self, price: u64) -> Result<(), Error> {
        let paid = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(price))
            .is_ok();
        if !paid {
            let spent = self.spent();
            return Err(Error {
                class: Class::Quota,
                action: "ebs:GetSnapshotBlock".to_owned(),
                code: EMPTY.to_owned(),
                message: format!(
                    "the account's budget of the day is used up ({spent} millionths of a dollar here)"
                ),
                after: None,
            });
        }
        self.spent.fetch_add(price, Ordering::Relaxed);
        Ok(())
    }
}
