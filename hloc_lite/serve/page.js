const $ = (id) => document.getElementById(id);
const MAX_LINES = 60;      // match lines drawn; more would hide the photos
const maps = new Map();    // entries of GET /v1/maps by name
const mapPhotos = new Map(); // object URL or null by map and image
const shots = [];          // {file, url, state, answer, error, ms, element}
let shown = null;          // the shot whose result is shown
let isBusy = false;        // photos are sent one after the other: the server localizes one at a time
let settings = 0;          // counts changes of map, frame or camera; older answers are dropped

async function request(path, options = {}) {
  const token = $("token").value.trim();
  const headers = token ? { Authorization: "Bearer " + token } : {};
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    throw new Error("The server does not respond");
  }
  if (response.ok) return response;
  const type = response.headers.get("Content-Type") || "";
  const body = type.startsWith("application/json") ? await response.json() : null;
  throw new Error(body && body.error ? body.error.reason : `HTTP ${response.status}`);
}

async function fetchJson(path, options) { return (await request(path, options)).json(); }

async function start() {
  try {
    const frames = await fetchJson("/v1/frames");
    const frame = $("frame").value;
    $("frame").replaceChildren(...Object.keys(frames).map((name) => new Option(name, name)));
    if (frame) $("frame").value = frame;
    const isReady = (await fetch("/ready")).ok;  // asked first: a map may open meanwhile
    const list = (await fetchJson("/v1/maps")).maps;
    for (const map of list) maps.set(map.name, map);
    const selected = $("map").value;
    $("map").replaceChildren($("map").options[0], ...list.map((m) => new Option(`${m.name} (${m.images} photos)`, m.name)));
    $("map").value = selected;
    if (!isReady) setTimeout(start, 1500);
    if (!list.length) { $("about").textContent = "The maps are being opened."; return; }
    $("about").textContent = list.map((m) => `${m.name}: ${m.images} photos, ${m.points.toLocaleString("en")} points.`).join(" ");
    if (!plan) await showPlan(list[0].name);
  } catch (error) {
    $("about").textContent = error.message + ".";
  }
}

// ---- photos -------------------------------------------------------------------------------

function addFiles(files) {
  const photos = [...files].filter((file) => file.type.startsWith("image/") || !file.type);
  if (!photos.length) {
    if (files.length) showStatus("Not a photo", "bad", `${files[0].name} is ${files[0].type || "no image"}`);
    return;
  }
  const added = photos.map((file) => ({ file, url: URL.createObjectURL(file), state: "waiting" }));
  shots.push(...added);
  for (const shot of added) $("shots").append(shotRow(shot));
  $("shots-card").hidden = shots.length < 2;
  show(added[0]);
  work();
}

function shotRow(shot) {
  const row = document.createElement("li"), button = document.createElement("button");
  const image = document.createElement("img"), name = document.createElement("span"), state = document.createElement("span");
  image.src = shot.url; image.alt = "";
  name.textContent = shot.file.name || "pasted photo"; name.className = "name";
  button.type = "button"; button.append(image, name, state); row.append(button);
  button.addEventListener("click", () => show(shot));
  shot.element = button;
  updateRow(shot);
  return row;
}

function updateRow(shot) {
  const [kind, words] = kindOf(shot), state = shot.element.lastChild;
  state.textContent = words; state.className = kind;
  shot.element.setAttribute("aria-current", String(shot === shown));
  const given = shots.filter((each) => each.answer && each.answer.found).length;
  $("shots-title").textContent = `${given} of ${shots.length} photos localized`;
}

function kindOf(shot) {
  if (shot.state === "failed") return ["bad", "failed"];
  if (shot.state !== "done") return ["", shot.state === "sent" ? "localizing…" : "waiting"];
  const { found, status, confidence } = shot.answer;
  const words = status.replaceAll("_", " ") + (confidence === null ? "" : ` ${percent(confidence)}`);
  return [found ? "good" : status === "doubtful" ? "doubt" : "bad", words];
}

function percent(p) { return `${(Math.floor(1000 * p) / 10).toFixed(1)} %`; }  // 99.96 % is no certainty

async function work() {
  if (isBusy) return;
  isBusy = true;
  for (let shot; (shot = next()); ) await localize(shot);
  isBusy = false;
}

