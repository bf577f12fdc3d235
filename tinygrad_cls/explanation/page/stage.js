// @ts-check
"use strict";
// The drawing follows the steps. Where the loss is rewritten its graph becomes another; boxes appear as their values are
// computed, then gradients come back along the arrows, then the graph of the gradient shrinks. What a position is about is
// read off the page: which entry of the list of what is computed, or which step; its numbers too, so that they are those
// that the sliders give. A long drawing is in rooms: the one that the step is about is entered, unless the reader folded
// it. This script comes before the one that steps, and hears from it.
(() => {
  /**
   * What Python says of a drawing; see stage.py.
   * @typedef {{ at: string, arrows: string[], gradients: [string, number, string, string][] }} Step
   * @typedef {{ whole: number, order: string[], leaves: Record<string, string>, rooms: string[][],
   *   steps: Record<string, Step> }} Scene
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
    const rooms = /** @type {HTMLElement[]} */ ([...graph.querySelectorAll(".room")]);
    const parts = [...graph.querySelectorAll("[data-part]")].map((node) => ({
      node,
      names: (node.getAttribute("data-part") ?? "").split(" "),
      box: node.classList.contains("box"),
      room: Number(/ r(\d+)/.exec(node.getAttribute("class") ?? "")?.[1] ?? 0), // that is folded into it
      lines: [...node.querySelectorAll("text")],
    }));
    const forward = [...root.querySelectorAll(".forward li")];
    const items = new Map([...root.querySelectorAll("li:not(.lemma li):has(.number)")].map((item) => [
      Number(item.querySelector(".number")?.textContent),
      item,
    ]));
    const numbers = Object.keys(scene.steps).map(Number);
    const leaf = new Map(Object.entries(scene.leaves).map(([name, box]) => [box, name]));
    const folded = new Set(); // rooms that the reader folded
    /** @type {Element | null} */
    let at = null;
    /** @type {Record<string, string>} */
    let given = {};
    let first = ""; // as they were recorded

    /** Shows what the part of the page is about that is in focus; all of it where none is. @param {Element | null} here */
    function show(here) {
      at = here;
      figure.classList.toggle("whole", here === null);
      const step = Number(here?.querySelector(".number")?.textContent);
      const place = here?.matches(".result") ? "result" : here?.matches("h1") ? "question" : String(step);
      const shown = pictures.find((picture) => picture.dataset.step === place);
      for (const picture of pictures) picture.hidden = picture !== shown;
      graph.hidden = Boolean(shown);
      if (here === null) return draw(scene.order.length, Infinity, null);
      const computed = forward.indexOf(here) + 1;
      if (computed) draw(computed, 0, scene.order[computed - 1]);
      else if (step in scene.steps) draw(scene.order.length, step, scene.steps[step].at);
      else draw(0, 0, null);
      centre(graph.querySelector(".room:not([hidden]) .box.active"));
    }

    /** The rooms that a box is in, from the outermost. @param {string} box @returns {number[]} */
    function around(box) {
      return [...scene.rooms.keys()].filter((room) => scene.rooms[room].includes(box));
    }

    /** Show one room. @param {number} room */
    function enter(room) {
      rooms.forEach((one, i) => (one.hidden = i !== room));
    }

    /** Unfold a room, or go out to one. @param {Element} control */
    function turn(control) {
      const group = parts.find(({ node }) => node === control);
      const here = rooms.findIndex((room) => !room.hidden);
      const room = group?.room ?? Number(control.getAttribute("data-room"));
      if (group) folded.delete(room);
      else scene.rooms.forEach((_, i) => i > room && i <= here && inside(here, i) && folded.add(i));
      enter(room);
      const next = rooms[room].querySelector(group ? ".within button:last-of-type" : `.r${[...folded].at(-1)}`);
      /** @type {HTMLElement | null} */ (next)?.focus({ preventScroll: true });
      centre(rooms[room].querySelector(".box.active"));
    }

    /** Whether a room is another, or in it. @param {number} room @param {number} other */
    function inside(room, other) {
      return scene.rooms[room].every((box) => scene.rooms[other].includes(box));
    }

    /** Scroll the drawing, where it is larger than its frame. @param {Element | null} box */
    function centre(box) {
      if (!box) return graph.scrollTo((graph.scrollWidth - graph.clientWidth) / 2, 0);
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
      /** @type {Map<string, string[]>} by box what is known of its gradient, line by line */
      const gradients = new Map();
      const reached = new Set();
      for (const i of numbers.filter((i) => i <= step)) {
        const { arrows, gradients: found } = scene.steps[i];
        arrows.forEach((arrow) => reached.add(arrow));
        found.forEach(([box, line, name, text], j) => {
          const lines = gradients.get(box) ?? [];
          lines[line] = `${name} = ${short(value(i, j, found.length) ?? text)}`;
          gradients.set(box, lines);
        });
      }
      const now = new Set(scene.steps[step]?.arrows);
      const path = around(active ?? "");
      const stop = path.findIndex((room) => folded.has(room));
      enter((stop < 0 ? path.at(-1) : path[stop - 1]) ?? 0);
      for (const { node, names, box, room, lines } of parts) {
        const name = names[0];
        const entered = room ? scene.rooms[room].includes(active ?? "") : name === active;
        node.classList.toggle("unknown", node.classList.contains("made") && !made.has(name));
        node.classList.toggle("active", box ? entered : names.some((name) => now.has(name)));
        node.classList.toggle("reached", box ? gradients.has(name) : names.some((name) => reached.has(name)));
        if (!box) continue;
        const entry = forward[scene.order.indexOf(name)]?.querySelector(".value")?.textContent;
        if (entry && lines[1]) lines[1].textContent = short(entry.trim());
        const other = given[leaf.get(name) ?? ""];
        if (other && lines[1]) lines[1].textContent = short(other);
        const known = gradients.get(name) ?? [];
        lines.slice(2).forEach((line, i) => (line.textContent = (lines.length > 3 ? known[i] : known.at(-1)) ?? ""));
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
      const lines = [...(items.get(i)?.querySelectorAll("td .value") ?? [])].map((line) =>
        line.textContent?.replace("=", "").trim(),
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
    for (const { node, room } of parts) {
      if (!room) continue;
      node.setAttribute("role", "button");
      node.setAttribute("aria-expanded", "false");
    }
    graph.addEventListener("click", (event) => {
      const control = /** @type {Element} */ (event.target).closest(".group, .within button");
      if (control) turn(control);
    });
    graph.addEventListener("keydown", (event) => {
      const control = /** @type {Element} */ (event.target).closest(".group");
      if (!control || !["Enter", " "].includes(event.key)) return;
      event.preventDefault();
      turn(control);
    });
    show(null);
    return {
      show,
      /** Show the same with other values. @param {Record<string, string>} leaves  of what is given, by name */
      again(leaves) {
        first ||= JSON.stringify(leaves);
        given = leaves;
        for (const strip of root.querySelectorAll(".heat")) {
          strip.toggleAttribute("hidden", JSON.stringify(leaves) !== first); // it shows what was recorded
        }
        show(at);
      },
    };
  }
})();
