// @ts-check
"use strict";
// Where one points at a box of the drawing, or goes there by keyboard, its letter lights up in all formulas, and the
// line of code that made it; where one points at a letter in a formula, its box does, and at a line, all that it made.
(() => {
  for (const figure of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".stage"))) {
    const root = /** @type {HTMLElement} */ (figure.closest(".derivation"));
    const /** @type {Record<string, string>} */ names = JSON.parse(figure.dataset.scene ?? "").names;
    const boxes = [...figure.querySelectorAll(".box")];
    for (const box of boxes) {
      box.setAttribute("tabindex", "0");
      if (!box.hasAttribute("role")) box.setAttribute("role", "img");
    }

    const known = new Set(Object.values(names));
    const letters = [...root.querySelectorAll("mi")].map((node) => ({ node, name: called(node) }));
    const codes = [...root.querySelectorAll("code")].map((node) => ({
      node,
      name: called(node.closest("tr")?.previousElementSibling?.querySelector(".left mi")),
    }));

    /** The name that a letter stands for, with the number below it. @param {Element | null | undefined} letter */
    function called(letter) {
      const name = letter?.textContent ?? "";
      const low = letter?.matches("msub > mi:has(+ mn)") ? (letter.nextElementSibling?.textContent ?? "") : "";
      const numbered = name + low.replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[Number(digit)]);
      return known.has(numbered) ? numbered : name;
    }

    /** The names of what stands at a place; none where that has no box. @param {EventTarget | null} place */
    function named(place) {
      if (!(place instanceof Element)) return [];
      const box = place.closest(".box");
      if (box) return [names[box.getAttribute("data-part") ?? ""]];
      const line = place.closest("code")?.textContent;
      if (line) return codes.filter(({ node }) => node.textContent === line).map(({ name }) => name);
      const entry = place.closest(".forward tr")?.querySelector(".left mi");
      return [called(place.closest("msub")?.querySelector(":scope > mi") ?? place.closest("mi") ?? entry)];
    }

    /** Light up what has one of the names, and nothing else. @param {string[]} lit */
    function light(lit) {
      for (const box of boxes) {
        box.classList.toggle("lit", lit.includes(names[box.getAttribute("data-part") ?? ""]));
        const lines = [...box.querySelectorAll("text")].filter((line) => getComputedStyle(line).visibility === "visible");
        box.setAttribute("aria-label", lines.map((line) => line.textContent).join(", "));
      }
      for (const { node, name } of letters) node.classList.toggle("lit", known.has(name) && lit.includes(name));
      for (const { node, name } of codes) node.classList.toggle("lit", lit.includes(name));
    }

    root.addEventListener("pointerover", (event) => light(named(event.target)));
    root.addEventListener("pointerleave", () => light([]));
    root.addEventListener("focusin", (event) => light(named(event.target)));
    root.addEventListener("focusout", () => light([]));
    light([]);
  }
})();
