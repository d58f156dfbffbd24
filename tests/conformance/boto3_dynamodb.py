"""DynamoDB's items, by boto3."""

from case import case, equal, fresh, refused

CLIENT = "boto3"


def table(t, region=None, sort=False, **more):
    """An on-demand table with key `k`, and sort key `s` if asked."""
    name = fresh("table")
    keys = [("k", "HASH", "S")] + ([("s", "RANGE", "N")] if sort else [])
    ddb = t.boto("dynamodb", region) if region else t.boto("dynamodb")
    ddb.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": a, "KeyType": kind} for a, kind, _ in keys],
        AttributeDefinitions=[{"AttributeName": a, "AttributeType": form} for a, _, form in keys], **more)
    ddb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 15})
    return name


def plain(t):
    return t.once("table", table)


def sorted_table(t):
    return t.once("sorted-table", lambda t: table(t, sort=True))


def s(text):
    return {"S": text}


def n(number):
    return {"N": str(number)}


def series(t, count=5):
    """`count` items of one partition; the answer is its key."""
    where, key, ddb = sorted_table(t), fresh("key"), t.boto("dynamodb")
    for index in range(count):
        ddb.put_item(TableName=where, Item={"k": s(key), "s": n(index), "even": {"BOOL": index % 2 == 0}})
    return where, key


@case("dynamodb:PutItem dynamodb:GetItem", peers=True)
def an_item_of_every_type_is_read_back(t):
    ddb, key = t.boto("dynamodb"), fresh("key")
    item = {"k": s(key), "n": n("3.14"), "b": {"B": b"\x00\xff"}, "t": {"BOOL": True}, "z": {"NULL": True},
            "l": {"L": [n(1), s("a")]}, "m": {"M": {"x": n(1)}}, "ss": {"SS": ["a", "b"]}, "ns": {"NS": ["1", "2"]},
            "bs": {"BS": [b"a", b"b"]}}
    ddb.put_item(TableName=plain(t), Item=item)
    seen = ddb.get_item(TableName=plain(t), Key={"k": s(key)}, ConsistentRead=True)["Item"]
    for name in ("ss", "ns", "bs"):
        kind = next(iter(item[name]))
        equal(sorted(seen.pop(name)[kind]), sorted(item.pop(name)[kind]))
    equal(seen, item)


@case("dynamodb:GetItem", peers=True)
def an_absent_item_is_an_empty_answer(t):
    assert "Item" not in t.boto("dynamodb").get_item(TableName=plain(t), Key={"k": s(fresh("none"))})


@case("dynamodb:GetItem", peers=True)
def an_absent_table_is_not_found(t):
    refused("ResourceNotFoundException", t.boto("dynamodb").get_item, TableName=fresh("none"), Key={"k": s("a")}, status=400)


@case("dynamodb:GetItem", peers=True)
def a_key_of_the_wrong_shape_is_refused(t):
    refused("ValidationException", t.boto("dynamodb").get_item, TableName=plain(t), Key={"other": s("a")}, status=400)
    refused("ValidationException", t.boto("dynamodb").get_item, TableName=plain(t), Key={"k": n(1)})


@case("dynamodb:GetItem", peers=True)
def a_projection_picks_nested_attributes(t):
    ddb, key = t.boto("dynamodb"), fresh("key")
    ddb.put_item(TableName=plain(t), Item={"k": s(key), "m": {"M": {"x": n(1), "y": n(2)}}, "l": {"L": [n(1), n(2)]}})
    seen = ddb.get_item(TableName=plain(t), Key={"k": s(key)}, ProjectionExpression="#m.x, l[1]",
                        ExpressionAttributeNames={"#m": "m"})["Item"]
    equal(seen, {"m": {"M": {"x": n(1)}}, "l": {"L": [n(2)]}})


@case("dynamodb:PutItem", peers=True)
def a_put_returns_what_was_there(t):
    ddb, key = t.boto("dynamodb"), fresh("key")
    first = ddb.put_item(TableName=plain(t), Item={"k": s(key), "a": n(1)}, ReturnValues="ALL_OLD")
    assert "Attributes" not in first
    second = ddb.put_item(TableName=plain(t), Item={"k": s(key), "a": n(2)}, ReturnValues="ALL_OLD")
    equal(second["Attributes"], {"k": s(key), "a": n(1)})


