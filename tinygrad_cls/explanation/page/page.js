// @ts-check
"use strict";
// Turns the steps of a derivation into something to step through. Without this script the page stands there in full;
// with it each block has a position from which on it is shown: 0 is the question, 1 to n are the stops, n + 1 is the
// result. A stop is a step, or an entry of the list of what is computed. Where one is stands in the address (#step-3, by
// another way #lemmas-step-3), so that links and the browser's back button lead there.
(() => {
  /** @typedef {{ node: HTMLElement, from: number }} Block  what stands on the page, and from which position on */
  /**
   * A derivation by one way; `before` stands before `step-3` in its addresses.
   * @typedef {{ root: HTMLElement, before: string, blocks: Block[], stops: HTMLElement[] }} Way
   */

  const SECONDS = 5; // that a step stands while they play by themselves
  const SWIPE = 50; // pixels at least
  const SMALLEST = 0.75; // of a formula's own size
  const ADDRESS = /^#(\w+-)??(?:question|((?:step|forward)-\d+)|(result)|(all))$/;

  const template = /** @type {HTMLTemplateElement} */ (document.querySelector("template#player"));
  document.body.append(template.content.cloneNode(true));
  const bar = /** @type {HTMLElement} */ (document.querySelector(".player"));
  const said = /** @type {HTMLElement} */ (document.querySelector(".said"));
  const slider = /** @type {HTMLInputElement} */ (bar.querySelector("input"));
  const count = /** @type {HTMLOutputElement} */ (bar.querySelector("output"));
  const choice = /** @type {HTMLSelectElement} */ (bar.querySelector("select"));
  const [back, next, play, all] = ["back", "next", "play", "all"].map(
    (name) => /** @type {HTMLButtonElement} */ (bar.querySelector(`[name=${name}]`)),
  );
  const playWord = play.textContent;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  const roots = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".derivation")]);
  const ways = roots.map((root, index) => laidOut(root, index ? `${choice.options[index].value}-` : ""));
  let way = ways[0];
  let at = 0; // the position; with all steps shown, the one to go back to
  let timer = 0; // 0 where nothing plays

  /**
   * A derivation's blocks with their positions, and its stops in order. What stands between two stops comes with the
   * second of them, what stands before the first is the question. A lemma is there from the first step on, which may
   * cite it.
   * @param {HTMLElement} root
   * @param {string} before
   * @returns {Way}
   */
  function laidOut(root, before) {
    /** @type {Block[]} */
    const blocks = [];
    /** @type {HTMLElement[]} */
    const stops = [];
    for (const node of /** @type {Iterable<HTMLElement>} */ (root.children)) {
      const between = stops.length ? stops.length + 1 : 0;
      if (node.matches("ol, details:not(.lemma)")) {
        const inside = /** @type {NodeListOf<HTMLElement>} */ (node.querySelectorAll("li"));
        blocks.push({ node, from: stops.length + 1 });
        inside.forEach((stop) => blocks.push({ node: stop, from: stops.push(stop) }));
      } else {
        blocks.push({ node, from: node.matches(".stage") ? 0 : node.matches(".lemma, h2:has(+ .lemma)") ? 1 : between });
      }
    }
    for (const kind of ["forward", "step"]) {
      const some = stops.filter((stop) => (kind === "forward") === Boolean(stop.closest(".forward")));
      some.forEach((stop, index) => (stop.id = `${before}${kind}-${index + 1}`));
    }
    return { root, before, blocks, stops };
  }

  /** The position of the result. @returns {number} */
  function last() {
    return way.stops.length + 1;
  }

  /** The part that is in focus at a position. @param {number} i @returns {HTMLElement | null} */
  function part(i) {
    return i > 0 && i < last() ? way.stops[i - 1] : way.root.querySelector(i ? ":scope > .result" : "h1");
  }

  /** What the address says after its #, for a position. @param {number} i @returns {string} */
  function address(i) {
    return i > 0 && i < last() ? `#${way.stops[i - 1].id}` : `#${way.before}${i <= 0 ? "question" : "result"}`;
  }

  /**
   * Go to a position, and put its address where the browser has it. A link there would take the focus from the buttons.
   * @param {string} where
   * @param {boolean} kept  whether the browser's back button leads back to here
   */
  function go(where, kept = true) {
    const address = location.href.replace(/#.*/, "") + where; // a lone # is meant for the frame around a notebook's cell
    if (where !== location.hash) history[kept ? "pushState" : "replaceState"](null, "", address);
    shown();
  }

  /** What a position is called. @param {number} i @returns {string} */
  function called(i) {
    if (i <= 0 || i >= last()) return part(i)?.textContent ?? "";
    return (bar.dataset.step ?? "").replace("{i}", String(i)).replace("{n}", String(way.stops.length));
  }

  /** What is said of a position to those who do not see it. @param {number} i @returns {string} */
  function words(i) {
    const here = part(i);
    if (i <= 0 || i >= last()) return called(i);
    const rule = here?.querySelector(".rule")?.lastChild?.textContent?.trim();
    const lines = [...(here?.querySelectorAll("tr:not(:has(code)), .reason") ?? [])].map((line) =>
      [...(line instanceof HTMLTableRowElement ? line.cells : [line])].map((part) => part.textContent?.trim()).join(" "),
    );
    return [called(i), rule, ...lines].filter(Boolean).join(". ");
  }

  /** Show one position: what comes later is hidden, what it is about is marked. @param {number} i */
  function show(i) {
    at = i;
    const here = part(i);
    way.root.classList.add("stepping");
    for (const { node, from } of way.blocks) {
      node.classList.toggle("later", from > i);
      if (node instanceof HTMLDetailsElement && !node.matches(".lemma")) node.open = true;
    }
    for (const { node } of way.blocks) node.removeAttribute("aria-current");
    here?.setAttribute("aria-current", "step");
    slider.value = String(i);
    slider.setAttribute("aria-valuetext", called(i));
    fit(way.root);
    count.textContent = `${Math.min(i, way.stops.length)} / ${way.stops.length}`;
    back.ariaDisabled = String(i <= 0); // and not `disabled`, which would take the focus from who works by keyboard
    next.ariaDisabled = String(i >= last());
    if (i >= last()) pause();
    tell(here);
  }

  /** Formulas that are too wide are written smaller, and only then scrolled. @param {HTMLElement} root */
  function fit(root) {
    const formulas = /** @type {HTMLElement[]} */ ([...root.querySelectorAll(".equations")]);
    for (const formula of formulas) formula.style.fontSize = "";
    const parts = formulas.map((formula) => formula.clientWidth / formula.scrollWidth);
    formulas.forEach((formula, i) => {
      if (parts[i] < 1) formula.style.fontSize = `${Math.max(SMALLEST, parts[i])}em`;
    });
  }

  /** Tell the drawing what is in focus; nothing where all is shown. @param {HTMLElement | null} here */
  function tell(here) {
    document.dispatchEvent(new CustomEvent("position", { detail: { root: way.root, here } }));
  }

  /** Show what the address asks for. @param {boolean} first  whether the page has just been opened */
  function shown(first = false) {
    const [, before = "", stop, result, whole] = ADDRESS.exec(location.hash) ?? [];
    way = ways.find((one) => one.before === before) ?? ways[0];
    for (const one of ways) one.root.classList.toggle("other", one !== way);
    choice.selectedIndex = ways.indexOf(way);
    slider.max = String(last());
    all.setAttribute("aria-pressed", String(Boolean(whole)));
    bar.classList.toggle("whole", Boolean(whole));
    if (whole) {
      pause();
      at = Math.min(at, last());
      way.root.classList.remove("stepping");
      said.textContent = all.textContent;
      tell(null);
      return;
    }
    const found = way.stops.findIndex((node) => node.id === before + stop) + 1;
    show(result ? last() : found || (stop ? way.stops.length : 0));
    if (first && !location.hash) return;
    said.textContent = words(at);
    see(first || calm.matches ? "auto" : "smooth");
  }

  /**
   * Bring what is in focus into sight, from its first line if it is too high, or if what it means stands below it.
   * @param {ScrollBehavior} behavior
   */
  function see(behavior) {
    const here = part(at);
    if (!here) return;
    const { scrollMarginTop, scrollMarginBottom } = getComputedStyle(here);
    const free = innerHeight - parseFloat(scrollMarginTop) - parseFloat(scrollMarginBottom);
    here.scrollIntoView({ block: at >= last() || here.offsetHeight > free ? "start" : "nearest", behavior });
  }

  /** Whether all steps are shown. @returns {boolean} */
  function whole() {
    return bar.classList.contains("whole");
  }

  /** Go some steps on, or back. @param {number} by @param {boolean} kept */
  function move(by, kept = true) {
    go(address(Math.max(0, Math.min(last(), at + by))), kept);
  }

  function pause() {
    clearInterval(timer);
    timer = 0;
    play.textContent = playWord;
  }

  play.addEventListener("click", () => {
    if (timer) return pause();
    play.textContent = play.dataset.other ?? "";
    timer = setInterval(() => move(1, false), SECONDS * 1000);
    go(address(at >= last() ? 0 : at + 1));
  });
  back.addEventListener("click", () => move(-1));
  next.addEventListener("click", () => move(1));
  all.addEventListener("click", () => go(whole() ? address(at) : `#${way.before}all`));
  choice.addEventListener("change", () => go(`#${ways[choice.selectedIndex].before}${whole() ? "all" : "question"}`));
  slider.addEventListener("input", () => show(Number(slider.value)));
  slider.addEventListener("change", () => go(address(at)));
  for (const button of [back, next, all, slider, choice]) button.addEventListener("click", pause);

  document.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const other = event.altKey || event.ctrlKey || event.metaKey || event.shiftKey;
    const taken = event.target instanceof Element && event.target.matches("input, select"); // they move by arrows, too
    if (!by || other || taken || whole()) return;
    event.preventDefault();
    pause();
    move(by);
  });

  /** Whether a finger moves something sideways there. @param {EventTarget | null} target @returns {boolean} */
  function sideways(target) {
    for (let node = target instanceof Element ? target : null; node && node !== way.root; node = node.parentElement) {
      if (node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).overflowX === "auto") return true;
    }
    return false;
  }

  /** @type {Touch | null} */
  let touched = null;
  document.addEventListener(
    "touchstart",
    (event) => {
      const one = event.touches.length === 1 && event.target instanceof Node && way.root.contains(event.target);
      touched = one && !sideways(event.target) ? event.touches[0] : null;
    },
    { passive: true },
  );
  document.addEventListener("touchend", (event) => {
    if (!touched || whole()) return;
    const x = event.changedTouches[0].clientX - touched.clientX;
    const y = event.changedTouches[0].clientY - touched.clientY;
    touched = null;
    if (Math.abs(x) < SWIPE || Math.abs(x) < 2 * Math.abs(y)) return;
    pause();
    move(x < 0 ? 1 : -1);
  });

  for (const { root, stops } of ways) {
    root.closest("details.way")?.replaceWith(root); // a choice takes its place
    stops.forEach((stop) => {
      const number = stop.querySelector(".number");
      const link = document.createElement("a");
      link.href = `#${stop.id}`;
      link.append(...(number?.childNodes ?? []));
      number?.append(link);
    });
  }
  // The step stays above the bar, however high that is: the panel opens in it, a phone is turned.
  new ResizeObserver(() => {
    document.body.style.setProperty("--bar", `${bar.offsetHeight}px`);
    if (location.hash && !whole()) see("auto");
  }).observe(bar);
  addEventListener("hashchange", () => shown());
  shown(true);
})();
