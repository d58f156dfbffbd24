"""Things, their types and principals, by boto3."""

import re

from case import ACCOUNT, PRIMARY, SECONDARY, case, equal, fresh, refused

CLIENT = "boto3"


def thing(t, **more):
    name = fresh("thing")
    t.boto("iot").create_thing(thingName=name, **more)
    return name


@case("iot:CreateThing iot:DescribeThing", peers=True)
def a_thing_has_name_arn_id_and_version(t):
    iot, name = t.boto("iot"), fresh("thing")
    made = iot.create_thing(thingName=name, attributePayload={"attributes": {"site": "berlin"}})
    equal(made["thingName"], name)
    equal(made["thingArn"], f"arn:aws:iot:{PRIMARY}:{ACCOUNT}:thing/{name}")
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", made["thingId"]), made["thingId"]
    seen = iot.describe_thing(thingName=name)
    equal(seen["thingId"], made["thingId"])
    equal(seen["thingArn"], made["thingArn"])
    equal(seen["defaultClientId"], name)
    equal(seen["attributes"], {"site": "berlin"})
    equal(seen["version"], 1)


@case("iot:CreateThing", peers=True)
def an_equal_create_thing_succeeds(t):
    iot, name = t.boto("iot"), fresh("thing")
    first = iot.create_thing(thingName=name)
    equal(iot.create_thing(thingName=name)["thingId"], first["thingId"])


@case("iot:CreateThing", peers=True)
def a_different_create_thing_is_a_conflict_that_names_the_thing(t):
    name = thing(t)
    error = refused("ResourceAlreadyExistsException", t.boto("iot").create_thing, thingName=name,
                    attributePayload={"attributes": {"a": "b"}}, status=409)
    assert error.response["resourceArn"].endswith(f"thing/{name}"), error.response
    assert error.response["resourceId"], error.response


@case("iot:DescribeThing", peers=True)
def an_absent_thing_is_not_found(t):
    refused("ResourceNotFoundException", t.boto("iot").describe_thing, thingName=fresh("none"), status=404)


@case("iot:CreateThing", peers=True)
def a_thing_name_is_held_to_its_pattern(t):
    refused("InvalidRequestException", t.boto("iot").create_thing, thingName="has space", status=400)


@case("iot:CreateThing", peers=True)
def four_attributes_need_a_type(t):
    four = {"attributes": {f"a{n}": "x" for n in range(4)}}
    refused("InvalidRequestException", t.boto("iot").create_thing, thingName=fresh("thing"), attributePayload=four)


@case("iot:UpdateThing", peers=True)
def attributes_are_merged_replaced_and_removed(t):
    iot = t.boto("iot")
    name = thing(t, attributePayload={"attributes": {"a": "1", "b": "2"}})
    iot.update_thing(thingName=name, attributePayload={"attributes": {"b": "3"}, "merge": True})
    equal(iot.describe_thing(thingName=name)["attributes"], {"a": "1", "b": "3"})
    iot.update_thing(thingName=name, attributePayload={"attributes": {"a": ""}, "merge": True})
    equal(iot.describe_thing(thingName=name)["attributes"], {"b": "3"}, "an empty value removes")
    iot.update_thing(thingName=name, attributePayload={"attributes": {"c": "4"}})
    seen = iot.describe_thing(thingName=name)
    equal(seen["attributes"], {"c": "4"}, "without merge")
    equal(seen["version"], 4)


@case("iot:UpdateThing iot:DeleteThing", peers=True)
def expected_version_is_compared(t):
    iot, name = t.boto("iot"), thing(t)
    refused("VersionConflictException", iot.update_thing, thingName=name, expectedVersion=9, status=409)
    refused("VersionConflictException", iot.delete_thing, thingName=name, expectedVersion=9, status=409)
    iot.delete_thing(thingName=name, expectedVersion=1)
    refused("ResourceNotFoundException", iot.describe_thing, thingName=name)


@case("iot:DeleteThing", peers=True)
def deleting_an_absent_thing_succeeds(t):
    # AWS: "DeleteThing returns successfully with no error if the deletion was successful or you specify a thing that
    # doesn't exist."
    t.boto("iot").delete_thing(thingName=fresh("none"))


@case("iot:ListThings", peers=True)
def things_are_listed_by_attribute_and_type(t):
    iot, value, kind = t.boto("iot"), fresh("value"), fresh("type")
    iot.create_thing_type(thingTypeName=kind)
    one = thing(t, attributePayload={"attributes": {"group": value}})
    two = thing(t, thingTypeName=kind)
    equal([x["thingName"] for x in iot.list_things(attributeName="group", attributeValue=value)["things"]], [one])
    listed = iot.list_things(thingTypeName=kind)["things"]
    equal([(x["thingName"], x["thingTypeName"], x["version"]) for x in listed], [(two, kind, 1)])
    prefix = iot.list_things(attributeName="group", attributeValue=value[:-1], usePrefixAttributeValue=True)["things"]
    assert one in [x["thingName"] for x in prefix]


