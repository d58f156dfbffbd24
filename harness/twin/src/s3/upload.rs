//! Multipart uploads: parts in any order, joined when the uploader names them.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use md5::{Digest, Md5};

use super::{
    object::{Object, Properties, quoted},
    store::{OBJECT_BYTES_MAX, Store, too_large},
};
use crate::error::AwsError;

/// As AWS has it.
const PART_NUMBER_MAX: u16 = 10_000;
/// Every part but the last is at least this large, as on AWS.
const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;
/// Uploads of one bucket that are not completed.
const UPLOADS_MAX: usize = 1_000;

/// One upload. A clone shares the bytes of the parts.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    pub(super) key: String,
    pub(super) properties: Properties,
    pub(super) started: Timestamp,
    pub(super) parts: BTreeMap<u16, Part>,
}

/// One part.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) data: Bytes,
    pub(super) etag: String,
    pub(super) modified: Timestamp,
    md5: [u8; 16],
}

impl Upload {
    /// The bytes of all its parts.
    pub(super) fn size(&self) -> u64 {
        self.parts.values().map(Part::size).sum()
    }

    /// The object that these parts make, in their order. Copies all of them: not for under a lock.
    pub(super) fn join(&self, chosen: &[(u16, String)], now: Timestamp) -> Result<Object, AwsError> {
        if chosen.is_empty() {
            return Err(AwsError::new(400, "MalformedXML", "You must specify at least one part"));
        }
        if !chosen.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Err(AwsError::new(
                400,
                "InvalidPartOrder",
                "The list of parts was not in ascending order. Parts must be ordered by part number.",
            ));
        }
        let mut data = BytesMut::new();
        let mut digests = Md5::new();
        for (index, (number, etag)) in chosen.iter().enumerate() {
            let part = self
                .parts
                .get(number)
                .filter(|part| part.etag.trim_matches('"') == etag.trim_matches('"'))
                .ok_or_else(|| {
                    AwsError::new(
                        400,
                        "InvalidPart",
                        "One or more of the specified parts could not be found. The part may not have been uploaded, or \
                         the specified entity tag may not match the part's entity tag.",
                    )
                    .with("PartNumber", number.to_string())
                })?;
            if index + 1 < chosen.len() && part.size() < PART_BYTES_MIN {
                let message = "Your proposed upload is smaller than the minimum allowed size";
                return Err(AwsError::new(400, "EntityTooSmall", message));
            }
            if data.len() as u64 + part.size() > OBJECT_BYTES_MAX {
                return Err(too_large());
            }
            data.extend_from_slice(&part.data);
            digests.update(part.md5);
        }
        let etag = quoted(&format!("{}-{}", hex::encode(digests.finalize()), chosen.len()));
        Ok(Object::with_etag(data.freeze(), etag, self.properties.clone(), now))
    }
}

impl Part {
    /// Hashes what came: not for under a lock.
    pub(super) fn new(data: Bytes, now: Timestamp) -> Self {
        let md5 = Md5::digest(&data).into();
        Self { etag: quoted(&hex::encode(md5)), data, modified: now, md5 }
    }

    pub(super) fn size(&self) -> u64 {
        self.data.len() as u64
    }
}

impl Store {
    /// Starts an upload and answers its id.
    pub(super) fn start_upload(
        &mut self,
        bucket: &str,
        key: &str,
        properties: Properties,
        now: Timestamp,
    ) -> Result<String, AwsError> {
        super::store::check_key(key)?;
        let uploads = &mut self.bucket_mut(bucket)?.uploads;
        if uploads.len() >= UPLOADS_MAX {
            let message = format!("The twin has at most {UPLOADS_MAX} uploads in a bucket");
            return Err(AwsError::new(507, "InsufficientStorage", message));
        }
        // Begins with the time: the order of ids, which a list of uploads goes by, is that of their making.
        let id = format!("{:012x}{}", now.as_millisecond(), uuid::Uuid::new_v4().simple());
        uploads.insert(
            id.clone(),
            Upload { key: key.to_owned(), properties, started: now, parts: BTreeMap::new() },
        );
        Ok(id)
    }

    /// The uploads of a bucket by key and id, behind a key or, with an id, behind that upload.
    pub(super) fn uploads_behind(
        &self,
        bucket: &str,
        prefix: &str,
        (key, id): (&str, Option<&str>),
    ) -> Result<Vec<(&str, &Upload)>, AwsError> {
        let behind = |upload: &Upload, upload_id: &str| match id {
            _ if key.is_empty() => true,
            None => upload.key.as_str() > key,
            Some(id) => (upload.key.as_str(), upload_id) > (key, id),
        };
        let uploads = self.bucket(bucket)?.uploads.iter().map(|(id, upload)| (id.as_str(), upload));
        let mut found: Vec<_> =
            uploads.filter(|(id, upload)| upload.key.starts_with(prefix) && behind(upload, id)).collect();
        found.sort_by(|(a_id, a), (b_id, b)| (&a.key, a_id).cmp(&(&b.key, b_id)));
        Ok(found)
    }

    pub(super) fn upload(&self, bucket: &str, key: &str, id: &str) -> Result<&Upload, AwsError> {
        let found = self.bucket(bucket)?.uploads.get(id);
        found.filter(|upload| upload.key == key).ok_or_else(|| no_such_upload(id))
    }

