"""Certificates and certificate authorities, by boto3. Keys and requests are made with openssl's library, not ours."""

import datetime
import hashlib

from case import ACCOUNT, PRIMARY, SECONDARY, case, equal, fresh, refused, skip

CLIENT = "boto3"

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID
except ImportError:
    x509 = None


def key():
    if x509 is None:
        skip("cryptography is not installed")
    return ec.generate_private_key(ec.SECP256R1())


def subject(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def signed(name, own, issuer=None, issuer_key=None, ca=False):
    """A certificate; without an issuer it signs itself."""
    now = datetime.datetime.now(datetime.timezone.utc)
    issued = (
        x509.CertificateBuilder()
        .subject_name(subject(name))
        .issuer_name(issuer.subject if issuer else subject(name))
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(issuer_key or own, hashes.SHA256())
    )
    return issued


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def der_id(text):
    der = x509.load_pem_x509_certificate(text.encode()).public_bytes(serialization.Encoding.DER)
    return hashlib.sha256(der).hexdigest()


@case("iot:CreateKeysAndCertificate iot:DescribeCertificate", peers=True)
def keys_and_certificate_are_made(t):
    iot = t.boto("iot")
    made = iot.create_keys_and_certificate(setAsActive=True)
    equal(made["certificateArn"], f"arn:aws:iot:{PRIMARY}:{ACCOUNT}:cert/{made['certificateId']}")
    assert made["keyPair"]["PublicKey"].startswith("-----BEGIN PUBLIC KEY-----")
    seen = iot.describe_certificate(certificateId=made["certificateId"])["certificateDescription"]
    equal((seen["status"], seen["certificateMode"], seen["ownedBy"]), ("ACTIVE", "DEFAULT", ACCOUNT))
    equal(seen["certificatePem"], made["certificatePem"])
    assert seen["creationDate"] <= seen["lastModifiedDate"]


@case("iot:CreateKeysAndCertificate", peers=True)
def the_private_key_is_pkcs_1(t):
    # The AWS CLI's reference shows "-----BEGIN RSA PRIVATE KEY-----"; old TLS stacks of devices read nothing else.
    private = t.boto("iot").create_keys_and_certificate()["keyPair"]["PrivateKey"]
    equal(private.splitlines()[0], "-----BEGIN RSA PRIVATE KEY-----")


@case("iot:DescribeCertificate", peers=True)
def a_certificate_of_aws_is_valid_from_now_to_2049(t):
    iot = t.boto("iot")
    made = iot.create_keys_and_certificate()["certificateId"]
    validity = iot.describe_certificate(certificateId=made)["certificateDescription"]["validity"]
    equal(validity["notAfter"].astimezone(datetime.timezone.utc).date(), datetime.date(2049, 12, 31))
    age = datetime.datetime.now(datetime.timezone.utc) - validity["notBefore"]
    assert datetime.timedelta() <= age < datetime.timedelta(hours=1), f"notBefore is in {validity['notBefore']:%Y}"


@case("iot:CreateKeysAndCertificate", peers=True)
def the_id_is_the_sha_256_of_the_certificate(t):
    key()
    made = t.boto("iot").create_keys_and_certificate()
    equal(made["certificateId"], der_id(made["certificatePem"]))


@case("iot:CreateKeysAndCertificate iot:DescribeCertificate", peers=True)
def a_certificate_is_inactive_unless_asked(t):
    iot = t.boto("iot")
    made = iot.create_keys_and_certificate()["certificateId"]
    equal(iot.describe_certificate(certificateId=made)["certificateDescription"]["status"], "INACTIVE")


@case("iot:CreateCertificateFromCsr", peers=True)
def a_request_is_signed(t):
    own = key()
    request = x509.CertificateSigningRequestBuilder().subject_name(subject("lamp")).sign(own, hashes.SHA256())
    text = request.public_bytes(serialization.Encoding.PEM).decode()
    made = t.boto("iot").create_certificate_from_csr(certificateSigningRequest=text, setAsActive=True)
    issued = x509.load_pem_x509_certificate(made["certificatePem"].encode())
    equal(issued.public_key().public_numbers(), own.public_key().public_numbers())
    equal(made["certificateId"], der_id(made["certificatePem"]))


@case("iot:CreateCertificateFromCsr", peers=True)
def what_is_no_request_is_refused(t):
    refused("InvalidRequestException", t.boto("iot").create_certificate_from_csr, certificateSigningRequest="no CSR",
            status=400)


@case("iot:UpdateCertificate iot:DeleteCertificate", peers=True)
def an_active_certificate_is_not_deleted(t):
    iot = t.boto("iot")
    made = iot.create_keys_and_certificate(setAsActive=True)["certificateId"]
    refused("CertificateStateException", iot.delete_certificate, certificateId=made, status=406)
    iot.update_certificate(certificateId=made, newStatus="INACTIVE")
    iot.delete_certificate(certificateId=made)
    refused("ResourceNotFoundException", iot.describe_certificate, certificateId=made)


@case("iot:DeleteCertificate", peers=True)
def a_certificate_with_a_policy_is_not_deleted(t):
    from boto3_policies import policy

    iot = t.boto("iot")
    made = iot.create_keys_and_certificate()
    iot.attach_policy(policyName=policy(t), target=made["certificateArn"])
    refused("DeleteConflictException", iot.delete_certificate, certificateId=made["certificateId"], status=409)
    iot.delete_certificate(certificateId=made["certificateId"], forceDelete=True)


@case("iot:ListCertificates", peers=True)
def certificates_are_listed(t):
    iot = t.boto("iot")
    made = iot.create_keys_and_certificate()["certificateId"]
    listed = iot.get_paginator("list_certificates").paginate(ascendingOrder=False).build_full_result()["certificates"]
    own = next(x for x in listed if x["certificateId"] == made)
    equal(own["status"], "INACTIVE")


@case("iot:RegisterCertificateWithoutCA", peers=True)
def a_certificate_is_registered_without_a_ca(t):
    iot, text = t.boto("iot"), pem(signed(fresh("lamp"), key()))
    made = iot.register_certificate_without_ca(certificatePem=text, status="ACTIVE")
    equal(made["certificateId"], der_id(text))
    seen = iot.describe_certificate(certificateId=made["certificateId"])["certificateDescription"]
    equal((seen["status"], seen["certificateMode"]), ("ACTIVE", "SNI_ONLY"))
    error = refused("ResourceAlreadyExistsException", iot.register_certificate_without_ca, certificatePem=text, status=409)
    equal(error.response.get("resourceId"), made["certificateId"])


@case("iot:RegisterCertificateWithoutCA", peers=True)
def a_registered_certificate_is_inactive_unless_asked(t):
    iot = t.boto("iot")
    made = iot.register_certificate_without_ca(certificatePem=pem(signed(fresh("lamp"), key())))["certificateId"]
    equal(iot.describe_certificate(certificateId=made)["certificateDescription"]["status"], "INACTIVE")


@case("iot:RegisterCertificateWithoutCA")
def the_same_certificate_is_in_both_regions_under_one_id(t):
    made = t.boto("iot").create_keys_and_certificate()
    other = t.boto("iot", SECONDARY).register_certificate_without_ca(certificatePem=made["certificatePem"])
    equal(other["certificateId"], made["certificateId"])


@case("iot:RegisterCertificateWithoutCA", peers=True)
def what_is_no_certificate_is_refused(t):
    refused("CertificateValidationException", t.boto("iot").register_certificate_without_ca, certificatePem="no PEM",
            status=400)


def authority(t, **more):
    """A CA registered in DEFAULT mode, by its verification certificate."""
    iot, own = t.boto("iot"), key()
    ca = signed(fresh("ca"), own, ca=True)
    code = iot.get_registration_code()["registrationCode"]
    proof = signed(code, key(), issuer=ca, issuer_key=own)
    made = iot.register_ca_certificate(caCertificate=pem(ca), verificationCertificate=pem(proof), setAsActive=True, **more)
    return ca, own, made


@case("iot:GetRegistrationCode iot:RegisterCACertificate iot:DescribeCACertificate", peers=True)
def a_ca_is_registered_by_its_proof(t):
    ca, _, made = authority(t, allowAutoRegistration=True)
    seen = t.boto("iot").describe_ca_certificate(certificateId=made["certificateId"])
    own = seen["certificateDescription"]
    equal((own["status"], own["autoRegistrationStatus"], own["certificateMode"]), ("ACTIVE", "ENABLE", "DEFAULT"))
    equal(own["certificatePem"].strip(), pem(ca).strip())


@case("iot:RegisterCACertificate", peers=True)
def a_proof_for_another_code_is_refused(t):
    own = key()
    ca = signed(fresh("ca"), own, ca=True)
    proof = signed("0" * 64, key(), issuer=ca, issuer_key=own)
    refused("RegistrationCodeValidationException", t.boto("iot").register_ca_certificate, caCertificate=pem(ca),
            verificationCertificate=pem(proof), status=400)


@case("iot:RegisterCACertificate", peers=True)
def a_default_ca_needs_a_proof(t):
    ca = signed(fresh("ca"), key(), ca=True)
    refused("InvalidRequestException", t.boto("iot").register_ca_certificate, caCertificate=pem(ca))


@case("iot:RegisterCACertificate iot:ListCACertificates iot:UpdateCACertificate iot:DeleteCACertificate", peers=True)
def a_ca_is_listed_switched_off_and_deleted(t):
    iot = t.boto("iot")
    made = iot.register_ca_certificate(caCertificate=pem(signed(fresh("ca"), key(), ca=True)), certificateMode="SNI_ONLY",
                                       setAsActive=True)["certificateId"]
    listed = iot.get_paginator("list_ca_certificates").paginate().build_full_result()["certificates"]
    assert made in [x["certificateId"] for x in listed]
    refused("CertificateStateException", iot.delete_ca_certificate, certificateId=made, status=406)
    iot.update_ca_certificate(certificateId=made, newStatus="INACTIVE")
    iot.delete_ca_certificate(certificateId=made)
    refused("ResourceNotFoundException", iot.describe_ca_certificate, certificateId=made)


@case("iot:RegisterCertificate iot:ListCertificatesByCA", peers=True)
def a_certificate_is_registered_under_its_ca(t):
    iot = t.boto("iot")
    ca, own, made = authority(t)
    text = pem(signed(fresh("lamp"), key(), issuer=ca, issuer_key=own))
    one = iot.register_certificate(certificatePem=text, caCertificatePem=pem(ca), status="ACTIVE")
    equal(one["certificateId"], der_id(text))
    seen = iot.describe_certificate(certificateId=one["certificateId"])["certificateDescription"]
    equal(seen["caCertificateId"], made["certificateId"])
    listed = iot.list_certificates_by_ca(caCertificateId=made["certificateId"])["certificates"]
    equal([x["certificateId"] for x in listed], [one["certificateId"]])


@case("iot:RegisterCertificate", peers=True)
def a_certificate_of_an_unknown_ca_is_refused(t):
    own = key()
    ca = signed(fresh("ca"), own, ca=True)
    text = pem(signed(fresh("lamp"), key(), issuer=ca, issuer_key=own))
    refused("CertificateValidationException", t.boto("iot").register_certificate, certificatePem=text,
            caCertificatePem=pem(ca), status=400)
