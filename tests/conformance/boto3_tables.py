"""DynamoDB's tables: life, tags, time to live, global tables; by boto3."""

from boto3_dynamodb import n, plain, s, table
from case import ACCOUNT, PRIMARY, SECONDARY, case, equal, eventually, fresh, refused

CLIENT = "boto3"


@case("dynamodb:CreateTable dynamodb:DescribeTable", peers=True)
def a_table_is_described(t):
    name = table(t, sort=True)
    seen = t.boto("dynamodb").describe_table(TableName=name)["Table"]
    equal(seen["TableArn"], f"arn:aws:dynamodb:{PRIMARY}:{ACCOUNT}:table/{name}")
    equal((seen["TableStatus"], seen["ItemCount"]), ("ACTIVE", 0))
    equal(seen["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST")
    equal([x["AttributeName"] for x in seen["KeySchema"]], ["k", "s"])
    assert seen["TableId"] and seen["CreationDateTime"].year >= 2024


@case("dynamodb:CreateTable", peers=True)
def a_table_is_made_once(t):
    refused("ResourceInUseException", t.boto("dynamodb").create_table, TableName=plain(t), BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}], status=400)


@case("dynamodb:CreateTable", peers=True)
def a_key_without_a_definition_is_refused(t):
    refused("ValidationException", t.boto("dynamodb").create_table, TableName=fresh("table"),
            BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "other", "AttributeType": "S"}])


@case("dynamodb:DeleteTable dynamodb:DescribeTable", peers=True)
def a_table_is_deleted(t):
    ddb, name = t.boto("dynamodb"), table(t)
    equal(ddb.delete_table(TableName=name)["TableDescription"]["TableStatus"], "DELETING")
    ddb.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 15})
    refused("ResourceNotFoundException", ddb.describe_table, TableName=name, status=400)


@case("dynamodb:ListTables", peers=True)
def tables_are_listed(t):
    names = t.boto("dynamodb").get_paginator("list_tables").paginate().build_full_result()["TableNames"]
    mine = table(t)
    names = t.boto("dynamodb").get_paginator("list_tables").paginate().build_full_result()["TableNames"]
    assert mine in names


@case("dynamodb:UpdateTimeToLive dynamodb:DescribeTimeToLive", peers=True)
def time_to_live_is_switched_on(t):
    ddb, name = t.boto("dynamodb"), table(t)
    equal(ddb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["TimeToLiveStatus"], "DISABLED")
    wanted = {"Enabled": True, "AttributeName": "expires"}
    equal(ddb.update_time_to_live(TableName=name, TimeToLiveSpecification=wanted)["TimeToLiveSpecification"], wanted)
    seen = ddb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert seen["TimeToLiveStatus"] in ("ENABLING", "ENABLED"), seen
    equal(seen["AttributeName"], "expires")


@case("dynamodb:TagResource dynamodb:ListTagsOfResource", peers=True)
def a_table_has_tags(t):
    ddb, name = t.boto("dynamodb"), table(t)
    arn = ddb.describe_table(TableName=name)["Table"]["TableArn"]
    ddb.tag_resource(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}])
    equal(ddb.list_tags_of_resource(ResourceArn=arn)["Tags"], [{"Key": "a", "Value": "1"}])


@case("dynamodb:UpdateTable", peers=True)
def a_stream_is_switched_on(t):
    ddb, name = t.boto("dynamodb"), table(t)
    wanted = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    ddb.update_table(TableName=name, StreamSpecification=wanted)

    def there():
        seen = ddb.describe_table(TableName=name)["Table"]
        return seen["TableStatus"] == "ACTIVE" and seen.get("LatestStreamArn")

    arn = eventually(there, "the stream is there")
    assert arn.startswith(f"arn:aws:dynamodb:{PRIMARY}:{ACCOUNT}:table/{name}/stream/"), arn


