// @vitest-environment jsdom
import { describe, expect, it } from "vitest";
import { isTyping, keyName, type Shortcut, ShortcutMatcher } from "./shortcuts";

const press = (key: string, rest: Partial<KeyboardEvent> = {}) => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  shiftKey: false,
  isComposing: false,
  target: document.body as EventTarget,
  ...rest,
});
const shortcut = (keys: string): Shortcut => ({ keys, label: keys, run: () => {} });

describe("key names", () => {
  it("are plain letters, or Shift and a letter", () => {
    expect(keyName(press("j"))).toBe("j");
    expect(keyName(press("F", { shiftKey: true }))).toBe("Shift F");
    expect(keyName(press("?", { shiftKey: true }))).toBe("?");
  });

  it("are dead with modifiers, while composing, and in inputs", () => {
    expect(keyName(press("j", { ctrlKey: true }))).toBeNull();
    expect(keyName(press("j", { isComposing: true }))).toBeNull();
    expect(keyName(press("j", { target: document.createElement("input") }))).toBeNull();
    expect(keyName(press("j", { target: document.createElement("textarea") }))).toBeNull();
  });
});

describe("where a person types", () => {
  const element = (html: string): Element => {
    document.body.innerHTML = html;
    return document.body.querySelector("[data-target]") as Element;
  };

  it.each([
    ["<input data-target>", true],
    ["<input type='search' data-target>", true],
    ["<input type='datetime-local' data-target>", true],
    ["<textarea data-target></textarea>", true],
    ["<select data-target></select>", true],
    ["<div role='dialog'><button data-target></button></div>", true],
    ["<div role='alertdialog'><p data-target></p></div>", true],
    ["<ul role='menu'><li data-target></li></ul>", true],
    ["<ul role='listbox'><li data-target></li></ul>", true],
    ["<input type='checkbox' data-target>", false],
    ["<input type='radio' data-target>", false],
    ["<input type='button' data-target>", false],
    ["<button data-target></button>", false],
    ["<a href='/runs' data-target></a>", false],
    ["<div role='log' tabindex='0' data-target></div>", false],
  ])("%s: %s", (html, expected) => {
    expect(Boolean(isTyping(element(html)))).toBe(expected);
  });

  it("is nowhere outside of elements", () => {
    expect([isTyping(null), isTyping(document), isTyping(window)]).toEqual([false, false, false]);
  });

  it("takes no key, outside it takes each", () => {
    expect(keyName(press("j", { target: element("<textarea data-target></textarea>") }))).toBeNull();
    expect(keyName(press("j", { target: element("<button data-target></button>") }))).toBe("j");
  });
});

describe("modifiers", () => {
  it.each(["ctrlKey", "metaKey", "altKey"] as const)("%s leaves the key to the browser", (modifier) => {
    for (const key of ["a", "F", "Enter", "/"]) expect(keyName(press(key, { [modifier]: true }))).toBeNull();
  });

  it("make no difference to a letter's case but Shift", () => {
    // Caps Lock writes a capital without Shift, and Shift under Caps Lock a small letter.
    expect(keyName(press("J"))).toBe("j");
    expect(keyName(press("j", { shiftKey: true }))).toBe("Shift J");
  });

  it.each(["Enter", "Escape", "/", "?", "ArrowDown", "1", "ä"])("%s is called by its own name", (key) => {
    expect(keyName(press(key))).toBe(key);
    expect(keyName(press(key, { shiftKey: true }))).toBe(key);
  });
});

describe("sequences", () => {
  const all = [shortcut("g r"), shortcut("g f"), shortcut("r")];

  it("need their second key in time", () => {
    const matcher = new ShortcutMatcher();
    expect(matcher.match("g", all, 0)).toBeNull();
    expect(matcher.match("r", all, 300)?.keys).toBe("g r");
    expect(matcher.match("g", all, 1000)).toBeNull();
    expect(matcher.match("r", all, 5000)?.keys).toBe("r");
  });

  it("wait 1200 ms for it, no longer", () => {
    const matcher = new ShortcutMatcher();
    matcher.match("g", all, 0);
    expect(matcher.match("r", all, 1_199)?.keys).toBe("g r");
    matcher.match("g", all, 10_000);
    expect(matcher.match("r", all, 11_200)?.keys).toBe("r");
  });

  it("are over after they were completed, and after a key that doesn't go on", () => {
    const matcher = new ShortcutMatcher();
    matcher.match("g", all, 0);
    expect(matcher.match("f", all, 1)?.keys).toBe("g f");
    expect(matcher.match("f", all, 2)).toBeNull();
    matcher.match("g", all, 3);
    expect(matcher.match("x", all, 4)).toBeNull();
    expect(matcher.match("r", all, 5)?.keys).toBe("r");
  });

  it("may begin again with the same key", () => {
    const matcher = new ShortcutMatcher();
    matcher.match("g", all, 0);
    expect(matcher.match("g", all, 1)).toBeNull();
    expect(matcher.match("r", all, 2)?.keys).toBe("g r");
  });

  it("don't hold back a key that is also a complete shortcut", () => {
    const matcher = new ShortcutMatcher();
    const both = [shortcut("g"), shortcut("g r")];
    expect(matcher.match("g", both, 0)?.keys).toBe("g");
    expect(matcher.match("r", both, 1)).toBeNull();
  });

  it("take the first of two that are written alike", () => {
    const [inner, outer] = [shortcut("e"), shortcut("e")];
    expect(new ShortcutMatcher().match("e", [inner, outer], 0)).toBe(inner);
  });
});

it("takes the Shift key itself for nothing, so that what is pressed with it is heard", () => {
  const press = (key: string) =>
    keyName({ key, shiftKey: true, ctrlKey: false, metaKey: false, altKey: false, isComposing: false, target: null });
  const matcher = new ShortcutMatcher();
  const one = { keys: "Shift E", label: "Previous error", run: () => {} };
  const heard = ["Shift", "E"].map((key, at) => {
    const name = press(key);
    return name && matcher.match(name, [one], at);
  });
  expect(heard).toEqual([null, one]);
});
