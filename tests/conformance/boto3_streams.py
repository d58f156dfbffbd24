"""DynamoDB Streams, by boto3."""

from boto3_dynamodb import n, s, table
from case import case, equal, eventually, fresh, refused

CLIENT = "boto3"


def streamed(t):
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    name = table(t, StreamSpecification=stream)
    return name, t.boto("dynamodb").describe_table(TableName=name)["Table"]["LatestStreamArn"]


def shards(t, arn):
    return t.boto("dynamodbstreams").describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]


def records(t, arn):
    """All records there are, each shard from its beginning."""
    streams, found = t.boto("dynamodbstreams"), []
    for shard in shards(t, arn):
        at = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"],
                                        ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        found += streams.get_records(ShardIterator=at)["Records"]
    return found


@case("dynamodbstreams:ListStreams dynamodbstreams:DescribeStream", peers=True)
def a_stream_is_described(t):
    name, arn = streamed(t)
    listed = t.boto("dynamodbstreams").list_streams(TableName=name)["Streams"]
    equal([(x["StreamArn"], x["TableName"]) for x in listed], [(arn, name)])
    seen = t.boto("dynamodbstreams").describe_stream(StreamArn=arn)["StreamDescription"]
    equal((seen["StreamStatus"], seen["StreamViewType"]), ("ENABLED", "NEW_AND_OLD_IMAGES"))
    assert seen["Shards"] and seen["Shards"][0]["SequenceNumberRange"]["StartingSequenceNumber"].isdigit()


@case("dynamodbstreams:GetShardIterator dynamodbstreams:GetRecords", peers=True)
def changes_of_an_item_are_in_order(t):
    name, arn = streamed(t)
    ddb = t.boto("dynamodb")
    ddb.put_item(TableName=name, Item={"k": s("a"), "v": n(1)})
    ddb.put_item(TableName=name, Item={"k": s("a"), "v": n(1)})
    ddb.put_item(TableName=name, Item={"k": s("a"), "v": n(2)})
    ddb.delete_item(TableName=name, Key={"k": s("a")})
    seen = eventually(lambda: (lambda found: found if len(found) >= 3 else None)(records(t, arn)), "three records")
    # A write that changes nothing makes no record.
    equal([x["eventName"] for x in seen], ["INSERT", "MODIFY", "REMOVE"])
    numbers = [int(x["dynamodb"]["SequenceNumber"]) for x in seen]
    equal(numbers, sorted(numbers))
    insert, modify, remove = (x["dynamodb"] for x in seen)
    equal((insert.get("OldImage"), insert["NewImage"]), (None, {"k": s("a"), "v": n(1)}))
    equal((modify["OldImage"]["v"], modify["NewImage"]["v"]), (n(1), n(2)))
    equal((remove["Keys"], "NewImage" in remove), ({"k": s("a")}, False))
    equal((seen[0]["eventSource"], seen[0]["awsRegion"]), ("aws:dynamodb", "us-east-1"))


@case("dynamodbstreams:GetShardIterator", peers=True)
def an_iterator_after_a_record_goes_on_behind_it(t):
    name, arn = streamed(t)
    ddb, streams = t.boto("dynamodb"), t.boto("dynamodbstreams")
    for value in range(3):
        ddb.put_item(TableName=name, Item={"k": s("a"), "v": n(value)})
    seen = eventually(lambda: (lambda found: found if len(found) == 3 else None)(records(t, arn)), "three records")
    first = seen[0]["dynamodb"]["SequenceNumber"]
    for kind, left in (("AFTER_SEQUENCE_NUMBER", 2), ("AT_SEQUENCE_NUMBER", 3)):
        found = 0
        for shard in shards(t, arn):
            numbers = [x["dynamodb"]["SequenceNumber"] for x in _from(streams, arn, shard, "TRIM_HORIZON")]
            if first in numbers:
                found = len(_from(streams, arn, shard, kind, SequenceNumber=first))
        equal(found, left, kind)


def _from(streams, arn, shard, kind, **more):
    at = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType=kind, **more)
    return streams.get_records(ShardIterator=at["ShardIterator"])["Records"]


@case("dynamodbstreams:DescribeStream dynamodbstreams:GetRecords", peers=True)
def absent_streams_and_iterators_are_refused(t):
    name, arn = streamed(t)
    streams = t.boto("dynamodbstreams")
    refused("ResourceNotFoundException", streams.describe_stream, StreamArn=arn.replace(name, fresh("none")), status=400)
    refused("ValidationException", streams.get_records, ShardIterator="no-iterator")
