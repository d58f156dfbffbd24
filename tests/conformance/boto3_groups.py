"""Thing groups, tags, search, event configurations, by boto3."""

from case import ACCOUNT, PRIMARY, case, equal, eventually, fresh, refused
from boto3_things import thing

CLIENT = "boto3"


def group(t, **more):
    name = fresh("group")
    t.boto("iot").create_thing_group(thingGroupName=name, **more)
    return name


@case("iot:CreateThingGroup iot:DescribeThingGroup", peers=True)
def a_group_is_described(t):
    iot, parent, name = t.boto("iot"), group(t), fresh("group")
    properties = {"thingGroupDescription": "ground floor", "attributePayload": {"attributes": {"floor": "0"}}}
    made = iot.create_thing_group(thingGroupName=name, parentGroupName=parent, thingGroupProperties=properties)
    equal(made["thingGroupArn"], f"arn:aws:iot:{PRIMARY}:{ACCOUNT}:thinggroup/{name}")
    seen = iot.describe_thing_group(thingGroupName=name)
    equal(seen["version"], 1)
    equal(seen["thingGroupProperties"]["thingGroupDescription"], "ground floor")
    equal(seen["thingGroupProperties"]["attributePayload"]["attributes"], {"floor": "0"})
    equal(seen["thingGroupMetadata"]["parentGroupName"], parent)
    equal([x["groupName"] for x in seen["thingGroupMetadata"]["rootToParentThingGroups"]], [parent])


@case("iot:ListThingGroups", peers=True)
def groups_are_listed_by_parent(t):
    iot, parent = t.boto("iot"), group(t)
    child = group(t, parentGroupName=parent)
    grandchild = group(t, parentGroupName=child)
    direct = iot.list_thing_groups(parentGroup=parent, recursive=False)["thingGroups"]
    equal([x["groupName"] for x in direct], [child])
    below = iot.list_thing_groups(parentGroup=parent, recursive=True)["thingGroups"]
    equal(sorted(x["groupName"] for x in below), sorted([child, grandchild]))


@case("iot:UpdateThingGroup", peers=True)
def a_group_is_updated_once_a_version(t):
    iot, name = t.boto("iot"), group(t)
    answer = iot.update_thing_group(thingGroupName=name, thingGroupProperties={"thingGroupDescription": "x"},
                                    expectedVersion=1)
    equal(answer["version"], 2)
    refused("VersionConflictException", iot.update_thing_group, thingGroupName=name, expectedVersion=1,
            thingGroupProperties={}, status=409)


@case("iot:DeleteThingGroup", peers=True)
def a_group_with_a_child_stays(t):
    iot, parent = t.boto("iot"), group(t)
    child = group(t, parentGroupName=parent)
    refused("InvalidRequestException", iot.delete_thing_group, thingGroupName=parent)
    iot.delete_thing_group(thingGroupName=child)
    iot.delete_thing_group(thingGroupName=parent)
    refused("ResourceNotFoundException", iot.describe_thing_group, thingGroupName=parent)


@case("iot:AddThingToThingGroup iot:ListThingsInThingGroup iot:ListThingGroupsForThing iot:RemoveThingFromThingGroup",
      peers=True)
def a_thing_is_in_a_group_and_leaves_it(t):
    iot, parent, name = t.boto("iot"), group(t), thing(t)
    child = group(t, parentGroupName=parent)
    iot.add_thing_to_thing_group(thingGroupName=child, thingName=name)
    equal(iot.list_things_in_thing_group(thingGroupName=child)["things"], [name])
    equal(iot.list_things_in_thing_group(thingGroupName=parent)["things"], [])
    equal(iot.list_things_in_thing_group(thingGroupName=parent, recursive=True)["things"], [name])
    equal([x["groupName"] for x in iot.list_thing_groups_for_thing(thingName=name)["thingGroups"]], [child])
    iot.remove_thing_from_thing_group(thingGroupName=child, thingName=name)
    equal(iot.list_things_in_thing_group(thingGroupName=child)["things"], [])


@case("iot:AddThingToThingGroup", peers=True)
def a_thing_is_in_one_group_of_a_tree(t):
    # AWS: "A thing can't be added to more than one group in the same hierarchy."
    iot, parent, name = t.boto("iot"), group(t), thing(t)
    one, two = group(t, parentGroupName=parent), group(t, parentGroupName=parent)
    iot.add_thing_to_thing_group(thingGroupName=one, thingName=name)
    refused("InvalidRequestException", iot.add_thing_to_thing_group, thingGroupName=two, thingName=name)


