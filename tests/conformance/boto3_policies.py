"""Policies, their versions and targets, by boto3."""

import json

from case import ACCOUNT, PRIMARY, case, equal, fresh, refused
from device import ALL

CLIENT = "boto3"
OTHER = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "iot:*", "Resource": "*"}]})


def policy(t):
    name = fresh("policy")
    t.boto("iot").create_policy(policyName=name, policyDocument=ALL)
    return name


def certificate(t):
    return t.boto("iot").create_keys_and_certificate(setAsActive=True)["certificateArn"]


@case("iot:CreatePolicy iot:GetPolicy iot:ListPolicies", peers=True)
def a_policy_is_read_back(t):
    iot, name = t.boto("iot"), fresh("policy")
    made = iot.create_policy(policyName=name, policyDocument=ALL)
    equal(made["policyArn"], f"arn:aws:iot:{PRIMARY}:{ACCOUNT}:policy/{name}")
    equal(made["policyVersionId"], "1")
    seen = iot.get_policy(policyName=name)
    equal(json.loads(seen["policyDocument"]), json.loads(ALL))
    equal(seen["defaultVersionId"], "1")
    assert seen["creationDate"] <= seen["lastModifiedDate"]
    assert seen["generationId"]
    assert name in [x["policyName"] for x in iot.list_policies(pageSize=250)["policies"]]


@case("iot:CreatePolicy", peers=True)
def a_policy_is_made_once(t):
    iot, name = t.boto("iot"), policy(t)
    refused("ResourceAlreadyExistsException", iot.create_policy, policyName=name, policyDocument=ALL, status=409)


@case("iot:CreatePolicy", peers=True)
def a_document_that_is_no_policy_is_refused(t):
    refused("MalformedPolicyException", t.boto("iot").create_policy, policyName=fresh("policy"), policyDocument="{",
            status=400)


@case("iot:GetPolicy iot:DeletePolicy", peers=True)
def an_absent_policy_is_not_found(t):
    iot = t.boto("iot")
    refused("ResourceNotFoundException", iot.get_policy, policyName=fresh("none"), status=404)
    refused("ResourceNotFoundException", iot.delete_policy, policyName=fresh("none"), status=404)


@case("iot:CreatePolicyVersion iot:GetPolicyVersion iot:ListPolicyVersions iot:SetDefaultPolicyVersion "
      "iot:DeletePolicyVersion", peers=True)
def versions_are_made_switched_and_deleted(t):
    iot, name = t.boto("iot"), policy(t)
    two = iot.create_policy_version(policyName=name, policyDocument=OTHER)
    equal((two["policyVersionId"], two["isDefaultVersion"]), ("2", False))
    equal(json.loads(iot.get_policy_version(policyName=name, policyVersionId="2")["policyDocument"]), json.loads(OTHER))
    iot.set_default_policy_version(policyName=name, policyVersionId="2")
    versions = iot.list_policy_versions(policyName=name)["policyVersions"]
    equal({x["versionId"]: x["isDefaultVersion"] for x in versions}, {"1": False, "2": True})
    equal(iot.get_policy(policyName=name)["defaultVersionId"], "2")
    refused("DeleteConflictException", iot.delete_policy_version, policyName=name, policyVersionId="2", status=409)
    iot.delete_policy_version(policyName=name, policyVersionId="1")
    three = iot.create_policy_version(policyName=name, policyDocument=ALL, setAsDefault=True)
    equal((three["policyVersionId"], three["isDefaultVersion"]), ("3", True), "numbers are not used again")


@case("iot:CreatePolicyVersion", peers=True)
def a_policy_has_five_versions(t):
    iot, name = t.boto("iot"), policy(t)
    for _ in range(4):
        iot.create_policy_version(policyName=name, policyDocument=OTHER)
    refused("VersionsLimitExceededException", iot.create_policy_version, policyName=name, policyDocument=ALL, status=409)


@case("iot:DeletePolicy", peers=True)
def a_policy_with_a_second_version_stays(t):
    # AWS: "A policy cannot be deleted if it has non-default versions or it is attached to any certificate."
    iot, name = t.boto("iot"), policy(t)
    iot.create_policy_version(policyName=name, policyDocument=OTHER)
    refused("DeleteConflictException", iot.delete_policy, policyName=name, status=409)


@case("iot:AttachPolicy iot:ListAttachedPolicies iot:ListTargetsForPolicy iot:DetachPolicy iot:DeletePolicy", peers=True)
def a_policy_is_attached_and_detached(t):
    iot, name, arn = t.boto("iot"), policy(t), certificate(t)
    iot.attach_policy(policyName=name, target=arn)
    iot.attach_policy(policyName=name, target=arn)
    equal([x["policyName"] for x in iot.list_attached_policies(target=arn)["policies"]], [name])
    equal(iot.list_targets_for_policy(policyName=name)["targets"], [arn])
    refused("DeleteConflictException", iot.delete_policy, policyName=name, status=409)
    iot.detach_policy(policyName=name, target=arn)
    equal(iot.list_attached_policies(target=arn)["policies"], [])
    iot.delete_policy(policyName=name)


@case("iot:AttachPrincipalPolicy iot:ListPrincipalPolicies iot:DetachPrincipalPolicy", peers=True)
def the_old_calls_do_the_same(t):
    iot, name, arn = t.boto("iot"), policy(t), certificate(t)
    iot.attach_principal_policy(policyName=name, principal=arn)
    equal([x["policyName"] for x in iot.list_principal_policies(principal=arn)["policies"]], [name])
    equal([x["policyName"] for x in iot.list_attached_policies(target=arn)["policies"]], [name])
    iot.detach_principal_policy(policyName=name, principal=arn)
    equal(iot.list_principal_policies(principal=arn)["policies"], [])


@case("iot:AttachPolicy", peers=True)
def an_absent_policy_is_not_attached(t):
    refused("ResourceNotFoundException", t.boto("iot").attach_policy, policyName=fresh("none"), target=certificate(t))


@case("iot:AttachPolicy", peers=True)
def a_target_has_ten_policies(t):
    iot, arn = t.boto("iot"), certificate(t)
    for _ in range(10):
        iot.attach_policy(policyName=policy(t), target=arn)
    refused("LimitExceededException", iot.attach_policy, policyName=policy(t), target=arn, status=410)


@case("iot:AttachPolicy iot:ListAttachedPolicies", peers=True)
def a_policy_of_a_group_counts_above(t):
    iot, name, group, child = t.boto("iot"), policy(t), fresh("group"), fresh("group")
    above = iot.create_thing_group(thingGroupName=group)["thingGroupArn"]
    below = iot.create_thing_group(thingGroupName=child, parentGroupName=group)["thingGroupArn"]
    iot.attach_policy(policyName=name, target=above)
    equal(iot.list_attached_policies(target=below)["policies"], [])
    equal([x["policyName"] for x in iot.list_attached_policies(target=below, recursive=True)["policies"]], [name])
