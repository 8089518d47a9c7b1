// Writes a .br and a .gz beside every file of the build that is worth it, so that the server never compresses.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const root = fileURLToPath(new URL("../../appliance/server/web/static/", import.meta.url));
const worth = /\.(js|css|html|svg|json|txt)$/;
const total = { files: 0, plain: 0, gz: 0, br: 0 };

for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  if (!entry.isFile() || !worth.test(path)) continue;
  const plain = readFileSync(path);
  const gz = gzipSync(plain, { level: 9 });
  const br = brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
  writeFileSync(`${path}.gz`, gz);
  writeFileSync(`${path}.br`, br);
  total.files += 1;
  total.plain += plain.length;
  total.gz += gz.length;
  total.br += br.length;
}
console.log(`${total.files} files: ${kib(total.plain)} plain, ${kib(total.gz)} gzip, ${kib(total.br)} brotli`);

function kib(bytes) {
  return `${(bytes / 1024).toFixed(0)} KiB`;
}
