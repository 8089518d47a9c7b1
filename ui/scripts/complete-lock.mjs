// Adds the other platforms' optional packages to the lock. A registry mirror that holds one platform only leaves them out, and
// `npm ci` refuses a lock without them; they are never fetched where they don't fit.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SYSTEMS = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"];
const PROCESSORS = ["arm64", "arm", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "x64", "wasm32"];

const path = fileURLToPath(new URL("../package-lock.json", import.meta.url));
const lock = JSON.parse(readFileSync(path, "utf8"));
let added = 0;

for (const [place, owner] of Object.entries(lock.packages)) {
  if (!place) continue;
  for (const [name, version] of Object.entries(owner.optionalDependencies ?? {})) {
    if (lock.packages[`node_modules/${name}`] || lock.packages[`${place}/node_modules/${name}`]) continue;
    lock.packages[`node_modules/${name}`] = entry(name, version, owner.dev);
    added += 1;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${added} packages of other platforms added.`);

function entry(name, version, dev) {
  const words = name.split("/").at(-1).split(/[-.]/);
  const system = SYSTEMS.find((one) => words.includes(one));
  const processor = PROCESSORS.find((one) => words.includes(one));
  const libc = system === "linux" && (words.some((word) => word.startsWith("musl")) ? "musl" : "glibc");
  return {
    version: version.replace(/^[\^~]/, ""),
    ...(processor && { cpu: [processor] }),
    ...(dev && { dev }),
    ...(libc && { libc: [libc] }),
    optional: true,
    ...(system && { os: [system] }),
  };
}
