import type { Home } from "../../api/home";
import { sizeInWords } from "../../lib/banners";
import { LATE_TICK } from "../../lib/home";
import { formatDuration } from "../../lib/time";
import { Card } from "./card";

export function SystemCard({ server, disk }: { server: Home["server"]; disk: Home["disk"] }) {
  const { schedulerTickAge: age, databaseBytes, version } = server;
  const isLate = age === null || age > LATE_TICK;
  const tick = age === null ? "has not run yet" : `ran ${formatDuration(age * 1000)} ago`;
  return (
    <Card title="System">
      <dl className="home-facts">
        <dt>Scheduler</dt>
        <dd className={isLate ? "text-attention" : ""}>{tick}</dd>
        <dt>Database</dt>
        <dd className={disk.warnings.length > 0 || !disk.writable ? "text-attention" : ""}>
          {sizeInWords(databaseBytes)}
          {disk.freeBytes !== null && `, ${sizeInWords(disk.freeBytes)} free`}
        </dd>
        <dt>Release</dt>
        <dd>{version}</dd>
      </dl>
    </Card>
  );
}
