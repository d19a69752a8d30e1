"""Checks docs/messages-vectors.json from Python, with nothing of this project but docs/messages.md.

Needs the package `cryptography`. The last line counts: `N passed, N failed`.
"""

import hashlib
import json
import struct
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

VECTORS = Path(__file__).parent.parent / "docs" / "messages-vectors.json"

TAGS = {
    "intents": b"x402:payment:v1",
    "captures": b"x402:capture:v1",
    "releases": b"x402:release:v1",
    "revokes": b"x402:revoked:v1",
}
FLOWS = {"escrow": 1, "authorization": 2}

FIELD_PRIME = 2**255 - 19
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
# The y coordinates of the eight points of small order: 1, -1, 0 and, for order 8, plus and minus this one.
ORDER_8_Y = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
SMALL_ORDER_Y = {1, FIELD_PRIME - 1, 0, ORDER_8_Y, FIELD_PRIME - ORDER_8_Y}

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def address(text):
    """The 32 bytes of an address in Base58."""
    number = 0
    for digit in text:
        number = number * 58 + BASE58.index(digit)
    return number.to_bytes(32, "big")


def intent_layout(fields):
    """Byte layout of an intent."""
    numbers = (
        int(fields["amount"]),
        int(fields["nonce"]),
        int(fields["authorize_by"]),
        int(fields["capture_deadline"]),
        int(fields["refund_deadline"]),
        fields["maximum_fee_bps"],
        FLOWS[fields["flow"]],
    )
    return b"".join(
        (
            address(fields["program"]),
            bytes.fromhex(fields["incarnation"]),
            address(fields["escrow"]),
            address(fields["session_key"]),
            address(fields["receiver"]),
            address(fields["capture_authorizer"]),
            address(fields["receiver_authorizer"]),
            address(fields["fee_recipient"]),
            bytes.fromhex(fields["resource_hash"]),
            struct.pack("<QQqqqHB", *numbers),
        )
    )


def capture_layout(fields):
    """Byte layout of a capture."""
    numbers = struct.pack("<QQB", int(fields["amount"]), int(fields["fee"]), fields["last"])
    return bytes.fromhex(fields["intent_digest"]) + numbers


def release_layout(fields):
    """Byte layout of a release."""
    return bytes.fromhex(fields["intent_digest"]) + struct.pack("<Q", int(fields["amount"]))


def revoke_layout(fields):
    """Byte layout of a revocation."""
    names = (address(fields[name]) for name in ("program", "escrow", "session_key"))
    slot = struct.pack("<Q", int(fields["opened_through_slot"]))
    return b"".join(names) + bytes.fromhex(fields["incarnation"]) + slot


LAYOUTS = {
    "intents": intent_layout,
    "captures": capture_layout,
    "releases": release_layout,
    "revokes": revoke_layout,
}


def resource_hash(method, url, body):
    """The hash that binds an intent to a request."""
    request = method.encode() + b"\n" + url.encode() + b"\n"
    return hashlib.sha256(request + hashlib.sha256(body).digest()).digest()


def leaf(receiver):
    """A receiver's hash in the tree of a list."""
    return hashlib.sha256(b"\x00" + receiver).digest()


def node(one, other):
    """The hash above two others."""
    return hashlib.sha256(b"\x01" + min(one, other) + max(one, other)).digest()


def rows_of(receivers):
    """The tree of a list: its leaves, then each row above them up to the root."""
    rows = [[leaf(receiver) for receiver in sorted(set(receivers))]]
    while len(rows[-1]) > 1:
        pairs = (rows[-1][start : start + 2] for start in range(0, len(rows[-1]), 2))
        rows.append([node(*pair) if len(pair) == 2 else pair[0] for pair in pairs])
    return rows


def proof_of(rows, place):
    """What shows that the receiver at this place of the sorted list is in it."""
    proof = []
    for row in rows:
        if place ^ 1 < len(row):
            proof.append(row[place ^ 1])
        place //= 2
    return proof


def proves(root, receiver, proof):
    """Whether the proof shows that the receiver is in the list with this root."""
    hash_so_far = leaf(receiver)
    for sibling in proof:
        hash_so_far = node(hash_so_far, sibling)
    return len(proof) <= 12 and hash_so_far == root


