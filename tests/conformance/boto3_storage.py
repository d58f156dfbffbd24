"""S3 and SQS, by boto3."""

import hashlib
import json
import urllib.request

from case import ACCOUNT, PRIMARY, SECONDARY, case, equal, eventually, fresh, refused

CLIENT = "boto3"


def bucket(t):
    name = fresh("bucket")
    t.boto("s3").create_bucket(Bucket=name)
    return name


@case("s3:CreateBucket s3:HeadBucket s3:ListBuckets s3:DeleteBucket", peers=True)
def a_bucket_is_made_listed_and_deleted(t):
    s3, name = t.boto("s3"), bucket(t)
    s3.get_waiter("bucket_exists").wait(Bucket=name, WaiterConfig={"Delay": 1, "MaxAttempts": 5})
    s3.head_bucket(Bucket=name)
    assert name in [x["Name"] for x in s3.list_buckets()["Buckets"]]
    s3.put_object(Bucket=name, Key="a", Body=b"x")
    refused("BucketNotEmpty", s3.delete_bucket, Bucket=name, status=409)
    s3.delete_object(Bucket=name, Key="a")
    s3.delete_bucket(Bucket=name)
    refused("NoSuchBucket", s3.list_objects_v2, Bucket=name, status=404)


@case("s3:PutObject s3:GetObject s3:HeadObject s3:DeleteObject", peers=True)
def an_object_is_read_back(t):
    s3, name, body = t.boto("s3"), bucket(t), b"some bytes \x00\xff" * 100
    etag = s3.put_object(Bucket=name, Key="a/b c.txt", Body=body, ContentType="text/plain", Metadata={"mine": "1"})["ETag"]
    equal(etag, f'"{hashlib.md5(body).hexdigest()}"')
    seen = s3.get_object(Bucket=name, Key="a/b c.txt")
    equal((seen["Body"].read(), seen["ContentType"], seen["Metadata"]), (body, "text/plain", {"mine": "1"}))
    equal(s3.head_object(Bucket=name, Key="a/b c.txt")["ContentLength"], len(body))
    part = s3.get_object(Bucket=name, Key="a/b c.txt", Range="bytes=5-9")
    equal((part["Body"].read(), part["ResponseMetadata"]["HTTPStatusCode"]), (body[5:10], 206))
    s3.delete_object(Bucket=name, Key="a/b c.txt")
    refused("NoSuchKey", s3.get_object, Bucket=name, Key="a/b c.txt", status=404)
    s3.delete_object(Bucket=name, Key="a/b c.txt")


@case("s3:ListObjectsV2 s3:PutObject", peers=True)
def objects_are_listed_by_prefix_and_page(t):
    s3, name = t.boto("s3"), bucket(t)
    for key in ("a/1", "a/2", "b/1", "top"):
        s3.put_object(Bucket=name, Key=key, Body=b"x")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=name, PaginationConfig={"PageSize": 1})
    equal([x["Key"] for page in pages for x in page.get("Contents", [])], ["a/1", "a/2", "b/1", "top"])
    level = s3.list_objects_v2(Bucket=name, Delimiter="/")
    equal([x["Prefix"] for x in level["CommonPrefixes"]], ["a/", "b/"])
    equal([x["Key"] for x in level["Contents"]], ["top"])
    equal(s3.list_objects_v2(Bucket=name, Prefix="a/")["KeyCount"], 2)


@case("s3:GetObject", peers=True)
def a_presigned_url_is_fetched(t):
    s3, name = t.boto("s3"), bucket(t)
    s3.put_object(Bucket=name, Key="a", Body=b"by url")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": name, "Key": "a"}, ExpiresIn=60)
    with urllib.request.urlopen(url, timeout=10) as answer:
        equal(answer.read(), b"by url")
    s3.head_bucket(Bucket=name)
    s3.get_object(Bucket=name, Key="a")["Body"].read()


