// Firefox, driven by WebDriver BiDi, with as much of the manners of Chromium's pages as the stage asks for: what is done with a page there is done
// with one here.

import puppeteer from "puppeteer-core";
import { LONGEST_WAIT, TONE_HZ } from "./stage.js";

const FIREFOX = "/usr/bin/firefox-esr";
/** Between two looks at something that is waited for. */
const LOOK_AGAIN_MS = 40;

/** What is saved goes into the folder, and nobody is asked. With a profile's folder it keeps there what people's browsers keep, and does so soon. */
export async function openFirefox(downloads, profile) {
  return puppeteer.launch({
    browser: "firefox",
    executablePath: FIREFOX,
    headless: true,
    ...(profile === undefined ? {} : { userDataDir: profile }),
    extraPrefsFirefox: {
      // A microphone and a camera that are not there, for whoever asks: a tone, and a moving picture.
      "media.navigator.streams.fake": true,
      "media.navigator.permission.disabled": true,
      "media.navigator.audio.fake_frequency": TONE_HZ,
      "intl.accept_languages": "en-GB",
      "browser.download.folderList": 2,
      "browser.download.dir": downloads,
      "browser.download.always_ask_before_handling_new_types": false,
      ...(profile === undefined ? {} : { "browser.sessionstore.resume_from_crash": true, "browser.sessionstore.interval": 1000 }),
    },
  });
}

/** A window of its own, with nothing of anybody else's; gathers what the page complains of. */
export async function openFirefoxPage(firefox) {
  const context = await firefox.createBrowserContext();
  const tab = await context.newPage();
  await tab.setViewport({ width: 1280, height: 820 });
  const page = new FirefoxPage(tab);
  tab.on("pageerror", (error) => page.complaints.push(String(error)));
  tab.on("console", (message) => {
    // A lost connection is told on the page; the browser says it too.
    if (message.type() === "error" && !/WebSocket|can.t establish a connection/.test(message.text())) page.complaints.push(message.text());
  });
  // Firefox tells what its policy refused to the page only.
  await tab.evaluateOnNewDocument(() => {
    window.refused = [];
    addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) => window.refused.push(`${effectiveDirective}: ${blockedURI}`));
  });
  return page;
}

