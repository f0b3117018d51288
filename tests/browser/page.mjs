// SPDX-License-Identifier: Apache-2.0
// Steps on the web page: node page.mjs CHROMIUM URL STEP... Ends with 1 and the reason when the page is not as expected.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const [, , executablePath, url, ...steps] = process.argv;
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: "light" });
const page = await context.newPage();
page.setDefaultTimeout(60000);

const wrong = [];
page.on("pageerror", (error) => wrong.push(`script error: ${error.message}`));
page.on("console", (message) => { if (message.type() === "error") wrong.push(`console: ${message.text()}`); });
page.on("request", (request) => { if (!request.url().startsWith(`${url}/`)) wrong.push(`asked elsewhere: ${request.url()}`); });
page.on("dialog", (dialog) => { wrong.push(`a dialog of a script: ${dialog.message()}`); dialog.dismiss(); });

const text = (selector) => page.locator(selector).first().innerText();
const shot = (name) => page.screenshot({ path: `${name}.png` });

async function looks() {
  const answer = await page.goto(`${url}/ui`);
  const policy = answer.headers()["content-security-policy"];
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe|https?:|\*/);
  await page.waitForSelector("[data-node]");
  assert.equal(await page.locator("[data-node]").count(), 3);
  assert.equal(await page.locator("[data-node] .badge").count(), 1, "one coordinator");
  await page.waitForFunction(() => document.querySelector("#contact").dataset.state === "live");
  assert.match(await text("#tiles"), /Nodes\s+3/);
  assert.match(await text("#tiles"), /Feeds\s+2/);
  // A screen reader finds its way: landmarks, one name per button, a language.
  assert.equal(await page.locator("main, header, footer, nav").count(), 4);
  assert.equal(await page.getAttribute("html", "lang"), "en");
  for (const name of await page.locator("button").evaluateAll((all) => all.map((b) => b.getAttribute("aria-label") || b.innerText)))
    assert.ok(name.trim().length > 0, "a button without a name");
  await shot("overview");
}

async function drains(node) {
  await page.click(`[aria-label="Drain ${node}"]`);
  await page.waitForSelector("dialog[open] .plan-preview");
  assert.match(await text("dialog"), new RegExp(`Drain ${node}\\?`));
  assert.match(await text("dialog .plan-preview"), /\d+ → 0/);
  await shot("dialog");
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("[data-drain]").count(), 0, "Escape starts nothing");
  await page.click(`[aria-label="Drain ${node}"]`);
  await page.fill("dialog [name=reason]", "kernel <b>update</b>");
  await page.fill("dialog [name=deadline]", "10m");
  await page.click("dialog [value=go]");
  await page.waitForSelector("[data-drain]");
  await shot("draining");
  await page.waitForSelector('[data-drain][data-tone="good"]');
  assert.match(await text("[data-drain]"), new RegExp(`${node} is empty`));
  assert.match(await text("[data-drain]"), /proved safe to stop/);
  assert.match(await text("[data-drain]"), /kernel <b>update<\/b>/);
  assert.equal(await page.locator("[data-drain] .drain-sub b").count(), 0, "a reason became markup");
  await page.waitForFunction((n) => document.querySelector(`[data-node="${n}"] .pill`).innerText === "safe to stop", node);
  await shot("safe");
}

async function restart() {
  await page.click('[data-view="restart"]');
  await page.waitForSelector(".plan-steps li");
  assert.equal(await page.locator(".plan-steps li").count(), 3);
  assert.match(await text(".plan-steps li:last-child"), /coordinator/);
  assert.equal(await page.locator('.plan-steps [data-mark="now"]').count() > 0, true);
  await shot("restart");
}

async function feeds() {
  await page.click('[data-view="feeds"]');
  await page.waitForSelector("#feeds td");
  assert.match(await text("#feeds"), /orders/);
  assert.match(await text("#feeds"), /replicating/);
  await shot("feeds");
}

async function themes() {
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.click("#theme");
  const dark = await ground();
  assert.notEqual(light, dark);
  await page.reload();
  await page.waitForSelector("[data-view]");
  assert.equal(await ground(), dark, "the choice is kept");
  await page.click('[data-view="overview"]');
  await page.waitForSelector("[data-node]");
  await shot("dark");
}

async function small() {
  await page.setViewportSize({ width: 390, height: 844 });
  for (const view of ["overview", "feeds", "restart", "history"]) {
    await page.click(`[data-view="${view}"]`);
    await page.waitForFunction((name) => document.querySelector(`[data-panel="${name}"]`).childElementCount > 0, view);
    const [wide, seen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(wide <= seen, `${view} is wider (${wide}) than a telephone (${seen})`);
    const cut = await page.evaluate(() => [...document.querySelectorAll(".tabs, .table-card, .drain, .slow")]
      .filter((e) => e.offsetParent && e.scrollWidth > e.clientWidth + 1).map((e) => e.className));
    assert.deepEqual(cut, [], `cut off in ${view}`);
    await shot(`small-${view}`);
  }
}

// A node that is gone keeps its name in the history.
async function history(node) {
  await page.goto(`${url}/ui#history`);
  await page.waitForSelector("#history td");
  assert.equal((await text("#history td")).trim(), node);
  await shot("history");
}

// What is old says so, and comes back by itself.
async function stale() {
  await page.click('[data-view="overview"]');
  await page.waitForFunction(() => document.querySelector("#contact").dataset.state === "live");
  await page.route("**/api/**", (route) => route.abort());
  await page.waitForSelector("#stale .notice");
  assert.match(await text("#stale"), /does not answer\. What you see is .* old/);
  assert.equal(await page.getAttribute("main", "data-stale"), "true");
  await shot("stale");
  await page.unroute("**/api/**");
  await page.waitForFunction(() => document.querySelector("#contact").dataset.state === "live");
  assert.equal(await page.locator("#stale .notice").count(), 0);
  wrong.splice(0); // the requests that this step broke
}

// One node is drained; draining the last one is refused, and the page says why.
async function blocked(node) {
  await page.goto(`${url}/ui`);
  await page.waitForSelector("[data-drain]");
  assert.match(await text("[data-drain]"), new RegExp(node));
  const button = page.locator('[data-node] button:not([disabled])', { hasText: "Drain" }).first();
  await button.click();
  await page.waitForSelector("dialog[open] .notice");
  assert.equal(await page.locator("dialog [value=go]").isDisabled(), true);
  await shot("blocked");
}

const known = { looks, drains, restart, feeds, themes, small, history, stale, blocked };
try {
  for (const step of steps) {
    const [name, argument] = step.split(":");
    await known[name](argument);
  }
  assert.deepEqual(wrong, []);
} catch (error) {
  console.log(`${error.stack}\n${wrong.join("\n")}`);
  await shot("failed").catch(() => {});
  process.exitCode = 1;
} finally {
  await browser.close();
}
