"""Client of `hloc-lite serve`: python client_example.py photo.jpg [http://127.0.0.1:8080]"""

import json
import sys
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import NoReturn


def fail(message: str) -> NoReturn:
    """Print an error, and exit with code 2."""
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


if len(sys.argv) not in (2, 3):
    fail(f"{__doc__}")
photo, server = [*sys.argv[1:], "http://127.0.0.1:8080"][:2]
if not Path(photo).is_file():
    fail(f"photo {photo} does not exist")
boundary, fields = uuid.uuid4().hex, {"frame": "opencv", "budget_ms": "1000"}
head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="photo"\r\n\r\n'
body = head.encode() + Path(photo).read_bytes()
for name, value in fields.items():
    part = f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}'
    body += part.encode()
body += f"\r\n--{boundary}--\r\n".encode()
headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
request = urllib.request.Request(server + "/v1/localize", body, headers)
try:
    answer = json.load(urllib.request.urlopen(request))
    print(answer["status"], answer["confidence"], answer["pose"] and answer["pose"]["position"])
except urllib.error.HTTPError as error:
    fail(json.load(error)["error"]["reason"])
except OSError as error:
    reason = getattr(error, "reason", error)
    fail(f"no server answers at {server} ({reason}): start one with `hloc-lite serve MAP`")
except ValueError as error:
    fail(f"{server} is no hloc-lite server ({error})")
