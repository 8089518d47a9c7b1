/** What the last runs of a flow have used: CPU time and memory. */

import type { Flow } from "../../api/flows";
import { basisInWords, typicalRows } from "../../lib/usage";

export function UsageCard({ flow }: { flow: Flow }) {
  if (!flow.usage) return null;
  return (
    <section className="card" aria-labelledby="usage">
      <div className="card-head">
        <h2 id="usage">CPU and memory</h2>
      </div>
      <table className="table" aria-labelledby="usage">
        <thead>
          <tr>
            <th scope="col">Per run</th>
            <th scope="col">Median</th>
            <th scope="col">Highest</th>
          </tr>
        </thead>
        <tbody>
          {typicalRows(flow.usage).map(({ name, median, highest }) => (
            <tr key={name}>
              <td className="strong">{name}</td>
              <td className="number">{median}</td>
              <td className="number">{highest}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className="card-note">{basisInWords(flow.usage.runs)}</p>
    </section>
  );
}
