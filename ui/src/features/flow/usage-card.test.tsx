import { screen, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { flow } from "../../test/builders";
import { renderPage } from "../../test/render";
import { UsageCard } from "./usage-card";

const GB = 2 ** 30;
const USAGE = {
  runs: 12,
  medianCpuSeconds: 2,
  highestCpuSeconds: 90,
  medianPeakMemory: GB,
  highestPeakMemory: 1.2 * GB,
  memoryLimit: 2 * GB,
};

it("shows the median and the maximum of the last runs", async () => {
  await renderPage(<UsageCard flow={flow([], { usage: USAGE })} />);
  const rows = within(screen.getByRole("table", { name: "CPU and memory" })).getAllByRole("row");
  expect(rows.map((row) => row.textContent)).toEqual([
    "Per runMedianHighest",
    "CPU time2 s1 min 30 s",
    "Peak memory1.0 GB1.2 GB of a 2.0 GB limit",
  ]);
  expect(screen.getByText("Of the last 12 runs.")).toBeTruthy();
});

it("is not there before an agent has measured a run", async () => {
  await renderPage(<UsageCard flow={flow([], { usage: null })} />);
  expect(screen.queryByText("CPU and memory")).toBeNull();
});
