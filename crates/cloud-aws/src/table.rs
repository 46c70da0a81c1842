// SPDX-License-Identifier: Apache-2.0
//! The conditional table: DynamoDB, with the keys `family` (up to the first `/`) and `row` (the rest).

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use snapscan_cloud::ec2::Page;
use snapscan_cloud::table::{DeleteRow, GetRow, ListRows, PutRow, Row};
use snapscan_cloud::{Class, Error, Timestamp};

use crate::{Aws, classify};

type Item = HashMap<String, AttributeValue>;

impl Aws {
    fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(self.home())
    }

    pub(crate) async fn get_row(&self, request: GetRow) -> Result<Option<Row>, Error> {
        let (family, row) = split(&request.key);
        let ask = self.dynamodb().get_item().table_name(&self.settings.table).consistent_read(true);
        let answer = ask.key("family", text(family)).key("row", text(row)).send().await;
        let answer = answer.map_err(|error| classify::error("dynamodb:GetItem", false, &error))?;
        Ok(answer.item.as_ref().and_then(read).filter(|row| self.is_current(row)))
    }

    pub(crate) async fn put_row(&self, request: PutRow) -> Result<bool, Error> {
        let (family, row) = split(&request.key);
        let version = request.expected.unwrap_or(0) + 1;
        let ask = self.dynamodb().put_item().table_name(&self.settings.table);
        let mut ask = ask
            .item("family", text(family))
            .item("row", text(row))
            .item("version", number(version))
            .item("said", text(&request.value));
        if let Some(Timestamp(at)) = request.expires {
            ask = ask.item("expires", AttributeValue::N(at.to_string()));
        }
        ask = match request.expected {
            Some(expected) => ask
                .condition_expression("version = :seen")
                .expression_attribute_values(":seen", number(expected)),
            // A row past its time counts as gone although nobody has removed it yet.
            None => ask
                .condition_expression("attribute_not_exists(version) OR expires <= :now")
                .expression_attribute_values(":now", AttributeValue::N(self.now().to_string())),
        };
        done(ask.send().await.map_err(|error| classify::error("dynamodb:PutItem", true, &error)))
    }

    pub(crate) async fn delete_row(&self, request: DeleteRow) -> Result<bool, Error> {
        let (family, row) = split(&request.key);
        let ask = self.dynamodb().delete_item().table_name(&self.settings.table);
        let ask =
            ask.key("family", text(family)).key("row", text(row)).condition_expression("version = :seen");
        let answer = ask.expression_attribute_values(":seen", number(request.expected)).send().await;
        done(answer.map_err(|error| classify::error("dynamodb:DeleteItem", true, &error)))
    }

    pub(crate) async fn list_rows(&self, request: ListRows) -> Result<Page<Row>, Error> {
        let (family, row) = split(&request.prefix);
        let ask = self.dynamodb().query().table_name(&self.settings.table).consistent_read(true);
        let mut ask = ask.key_condition_expression(if row.is_empty() {
            "family = :family"
        } else {
            "family = :family AND begins_with(#row, :row)"
        });
        ask = ask.expression_attribute_values(":family", text(family));
        if !row.is_empty() {
            ask =
                ask.expression_attribute_names("#row", "row").expression_attribute_values(":row", text(row));
        }
        if let Some(token) = &request.token {
            ask = ask.exclusive_start_key("family", text(family)).exclusive_start_key("row", text(token));
        }
        let answer = ask.send().await.map_err(|error| classify::error("dynamodb:Query", false, &error))?;
        let token = answer.last_evaluated_key().and_then(|key| key.get("row")?.as_s().ok().cloned());
        Ok(Page {
            items: answer.items().iter().filter_map(read).filter(|row| self.is_current(row)).collect(),
            token,
        })
    }

    fn is_current(&self, row: &Row) -> bool {
        row.expires.is_none_or(|Timestamp(at)| at > self.now())
    }

    fn now(&self) -> i64 {
        self.settings.clock.now().0
    }
}

fn done<T>(answer: Result<T, Error>) -> Result<bool, Error> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if error.class == Class::Conflict => Ok(false),
        Err(error) => Err(error),
    }
}

fn split(key: &str) -> (&str, &str) {
    key.split_once('/').unwrap_or((key, ""))
}

fn text(value: &str) -> AttributeValue {
    // A key must not be empty.
    AttributeValue::S(if value.is_empty() { "-".to_owned() } else { value.to_owned() })
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn read(item: &Item) -> Option<Row> {
    let text = |name: &str| item.get(name)?.as_s().ok().cloned();
    let number = |name: &str| item.get(name)?.as_n().ok();
    let (family, row) = (text("family")?, text("row")?);
    Some(Row {
        key: if row == "-" { family } else { format!("{family}/{row}") },
        version: number("version")?.parse().ok()?,
        value: text("said")?,
        expires: number("expires").and_then(|at| at.parse().ok()).map(Timestamp),
    })
}