@case("iot:DescribeThing")
def regions_have_their_own_things(t):
    name = thing(t)
    refused("ResourceNotFoundException", t.boto("iot", SECONDARY).describe_thing, thingName=name)


@case("iot:ListThings", peers=True)
def an_unreadable_token_is_refused(t):
    refused("InvalidRequestException", t.boto("iot").list_things, nextToken="no-such-token")


@case("iot:CreateThingType iot:DescribeThingType iot:ListThingTypes", peers=True)
def a_thing_type_is_described_and_listed(t):
    iot, kind = t.boto("iot"), fresh("type")
    wanted = {"thingTypeDescription": "a lamp", "searchableAttributes": ["site", "lumen"]}
    made = iot.create_thing_type(thingTypeName=kind, thingTypeProperties=wanted)
    equal(made["thingTypeArn"], f"arn:aws:iot:{PRIMARY}:{ACCOUNT}:thingtype/{kind}")
    seen = iot.describe_thing_type(thingTypeName=kind)
    equal(seen["thingTypeId"], made["thingTypeId"])
    equal(seen["thingTypeProperties"]["thingTypeDescription"], "a lamp")
    equal(sorted(seen["thingTypeProperties"]["searchableAttributes"]), ["lumen", "site"])
    equal(seen["thingTypeMetadata"]["deprecated"], False)
    assert seen["thingTypeMetadata"]["creationDate"].year >= 2024
    listed = iot.list_thing_types(thingTypeName=kind)["thingTypes"]
    equal([x["thingTypeName"] for x in listed], [kind])


@case("iot:UpdateThingType", peers=True)
def a_thing_type_is_updated(t):
    iot, kind = t.boto("iot"), fresh("type")
    iot.create_thing_type(thingTypeName=kind)
    iot.update_thing_type(thingTypeName=kind, thingTypeProperties={"thingTypeDescription": "new"})
    equal(iot.describe_thing_type(thingTypeName=kind)["thingTypeProperties"]["thingTypeDescription"], "new")


@case("iot:DeprecateThingType iot:CreateThing", peers=True)
def a_deprecated_type_takes_no_things(t):
    iot, kind = t.boto("iot"), fresh("type")
    iot.create_thing_type(thingTypeName=kind)
    iot.deprecate_thing_type(thingTypeName=kind)
    equal(iot.describe_thing_type(thingTypeName=kind)["thingTypeMetadata"]["deprecated"], True)
    refused("InvalidRequestException", iot.create_thing, thingName=fresh("thing"), thingTypeName=kind)
    iot.deprecate_thing_type(thingTypeName=kind, undoDeprecate=True)
    iot.create_thing(thingName=fresh("thing"), thingTypeName=kind)


@case("iot:DeleteThingType", peers=True)
def a_type_is_deprecated_before_it_is_deleted(t):
    # AWS: "deprecate a thing type, then wait five minutes before you delete it".
    iot, kind = t.boto("iot"), fresh("type")
    iot.create_thing_type(thingTypeName=kind)
    refused("InvalidRequestException", iot.delete_thing_type, thingTypeName=kind)
    iot.deprecate_thing_type(thingTypeName=kind)
    refused("InvalidRequestException", iot.delete_thing_type, thingTypeName=kind)


@case("iot:CreateThing", peers=True)
def an_absent_type_is_not_found(t):
    refused("ResourceNotFoundException", t.boto("iot").create_thing, thingName=fresh("thing"), thingTypeName="none-such")


@case("iot:UpdateThing", peers=True)
def a_type_is_given_and_taken_away(t):
    iot, kind, name = t.boto("iot"), fresh("type"), thing(t)
    iot.create_thing_type(thingTypeName=kind)
    iot.update_thing(thingName=name, thingTypeName=kind)
    equal(iot.describe_thing(thingName=name)["thingTypeName"], kind)
    iot.update_thing(thingName=name, removeThingType=True)
    assert "thingTypeName" not in iot.describe_thing(thingName=name)


@case("iot:AttachThingPrincipal iot:ListThingPrincipals iot:ListPrincipalThings iot:DetachThingPrincipal "
      "iot:DeleteThing", peers=True)
def a_certificate_is_attached_listed_and_detached(t):
    iot, name = t.boto("iot"), thing(t)
    arn = iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    iot.attach_thing_principal(thingName=name, principal=arn)
    iot.attach_thing_principal(thingName=name, principal=arn)
    equal(iot.list_thing_principals(thingName=name)["principals"], [arn])
    equal(iot.list_principal_things(principal=arn)["things"], [name])
    refused("InvalidRequestException", iot.delete_thing, thingName=name, status=400)
    iot.detach_thing_principal(thingName=name, principal=arn)
    equal(iot.list_thing_principals(thingName=name)["principals"], [])
    iot.delete_thing(thingName=name)


@case("iot:AttachThingPrincipal", peers=True)
def an_absent_principal_is_not_attached(t):
    arn = f"arn:aws:iot:{PRIMARY}:{ACCOUNT}:cert/{'0' * 64}"
    refused("ResourceNotFoundException", t.boto("iot").attach_thing_principal, thingName=thing(t), principal=arn)
