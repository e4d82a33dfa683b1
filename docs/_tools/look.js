// What is wrong with the page as it stands in the browser: a list of sentences.
(width) => {
  const faults = [];
  const name = (element) =>
    [element.localName, ...element.classList].join(".") +
    (element.id ? `#${element.id}` : "");

  const tex = (box) => box.textContent.trim().slice(0, 60);
  for (const box of document.querySelectorAll(".arithmatex"))
    if (!box.querySelector(".katex")) faults.push(`formula is not set: ${tex(box)}`);
  for (const box of document.querySelectorAll(".katex-error"))
    faults.push(`formula is refused: ${tex(box)}`);

  for (const image of document.images) {
    const file = image.currentSrc || image.src;
    if (!image.naturalWidth) faults.push(`image is broken: ${file}`);
    if (!image.alt.trim()) faults.push(`image has no alt text: ${file}`);
  }

  // Elements that stick out, save for those in a box that scrolls or hides them.
  const root = document.documentElement;
  if (root.scrollWidth > width) {
    const cut = (element) =>
      element &&
      element !== document.body &&
      (getComputedStyle(element).overflowX !== "visible" || cut(element.parentElement));
    const wide = [...document.body.querySelectorAll("*")].find(
      (element) => element.getBoundingClientRect().right > width + 0.5 && !cut(element),
    );
    const whose = wide ? `: ${name(wide)}` : "";
    faults.push(`page is ${root.scrollWidth} wide on a screen of ${width}${whose}`);
  }

  // Text and its background, by the formula of WCAG 2.2 for contrast. Colours are drawn on
  // a canvas to read them, whatever the notation.
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const rgba = (colour) => {
    if (!known.has(colour)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, alpha] = canvas.getImageData(0, 0, 1, 1).data;
      known.set(colour, { parts: [r, g, b], alpha: alpha / 255 });
    }
    return known.get(colour);
  };
  const over = (top, below) =>
    top.parts.map((part, i) => top.alpha * part + (1 - top.alpha) * below[i]);
  const backgrounds = new Map([[null, [255, 255, 255]]]);
  const background = (element) => {
    if (!backgrounds.has(element)) {
      const own = rgba(getComputedStyle(element).backgroundColor);
      const parts = own.alpha === 1 ? own.parts : over(own, background(element.parentElement));
      backgrounds.set(element, parts);
    }
    return backgrounds.get(element);
  };
  const luminance = (parts) => {
    const [r, g, b] = parts.map((part) =>
      part <= 10 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const pale = new Map();
  const walker = document.createTreeWalker(
    document.querySelector("main") ?? document.body,
    NodeFilter.SHOW_TEXT,
  );
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
    if (element.closest(".katex-mathml, .headerlink, [hidden], script, style")) continue;
    const behind = background(element);
    const text = over(rgba(getComputedStyle(element).color), behind);
    const [low, high] = [luminance(text), luminance(behind)].sort((a, b) => a - b);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < 4.5 && !pale.has(name(element))) pale.set(name(element), contrast);
  }
  for (const [which, contrast] of pale)
    faults.push(`text is too pale, ${contrast.toFixed(1)} instead of 4.5: ${which}`);

  return faults;
}
