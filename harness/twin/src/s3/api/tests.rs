//! Requests as clients send them, on a twin without its sockets in between.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use bytes::Bytes;

use super::*;
use crate::{
    s3,
    twin::{Twin, TwinConfig},
};

const EAST: &str = "us-east-1";
const WEST: &str = "us-west-2";

async fn twin() -> Twin {
    let twin = Twin::start(TwinConfig { health_checkers: 1, ..TwinConfig::default() }).await.unwrap();
    ask(&twin, EAST, "PUT /east", &[], "").await.unwrap();
    twin
}

fn call(region: &str, request: &str, headers: &[(&str, &str)], body: &'static str) -> Call {
    let (method, target) = request.split_once(' ').unwrap();
    let uri: Uri = target.parse().unwrap();
    let pairs = headers
        .iter()
        .map(|(n, v)| (HeaderName::from_bytes(n.as_bytes()).unwrap(), HeaderValue::from_str(v).unwrap()));
    Call {
        method: Method::from_bytes(method.as_bytes()).unwrap(),
        raw_path: uri.path().to_owned(),
        query: crate::api::query(uri.query().unwrap_or_default()),
        headers: pairs.collect::<HeaderMap>(),
        body: Bytes::from_static(body.as_bytes()),
        region: region.to_owned(),
        service: "s3".to_owned(),
    }
}

async fn ask(
    twin: &Twin,
    region: &str,
    request: &str,
    headers: &[(&str, &str)],
    body: &'static str,
) -> Result<Reply, AwsError> {
    handle(twin.world(), &call(region, request, headers, body)).await
}

async fn refused(twin: &Twin, region: &str, request: &str) -> &'static str {
    ask(twin, region, request, &[], "").await.unwrap_err().code
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str())
}

fn text(reply: &Reply) -> &str {
    std::str::from_utf8(&reply.body).unwrap()
}

