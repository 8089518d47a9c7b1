/** The permissions that the UI checks. */

/** The names are the server's. */
export type Permission =
  | "runs:cancel"
  | "runs:pause"
  | "runs:resume"
  | "runs:restart"
  | "runs:mark"
  | "runs:edit"
  | "runs:delete"
  | "runs:bulk"
  | "flows:register"
  | "flows:edit"
  | "flows:delete"
  | "schedules:backfill"
  | "schedules:edit"
  | "limits:edit"
  | "secrets:read"
  | "secrets:edit"
  | "bundles:read"
  | "results:manage"
  | "automations:edit"
  | "agents:manage"
  | "hold:manage"
  | "maintenance:manage"
  | "disk:manage"
  | "users:manage"
  | "tokens:manage";