function next() {
  if (shown && shown.state === "waiting") return shown;
  return shots.find((shot) => shot.state === "waiting");
}

function askAgain() {
  settings += 1;
  for (const shot of shots) { shot.state = "waiting"; shot.answer = null; updateRow(shot); }
  if (shown) show(shown);
  work();
}

async function localize(shot) {
  const asked = settings, form = new FormData(), start = performance.now();
  form.append("image", shot.file);
  form.append("matches", "true");
  for (const id of ["camera", "frame"]) if ($(id).value.trim()) form.append(id, $(id).value.trim());
  if ($("map").value) form.append("maps", JSON.stringify([$("map").value]));
  shot.state = "sent"; refresh(shot);
  let answer = null, error = null;
  try {
    answer = await fetchJson("/v1/localize", { method: "POST", body: form });
  } catch (failure) {
    error = failure.message;
  }
  if (asked !== settings) { shot.state = "waiting"; return; }
  Object.assign(shot, { answer, error, state: error ? "failed" : "done", ms: performance.now() - start });
  refresh(shot);
}

function refresh(shot) { updateRow(shot); if (shot === shown) show(shot); }

// ---- the result shown ---------------------------------------------------------------------

function show(shot) {
  const before = shown;
  shown = shot;
  if (before && before !== shot) updateRow(before);
  updateRow(shot);
  $("preview").src = shot.url; $("preview").hidden = false;
  $("hint").textContent = shot.file.name || "pasted photo";
  if (shot.state === "done") { showAnswer(shot); return; }
  const words = { failed: "Request failed", sent: "Localizing…", waiting: "Waiting" }[shot.state];
  showStatus(words, shot.state === "failed" ? "bad" : "", shot.error || "");
  draw();
}

function showStatus(status, kind, reason) {
  $("status").textContent = status; $("status").className = "status " + kind;
  $("reason").textContent = reason;
  $("facts").replaceChildren(); $("all").hidden = true; $("pair-figure").hidden = true;
}

function lengths(values, name) {
  const metres = maps.get(name) && maps.get(name).metres_per_unit;
  const text = values.map((x) => x.toFixed(3)).join(", ") + " map units";
  return metres && values.length === 1 ? `${text} (${(values[0] * metres).toFixed(2)} m)` : text;
}

function showAnswer(shot) {
  const { answer, ms } = shot;
  const kind = answer.found ? "good" : answer.status === "doubtful" ? "doubt" : "bad";
  showStatus(answer.found ? "Localized" : `Not localized: ${answer.status.replaceAll("_", " ")}`, kind, answer.reason);
  const format = (v, digits) => v.map((x) => x.toFixed(digits)).join(", ");
  const rows = [["Map", answer.map]];
  if (answer.confidence !== null) rows.push(["Confidence", `${percent(answer.confidence)}, ${answer.confidence_class}`]);
  if (answer.pose) rows.push(["Position", lengths(answer.pose.position, answer.map)],
    ["Rotation xyzw", format(answer.pose.rotation_xyzw, 5)], ["Convention", answer.pose.convention]);
  if (answer.covariance) rows.push(["Uncertainty (1σ)", `${lengths([Math.hypot(...answer.covariance.position_std)], answer.map)}, ${answer.covariance.rotation_std_deg.toFixed(3)}°`]);
  if (answer.geopose) { const p = answer.geopose.position; rows.push(["Lat, lon, height", `${p.lat.toFixed(7)}°, ${p.lon.toFixed(7)}°, ${p.h.toFixed(2)} m`]); }
  if (answer.camera) rows.push(["Camera", `${answer.camera.model} ${answer.camera.width} × ${answer.camera.height}: ${format(answer.camera.params, 2)}`]);
  if (answer.maps.length > 1) rows.push(["All maps", answer.maps.map((m) => `${m.map}: ${m.status.replaceAll("_", " ")}${m.confidence === null ? "" : " " + percent(m.confidence)}`).join("; ")]);
  rows.push(["Time", `${answer.times_ms.total.toFixed(0)} ms in the server, ${ms.toFixed(0)} ms in total`]);
  if (answer.skipped.length) rows.push(["Skipped", answer.skipped.join("; ")]);
  $("facts").replaceChildren(...rows.map(([name, value]) => {
    const row = document.createElement("tr");
    for (const text of [name, value]) row.insertCell().textContent = text;
    return row;
  }));
  $("json").textContent = JSON.stringify(answer, null, 1); $("all").hidden = false;
  showPlan(answer.map).catch(() => {});
  if (answer.matches) showPair(shot).catch(() => {});
}

