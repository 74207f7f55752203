"""Start the HTTP service, ask it for a pose, stop it. Needs the extra `serve`, and httpx.

python examples/08_service.py MAP photo.jpg 8080
"""

import subprocess
import sys
import time

import httpx

map_folder, photo, port = sys.argv[1:] or ("MAP", "photo.jpg", "8080")
url = f"http://127.0.0.1:{port}"

command = [sys.executable, "-m", "hloc_lite", "serve", f"street={map_folder}", "--port", port]
server = subprocess.Popen(command)
try:
    while server.poll() is None:  # until the map is open
        try:
            if httpx.get(f"{url}/ready").status_code == 200:
                break
        except httpx.TransportError:
            time.sleep(0.2)  # not listening yet
    with open(photo, "rb") as file:
        fields = {"frame": "unity", "budget_ms": "1000"}
        reply = httpx.post(f"{url}/v1/localize", files={"image": file}, data=fields, timeout=60)
finally:
    server.terminate()
    server.wait()

answer = reply.raise_for_status().json()
print(answer["found"], answer["status"], answer["confidence"], answer["confidence_class"])
print("position in Unity's axes:", answer["pose"]["position"] if answer["found"] else None)
