//! Fuzz targets: calls of S3 and SQS, as [`super::http`] has them of the other services.

use super::site::{Site, service};

/// Two uploads of one key: one that stays, and one that a seed completes.
fn uploads(site: &Site) -> Vec<(&'static str, String)> {
    let id = || {
        let reply = site.text("POST s3 /start/k?uploads\n\n");
        let id = reply.split("<UploadId>").nth(1).and_then(|rest| rest.split('<').next());
        id.unwrap().to_owned()
    };
    site.text("PUT s3 /start\n\n");
    vec![("$UPLOAD", id()), ("$DONE", id())]
}

service!(
    s3_answers_any_call,
    [
        "PUT s3 /east\n\n",
        "PUT s3 /east/a%20b\ncontent-type: text/plain\nx-amz-meta-colour: red\ncontent-md5: XUFAKrxLKna5cZ2REBfFkg==\n\nhello",
        "PUT s3 /east/c\ncontent-encoding: aws-chunked\n\n5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n",
        "GET s3 /east/a%20b?response-content-type=a%2Fb\nrange: bytes=1-2\nx-amz-checksum-mode: ENABLED\n\n",
        "HEAD s3 /east/a%20b\nif-match: *\n\n",
        "PUT s3 /east/copy\nx-amz-copy-source: /east/a%20b\nx-amz-metadata-directive: REPLACE\n\n",
        "GET s3 /east?list-type=2&prefix=a&delimiter=%2F&max-keys=1&encoding-type=url&start-after=A\n\n",
        "GET s3 /east?max-keys=2&marker=a\n\n",
        "GET s3 /start?uploads&max-uploads=1&key-marker=a&upload-id-marker=0\n\n",
        "POST s3 /east/new?uploads\ncontent-type: a/b\n\n",
        "PUT s3 /start/k?partNumber=1&uploadId=$UPLOAD\n\npart",
        "PUT s3 /start/k?partNumber=2&uploadId=$UPLOAD\nx-amz-copy-source: east/c\nx-amz-copy-source-range: bytes=0-1\n\n",
        "GET s3 /start/k?uploadId=$UPLOAD&max-parts=1&part-number-marker=0\n\n",
        "PUT s3 /start/k?partNumber=3&uploadId=$DONE\n\npart",
        "POST s3 /start/k?uploadId=$DONE\n\n<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Part><ETag>&quot;f4c9385f1902f7334b00b9b4ecd164de&quot;</ETag><PartNumber>3</PartNumber></Part></CompleteMultipartUpload>",
        "POST s3 /east?delete\n\n<Delete><Object><Key>k</Key></Object><Object><Key>c</Key></Object><Quiet>true</Quiet></Delete>",
        "GET s3 /\n\n",
    ],
    [
        "bytes=",
        "-",
        "&uploadId=",
        "partNumber=10001",
        "DELETE",
        "x-amz-checksum-sha256: AAAA\n",
        "x-amz-decoded-content-length: 5\n",
        "FFFFFFFFFFFFFFFF\r\n",
        "\r\n",
        ";chunk-signature=0",
        "<Part>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]>",
        "&b;",
        "&X-Amz-Expires=1&X-Amz-Date=20260101T000000Z"
    ],
    uploads
);

/// A queue, by its URL.
fn queue(site: &Site) -> Vec<(&'static str, String)> {
    let reply = site.text("POST sqs /\nx-amz-target: AmazonSQS.CreateQueue\n\n{\"QueueName\":\"start\"}");
    let reply: serde_json::Value = serde_json::from_str(&reply).unwrap();
    vec![("$QUEUE", reply["QueueUrl"].as_str().unwrap().to_owned())]
}

// No seed waits for messages, and no token makes one: long polls would take their time.
service!(
    sqs_answers_any_call,
    [
        "POST sqs /\nx-amz-target: AmazonSQS.CreateQueue\n\n{\"QueueName\":\"q\",\"Attributes\":{\"VisibilityTimeout\":\"30\",\"RedrivePolicy\":\"{\\\"deadLetterTargetArn\\\":\\\"arn:aws:sqs:us-east-1:123456789012:start\\\",\\\"maxReceiveCount\\\":3}\"},\"tags\":{\"k\":\"v\"}}",
        "POST sqs /\nx-amz-target: AmazonSQS.GetQueueUrl\n\n{\"QueueName\":\"q\"}",
        "POST sqs /\nx-amz-target: AmazonSQS.SetQueueAttributes\n\n{\"QueueUrl\":\"$QUEUE\",\"Attributes\":{\"DelaySeconds\":\"0\",\"MaximumMessageSize\":\"2048\"}}",
        "POST sqs /\nx-amz-target: AmazonSQS.GetQueueAttributes\n\n{\"QueueUrl\":\"$QUEUE\",\"AttributeNames\":[\"All\"]}",
        "POST sqs /\nx-amz-target: AmazonSQS.SendMessage\n\n{\"QueueUrl\":\"$QUEUE\",\"MessageBody\":\"hello\",\"MessageAttributes\":{\"a\":{\"DataType\":\"Number.x\",\"StringValue\":\"1\"},\"b\":{\"DataType\":\"Binary\",\"BinaryValue\":\"AAE=\"}}}",
        "POST sqs /\nx-amz-target: AmazonSQS.SendMessageBatch\n\n{\"QueueUrl\":\"$QUEUE\",\"Entries\":[{\"Id\":\"1\",\"MessageBody\":\"a\"},{\"Id\":\"2\",\"MessageBody\":\"b\",\"DelaySeconds\":1}]}",
        "POST sqs /\nx-amz-target: AmazonSQS.ReceiveMessage\n\n{\"QueueUrl\":\"$QUEUE\",\"MaxNumberOfMessages\":2,\"VisibilityTimeout\":0,\"AttributeNames\":[\"All\"],\"MessageAttributeNames\":[\"a.*\"]}",
        "POST sqs /\nx-amz-target: AmazonSQS.DeleteMessageBatch\n\n{\"QueueUrl\":\"$QUEUE\",\"Entries\":[{\"Id\":\"1\",\"ReceiptHandle\":\"x\"}]}",
        "POST sqs /\nx-amz-target: AmazonSQS.ChangeMessageVisibilityBatch\n\n{\"QueueUrl\":\"$QUEUE\",\"Entries\":[{\"Id\":\"1\",\"ReceiptHandle\":\"x\",\"VisibilityTimeout\":5}]}",
        "POST sqs /\nx-amz-target: AmazonSQS.ListQueues\n\n{\"QueueNamePrefix\":\"q\",\"MaxResults\":1}",
        "POST sqs /\nx-amz-target: AmazonSQS.TagQueue\n\n{\"QueueUrl\":\"$QUEUE\",\"Tags\":{\"k\":\"v\"}}",
        "POST sqs /\nx-amz-target: AmazonSQS.PurgeQueue\n\n{\"QueueUrl\":\"$QUEUE\"}",
    ],
    [
        "DeleteQueue",
        "DeleteMessage",
        "ChangeMessageVisibility",
        "ListQueueTags",
        "UntagQueue",
        "\"NextToken\":\"cQ==\",",
        "\"ReceiptHandle\":",
        "\"FifoQueue\":\"true\",",
        ".fifo",
        "arn:aws:sqs:",
        "http://"
    ],
    queue
);
