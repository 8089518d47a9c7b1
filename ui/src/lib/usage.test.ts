import { expect, it } from "vitest";
import { basisInWords, typicalRows, usageFacts } from "./usage";

const GB = 2 ** 30;

it("says what is known of a run", () => {
  expect(usageFacts({ cpuSeconds: 3.75, peakMemory: 1.2 * GB, memoryLimit: 2 * GB })).toEqual([
    "3.8 s of CPU time",
    "peak memory 1.2 GB of a 2.0 GB limit",
  ]);
  expect(usageFacts({ cpuSeconds: null, peakMemory: 50 * 2 ** 20, memoryLimit: null })).toEqual(["peak memory 50 MB"]);
  expect(usageFacts({ cpuSeconds: null, peakMemory: null, memoryLimit: GB })).toEqual([]);
});

it("has a row for each figure of a flow that is known", () => {
  const memory = { medianPeakMemory: GB, highestPeakMemory: 1.5 * GB, memoryLimit: 2 * GB };
  const cpu = { medianCpuSeconds: 0.25, highestCpuSeconds: 90 };
  expect(typicalRows({ runs: 12, ...cpu, ...memory })).toEqual([
    { name: "CPU time", median: "250 ms", highest: "1 min 30 s" },
    { name: "Peak memory", median: "1.0 GB", highest: "1.5 GB of a 2.0 GB limit" },
  ]);
  const none = { medianCpuSeconds: null, highestCpuSeconds: null };
  expect(typicalRows({ runs: 1, ...none, ...memory, memoryLimit: null })[0]?.highest).toBe("1.5 GB");
  expect([basisInWords(1), basisInWords(12)]).toEqual(["Of the last run.", "Of the last 12 runs."]);
});
