//! `aws-chunked` bodies, as AWS clients stream uploads: chunks with their size in front (and a signature, which is not
//! looked at), and after the last one trailing headers, which carry the checksum.

use bytes::{Bytes, BytesMut};

use crate::error::AwsError;

/// Trailing headers, all together.
const TRAILERS_BYTES_MAX: usize = 16 * 1024;

/// Content, and the trailing headers in lower case.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decoded {
    pub(super) data: Bytes,
    pub(super) trailers: Vec<(String, String)>,
}

/// Takes an `aws-chunked` body apart.
pub(super) fn decode(body: &Bytes) -> Result<Decoded, AwsError> {
    let mut rest = body.clone();
    let mut chunks = Vec::new();
    loop {
        let line = take_line(&mut rest)?;
        let size = line.split(';').next().and_then(|hex| usize::from_str_radix(hex.trim(), 16).ok());
        let size = size.ok_or_else(|| malformed("a chunk's size is not a number"))?;
        if size == 0 {
            break;
        }
        if rest.len() < size {
            return Err(incomplete());
        }
        chunks.push(rest.split_to(size));
        if !take_line(&mut rest)?.is_empty() {
            return Err(malformed("a chunk is longer than its size"));
        }
    }
    if rest.len() > TRAILERS_BYTES_MAX {
        return Err(malformed("its trailing headers are too long"));
    }
    let mut trailers = Vec::new();
    while !rest.is_empty() {
        let line = take_line(&mut rest)?;
        if let Some((name, value)) = line.split_once(':') {
            trailers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    Ok(Decoded { data: join(chunks), trailers })
}

/// The chunks in a copy, so that no part of them keeps all of the body.
fn join(chunks: Vec<Bytes>) -> Bytes {
    let mut data = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
    for chunk in chunks {
        data.extend_from_slice(&chunk);
    }
    data.freeze()
}

/// The text up to the end of the line, which is taken too.
fn take_line(rest: &mut Bytes) -> Result<String, AwsError> {
    let end = rest.windows(2).position(|w| w == b"\r\n").ok_or_else(incomplete)?;
    let line = rest.split_to(end);
    let _ = rest.split_to(2);
    String::from_utf8(line.to_vec()).map_err(|_| malformed("a line is not text"))
}

fn incomplete() -> AwsError {
    AwsError::new(
        400,
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    )
}

fn malformed(why: &str) -> AwsError {
    AwsError::new(400, "InvalidRequest", format!("The aws-chunked body is malformed: {why}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(chunks: &[Vec<u8>], trailer: &str) -> Bytes {
        let mut body = Vec::new();
        for chunk in chunks.iter().filter(|c| !c.is_empty()) {
            body.extend(format!("{:x};chunk-signature=00\r\n", chunk.len()).bytes());
            body.extend(chunk);
            body.extend(b"\r\n");
        }
        body.extend(b"0\r\n");
        body.extend(trailer.bytes());
        body.extend(b"\r\n");
        body.into()
    }

    proptest! {
        /// For all contents and however it is cut, what was put in comes out.
        #[test]
        fn content_comes_back(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8)) {
            let decoded = decode(&encode(&chunks, "x-amz-checksum-crc32:AAAAAA==\r\n")).unwrap();
            prop_assert_eq!(decoded.data.to_vec(), chunks.concat());
            let trailer = ("x-amz-checksum-crc32".to_owned(), "AAAAAA==".to_owned());
            prop_assert_eq!(decoded.trailers, vec![trailer]);
        }

        /// No bytes bring it down.
        #[test]
        fn any_bytes_end_in_an_answer(body in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode(&body.into());
        }
    }

    #[test]
    fn a_body_that_is_cut_short_is_refused() {
        let whole = encode(&[b"hello".to_vec()], "");
        for end in 0..whole.len() - 4 {
            assert!(decode(&whole.slice(..end)).is_err(), "{end}");
        }
        assert!(decode(&Bytes::from_static(b"5\r\nhello world\r\n0\r\n\r\n")).is_err());
        assert!(decode(&Bytes::from_static(b"xyz\r\n")).is_err());
    }

    #[test]
    fn content_keeps_nothing_else_and_trailers_are_bounded() {
        let body = encode(&[b"hello".to_vec()], "a:b\r\n");
        let data = decode(&body).unwrap().data;
        assert!(!body.as_ptr_range().contains(&data.as_ptr()));
        let long = format!("a:{}\r\n", "b".repeat(TRAILERS_BYTES_MAX));
        assert!(decode(&encode(&[b"hello".to_vec()], &long)).is_err());
    }
}
