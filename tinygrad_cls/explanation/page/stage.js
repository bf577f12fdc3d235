// @ts-check
"use strict";
// The drawing follows the steps. Boxes appear as their values are computed, then gradients come back along the arrows,
// then the graph of the gradient shrinks. What a position is about is read off the page: which entry of the list of what
// is computed, or which step; its numbers too, so that they are those that the sliders give. This script comes before
// the one that steps, and hears from it.
(() => {
  /**
   * What Python says of a drawing; see stage.py.
   * @typedef {{ at: string, arrows: string[], gradients: [string, string, string][] }} Step
   * @typedef {{ whole: number, order: string[], leaves: Record<string, string>, steps: Record<string, Step> }} Scene
   */

  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const figures = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".stage")]);
  for (const figure of figures) figure.closest(".derivation")?.querySelector("h1")?.after(figure);
  const scenes = new Map(figures.map((figure) => [figure.closest(".derivation"), drawn(figure)]));
  document.addEventListener("position", (event) => {
    const { root, here } = /** @type {CustomEvent} */ (event).detail;
    scenes.get(root)?.show(here);
  });
  document.addEventListener("values", (event) => {
    scenes.forEach((scene) => scene.again(/** @type {CustomEvent} */ (event).detail));
  });

  /** @param {HTMLElement} figure */
  function drawn(figure) {
    const root = /** @type {HTMLElement} */ (figure.closest(".derivation"));
    const /** @type {Scene} */ scene = JSON.parse(figure.dataset.scene ?? "");
    const graph = /** @type {HTMLElement} */ (figure.querySelector(".scene"));
    const pictures = /** @type {HTMLElement[]} */ ([...figure.querySelectorAll(".picture")]);
    const parts = new Map([...graph.querySelectorAll("[data-part]")].map((g) => [g.getAttribute("data-part") ?? "", g]));
    const forward = [...root.querySelectorAll(".forward li")];
    const numbers = Object.keys(scene.steps).map(Number);
    /** @type {Element | null} */
    let at = null;
    /** @type {Record<string, string>} */
    let given = {};

    /** Shows what the part of the page is about that is in focus; all of it where none is. @param {Element | null} here */
    function show(here) {
      at = here;
      figure.classList.toggle("whole", here === null);
      const step = Number(here?.querySelector(".number")?.textContent);
      const algebra = pictures.find((picture) => Number(picture.dataset.step) === step && step);
      const result = here?.matches(".result") ? pictures.find((picture) => picture.dataset.step === "0") : undefined;
      const shown = algebra ?? result;
      for (const picture of pictures) picture.hidden = picture !== shown;
      graph.hidden = Boolean(shown);
      if (here === null) return draw(scene.order.length, Infinity, null);
      const computed = forward.indexOf(here) + 1;
      if (computed) draw(computed, 0, scene.order[computed - 1]);
      else if (step in scene.steps) draw(scene.order.length, step, scene.steps[step].at);
      else draw(0, 0, null);
      centre(graph.querySelector(".box.active"));
    }

    /** Scroll the drawing, where it is larger than its frame. @param {Element | null} box */
    function centre(box) {
      if (!box) return graph.scrollTo(0, 0);
      const [inside, frame] = [box.getBoundingClientRect(), graph.getBoundingClientRect()];
      const left = inside.left + inside.width / 2 - frame.left - frame.width / 2;
      const top = inside.top + inside.height / 2 - frame.top - frame.height / 2;
      graph.scrollBy({ left, top, behavior: calm.matches ? "auto" : "smooth" });
    }

    /**
     * @param {number} computed  how many boxes have their values
     * @param {number} step  the step up to which gradients are known
     * @param {string | null} active  the box in focus
     */
    function draw(computed, step, active) {
      const made = new Set(scene.order.slice(0, computed));
      /** @type {Map<string, string[]>} */
      const gradients = new Map();
      const reached = new Set();
      for (const i of numbers.filter((i) => i <= step)) {
        const { arrows, gradients: found } = scene.steps[i];
        arrows.forEach((arrow) => reached.add(arrow));
        found.forEach(([box, name, text], j) => gradients.set(box, [name, short(value(i, j, found.length) ?? text)]));
      }
      const now = new Set(scene.steps[step]?.arrows);
      for (const [name, part] of parts) {
        const box = part.classList.contains("box");
        part.classList.toggle("unknown", box && part.classList.contains("made") && !made.has(name));
        part.classList.toggle("active", name === active || now.has(name));
        part.classList.toggle("reached", box ? gradients.has(name) : reached.has(name));
        if (!box) continue;
        const lines = part.querySelectorAll("text");
        const entry = forward[scene.order.indexOf(name)]?.querySelector(".value")?.textContent;
        if (entry && lines[1]) lines[1].textContent = short(entry.trim());
        const leaf = Object.keys(given).find((leaf) => scene.leaves[leaf] === name);
        if (leaf && lines[1]) lines[1].textContent = short(given[leaf]);
        if (lines[2]) lines[2].textContent = gradients.get(name)?.join(" = ") ?? "";
      }
    }

    /** Of many numbers the range, as Python writes it in a box. @param {string} text @returns {string} */
    function short(text) {
      const numbers = text.match(/−?\d[\d.]*(?:e[−+]?\d+)?/g) ?? [];
      if (numbers.length <= scene.whole) return text;
      const ordered = numbers.sort((x, y) => Number(x.replaceAll("−", "-")) - Number(y.replaceAll("−", "-")));
      return `${text.startsWith("=") ? "= " : ""}${ordered[0]} … ${ordered[ordered.length - 1]}`;
    }

    /** The value that stands beside a formula of a step. @param {number} i @param {number} j @param {number} of */
    function value(i, j, of) {
      const step = [...root.querySelectorAll("li .number")].find((number) => Number(number.textContent) === i);
      const lines = [...(step?.closest("li")?.querySelectorAll("tr:has(.value)") ?? [])].map(
        (line) => line.querySelector(".value")?.textContent?.replace("=", "").trim(),
      );
      return lines.length === of ? lines[j] : undefined;
    }

    new ResizeObserver(() => {
      const active = [...graph.querySelectorAll(".box.active")].find((box) => box.checkVisibility());
      if (active) centre(active); // the panel has been opened, or the window turned
    }).observe(graph);
    addEventListener("beforeprint", () => {
      const before = at;
      show(null); // on paper all steps stand
      at = before;
    });
    addEventListener("afterprint", () => show(at));
    show(null);
    return {
      show,
      /** Show the same with other values. @param {Record<string, string>} leaves  of what is given, by name */
      again(leaves) {
        given = leaves;
        show(at);
      },
    };
  }
})();
