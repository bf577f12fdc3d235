// @ts-check
"use strict";
// Where one points at a box of the drawing, or goes there by keyboard, its letter lights up in all formulas; where one
// points at a letter in a formula, its box does.
(() => {
  for (const figure of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".stage"))) {
    const root = /** @type {HTMLElement} */ (figure.closest(".derivation"));
    const /** @type {Record<string, string>} */ names = JSON.parse(figure.dataset.scene ?? "").names;
    const boxes = [...figure.querySelectorAll(".box")];
    for (const box of boxes) {
      box.setAttribute("tabindex", "0");
      if (!box.hasAttribute("role")) box.setAttribute("role", "img");
    }

    /** The name of what stands at a place; nothing where that has no box. @param {EventTarget | null} place */
    function named(place) {
      if (!(place instanceof Element)) return "";
      const box = place.closest(".box");
      if (box) return names[box.getAttribute("data-part") ?? ""];
      const entry = place.closest(".forward tr")?.querySelector(".left mi");
      return (place.closest("mi") ?? entry)?.textContent ?? "";
    }

    /** Light up what has a name, and nothing else. @param {string} name */
    function light(name) {
      for (const box of boxes) {
        box.classList.toggle("lit", names[box.getAttribute("data-part") ?? ""] === name);
        const lines = [...box.querySelectorAll("text")].filter((line) => getComputedStyle(line).visibility === "visible");
        box.setAttribute("aria-label", lines.map((line) => line.textContent).join(", "));
      }
      const known = Object.values(names).includes(name);
      for (const letter of root.querySelectorAll("mi")) {
        letter.classList.toggle("lit", known && letter.textContent === name);
      }
    }

    root.addEventListener("pointerover", (event) => light(named(event.target)));
    root.addEventListener("pointerleave", () => light(""));
    root.addEventListener("focusin", (event) => light(named(event.target)));
    root.addEventListener("focusout", () => light(""));
    light("");
  }
})();
