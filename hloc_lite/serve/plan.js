"use strict";
// Top-down plan of the map: points, map photos, and the photos sent.
const CHI2_95 = 5.991;     // 95 % quantile of chi-square with two degrees of freedom
const MIN_ELLIPSE_PX = 6;  // smaller ellipses vanish under the camera symbol
const plans = new Map();   // by map name
let plan = null;           // the plan being drawn
let wanted = null;         // name of its map; answers to earlier requests may come later

async function showPlan(name) {
  wanted = name;
  if (!plans.has(name)) plans.set(name, await fetchJson(`/v1/maps/${encodeURIComponent(name)}/plan`));
  if (name !== wanted) return;
  plan = plans.get(name);
  $("plan-title").textContent = `Plan of map ${name}`;
  draw();
}

function project(v) { return plan.axes.map((a) => a[0] * v[0] + a[1] * v[1] + a[2] * v[2]); }

function posesOnPlan() {
  const found = shots.filter((shot) => shot.answer && shot.answer.in_map && shot.answer.map === plan.map);
  return found.sort((a, b) => (a === shown) - (b === shown));  // the one shown is drawn last
}

function draw() {
  if (!plan) return;
  const canvas = $("plan"), ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = width * ratio; canvas.height = height * ratio;
  const context = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(name).trim();
  context.scale(ratio, ratio);
  let [low, high] = plan.limits;
  const poses = posesOnPlan(), centers = poses.map((shot) => project(shot.answer.in_map.center));
  for (const center of centers) { low = low.map((v, i) => Math.min(v, center[i])); high = high.map((v, i) => Math.max(v, center[i])); }
  const scale = Math.min(width / (high[0] - low[0]), (height - 24) / (high[1] - low[1]));
  const left = (width - scale * (high[0] - low[0])) / 2, top = (height - 24 - scale * (high[1] - low[1])) / 2;
  const toPixel = ([x, y]) => [left + scale * (x - low[0]), top + scale * (high[1] - y)];
  context.globalAlpha = 0.55; context.fillStyle = color("--point");
  for (const point of plan.points) { const [x, y] = toPixel(point); context.fillRect(x, y, 1.3, 1.3); }
  context.globalAlpha = 1;
  for (const [x, y, dx, dy] of plan.cameras) drawCamera(context, toPixel([x, y]), dx, -dy, 7, color("--camera"), 1, false);
  $("k-ellipse").hidden = true;
  poses.forEach((shot, i) => {
    const [dx, dy] = project(shot.answer.in_map.looks), isShown = shot === shown;
    drawCamera(context, toPixel(centers[i]), dx, -dy, isShown ? 30 : 16, color("--query"), isShown ? 2.5 : 1.2, isShown);
    if (isShown && shot.answer.in_map.covariance) drawEllipse(context, toPixel(centers[i]), shot.answer.in_map.covariance, scale, color("--query"));
  });
  drawScaleBar(context, scale, width, height, color("--soft"));
}

function drawCamera(context, [x, y], dx, dy, size, color, width, filled) {
  const length = Math.hypot(dx, dy) || 1;
  dx *= size / length; dy *= size / length;
  context.beginPath(); context.moveTo(x, y);
  context.lineTo(x + dx - 0.47 * dy, y + dy + 0.47 * dx);
  context.lineTo(x + dx + 0.47 * dy, y + dy - 0.47 * dx);
  context.closePath();
  context.strokeStyle = context.fillStyle = color; context.lineWidth = width;
  if (filled) { context.globalAlpha = 0.25; context.fill(); context.globalAlpha = 1; }
  context.stroke();
}

function drawEllipse(context, [x, y], covariance, scale, color) {
  const row = (a, b) => a.reduce((sum, u, i) => sum + u * b.reduce((inner, v, j) => inner + v * covariance[i][j], 0), 0);
  const [ax, ay] = plan.axes, a = row(ax, ax), b = row(ax, ay), c = row(ay, ay);
  const middle = (a + c) / 2, spread = Math.hypot((a - c) / 2, b);
  const radii = [middle + spread, middle - spread].map((v) => scale * Math.sqrt(CHI2_95 * Math.max(v, 0)));
  const isSmall = radii[0] < MIN_ELLIPSE_PX;
  $("k-ellipse").hidden = false;
  $("ellipse-text").textContent = isSmall ? "95 % of positions: smaller than the symbol" : "95 % of positions";
  if (isSmall) return;
  context.strokeStyle = color; context.lineWidth = 2;
  context.beginPath(); context.ellipse(x, y, radii[0], Math.max(radii[1], 1), -Math.atan2(2 * b, a - c) / 2, 0, 2 * Math.PI); context.stroke();
}

function drawScaleBar(context, scale, width, height, color) {
  const map = maps.get(plan.map), metres = map && map.metres_per_unit;
  const perUnit = metres || 1, power = 10 ** Math.floor(Math.log10((width / 4 / scale) * perUnit));
  const units = [5, 2, 1].map((k) => k * power).find((u) => (u / perUnit) * scale <= width / 4) || power;
  const pixels = (units / perUnit) * scale;
  context.strokeStyle = context.fillStyle = color; context.lineWidth = 2;
  context.beginPath(); context.moveTo(8, height - 8); context.lineTo(8 + pixels, height - 8); context.stroke();
  context.font = "12px system-ui, sans-serif";
  context.fillText(`${units} ${metres ? "m" : "map units"}`, 14 + pixels, height - 4);
}
