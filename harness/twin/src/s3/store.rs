//! Buckets and their objects. Pure state: the time comes in. Bucket names are one space over all Regions.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{object::Object, upload::Upload};
use crate::error::AwsError;

/// The largest object. AWS has 5 TB.
pub(super) const OBJECT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// All objects and parts of uploads.
const STORED_BYTES_MAX: u64 = 512 * 1024 * 1024;
const BUCKETS_MAX: usize = 1_000;
/// Of one bucket.
const OBJECTS_MAX: usize = 100_000;
const KEY_BYTES_MAX: usize = 1_024;

/// All buckets.
#[derive(Debug, Default)]
pub(super) struct Store {
    buckets: BTreeMap<String, Bucket>,
    /// Bytes of all objects and parts.
    bytes: u64,
}

/// One bucket.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) region: String,
    pub(super) created: Timestamp,
    /// It belongs to a service: callers read from it by presigned link and know nothing else of it.
    pub(super) of_service: bool,
    pub(super) objects: BTreeMap<String, Object>,
    /// Multipart uploads by id.
    pub(super) uploads: BTreeMap<String, Upload>,
}

impl Bucket {
    fn new(region: &str, of_service: bool, now: Timestamp) -> Self {
        let region = region.to_owned();
        Self { region, created: now, of_service, objects: BTreeMap::new(), uploads: BTreeMap::new() }
    }

    pub(super) fn object(&self, key: &str) -> Result<&Object, AwsError> {
        self.objects.get(key).ok_or_else(|| {
            AwsError::new(404, "NoSuchKey", "The specified key does not exist.").with("Key", key)
        })
    }
}

impl Store {
    pub(super) fn bucket(&self, name: &str) -> Result<&Bucket, AwsError> {
        self.buckets.get(name).ok_or_else(|| no_such_bucket(name))
    }

    pub(super) fn bucket_mut(&mut self, name: &str) -> Result<&mut Bucket, AwsError> {
        self.buckets.get_mut(name).ok_or_else(|| no_such_bucket(name))
    }

    /// The callers' buckets by name.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (&String, &Bucket)> {
        self.buckets.iter().filter(|(_, bucket)| !bucket.of_service)
    }

    /// Makes a bucket. Again in us-east-1 is fine, as on AWS; elsewhere it is refused.
    pub(super) fn create_bucket(&mut self, name: &str, region: &str, now: Timestamp) -> Result<(), AwsError> {
        check_bucket_name(name)?;
        match self.buckets.get(name) {
            Some(there) if !there.of_service && there.region == "us-east-1" && region == "us-east-1" => {
                return Ok(());
            }
            Some(there) if there.of_service => {
                return Err(AwsError::new(
                    409,
                    "BucketAlreadyExists",
                    "The requested bucket name is not available. The bucket namespace is shared by all users of the \
                     system. Please select a different name and try again.",
                ));
            }
            Some(_) => {
                return Err(AwsError::new(
                    409,
                    "BucketAlreadyOwnedByYou",
                    "Your previous request to create the named bucket succeeded and you already own it.",
                )
                .with("BucketName", name));
            }
            None => {}
        }
        if self.buckets.len() >= BUCKETS_MAX {
            let message = format!("You have attempted to create more buckets than allowed ({BUCKETS_MAX})");
            return Err(AwsError::new(400, "TooManyBuckets", message));
        }
        self.buckets.insert(name.to_owned(), Bucket::new(region, false, now));
        Ok(())
    }

    /// A bucket of a service, made when it is first needed.
    pub(super) fn service_bucket(&mut self, name: &str, region: &str, now: Timestamp) {
        self.buckets.entry(name.to_owned()).or_insert_with(|| Bucket::new(region, true, now));
    }

    /// Deletes a bucket, which must be empty; uploads that were not completed go with it.
    pub(super) fn delete_bucket(&mut self, name: &str) -> Result<(), AwsError> {
        if !self.bucket(name)?.objects.is_empty() {
            let message = "The bucket you tried to delete is not empty";
            return Err(AwsError::new(409, "BucketNotEmpty", message).with("BucketName", name));
        }
        if let Some(bucket) = self.buckets.remove(name) {
            self.bytes -= bucket.uploads.values().map(Upload::size).sum::<u64>();
        }
        Ok(())
    }

    /// Writes an object in place of the one before.
    pub(super) fn put(&mut self, bucket: &str, key: &str, object: Object) -> Result<(), AwsError> {
        check_key(key)?;
        if object.size() > OBJECT_BYTES_MAX {
            return Err(too_large());
        }
        let there = self.bucket(bucket)?;
        let before = there.objects.get(key).map_or(0, Object::size);
        if there.objects.len() >= OBJECTS_MAX && !there.objects.contains_key(key) {
            return Err(full(format!("The twin holds at most {OBJECTS_MAX} objects in a bucket")));
        }
        self.make_room(object.size(), before)?;
        self.bucket_mut(bucket)?.objects.insert(key.to_owned(), object);
        Ok(())
    }

    /// Deletes an object. One that is not there is deleted already.
    pub(super) fn delete(&mut self, bucket: &str, key: &str) {
        if let Some(object) = self.buckets.get_mut(bucket).and_then(|b| b.objects.remove(key)) {
            self.bytes -= object.size();
        }
    }

    /// Counts `more` bytes in and `less` out, if they fit.
    pub(super) fn make_room(&mut self, more: u64, less: u64) -> Result<(), AwsError> {
        let bytes = self.bytes + more - less;
        if bytes > STORED_BYTES_MAX {
            return Err(full(format!("The twin stores at most {STORED_BYTES_MAX} bytes")));
        }
        self.bytes = bytes;
        Ok(())
    }
}

