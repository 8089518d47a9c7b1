/** Scrolling as a browser does it: within the box, with an event after every change, also by a program. */

const FRAME = 16;

/** `heightOf` says how high the content of a box is. The answer puts all back. */
export function fakeScrolling(heightOf: (box: Element) => number): () => void {
  const originals = ["scrollTop", "scrollHeight"].map(
    (name) => [name, Object.getOwnPropertyDescriptor(Element.prototype, name) as PropertyDescriptor] as const,
  );
  const tops = new WeakMap<Element, number>();
  Object.defineProperty(Element.prototype, "scrollHeight", {
    configurable: true,
    get(this: Element) {
      return heightOf(this);
    },
  });
  Object.defineProperty(Element.prototype, "scrollTop", {
    configurable: true,
    get(this: Element) {
      return tops.get(this) ?? 0;
    },
    set(this: Element, top: number) {
      const before = this.scrollTop;
      tops.set(this, Math.max(0, Math.min(top, this.scrollHeight - this.clientHeight)));
      if (this.scrollTop !== before) window.setTimeout(() => this.dispatchEvent(new Event("scroll")), FRAME);
    },
  });
  return () => {
    for (const [name, original] of originals) Object.defineProperty(Element.prototype, name, original);
  };
}
