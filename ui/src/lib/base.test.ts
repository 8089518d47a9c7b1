import { describe, expect, it } from "vitest";
import { addressOf, baseOf, nameHere } from "./base";

describe("the base", () => {
  it.each([
    ["https://host.example/assets/parts-1a.js", "/"],
    ["https://host.example/appliance/assets/parts-1a.js", "/appliance/"],
    ["http://127.0.0.1:4200/tools/appliance/assets/parts-1a.js?v=1", "/tools/appliance/"],
  ])("of %s is %s", (script, base) => {
    expect(baseOf(script)).toBe(base);
  });

  it("stands before every address of the appliance's own", () => {
    expect(addressOf("/api/v1/info", "/")).toBe("/api/v1/info");
    expect(addressOf("/api/v1/info", "/tools/appliance/")).toBe("/tools/appliance/api/v1/info");
    expect(addressOf("/graphql")).toBe("/graphql");
  });

  it("keeps apart what two appliances on one host call the same", () => {
    expect(nameHere("appliance-live", "/")).toBe("appliance-live");
    expect(nameHere("appliance-live", "/a/")).not.toBe(nameHere("appliance-live", "/b/"));
  });
});
