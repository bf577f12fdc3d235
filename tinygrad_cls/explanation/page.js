// @ts-check
"use strict";
// Turns the steps of a derivation into something to step through. Without this script the page stands there in full;
// with it each block has a position from which on it is shown: 0 is the question, 1 to n are the steps, n + 1 is the
// result. Where one is stands in the address (#step-3), so that links and the browser's back button lead there.
(() => {
  /** @typedef {{ node: HTMLElement, from: number }} Block  what stands on the page, and from which position on */

  const SECONDS = 5; // that a step stands while they play by themselves
  const SWIPE = 50; // pixels at least
  const STEP = /^#step-(\d+)$/;

  const root = /** @type {HTMLElement} */ (document.querySelector(".derivation"));
  const template = /** @type {HTMLTemplateElement} */ (document.querySelector("template#player"));
  const { blocks, steps } = laidOut(root);
  const last = steps.length + 1;
  if (!steps.length) return; // nothing to step through

  document.body.append(template.content.cloneNode(true));
  const bar = /** @type {HTMLElement} */ (document.querySelector(".player"));
  const said = /** @type {HTMLElement} */ (document.querySelector(".said"));
  const slider = /** @type {HTMLInputElement} */ (bar.querySelector("input"));
  const count = /** @type {HTMLOutputElement} */ (bar.querySelector("output"));
  const [back, next, play, all] = ["back", "next", "play", "all"].map(
    (name) => /** @type {HTMLButtonElement} */ (bar.querySelector(`[name=${name}]`)),
  );
  const playWord = play.textContent;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let at = 0; // the position; with all steps shown, the one to go back to
  let timer = 0; // 0 where nothing plays

  /**
   * The blocks with their positions, and the steps in order. What stands between two steps comes with the second of
   * them, what stands before the first is the question. A lemma is there from the first step on, which may cite it.
   * @param {HTMLElement} whole
   * @returns {{ blocks: Block[], steps: HTMLElement[] }}
   */
  function laidOut(whole) {
    /** @type {Block[]} */
    const blocks = [];
    /** @type {HTMLElement[]} */
    const steps = [];
    for (const node of /** @type {Iterable<HTMLElement>} */ (whole.children)) {
      const between = steps.length ? steps.length + 1 : 0;
      if (node.matches("ol, details:not(.lemma)")) {
        const inside = /** @type {NodeListOf<HTMLElement>} */ (node.querySelectorAll("li"));
        blocks.push({ node, from: steps.length + 1 });
        inside.forEach((step) => blocks.push({ node: step, from: steps.push(step) }));
      } else {
        blocks.push({ node, from: node.matches(".lemma, h2:has(+ .lemma)") ? 1 : between });
      }
    }
    return { blocks, steps };
  }

  /** The part that is in focus at a position. @param {number} i @returns {HTMLElement | null} */
  function part(i) {
    return i > 0 && i < last ? steps[i - 1] : root.querySelector(i ? ":scope > .result" : "h1");
  }

  /** What the address says after its #, for a position. @param {number} i @returns {string} */
  function address(i) {
    return i <= 0 ? "#question" : i < last ? `#step-${i}` : "#result";
  }

  /** The position that the address asks for. @returns {number} */
  function asked() {
    if (location.hash === "#result") return last;
    return Math.min(Number(STEP.exec(location.hash)?.[1] ?? 0), steps.length);
  }

  /**
   * Go to a position, by way of the address.
   * @param {string} where
   * @param {boolean} kept  whether the browser's back button leads back to here
   */
  function go(where, kept = true) {
    if (where === location.hash) shown();
    else if (kept) location.assign(where);
    else location.replace(where);
  }

  /** What a position is called. @param {number} i @returns {string} */
  function called(i) {
    if (i <= 0 || i >= last) return part(i)?.textContent ?? "";
    return (bar.dataset.step ?? "").replace("{i}", String(i)).replace("{n}", String(steps.length));
  }

  /** What is said of a position to those who do not see it. @param {number} i @returns {string} */
  function words(i) {
    const here = part(i);
    if (i <= 0 || i >= last) return called(i);
    const rule = here?.querySelector(".rule")?.lastChild?.textContent?.trim();
    const lines = [...(here?.querySelectorAll("td.right, .reason") ?? [])].map((line) => line.textContent);
    return [called(i), rule, ...lines].join(". ");
  }

  /** Show one position: what comes later is hidden, what it is about is marked. @param {number} i */
  function show(i) {
    at = i;
    const here = part(i);
    root.classList.add("stepping");
    for (const { node, from } of blocks) {
      node.classList.toggle("later", from > i);
      if (node instanceof HTMLDetailsElement && !node.matches(".lemma")) node.open = true;
    }
    for (const { node } of blocks) node.removeAttribute("aria-current");
    here?.setAttribute("aria-current", "step");
    slider.value = String(i);
    slider.setAttribute("aria-valuetext", called(i));
    count.textContent = `${Math.min(i, steps.length)} / ${steps.length}`;
    back.disabled = i <= 0;
    next.disabled = i >= last;
    if (i >= last) pause();
  }

  /** Show what the address asks for. @param {boolean} first  whether the page has just been opened */
  function shown(first = false) {
    const whole = location.hash === "#all";
    all.setAttribute("aria-pressed", String(whole));
    bar.classList.toggle("whole", whole);
    if (whole) {
      pause();
      root.classList.remove("stepping");
      said.textContent = all.textContent;
      return;
    }
    show(asked());
    said.textContent = words(at);
    part(at)?.scrollIntoView({ block: "nearest", behavior: first || calm.matches ? "auto" : "smooth" });
  }

  /** Go some steps on, or back. @param {number} by @param {boolean} kept */
  function move(by, kept = true) {
    go(address(Math.max(0, Math.min(last, at + by))), kept);
  }

  function pause() {
    clearInterval(timer);
    timer = 0;
    play.textContent = playWord;
  }

  play.addEventListener("click", () => {
    if (timer) return pause();
    go(address(at >= last ? 0 : at + 1));
    play.textContent = play.dataset.other ?? "";
    timer = setInterval(() => move(1, false), SECONDS * 1000);
  });
  back.addEventListener("click", () => move(-1));
  next.addEventListener("click", () => move(1));
  all.addEventListener("click", () => go(location.hash === "#all" ? address(at) : "#all"));
  slider.addEventListener("input", () => show(Number(slider.value)));
  slider.addEventListener("change", () => go(address(at)));
  for (const button of [back, next, all, slider]) button.addEventListener("click", pause);

  document.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const taken = event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.target === slider;
    if (!by || taken || location.hash === "#all") return;
    event.preventDefault();
    pause();
    move(by);
  });

  /** Whether something moves sideways by itself under a finger. @param {EventTarget | null} target @returns {boolean} */
  function sideways(target) {
    for (let node = target instanceof Element ? target : null; node && node !== root; node = node.parentElement) {
      if (node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).overflowX === "auto") return true;
    }
    return false;
  }

  /** @type {Touch | null} */
  let touched = null;
  root.addEventListener(
    "touchstart",
    (event) => void (touched = event.touches.length === 1 && !sideways(event.target) ? event.touches[0] : null),
    { passive: true },
  );
  root.addEventListener("touchend", (event) => {
    if (!touched || location.hash === "#all") return;
    const x = event.changedTouches[0].clientX - touched.clientX;
    const y = event.changedTouches[0].clientY - touched.clientY;
    touched = null;
    if (Math.abs(x) < SWIPE || Math.abs(x) < 2 * Math.abs(y)) return;
    pause();
    move(x < 0 ? 1 : -1);
  });

  steps.forEach((step, index) => {
    step.id = `step-${index + 1}`;
    const number = step.querySelector(".number");
    const link = document.createElement("a");
    link.href = `#${step.id}`;
    link.append(...(number?.childNodes ?? []));
    number?.append(link);
  });
  slider.max = String(last);
  addEventListener("hashchange", () => shown());
  if (location.hash) shown(true);
  else show(0);
})();