#[tokio::test]
async fn an_object_comes_back_with_what_was_told_of_it() {
    let twin = twin().await;
    let told = [
        ("content-type", "text/plain"),
        ("x-amz-meta-colour", "red"),
        ("content-encoding", "aws-chunked,gzip"),
    ];
    let body = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";
    let key = "/east/a%20b/%C3%BC+.txt";
    let put = ask(&twin, EAST, &format!("PUT {key}?x-id=PutObject"), &told, body).await.unwrap();
    assert_eq!(header(&put, "etag"), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    let get =
        ask(&twin, EAST, &format!("GET {key}"), &[("x-amz-checksum-mode", "ENABLED")], "").await.unwrap();
    assert_eq!((get.status, text(&get), header(&get, "content-encoding")), (200, "hello", Some("gzip")));
    assert_eq!(header(&get, "x-amz-checksum-crc32"), Some("NhCmhg=="));
    assert_eq!(get.metadata, [("x-amz-meta-colour".to_owned(), "red".to_owned())]);
    let part = ask(&twin, EAST, &format!("GET {key}"), &[("range", "bytes=1-2")], "").await.unwrap();
    assert_eq!((part.status, text(&part), header(&part, "content-range")), (206, "el", Some("bytes 1-2/5")));
    let typed = ask(&twin, EAST, &format!("GET {key}?response-content-type=a%2Fb"), &[], "").await.unwrap();
    assert_eq!(header(&typed, "content-type"), Some("a/b"));
    let list =
        ask(&twin, EAST, "GET /east?list-type=2&prefix=a%20b%2F&encoding-type=url", &[], "").await.unwrap();
    assert!(text(&list).contains("<Key>a%20b/%C3%BC%2B.txt</Key>"), "{}", text(&list));
    assert_eq!(s3::get_object(twin.world(), "east", "a b/ü+.txt").unwrap(), "hello");
    let copy = [("x-amz-copy-source", "/east/a%20b/%C3%BC+.txt")];
    ask(&twin, EAST, "PUT /east/copy", &copy, "").await.unwrap();
    let copied = ask(&twin, EAST, "GET /east/copy", &[], "").await.unwrap();
    assert_eq!((text(&copied), copied.metadata.len()), ("hello", 1));
    twin.stop().await;
}

#[tokio::test]
async fn preconditions_are_kept() {
    let twin = twin().await;
    let absent = [("if-none-match", "*")];
    let etag = ask(&twin, EAST, "PUT /east/k", &absent, "x").await.unwrap();
    let etag = [("if-none-match", header(&etag, "etag").unwrap())];
    let code = |outcome: Result<Reply, AwsError>| outcome.unwrap_err().code;
    assert_eq!(code(ask(&twin, EAST, "PUT /east/k", &absent, "y").await), "PreconditionFailed");
    assert_eq!(ask(&twin, EAST, "GET /east/k", &etag, "").await.unwrap().status, 304);
    let other = [("if-match", "\"other\"")];
    assert_eq!(code(ask(&twin, EAST, "GET /east/k", &other, "").await), "PreconditionFailed");
    assert_eq!(code(ask(&twin, EAST, "PUT /east/k", &other, "y").await), "PreconditionFailed");
    let wrong = [("x-amz-checksum-crc32", "AAAAAA==")];
    assert_eq!(code(ask(&twin, EAST, "PUT /east/k", &wrong, "y").await), "BadDigest");
    let get = ask(&twin, EAST, "GET /east/k", &[], "").await.unwrap();
    assert_eq!(text(&get), "x", "nothing that was refused was written");
    twin.stop().await;
}

#[tokio::test]
async fn a_bucket_is_reached_in_its_region() {
    let twin = twin().await;
    assert_eq!(refused(&twin, WEST, "PUT /west").await, "IllegalLocationConstraintException");
    let named = "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>\
                 us-west-2</LocationConstraint></CreateBucketConfiguration>";
    ask(&twin, WEST, "PUT /west", &[], named).await.unwrap();
    let elsewhere = ask(&twin, EAST, "GET /west", &[], "").await.unwrap_err();
    assert_eq!((elsewhere.status, elsewhere.code), (301, "PermanentRedirect"));
    assert_eq!(header(&error_reply(&elsewhere), "x-amz-bucket-region"), Some(WEST));
    let location = ask(&twin, EAST, "GET /west?location", &[], "").await.unwrap();
    assert!(text(&location).ends_with(">us-west-2</LocationConstraint>"), "{}", text(&location));
    let list = ask(&twin, EAST, "GET /", &[], "").await.unwrap();
    assert!(text(&list).contains("<Name>east</Name>") && text(&list).contains("<Name>west</Name>"));
    assert_eq!(refused(&twin, EAST, "GET /absent").await, "NoSuchBucket");
    assert_eq!(refused(&twin, EAST, "GET /east/absent").await, "NoSuchKey");
    for request in [
        "GET /east?policy",
        "PUT /east?versioning",
        "PUT /east/k?acl",
        "PATCH /east/k",
        "GET /east/k?versionId=1",
    ] {
        assert_eq!(refused(&twin, EAST, request).await, "NotImplemented", "{request}");
    }
    twin.stop().await;
}

#[tokio::test]
async fn a_link_to_what_a_service_stored_is_the_only_way_to_it() {
    let twin = twin().await;
    let world = twin.world();
    world.s3.put_for_service(world, EAST, "of-a-service", "k", Bytes::from_static(b"report")).unwrap();
    assert_eq!(refused(&twin, EAST, "GET /of-a-service/k").await, "AccessDenied");
    let copy = [("x-amz-copy-source", "of-a-service/k")];
    assert_eq!(ask(&twin, EAST, "PUT /east/k", &copy, "").await.unwrap_err().code, "AccessDenied");
    let link = s3::link(world, EAST, "of-a-service", "k", 60);
    let request = format!("GET {}", link.strip_prefix(&world.api_url).unwrap());
    assert_eq!(s3::scope(world, &link.parse().unwrap()), Some((EAST.to_owned(), "s3".to_owned())));
    assert_eq!(text(&ask(&twin, EAST, &request, &[], "").await.unwrap()), "report");
    let ended = request.replace("X-Amz-Expires=60", "X-Amz-Expires=-60");
    assert_eq!(refused(&twin, EAST, &ended).await, "AuthorizationQueryParametersError");
    let ended = "GET /east/k?AWSAccessKeyId=x&Signature=y&Expires=1";
    assert_eq!(refused(&twin, EAST, ended).await, "AccessDenied");
    let second: Uri = "/east/k?AWSAccessKeyId=x&Signature=y&Expires=1".parse().unwrap();
    assert_eq!(s3::scope(world, &second), Some((EAST.to_owned(), "s3".to_owned())));
    assert_eq!(s3::scope(world, &"/east/k".parse().unwrap()), None);
    twin.stop().await;
}

/// What stands in the first element of this name.
fn element<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    text(reply).split(&format!("<{name}>")).nth(1)?.split('<').next()
}

#[tokio::test]
async fn buckets_come_in_pages() {
    let twin = twin().await;
    for name in ["a-2", "a-3", "a-1"] {
        ask(&twin, EAST, &format!("PUT /{name}"), &[], "").await.unwrap();
    }
    let west = "<CreateBucketConfiguration><LocationConstraint>us-west-2</LocationConstraint>\
                </CreateBucketConfiguration>";
    ask(&twin, WEST, "PUT /a-west", &[], west).await.unwrap();
    let (mut seen, mut request) = (Vec::new(), "GET /?max-buckets=2&prefix=a-".to_owned());
    loop {
        let page = ask(&twin, EAST, &request, &[], "").await.unwrap();
        let names = text(&page).split("<Name>").skip(1).filter_map(|t| t.split('<').next());
        seen.extend(names.map(str::to_owned));
        match element(&page, "ContinuationToken") {
            Some(token) => request = format!("GET /?max-buckets=2&prefix=a-&continuation-token={token}"),
            None => break,
        }
    }
    assert_eq!(seen, ["a-1", "a-2", "a-3", "a-west"]);
    let of_west = ask(&twin, WEST, "GET /?bucket-region=us-west-2", &[], "").await.unwrap();
    assert_eq!((element(&of_west, "Name"), text(&of_west).matches("<Name>").count()), (Some("a-west"), 1));
    for wrong in ["max-buckets=0", "max-buckets=10001", "max-buckets=x", "continuation-token=%25"] {
        assert_eq!(refused(&twin, EAST, &format!("GET /?{wrong}")).await, "InvalidArgument", "{wrong}");
    }
    twin.stop().await;
}

