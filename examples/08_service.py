"""Start the HTTP service, ask it for a pose, stop it. Needs the extra `serve`, and httpx.

python examples/08_service.py MAP photo.jpg 8080
"""

import subprocess
import sys
import time
from contextlib import suppress

import httpx

map_folder, photo, port = sys.argv[1:] or ("MAP", "photo.jpg", "8080")
url = f"http://127.0.0.1:{port}"

command = [sys.executable, "-P", "-m", "hloc_lite", "serve", f"street={map_folder}", "--port", port]
server = subprocess.Popen(command)
is_ready = False
try:
    while not is_ready and server.poll() is None:
        time.sleep(0.5)
        with suppress(httpx.TransportError):  # not listening yet
            is_ready = httpx.get(f"{url}/ready").is_success
    with open(photo, "rb") as file:
        fields = {"frame": "unity", "budget_ms": "1000"}
        reply = httpx.post(f"{url}/v1/localize", files={"image": file}, data=fields, timeout=60)
finally:
    server.terminate()
    server.wait()

answer = reply.raise_for_status().json()
print(answer["found"], answer["status"], answer["confidence"], answer["confidence_class"])
print("position in Unity's axes:", answer["pose"]["position"] if answer["found"] else None)
