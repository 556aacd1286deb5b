"""The vectors of RFC 9421, appendix B.2: what signers of all algorithms sign is what is built here from the same parts."""

from base64 import b64decode
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key
from llm_gateway.domain.signatures import signature_base, signature_header

# B.1.5, B.1.2 and B.1.3.
SHARED_SECRET = b64decode("uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==")
RSA_PSS_KEY = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x"
    "28Rw3Ry53mm+oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHqgDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd1"
    "1nqqzi+bJ9cvSKADYdUAAN5WUtzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4aOT9v6d+nb4bnNkQVklLQ3fVAvJm"
    "+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI2wIDAQAB"
)
ECC_P256_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lfw0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCn"
    "TNnoXQ=="
)

DATE = ('"date"', "Tue, 20 Apr 2021 02:07:55 GMT")
AUTHORITY = ('"@authority"', "example.com")
CONTENT_TYPE = ('"content-type"', "application/json")
DIGEST = (
    '"content-digest"',
    "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
)


@dataclass(frozen=True, kw_only=True)
class Vector:
    covered: tuple[tuple[str, str], ...]
    parameters: str
    signature: str

    @property
    def base(self) -> bytes:
        listed = " ".join(name for name, _ in self.covered)
        return signature_base(self.covered, parameters=f"({listed});created=1618884473;{self.parameters}")


MINIMAL = Vector(
    covered=(),
    parameters='keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd"',
    signature=(
        "d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG"
        "52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVro"
        "gUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ"
        "98Xw9Q=="
    ),
)
SELECTIVE = Vector(
    covered=(AUTHORITY, DIGEST, ('"@query-param";name="Pet"', "dog")),
    parameters='keyid="test-key-rsa-pss";tag="header-example"',
    signature=(
        "LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB4+ECxCmT"
        "8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7Cl+H2fjBS"
        "pqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTu"
        "gEjHSw=="
    ),
)
FULL = Vector(
    covered=(
        DATE,
        ('"@method"', "POST"),
        ('"@path"', "/foo"),
        ('"@query"', "?param=Value&Pet=dog"),
        AUTHORITY,
        CONTENT_TYPE,
        DIGEST,
        ('"content-length"', "18"),
    ),
    parameters='keyid="test-key-rsa-pss"',
    signature=(
        "bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fU"
        "xN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA"
        "1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKE"
        "gM4cUA=="
    ),
)
RESPONSE = Vector(
    covered=(
        ('"@status"', "200"),
        CONTENT_TYPE,
        (
            '"content-digest"',
            "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:",
        ),
        ('"content-length"', "23"),
    ),
    parameters='keyid="test-key-ecc-p256"',
    signature="wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==",
)
SHARED = Vector(
    covered=(DATE, AUTHORITY, CONTENT_TYPE),
    parameters='keyid="test-shared-secret"',
    signature="pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=",
)


@pytest.mark.parametrize("vector", [MINIMAL, SELECTIVE, FULL], ids=["B.2.1", "B.2.2", "B.2.3"])
def test_the_base_is_what_an_rsa_signer_signed(vector: Vector) -> None:
    key = load_der_public_key(b64decode(RSA_PSS_KEY))
    assert isinstance(key, rsa.RSAPublicKey)
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA512()), salt_length=64)
    key.verify(b64decode(vector.signature), vector.base, pss, hashes.SHA512())


def test_the_base_is_what_an_ecdsa_signer_signed() -> None:
    key = load_der_public_key(b64decode(ECC_P256_KEY))
    assert isinstance(key, ec.EllipticCurvePublicKey)
    raw = b64decode(RESPONSE.signature)
    signature = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key.verify(signature, RESPONSE.base, ec.ECDSA(hashes.SHA256()))


def test_the_mac_is_that_of_the_rfc() -> None:
    assert signature_header(SHARED_SECRET, SHARED.base) == f"sig1=:{SHARED.signature}:"
