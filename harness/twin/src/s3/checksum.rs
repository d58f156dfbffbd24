//! Checksums of uploads: what the client says of the content in a header or trailer has to be true of it.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use crc::{CRC_32_ISCSI, CRC_32_ISO_HDLC, CRC_64_NVME, Crc};
use md5::{Digest, Md5};

use crate::error::AwsError;

static CRC32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
static CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
static CRC64NVME: Crc<u64> = Crc::<u64>::new(&CRC_64_NVME);

/// The headers that carry a checksum.
const HEADERS: [&str; 5] = [
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
];

/// Headers with checksums that are true of some content.
pub(super) type Checksums = Vec<(&'static str, String)>;

/// The checksums that `given` names, if all of them are true of `data`.
pub(super) fn check<'a>(
    data: &[u8],
    given: impl Fn(&'static str) -> Option<&'a str>,
) -> Result<Checksums, AwsError> {
    if let Some(md5) = given("content-md5")
        && STANDARD.encode(Md5::digest(data)) != md5
    {
        return Err(AwsError::new(
            400,
            "BadDigest",
            "The Content-MD5 you specified did not match what we received.",
        ));
    }
    let mut checksums = Vec::new();
    for header in HEADERS {
        let Some(value) = given(header) else {
            continue;
        };
        if compute(header, data) != value {
            let message = format!("The {header} you specified did not match the calculated checksum.");
            return Err(AwsError::new(400, "BadDigest", message));
        }
        checksums.push((header, value.to_owned()));
    }
    Ok(checksums)
}

fn compute(header: &str, data: &[u8]) -> String {
    match header {
        "x-amz-checksum-crc32" => STANDARD.encode(CRC32.checksum(data).to_be_bytes()),
        "x-amz-checksum-crc32c" => STANDARD.encode(CRC32C.checksum(data).to_be_bytes()),
        "x-amz-checksum-crc64nvme" => STANDARD.encode(CRC64NVME.checksum(data).to_be_bytes()),
        "x-amz-checksum-sha1" => STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, data)),
        _ => STANDARD.encode(digest(&SHA256, data)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `hello world`, as other programs compute it.
    const KNOWN: [(&str, &str); 6] = [
        ("content-md5", "XrY7u+Ae7tCTyyK7j1rNww=="),
        ("x-amz-checksum-crc32", "DUoRhQ=="),
        ("x-amz-checksum-crc32c", "yZRlqg=="),
        ("x-amz-checksum-crc64nvme", "jSnVw/bqjr4="),
        ("x-amz-checksum-sha1", "Kq5sNclPz7QV2+lfQIuc6R7oRu0="),
        ("x-amz-checksum-sha256", "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="),
    ];

    #[test]
    fn known_checksums_fit_and_others_do_not() {
        for (header, value) in KNOWN {
            let given = |name: &'static str| (name == header).then_some(value);
            let kept = check(b"hello world", given).unwrap();
            assert_eq!(kept.len(), usize::from(header != "content-md5"), "{header}");
            assert_eq!(check(b"hello worle", given).unwrap_err().code, "BadDigest", "{header}");
        }
        assert_eq!(check(b"x", |_| None).unwrap(), []);
    }
}