@case("dynamodb:PutItem", peers=True)
def a_condition_that_does_not_hold_is_told(t):
    ddb, key = t.boto("dynamodb"), fresh("key")
    ddb.put_item(TableName=plain(t), Item={"k": s(key), "a": n(1)})
    error = refused("ConditionalCheckFailedException", ddb.put_item, TableName=plain(t), Item={"k": s(key)},
                    ConditionExpression="attribute_not_exists(k)", ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    status=400)
    equal(error.response["Item"], {"k": s(key), "a": n(1)})
    equal(error.response["Error"]["Message"], "The conditional request failed")


@case("dynamodb:PutItem", peers=True)
def an_item_above_400_kb_is_refused(t):
    refused("ValidationException", t.boto("dynamodb").put_item, TableName=plain(t),
            Item={"k": s(fresh("key")), "a": s("x" * 410 * 1024)})


@case("dynamodb:PutItem", peers=True)
def an_empty_key_is_refused(t):
    refused("ValidationException", t.boto("dynamodb").put_item, TableName=plain(t), Item={"k": s("")})


@case("dynamodb:PutItem", peers=True)
def a_reserved_word_needs_a_name(t):
    refused("ValidationException", t.boto("dynamodb").put_item, TableName=plain(t), Item={"k": s(fresh("key"))},
            ConditionExpression="attribute_not_exists(status)")


@case("dynamodb:PutItem", peers=True)
def a_name_that_is_not_used_is_refused(t):
    refused("ValidationException", t.boto("dynamodb").put_item, TableName=plain(t), Item={"k": s(fresh("key"))},
            ConditionExpression="attribute_not_exists(k)", ExpressionAttributeNames={"#never": "x"})


@case("dynamodb:UpdateItem", peers=True)
def set_remove_add_and_delete(t):
    ddb, key = t.boto("dynamodb"), fresh("key")
    ddb.put_item(TableName=plain(t), Item={"k": s(key), "a": n(1), "gone": n(1), "set": {"SS": ["x", "y"]}})
    seen = ddb.update_item(
        TableName=plain(t), Key={"k": s(key)}, ReturnValues="ALL_NEW",
        UpdateExpression="SET b = if_not_exists(b, :b), l = list_append(:l, :l) REMOVE gone ADD a :one DELETE #s :x",
        ExpressionAttributeNames={"#s": "set"},
        ExpressionAttributeValues={":b": n(7), ":l": {"L": [n(1)]}, ":one": n(1), ":x": {"SS": ["x"]}})["Attributes"]
    equal(seen, {"k": s(key), "a": n(2), "b": n(7), "l": {"L": [n(1), n(1)]}, "set": {"SS": ["y"]}})


@case("dynamodb:UpdateItem", peers=True)
def an_update_makes_the_item(t):
    ddb, key = t.boto("dynamodb"), fresh("key")
    ddb.update_item(TableName=plain(t), Key={"k": s(key)}, UpdateExpression="SET a = :a",
                    ExpressionAttributeValues={":a": n(1)})
    equal(ddb.get_item(TableName=plain(t), Key={"k": s(key)})["Item"], {"k": s(key), "a": n(1)})


@case("dynamodb:UpdateItem", peers=True)
def a_key_is_not_updated(t):
    refused("ValidationException", t.boto("dynamodb").update_item, TableName=plain(t), Key={"k": s("a")},
            UpdateExpression="SET k = :a", ExpressionAttributeValues={":a": s("b")})


@case("dynamodb:UpdateItem", peers=True)
def a_path_into_nothing_is_refused(t):
    refused("ValidationException", t.boto("dynamodb").update_item, TableName=plain(t), Key={"k": s(fresh("key"))},
            UpdateExpression="SET m.x = :a", ExpressionAttributeValues={":a": n(1)})


