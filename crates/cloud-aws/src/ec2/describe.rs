// SPDX-License-Identifier: Apache-2.0
//! What only looks.
//!
//! Ids go as filters, with a page size: a filter that matches nothing answers an empty list and no error, and such calls
//! have the larger bucket of requests.

use aws_sdk_ec2::types::{Filter, SnapshotAttributeName};
use snapscan_cloud::ec2::{
    DescribeImages, DescribeInstanceTypes, DescribeInstances, DescribeShares, DescribeSnapshots,
    DescribeVolumes, Find, Image, Instance, InstanceType, Page, Snapshot, Volume,
};
use snapscan_cloud::{AccountId, Error, Scope, owned};

use super::shape;
use crate::{Aws, classify};

/// Entries of a page.
const PAGE: i32 = 500;

impl Aws {
    pub(super) async fn ec2(&self, scope: &Scope) -> Result<aws_sdk_ec2::Client, Error> {
        Ok(aws_sdk_ec2::Client::new(&self.session(scope).await?))
    }

    pub(crate) async fn describe_instances(
        &self,
        scope: &Scope,
        request: DescribeInstances,
    ) -> Result<Page<Instance>, Error> {
        let action = "ec2:DescribeInstances";
        let ids = request.ids.iter().map(ToString::to_string).collect();
        let ask =
            self.ec2(scope).await?.describe_instances().filters(filter("instance-id", ids)).max_results(PAGE);
        let answer = ask.set_next_token(request.token).send().await;
        let answer = answer.map_err(|error| classify::error(action, false, &error))?;
        let instances = answer.reservations().iter().flat_map(|reservation| reservation.instances());
        let items = instances.map(|one| shape::instance(action, one)).collect::<Result<_, _>>()?;
        Ok(Page { items, token: token(answer.next_token()) })
    }

    pub(crate) async fn describe_volumes(
        &self,
        scope: &Scope,
        request: DescribeVolumes,
    ) -> Result<Page<Volume>, Error> {
        let action = "ec2:DescribeVolumes";
        let ask = self
            .ec2(scope)
            .await?
            .describe_volumes()
            .filters(found("volume-id", &request.find))
            .max_results(PAGE);
        let answer = ask.set_next_token(request.token).send().await;
        let answer = answer.map_err(|error| classify::error(action, false, &error))?;
        let items = answer
            .volumes()
            .iter()
            .map(|one| shape::volume(action, one, &self.settings.clock))
            .collect::<Result<_, _>>()?;
        Ok(Page { items, token: token(answer.next_token()) })
    }

    pub(crate) async fn describe_snapshots(
        &self,
        scope: &Scope,
        request: DescribeSnapshots,
    ) -> Result<Page<Snapshot>, Error> {
        let action = "ec2:DescribeSnapshots";
        let mut ask =
            self.ec2(scope).await?.describe_snapshots().filters(found("snapshot-id", &request.find));
        // By id a snapshot that is shared with us may be meant; by tag only our own are.
        if !matches!(request.find, Find::Ids(_)) {
            ask = ask.owner_ids("self");
        }
        let answer = ask.max_results(PAGE).set_next_token(request.token).send().await;
        let answer = answer.map_err(|error| classify::error(action, false, &error))?;
        let items = answer
            .snapshots()
            .iter()
            .map(|one| shape::snapshot(action, one, &self.settings.clock))
            .collect::<Result<_, _>>()?;
        Ok(Page { items, token: token(answer.next_token()) })
    }

    pub(crate) async fn describe_images(
        &self,
        scope: &Scope,
        request: DescribeImages,
    ) -> Result<Page<Image>, Error> {
        let action = "ec2:DescribeImages";
        let ids = request.ids.iter().map(ToString::to_string).collect();
        let answer = self.ec2(scope).await?.describe_images().filters(filter("image-id", ids)).send().await;
        let answer = answer.map_err(|error| classify::error(action, false, &error))?;
        let items = answer.images().iter().map(|one| shape::image(action, one)).collect::<Result<_, _>>()?;
        Ok(Page { items, token: token(answer.next_token()) })
    }

    pub(crate) async fn describe_instance_types(
        &self,
        scope: &Scope,
        request: DescribeInstanceTypes,
    ) -> Result<Vec<InstanceType>, Error> {
        let action = "ec2:DescribeInstanceTypes";
        let ask = self.ec2(scope).await?.describe_instance_types();
        let answer = ask.filters(filter("instance-type", request.kinds)).send().await;
        let answer = answer.map_err(|error| classify::error(action, false, &error))?;
        Ok(answer.instance_types().iter().map(shape::instance_type).collect())
    }

    pub(crate) async fn describe_shares(
        &self,
        scope: &Scope,
        request: DescribeShares,
    ) -> Result<Vec<AccountId>, Error> {
        let action = "ec2:DescribeSnapshotAttribute";
        let ask = self.ec2(scope).await?.describe_snapshot_attribute().snapshot_id(request.snapshot.as_str());
        let answer = ask.attribute(SnapshotAttributeName::CreateVolumePermission).send().await;
        let answer = answer.map_err(|error| classify::error(action, false, &error))?;
        let with = answer.create_volume_permissions().iter();
        Ok(with.filter_map(|one| AccountId::parse(one.user_id()?)).collect())
    }
}

fn filter(name: &str, values: Vec<String>) -> Filter {
    Filter::builder().name(name).set_values(Some(values)).build()
}

fn found<T: ToString>(by_id: &str, find: &Find<T>) -> Filter {
    match find {
        Find::Ids(ids) => filter(by_id, ids.iter().map(ToString::to_string).collect()),
        Find::Intent(intent) => filter(&format!("tag:{}", owned::TAG_INTENT), vec![intent.to_string()]),
        Find::Deployment(name) => filter(&format!("tag:{}", owned::TAG_DEPLOYMENT), vec![name.clone()]),
        Find::AttachedTo(instance) => filter("attachment.instance-id", vec![instance.to_string()]),
    }
}

/// A token; EC2 writes an empty one at some ends.
fn token(token: Option<&str>) -> Option<String> {
    token.filter(|token| !token.is_empty()).map(str::to_owned)
}