/** Until something is so; how it was, if it never becomes so. */
async function until(what, isSo) {
  const last = performance.now() + LONGEST_WAIT;
  for (;;) {
    let found;
    try {
      found = await isSo();
      if (found) return found;
    } catch (error) {
      // The page went elsewhere meanwhile, or what was looked at is gone.
      found = error;
    }
    if (performance.now() > last) throw new Error(`${what} never came: ${found}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

/** In the page: the elements that the steps of a path lead to. */
function elementsOf(path) {
  const roles = {
    button: "button, [role=button]",
    tab: "[role=tab]",
    heading: "h1, h2, h3, h4",
    dialog: "dialog[open], [role=dialog]",
    menuitem: "[role=menuitem]",
    switch: "[role=switch]",
    checkbox: "input[type=checkbox]:not([role])",
  };
  const words = (text) => (text ?? "").replace(/\s+/g, " ").trim();
  const nameOf = (element) =>
    words(element.getAttribute("aria-label") ?? ([...(element.labels ?? [])].map((label) => label.textContent).join(" ") || element.textContent));
  const fits = (text, wanted, exact) =>
    wanted === undefined || (exact ? words(text) === wanted : words(text).toLowerCase().includes(wanted.toLowerCase()));
  const step = (from, { css, role, label, text, name, exact, hasText, has, at }) => {
    let found = from;
    const within = (selector) => [...new Set(from.flatMap((one) => [...one.querySelectorAll(selector)]))];
    if (css !== undefined) found = within(css);
    else if (role !== undefined) found = within(roles[role]).filter((one) => one.getClientRects().length > 0 && fits(nameOf(one), name, exact));
    else if (label !== undefined) found = within("input, textarea, select").filter((one) => fits(nameOf(one), label, exact));
    else if (text !== undefined) {
      found = within("*").filter((one) => fits(one.textContent, text, exact));
      // The innermost that say it.
      found = found.filter((one) => !found.some((other) => other !== one && one.contains(other)));
    }
    if (hasText !== undefined) found = found.filter((one) => fits(one.textContent, hasText, false));
    if (has !== undefined) found = found.filter((one) => has.reduce(step, [one]).length > 0);
    return at === undefined ? found : found.slice(at, at === -1 ? undefined : at + 1);
  };
  return path.reduce(step, [document]);
}

/** In the page: where an element is once it stands still, can be used and nothing is before it; null until then. */
async function pointOf(element, position) {
  if (element.disabled) return null;
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  element.scrollIntoView({ block: "nearest" });
  const before = element.getBoundingClientRect();
  await frame();
  await frame();
  const box = element.getBoundingClientRect();
  if (box.width === 0 || box.x !== before.x || box.y !== before.y) return null;
  const [x, y] = position === undefined ? [box.x + box.width / 2, box.y + box.height / 2] : [box.x + position.x, box.y + position.y];
  const top = document.elementFromPoint(x, y);
  return top !== null && (element.contains(top) || top.contains(element) || [...(element.labels ?? [])].some((label) => label.contains(top))) ? { x, y } : null;
}

/** In the page: notes what is clicked next. Firefox has no click for what was replaced between pressing and letting go. */
function watchPointer(kind) {
  window.met = null;
  addEventListener(kind, ({ target }) => (window.met = target), { capture: true, once: true });
}

/** In the page: whether that was this element. What is around it is clicked when it moved away between pressing and letting go. */
function wasMet(element) {
  const { met } = window;
  return met !== null && (element.contains(met) || [...(element.labels ?? [])].some((label) => label.contains(met)));
}

class Found {
  #tab;
  #path;

  constructor(tab, path) {
    this.#tab = tab;
    this.#path = path;
  }

  #then(step) {
    const { has, ...plain } = step;
    return new Found(this.#tab, [...this.#path, has === undefined ? plain : { ...plain, has: has.#path }]);
  }

  locator = (css, options) => this.#then({ css, ...options });
  getByRole = (role, options) => this.#then({ role, ...options });
  getByLabel = (label, options) => this.#then({ label, ...options });
  getByText = (text, options) => this.#then({ text, ...options });
  filter = (options) => this.#then(options);
  nth = (at) => this.#then({ at });
  first = () => this.nth(0);
  last = () => this.nth(-1);

  toString() {
    return JSON.stringify(this.#path);
  }

  /** The elements that are there now, as something that a function in the page takes. */
  async #elements() {
    const list = await this.#tab.evaluateHandle(elementsOf, this.#path);
    const elements = [...(await list.getProperties()).values()].map((one) => one.asElement()).filter((one) => one !== null);
    await list.dispose();
    return elements;
  }

  async #element() {
    return until(this, async () => (await this.#elements())[0]);
  }

  count = async () => (await this.#elements()).length;
  all = async () => (await this.#elements()).map((_, at) => this.nth(at));
  evaluate = async (work, ...given) => (await this.#element()).evaluate(work, ...given);
  textContent = () => this.evaluate((one) => one.textContent);
  allTextContents = async () => Promise.all((await this.#elements()).map((one) => one.evaluate((one) => one.textContent)));
  inputValue = () => this.evaluate((one) => one.value);
  isVisible = async () => (await this.#elements())[0]?.isVisible() ?? false;

  async waitFor({ state = "visible" } = {}) {
    await until(`${this} ${state}`, async () => {
      const [first] = await this.#elements();
      if (state === "detached") return first === undefined;
      return first !== undefined && (state === "attached" || (await first.isVisible()));
    });
  }

  async hover() {
    const { x, y } = await until(this, async () => (await this.#element()).evaluate(pointOf));
    await this.#tab.mouse.move(x, y);
  }

  async click({ position, ...options } = {}) {
    await until(this, async () => {
      const element = await this.#element();
      const at = await element.evaluate(pointOf, position);
      if (at === null) return false;
      await this.#tab.evaluate(watchPointer, options.button === "right" ? "contextmenu" : "click");
      await this.#tab.mouse.click(at.x, at.y, options);
      // What moved away or was replaced meanwhile was not clicked: once more.
      return element.evaluate(wasMet);
    });
  }

  async press(keys) {
    await this.evaluate((one) => one.focus());
    await new Keyboard(this.#tab).press(keys);
  }

  /** As when all that stands there is replaced by something pasted. */
  async fill(text) {
    await this.evaluate((field, text) => {
      field.focus();
      field.select();
      document.execCommand(text === "" ? "delete" : "insertText", false, text);
    }, text);
  }

  async setInputFiles(...files) {
    await (await this.#element()).uploadFile(...files);
  }
}

class Keyboard {
  #tab;

  constructor(tab) {
    this.#tab = tab;
  }

  type = (text) => this.#tab.keyboard.type(text);

  /** Keys that are held together, joined by a plus. */
  async press(keys) {
    const held = keys.split("+");
    const last = held.pop();
    for (const key of held) await this.#tab.keyboard.down(key);
    await this.#tab.keyboard.press(last);
    for (const key of held.reverse()) await this.#tab.keyboard.up(key);
  }
}

class FirefoxPage extends Found {
  complaints = [];
  #tab;

  constructor(tab) {
    super(tab, []);
    this.#tab = tab;
    this.keyboard = new Keyboard(tab);
    this.mouse = tab.mouse;
  }

  goto = (address) => this.#tab.goto(address);
  evaluate = (work, ...given) => this.#tab.evaluate(work, ...given);
  waitFor = (isSo) => until(isSo, isSo);
  waitForFunction = (isSo, ...given) => until(isSo, () => this.#tab.evaluate(isSo, ...given));
  screenshot = (options) => this.#tab.screenshot(options);
}