    /// Stores a part in place of the one of this number, and answers its `ETag`.
    pub(super) fn put_part(
        &mut self,
        (bucket, key, id): (&str, &str, &str),
        number: u16,
        part: Part,
    ) -> Result<String, AwsError> {
        if !(1..=PART_NUMBER_MAX).contains(&number) {
            return Err(AwsError::new(
                400,
                "InvalidArgument",
                format!("Part number must be an integer between 1 and {PART_NUMBER_MAX}, inclusive"),
            ));
        }
        let before = self.upload(bucket, key, id)?.parts.get(&number).map_or(0, Part::size);
        if part.size() > OBJECT_BYTES_MAX {
            return Err(too_large());
        }
        self.make_room(part.size(), before)?;
        let etag = part.etag.clone();
        if let Some(upload) = self.bucket_mut(bucket)?.uploads.get_mut(id) {
            upload.parts.insert(number, part);
        }
        Ok(etag)
    }

    /// Puts the object that the parts were joined to in their place. If it fails, the upload stays.
    pub(super) fn complete_upload(
        &mut self,
        (bucket, key, id): (&str, &str, &str),
        object: Object,
    ) -> Result<(), AwsError> {
        let parts = self.upload(bucket, key, id)?.size();
        // The parts make room for the object, and come back should it not fit.
        self.make_room(0, parts)?;
        if let Err(error) = self.put(bucket, key, object) {
            self.make_room(parts, 0)?;
            return Err(error);
        }
        self.bucket_mut(bucket)?.uploads.remove(id);
        Ok(())
    }

    pub(super) fn abort_upload(&mut self, bucket: &str, key: &str, id: &str) -> Result<(), AwsError> {
        let parts = self.upload(bucket, key, id)?.size();
        self.make_room(0, parts)?;
        self.bucket_mut(bucket)?.uploads.remove(id);
        Ok(())
    }
}

fn no_such_upload(id: &str) -> AwsError {
    AwsError::new(
        404,
        "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or \
         completed.",
    )
    .with("UploadId", id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn part(data: impl Into<Bytes>) -> Part {
        Part::new(data.into(), NOW)
    }

    /// As the codec does it.
    fn complete(
        store: &mut Store,
        at: (&str, &str, &str),
        chosen: &[(u16, String)],
    ) -> Result<String, AwsError> {
        let object = store.upload(at.0, at.1, at.2)?.join(chosen, NOW)?;
        let etag = object.etag.clone();
        store.complete_upload(at, object).map(|()| etag)
    }

    fn start() -> (Store, String) {
        let mut store = Store::default();
        store.create_bucket("one", "us-east-1", NOW).unwrap();
        let id = store.start_upload("one", "k", Properties::default(), NOW).unwrap();
        (store, id)
    }

    #[test]
    fn parts_join_in_their_order_whatever_order_they_came_in() {
        let (mut store, id) = start();
        let at = ("one", "k", id.as_str());
        let large = usize::try_from(PART_BYTES_MIN).unwrap();
        let second = store.put_part(at, 2, part(&b"end"[..])).unwrap();
        store.put_part(at, 1, part(vec![b'x'; large])).unwrap();
        let first = store.put_part(at, 1, part(vec![b'a'; large])).unwrap();
        let etag = complete(&mut store, at, &[(1, first), (2, second)]).unwrap();
        assert!(etag.ends_with("-2\""), "{etag}");
        let object = store.bucket("one").unwrap().object("k").unwrap();
        assert_eq!(object.data.len(), large + 3);
        assert!(object.data.starts_with(b"aaa") && object.data.ends_with(b"aend"));
        assert_eq!(store.upload("one", "k", &id).unwrap_err().code, "NoSuchUpload");
        store.delete("one", "k");
        store.make_room(512 * 1024 * 1024, 0).unwrap();
    }

    #[test]
    fn an_upload_that_does_not_fit_together_stays() {
        let (mut store, id) = start();
        let at = ("one", "k", id.as_str());
        let a = store.put_part(at, 1, part(&b"a"[..])).unwrap();
        let b = store.put_part(at, 2, part(&b"b"[..])).unwrap();
        let refused =
            |store: &mut Store, parts: &[(u16, String)]| complete(store, at, parts).unwrap_err().code;
        assert_eq!(refused(&mut store, &[]), "MalformedXML");
        assert_eq!(refused(&mut store, &[(2, b.clone()), (1, a.clone())]), "InvalidPartOrder");
        assert_eq!(refused(&mut store, &[(1, b.clone())]), "InvalidPart");
        assert_eq!(refused(&mut store, &[(1, a.clone()), (2, b)]), "EntityTooSmall");
        assert_eq!(store.put_part(at, 0, part("")).unwrap_err().code, "InvalidArgument");
        complete(&mut store, at, &[(1, a)]).unwrap();
    }

    #[test]
    fn an_aborted_upload_gives_its_bytes_back() {
        let (mut store, id) = start();
        store.put_part(("one", "k", &id), 1, part(&b"abc"[..])).unwrap();
        assert_eq!(store.abort_upload("one", "other", &id).unwrap_err().code, "NoSuchUpload");
        store.abort_upload("one", "k", &id).unwrap();
        store.make_room(512 * 1024 * 1024, 0).unwrap();
    }
}
