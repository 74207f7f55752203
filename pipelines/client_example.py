"""Client of `hloc-lite serve`: python client_example.py photo.jpg [http://127.0.0.1:8080]"""

import json
import sys
import urllib.error
import urllib.request
import uuid
from pathlib import Path

photo, server = [*sys.argv[1:], "http://127.0.0.1:8080"][:2]
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
    sys.exit(json.load(error)["error"]["reason"])
