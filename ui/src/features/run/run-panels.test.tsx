import { screen, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { run } from "../../test/builders";
import { renderPage } from "../../test/render";
import { StateHistory } from "./run-panels";

it("shows what each attempt has used", async () => {
  const attempts = [
    { attempt: 1, cpuSeconds: 1.5, peakMemory: 2 ** 30 },
    { attempt: 2, cpuSeconds: null, peakMemory: 50 * 2 ** 20 },
  ];
  await renderPage(<StateHistory run={run({ attempts })} />);
  const rows = within(screen.getByRole("table", { name: "Attempts" })).getAllByRole("row");
  expect(rows.slice(1).map((row) => row.textContent)).toEqual(["11.5 s1.0 GB", "250 MB"]);
});

it("has no such table while that is not known", async () => {
  await renderPage(<StateHistory run={run()} />);
  expect(screen.queryByRole("table", { name: "Attempts" })).toBeNull();
});
