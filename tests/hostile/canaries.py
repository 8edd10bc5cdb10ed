"""Keys that must be seen nowhere, in every spelling, and a server that says them back wherever it can."""

import asyncio
import base64
import html
import json
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from tests.hostile.answers import Ask, whole
from tests.hostile.server import HostileServer, path_pieces

ACCESS = "ak_live_Canary1AccessKx7Lm4Wq9"
SECRET = "sk_live_Canary2SecretRz3/+Vb8"
BEARER = "hog_live_Canary3BearerTm5/+Hd2"
SONARLY = "sk_live_Canary4SonarlyPq6/+Jc4"
CANARIES = (ACCESS, SECRET, BEARER, SONARLY)
SHORT = "Zk9/xQ7+wVr2m"
"""A key that looks like none: nothing recognizes it by itself."""


def _spellings(secret: str) -> Iterable[str]:
    # The masked form shows the last four characters: what is looked for is the middle.
    core = secret[5:-4] if len(secret) > 16 else secret
    yield from (core, core[::-1], quote(core, safe=""), json.dumps(core)[1:-1].replace("/", "\\/"))
    yield core.encode().hex()
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + core.encode()).decode()
        yield encoded[4:-4]
        yield encoded[4:-4].translate(str.maketrans("+/", "-_"))


SPELLINGS = {spelt.lower() for secret in (*CANARIES, SHORT) for spelt in _spellings(secret)}


def leaks(data: bytes | str) -> set[str]:
    """Return the spellings of canaries in data; upper and lower case are one."""
    text = (data if isinstance(data, str) else data.decode("latin-1")).lower()
    return {spelt for spelt in SPELLINGS if spelt in text}


def leaking_files(folder: Path, but: Iterable[Path] = ()) -> set[Path]:
    """Return the files below a folder with a canary in name or content, but for those that hold keys by design."""
    files = [path for path in folder.rglob("*") if path.is_file() and path not in set(but)]
    return {path for path in files if leaks(path.read_bytes()) or leaks(str(path))}


def key_of(header: str) -> str:
    """Return the key in a header's value, whichever scheme it was sent by."""
    if header.startswith("Basic "):
        return base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")[2]
    return header.removeprefix("Bearer ").removeprefix("Token ")


def sent_keys(request: bytes) -> list[str]:
    lines = [line.partition(b": ") for line in request.split(b"\r\n")[1:]]
    names = (b"x-access-key", b"x-secret-key", b"x-api-token", b"authorization")
    return [key_of(value.decode()) for name, _, value in lines if name.lower() in names]


class Echo(HostileServer):
    """Says the keys of a request back: in bodies, headers, errors, IDs and destinations, in many spellings."""

    async def _answer(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        pieces = path_pieces(request)
        api = "sonarly" if "accounts" in pieces else "thehog"
        ask = Ask("sonarly" if api == "sonarly" else "thehog", pieces[-1])
        keys = self._keys(sent_keys(request))
        said = " ".join(spelt for key in keys for spelt in (
            key, key.upper(), quote(key, safe=""), quote(key), key.encode().hex(),
            *(base64.b64encode(b"x" * offset + key.encode()).decode() for offset in range(3)),
            quote(quote(key, safe=""), safe=""), html.escape(key).replace("/", "&#47;").replace("+", "&#x2b;"),
            json.dumps(json.dumps(key).replace("/", "\\/")),
        ))  # fmt: skip
        begin = keys[0] if "/" not in keys[0] else "x"
        headers = {"X-Request-Id": f"req {said}", "X-Trace-Id": said, f"X-RateLimit-Limit-{begin}": "600",
                   "Set-Cookie": f"key={keys[0]}", "Location": f"https://{keys[0]}.evil.example/{said}"}  # fmt: skip
        writer.write(self._say(ask, pieces[-1], keys, said, headers))
        await writer.drain()

    def _keys(self, sent: list[str]) -> list[str]:
        """Return the keys to say to one who sent some."""
        return sent

    def _say(self, ask: Ask, id_: str, keys: list[str], said: str, headers: dict[str, str]) -> bytes:
        error = {"code": f"E {keys[0]}", "message": said, keys[-1]: said}
        if id_ in {"operations", "search", "prospecting"}:
            row = ask.body(id="op_listed", status="queued", error=error)
            rows = {"items": [row["data"]], "nextCursor": said} if ask.provider == "sonarly" else [row]
            data = {"success": True, "data": rows, "traceId": said} if ask.provider == "sonarly" else rows
            return whole(json.dumps(data), headers=headers)
        if id_ == "accounts":
            items = [{"id": "group1", "name": said}]
            return whole(json.dumps({"success": True, "data": {"items": items}, "traceId": said}), headers=headers)
        status = {"op_unauthorized": 401, "op_redirected": 302, "op_broken": 500, "op_refused": 400}.get(id_)
        if status is not None:
            wrong = {"statusCode": status, "error": said, "message": f"the key {said} is bad", "path": said,
                     "requestId": said, "errors": [{"property": keys[0], "message": said}]}  # fmt: skip
            if ask.provider == "sonarly":
                wrong = {"success": False, "data": None, "error": error, "traceId": said}
            return whole(json.dumps(wrong), status, headers)
        stages = {said: {"status": said, "progress": 0.5}, keys[0]: {"status": "running"}}
        body = ask.body(status="failed", error=error, type=keys[0], stages=stages, result={"headers": said, said: said})
        text = json.dumps(body)
        if id_ == "op_escaped":
            for key in keys:
                text = text.replace(json.dumps(key)[1:-1], "".join(f"\\u{ord(char):04x}" for char in key))
        return whole(text, headers=headers)


class Gossip(Echo):
    """Says to each the keys of all others."""

    def _keys(self, sent: list[str]) -> list[str]:
        return [key for key in CANARIES if key not in sent]