pub(super) fn no_such_bucket(name: &str) -> AwsError {
    AwsError::new(404, "NoSuchBucket", "The specified bucket does not exist").with("BucketName", name)
}

pub(super) fn too_large() -> AwsError {
    AwsError::new(
        400,
        "EntityTooLarge",
        format!("Your proposed upload exceeds the maximum allowed size of {OBJECT_BYTES_MAX} bytes"),
    )
}

fn full(message: String) -> AwsError {
    AwsError::new(507, "InsufficientStorage", message)
}

pub(super) fn check_key(key: &str) -> Result<(), AwsError> {
    if key.len() > KEY_BYTES_MAX {
        return Err(AwsError::new(400, "KeyTooLongError", "Your key is too long"));
    }
    Ok(())
}

/// 3 to 63 lower-case letters, digits, dots and hyphens; a letter or digit first and last.
fn check_bucket_name(name: &str) -> Result<(), AwsError> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let outer = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let fits = (3..=63).contains(&name.len())
        && name.chars().all(inner)
        && name.starts_with(outer)
        && name.ends_with(outer)
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err();
    if fits {
        return Ok(());
    }
    Err(AwsError::new(400, "InvalidBucketName", "The specified bucket is not valid.")
        .with("BucketName", name))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::s3::object::Properties;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn object(bytes: usize) -> Object {
        Object::new(Bytes::from(vec![0; bytes]), Properties::default(), NOW)
    }

    fn store() -> Store {
        let mut store = Store::default();
        store.create_bucket("one", "us-west-2", NOW).unwrap();
        store
    }

    proptest! {
        /// For all sequences of writes and deletes, what is counted is what is stored.
        #[test]
        fn bytes_are_counted_exactly(steps in proptest::collection::vec(("[a-c]", 0usize..50, any::<bool>()), 0..40)) {
            let mut store = store();
            for (key, bytes, delete) in steps {
                if delete {
                    store.delete("one", &key);
                } else {
                    store.put("one", &key, object(bytes)).unwrap();
                }
            }
            let stored: u64 = store.bucket("one").unwrap().objects.values().map(Object::size).sum();
            prop_assert_eq!(store.bytes, stored);
        }
    }

    #[test]
    fn a_bucket_is_made_once_but_in_us_east_1() {
        let mut store = store();
        assert_eq!(store.create_bucket("one", "us-west-2", NOW).unwrap_err().code, "BucketAlreadyOwnedByYou");
        store.create_bucket("two", "us-east-1", NOW).unwrap();
        store.create_bucket("two", "us-east-1", NOW).unwrap();
        for name in ["ab", "Upper", "a_b", "-ab", "ab-", "a..b", "192.168.0.1", &"x".repeat(64)] {
            assert_eq!(
                store.create_bucket(name, "us-east-1", NOW).unwrap_err().code,
                "InvalidBucketName",
                "{name}"
            );
        }
    }

    #[test]
    fn only_an_empty_bucket_goes() {
        let mut store = store();
        store.put("one", "k", object(1)).unwrap();
        assert_eq!(store.delete_bucket("one").unwrap_err().code, "BucketNotEmpty");
        store.delete("one", "k");
        store.delete_bucket("one").unwrap();
        assert_eq!(store.bucket("one").unwrap_err().code, "NoSuchBucket");
        assert_eq!(store.put("one", "k", object(1)).unwrap_err().code, "NoSuchBucket");
    }

    #[test]
    fn what_is_stored_is_bounded() {
        let mut store = store();
        assert_eq!(store.put("one", &"k".repeat(1_025), object(1)).unwrap_err().code, "KeyTooLongError");
        store.bytes = STORED_BYTES_MAX - 5;
        assert_eq!(store.put("one", "k", object(6)).unwrap_err().code, "InsufficientStorage");
        store.put("one", "k", object(5)).unwrap();
        store.put("one", "k", object(4)).unwrap();
        assert_eq!(store.bytes, STORED_BYTES_MAX - 1, "in place of the one before");
    }

    #[test]
    fn a_services_bucket_is_not_listed() {
        let mut store = store();
        store.service_bucket("of-a-service", "us-east-1", NOW);
        assert_eq!(store.buckets().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["one"]);
        assert_eq!(
            store.create_bucket("of-a-service", "us-east-1", NOW).unwrap_err().code,
            "BucketAlreadyExists"
        );
    }
}