def replicated(t):
    """A global table of both Regions."""
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    ddb, name = t.boto("dynamodb"), table(t, StreamSpecification=stream)
    ddb.update_table(TableName=name, ReplicaUpdates=[{"Create": {"RegionName": SECONDARY}}])

    def active():
        replicas = ddb.describe_table(TableName=name)["Table"].get("Replicas", [])
        return [x for x in replicas if (x["RegionName"], x["ReplicaStatus"]) == (SECONDARY, "ACTIVE")]

    eventually(active, "the replica is active")
    return name


@case("dynamodb:UpdateTable dynamodb:GetItem", peers=True)
def a_global_table_brings_writes_to_both_regions(t):
    name = replicated(t)
    near, far = t.boto("dynamodb"), t.boto("dynamodb", SECONDARY)
    equal(far.describe_table(TableName=name)["Table"]["GlobalTableVersion"], "2019.11.21")
    near.put_item(TableName=name, Item={"k": s("a"), "v": n(1)})
    eventually(lambda: far.get_item(TableName=name, Key={"k": s("a")}).get("Item"), "it is in the secondary")
    far.put_item(TableName=name, Item={"k": s("b"), "v": n(2)})
    eventually(lambda: near.get_item(TableName=name, Key={"k": s("b")}).get("Item"), "and back")
    far.delete_item(TableName=name, Key={"k": s("a")})
    eventually(lambda: "Item" not in near.get_item(TableName=name, Key={"k": s("a")}), "a delete too")


@case("dynamodb:UpdateTable", peers=True)
def a_replica_is_taken_away(t):
    name, ddb = replicated(t), t.boto("dynamodb")
    ddb.update_table(TableName=name, ReplicaUpdates=[{"Delete": {"RegionName": SECONDARY}}])

    def gone():
        return SECONDARY not in [x["RegionName"] for x in ddb.describe_table(TableName=name)["Table"].get("Replicas", [])]

    eventually(gone, "the replica is gone")
    refused("ResourceNotFoundException", t.boto("dynamodb", SECONDARY).describe_table, TableName=name)


def indexed(t):
    name, ddb = fresh("table"), t.boto("dynamodb")
    ddb.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": a, "AttributeType": "S"} for a in ("k", "site", "at")],
        GlobalSecondaryIndexes=[{
            "IndexName": "by-site", "Projection": {"ProjectionType": "KEYS_ONLY"},
            "KeySchema": [{"AttributeName": "site", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}]}])
    ddb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 15})
    return name


@case("dynamodb:CreateTable dynamodb:Query dynamodb:DescribeTable", peers=True)
def a_global_secondary_index_is_queried(t):
    name, ddb = indexed(t), t.boto("dynamodb")
    for index, site in enumerate(["oslo", "bonn", "oslo"]):
        ddb.put_item(TableName=name, Item={"k": s(f"k{index}"), "site": s(site), "at": s(str(index)), "more": n(1)})
    ddb.put_item(TableName=name, Item={"k": s("sparse")})
    seen = eventually(lambda: _two(ddb, name), "the index has both")
    equal(seen, [{"k": s("k2"), "site": s("oslo"), "at": s("2")}, {"k": s("k0"), "site": s("oslo"), "at": s("0")}],
          "keys only, backwards")
    described = ddb.describe_table(TableName=name)["Table"]["GlobalSecondaryIndexes"][0]
    equal((described["IndexName"], described["IndexStatus"]), ("by-site", "ACTIVE"))


def _two(ddb, name):
    items = ddb.query(TableName=name, IndexName="by-site", KeyConditionExpression="site = :s", ScanIndexForward=False,
                      ExpressionAttributeValues={":s": s("oslo")})["Items"]
    return items if len(items) == 2 else None


@case("dynamodb:Query", peers=True)
def a_global_index_has_no_consistent_read(t):
    name = indexed(t)
    refused("ValidationException", t.boto("dynamodb").query, TableName=name, IndexName="by-site", ConsistentRead=True,
            KeyConditionExpression="site = :s", ExpressionAttributeValues={":s": s("oslo")})


