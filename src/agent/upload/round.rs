// SPDX-License-Identifier: Apache-2.0
//! One round of one sink: what waits first, then what is new.
//!
//! | step | does | if it is cut off |
//! |---|---|---|
//! | lease | takes `uploader/SINK`, renews it all the while | the row runs out; another goes on |
//! | stop | looks for `stop/SINK`, which holds for all scanners | |
//! | waiting | sends what was written down, oldest first | the same bytes again |
//! | gather | reads new reports; leaves out what ended or is older than what was delivered | read again |
//! | fix | writes the batch down | it waits |
//! | send | until it is taken, halved or refused | the same bytes again |
//! | mark | each member's end, then the batch is forgotten | sent once more, same request id, same asset |
//! | sweep | once a day: what every sink took long ago goes | the rest goes next time |

use std::collections::HashSet;
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use snapscan_schema::outcome::{OUTCOME_VERSION, Parcel};
use tokio::sync::Mutex;

use super::batch::{self, Batch};
use super::csam;
use super::dir;
use super::keep::Keep;
use super::lease::Lease;
use super::mark::{self, End, Member};
use super::send::{Gateway, Through, Times};
use super::store::Store;
use super::{Error, token};
use crate::agent::boundary;
use crate::config::effective::Sink;
use crate::render::hex;
use crate::secret::Vault;

/// Uploads to one sink.
pub(crate) struct Uploader {
    store: Store,
    sink: String,
    holder: String,
    to: To,
    /// Reports that need no second look, as far as this process knows.
    done: Mutex<HashSet<String>>,
    /// What of the outbox goes after a while; without it everything stays.
    keep: Option<Keep>,
    /// When this process swept last, in seconds since 1970.
    swept: Mutex<Option<i64>>,
}

enum To {
    Dir(PathBuf),
    Csam(Box<Gateway>),
}

/// What a round did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Round {
    /// False if another scanner is the uploader.
    pub(crate) ours: bool,
    /// Deliveries that the sink took.
    pub(crate) delivered: u64,
    /// Deliveries that were put aside.
    pub(crate) refused: u64,
    /// Deliveries left out since something newer was delivered.
    pub(crate) superseded: u64,
    /// Reports that were taken away, since every sink has had them for long.
    pub(crate) expired: u64,
    /// Why nothing is sent, where that is so.
    pub(crate) stopped: Option<String>,
}

/// A report, ready for delivery, or how it has ended.
enum Looked {
    Fresh(Member, Box<Parcel>),
    Ended,
}

impl Uploader {
    /// An uploader for a sink. `holder` names this scanner.
    ///
    /// # Errors
    /// A TLS library that cannot be set up.
    pub(crate) fn new(
        store: Store,
        sink: &Sink,
        holder: &str,
        vault: Vault,
        times: Times,
    ) -> Result<Self, Error> {
        let name = name_of(sink);
        let to = match sink {
            Sink::Dir { folder, .. } => To::Dir(folder.clone()),
            Sink::Csam(csam) => To::Csam(Box::new(Gateway::new((**csam).clone(), vault, &name, times)?)),
        };
        let (done, swept) = (Mutex::default(), Mutex::default());
        Ok(Self { store, sink: name, holder: holder.to_owned(), to, done, keep: None, swept })
    }

    /// The same, which also takes away what every sink has had for so long.
    pub(crate) fn keeping(self, keep: Keep) -> Self {
        Self { keep: Some(keep), ..self }
    }

    /// The sink's name in outbox, table and log.
    pub(crate) fn sink(&self) -> &str {
        &self.sink
    }

    /// Does one round. What an error cuts off is gone on with in the next one.
    ///
    /// # Errors
    /// Outbox or table that fail, a lost lease, another side that is away. A stop is no error but in the result.
    pub(crate) async fn round(&self) -> Result<Round, Error> {
        let mut round = Round::default();
        let Some(lease) = Lease::take(&self.store, &self.sink, &self.holder).await? else { return Ok(round) };
        round.ours = true;
        let worked = tokio::select! {
            worked = self.work(&mut round) => worked,
            lost = lease.keep() => Err(lost),
        };
        let worked = match worked {
            Err(Error::Stopped { why, .. }) => self.stop(&mut round, why).await,
            other => other,
        };
        lease.give_back().await;
        worked.map(|()| round)
    }

