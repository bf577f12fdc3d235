// @ts-check
"use strict";
// The drawing larger and smaller, by buttons and by the wheel with Ctrl; it is moved about by dragging, and by scrolling.
(() => {
  const STEP = 1.25;
  const [LEAST, MOST] = [0.2, 5];
  const READABLE = 0.8; // of its own size
  const template = /** @type {HTMLTemplateElement} */ (document.querySelector("template#zoom"));

  for (const figure of document.querySelectorAll(".stage")) {
    const frame = /** @type {HTMLElement} */ (figure.querySelector(".scene"));
    const drawings = [...frame.querySelectorAll("svg")].map((svg) => ({
      svg,
      sides: ["width", "height"].map((side) => [side, parseFloat(svg.getAttribute(side) ?? "")]),
    }));
    let scale = 1;
    let chosen = false; // whether it is as large as the reader made it

    /** Show it so many times as large, with the same point in the middle. @param {number} to */
    function zoom(to) {
      const by = Math.min(MOST, Math.max(LEAST, to)) / scale;
      const [x, y] = [frame.scrollLeft + frame.clientWidth / 2, frame.scrollTop + frame.clientHeight / 2];
      scale *= by;
      for (const { svg, sides } of drawings) {
        for (const [side, size] of sides) svg.setAttribute(String(side), `${Number(size) * scale}pt`);
      }
      frame.scrollTo(x * by - frame.clientWidth / 2, y * by - frame.clientHeight / 2);
    }

    /** As large as its frame can show it whole. */
    function fit() {
      const size = /** @type {Element} */ (frame.querySelector(":not([hidden]) > svg")).getBoundingClientRect();
      const most = parseFloat(getComputedStyle(frame).maxHeight) || frame.clientHeight;
      zoom(scale * Math.min(frame.clientWidth / size.width, most / size.height));
    }

    /** Of a narrow frame as large as it can show, but not too small to read. */
    function shrink() {
      const size = /** @type {Element} */ (frame.querySelector(":not([hidden]) > svg"))?.getBoundingClientRect();
      if (!chosen && size?.width) zoom(Math.min(1, Math.max(READABLE, (scale * frame.clientWidth) / size.width)));
    }

    new ResizeObserver(shrink).observe(frame);
    figure.append(template.content.cloneNode(true));
    for (const [name, act] of Object.entries({
      smaller: () => zoom(scale / STEP),
      fit,
      larger: () => zoom(scale * STEP),
    })) {
      figure.querySelector(`.zoom [name=${name}]`)?.addEventListener("click", () => {
        chosen = true;
        act();
      });
    }
    frame.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey) return;
        event.preventDefault();
        chosen = true;
        zoom(scale * STEP ** -Math.sign(event.deltaY));
      },
      { passive: false },
    );
    frame.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "mouse" || event.button) return;
      frame.setPointerCapture(event.pointerId);
    });
    frame.addEventListener("pointermove", (event) => {
      if (frame.hasPointerCapture(event.pointerId)) frame.scrollBy(-event.movementX, -event.movementY);
    });
  }
})();