#[tokio::test]
async fn uploads_come_in_pages() {
    let twin = twin().await;
    let mut made = Vec::new();
    for key in ["a", "b", "b", "c%26d"] {
        let start = ask(&twin, EAST, &format!("POST /east/{key}?uploads"), &[], "").await.unwrap();
        made.push(element(&start, "UploadId").unwrap().to_owned());
    }
    made[1..3].sort();
    let (mut seen, mut markers) = (Vec::new(), String::new());
    for truncated in ["true", "true", "true", "false"] {
        let request = format!("GET /east?uploads&max-uploads=1&encoding-type=url{markers}");
        let page = ask(&twin, EAST, &request, &[], "").await.unwrap();
        assert_eq!(
            (element(&page, "IsTruncated"), element(&page, "MaxUploads")),
            (Some(truncated), Some("1"))
        );
        seen.push(element(&page, "UploadId").unwrap().to_owned());
        if let (Some(key), Some(id)) = (element(&page, "NextKeyMarker"), element(&page, "NextUploadIdMarker"))
        {
            markers = format!("&key-marker={key}&upload-id-marker={id}");
        }
    }
    assert_eq!(seen, made);
    let keys = ask(&twin, EAST, "GET /east?uploads&key-marker=b&encoding-type=url", &[], "").await.unwrap();
    assert_eq!((element(&keys, "Key"), element(&keys, "UploadId")), (Some("c%26d"), Some(made[3].as_str())));
    assert_eq!(refused(&twin, EAST, "GET /east?uploads&max-uploads=x").await, "InvalidArgument");
    twin.stop().await;
}

#[tokio::test]
async fn parts_become_an_object() {
    let twin = twin().await;
    let start = ask(&twin, EAST, "POST /east/k?uploads", &[("content-type", "a/b")], "").await.unwrap();
    let id = text(&start).split("<UploadId>").nth(1).and_then(|t| t.split('<').next()).unwrap().to_owned();
    let part =
        ask(&twin, EAST, &format!("PUT /east/k?partNumber=3&uploadId={id}"), &[], "part").await.unwrap();
    let parts = ask(&twin, EAST, &format!("GET /east/k?uploadId={id}"), &[], "").await.unwrap();
    assert!(text(&parts).contains("<PartNumber>3</PartNumber>"), "{}", text(&parts));
    let uploads = ask(&twin, EAST, "GET /east?uploads", &[], "").await.unwrap();
    assert!(text(&uploads).contains(&id));
    let body = format!(
        "<CompleteMultipartUpload><Part><ETag>{}</ETag><PartNumber>3</PartNumber></Part></CompleteMultipartUpload>",
        header(&part, "etag").unwrap()
    );
    let complete = call(EAST, &format!("POST /east/k?uploadId={id}"), &[], "");
    handle(twin.world(), &Call { body: body.into(), ..complete }).await.unwrap();
    let get = ask(&twin, EAST, "GET /east/k", &[], "").await.unwrap();
    assert_eq!((text(&get), header(&get, "content-type")), ("part", Some("a/b")));
    let tags = ask(&twin, EAST, "GET /east/k?tagging", &[], "").await.unwrap();
    assert!(text(&tags).contains("TagSet"));
    let delete = "<Delete><Object><Key>k</Key></Object><Object><Key>absent</Key></Object></Delete>";
    let deleted = ask(&twin, EAST, "POST /east?delete", &[], delete).await.unwrap();
    assert_eq!(text(&deleted).matches("<Deleted>").count(), 2, "{}", text(&deleted));
    assert_eq!(ask(&twin, EAST, "DELETE /east", &[], "").await.unwrap().status, 204);
    twin.stop().await;
}

#[test]
fn what_hashes_or_copies_much_is_not_answered_inline() {
    let copy = [("x-amz-copy-source", "east/a")];
    assert!(takes_long(&call(EAST, "PUT /east/b", &copy, "")));
    assert!(takes_long(&call(EAST, "PUT /east/b?uploadId=u&partNumber=1", &copy, "")));
    assert!(takes_long(&call(EAST, "POST /east/b?uploadId=u", &[], "<CompleteMultipartUpload/>")));
    let large = Call { body: vec![0; INLINE_BYTES_MAX + 1].into(), ..call(EAST, "PUT /east/b", &[], "") };
    assert!(takes_long(&large));
    for short in ["PUT /east/b", "GET /east/b", "GET /east/b?uploadId=u", "POST /east/b?uploads"] {
        assert!(!takes_long(&call(EAST, short, &[], "")), "{short}");
    }
}