    async fn work(&self, round: &mut Round) -> Result<(), Error> {
        if let Some(row) = self.store.row(&format!("stop/{}", self.sink)).await? {
            round.stopped = Some(row.value);
            return Ok(());
        }
        if let To::Csam(gateway) = &self.to {
            for batch in batch::waiting(&self.store, &self.sink).await? {
                self.through(gateway, batch, round).await?;
            }
        }
        self.fresh(round).await?;
        self.sweep(round).await
    }

    /// Takes away what has gone everywhere, once a day and right after the start.
    async fn sweep(&self, round: &mut Round) -> Result<(), Error> {
        let Some(keep) = &self.keep else { return Ok(()) };
        let (mut swept, now) = (self.swept.lock().await, self.store.now().0);
        if Keep::is_due(*swept, now) {
            round.expired = keep.sweep(&self.store, &self.sink).await?;
            *swept = Some(now);
        }
        Ok(())
    }

    /// Notes for all scanners that nothing more is sent for a while.
    async fn stop(&self, round: &mut Round, why: String) -> Result<(), Error> {
        tracing::error!(sink = %self.sink, why, "upload_stopped");
        let until = self.store.now().plus(token::LOCKOUT);
        self.store.put_row(&format!("stop/{}", self.sink), why.clone(), None, Some(until)).await?;
        round.stopped = Some(why);
        Ok(())
    }

    /// Delivers what is new in the outbox.
    async fn fresh(&self, round: &mut Round) -> Result<(), Error> {
        let mut draft: Vec<(Member, serde_json::Value)> = Vec::new();
        let mut bytes = 0;
        for report in self.unknown().await? {
            let Looked::Fresh(member, parcel) = self.look(&report, round).await? else { continue };
            let gateway = match &self.to {
                To::Dir(folder) => {
                    dir::deliver(folder, &member, &parcel)?;
                    self.end(&member, &End::Delivered(String::new()), round).await?;
                    continue;
                }
                To::Csam(gateway) => gateway,
            };
            // Of one target twice in a batch the older might be taken last: it waits for the next one.
            let twice = draft.iter().any(|(other, _)| other.target == member.target);
            let asset = csam::asset(&parcel, &member)
                .map_err(|failure| Error::Broken { key: report.clone(), why: failure.what })?;
            let size = asset.to_string().len();
            let full =
                draft.len() >= gateway.csam().batch_assets || bytes + size > gateway.csam().batch_bytes;
            if (twice || full) && !draft.is_empty() {
                self.fix(gateway, std::mem::take(&mut draft), round).await?;
                bytes = 0;
                if twice && !matches!(self.look(&report, round).await?, Looked::Fresh(..)) {
                    continue;
                }
            }
            bytes += size;
            draft.push((member, asset));
        }
        match &self.to {
            To::Csam(gateway) if !draft.is_empty() => self.fix(gateway, draft, round).await,
            _ => Ok(()),
        }
    }

    /// Reports in the outbox that may need something, ascending.
    async fn unknown(&self) -> Result<Vec<String>, Error> {
        let mut done = self.done.lock().await;
        let prefix = format!("done/{}/", self.sink);
        if done.is_empty() {
            let names = self.store.list(&prefix).await?;
            done.extend(
                names
                    .iter()
                    .filter_map(|name| name.strip_prefix(&prefix))
                    .map(|name| format!("reports/{name}")),
            );
        }
        let mut reports = self.store.list("reports/").await?;
        reports.retain(|report| !done.contains(report));
        // Waiting batches were sent before this: what is in none of them and not done is new.
        Ok(reports)
    }

    /// Reads a report; ends at once what cannot or need not be delivered.
    async fn look(&self, report: &str, round: &mut Round) -> Result<Looked, Error> {
        if self.store.get(&mark::done(&self.sink, report)).await?.is_some() {
            self.done.lock().await.insert(report.to_owned());
            return Ok(Looked::Ended);
        }
        let Some(bytes) = self.store.get(report).await? else { return Ok(Looked::Ended) };
        let parcel = match parse(&bytes) {
            Ok(parcel) => parcel,
            Err(why) => {
                tracing::error!(sink = %self.sink, report, why, "report_unusable");
                let member = Member::unreadable(report);
                self.end(&member, &End::Refused(why), round).await?;
                return Ok(Looked::Ended);
            }
        };
        let member = Member::new(&self.sink, report, &parcel.delivery, csam::native_key(&parcel.delivery));
        if mark::has_ended(&self.store, &self.sink, &member).await? {
            self.store.write(&mark::done(&self.sink, report), &member.delivery).await?;
            self.done.lock().await.insert(report.to_owned());
            return Ok(Looked::Ended);
        }
        let latest = mark::latest(&self.store, &self.sink, &member.target).await?;
        if latest.zip(member.snapshot).is_some_and(|(latest, own)| own < latest) {
            self.end(&member, &End::Superseded, round).await?;
            return Ok(Looked::Ended);
        }
        Ok(Looked::Fresh(member, Box::new(parcel)))
    }

