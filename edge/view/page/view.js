// Asks the box once a second and shows the answer. What was not answered, or could not be shown, counts as silence, and silence is said.
"use strict";

const EVERY_MS = 1000, PATIENCE_MS = 2500, SILENT_MS = 4000;
const OUTCOMES = ["accept", "reject", "review", "timeout", "fault"];

const WORDS = {
  en: {
    accept: "accept", reject: "reject", review: "review", timeout: "timeout", fault: "fault", none: "no part yet",
    last: "last part", recent: "parts before it, the latest on the right", mix: "outcomes", no_picture: "no picture",
    parts: "parts", yield: "yield", start: "since {0}", hour: "last hour", hundred: "last 100", part: "part {0}",
    latency: "time from trigger, last {0} parts", due: "due {0} ms", usual: "{0}: usually {1} ms, 99 % within {2}, longest {3}",
    decided: "verdict", driven: "gate", no_times: "{0}: none yet", timeouts: "⚠ {0} of them not decided in time",
    devices: "devices", trigger: "trigger", camera: "camera", output: "output", recipe: "recipe",
    well: "well since {0}", bad: "FAILED since {0}", unmet: "not met yet",
    models: "model", certified: "certified", uncertified: "NOT CERTIFIED", unwatched: "drift is not watched",
    drift: "no drift: evidence {0} of {1} after {2} parts", drifted: "THE PARTS HAVE DRIFTED: its certificate is void",
    no_model: "has judged no part yet",
    ledger: "ledger, since the start", sum: "{0} triggers = {1} ended + {2} on their way", kept: "{0} outcomes on the disk",
    unkept: "{0} waiting for the disk", unbalanced: "DOES NOT BALANCE", refusals: "the disk refused {0} rows",
    alarms: "alarms", calm: "none", times: "{0} times since {1}",
    starting: "starting", running: "running", silent: "STATION DOES NOT ANSWER: what is shown is old", ended: "ENDED",
    waiting: "waiting for the box", answered: "live", silence: "No answer from the box since {0}. What is shown below is old.",
    dead: "does not answer", never: "No answer from the box.",
    "accept.confident": "surely good", "reject.confident": "surely defective", "review.uncertain": "not sure: a person must look",
    "review.novel": "unlike any known part", "review.image_quality": "the picture is too poor", "review.fault": "nobody could judge it",
    "timeout.begun": "no picture in time", "timeout.captured": "no verdict in time", "timeout.judged": "no row on the disk in time",
    "timeout.late": "decided too late for the gate", "fault.camera": "no picture", "fault.picture": "the picture cannot be read",
    "fault.internal": "an error in the program", "fault.output": "the gate did not take it", "fault.recipe": "no recipe for this product",
    "fault.missed": "too close behind another part", "fault.unseen": "passed while nobody looked", "fault.ledger": "the disk refused its row",
    "fault.overrun": "too many parts on their way",
  },
  zh: {
    accept: "合格", reject: "剔除", review: "复检", timeout: "超时", fault: "故障", none: "尚无工件",
    last: "最新工件", recent: "此前的工件，最右为最新", mix: "结果", no_picture: "无图像",
    parts: "工件", yield: "合格率", start: "自 {0} 起", hour: "最近一小时", hundred: "最近 100 件", part: "工件 {0}",
    latency: "触发后用时，最近 {0} 件", due: "期限 {0} 毫秒", usual: "{0}：通常 {1} 毫秒，99% 在 {2} 内，最长 {3}",
    decided: "判定", driven: "闸门", no_times: "{0}：尚无", timeouts: "⚠ 其中 {0} 件未及时判定",
    devices: "设备", trigger: "触发", camera: "相机", output: "输出", recipe: "配方",
    well: "自 {0} 起正常", bad: "自 {0} 起故障", unmet: "尚未连接",
    models: "模型", certified: "已认证", uncertified: "未认证", unwatched: "未监测漂移",
    drift: "无漂移：证据 {0} / {1}，共 {2} 件", drifted: "工件已漂移：认证失效",
    no_model: "尚未判定任何工件",
    ledger: "账目（自启动起）", sum: "触发 {0} = 已结束 {1} + 在途 {2}", kept: "{0} 条结果已写入磁盘",
    unkept: "{0} 条等待写入", unbalanced: "账目不平", refusals: "磁盘拒绝了 {0} 条",
    alarms: "报警", calm: "无", times: "自 {1} 起 {0} 次",
    starting: "启动中", running: "运行中", silent: "工位无响应：所示内容已过时", ended: "已结束",
    waiting: "等待设备", answered: "实时", silence: "自 {0} 起设备无响应。以下内容已过时。",
    dead: "无响应", never: "设备无响应。",
    "accept.confident": "确定合格", "reject.confident": "确定有缺陷", "review.uncertain": "不确定：需人工判断",
    "review.novel": "与已知工件不同", "review.image_quality": "图像质量不足", "review.fault": "无法判定",
    "timeout.begun": "未及时得到图像", "timeout.captured": "未及时判定", "timeout.judged": "记录未及时写入磁盘",
    "timeout.late": "判定过晚", "fault.camera": "无图像", "fault.picture": "图像无法读取",
    "fault.internal": "程序错误", "fault.output": "闸门未执行", "fault.recipe": "该产品无配方",
    "fault.missed": "与前一工件过近", "fault.unseen": "无人监测时通过", "fault.ledger": "磁盘拒绝记录",
    "fault.overrun": "在途工件过多",
  },
};
const LANGUAGE = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
const LOCALE = LANGUAGE === "zh" ? "zh-CN" : "en-GB";
const NUMBER = new Intl.NumberFormat(LOCALE), SHARE = new Intl.NumberFormat(LOCALE, {style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1});