def is_strict_point(encoding):
    """Whether a point is encoded canonically and not of small order. Its sign is the highest bit."""
    y = int.from_bytes(encoding, "little") & (2**255 - 1)
    return y < FIELD_PRIME and y not in SMALL_ORDER_Y


def verifies(public_key, signed, signature):
    """Strict Ed25519: what the library checks, and what RFC 8032 leaves to it."""
    if not is_strict_point(public_key) or not is_strict_point(signature[:32]):
        return False
    if int.from_bytes(signature[32:], "little") >= GROUP_ORDER:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def message_faults(kind, vector, seeds):
    """What is wrong with a message's vector, step by step."""
    layout = LAYOUTS[kind](vector["fields"])
    digest = hashlib.sha256(layout).digest()
    signed = TAGS[kind] + digest
    key = Ed25519PrivateKey.from_private_bytes(seeds[vector["signer"]])
    # Ed25519 is deterministic: the signature comes out the same in every language.
    signature = key.sign(signed)
    made = {"layout": layout, "digest": digest, "signed_bytes": signed, "signature": signature}
    faults = [f"{step} is {made[step].hex()}" for step in made if made[step].hex() != vector[step]]
    if not verifies(key.public_key().public_bytes_raw(), signed, bytes.fromhex(vector["signature"])):
        faults.append("the signature does not verify")
    return faults


def list_faults(vector, receivers):
    """What is wrong with a list of receivers."""
    rows = rows_of(receivers)
    root = rows[-1][0]
    faults = [] if root.hex() == vector["root"] else [f"root is {root.hex()}"]
    places = {receiver: place for place, receiver in enumerate(sorted(set(receivers)))}
    for shown in vector["proofs"]:
        receiver, proof = address(shown["receiver"]), [bytes.fromhex(text) for text in shown["proof"]]
        if proof != proof_of(rows, places[receiver]):
            faults.append(f"the proof of {shown['receiver']} is another")
        if not proves(root, receiver, proof) or proves(root, hashlib.sha256(receiver).digest(), proof):
            faults.append(f"the proof of {shown['receiver']} shows something else")
    return faults


def long_list(vector):
    """The receivers that the rule of the long list makes."""
    prefix = vector["prefix"].encode()
    return [hashlib.sha256(prefix + str(number).encode()).digest() for number in range(vector["count"])]


def checks(vectors):
    """Every check by its name: what is wrong, nothing if all is right."""
    seeds = {key["name"]: bytes.fromhex(key["seed"]) for key in vectors["keys"]}
    for key in vectors["keys"]:
        public_key = Ed25519PrivateKey.from_private_bytes(seeds[key["name"]]).public_key().public_bytes_raw()
        yield f"key: {key['name']}", [] if public_key == address(key["public_key"]) else ["another public key"]
    for kind in LAYOUTS:
        for vector in vectors[kind]:
            yield f"{kind}: {vector['name']}", message_faults(kind, vector, seeds)
    for vector in vectors["resource_hashes"]:
        made = resource_hash(vector["method"], vector["url"], bytes.fromhex(vector["body"])).hex()
        name = f"resource_hashes: {vector['method']} {vector['url']}"
        yield name, [] if made == vector["hash"] else [f"hash is {made}"]
    for vector in vectors["receiver_lists"]:
        receivers = [address(text) for text in vector["receivers"]]
        yield f"receiver_lists: {vector['name']}", list_faults(vector, receivers)
    long = vectors["long_receiver_list"]
    yield f"long_receiver_list: {long['name']}", list_faults(long, long_list(long))
    for vector in vectors["refused"]:
        fields = (bytes.fromhex(vector[name]) for name in ("signed_bytes", "signature"))
        verified = verifies(address(vector["public_key"]), *fields)
        yield f"refused: {vector['name']}", ["it verifies"] if verified else []


def main():
    passed = failed = 0
    for name, faults in checks(json.loads(VECTORS.read_text(encoding="utf-8"))):
        if faults:
            failed += 1
            print(f"{name} ... FAILED: {'; '.join(faults)}")
        else:
            passed += 1
            print(f"{name} ... ok")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
