/** What runs have used, CPU time and memory, in words. */

import { sizeInWords } from "./banners";
import { counted } from "./counted";
import { formatDuration } from "./time";

function cpuInWords(seconds: number): string {
  return `${formatDuration(seconds * 1000)} of CPU time`;
}

/** As in `peak memory 1.2 GB of a 2.0 GB limit`. */
function memoryInWords(peak: number, limit: number | null): string {
  const bound = limit === null ? "" : ` of a ${sizeInWords(limit)} limit`;
  return `peak memory ${sizeInWords(peak)}${bound}`;
}

interface RunUsage {
  cpuSeconds: number | null;
  peakMemory: number | null;
  memoryLimit: number | null;
}

/** What a run has used, as far as that is known. */
export function usageFacts({ cpuSeconds, peakMemory, memoryLimit }: RunUsage): string[] {
  return [
    ...(cpuSeconds === null ? [] : [cpuInWords(cpuSeconds)]),
    ...(peakMemory === null ? [] : [memoryInWords(peakMemory, memoryLimit)]),
  ];
}

interface FlowUsage {
  runs: number;
  medianCpuSeconds: number | null;
  highestCpuSeconds: number | null;
  medianPeakMemory: number | null;
  highestPeakMemory: number | null;
  memoryLimit: number | null;
}

/** What the last runs of a flow have used: one row for each figure, with the median and the maximum. */
export function typicalRows(usage: FlowUsage): { name: string; median: string; highest: string }[] {
  const { medianCpuSeconds, highestCpuSeconds, medianPeakMemory, highestPeakMemory, memoryLimit } = usage;
  const rows = [];
  if (medianCpuSeconds !== null && highestCpuSeconds !== null)
    rows.push({
      name: "CPU time",
      median: formatDuration(medianCpuSeconds * 1000),
      highest: formatDuration(highestCpuSeconds * 1000),
    });
  if (medianPeakMemory !== null && highestPeakMemory !== null)
    rows.push({
      name: "Peak memory",
      median: sizeInWords(medianPeakMemory),
      highest: `${sizeInWords(highestPeakMemory)}${memoryLimit === null ? "" : ` of a ${sizeInWords(memoryLimit)} limit`}`,
    });
  return rows;
}

export function basisInWords(runs: number): string {
  return runs === 1 ? "Of the last run." : `Of the last ${counted(runs, "run")}.`;
}