/** A phrase in the reader's language; an unknown key is shown as it is. */
function say(key, ...values) {
  return (WORDS[LANGUAGE][key] ?? key).replace(/\{(\d)\}/g, (_, place) => values[place]);
}

function clock(utc) {
  const then = new Date(utc), today = then.toDateString() === new Date().toDateString();
  const time = then.toLocaleTimeString(LOCALE, {hour12: false});
  return today ? time : `${then.toLocaleDateString(LOCALE, {day: "numeric", month: "short"})} ${time}`;
}

function ms(value) {
  return value < 10 ? value.toFixed(1) : NUMBER.format(Math.round(value));
}

/** An element with classes, and children or text. */
function make(name, classes, ...inside) {
  const made = document.createElement(name);
  made.className = classes;
  made.append(...inside);
  return made;
}

function icon(outcome) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#${outcome}`);
  svg.setAttribute("class", `icon ${outcome}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", say(outcome));
  svg.append(use);
  return svg;
}

// --- one station

function field(card, name) {
  return card.querySelector(`[data-f="${name}"]`);
}

function text(card, name, value) {
  const where = field(card, name);
  if (where.textContent !== value) where.textContent = value;
}

function newCard(name) {
  const card = document.getElementById("station").content.cloneNode(true).firstElementChild;
  card.dataset.station = name;
  for (const one of card.querySelectorAll("[data-t]")) one.textContent = say(one.dataset.t);
  for (const one of card.querySelectorAll("[data-t-label]")) one.setAttribute("aria-label", say(one.dataset.tLabel));
  text(card, "name", name);
  document.getElementById("stations").append(card);
  return card;
}

function showStation(station) {
  const card = document.querySelector(`[data-station="${station.name}"]`) ?? newCard(station.name);
  text(card, "state", [say(station.state), station.error].filter(Boolean).join(": "));
  field(card, "state").className = `state ${station.state === "running" || station.state === "starting" ? "" : "bad"}`;
  card.classList.toggle("stale", station.state === "silent");
  showLast(card, station.last);
  field(card, "recent").replaceChildren(...[...station.recent].reverse().map((outcome) => make("li", "", icon(outcome))));
  showCounts(card, station);
  showLatency(card, station.latency, station.due_ms);
  field(card, "devices").replaceChildren(...station.health.map(device));
  field(card, "models").replaceChildren(...(station.models.length ? station.models.map(model) : [make("li", "", say("no_model"))]));
  showLedger(card, station.ledger);
  field(card, "alarms").replaceChildren(...(station.alarms.length ? station.alarms.map(alarm) : [make("li", "zero", say("calm"))]));
}

function showLast(card, last) {
  const outcome = last?.outcome ?? "none";
  card.querySelector(".last").className = `last ${outcome}`;
  field(card, "shape").setAttribute("href", `#${outcome}`);
  text(card, "verdict", say(outcome));
  const label = last?.label && outcome === "reject" ? `: ${last.label}` : "";
  text(card, "reason", last ? (WORDS[LANGUAGE][`${outcome}.${last.reason}`] ?? last.reason) + label : "");
  text(card, "part", last ? say("part", NUMBER.format(last.part)) : "");
  text(card, "at", last ? clock(last.at) : "");
  text(card, "detail", last?.detail ?? "");
  showPicture(field(card, "picture"), field(card, "no-picture"), last);
}