@case("dynamodb:DeleteItem dynamodb:GetItem", peers=True)
def a_deleted_item_is_returned(t):
    ddb, key = t.boto("dynamodb"), fresh("key")
    ddb.put_item(TableName=plain(t), Item={"k": s(key), "a": n(1)})
    refused("ConditionalCheckFailedException", ddb.delete_item, TableName=plain(t), Key={"k": s(key)},
            ConditionExpression="a = :a", ExpressionAttributeValues={":a": n(2)})
    gone = ddb.delete_item(TableName=plain(t), Key={"k": s(key)}, ReturnValues="ALL_OLD")
    equal(gone["Attributes"]["a"], n(1))
    ddb.delete_item(TableName=plain(t), Key={"k": s(key)})
    assert "Item" not in ddb.get_item(TableName=plain(t), Key={"k": s(key)})


@case("dynamodb:Query", peers=True)
def a_query_takes_a_range_in_order(t):
    where, key = series(t)
    values = {":k": s(key), ":a": n(1), ":b": n(3)}
    seen = t.boto("dynamodb").query(TableName=where, KeyConditionExpression="k = :k AND s BETWEEN :a AND :b",
                                    ExpressionAttributeValues=values, ScanIndexForward=False)
    equal([x["s"]["N"] for x in seen["Items"]], ["3", "2", "1"])
    equal((seen["Count"], seen["ScannedCount"]), (3, 3))


@case("dynamodb:Query", peers=True)
def a_filter_counts_what_was_read(t):
    where, key = series(t)
    seen = t.boto("dynamodb").query(TableName=where, KeyConditionExpression="k = :k", FilterExpression="even = :t",
                                    ExpressionAttributeValues={":k": s(key), ":t": {"BOOL": True}})
    equal((seen["Count"], seen["ScannedCount"]), (3, 5))


@case("dynamodb:Query", peers=True)
def a_limit_gives_a_key_to_go_on_with(t):
    where, key = series(t)
    one = t.boto("dynamodb").query(TableName=where, KeyConditionExpression="k = :k", Limit=2,
                                   ExpressionAttributeValues={":k": s(key)})
    equal(one["LastEvaluatedKey"], {"k": s(key), "s": n(1)})


@case("dynamodb:Query", peers=True)
def a_query_without_the_partition_key_is_refused(t):
    refused("ValidationException", t.boto("dynamodb").query, TableName=sorted_table(t), KeyConditionExpression="s = :s",
            ExpressionAttributeValues={":s": n(1)})


@case("dynamodb:Scan", peers=True)
def a_scan_in_segments_reads_every_item_once(t):
    where, ddb = table(t), t.boto("dynamodb")
    for index in range(20):
        ddb.put_item(TableName=where, Item={"k": s(f"item-{index}")})
    found = []
    for segment in range(3):
        found += [x["k"]["S"] for x in ddb.scan(TableName=where, TotalSegments=3, Segment=segment)["Items"]]
    equal(sorted(found), sorted(f"item-{index}" for index in range(20)))


@case("dynamodb:Scan", peers=True)
def a_count_has_no_items(t):
    where, _ = series(t, 2)
    seen = t.boto("dynamodb").scan(TableName=where, Select="COUNT")
    assert "Items" not in seen and seen["Count"] >= 2, seen


@case("dynamodb:BatchWriteItem dynamodb:Scan", peers=True)
def a_batch_writes_and_deletes(t):
    ddb, where = t.boto("dynamodb"), table(t)
    puts = [{"PutRequest": {"Item": {"k": s(f"item-{index}")}}} for index in range(25)]
    equal(ddb.batch_write_item(RequestItems={where: puts})["UnprocessedItems"], {})
    gone = [{"DeleteRequest": {"Key": {"k": s(f"item-{index}")}}} for index in range(24)]
    ddb.batch_write_item(RequestItems={where: gone})
    equal(ddb.scan(TableName=where)["Items"], [{"k": s("item-24")}])


@case("dynamodb:BatchWriteItem", peers=True)
def a_batch_of_26_or_of_twins_is_refused(t):
    ddb, where = t.boto("dynamodb"), plain(t)
    puts = [{"PutRequest": {"Item": {"k": s(f"item-{index}")}}} for index in range(26)]
    refused("ValidationException", ddb.batch_write_item, RequestItems={where: puts})
    refused("ValidationException", ddb.batch_write_item, RequestItems={where: [puts[0], puts[0]]})
