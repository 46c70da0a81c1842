// SPDX-License-Identifier: Apache-2.0
//! How the outbox and the conditional table behave.

use std::time::Duration;

use super::case::{Cases, Failure, ensure, same};
use super::stage::Stage;
use crate::Purpose;
use crate::outbox::{DeleteObject, GetObject, ListObjects, PutObject};
use crate::table::{DeleteRow, GetRow, ListRows, PutRow, Row};

pub(super) async fn run(stage: &Stage<'_>, cases: &mut Cases) {
    cases.add("an object is stored once", "1.7", stored_once(stage).await);
    cases.add("objects are listed in the order of their names", "1.7", listed(stage).await);
    cases.add("a row is written only by who saw its version", "1.7", versions(stage).await);
    cases.add("an expired row counts as none", "1.7", expired(stage).await);
    cases.add("rows are listed by the beginning of their key", "1.7", rows(stage).await);
}

fn key(stage: &Stage<'_>, name: &str) -> String {
    format!("{}/{name}", stage.job())
}

async fn put(stage: &Stage<'_>, name: &str, bytes: &[u8]) -> Result<bool, Failure> {
    let put = PutObject { key: key(stage, name), bytes: bytes.to_vec() };
    Ok(stage.ask(&stage.service(Purpose::Scanner), put).await?)
}

async fn get(stage: &Stage<'_>, name: &str) -> Result<Option<Vec<u8>>, Failure> {
    Ok(stage.ask(&stage.service(Purpose::Scanner), GetObject { key: key(stage, name) }).await?)
}

async fn delete(stage: &Stage<'_>, name: &str) -> Result<(), Failure> {
    Ok(stage.ask(&stage.service(Purpose::Scanner), DeleteObject { key: key(stage, name) }).await?)
}

async fn stored_once(stage: &Stage<'_>) -> Result<(), Failure> {
    same(get(stage, "once").await?, None)?;
    same(put(stage, "once", b"first").await?, true)?;
    same(put(stage, "once", b"second").await?, false)?;
    same(get(stage, "once").await?, Some(b"first".to_vec()))?;
    delete(stage, "once").await?;
    delete(stage, "once").await?;
    same(get(stage, "once").await?, None)
}

async fn listed(stage: &Stage<'_>) -> Result<(), Failure> {
    for name in ["list/b", "list/a/1", "list/c", "other/a"] {
        same(put(stage, name, name.as_bytes()).await?, true)?;
    }
    let (mut names, mut after, mut more) = (Vec::new(), None, true);
    while more {
        let list = ListObjects { prefix: key(stage, "list/"), after: after.clone(), most: 2 };
        let page = stage.ask(&stage.service(Purpose::Scanner), list).await?;
        ensure(page.objects.len() <= 2, || format!("{} of 2 objects", page.objects.len()))?;
        ensure(!page.more || !page.objects.is_empty(), || "an empty page that goes on".to_owned())?;
        more = page.more;
        after = page.objects.last().map(|object| object.key.clone());
        names.extend(page.objects.into_iter().map(|object| object.key));
    }
    same(names, ["list/a/1", "list/b", "list/c"].map(|name| key(stage, name)).to_vec())?;
    for name in ["list/b", "list/a/1", "list/c", "other/a"] {
        delete(stage, name).await?;
    }
    Ok(())
}

async fn write(
    stage: &Stage<'_>,
    name: &str,
    value: &str,
    expected: Option<u64>,
    lives: Option<u64>,
) -> Result<bool, Failure> {
    let expires = lives.map(|seconds| stage.cloud.clock.now().plus(Duration::from_secs(seconds)));
    let put = PutRow { key: key(stage, name), value: value.to_owned(), expected, expires };
    Ok(stage.ask(&stage.service(Purpose::Scanner), put).await?)
}

async fn read(stage: &Stage<'_>, name: &str) -> Result<Option<Row>, Failure> {
    Ok(stage.ask(&stage.service(Purpose::Scanner), GetRow { key: key(stage, name) }).await?)
}

async fn remove(stage: &Stage<'_>, name: &str, expected: u64) -> Result<bool, Failure> {
    Ok(stage.ask(&stage.service(Purpose::Scanner), DeleteRow { key: key(stage, name), expected }).await?)
}

async fn versions(stage: &Stage<'_>) -> Result<(), Failure> {
    same(read(stage, "row").await?, None)?;
    same(write(stage, "row", "none", Some(1), None).await?, false)?;
    same(write(stage, "row", "first", None, None).await?, true)?;
    same(write(stage, "row", "again", None, None).await?, false)?;
    same(write(stage, "row", "second", Some(1), None).await?, true)?;
    same(write(stage, "row", "stale", Some(1), None).await?, false)?;
    let row = read(stage, "row").await?.map(|row| (row.version, row.value));
    same(row, Some((2, "second".to_owned())))?;
    same(remove(stage, "row", 1).await?, false)?;
    same(remove(stage, "row", 2).await?, true)?;
    same(read(stage, "row").await?, None)
}

async fn expired(stage: &Stage<'_>) -> Result<(), Failure> {
    same(write(stage, "short", "first", None, Some(30)).await?, true)?;
    same(write(stage, "short", "second", None, Some(30)).await?, false)?;
    stage.cloud.clock.sleep(Duration::from_secs(31)).await;
    same(read(stage, "short").await?, None)?;
    same(write(stage, "short", "third", None, Some(300)).await?, true)?;
    let row = read(stage, "short").await?;
    let row = row.ok_or_else(|| Failure("what was written over an expired row is not there".to_owned()))?;
    same(row.value.as_str(), "third")?;
    same(remove(stage, "short", row.version).await?, true)
}

async fn rows(stage: &Stage<'_>) -> Result<(), Failure> {
    for name in ["rows/b", "rows/a", "rowt"] {
        same(write(stage, name, name, None, None).await?, true)?;
    }
    let (mut keys, mut token) = (Vec::new(), None);
    loop {
        let list = ListRows { prefix: key(stage, "rows/"), token };
        let page = stage.ask(&stage.service(Purpose::Scanner), list).await?;
        keys.extend(page.items.into_iter().map(|row| row.key));
        token = page.token;
        if token.is_none() {
            break;
        }
    }
    same(keys, ["rows/a", "rows/b"].map(|name| key(stage, name)).to_vec())?;
    for name in ["rows/b", "rows/a", "rowt"] {
        same(remove(stage, name, 1).await?, true)?;
    }
    Ok(())
}