/** An old picture never stands beside a new verdict; the place is dark until the new one is there. */
function showPicture(img, without, last) {
  const wanted = last?.picture ?? "";
  if (img.dataset.wanted === wanted) return;
  img.dataset.wanted = wanted;
  img.style.visibility = "hidden";
  const shown = (there) => {
    if (img.dataset.wanted !== wanted) return;
    img.hidden = !there;
    img.style.visibility = there ? "visible" : "hidden";
    without.hidden = there;
  };
  if (!wanted) {
    shown(false);
    return;
  }
  const next = new Image();
  next.onload = () => {
    if (img.dataset.wanted !== wanted) return;
    img.src = next.src;
    img.alt = `${say("part", last.part)}: ${say(last.outcome)}`;
    shown(true);
  };
  next.onerror = () => shown(false);
  next.src = wanted;
}

function showCounts(card, station) {
  const rows = [["start", say("start", clock(station.since))], ["hour", say("hour")], ["hundred", say("hundred")]];
  field(card, "counts").replaceChildren(...rows.map(([window, name]) => {
    const counts = station.counts[window];
    const head = make("th", "", name);
    head.scope = "row";
    const stack = make("div", "stack");
    for (const outcome of OUTCOMES.filter((one) => counts[one])) {
      const part = make("i", outcome);
      part.style.flexGrow = counts[outcome];
      stack.append(part);
    }
    const tally = make("ul", "tally", ...OUTCOMES.map((one) => make("li", counts[one] ? "" : "zero", icon(one), NUMBER.format(counts[one]))));
    return make("tr", "", head, make("td", "share", counts.yield === null ? "–" : SHARE.format(counts.yield)), make("td", "mix", stack, tally));
  }));
}

function showLatency(card, latency, due) {
  card.querySelector(".latency h3").textContent = say("latency", NUMBER.format(latency.parts));
  text(card, "due", say("due", ms(due)));
  const bins = latency.decided.counts.length, wide = 500 / bins;
  const marks = [];
  for (const [name, base] of [["decided", 60], ["driven", 130]]) {
    const counts = latency[name].counts, most = Math.max(1, ...counts);
    counts.forEach((count, bin) => {
      if (count) marks.push(shape("rect", {class: name, x: bin * wide + 1, width: wide - 2, y: base - Math.max(3, 54 * count / most), height: Math.max(3, 54 * count / most)}));
    });
    marks.push(shape("line", {class: "axis", x1: 0, x2: 500, y1: base, y2: base}));
    const {p50_ms, p99_ms, max_ms} = latency[name];
    text(card, name, p50_ms === null ? say("no_times", say(name)) : say("usual", say(name), ms(p50_ms), ms(p99_ms), ms(max_ms)));
  }
  const at = 500 * due / (latency.bin_ms * bins);
  marks.push(shape("line", {class: "due-line", x1: at, x2: at, y1: -4, y2: 130}));
  field(card, "chart").replaceChildren(...marks);
  text(card, "timeouts", latency.timeouts ? say("timeouts", NUMBER.format(latency.timeouts)) : "");
}

