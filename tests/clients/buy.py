"""Buys with the Python package x402: `python buy.py <keypair file> <node> <url>`, and prints the answer as JSON. Speaks
both versions: the server's is taken."""

import asyncio
import base64
import json
import sys

from x402 import x402Client
from x402.http.clients import x402HttpxClient
from x402.mechanisms.svm.exact import register_exact_svm_client
from x402.mechanisms.svm.signers import KeypairSigner


async def buy(key_file: str, rpc_url: str, url: str) -> dict:
    with open(key_file, encoding="utf-8") as file:
        signer = KeypairSigner.from_bytes(bytes(json.load(file)))
    client = register_exact_svm_client(x402Client(), signer, rpc_url=rpc_url)
    # By default it spends real USDC and the like; the local token is another.
    client.set_spend_controls({"allowed_assets": True})
    async with x402HttpxClient(client, timeout=60) as http:
        response = await http.get(url)
    header = response.headers.get("PAYMENT-RESPONSE") or response.headers.get("X-PAYMENT-RESPONSE")
    settlement = json.loads(base64.b64decode(header)) if header else None
    return {"status": response.status_code, "body": response.text, "settlement": settlement}


print(json.dumps(asyncio.run(buy(*sys.argv[1:]))))