@case("iot:CreateThingGroup", peers=True)
def an_absent_parent_is_refused(t):
    # The model of CreateThingGroup has no ResourceNotFoundException.
    refused("InvalidRequestException", t.boto("iot").create_thing_group, thingGroupName=fresh("group"),
            parentGroupName="none-such", status=400)


@case("iot:TagResource iot:ListTagsForResource iot:UntagResource", peers=True)
def a_group_has_tags(t):
    iot, name = t.boto("iot"), fresh("group")
    arn = iot.create_thing_group(thingGroupName=name, tags=[{"Key": "a", "Value": "1"}])["thingGroupArn"]
    iot.tag_resource(resourceArn=arn, tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "3"}])
    tags = {x["Key"]: x.get("Value") for x in iot.list_tags_for_resource(resourceArn=arn)["tags"]}
    equal(tags, {"a": "3", "b": "2"})
    iot.untag_resource(resourceArn=arn, tagKeys=["a"])
    equal([x["Key"] for x in iot.list_tags_for_resource(resourceArn=arn)["tags"]], ["b"])


@case("iot:TagResource", peers=True)
def what_is_absent_has_no_tags(t):
    arn = f"arn:aws:iot:{PRIMARY}:{ACCOUNT}:thinggroup/none-such"
    refused("ResourceNotFoundException", t.boto("iot").list_tags_for_resource, resourceArn=arn)
    refused("ResourceNotFoundException", t.boto("iot").tag_resource, resourceArn=arn, tags=[{"Key": "a", "Value": "1"}])


def indexed(t):
    iot = t.boto("iot")
    iot.update_indexing_configuration(thingIndexingConfiguration={"thingIndexingMode": "REGISTRY"})
    return True


@case("iot:UpdateIndexingConfiguration iot:GetIndexingConfiguration iot:DescribeIndex", peers=True)
def the_index_of_things_is_switched_on(t):
    iot = t.boto("iot")
    iot.update_indexing_configuration(thingIndexingConfiguration={"thingIndexingMode": "REGISTRY"})
    equal(iot.get_indexing_configuration()["thingIndexingConfiguration"]["thingIndexingMode"], "REGISTRY")
    seen = iot.describe_index(indexName="AWS_Things")
    assert seen["indexStatus"] in ("ACTIVE", "BUILDING"), seen
    equal(seen["schema"], "REGISTRY")


@case("iot:SearchIndex", peers=True)
def things_are_found(t):
    iot, site, _ = t.boto("iot"), fresh("site"), t.once("indexed", indexed)
    name = thing(t, attributePayload={"attributes": {"site": site}})

    def found():
        return iot.search_index(queryString=f'attributes.site:"{site}"')["things"]

    one = eventually(found, "the thing is found")
    equal([(x["thingName"], x["attributes"]) for x in one], [(name, {"site": site})])
    nothing = iot.search_index(queryString=f'attributes.site:"{site}" AND NOT thingName:{name}')["things"]
    equal(nothing, [])


@case("iot:SearchIndex", peers=True)
def a_query_that_does_not_parse_is_refused(t):
    t.once("indexed", indexed)
    refused("InvalidQueryException", t.boto("iot").search_index, queryString="((", status=400)


@case("iot:DescribeIndex", peers=True)
def an_absent_index_is_not_found(t):
    refused("ResourceNotFoundException", t.boto("iot").describe_index, indexName="none-such")


@case("iot:UpdateEventConfigurations iot:DescribeEventConfigurations", peers=True)
def events_are_switched(t):
    iot = t.boto("iot")
    iot.update_event_configurations(eventConfigurations={"THING_GROUP_HIERARCHY": {"Enabled": True}})
    seen = iot.describe_event_configurations()["eventConfigurations"]
    equal(seen["THING_GROUP_HIERARCHY"], {"Enabled": True})
    assert {"THING", "THING_GROUP", "THING_TYPE", "JOB", "POLICY", "CERTIFICATE", "CA_CERTIFICATE"} <= set(seen), seen


@case("iot:DescribeEndpoint", peers=True)
def the_endpoint_is_a_name_of_the_region(t):
    name = t.boto("iot").describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
    assert name.endswith(f"-ats.iot.{PRIMARY}.amazonaws.com"), name
    again = t.boto("iot").describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
    equal(again, name, "it does not change")


@case("iot:DescribeEndpoint", peers=True)
def an_unknown_endpoint_type_is_refused(t):
    refused("InvalidRequestException", t.boto("iot").describe_endpoint, endpointType="iot:None", status=400)
