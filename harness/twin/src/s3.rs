//! S3, as far as stack templates, function packages and bulk registration need it: buckets and objects in memory, multipart
//! uploads, presigned links. The REST and XML codec is written here and not taken from a server crate: those check
//! signatures, and decode streamed bodies only while they check them, and the twin takes any signature.
//!
//! Guarantees: a key is read as it was last written, a write is whole or nothing, and what is stored is bounded.

mod api;
mod bucket_api;
mod checksum;
mod chunked;
mod listing;
mod multipart_api;
mod object;
mod object_api;
mod presign;
mod range;
mod store;
mod upload;
mod xml;

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

pub(crate) use api::{error_reply, handle};
pub(crate) use presign::{link, scope};

use crate::{error::AwsError, world::World};
use object::{Object, Properties};
use store::Store;

/// The buckets of all Regions: their names are one space.
#[derive(Debug, Default)]
pub(crate) struct S3 {
    store: Mutex<Store>,
}

impl S3 {
    /// The Region of a bucket.
    pub(crate) fn region_of(&self, bucket: &str) -> Option<String> {
        self.store.lock().bucket(bucket).ok().map(|b| b.region.clone())
    }

    /// Stores what a service hands out by presigned link, in a bucket that is the service's own: no caller sees it in
    /// lists or writes to it.
    pub(crate) fn put_for_service(
        &self,
        world: &World,
        region: &str,
        bucket: &str,
        key: &str,
        data: Bytes,
    ) -> Result<(), AwsError> {
        let object = Object::new(data, Properties::default(), world.clock.now());
        let mut store = self.store.lock();
        store.service_bucket(bucket, region, world.clock.now());
        store.put(bucket, key, object)
    }

    /// Removes what [`S3::put_for_service`] stored.
    pub(crate) fn delete_for_service(&self, bucket: &str, key: &str) {
        self.store.lock().delete(bucket, key);
    }
}

/// An object, for services that read it on a caller's behalf.
pub(crate) fn get_object(world: &Arc<World>, bucket: &str, key: &str) -> Result<Bytes, AwsError> {
    let store = world.s3.store.lock();
    Ok(store.bucket(bucket)?.object(key)?.data.clone())
}
