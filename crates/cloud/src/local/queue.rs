// SPDX-License-Identifier: Apache-2.0
//! How SQS answers: leases, receipts, and messages that nobody can use.

use rusqlite::{OptionalExtension, params};

use super::call::{Said, Turn, refuse, seconds};
use super::events::EventKind;
use super::store::{number, signed, unsigned};
use super::subjects;
use crate::queue::{Backlog, Bury, DeleteMessage, ExtendLease, Message, Receive, Send};

/// Bytes of a body at most.
const BODY: usize = 1 << 20;
/// Seconds for which a message may be hidden after one receipt.
const LEASE: u64 = 12 * 60 * 60;

/// A message that was received.
struct Delivery {
    seq: i64,
    visible: u64,
    received: u64,
}

impl Turn<'_> {
    /// One look at the queue; waiting for it is done outside of the transaction.
    pub(super) fn receive(&mut self, call: &Receive) -> Said<Vec<Message>> {
        if !(1..=10).contains(&call.most) || call.wait.as_secs() > 20 || call.lease.as_secs() > LEASE {
            return refuse(
                "InvalidParameterValue",
                "1 to 10 messages, at most 20 s of waiting and 12 h of lease",
            );
        }
        self.bury_worn_out()?;
        let mut select = self.tx.prepare_cached(
            "SELECT seq, body, sent, deliveries FROM messages WHERE visible <= ?1 ORDER BY seq LIMIT ?2",
        )?;
        let rows = select.query_map(params![signed(self.now), call.most], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, i64>(2)?,
                row.get::<_, u32>(3)?,
            ))
        })?;
        let rows: Vec<(i64, String, i64, u32)> = rows.collect::<Result<_, _>>()?;
        let visible = self.now.saturating_add(milliseconds(call.lease));
        let mut messages = Vec::new();
        for (seq, body, sent, deliveries) in rows {
            let deliveries = deliveries.saturating_add(1);
            let receipt = format!("{}.{deliveries}.{}", name(seq), number(self.tx, "receipt")?);
            self.tx.execute(
                "UPDATE messages SET visible = ?2, received = ?3, receipt = ?4, deliveries = ?5 WHERE seq = ?1",
                params![seq, signed(visible), signed(self.now), receipt, deliveries],
            )?;
            self.note(EventKind::Changed, &name(seq), 0);
            messages.push(Message {
                id: name(seq),
                receipt,
                body,
                deliveries,
                sent: seconds(unsigned(sent)),
            });
        }
        Ok(messages)
    }

    /// Puts messages aside that were delivered too often.
    fn bury_worn_out(&self) -> Said<()> {
        let most = self.world.settings.deliveries;
        self.tx.execute(
            "INSERT INTO dead(body, reason, at) SELECT body, 'delivered ' || deliveries || ' times', ?1
             FROM messages WHERE visible <= ?1 AND deliveries >= ?2",
            params![signed(self.now), most],
        )?;
        self.tx.execute(
            "DELETE FROM messages WHERE visible <= ?1 AND deliveries >= ?2",
            params![signed(self.now), most],
        )?;
        Ok(())
    }

    /// The message whose last delivery this receipt is of.
    fn delivery(&self, receipt: &str) -> Said<Delivery> {
        let sql = "SELECT seq, visible, received FROM messages WHERE receipt = ?1";
        let row = |row: &rusqlite::Row<'_>| {
            Ok(Delivery { seq: row.get(0)?, visible: unsigned(row.get(1)?), received: unsigned(row.get(2)?) })
        };
        match self.tx.query_row(sql, [receipt], row).optional()? {
            Some(delivery) => Ok(delivery),
            None => refuse("ReceiptHandleIsInvalid", "The receipt handle has expired."),
        }
    }

    pub(super) fn extend_lease(&mut self, call: &ExtendLease) -> Said<()> {
        let delivery = self.delivery(&call.receipt)?;
        if delivery.visible <= self.now {
            return refuse("MessageNotInflight", "the lease has ended, and the message waits again");
        }
        let visible = self.now.saturating_add(milliseconds(call.lease));
        let last = delivery.received.saturating_add(LEASE * 1000);
        if call.lease.as_secs() > LEASE || visible > last {
            return refuse(
                "InvalidParameterValue",
                "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]",
            );
        }
        self.tx.execute(
            "UPDATE messages SET visible = ?2 WHERE seq = ?1",
            params![delivery.seq, signed(visible)],
        )?;
        self.note(EventKind::Changed, &name(delivery.seq), 0);
        Ok(())
    }

    /// The last receipt is good as long as nobody else received the message since.
    pub(super) fn delete_message(&mut self, call: &DeleteMessage) -> Said<()> {
        let delivery = self.delivery(&call.receipt)?;
        self.tx.execute("DELETE FROM messages WHERE seq = ?1", [delivery.seq])?;
        self.happened.push(super::events::Happened {
            at: self.now,
            kind: EventKind::Gone,
            ids: subjects::message(&call.receipt),
            size_gib: 0,
        });
        Ok(())
    }

    pub(super) fn send(&mut self, call: &Send) -> Said<()> {
        check_body(&call.body)?;
        if call.delay.as_secs() > 900 {
            return refuse(
                "InvalidParameterValue",
                format!("a delay of {} s; 900 s are allowed", call.delay.as_secs()),
            );
        }
        let visible = self.now.saturating_add(milliseconds(call.delay));
        self.tx.execute(
            "INSERT INTO messages(body, sent, visible, deliveries) VALUES(?1, ?2, ?3, 0)",
            params![call.body, signed(self.now), signed(visible)],
        )?;
        self.note(EventKind::Made, &name(self.tx.last_insert_rowid()), 0);
        Ok(())
    }

    pub(super) fn bury(&mut self, call: &Bury) -> Said<()> {
        check_body(&call.body)?;
        self.tx.execute(
            "INSERT INTO dead(body, reason, at) VALUES(?1, ?2, ?3)",
            params![call.body, call.reason, signed(self.now)],
        )?;
        self.note(EventKind::Made, &format!("dead-{}", self.tx.last_insert_rowid()), 0);
        Ok(())
    }

    pub(super) fn count_messages(&self) -> Said<Backlog> {
        let count = |sql: &str| -> Said<u64> {
            Ok(unsigned(self.tx.query_row(sql, [signed(self.now)], |row| row.get(0))?))
        };
        Ok(Backlog {
            visible: count("SELECT count(*) FROM messages WHERE visible <= ?1")?,
            leased: count("SELECT count(*) FROM messages WHERE visible > ?1 AND deliveries > 0")?,
            delayed: count("SELECT count(*) FROM messages WHERE visible > ?1 AND deliveries = 0")?,
            dead: count("SELECT count(*) FROM dead WHERE at <= ?1")?,
        })
    }
}

fn name(seq: i64) -> String {
    format!("message-{seq}")
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn check_body(body: &str) -> Said<()> {
    if body.is_empty() || body.len() > BODY {
        return refuse(
            "InvalidParameterValue",
            format!("a message of {} bytes; 1 to {BODY} are allowed", body.len()),
        );
    }
    Ok(())
}
