// SPDX-License-Identifier: Apache-2.0
//! The money that calls for blocks may cost: one ceiling for all jobs of an account and day.
//!
//! A call is paid before it is made, from what the ledger has counted as spent already. That is reserved in steps, so that
//! the ledger is written once for hundreds of calls; what a job did not need of its last step it gives back when it ends.
//! If it dies instead, the step stays counted.

use snapscan_cloud::{Class, Clock, Error};
use tokio::sync::Mutex;

use crate::agent::ledger::{self, Allowance, Ledger, Reserved};
use crate::config::effective::Prices;

/// The code of the error that an empty purse is.
pub(super) const EMPTY: &str = "BudgetOfMoney";
/// The code of the error that a ledger is which cannot be written: what is not counted is not spent.
const UNCOUNTED: &str = "BudgetUnwritten";
/// Millionths of a dollar that are reserved at once: some 330 blocks by the list's price, three jobs of profile `os`.
const STEP: u64 = 1000;
/// Billionths in a millionth: a single call costs less than a few millionths.
const NANOS: u64 = 1000;

/// What is counted for one job, and what of it is left.
pub(crate) struct Purse {
    ledger: Ledger,
    clock: Clock,
    budget: Allowance,
    /// Billionths of a dollar for one call.
    get: u64,
    list: u64,
    tank: Mutex<Tank>,
}

#[derive(Default)]
struct Tank {
    /// Billionths of a dollar.
    left: u64,
    spent: u64,
    last: Option<Reserved>,
    fault: Option<ledger::Error>,
    /// The job has ended: blocks that were only announced are not bought any more.
    is_closed: bool,
}

impl Purse {
    /// A purse for calls in the name of this account, of which all together may cost so many millionths of a dollar a day.
    pub(crate) fn new(ledger: &Ledger, clock: Clock, budget: Allowance, prices: &Prices) -> Self {
        Purse {
            ledger: ledger.clone(),
            clock,
            budget,
            // Millionths for a thousand are billionths for one.
            get: prices.get_block_1000,
            list: prices.list_blocks_1000,
            tank: Mutex::default(),
        }
    }

    /// True if nothing may be spent today any more.
    ///
    /// # Errors
    /// What the ledger says.
    pub(crate) async fn is_empty(&self) -> Result<bool, ledger::Error> {
        let mut tank = self.tank.lock().await;
        let is_filled = self.fill(&mut tank, self.get.max(self.list)).await?;
        Ok(!is_filled)
    }

    /// Gives back what was not needed, and answers the millionths of a dollar that were spent, rounded up.
    ///
    /// # Errors
    /// What the ledger says now, or said when something was to be reserved.
    pub(crate) async fn settle(&self) -> Result<u64, ledger::Error> {
        let mut tank = self.tank.lock().await;
        tank.is_closed = true;
        if let Some(last) = tank.last.take() {
            let amount = (tank.left / NANOS).min(last.amount);
            tank.left = 0;
            if amount > 0 {
                self.ledger.give_back(&self.budget, Reserved { amount, ..last }).await?;
            }
        }
        match tank.fault.take() {
            Some(fault) => Err(fault),
            None => Ok(tank.spent.div_ceil(NANOS)),
        }
    }

    pub(super) async fn pay_get(&self) -> Result<(), Error> {
        self.pay(self.get).await
    }

    pub(super) async fn pay_list(&self) -> Result<(), Error> {
        self.pay(self.list).await
    }

    async fn pay(&self, price: u64) -> Result<(), Error> {
        let mut tank = self.tank.lock().await;
        match self.fill(&mut tank, price).await {
            Ok(true) => {
                tank.left -= price;
                tank.spent = tank.spent.saturating_add(price);
                Ok(())
            }
            Ok(false) => {
                let spent = tank.spent.div_ceil(NANOS);
                Err(refusal(
                    EMPTY,
                    format!(
                        "the account's budget of the day is used up ({spent} millionths of a dollar here)"
                    ),
                ))
            }
            Err(fault) => {
                let why = format!("what it costs cannot be written down: {fault}");
                tank.fault.get_or_insert(fault);
                Err(refusal(UNCOUNTED, why))
            }
        }
    }

    /// Reserves until so much is there; answers whether it is.
    async fn fill(&self, tank: &mut Tank, price: u64) -> Result<bool, ledger::Error> {
        if tank.is_closed {
            return Ok(false);
        }
        if tank.left >= price {
            return Ok(true);
        }
        let missing = (price - tank.left).div_ceil(NANOS);
        let reserved = self.ledger.reserve(&self.budget, STEP.max(missing), self.clock.now()).await?;
        if reserved.amount > 0 {
            tank.left = tank.left.saturating_add(reserved.amount.saturating_mul(NANOS));
            tank.last = Some(reserved);
        }
        Ok(tank.left >= price)
    }
}

fn refusal(code: &str, message: String) -> Error {
    let action = "ebs:GetSnapshotBlock".to_owned();
    Error { class: Class::Quota, action, code: code.to_owned(), message, after: None }
}
