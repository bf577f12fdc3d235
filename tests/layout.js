// The faults of a page's layout as it stands in the window, in words; a function, which test_page_layout.py runs there.
() => {
  const MARGIN = 2; // pixels
  const all = (selector) => [...document.querySelectorAll(selector)].filter((node) =>
    node.checkVisibility({ visibilityProperty: true, opacityProperty: true }));
  const faults = [], said = (node) => `${node.nodeName} ${node.textContent.trim().slice(0, 30)}`;
  const up = (node) => node ? [...up(node.parentElement), node] : [];
  const inner = (node) => up(node).reverse();
  const scrolls = (node) => /auto|scroll/.test(getComputedStyle(node).overflowX + getComputedStyle(node).overflowY);
  const width = document.documentElement.clientWidth, height = innerHeight;
  if (document.documentElement.scrollWidth > width) faults.push("the page scrolls sideways");

  // What is seen of a text: its box, less what its scrolling frames hide.
  const runs = [];
  for (const node of all("body *")) {
    if (node.closest("math *, template, script, style, select, .said, canvas")) continue;
    const texts = [...node.childNodes].filter((one) => one.nodeType === 3 && one.data.trim());
    const own = node.localName === "math" ? [node] : texts;
    for (const one of own) {
      const range = document.createRange();
      range.selectNodeContents(one);
      for (const box of one === node ? [node.getBoundingClientRect()] : range.getClientRects()) {
        const frames = inner(node).filter((one) => scrolls(one) && !one.matches("html, body"));
        const [left, top, right, bottom] = frames.map((one) => one.getBoundingClientRect()).reduce((seen, frame) => [
          Math.max(seen[0], frame.left), Math.max(seen[1], frame.top),
          Math.min(seen[2], frame.right), Math.min(seen[3], frame.bottom)], [box.left, box.top, box.right, box.bottom]);
        const fixed = inner(node).find((up) => /fixed|sticky/.test(getComputedStyle(up).position));
        runs.push({ node, left, top, right, bottom, fixed });
      }
    }
  }
  const seen = runs.filter(({ left, top, right, bottom }) => right - left > 1 && bottom - top > 1);

  for (const { node, left, right } of seen) {
    if (left < -MARGIN || right > width + MARGIN) faults.push(`sticks out of the page: ${said(node)}`);
  }
  // Controls hold what they say, and are as large as a finger needs.
  for (const node of all(".player button, .zoom button, .touch button, .touch summary, .touch input, .touch select")) {
    const box = node.getBoundingClientRect();
    if (node.scrollWidth > node.clientWidth + MARGIN) faults.push(`is cut: ${said(node)}`);
    if (Math.min(box.width, box.height) < 24) faults.push(`is too small to touch: ${said(node)} ${node.name}`);
  }
  // Boxes of a drawing hold their lines.
  for (const box of all(".scene .box, .picture .box")) {
    const shape = box.querySelector("path, rect, polygon")?.getBoundingClientRect();
    for (const line of box.querySelectorAll("text")) {
      const text = line.getBoundingClientRect();
      if (!shape || !text.width || getComputedStyle(line).visibility !== "visible") continue;
      if (text.left < shape.left - MARGIN || text.right > shape.right + MARGIN) faults.push(`leaves its box: ${said(line)}`);
    }
  }
  // No text lies on another, among those that scroll together; a line may touch the next.
  for (const [i, a] of seen.entries()) {
    for (const b of seen.slice(i + 1)) {
      if (a.fixed !== b.fixed || a.node.contains(b.node) || b.node.contains(a.node) || a.node === b.node) continue;
      if (a.node.closest("svg") && b.node.closest("svg")) continue; // an arrow's text may touch another arrow's
      const x = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      const low = Math.min(a.bottom - a.top, b.bottom - b.top);
      if (x > MARGIN && y > Math.max(MARGIN, low / 3)) faults.push(`lies over: ${said(a.node)} | ${said(b.node)}`);
    }
  }
  // The current step is in sight: its first line, with nothing over it. So is the box that it is about.
  const here = document.querySelector(".stepping [aria-current]");
  const first = here?.querySelector(".rule, td.right, math") ?? here;
  if (first) {
    const box = first.getBoundingClientRect();
    const [x, y] = [box.left + Math.min(8, box.width / 2), box.top + box.height / 2];
    const over = x > 0 && y > 0 && y < height ? document.elementFromPoint(x, y) : null;
    if (!here.contains(over)) faults.push(`the current step is out of sight, under ${over ? said(over) : "nothing"}`);
  }
  const [frame, active] = [".scene", ".scene .box.active"].map((one) => all(one)[0]?.getBoundingClientRect());
  const cut = frame?.height && active && (active.top < frame.top - MARGIN || active.bottom > frame.bottom + MARGIN);
  if (cut && active.height < frame.height) faults.push("the active box is out of sight");
  const bar = all(".player")[0]?.getBoundingClientRect();
  if (bar && (bar.bottom > height + MARGIN || bar.top < 0)) faults.push("the bar is out of sight");
  if (bar && !all(".touch[open]").length && bar.height > height / 3) faults.push("the bar takes more than a third");
  return [...new Set(faults)];
}
