// Drives the console in Chromium: what people do, pictures of what they see, and an accessibility checker on every page.
"use strict";

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("playwright-core");

const env = process.env;
const base = env.CONSOLE_URL;
const out = env.CONSOLE_OUT;
const tokens = JSON.parse(env.CONSOLE_TOKENS);
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const complaints = [];
const findings = [];

async function main() {
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
  try {
    await work(browser);
    await withoutScript(browser);
    await pictures(browser);
  } finally {
    await browser.close();
  }
  for (const finding of findings) console.error(finding);
  assert.deepStrictEqual(complaints, [], "the browser complains");
  assert.deepStrictEqual(findings, [], "the accessibility checker finds something");
}

async function opened(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 850 }, acceptDownloads: true, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20000);
  page.on("console", (message) => {
    // Chromium tells of every answer that is no success; those are what some steps are about.
    if (message.type() === "error" && !/status of (403|404|409|422)/.test(message.text())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  return page;
}

async function signIn(page, who) {
  await page.goto(`${base}/sign-in`);
  await page.getByLabel("Token").fill(tokens[who]);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("**/certificates");
  console.log(`${who} is signed in`);
}

async function signOut(page) {
  await page.getByRole("button", { name: "Sign out" }).first().click();
  await page.waitForURL("**/sign-in");
}

async function checked(page, what) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  }));
  for (const { id, help, nodes } of violations) {
    findings.push(`${what}: ${id}: ${help}: ${nodes.map((node) => `${node.html.slice(0, 160)} ${node.failureSummary}`).join(" | ")}`);
  }
}

async function kept(page, what) {
  await checked(page, what);
  await page.screenshot({ path: path.join(out, `${what}.png`), fullPage: true });
}

// Sign in, ask, see why not, approve as somebody else, download, revoke.
async function work(browser) {
  const page = await opened(browser);
  await signIn(page, "otto");
  const [cookie] = await page.context().cookies(`${base}/certificates`);
  assert.ok(cookie.httpOnly && cookie.sameSite === "Strict" && cookie.path === "/console", JSON.stringify(cookie));

  await page.getByRole("link", { name: "Ask for a certificate" }).click();
  await page.getByLabel("Names").fill("not a name\n*.*.example.com");
  await page.getByLabel("Lifetime").fill("4000d");
  const verdict = page.locator("#verdict");
  await verdict.getByText("Refused").waitFor();
  for (const said of ["Name 1", "Name 2", "Lifetime"]) await verdict.getByText(said).first().waitFor();
  console.log("the refusal's reasons are seen while one types");
  await kept(page, "refused");
  await page.getByLabel("Names").fill("shop.example.com\npay.example.com");
  await page.getByLabel("Lifetime").fill("30d");
  await verdict.getByText("Permitted").waitFor();
  await kept(page, "permitted");
  await page.getByRole("button", { name: "Ask for it" }).click();
  await page.getByRole("heading", { name: "Who must agree" }).waitFor();
  const asked = page.url();
  console.log("a request waits for approval");
  await signOut(page);

  await signIn(page, "gina");
  await page.goto(asked);
  await page.getByLabel("Comment").fill("As agreed with the shop.");
  await kept(page, "decision");
  await page.getByRole("button", { name: "Approve" }).click();
  await page.locator("h1 + .badge", { hasText: "Issued" }).waitFor();
  console.log("another member approves");
  await signOut(page);

  await signIn(page, "otto");
  await page.goto(asked);
  await page.getByRole("button", { name: "Collect its private key" }).click();
  await page.getByLabel("Private key, PKCS#8 in PEM").waitFor();
  await kept(page, "key");
  await saved(page, "Save private key", "-----BEGIN PRIVATE KEY-----");
  await saved(page, "Save chain", "-----BEGIN CERTIFICATE-----");
  await page.getByRole("link", { name: "I have the key: to the certificate" }).click();
  await page.getByRole("link", { name: "Private key or PKCS#12" }).click();
  await kept(page, "exports");
  await page.getByLabel("Password").fill("correct horse battery");
  await saved(page, "Save PKCS#12", "");
  console.log("chain, key and PKCS#12 are saved");

  await page.getByRole("link", { name: "Back without reading it" }).click();
  const issued = page.url();
  await page.goto(`${base}/certificates/${env.CONSOLE_CERTIFICATE}`);
  await page.getByRole("link", { name: "Renew" }).click();
  await kept(page, "renew");
  await page.goto(issued);
  await page.getByRole("link", { name: "Revoke" }).click();
  await page.getByLabel("It is no longer needed").check();
  await page.getByLabel("Yes, revoke").check();
  await kept(page, "revoke");
  await page.getByRole("button", { name: "Revoke" }).click();
  await page.locator("h1 + .badge", { hasText: "Revoked" }).waitFor();
  await kept(page, "revoked");
  console.log("it is revoked");
  await page.context().close();
}