@case("s3:CopyObject s3:DeleteObjects s3:ListObjects s3:GetObjectTagging s3:GetBucketLocation", peers=True)
def objects_are_copied_and_deleted_together(t):
    s3, name = t.boto("s3"), bucket(t)
    s3.put_object(Bucket=name, Key="a", Body=b"x", Metadata={"mine": "1"})
    s3.copy_object(Bucket=name, Key="b", CopySource={"Bucket": name, "Key": "a"})
    equal(s3.get_object(Bucket=name, Key="b")["Metadata"], {"mine": "1"})
    equal([x["Key"] for x in s3.list_objects(Bucket=name)["Contents"]], ["a", "b"])
    equal(s3.get_object_tagging(Bucket=name, Key="a")["TagSet"], [])
    # us-east-1 is the one without a constraint.
    equal(s3.get_bucket_location(Bucket=name).get("LocationConstraint"), None)
    gone = s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "a"}, {"Key": "b"}, {"Key": "none"}]})
    equal(sorted(x["Key"] for x in gone["Deleted"]), ["a", "b", "none"])
    assert "Contents" not in s3.list_objects_v2(Bucket=name)


@case("s3:CreateMultipartUpload s3:UploadPart s3:UploadPartCopy s3:ListParts s3:ListMultipartUploads "
      "s3:CompleteMultipartUpload s3:AbortMultipartUpload", peers=True)
def an_object_is_uploaded_in_parts(t):
    s3, name, big = t.boto("s3"), bucket(t), b"x" * (5 * 1024 * 1024)
    s3.put_object(Bucket=name, Key="source", Body=b"the end")
    own = {"Bucket": name, "Key": "big", "UploadId": s3.create_multipart_upload(Bucket=name, Key="big")["UploadId"]}
    one = s3.upload_part(**own, PartNumber=1, Body=big)["ETag"]
    two = s3.upload_part_copy(**own, PartNumber=2, CopySource={"Bucket": name, "Key": "source"})["CopyPartResult"]["ETag"]
    equal([(x["PartNumber"], x["Size"]) for x in s3.list_parts(**own)["Parts"]], [(1, len(big)), (2, 7)])
    equal([x["UploadId"] for x in s3.list_multipart_uploads(Bucket=name)["Uploads"]], [own["UploadId"]])
    refused("InvalidPart", s3.complete_multipart_upload, **own, status=400, MultipartUpload={
        "Parts": [{"PartNumber": 1, "ETag": two}]})
    s3.complete_multipart_upload(**own, MultipartUpload={
        "Parts": [{"PartNumber": 1, "ETag": one}, {"PartNumber": 2, "ETag": two}]})
    equal(s3.head_object(Bucket=name, Key="big")["ContentLength"], len(big) + 7)
    other = s3.create_multipart_upload(Bucket=name, Key="none")["UploadId"]
    s3.abort_multipart_upload(Bucket=name, Key="none", UploadId=other)
    refused("NoSuchUpload", s3.list_parts, Bucket=name, Key="none", UploadId=other, status=404)


@case("sqs:SetQueueAttributes sqs:ListQueues sqs:PurgeQueue sqs:TagQueue sqs:UntagQueue sqs:ListQueueTags "
      "sqs:ChangeMessageVisibility", peers=True)
def a_queue_is_set_tagged_and_purged(t):
    sqs, (url, arn) = t.boto("sqs"), queue(t)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "100"})
    assert url in sqs.list_queues(QueueNamePrefix=arn.split(":")[-1])["QueueUrls"]
    sqs.tag_queue(QueueUrl=url, Tags={"a": "1", "b": "2"})
    sqs.untag_queue(QueueUrl=url, TagKeys=["a"])
    equal(sqs.list_queue_tags(QueueUrl=url)["Tags"], {"b": "2"})
    sqs.send_message(QueueUrl=url, MessageBody="x")
    first = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2)["Messages"][0]
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)
    again = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2)["Messages"][0]
    equal(again["MessageId"], first["MessageId"])
    sqs.purge_queue(QueueUrl=url)
    seen = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    equal((seen["VisibilityTimeout"], seen["ApproximateNumberOfMessages"]), ("100", "0"))


def queue(t, **attributes):
    sqs = t.boto("sqs")
    url = sqs.create_queue(QueueName=fresh("queue"), Attributes=attributes)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


