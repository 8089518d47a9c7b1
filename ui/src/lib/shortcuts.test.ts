import { describe, expect, it } from "vitest";
import { keyName, type Shortcut, ShortcutMatcher } from "./shortcuts";

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

describe("sequences", () => {
  const all = [shortcut("g r"), shortcut("g f"), shortcut("r")];

  it("need their second key in time", () => {
    const matcher = new ShortcutMatcher();
    expect(matcher.match("g", all, 0)).toBeNull();
    expect(matcher.match("r", all, 300)?.keys).toBe("g r");
    expect(matcher.match("g", all, 1000)).toBeNull();
    expect(matcher.match("r", all, 5000)?.keys).toBe("r");
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