// Saves something by a link or button, and looks at how it begins.
async function saved(page, name, begins) {
  const waiting = page.waitForEvent("download");
  await page.locator("a, button").filter({ hasText: new RegExp(`^${name.replace("#", "\\#")}$`) }).click();
  const download = await waiting;
  const file = path.join(out, download.suggestedFilename());
  await download.saveAs(file);
  const octets = fs.readFileSync(file);
  fs.rmSync(file);
  assert.ok(octets.length > 100 && octets.toString("latin1").startsWith(begins), `${name}: ${octets.length} octets`);
}

// The same page comes of a button where there is no script, and everything can be reached by keys alone.
async function withoutScript(browser) {
  const page = await opened(browser, { javaScriptEnabled: false });
  await page.goto(`${base}/requests`);
  await page.getByLabel("Token").fill(tokens.otto);
  await page.keyboard.press("Enter");
  await page.waitForURL("**/requests");
  await page.goto(`${base}/requests/new`);
  await page.getByLabel("Names").fill("not a name");
  await page.getByRole("button", { name: "Check only" }).click();
  await page.locator("#verdict").getByText("Refused").waitFor();
  assert.strictEqual(await page.getByLabel("Names").inputValue(), "not a name");
  console.log("without a script a button tells the same");
  await page.context().close();

  const keys = await opened(browser);
  await signIn(keys, "audra");
  await keys.keyboard.press("Tab");
  const skip = await keys.evaluate(() => document.activeElement.textContent);
  assert.strictEqual(skip, "Skip to content");
  await keys.keyboard.press("Enter");
  assert.strictEqual(await keys.evaluate(() => document.activeElement.id), "content");
  await keys.context().close();
}

// Pictures of the pages, light and dark and narrow, each looked at by the checker.
async function pictures(browser) {
  const pages = {
    inventory: "/certificates",
    months: "/certificates?by=month",
    found: "/certificates?name=shop.example.com&status=revoked",
    certificate: `/certificates/${env.CONSOLE_CERTIFICATE}`,
    requests: "/requests",
    request: `/requests/${env.CONSOLE_REQUEST}`,
    ask: "/requests/new",
    syncs: "/syncs",
    sync: `/syncs/${env.CONSOLE_SYNC}`,
    alerts: "/alerts",
    alert: `/alerts/${env.CONSOLE_ALERT}`,
    applications: "/applications",
    application: `/applications/${env.CONSOLE_APPLICATION}`,
    account: "/account",
    nowhere: "/nowhere",
  };
  const looks = {
    light: { colorScheme: "light" },
    dark: { colorScheme: "dark" },
    narrow: { colorScheme: "light", viewport: { width: 360, height: 740 } },
  };
  for (const [look, options] of Object.entries(looks)) {
    const page = await opened(browser, options);
    await page.goto(`${base}/sign-in`);
    await kept(page, `sign-in-${look}`);
    await signIn(page, "alice");
    for (const [name, place] of Object.entries(pages)) {
      await page.goto(base + place);
      if (name === "inventory") await page.getByText("The same as a table").waitFor();
      await kept(page, `${name}-${look}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(wide <= 0, `${name} is ${wide} wider than a ${look} window`);
    }
    await page.context().close();
  }
  console.log("pictures are kept");
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