@case("dynamodb:BatchGetItem", peers=True)
def a_batch_is_read(t):
    ddb, where = t.boto("dynamodb"), table(t)
    for key in "ab":
        ddb.put_item(TableName=where, Item={"k": s(key)})
    seen = ddb.batch_get_item(RequestItems={where: {"Keys": [{"k": s(key)} for key in "abc"]}})
    equal(sorted(x["k"]["S"] for x in seen["Responses"][where]), ["a", "b"])
    equal(seen["UnprocessedKeys"], {})


@case("dynamodb:TransactWriteItems dynamodb:TransactGetItems", peers=True)
def a_transaction_is_whole_or_nothing(t):
    ddb, where = t.boto("dynamodb"), table(t)
    ddb.transact_write_items(TransactItems=[{"Put": {"TableName": where, "Item": {"k": s(key)}}} for key in "ab"])
    error = refused("TransactionCanceledException", ddb.transact_write_items, status=400, TransactItems=[
        {"Put": {"TableName": where, "Item": {"k": s("c")}}},
        {"Put": {"TableName": where, "Item": {"k": s("a")}, "ConditionExpression": "attribute_not_exists(k)"}}])
    equal([x["Code"] for x in error.response["CancellationReasons"]], ["None", "ConditionalCheckFailed"])
    seen = ddb.transact_get_items(TransactItems=[{"Get": {"TableName": where, "Key": {"k": s(key)}}} for key in "ac"])
    equal([x.get("Item") for x in seen["Responses"]], [{"k": s("a")}, None])


@case("dynamodb:DescribeContinuousBackups dynamodb:UpdateContinuousBackups", peers=True)
def point_in_time_recovery_is_switched_on(t):
    ddb, name = t.boto("dynamodb"), table(t)

    def status():
        seen = ddb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        return seen["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]

    equal(status(), "DISABLED")
    ddb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})
    eventually(lambda: status() == "ENABLED", "it is enabled")


@case("dynamodb:TagResource dynamodb:UntagResource", peers=True)
def a_tag_is_taken_away(t):
    ddb, name = t.boto("dynamodb"), table(t)
    arn = ddb.describe_table(TableName=name)["Table"]["TableArn"]
    ddb.tag_resource(ResourceArn=arn, Tags=[{"Key": key, "Value": "1"} for key in "ab"])
    ddb.untag_resource(ResourceArn=arn, TagKeys=["a"])
    equal(ddb.list_tags_of_resource(ResourceArn=arn)["Tags"], [{"Key": "b", "Value": "1"}])


@case("dynamodb:CreateGlobalTable dynamodb:DescribeGlobalTable dynamodb:ListGlobalTables dynamodb:UpdateGlobalTable")
def a_global_table_of_2017(t):
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    name, near, far = table(t, StreamSpecification=stream), t.boto("dynamodb"), t.boto("dynamodb", SECONDARY)
    group = [{"RegionName": PRIMARY}, {"RegionName": SECONDARY}]
    refused("TableNotFoundException", near.create_global_table, GlobalTableName=name, ReplicationGroup=group, status=400)
    far.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", StreamSpecification=stream,
                     KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
                     AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}])
    far.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 15})
    near.create_global_table(GlobalTableName=name, ReplicationGroup=group)

    def active():
        return near.describe_global_table(GlobalTableName=name)["GlobalTableDescription"]["GlobalTableStatus"] == "ACTIVE"

    eventually(active, "it is active")
    near.put_item(TableName=name, Item={"k": s("a")})
    eventually(lambda: far.get_item(TableName=name, Key={"k": s("a")}).get("Item"), "it is in the secondary")
    assert name in [x["GlobalTableName"] for x in near.list_global_tables()["GlobalTables"]]
    near.update_global_table(GlobalTableName=name, ReplicaUpdates=[{"Delete": {"RegionName": SECONDARY}}])
    refused("GlobalTableNotFoundException", near.describe_global_table, GlobalTableName=fresh("none"), status=400)