// ---- matches ------------------------------------------------------------------------------

async function mapPhoto(name, image) {
  const key = name + "\n" + image, map = maps.get(name);
  if (!map || !map.photos) return null;
  if (!mapPhotos.has(key)) {
    const path = image.split("/").map(encodeURIComponent).join("/");
    try {
      const reply = await request(`/v1/maps/${encodeURIComponent(name)}/photos/${path}`);
      mapPhotos.set(key, await createImageBitmap(await reply.blob()));
    } catch (error) {
      mapPhotos.set(key, null);
    }
  }
  return mapPhotos.get(key);
}

async function showPair(shot) {
  const { answer } = shot, { matches } = answer;
  const [query, other] = await Promise.all([createImageBitmap(shot.file), mapPhoto(answer.map, matches.image)]);
  if (shot !== shown || shot.answer !== answer) return;
  $("pair-figure").hidden = false;
  const canvas = $("pair"), ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, gap = 6;
  const size = (w, h) => { const s = Math.min((width - gap) / 2 / w, 320 / h); return { s, w: s * w, h: s * h }; };
  const camera = answer.camera || { width: query.width, height: query.height };
  const left = size(camera.width, camera.height), right = size(matches.width, matches.height);
  const height = Math.max(left.h, right.h);
  canvas.style.height = `${height}px`; canvas.width = width * ratio; canvas.height = height * ratio;
  const context = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
  context.scale(ratio, ratio);
  context.drawImage(query, 0, 0, left.w, left.h);
  const x0 = left.w + gap;
  if (other) context.drawImage(other, x0, 0, right.w, right.h);
  else { context.strokeStyle = style.getPropertyValue("--line"); context.strokeRect(x0, 0.5, right.w - 1, right.h - 1); }
  const step = Math.ceil(matches.query_points.length / MAX_LINES);
  context.lineWidth = 1; context.globalAlpha = 0.75;
  matches.query_points.forEach(([x, y], i) => {
    const [u, v] = matches.map_points[i], from = [x * left.s, y * left.s], to = [x0 + u * right.s, v * right.s];
    context.strokeStyle = context.fillStyle = `hsl(${160 + (140 * i) / matches.query_points.length} 80% 55%)`;
    for (const point of [from, to]) { context.beginPath(); context.arc(...point, 1.6, 0, 2 * Math.PI); context.fill(); }
    if (i % step === 0) { context.beginPath(); context.moveTo(...from); context.lineTo(...to); context.stroke(); }
  });
  const what = matches.are_inliers ? "inliers" : "correspondences, none of them confirmed,";
  const missing = other ? "" : maps.get(answer.map) && maps.get(answer.map).photos ? " Its photo cannot be shown." : " Start the server with --photos to see its photo.";
  $("pair-caption").textContent = `${matches.num_shared} ${what} shared with ${matches.image} (retrieved as number ${matches.rank}).${missing}`;
}

// ---- events -------------------------------------------------------------------------------

$("file").addEventListener("change", (event) => { addFiles(event.target.files); event.target.value = ""; });
for (const type of ["dragover", "drop", "dragleave"]) document.addEventListener(type, (event) => {
  event.preventDefault();  // else a photo dropped beside the form replaces the page
  const leaves = type !== "dragover" && !(type === "dragleave" && event.relatedTarget);
  if (type === "dragover" || leaves) document.body.classList.toggle("over", !leaves && event.dataTransfer.types.includes("Files"));
  if (type === "drop") addFiles(event.dataTransfer.files);
});
document.addEventListener("paste", (event) => { if (event.clipboardData.files.length) addFiles(event.clipboardData.files); });
$("map").addEventListener("change", () => { if ($("map").value) showPlan($("map").value).catch(() => {}); askAgain(); });
for (const id of ["frame", "camera"]) $(id).addEventListener("change", askAgain);
$("token").addEventListener("change", () => { start(); if (shots.some((shot) => shot.state === "failed")) askAgain(); });
window.addEventListener("resize", () => { draw(); if (shown && shown.answer && shown.answer.matches) showPair(shown); });
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
start();
