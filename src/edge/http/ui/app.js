// SPDX-License-Identifier: Apache-2.0
// The page of a node: everything comes from its API, and nothing from anywhere else. Texts become text nodes, never
// markup, so nothing that a node, a feed or a person is called can do anything here.

const REFRESH_MS = 2000;
const PHASES = ["pending", "evacuating", "stopping", "safe"];
const OVER = new Set(["done", "cancelled", "failed"]);
const RING = 2 * Math.PI * 54;

const state = {
  cluster: null, nodes: [], feeds: [], drains: new Map(), plan: null, contact: "connecting", trouble: "", heard: 0,
  streams: new Map(), restarted: new Map(), view: "overview",
};

// ---- small things -------------------------------------------------------------------------------------------------

const $ = (id) => document.getElementById(id);

function h(tag, props, ...children) {
  const svg = ["svg", "circle", "text"].includes(tag);
  const el = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) el.addEventListener(key.slice(2), value);
    else if (key === "value") el.value = value;
    else el.setAttribute(key, value === true ? "" : value);
  }
  el.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return el;
}

const show = (id, ...children) => $(id).replaceChildren(...children.flat().filter(Boolean));
const number = (n) => (n === null || n === undefined ? "–" : n.toLocaleString("en"));

function span(ms) {
  if (ms === null || ms === undefined) return "–";
  const s = ms / 1000;
  if (s < 1) return `${Math.round(ms)} ms`;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.floor(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

// What fits into a ring, and promises no more than an estimate can.
const roughly = (ms) => (ms < 60000 ? span(ms) : ms < 3600000 ? `${Math.round(ms / 60000)} min` : `${Math.round(ms / 3600000)} h`);
const many = (n, word) => `${number(n)} ${word}${n === 1 ? "" : "s"}`;
const upper = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const ago = (iso) => (iso ? span(Date.now() - Date.parse(iso)) : "–");
const moment = (iso) => (iso ? new Date(iso).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" }) : "–");
const nameOf = (node) => node.name || node.id.slice(0, 8);
const nameOfId = (id) => nameOf(state.nodes.find((n) => n.id === id) ?? { id });

function notice(text, kind) {
  const el = h("p", { class: "notice", "data-kind": kind ?? "bad" }, text);
  $("notices").replaceChildren(el);
  setTimeout(() => el.remove(), 9000);
}

// ---- the API ------------------------------------------------------------------------------------------------------

class ApiError extends Error {
  constructor(status, body) {
    super(body?.error_msg ? [body.error_msg, body.remedy].filter(Boolean).join(": ") : `the node answered ${status}`);
    this.status = status;
    this.body = body;
  }
}

async function api(method, path, body) {
  const answer = await fetch(path, {
    method, headers: body ? { "Content-Type": "application/json" } : {}, body: body ? JSON.stringify(body) : undefined,
    signal: AbortSignal.timeout(method === "GET" ? 8000 : 60000),
  });
  const json = await answer.json().catch(() => null);
  if (!answer.ok) throw new ApiError(answer.status, json);
  return json;
}

async function refresh() {
  try {
    const cluster = await api("GET", "/api/v2/cluster"); // says best what is wrong, if something is
    const [nodes, feeds, drains] = await Promise.all([
      api("GET", "/api/v2/nodes"),
      api("GET", "/api/v2/changefeeds?state=all"), api("GET", "/api/v2/drains"),
    ]);
    state.cluster = cluster;
    state.nodes = nodes.items.sort((a, b) => nameOf(a).localeCompare(nameOf(b), "en", { numeric: true }));
    state.feeds = feeds.items;
    takeDrains(drains.items);
    if (state.view === "restart") state.plan = await api("GET", "/api/v2/cluster/restart-plan");
    state.contact = "live";
    state.heard = Date.now();
  } catch (error) {
    state.contact = error instanceof ApiError ? "waiting" : "lost";
    state.trouble = error instanceof ApiError ? error.message : "This node does not answer";
  }
  render();
}

function takeDrains(items) {
  const listed = new Set(items.map((d) => d.id));
  for (const id of state.drains.keys()) if (!listed.has(id)) state.drains.delete(id);
  for (const d of items) {
    state.drains.set(d.id, d);
    if (!OVER.has(d.phase)) watch(d.id);
  }
}

// One stream per open drain; the browser opens it again by itself when it breaks.
function watch(id) {
  if (state.streams.has(id)) return;
  const stream = new EventSource(`/api/v2/drains/${encodeURIComponent(id)}/events`);
  state.streams.set(id, stream);
  const take = (event) => {
    const drain = JSON.parse(event.data);
    state.drains.set(drain.id, drain);
    renderDrains();
  };
  const end = () => {
    stream.close();
    state.streams.delete(id);
  };
  stream.addEventListener("drain", take);
  stream.addEventListener("end", (event) => { take(event); end(); refresh(); });
  // A message of ours ends the stream; without data it is the connection, and the browser tries again.
  stream.addEventListener("error", (event) => { if (event.data || stream.readyState === EventSource.CLOSED) end(); });
}

// ---- overview -----------------------------------------------------------------------------------------------------

const openDrains = () => [...state.drains.values()].filter((d) => !OVER.has(d.phase));
const drainOf = (node) => openDrains().find((d) => d.node.id === node.id);

function tile(label, value, note) {
  return h("div", { class: "card tile" }, h("div", { class: "tile-label" }, label),
    h("div", { class: "tile-value" }, value), h("div", { class: "tile-note" }, note));
}

function renderTiles() {
  const c = state.cluster;
  if (!c) return;
  const bad = state.feeds.filter((f) => f.state === "failed" || f.state === "warning").length;
  const open = openDrains();
  const safe = open.filter((d) => d.safe_to_stop).length;
  show("tiles",
    tile("Nodes", number(c.nodes), c.nodes_silent ? `${c.nodes_silent} silent` : `${c.owner.name || "nobody"} coordinates`),
    tile("Feeds", number(state.feeds.length), bad ? `${bad} with problems` : "all in order"),
    tile("Dispatchers", number(c.dispatchers), c.dispatchers === null ? "a node has not reported" : many(c.maintainers, "maintainer")),
    tile("Drains", number(open.length), safe ? `${safe} safe to stop` : open.length ? "running" : "none running"));
}

const TONES = { alive: "good", draining: "warn", stopping: "warn", unknown: "bad" };

function nodePill(n) {
  const drain = drainOf(n);
  if (drain?.safe_to_stop) return h("span", { class: "pill", "data-tone": "good" }, "safe to stop");
  return h("span", { class: "pill", "data-tone": TONES[n.liveness] ?? "bad" }, n.liveness === "unknown" ? "silent" : n.liveness);
}

function fact(label, value) {
  return h("div", {}, h("dt", {}, label), h("dd", {}, value));
}

function nodeCard(n) {
  const drain = drainOf(n);
  const button = drain
    ? h("button", { class: "do", type: "button", disabled: !canUndrain(drain), title: whyNoUndrain(drain), onclick: () => askUndrain(drain) }, "Undrain")
    : h("button", { class: "do", type: "button", "data-kind": "danger", onclick: () => askDrain(n), disabled: n.liveness === "unknown" }, "Drain…");
  button.setAttribute("aria-label", `${drain ? "Undrain" : "Drain"} ${nameOf(n)}`);
  return h("article", { class: "card node", "data-state": drain?.safe_to_stop ? "safe" : n.liveness, "data-node": nameOf(n) },
    h("div", { class: "node-head" },
      h("div", {},
        h("div", { class: "node-name" }, nameOf(n), n.is_owner && h("span", { class: "badge" }, "coordinator")),
        h("div", { class: "node-sub mono" }, n.address)),
      nodePill(n)),
    h("dl", { class: "facts" }, fact("Dispatchers", number(n.dispatchers)), fact("Maintainers", number(n.maintainers)),
      fact("Not flushed", number(n.unflushed_rows))),
    h("div", { class: "node-foot" },
      h("span", { class: "faint" }, n.liveness === "unknown" ? `silent for ${span(n.silent_ms)}` : `up ${ago(n.started_at)}`), button));
}

function renderNodes() {
  show("nodes", state.nodes.map(nodeCard));
  show("load", state.nodes.filter((n) => n.dispatchers).map((n) => {
    const part = h("span", { title: `${nameOf(n)}: ${number(n.dispatchers)}`, "data-draining": n.is_draining ? "true" : "false" });
    part.style.setProperty("flex-grow", n.dispatchers);
    return part;
  }));
}

const canUndrain = (d) => d.phase === "pending" || d.phase === "evacuating";

function whyNoUndrain(d) {
  if (canUndrain(d)) return null;
  return d.cancelled ? "It is coming back already" : "It has agreed to stop: restart it, and it takes work again";
}

// ---- a drain ------------------------------------------------------------------------------------------------------

function progress(d) {
  if (d.safe_to_stop) return 1;
  const total = d.dispatchers_at_start;
  if (!d.remaining || !total) return null;
  return Math.min(0.99, Math.max(0, (total - d.remaining.dispatchers) / total));
}

function ring(d) {
  const known = progress(d);
  const done = known ?? 0;
  const percent = known === null ? "…" : `${Math.floor(done * 100)}%`;
  const svg = h("svg", { class: "ring", viewBox: "0 0 132 132", role: "img", "aria-label": d.safe_to_stop ? "safe to stop" : `${percent} moved away` },
    h("circle", { class: "ring-track", cx: 66, cy: 66, r: 54 }),
    h("circle", { class: "ring-value", cx: 66, cy: 66, r: 54, "stroke-dasharray": RING, "stroke-dashoffset": RING * (1 - done) }),
    h("text", { x: 66, y: 72 }, d.safe_to_stop ? "Safe" : percent),
    h("text", { class: "ring-note", x: 66, y: 91 }, d.safe_to_stop ? "to stop" : d.eta_ms ? `${roughly(d.eta_ms)} left` : known === null ? "counting" : "moved away"));
  return svg;
}

function count(label, value, alarm) {
  const zero = value === 0;
  return h("div", { "data-zero": String(zero), "data-alarm": String(Boolean(alarm && !zero)) }, h("dt", {}, label), h("dd", {}, number(value)));
}

function lagMeter(d) {
  if (!d.lag_budget_ms || d.lag_ms_worst === null) return null;
  const fill = h("span");
  fill.style.setProperty("width", `${Math.min(100, (100 * d.lag_ms_worst) / d.lag_budget_ms)}%`);
  return h("div", {}, h("dt", {}, "Lag of budget"), h("dd", {}, `${span(d.lag_ms_worst)} of ${span(d.lag_budget_ms)}`),
    h("div", { class: "meter", "data-over": String(d.lag_ms_worst > d.lag_budget_ms) }, fill));
}

function blockerLine(d) {
  const text = (...parts) => h("p", { class: "blocker", role: "status" }, ...parts);
  if (d.safe_to_stop) {
    const proof = d.proof === "reference" ? "by the other nodes; the node itself could not say" : "by the node and by all others";
    return text(h("b", {}, `${nameOf(d.node)} is proved safe to stop`), h("span", {}, `${proof}.`));
  }
  if (!d.blocker) return text(h("b", {}, "Under way"), h("span", { class: "soft" }, "nothing blocks it"));
  return text(h("b", {}, upper(d.blocker.text)), h("span", { class: "soft" }, d.blocker.detail));
}

function slowTable(d) {
  if (!d.slowest.length) return null;
  return h("div", { class: "slow" }, h("span", { class: "faint" }, "Slowest moves"),
    h("table", {}, h("tbody", {}, d.slowest.map((s) => h("tr", {},
      h("td", {}, s.feed), h("td", { class: "mono" }, s.span.slice(0, 12)), h("td", {}, s.phase),
      h("td", {}, s.waits_for ? `waits for ${nameOfId(s.waits_for)}` : ""), h("td", { class: "right" }, span(s.age_ms)))))));
}

function steps(d) {
  const now = PHASES.indexOf(d.phase);
  const at = now < 0 ? PHASES.length : now;
  return h("ol", { class: "steps" }, PHASES.map((p, i) =>
    h("li", { "data-step": i < at || d.safe_to_stop ? "done" : i === at ? "now" : "to-do", "aria-current": i === at ? "step" : null }, p)));
}

function drainTitle(d) {
  const name = nameOf(d.node);
  if (d.phase === "clearing") return d.cancelled ? `${name} comes back` : `${name} has left`;
  return d.safe_to_stop ? `${name} is empty` : `Draining ${name}`;
}

function drainCard(d) {
  const tone = d.safe_to_stop ? "good" : d.late || d.remaining?.stuck ? "warn" : "accent";
  const r = d.remaining;
  const since = [d.reason, d.actor && `by ${d.actor}`, `${span(d.age_ms)} ago`].filter(Boolean).join(" · ");
  const deadline = d.deadline_at && !d.safe_to_stop
    ? (d.late ? `past its deadline by ${ago(d.deadline_at)}` : `due in ${span(Date.parse(d.deadline_at) - Date.now())}`) : "";
  return h("article", { class: "card drain", "data-tone": tone, "data-drain": d.id, "data-phase": d.phase },
    h("div", { class: "drain-head" },
      h("div", {},
        h("h2", { class: "drain-title" }, drainTitle(d)),
        h("p", { class: "drain-sub" }, [since, deadline].filter(Boolean).join(" · "))),
      h("div", { class: "drain-actions" }, d.late && h("span", { class: "pill", "data-tone": "warn" }, "late"),
        h("button", { class: "do", type: "button", disabled: !canUndrain(d), title: whyNoUndrain(d), onclick: () => askUndrain(d), "aria-label": `Undrain ${nameOf(d.node)}` }, "Undrain"))),
    h("div", { class: "drain-body" }, ring(d),
      h("div", { class: "drain-detail" }, steps(d),
        h("dl", { class: "counts" },
          r ? [count("Dispatchers", r.dispatchers), count("Moving", r.moves), count("Maintainers", r.maintainers + r.operators),
            count("Feeds to settle", r.feeds_unsettled), count("Nodes to ack", r.peers_unacked), count("Stuck", r.stuck, true)]
            : h("div", {}, h("dt", {}, "Remaining"), h("dd", {}, "not known yet")),
          lagMeter(d)))),
    blockerLine(d), slowTable(d));
}

function renderDrains() {
  show("drains", openDrains().map(drainCard));
  renderTiles();
}

// ---- feeds, history -----------------------------------------------------------------------------------------------

const FEED_TONES = { normal: "good", warning: "warn", failed: "bad", finished: "accent" };

function empty(title, text) {
  return h("div", { class: "empty" }, h("strong", {}, title), text);
}

// A narrow window shows each row as a block of its own, in which every cell says what it is.
function table(heads, rows) {
  for (const row of rows) [...row.children].forEach((cell, i) => cell.setAttribute("data-label", heads[i][0]));
  return h("table", {}, h("thead", {}, h("tr", {}, heads.map(([text, cls]) => h("th", { class: cls, scope: "col" }, text)))), h("tbody", {}, rows));
}

function renderFeeds() {
  if (!state.feeds.length) {
    show("feeds", empty("No feeds yet", h("span", {}, "Make one: ", h("code", {}, "sluice feed create"))));
    return;
  }
  show("feeds", table([["Feed"], ["State"], ["Maintainer"], ["Placement"], ["Checkpoint"], ["Lag", "right"]],
    state.feeds.map((f) => h("tr", {},
      h("td", {}, h("b", {}, f.id), f.error && h("div", { class: "faint" }, f.error.message)),
      h("td", {}, h("span", { class: "pill", "data-tone": FEED_TONES[f.state] ?? null }, f.state)),
      h("td", {}, f.node || "–"), h("td", { class: "soft" }, f.placement),
      h("td", { class: "num" }, f.lag_ms === null ? String(f.checkpoint_tso) : f.checkpoint_time),
      h("td", { class: "right" }, span(f.lag_ms))))));
}

const END_TONES = { done: "good", cancelled: null, failed: "bad" };

function renderHistory() {
  const over = [...state.drains.values()].filter((d) => OVER.has(d.phase))
    .sort((a, b) => (b.ended_at ?? "").localeCompare(a.ended_at ?? ""));
  if (!over.length) {
    show("history", empty("Nothing here yet", "Drains that are over are listed here."));
    return;
  }
  show("history", table([["Node"], ["End"], ["Reason"], ["By"], ["Began"], ["Lasted", "right"]], over.map((d) => h("tr", {},
    h("td", {}, h("b", {}, nameOf(d.node))),
    h("td", {}, h("span", { class: "pill", "data-tone": END_TONES[d.phase] }, d.phase)),
    h("td", {}, d.reason || "–"), h("td", { class: "soft" }, d.actor || "–"),
    h("td", { class: "num" }, moment(d.created_at)), h("td", { class: "right" }, span(d.age_ms))))));
}

// ---- rolling restart ----------------------------------------------------------------------------------------------

// A node is done when a process of its name began after this page was opened: its id is another one then.
function restartMark(step, nextTaken) {
  const name = nameOf(step.node);
  const first = state.restarted.get(name) ?? step.node.id;
  state.restarted.set(name, first);
  if (first !== step.node.id) return "done";
  if (openDrains().some((d) => d.node.id === step.node.id)) return "now";
  return nextTaken ? "to-do" : "next";
}

function restartRow(step, mark) {
  const node = state.nodes.find((n) => n.id === step.node.id);
  const drain = openDrains().find((d) => d.node.id === step.node.id);
  const note = mark === "done" ? "restarted" : drain?.safe_to_stop ? "safe: restart it now"
    : drain ? drain.blocker?.text ?? "on its way" : step.is_owner ? "last: its place goes to another node first" : "";
  const action = mark === "next" && node
    ? h("button", { class: "do", "data-kind": "main", type: "button", onclick: () => askDrain(node), "aria-label": `Drain ${nameOf(step.node)}` }, "Drain…")
    : drain ? h("span", { class: "pill", "data-tone": drain.safe_to_stop ? "good" : "warn" }, drain.safe_to_stop ? "safe to stop" : drain.phase)
      : h("code", {}, step.command);
  return h("li", { "data-step-node": nameOf(step.node), "data-mark": mark },
    h("span", { class: "plan-mark", "data-mark": mark }, mark === "done" ? "✓" : String(step.step)),
    h("div", {}, h("h3", {}, nameOf(step.node), " ", step.is_owner && h("span", { class: "badge" }, "coordinator")),
      h("div", { class: "faint" }, [step.version, note].filter(Boolean).join(" · "))), action);
}

function renderRestart() {
  const plan = state.plan;
  if (!plan) return;
  if (!plan.possible) {
    show("restart", empty("Not with one node", plan.blocker));
    return;
  }
  let busy = openDrains().length > 0;
  show("restart", h("ol", { class: "plan-steps" }, plan.steps.map((step) => {
    const mark = restartMark(step, busy);
    if (mark === "next") busy = true;
    return restartRow(step, mark);
  })));
}

// ---- questions ----------------------------------------------------------------------------------------------------

// Not a submit button: Enter in a field means the other one.
function dismiss(text) {
  return h("button", { class: "do", type: "button", onclick: () => $("dialog").close("no") }, text);
}

function dialog(title, ...children) {
  const el = $("dialog");
  el.replaceChildren(h("form", { class: "dialog-inner", method: "dialog" }, h("h2", { id: "dialog-title" }, title), ...children));
  el.showModal();
  return el;
}

function planTable(answer) {
  const rows = answer.plan.map((row) => h("tr", {},
    h("td", {}, row.is_target ? h("b", {}, nameOf(row.node)) : nameOf(row.node)),
    h("td", { class: "right" }, `${number(row.dispatchers_before)} → ${number(row.dispatchers_after)}`),
    h("td", { class: "right" }, `${number(row.maintainers_before)} → ${number(row.maintainers_after)}`)));
  return h("div", { class: "plan-preview" }, table([["Node"], ["Dispatchers", "right"], ["Maintainers", "right"]], rows));
}

async function askDrain(node) {
  const reason = h("input", { type: "text", name: "reason", placeholder: "kernel update", maxlength: 200, autocomplete: "off" });
  const deadline = h("input", { type: "text", name: "deadline", placeholder: "10m", autocomplete: "off" });
  const lag = h("input", { type: "text", name: "max_lag", placeholder: "5s", autocomplete: "off" });
  const stop = h("input", { type: "checkbox", name: "stop" });
  const plan = h("div", {}, h("p", { class: "faint" }, "Looking what would move…"));
  const go = h("button", { class: "do", "data-kind": "main", type: "submit", value: "go" }, `Drain ${nameOf(node)}`);
  const el = dialog(`Drain ${nameOf(node)}?`,
    h("p", { class: "soft" }, "Its work moves to the other nodes, without a hole and within the lag budget. It can be undone until the node is being stopped."),
    plan, h("label", { class: "field" }, "Reason", reason),
    h("div", { class: "field-row" }, h("label", { class: "field" }, "Deadline", deadline), h("label", { class: "field" }, "Most lag it may cause", lag)),
    h("label", { class: "check" }, stop, "Stop the process when it is safe"),
    h("div", { class: "dialog-actions" }, dismiss("Cancel"), go));
  el.onclose = () => {
    if (el.returnValue === "go") startDrain(node, { reason: reason.value, deadline: deadline.value, max_lag: lag.value, stop: stop.checked });
    el.returnValue = "";
  };
  try {
    const answer = await api("POST", "/api/v2/drains", { node: node.id, dry_run: true });
    plan.replaceChildren(planTable(answer));
    if (!answer.possible) plan.append(h("p", { class: "notice" }, answer.blocker));
    go.disabled = !answer.possible;
  } catch (error) {
    plan.replaceChildren(h("p", { class: "notice", "data-kind": "bad" }, error.message));
  }
}

async function startDrain(node, options) {
  const body = { node: node.id, stop: options.stop };
  for (const key of ["reason", "deadline", "max_lag"]) if (options[key]) body[key] = options[key].trim();
  try {
    const drain = await api("POST", "/api/v2/drains", body);
    takeDrains([...state.drains.values(), drain]);
    render();
  } catch (error) {
    notice(error.message);
  }
}

function askUndrain(drain) {
  const el = dialog(`Undrain ${nameOf(drain.node)}?`,
    h("p", { class: "soft" }, "The node stays and takes work again. What has moved away stays where it is until it is balanced."),
    h("div", { class: "dialog-actions" }, dismiss("Keep draining"),
      h("button", { class: "do", "data-kind": "main", type: "submit", value: "go" }, `Undrain ${nameOf(drain.node)}`)));
  el.onclose = async () => {
    if (el.returnValue === "go") {
      try {
        await api("DELETE", `/api/v2/drains/${encodeURIComponent(drain.id)}`, { reason: "undrained on the web page" });
        notice(`${nameOf(drain.node)} takes work again.`, "good");
      } catch (error) {
        notice(error.message);
      }
      refresh();
    }
    el.returnValue = "";
  };
}

// ---- the page -----------------------------------------------------------------------------------------------------

const CONTACTS = { live: "live", lost: "no contact", connecting: "connecting", waiting: "waiting" };

// What is shown is never passed off as the present when it is not.
function renderStale() {
  const isLive = state.contact === "live" || state.contact === "connecting";
  const age = state.heard ? `What you see is ${span(Date.now() - state.heard)} old.` : "It is asked again every two seconds.";
  $("main").dataset.stale = String(!isLive && state.heard > 0);
  show("stale", isLive ? [] : h("p", { class: "notice", "data-kind": state.contact === "lost" ? "bad" : "warn" }, `${upper(state.trouble)}. ${age}`));
}

function render() {
  const contact = $("contact");
  contact.textContent = CONTACTS[state.contact] ?? state.contact;
  contact.dataset.state = state.contact;
  renderStale();
  if (state.cluster) {
    $("cluster-name").textContent = state.cluster.cluster;
    $("foot-version").textContent = `Sluice ${state.cluster.version}`;
    document.title = `${openDrains().length ? `(${openDrains().length}) ` : ""}${state.cluster.cluster} · Sluice`;
  }
  // What is being pointed at is not pulled away: a focused button keeps its focus over a refresh.
  const focus = document.activeElement?.getAttribute?.("aria-label");
  renderDrains();
  renderNodes();
  renderFeeds();
  renderHistory();
  renderRestart();
  if (focus && !$("dialog").open) document.querySelector(`[aria-label="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
}

function route() {
  const view = location.hash.slice(1);
  state.view = document.querySelector(`[data-panel="${CSS.escape(view)}"]`) ? view : "overview";
  for (const panel of document.querySelectorAll("[data-panel]")) panel.hidden = panel.dataset.panel !== state.view;
  for (const tab of document.querySelectorAll("[data-view]")) {
    if (tab.dataset.view === state.view) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  refresh();
}

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem("sluice-theme", root.dataset.theme);
  } catch {
    // It holds for this page then.
  }
}

$("theme").addEventListener("click", switchTheme);
addEventListener("hashchange", route);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
setInterval(() => { if (!document.hidden) refresh(); }, REFRESH_MS);
route();
