"""Puts `hostile-facilitator` between a merchant and its verifier: `python hostile.py <verifier> <port>`. What the verifier
settled is told to the hostile facilitator under the signature that pays, and its answer, or silence, is the merchant's.

The suite counts payments by that signature: one of a purchase that is sent again is the same, and another is another.
With `POST /hostile {"url", "timeout"}` the one to ask is named anew, for each of its modes."""

import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException, IncompleteRead
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

verifier, port = sys.argv[1:]
hostile = {"url": "", "timeout": 5.0, "paid": "", "gone": False}


def ask(url: str, body: bytes | None, headers: dict[str, str], timeout: float) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            try:
                return response.status, dict(response.headers), response.read()
            except IncompleteRead as cut:
                return response.status, dict(response.headers), cut.partial
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def settles(answer: bytes) -> bool:
    return json.loads(answer).get("success") is True


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/payments/") and hostile["paid"]:
            hostile["gone"] = False
            nonce = urllib.parse.quote(hostile["paid"], safe="")
            status, headers, answer = ask(f"{hostile['url']}/reconcile?nonce={nonce}", None, {}, hostile["timeout"])
            if not self.is_found(status, answer):
                return self.give(status, headers, answer)
        self.give(*ask(verifier + self.path, None, self.passed_on(), 60))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/hostile":
            hostile.update(json.loads(body), paid="", gone=False)
            return self.give(200, {}, b"{}")
        settled = ask(verifier + self.path, body, self.passed_on(), 60)
        payload = json.loads(body).get("paymentPayload", {}).get("payload", {}) if self.path == "/settle" else {}
        # Captures and releases are the merchant's.
        if "signature" not in payload or payload.get("type") in ("capture", "void", "close"):
            return self.give(*settled)
        if not hostile["url"] or not settles(settled[2]):
            return self.give(*settled)
        hostile["paid"] = payload["signature"]
        if hostile["gone"]:
            return self.give(504, {}, b"{}")
        headers = {"Content-Type": "application/json", "Idempotency-Key": payload["signature"]}
        try:
            status, answer_headers, answer = ask(hostile["url"] + "/settle", body, headers, hostile["timeout"])
        except (OSError, HTTPException):
            self.close_connection = True
            return None
        # A gateway that timed out is gone until somebody asks what became of the payment.
        hostile["gone"] = status == 504
        self.give(*settled) if status == 200 else self.give(status, answer_headers, answer)
        return None

    @staticmethod
    def is_found(status: int, answer: bytes) -> bool:
        try:
            return status == 200 and json.loads(answer).get("found") is True
        except ValueError:
            return False

    def passed_on(self) -> dict[str, str]:
        return {name: value for name, value in self.headers.items() if name.lower() not in ("host", "content-length")}

    def give(self, status: int, headers: dict[str, str], answer: bytes) -> None:
        self.send_response(status)
        for name in ("Content-Type", "Retry-After"):
            if name in headers:
                self.send_header(name, headers[name])
        # As long as it was to be: what was cut off stays cut off.
        self.send_header("Content-Length", headers.get("Content-Length", str(len(answer))))
        self.end_headers()
        self.wfile.write(answer)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
