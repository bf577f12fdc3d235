// @ts-check
"use strict";
// Puts the page into its other language where the address asks for it (?lang=zh), before any other script reads it. What
// differs stands in the page, by its place among all that the page says; the places are counted as Python counts them
// in translated.py. A button goes to the address of the other language, and stays at the same step.
(() => {
  /** @typedef {{ lang: string, attributes: string[], of: number, said: [number, string][] }} Translation */

  const data = document.querySelector("#translation");
  if (!data) return;
  const /** @type {Translation} */ other = JSON.parse(data.textContent ?? "");
  const own = document.documentElement.lang;
  const asked = new URLSearchParams(location.search).get("lang");
  const translated = asked === other.lang && translate();
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element && event.target.closest("[name=lang]");
    if (!button) return;
    const search = new URLSearchParams({ lang: translated ? own : other.lang });
    document.dispatchEvent(new CustomEvent("leave", { detail: search })); // to take along what is set on the page
    location.search = String(search);
  });

  /** Put all texts in their places. @returns {boolean} whether they fit */
  function translate() {
    /** @type {((text: string) => void)[]} */
    const places = [];
    for (const root of document.querySelectorAll("title, body")) collect(root, places);
    if (places.length !== other.of) return false;
    for (const [place, text] of other.said) places[place](text);
    for (const node of document.querySelectorAll("html, .derivation")) node.setAttribute("lang", other.lang);
    return true;
  }

  /**
   * All places where something is said, in their order, each as a function that says something else there.
   * @param {Node} node
   * @param {((text: string) => void)[]} places
   */
  function collect(node, places) {
    if (node instanceof Text && /[^ \t\n\r\f]/.test(node.data)) places.push((text) => (node.data = text));
    if (node instanceof Element) {
      if (node.matches("script, style")) return;
      for (const name of other.attributes) {
        if (node.hasAttribute(name)) places.push((text) => node.setAttribute(name, text));
      }
    }
    for (const inside of (node instanceof HTMLTemplateElement ? node.content : node).childNodes) collect(inside, places);
  }
})();