@case("sqs:CreateQueue sqs:GetQueueUrl sqs:GetQueueAttributes sqs:DeleteQueue", peers=True)
def a_queue_is_made_found_and_deleted(t):
    sqs, (url, arn) = t.boto("sqs"), queue(t)
    name = arn.split(":")[-1]
    equal(arn, f"arn:aws:sqs:{PRIMARY}:{ACCOUNT}:{name}")
    equal(sqs.get_queue_url(QueueName=name)["QueueUrl"], url)
    seen = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    equal((seen["VisibilityTimeout"], seen["ApproximateNumberOfMessages"]), ("30", "0"))
    sqs.delete_queue(QueueUrl=url)
    try:
        sqs.get_queue_url(QueueName=name)
    except sqs.exceptions.QueueDoesNotExist as error:
        equal(error.response["Error"]["Code"], "AWS.SimpleQueueService.NonExistentQueue")
    else:
        raise AssertionError("the queue is still there")


@case("sqs:SendMessage sqs:ReceiveMessage sqs:DeleteMessage", peers=True)
def a_message_is_sent_received_and_deleted(t):
    sqs, (url, _) = t.boto("sqs"), queue(t)
    attributes = {"kind": {"DataType": "String", "StringValue": "x"}}
    sent = sqs.send_message(QueueUrl=url, MessageBody="hello", MessageAttributes=attributes)
    equal(sent["MD5OfMessageBody"], hashlib.md5(b"hello").hexdigest())
    seen = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2, MessageAttributeNames=["All"],
                               MessageSystemAttributeNames=["All"])["Messages"][0]
    equal((seen["MessageId"], seen["Body"], seen["MessageAttributes"]), (sent["MessageId"], "hello", attributes))
    equal(seen["Attributes"]["ApproximateReceiveCount"], "1")
    assert "Messages" not in sqs.receive_message(QueueUrl=url), "it is not visible now"
    sqs.delete_message(QueueUrl=url, ReceiptHandle=seen["ReceiptHandle"])
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    equal((counts["ApproximateNumberOfMessages"], counts["ApproximateNumberOfMessagesNotVisible"]), ("0", "0"))


@case("sqs:ReceiveMessage sqs:SendMessage", peers=True)
def a_message_comes_again_after_its_visibility(t):
    sqs, (url, _) = t.boto("sqs"), queue(t)
    sqs.send_message(QueueUrl=url, MessageBody="again")
    first = sqs.receive_message(QueueUrl=url, VisibilityTimeout=1)["Messages"][0]
    second = eventually(lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2).get("Messages"), "it comes again")[0]
    equal(second["MessageId"], first["MessageId"])


@case("sqs:SendMessage")
def a_queue_is_of_its_region(t):
    _, arn = queue(t)
    far = t.boto("sqs", SECONDARY)
    try:
        far.get_queue_url(QueueName=arn.split(":")[-1])
    except far.exceptions.QueueDoesNotExist:
        t.boto("sqs").send_message(QueueUrl=queue(t)[0], MessageBody=json.dumps({}))
        return
    raise AssertionError("it is in both Regions")


@case("sqs:SendMessageBatch sqs:DeleteMessageBatch sqs:ChangeMessageVisibilityBatch", peers=True)
def messages_are_sent_hidden_and_deleted_in_batches(t):
    sqs, (url, _) = t.boto("sqs"), queue(t)
    sent = sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": f"m{n}"} for n in range(3)])
    equal(sorted(x["Id"] for x in sent["Successful"]), ["0", "1", "2"])
    twins = [{"Id": "same", "MessageBody": "m"}] * 2
    refused("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", sqs.send_message_batch, QueueUrl=url, Entries=twins, status=400)
    found = {}

    def all_of_them():
        for one in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60).get("Messages", []):
            found[one["Body"]] = one["ReceiptHandle"]
        return len(found) == 3

    eventually(all_of_them, "three messages")
    shown = [{"Id": "a", "ReceiptHandle": found["m0"], "VisibilityTimeout": 0}]
    equal(len(sqs.change_message_visibility_batch(QueueUrl=url, Entries=shown)["Successful"]), 1)
    again = eventually(lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"), "it is seen again")
    found["m0"] = again[0]["ReceiptHandle"]
    gone = sqs.delete_message_batch(
        QueueUrl=url, Entries=[{"Id": body, "ReceiptHandle": handle} for body, handle in found.items()]
    )
    equal(len(gone["Successful"]), 3)