function shape(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function marked(well, ...inside) {
  const mark = make("span", "mark", well === null ? "○" : well ? "✓" : "▲");
  mark.setAttribute("aria-hidden", "true");
  return make("li", well === null ? "" : well ? "well" : "bad", mark, ...inside);
}

function device(one) {
  const [kind, number] = one.what.split(" ");
  const name = [say(kind), number].filter(Boolean).join(" ");
  const state = one.well === null ? say("unmet") : say(one.well ? "well" : "bad", clock(one.since));
  const line = marked(one.well, make("b", "", name), ` ${state}`);
  if (one.error) line.append(make("small", "", one.error));
  return line;
}

function model(one) {
  const line = marked(one.certified, make("b", "", one.name || one.bundle.slice(0, 20)), ` ${say(one.certified ? "certified" : "uncertified")}`);
  if (!one.drift) {
    line.append(make("small", "", say("unwatched")));
    return line;
  }
  const {alarm: drifted, log_capital: capital, alarm_at: limit, parts} = one.drift;
  const meter = make("span", "meter", make("i", ""));
  meter.firstElementChild.style.width = `${drifted ? 100 : Math.min(100, Math.max(0, 100 * capital / limit))}%`;
  const words = drifted ? say("drifted") : say("drift", Math.max(0, capital ?? 0).toFixed(1), limit.toFixed(1), NUMBER.format(parts));
  line.append(meter, make("small", "", words));
  return line;
}

function showLedger(card, ledger) {
  const sum = say("sum", ...[ledger.triggers, ledger.ended, ledger.on_their_way].map((one) => NUMBER.format(one)));
  const lines = [marked(ledger.balanced, ledger.balanced ? sum : `${say("unbalanced")}: ${sum}`)];
  const waiting = ledger.ended - ledger.kept, kept = say("kept", NUMBER.format(ledger.kept));
  lines.push(marked(ledger.refusals === 0, waiting ? `${kept}, ${say("unkept", NUMBER.format(waiting))}` : kept));
  if (ledger.refusals) lines.push(marked(false, make("b", "", say("refusals", NUMBER.format(ledger.refusals)))));
  field(card, "ledger").replaceChildren(...lines);
}

function alarm(one) {
  const line = make("li", "", make("time", "", clock(one.at)), one.what);
  if (one.times > 1) line.append(make("small", "", say("times", NUMBER.format(one.times), clock(one.first_at))));
  return line;
}

// --- the box, and its silence

let answered = 0;

function show(status) {
  const names = new Set(status.stations.map((one) => one.name));
  for (const card of document.querySelectorAll(".station")) if (!names.has(card.dataset.station)) card.remove();
  status.stations.forEach(showStation);
  const first = status.stations[0];
  document.title = first?.last ? `${say(first.last.outcome)} · ${first.name} ${first.last.part}` : "Loupe";
}

async function ask() {
  try {
    const answer = await fetch("/status.json", {cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS)});
    if (!answer.ok) throw new Error(`the box answered ${answer.status}`);
    show(await answer.json());
    answered = Date.now();
  } catch (error) {
    console.warn(error);
  }
  lookAlive();
  setTimeout(ask, EVERY_MS); // one question at a time, so that no older answer overtakes a newer one
}

/** Everything that tells a living page from a dead one, also while an answer is waited for. */
function lookAlive() {
  const silent = Date.now() - answered > SILENT_MS, banner = document.getElementById("silence");
  document.body.className = silent ? (answered ? "stale" : "waiting") : "";
  const words = answered ? say("silence", clock(answered)) : say("never");
  banner.hidden = !silent || (!answered && performance.now() < SILENT_MS);
  if (!banner.hidden && banner.textContent !== words) banner.textContent = words;
  if (!banner.hidden) document.title = `⚠ ${words}`;
  document.getElementById("live-words").textContent = silent ? say(answered ? "dead" : "waiting") : `${say("answered")} · ${clock(answered)}`;
}

document.documentElement.lang = LANGUAGE === "zh" ? "zh-CN" : "en";
document.getElementById("live-words").textContent = say("waiting");
ask();
setInterval(lookAlive, 500);