    /// Writes a batch down, then sends it.
    async fn fix(
        &self,
        gateway: &Gateway,
        machines: Vec<(Member, serde_json::Value)>,
        round: &mut Round,
    ) -> Result<(), Error> {
        let batch = Batch::fix(&self.sink, &gateway.csam().connector, self.store.now(), machines);
        batch.keep(&self.store, &self.sink).await?;
        self.through(gateway, batch, round).await
    }

    /// Gets a batch through, and its halves where it is refused as a whole.
    async fn through(&self, gateway: &Gateway, batch: Batch, round: &mut Round) -> Result<(), Error> {
        let mut waiting = vec![batch];
        if boundary::sabotaged("mark-before-send") {
            self.accepted(&waiting[0], &[], round).await?;
        }
        while let Some(batch) = waiting.pop() {
            match gateway.send(&self.store, &batch).await? {
                Through::Accepted(refused) => self.accepted(&batch, &refused, round).await?,
                Through::Halve(said) => match batch.halves(&self.sink) {
                    Some(halves) => {
                        tracing::info!(sink = %self.sink, request = %batch.request, said, "batch_halved");
                        batch.split(&self.store, &self.sink, &halves).await?;
                        let [first, second] = halves;
                        waiting.extend([second, first]);
                    }
                    None => self.put_aside(&batch, &said, round).await?,
                },
            }
        }
        Ok(())
    }

    async fn accepted(
        &self,
        batch: &Batch,
        refused: &[(String, String)],
        round: &mut Round,
    ) -> Result<(), Error> {
        for member in &batch.members {
            let end = match refused.iter().find(|(native, _)| *native == member.native) {
                Some((_, answer)) => End::Refused(answer.clone()),
                None => End::Delivered(batch.request.clone()),
            };
            self.end(member, &end, round).await?;
        }
        batch.forget(&self.store, &self.sink).await
    }

    async fn put_aside(&self, batch: &Batch, said: &str, round: &mut Round) -> Result<(), Error> {
        for member in &batch.members {
            self.end(member, &End::Refused(said.to_owned()), round).await?;
        }
        batch.forget(&self.store, &self.sink).await
    }

    async fn end(&self, member: &Member, end: &End, round: &mut Round) -> Result<(), Error> {
        mark::end(&self.store, &self.sink, member, end).await?;
        self.done.lock().await.insert(member.report.clone());
        match end {
            End::Delivered(_) => round.delivered += 1,
            End::Superseded => round.superseded += 1,
            End::Refused(answer) => {
                tracing::warn!(sink = %self.sink, asset = %member.native, answer, "asset_refused");
                round.refused += 1;
            }
        }
        Ok(())
    }
}

/// A parcel of a version that we know, whose report is the one that was written.
fn parse(bytes: &[u8]) -> Result<Parcel, String> {
    let parcel: Parcel =
        serde_json::from_slice(bytes).map_err(|error| format!("it is no parcel: {error}"))?;
    if parcel.schema_version != OUTCOME_VERSION {
        return Err(format!("its version {} is unknown here", parcel.schema_version));
    }
    let report = parcel.report.to_json().map_err(|error| error.to_string())?;
    let digest = hex(&Sha256::digest(&report));
    if digest != parcel.delivery.report_sha256 {
        return Err(format!("its report has the digest {digest} and not {}", parcel.delivery.report_sha256));
    }
    Ok(parcel)
}

/// A sink's name as outbox and table can carry it: two sinks never share one.
pub(crate) fn name_of(sink: &Sink) -> String {
    let (kind, name) = match sink {
        Sink::Dir { name, .. } => ("dir", name),
        Sink::Csam(csam) => ("csam", &csam.subscription),
    };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.is_empty() && name.len() <= 64 && name.chars().all(plain) {
        return format!("{kind}-{name}");
    }
    // Such a name has an underscore, which plain ones have not.
    format!("{kind}_{}", hex(&Sha256::digest(name.as_bytes())[..8]))
}
