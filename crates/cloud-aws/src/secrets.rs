// SPDX-License-Identifier: Apache-2.0
//! Secrets Manager.

use snapscan_cloud::Error;
use snapscan_cloud::secrets::{GetSecret, Secret};

use crate::{Aws, classify};

impl Aws {
    pub(crate) async fn get_secret(&self, request: GetSecret) -> Result<Secret, Error> {
        let action = "secretsmanager:GetSecretValue";
        let client = aws_sdk_secretsmanager::Client::new(self.home());
        let answer = client.get_secret_value().secret_id(request.name).send().await;
        let answer = answer.map_err(|error| classify::error(action, false, &error))?;
        answer
            .secret_string
            .map(Secret::new)
            .ok_or_else(|| classify::missing(action, "text; store the secret as text"))
    }
}
